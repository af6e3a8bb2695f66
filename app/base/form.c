/* Multipart bodies: where their parts are. */
#include "app/base/form.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/json.h"

#define FORM_MARK (FORM_BOUNDARY + 5) /* a delimiter, with a NUL */

static const char type_word[] = "multipart/form-data";

/* RFC 2046, 5.1.1: bchars. */
static const char boundary_chars[] = "0123456789abcdefghijklmnopqrstuvwxyz"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ'()+_,-./:=? ";

static enum err
bad(struct fault *f, const char *what)
{
	return fault_set(f, ERR_BAD_REQUEST, NULL,
	    "the multipart body is malformed: %s", what);
}

bool
form_is(const char *type)
{
	size_t n = sizeof type_word - 1;

	return type != NULL && strncasecmp(type, type_word, n) == 0 &&
	    (type[n] == '\0' || strchr("; \t", type[n]) != NULL);
}

/* ---- header fields ---- */

/* What follows the quote at p up to the next one; NULL: there is none. */
static const char *
quoted(struct arena *a, const char *p, const char *end, const char **rest)
{
	char *out = arena_alloc(a, (size_t)(end - p) + 1), *o = out;

	if (out == NULL)
		return NULL;
	for (; p < end && *p != '"'; p++) {
		if (*p == '\\' && p + 1 < end && (p[1] == '"' || p[1] == '\\'))
			p++;
		else if (end - p > 2 && memcmp(p, "%22", 3) == 0) {
			*o++ = '"';
			p += 2;
			continue;
		}
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return NULL;
		*o++ = *p;
	}
	if (p == end)
		return NULL;
	*o = '\0';
	*rest = p + 1;
	return out;
}

/* What is written without quotes; NULL: nothing, or a control character. */
static const char *
token(struct arena *a, const char *p, const char *end, const char **rest)
{
	const char *q = p;

	for (; q < end && strchr("; \t\r\n\"", *q) == NULL; q++)
		if ((unsigned char)*q < 0x20 || *q == 0x7f)
			return NULL;
	*rest = q;
	return q == p ? NULL : arena_dup(a, p, (size_t)(q - p));
}

static const char *
blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == ';'))
		p++;
	return p;
}

/* The value of a parameter behind the first word: boundary, name … */
static const char *
parameter(struct arena *a, const char *p, const char *end, const char *name)
{
	size_t n = strlen(name);
	const char *v, *rest;
	bool found;

	while (p < end && *p != ';')
		p++;
	for (;;) {
		p = blanks(p, end);
		found = (size_t)(end - p) > n &&
		    strncasecmp(p, name, n) == 0 && p[n] == '=';
		while (p < end && *p != '=' && *p != ';')
			p++;
		if (p == end)
			return NULL;
		if (*p == ';')
			continue;
		p++;
		v = p < end && *p == '"' ? quoted(a, p + 1, end, &rest) :
		    token(a, p, end, &rest);
		if (v == NULL || found)
			return v;
		p = rest;
	}
}

/* The line of a header up to its end; *p goes on behind it. */
static bool
next_line(const char **p, const char *end, const char **line,
    const char **stop)
{
	const char *nl = memchr(*p, '\n', (size_t)(end - *p));

	if (nl == NULL)
		return false;
	*line = *p;
	*stop = nl > *p && nl[-1] == '\r' ? nl - 1 : nl;
	*p = nl + 1;
	return true;
}

static bool
is_field(const char *line, const char *stop, const char *name,
    const char **value)
{
	size_t n = strlen(name);

	if ((size_t)(stop - line) <= n || strncasecmp(line, name, n) != 0 ||
	    line[n] != ':')
		return false;
	*value = blanks(line + n + 1, stop);
	return true;
}

/* The name and no more, in letters that no reader takes for others? */
static bool
says_only(const char *value, const char *stop, const char *name)
{
	static const char begin[] = "form-data; name=\"";
	size_t n = sizeof begin - 1, len = name == NULL ? 0 : strlen(name);

	return len > 0 && strpbrk(name, "\"\\%") == NULL &&
	    (size_t)(stop - value) == n + len + 1 &&
	    memcmp(value, begin, n) == 0 &&
	    memcmp(value + n, name, len) == 0 && stop[-1] == '"';
}

/* A line that goes on with the one before, or is two for some readers. */
static bool
is_odd_line(const char *line, const char *stop)
{
	return *line == ' ' || *line == '\t' ||
	    memchr(line, '\r', (size_t)(stop - line)) != NULL ||
	    memchr(line, '\0', (size_t)(stop - line)) != NULL;
}

