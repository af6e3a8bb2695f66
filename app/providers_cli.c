/*
 * The providers of the catalog: in which dialect each is spoken to, and what
 * a policy must give for it. Knows no more of them than the catalog tells.
 */
#include "app/providers_cli.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "adapters/adapter.h"
#include "app/base/buf.h"
#include "app/base/json.h"
#include "policy/catalog.h"

/* A provider and the words for what it needs, in order. */
struct row {
	struct catalog_provider p;
	char needs[256];
	bool key_alone; /* or not even that */
};

static void
need(struct row *r, const char *word, size_t len)
{
	size_t n = strlen(r->needs);

	if (memmem(r->needs, n, word, len) != NULL)
		return;
	snprintf(r->needs + n, sizeof r->needs - n, "%s%.*s",
	    n == 0 ? "" : ", ", (int)len, word);
}

/* Every ${name} of the address must be given. */
static bool
need_variables(struct row *r)
{
	const char *p = r->p.base_url, *end;
	bool any = false;

	while ((p = strstr(p, "${")) != NULL &&
	    (end = strchr(p, '}')) != NULL) {
		need(r, p + 2, (size_t)(end - p) - 2);
		any = true;
		p = end;
	}
	return any;
}

static void
judge(struct row *r)
{
	static const char *const words[] = {
		[AUTH_BEARER] = "key",
		[AUTH_HEADER] = "key",
		[AUTH_SIGV4] = "AWS keys",
		[AUTH_GOOGLE] = "service account",
		[AUTH_NONE] = NULL,
	};
	const char *word = words[r->p.auth];
	bool more;

	r->needs[0] = '\0';
	r->key_alone = false;
	if (*r->p.adapter == '\0')
		return;
	if (word != NULL)
		need(r, word, strlen(word));
	more = need_variables(r);
	r->key_alone = !more && r->p.auth != AUTH_SIGV4 &&
	    r->p.auth != AUTH_GOOGLE && adapter_find(r->p.adapter) != NULL;
	if (r->needs[0] == '\0')
		need(r, "nothing", 7);
}

static const char *
or_dash(const char *s)
{
	return *s == '\0' ? "-" : s;
}

static void
table_row(struct buf *out, const struct row *r)
{
	buf_printf(out, "%-28s %-10s %6u  %-32s %s\n", r->p.name,
	    or_dash(r->p.adapter), r->p.count, or_dash(r->p.env),
	    or_dash(r->needs));
}

static void
markdown_row(struct buf *out, const struct row *r)
{
	const char *p;

	buf_printf(out, "| `%s` | [%s](%s) | %s | ", r->p.name, r->p.title,
	    r->p.doc, or_dash(r->p.adapter));
	buf_puts(out, *r->p.env == '\0' ? "-" : "`");
	for (p = r->p.env; *p != '\0'; p++)
		if (*p == ' ')
			buf_puts(out, "` or `");
		else
			buf_putc(out, *p);
	buf_printf(out, "%s | %s | %u |\n", *r->p.env == '\0' ? "" : "`",
	    or_dash(r->needs), r->p.count);
}

static void
json_row(struct json_writer *w, const struct row *r)
{
	jw_object(w);
	jw_key(w, "name");
	jw_string(w, r->p.name);
	jw_key(w, "title");
	jw_string(w, r->p.title);
	jw_key(w, "adapter");
	jw_string(w, r->p.adapter);
	jw_key(w, "env");
	jw_string(w, r->p.env);
	jw_key(w, "needs");
	jw_string(w, r->needs);
	jw_key(w, "key_alone");
	jw_bool(w, r->key_alone);
	jw_key(w, "models");
	jw_int(w, r->p.count);
	jw_end_object(w);
}

static void
write_head(const struct catalog *c, enum listing_format format,
    struct json_writer *w, struct buf *out)
{
	switch (format) {
	case LISTING_TABLE:
		buf_printf(out, "%-28s %-10s %6s  %-32s %s\n", "PROVIDER",
		    "ADAPTER", "MODELS", "KEY FROM", "NEEDS");
		break;
	case LISTING_MARKDOWN:
		buf_printf(out, "# Providers\n\nWritten by `tollgate models "
		    "--providers --format markdown` from the catalog of %s. "
		    "What a provider needs stands in its row of the policy; a "
		    "name in capitals is a variable of the environment. "
		    "Without an adapter a provider cannot be asked.\n\n"
		    "| name | provider | adapter | key from | needs | models "
		    "|\n|---|---|---|---|---|---:|\n", catalog_date(c));
		break;
	case LISTING_JSON:
		jw_object(w);
		jw_key(w, "date");
		jw_string(w, catalog_date(c));
		jw_key(w, "providers");
		jw_array(w);
		break;
	}
}

static void
write_foot(uint32_t count, uint32_t alone, enum listing_format format,
    struct json_writer *w, struct buf *out)
{
	if (format != LISTING_JSON) {
		buf_printf(out, "\n%u providers, %u of them with a key alone "
		    "or without.\n", count, alone);
		return;
	}
	jw_end_array(w);
	jw_key(w, "key_alone");
	jw_int(w, alone);
	jw_end_object(w);
	buf_putc(out, '\n');
}

void
providers_list(const struct catalog *c, enum listing_format format,
    struct buf *out)
{
	uint32_t i, n = catalog_providers(c), alone = 0;
	struct json_writer w;
	struct row r;

	jw_init(&w, out);
	write_head(c, format, &w, out);
	for (i = 0; i < n; i++) {
		if (!catalog_provider_at(c, i, &r.p))
			continue;
		judge(&r);
		alone += r.key_alone;
		if (format == LISTING_TABLE)
			table_row(out, &r);
		else if (format == LISTING_MARKDOWN)
			markdown_row(out, &r);
		else
			json_row(&w, &r);
	}
	write_foot(n, alone, format, &w, out);
}
