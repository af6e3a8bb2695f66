/* libyaml's events → a tree of nodes. */
#include "policy/yaml.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "app/base/limits.h"
#include "policy/vault.h"

struct reader {
	yaml_parser_t parser;
	const struct source_file *file;
	struct vault *mem;
	struct diag *diag;
	struct node *root, *top; /* top: the innermost open list or map */
	const char *key;	 /* read, its value is next */
	unsigned key_line, key_column;
	unsigned depth, nodes, documents;
	bool stop;		 /* said why */
};

static const char no_alias[] = "aliases (*name) are not supported; a pattern "
    "that begins with * needs quotes";

static unsigned
line_of(const yaml_event_t *ev)
{
	return (unsigned)ev->start_mark.line + 1;
}

static void
refuse(struct reader *r, unsigned line, const char *text)
{
	diag_fault_at(r->diag, r->file, line, "yaml", "%s", text);
	r->stop = true;
}

/* The parser's own words; they hold no text of the file. */
static void
refuse_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *what = p->problem != NULL ? p->problem : "not readable";

	if (p->error == YAML_MEMORY_ERROR) {
		diag_nomem(r->diag);
		r->stop = true;
		return;
	}
	if (p->context != NULL && strstr(p->context, "an alias") != NULL) {
		refuse(r, (unsigned)p->problem_mark.line + 1, no_alias);
		return;
	}
	diag_fault_at(r->diag, r->file, (unsigned)p->problem_mark.line + 1,
	    "yaml", "%s%s%s", what, p->context != NULL ? " " : "",
	    p->context != NULL ? p->context : "");
	r->stop = true;
}

static void
attach(struct reader *r, struct node *n)
{
	struct node *up = r->top;

	n->parent = up;
	if (up == NULL) {
		r->root = n;
		return;
	}
	n->index = up->count++;
	if (up->last != NULL)
		up->last->next = n;
	else
		up->first = n;
	up->last = n;
	if (up->kind == NODE_MAP) {
		n->key = r->key;
		n->line = r->key_line;
		n->column = r->key_column;
		r->key = NULL;
	}
}

static struct node *
node_new(struct reader *r, const yaml_event_t *ev, enum node_kind kind)
{
	struct node *n;

	if (++r->nodes > LIMIT_POLICY_NODES) {
		refuse(r, line_of(ev), "too many values in one file");
		return NULL;
	}
	n = vault_alloc(r->mem, sizeof *n);
	if (n == NULL) {
		diag_nomem(r->diag);
		r->stop = true;
		return NULL;
	}
	n->kind = kind;
	n->file = r->file;
	n->line = line_of(ev);
	n->column = (unsigned)ev->start_mark.column + 1;
	attach(r, n);
	return n;
}

static const char *
copy_text(struct reader *r, const yaml_event_t *ev)
{
	const char *s = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;
	char *copy;

	if (memchr(s, '\0', len) != NULL) {
		refuse(r, line_of(ev), "a NUL character");
		return NULL;
	}
	copy = vault_dup(r->mem, s, len);
	if (copy == NULL) {
		diag_nomem(r->diag);
		r->stop = true;
	}
	return copy;
}

static bool
wants_key(const struct reader *r)
{
	return r->top != NULL && r->top->kind == NODE_MAP && r->key == NULL;
}