/* The header of a part at *p, up to its empty line. */
static enum err
read_head(struct form_part *part, struct arena *a, const char **p,
    const char *end, struct fault *f)
{
	const char *line, *stop, *value, *rest;
	unsigned names = 0, odd = 0;

	if (end - *p > FORM_HEAD)
		end = *p + FORM_HEAD;
	part->type = "";
	for (;;) {
		if (!next_line(p, end, &line, &stop))
			return bad(f, "a part's header has no end");
		if (line == stop)
			break;
		odd += is_odd_line(line, stop);
		if (is_field(line, stop, "content-disposition", &value)) {
			part->name = parameter(a, value, stop, "name");
			part->filename = parameter(a, value, stop,
			    "filename");
			odd += names++ > 0 || !says_only(value, stop,
			    part->name);
		} else if (is_field(line, stop, "content-type", &value)) {
			part->type = token(a, value, stop, &rest);
			if (part->type == NULL)
				part->type = "";
		}
	}
	part->plain = odd == 0;
	return part->name == NULL ? bad(f, "a part has no name") : ERR_OK;
}

/* ---- parts ---- */

/*
 * The next delimiter at or behind p: "\r\n--boundary", NULL: there is none. A
 * boundary that begins no line is one for a careless reader: it is refused.
 */
static const char *
find_mark(const char *p, const char *end, const char *mark, size_t n,
    bool *odd)
{
	const char *q = memmem(p, (size_t)(end - p), mark + 2, n - 2);

	*odd = q != NULL && (q - p < 2 || memcmp(q - 2, mark, 2) != 0);
	return q == NULL || *odd ? NULL : q - 2;
}

static struct form_part *
add_part(struct form *form)
{
	struct form_part *p;

	if (form->count == FORM_PARTS)
		return NULL;
	p = &form->part[form->count++];
	memset(p, 0, sizeof *p);
	return p;
}

/* What stands behind a delimiter: blanks and a line end, or "--". */
static bool
behind_mark(const char **p, const char *end, bool *last)
{
	*last = end - *p >= 2 && memcmp(*p, "--", 2) == 0;
	if (*last) {
		*p += 2;
		return true;
	}
	while (*p < end && (**p == ' ' || **p == '\t'))
		++*p;
	if (end - *p >= 2 && memcmp(*p, "\r\n", 2) == 0) {
		*p += 2;
		return true;
	}
	return false;
}

static enum err
no_mark(struct form *form, bool odd, struct fault *f)
{
	if (form->open && !odd)
		return ERR_OK;
	return bad(f, odd ? "its boundary stands in its data" :
	    "it has no end");
}

/*
 * Parts from behind a delimiter up to *rest, behind the last one. Of an open
 * form they end where the bytes do.
 */
static enum err
read_parts(struct form *form, struct arena *a, const char *mark, size_t n,
    const char *p, const char *end, const char **rest, struct fault *f)
{
	struct form_part *part;
	bool last = false, odd;
	const char *next;
	enum err e;

	for (;;) {
		if (!behind_mark(&p, end, &last))
			return form->open && end - p < FORM_BOUNDARY ?
			    ERR_OK : bad(f, "a boundary that does not end "
			    "its line");
		*rest = p;
		if (last) {
			form->open = false;
			return ERR_OK;
		}
		part = add_part(form);
		if (part == NULL)
			return bad(f, "too many parts");
		e = read_head(part, a, &p, end, f);
		if (e != ERR_OK && form->open && end - *rest < FORM_HEAD) {
			form->count--; /* its header is on the way */
			memset(f, 0, sizeof *f);
			return ERR_OK;
		}
		if (e != ERR_OK)
			return e;
		/* An empty part: its line end is that of the delimiter. */
		next = find_mark(p - 2, end, mark, n, &odd);
		part->data = p;
		part->held = part->len = next == NULL ? (size_t)(end - p) :
		    next < p ? 0 : (size_t)(next - p);
		if (next == NULL)
			return no_mark(form, odd, f);
		p = next + n;
	}
}

/* Behind the first delimiter, which may stand at the very beginning. */
static const char *
find_first(const char *p, const char *end, const char *mark, size_t n)
{
	bool odd;

	if ((size_t)(end - p) >= n - 2 && memcmp(p, mark + 2, n - 2) == 0)
		return p + n - 2;
	p = find_mark(p, end, mark, n, &odd);
	return p == NULL ? NULL : p + n;
}

static size_t
mark_of(const struct form *form, char *mark)
{
	return (size_t)snprintf(mark, FORM_MARK, "\r\n--%s", form->boundary);
}

