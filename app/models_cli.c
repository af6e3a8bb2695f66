/*
 * `tollgate models`: show the catalog that is in force, and put a newer one
 * in its place. Reads and writes files, never the network.
 */
#include "app/models_cli.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/buf.h"
#include "app/base/json.h"
#include "app/base/limits.h"
#include "app/cli.h"
#include "app/providers_cli.h"
#include "policy/catalog.h"
#include "policy/state.h"

static const char usage[] =
    "usage: tollgate models [--provider NAME] [--format table|json]\n"
    "       tollgate models --providers [--format table|json|markdown]\n"
    "       tollgate models update FILE\n";

/* What a list shows, and how. */
struct listing {
	const struct catalog *catalog;
	const char *provider; /* NULL = all */
	void (*begin)(const struct listing *);
	void (*model)(const struct catalog_model *, bool first);
	void (*end)(void);
};

static const struct {
	unsigned bit;
	const char *name;
} caps[] = {
	{ CAP_TOOLS, "tools" },
	{ CAP_REASONING, "reasoning" },
	{ CAP_STRUCTURED, "structured" },
	{ CAP_TEMPERATURE, "temperature" },
	{ CAP_ATTACHMENT, "attachment" },
	{ CAP_OPEN_WEIGHTS, "open_weights" },
	{ CAP_TEXT_IN, "text_in" },
	{ CAP_IMAGE_IN, "image_in" },
	{ CAP_PDF_IN, "pdf_in" },
	{ CAP_AUDIO_IN, "audio_in" },
	{ CAP_VIDEO_IN, "video_in" },
	{ CAP_TEXT_OUT, "text_out" },
	{ CAP_IMAGE_OUT, "image_out" },
	{ CAP_AUDIO_OUT, "audio_out" },
	{ CAP_VIDEO_OUT, "video_out" },
};

/* Say what is wrong with a file; a fault may name a part of it. */
static void
complain(const char *file, const struct fault *f)
{
	bool part = f->param[0] != '\0' && strcmp(f->param, file) != 0;

	fprintf(stderr, "tollgate: %s: %s%s%s\n", file, part ? f->param : "",
	    part ? ": " : "", f->text);
}

/* A rate in USD as the table shows it. */
static const char *
rate_text(const struct price *p, enum unit u, char *out, size_t size)
{
	snprintf(out, size, "-");
	if (p->known && p->rate[u] >= 0)
		price_format(p->rate[u], out, size);
	return out;
}

static void
table_begin(const struct listing *l)
{
	printf("%-56s %9s %9s %10s %10s %10s %s\n", "MODEL", "CONTEXT",
	    "OUTPUT", "IN $/M", "OUT $/M", "CACHED $/M", "STATUS");
	(void)l;
}

static void
table_model(const struct catalog_model *m, bool first)
{
	char in[32], out[32], cached[32], name[512];

	(void)first;
	snprintf(name, sizeof name, "%s/%s", m->provider, m->name);
	printf("%-56s %9u %9u %10s %10s %10s %s\n", name, m->context,
	    m->max_output,
	    rate_text(&m->price, UNIT_INPUT, in, sizeof in),
	    rate_text(&m->price, UNIT_OUTPUT, out, sizeof out),
	    rate_text(&m->price, UNIT_CACHED_INPUT, cached, sizeof cached),
	    m->status);
}

static void
table_end(void)
{
}

static void
json_begin(const struct listing *l)
{
	printf("{\"date\":\"%s\",\"models\":[", catalog_date(l->catalog));
}

/* Rates as the policy's `price:` takes them. */
static void
json_rates(struct json_writer *w, const int64_t *rate, unsigned units)
{
	char text[32];
	unsigned u;

	for (u = 0; u < units; u++) {
		if (rate[u] < 0)
			continue;
		price_format(rate[u], text, sizeof text);
		jw_key(w, unit_name(u));
		jw_raw(w, text, strlen(text));
	}
}

static void
json_price(struct json_writer *w, const struct price *p)
{
	unsigned i;

	jw_key(w, "price");
	jw_object(w);
	json_rates(w, p->rate, UNIT_COUNT);
	if (p->tiers > 0) {
		jw_key(w, "tiers");
		jw_array(w);
		for (i = 0; i < p->tiers; i++) {
			jw_object(w);
			jw_key(w, "above");
			jw_int(w, p->tier[i].above);
			json_rates(w, p->tier[i].rate, UNIT_PER_MILLION);
			jw_end_object(w);
		}
		jw_end_array(w);
	}
	jw_end_object(w);
}

static void
json_text(struct json_writer *w, const char *key, const char *value)
{
	if (*value == '\0')
		return;
	jw_key(w, key);
	jw_string(w, value);
}

static void
json_tokens(struct json_writer *w, const char *key, uint32_t n)
{
	if (n == 0)
		return;
	jw_key(w, key);
	jw_int(w, n);
}