static void
take_key(struct reader *r, const yaml_event_t *ev)
{
	r->key = copy_text(r, ev);
	r->key_line = line_of(ev);
	r->key_column = (unsigned)ev->start_mark.column + 1;
	if (r->key != NULL && strcmp(r->key, "<<") == 0 &&
	    ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		refuse(r, r->key_line,
		    "merge keys (<<) are not supported: write it out");
}

static void
take_scalar(struct reader *r, const yaml_event_t *ev)
{
	struct node *n;

	if (ev->data.scalar.anchor != NULL)
		refuse(r, line_of(ev), "anchors (&name) are not supported");
	else if (ev->data.scalar.tag != NULL)
		refuse(r, line_of(ev), "tags (!name) are not supported");
	else if (wants_key(r))
		take_key(r, ev);
	else {
		n = node_new(r, ev, NODE_SCALAR);
		if (n == NULL)
			return;
		n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
		n->text = copy_text(r, ev);
		n->len = ev->data.scalar.length;
	}
}

static void
take_open(struct reader *r, const yaml_event_t *ev, enum node_kind kind,
    const void *anchor, const void *tag)
{
	struct node *n;

	if (anchor != NULL)
		refuse(r, line_of(ev), "anchors (&name) are not supported");
	else if (tag != NULL)
		refuse(r, line_of(ev), "tags (!name) are not supported");
	else if (wants_key(r))
		refuse(r, line_of(ev), "a name must be a plain word");
	else if (++r->depth > LIMIT_POLICY_DEPTH)
		refuse(r, line_of(ev), "nested too deeply");
	else {
		n = node_new(r, ev, kind);
		if (n != NULL)
			r->top = n;
	}
}

static void
take_close(struct reader *r)
{
	if (r->top->kind == NODE_MAP)
		node_unique(r->top, false, r->diag);
	r->top = r->top->parent;
	r->depth--;
}

static void
take_event(struct reader *r, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (++r->documents > 1)
			refuse(r, line_of(ev), "a second document (---)");
		break;
	case YAML_ALIAS_EVENT:
		refuse(r, line_of(ev), no_alias);
		break;
	case YAML_SCALAR_EVENT:
		take_scalar(r, ev);
		break;
	case YAML_SEQUENCE_START_EVENT:
		take_open(r, ev, NODE_LIST, ev->data.sequence_start.anchor,
		    ev->data.sequence_start.tag);
		break;
	case YAML_MAPPING_START_EVENT:
		take_open(r, ev, NODE_MAP, ev->data.mapping_start.anchor,
		    ev->data.mapping_start.tag);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		take_close(r);
		break;
	default:
		break;
	}
}

static void
read_events(struct reader *r)
{
	yaml_event_t ev;
	bool end = false;

	while (!end && !r->stop) {
		if (!yaml_parser_parse(&r->parser, &ev)) {
			refuse_syntax(r);
			return;
		}
		end = ev.type == YAML_STREAM_END_EVENT;
		take_event(r, &ev);
		yaml_event_delete(&ev);
	}
}

struct node *
yaml_read(const char *text, size_t len, const struct source_file *file,
    struct vault *mem, struct diag *d)
{
	struct reader r = { .file = file, .mem = mem, .diag = d };

	if (memchr(text, '\0', len) != NULL) {
		refuse(&r, 1, "a NUL byte: this is not a text file");
		return NULL;
	}
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3; /* the parser would take a BOM for indentation */
		len -= 3;
	}
	if (!yaml_parser_initialize(&r.parser)) {
		diag_nomem(d);
		return NULL;
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text,
	    len);
	read_events(&r);
	yaml_parser_delete(&r.parser);
	if (r.stop)
		return NULL;
	if (r.root == NULL || node_null(r.root)) {
		r.root = vault_alloc(mem, sizeof *r.root);
		if (r.root == NULL) {
			diag_nomem(d);
			return NULL;
		}
		r.root->kind = NODE_MAP;
		r.root->file = file;
		r.root->line = r.root->column = 1;
	}
	return r.root;
}

struct node *
node_get(const struct node *map, const char *key)
{
	struct node *n;

	if (map->kind != NODE_MAP)
		return NULL;
	for (n = map->first; n != NULL; n = n->next)
		if (strcmp(n->key, key) == 0)
			return n;
	return NULL;
}

bool
node_null(const struct node *n)
{
	return n->kind == NODE_SCALAR && n->plain &&
	    (n->len == 0 || strcmp(n->text, "~") == 0 ||
		strcmp(n->text, "null") == 0);
}

static int
by_key(const void *pa, const void *pb)
{
	const struct node *a = *(struct node *const *)pa;
	const struct node *b = *(struct node *const *)pb;
	int cmp = strcmp(a->key, b->key);

	if (cmp != 0)
		return cmp;
	if (a->file->order != b->file->order)
		return a->file->order < b->file->order ? -1 : 1;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return a->column < b->column ? -1 : a->column > b->column;
}

void
node_unique(const struct node *map, bool across, struct diag *d)
{
	struct node **list, *n;
	size_t i = 0;

	if (map->count < 2)
		return;
	list = malloc(map->count * sizeof(*list));
	if (list == NULL) {
		diag_nomem(d);
		return;
	}
	for (n = map->first; n != NULL; n = n->next)
		list[i++] = n;
	qsort(list, i, sizeof(*list), by_key);
	while (i-- > 1)
		if (strcmp(list[i]->key, list[i - 1]->key) == 0 &&
		    (list[i]->file != list[i - 1]->file) == across)
			diag_fault(d, list[i], "stands twice (first at %s:%u)",
			    list[i - 1]->file->path, list[i - 1]->line);
	free(list);
}