static enum err
read_form(struct form *form, bool open, struct arena *a,
    const char *content_type, const char *body, size_t len, struct fault *f)
{
	const char *b = parameter(a, content_type,
	    content_type + strlen(content_type), "boundary"), *p;
	char mark[FORM_MARK];
	size_t n;
	enum err e;

	memset(form, 0, sizeof *form);
	if (b == NULL || *b == '\0' || strlen(b) > FORM_BOUNDARY ||
	    b[strspn(b, boundary_chars)] != '\0')
		return bad(f, "its type names no boundary");
	form->boundary = b;
	form->open = open;
	form->part = arena_alloc(a, FORM_PARTS * sizeof *form->part);
	if (form->part == NULL)
		return fault_memory(f);
	n = mark_of(form, mark);
	p = find_first(body, body + len, mark, n);
	if (p == NULL)
		return bad(f, "its boundary does not stand in it");
	e = read_parts(form, a, mark, n, p, body + len, &p, f);
	form->begun = form->open ? form->count : 0;
	return e;
}

enum err
form_read(struct form *form, struct arena *a, const char *content_type,
    const char *body, size_t len, struct fault *f)
{
	return read_form(form, false, a, content_type, body, len, f);
}

enum err
form_begin(struct form *form, struct arena *a, const char *content_type,
    const char *body, size_t len, struct fault *f)
{
	return read_form(form, true, a, content_type, body, len, f);
}

size_t
form_data(const struct form *form, const char *p, size_t n,
    enum form_says *says)
{
	char mark[FORM_MARK];
	size_t len = mark_of(form, mark);
	bool odd;
	const char *q = find_mark(p, p + n, mark, len, &odd);

	*says = odd ? FORM_ODD : q != NULL ? FORM_END : FORM_DATA;
	if (odd)
		return 0;
	if (q != NULL)
		return (size_t)(q - p);
	return n < len ? 0 : n - len + 1;
}

enum err
form_rest(struct form *form, struct arena *a, const char *p, size_t n,
    struct fault *f)
{
	char mark[FORM_MARK];
	const char *end = p + n;
	size_t len = mark_of(form, mark);
	enum err e;

	form->open = false;
	e = read_parts(form, a, mark, len, p + len, end, &p, f);
	/* Behind its end a careless reader might find more of it. */
	if (e == ERR_OK && end - p > 0 && (end - p != 2 ||
	    memcmp(p, "\r\n", 2) != 0))
		return bad(f, "something stands behind its end");
	return e;
}

const struct form_part *
form_find(const struct form *form, const char *name)
{
	size_t i;

	for (i = 0; i < form->count; i++)
		if (strcmp(form->part[i].name, name) == 0)
			return &form->part[i];
	return NULL;
}

static bool
is_list(const struct form_part *p)
{
	size_t n = strlen(p->name);

	return n > 2 && strcmp(p->name + n - 2, "[]") == 0;
}

static void
put_name(struct json_writer *w, const struct form_part *p)
{
	char name[FORM_HEAD];

	snprintf(name, sizeof name, "%.*s",
	    (int)strlen(p->name) - (is_list(p) ? 2 : 0), p->name);
	jw_key(w, name);
}

void
form_json(const struct form *form, struct buf *out)
{
	const struct form_part *p, *other;
	struct json_writer w;

	jw_init(&w, out);
	jw_object(&w);
	for (p = form->part; p < form->part + form->count; p++) {
		if (p->filename != NULL || form_find(form, p->name) != p)
			continue;
		put_name(&w, p);
		if (!is_list(p)) {
			jw_stringn(&w, p->data, p->len);
			continue;
		}
		jw_array(&w);
		for (other = p; other < form->part + form->count; other++)
			if (strcmp(other->name, p->name) == 0)
				jw_stringn(&w, other->data, other->len);
		jw_end_array(&w);
	}
	jw_end_object(&w);
}

/* ---- writing ---- */

static void
put_quoted(struct buf *out, const char *name, const char *s)
{
	buf_printf(out, "; %s=\"", name);
	for (; *s != '\0'; s++)
		if (*s == '"')
			buf_puts(out, "%22");
		else if (*s == '\\') /* some read it as they would a quote's */
			buf_puts(out, "%5C");
		else if (*s != '\r' && *s != '\n')
			buf_putc(out, *s);
	buf_putc(out, '"');
}

void
form_put_head(struct buf *out, const char *boundary,
    const struct form_part *p)
{
	buf_printf(out, "--%s\r\nContent-Disposition: form-data", boundary);
	put_quoted(out, "name", p->name);
	if (p->filename != NULL)
		put_quoted(out, "filename", p->filename);
	if (*p->type != '\0')
		buf_printf(out, "\r\nContent-Type: %s", p->type);
	buf_puts(out, "\r\n\r\n");
}

void
form_put(struct buf *out, const char *boundary, const struct form_part *p)
{
	form_put_head(out, boundary, p);
	buf_put(out, p->data, p->len);
	buf_puts(out, "\r\n");
}

void
form_end(struct buf *out, const char *boundary)
{
	buf_printf(out, "--%s--\r\n", boundary);
}