static void
json_model(const struct catalog_model *m, bool first)
{
	struct json_writer w;
	struct buf b;
	size_t i;

	buf_init(&b, MIB(1));
	jw_init(&w, &b);
	jw_object(&w);
	json_text(&w, "provider", m->provider);
	json_text(&w, "name", m->name);
	json_text(&w, "title", m->title);
	json_text(&w, "family", m->family);
	json_text(&w, "released", m->released);
	json_text(&w, "status", m->status);
	json_text(&w, "adapter", m->adapter);
	json_tokens(&w, "context", m->context);
	json_tokens(&w, "max_input", m->max_input);
	json_tokens(&w, "max_output", m->max_output);
	jw_key(&w, "caps");
	jw_array(&w);
	for (i = 0; i < sizeof caps / sizeof caps[0]; i++)
		if (m->caps & caps[i].bit)
			jw_string(&w, caps[i].name);
	jw_end_array(&w);
	if (m->price.known)
		json_price(&w, &m->price);
	jw_end_object(&w);
	printf("%s\n%.*s", first ? "" : ",", (int)b.len, b.data);
	buf_free(&b);
}

static void
json_end(void)
{
	printf("\n]}\n");
}

static int
list(const struct listing *l)
{
	struct catalog_provider p = { .first = 0,
		.count = catalog_models(l->catalog) };
	struct catalog_model m;
	uint32_t i;

	if (l->provider != NULL &&
	    !catalog_provider(l->catalog, l->provider, &p)) {
		fprintf(stderr, "tollgate: no provider %s in the catalog\n",
		    l->provider);
		return CLI_FAILED;
	}
	l->begin(l);
	for (i = 0; i < p.count; i++)
		if (catalog_model_at(l->catalog, p.first + i, &m))
			l->model(&m, i == 0);
	l->end();
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "tollgate: %s\n", strerror(errno));
		return CLI_FAILED;
	}
	return 0;
}

/* Which list is asked for, and how it is to look. */
struct asked {
	const char *provider; /* NULL = all */
	bool providers;	      /* a list of them, not of models */
	enum listing_format format;
};

static const char *const formats[] = { [LISTING_TABLE] = "table",
	[LISTING_JSON] = "json", [LISTING_MARKDOWN] = "markdown" };

static bool
read_format(const char *word, struct asked *a)
{
	size_t i;

	for (i = 0; i < sizeof formats / sizeof formats[0]; i++)
		if (strcmp(word, formats[i]) == 0) {
			a->format = (enum listing_format)i;
			return true;
		}
	return false;
}

/* False: it was asked wrongly. */
static bool
read_options(int argc, char **argv, struct asked *a)
{
	static const struct option options[] = {
		{ "provider", required_argument, NULL, 'p' },
		{ "providers", no_argument, NULL, 'P' },
		{ "format", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 }
	};
	bool good = true;
	int option;

	optind = 0;
	while (good && (option = getopt_long(argc, argv, "p:f:", options,
	    NULL)) != -1) {
		if (option == 'p')
			a->provider = optarg;
		else if (option == 'P')
			a->providers = true;
		else
			good = option == 'f' && read_format(optarg, a);
	}
	return good && optind == argc && (a->providers ?
	    a->provider == NULL : a->format != LISTING_MARKDOWN);
}

static int
print_providers(const struct catalog *catalog, enum listing_format format)
{
	struct buf out;

	buf_init(&out, MIB(4));
	providers_list(catalog, format, &out);
	return cli_print(&out);
}

static int
print_models(const struct catalog *catalog, const struct asked *a)
{
	static const struct listing table = { .begin = table_begin,
		.model = table_model, .end = table_end };
	static const struct listing json = { .begin = json_begin,
		.model = json_model, .end = json_end };
	struct listing l = a->format == LISTING_JSON ? json : table;

	l.catalog = catalog;
	l.provider = a->provider;
	return list(&l);
}

static int
list_command(int argc, char **argv)
{
	struct asked a = { .format = LISTING_TABLE };
	const char *path = state_catalog_path();
	struct catalog *catalog;
	struct fault f;
	int rc;

	if (!read_options(argc, argv, &a)) {
		fputs(usage, stderr);
		return CLI_MISUSED;
	}
	catalog = catalog_open(path, &f);
	if (f.code != ERR_OK)
		complain(path == NULL ? "catalog" : path, &f);
	if (catalog == NULL)
		return CLI_FAILED;
	rc = a.providers ? print_providers(catalog, a.format) :
	    print_models(catalog, &a);
	catalog_close(catalog);
	return rc;
}

static int
update_command(const char *file)
{
	const char *path = state_catalog_path();
	struct catalog *catalog;
	struct fault f = { .code = ERR_OK };
	struct buf b;
	int rc = CLI_FAILED;

	if (path == NULL) {
		fprintf(stderr, "tollgate: no directory for the state: set "
		    "TOLLGATE_STATE\n");
		return CLI_FAILED;
	}
	buf_init(&b, LIMIT_REPLY);
	catalog = NULL;
	if (cli_read(file, &b, &f) == ERR_OK &&
	    state_dir_make(state_dir(), &f) == ERR_OK &&
	    catalog_compile(b.data, b.len, path, &f) == ERR_OK)
		catalog = catalog_open(path, &f);
	if (catalog != NULL && f.code == ERR_OK) {
		printf("%s: %u models of %u providers, facts of %s\n", path,
		    catalog_models(catalog), catalog_providers(catalog),
		    catalog_date(catalog));
		rc = 0;
	} else {
		complain(file, &f);
	}
	catalog_close(catalog);
	buf_free(&b);
	return rc;
}

int
models_command(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "update") != 0)
		return list_command(argc, argv);
	if (argc != 3) {
		fputs(usage, stderr);
		return CLI_MISUSED;
	}
	return update_command(argv[2]);
}
