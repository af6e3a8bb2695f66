/* Plans on the command line: of a request in a file, and of a model. */
#include "app/explain_cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "adapters/adapter.h"
#include "app/base/arena.h"
#include "app/base/clock.h"
#include "app/base/limits.h"
#include "app/cli.h"
#include "app/explain.h"
#include "app/facts.h"
#include "app/health.h"
#include "app/house.h"
#include "policy/state.h"

#define HEADERS 32

static const char explain_usage[] =
    "usage: tollgate explain --key NAME [--endpoint WORD] [--model NAME]\n"
    "           [--header 'NAME: VALUE']... [--format table|json] "
    "FILE|-\n"
    "\n"
    "What would become of this request (its JSON body): the deployments in\n"
    "the order they would be tried, and why others are out. Nothing is "
    "sent.\n"
    "WORD: chat, responses, completions, messages, generate (then with\n"
    "--model), embeddings, moderations, rerank, images or speech; some are\n"
    "guessed from the body when left out.\n";

static const char rank_usage[] =
    "usage: tollgate rank MODEL [--format table|json]\n";

/* What was asked for. */
struct asked {
	const char *key, *endpoint, *model, *file;
	const char *headers[HEADERS];
	size_t header_count;
	bool json;
};

/* What both commands need: policy, catalog and health as the workers' are. */
struct desk {
	struct house house;
	struct health *health;
};

/* An endpoint by its word: the surface, and what tells it from a body (NULL:
 * nothing does). */
static const struct {
	const char *word, *surface, *member;
} endpoints[] = {
	{ "generate", "gemini", "contents" },
	{ "responses", "responses", "input" },
	{ "completions", "completions", "prompt" },
	{ "messages", "anthropic", "system" },
	{ "chat", "openai", "messages" },
	{ "embeddings", "embeddings", NULL },
	{ "moderations", "moderations", NULL },
	{ "rerank", "rerank", "documents" },
	{ "images", "images", NULL },
	{ "speech", "speech", NULL },
};
#define ENDPOINTS (sizeof endpoints / sizeof endpoints[0])

static void
desk_close(struct desk *h)
{
	health_free(h->health);
	house_close(&h->house);
}

static bool
desk_open(struct desk *h)
{
	h->health = health_watch(state_dir());
	if (h->health == NULL) /* nobody has learned anything yet */
		h->health = health_open(NULL);
	return house_open(&h->house, false) && h->health != NULL;
}

/* A header given on the command line, by its CGI name. */
static const char *
header_of(void *arg, const char *name)
{
	const struct asked *a = arg;
	const char *h, *p, *q;
	size_t i;

	for (i = 0; i < a->header_count; i++) {
		h = a->headers[i];
		p = name + strlen("HTTP_");
		for (q = h; *p != '\0' && *q != ':'; p++, q++)
			if (*p != '_' ? strncasecmp(p, q, 1) != 0 : *q != '-')
				break;
		if (*p != '\0' || *q != ':')
			continue;
		for (q++; *q == ' '; q++)
			continue;
		return q;
	}
	return NULL;
}

/* The row of the word that was given, else of what the body looks like. */
static size_t
find_endpoint(const struct asked *a, const struct json *doc)
{
	size_t i;

	for (i = 0; i < ENDPOINTS; i++)
		if (a->endpoint != NULL ?
		    strcmp(endpoints[i].word, a->endpoint) == 0 :
		    endpoints[i].member != NULL && json_get(doc, JSON_ROOT,
			endpoints[i].member) != JSON_NONE)
			break;
	return i;
}

static bool
fault(const struct fault *f)
{
	fprintf(stderr, "tollgate: %s\n", f->text);
	return false;
}

/* The request as the worker would read it. */
static bool
read_chat(const struct asked *a, struct desk *h, const struct buf *body,
    struct chat *chat, const char **word)
{
	struct fault f;
	size_t i;

	memset(chat, 0, sizeof *chat);
	chat->query = chat->beta = chat->path = "";
	if (json_parse(&chat->doc, h->house.arena, body->data == NULL ? "" :
	    body->data, body->len, &f) != ERR_OK)
		return fault(&f);
	i = find_endpoint(a, &chat->doc);
	if (i == ENDPOINTS) {
		fprintf(stderr, "tollgate: %s\n", a->endpoint != NULL ?
		    "no such endpoint" : "it is not to be seen of which "
		    "endpoint this is: give --endpoint");
		return false;
	}
	*word = endpoints[i].word;
	chat->surface = adapter_find(endpoints[i].surface);
	if (i == 0)
		chat->path = arena_printf(h->house.arena, "%s:generateContent",
		    a->model == NULL ? "" : a->model);
	if (chat->path == NULL ||
	    facts_narrow(h->house.arena, chat, &f) != ERR_OK ||
	    chat->surface->read_request(h->house.arena, chat, &f) != ERR_OK)
		return fault(&f);
	return true;
}

static int
print(const struct plan *plan, enum err e, const struct fault *f, bool json)
{
	struct buf out;

	buf_init(&out, MIB(16));
	if (json) {
		explain_json(plan, e, f, clock_mono(), 0, &out);
		buf_putc(&out, '\n');
	} else {
		explain_table(plan, e, f, clock_mono(), &out);
	}
	return cli_print(&out);
}

static int
explain(struct asked *a, struct desk *h, const struct buf *body)
{
	struct facts_source from = { .arena = h->house.arena,
		.header = header_of, .arg = a, .health = h->health,
		.wall = clock_wall(), .mono = clock_mono(),
		.arrived = clock_mono(), .budget_left = -1, .prices = true };
	struct facts facts;
	struct fault f = { .code = ERR_OK };
	struct plan plan;
	struct chat chat;
	enum err e;

	memset(&plan, 0, sizeof plan);
	from.chat = &chat;
	from.key = house_key(&h->house, a->key);
	if (from.key == NULL ||
	    !read_chat(a, h, body, &chat, &from.operation))
		return CLI_FAILED;
	plan.asked = chat.model;
	e = facts_gather(&facts, &from, &f);
	if (e == ERR_OK)
		e = plan_make(h->house.policy, &facts.route, &facts.view,
		    h->house.arena, &plan, &f);
	return print(&plan, e, &f, a->json) != 0 || e != ERR_OK ?
	    CLI_FAILED : 0;
}

static bool
read_format(const char *word, struct asked *a)
{
	a->json = strcmp(word, "json") == 0;
	return a->json || strcmp(word, "table") == 0;
}

/* The value of an option, or NULL when this is not it. */
static const char *
option(int argc, char **argv, int *i, const char *name)
{
	return strcmp(argv[*i], name) == 0 && *i + 1 < argc ? argv[++*i] :
	    NULL;
}

static bool
read_explain(int argc, char **argv, struct asked *a)
{
	const char *v;
	int i;

	for (i = 1; i < argc; i++) {
		if ((v = option(argc, argv, &i, "--key")) != NULL)
			a->key = v;
		else if ((v = option(argc, argv, &i, "--endpoint")) != NULL)
			a->endpoint = v;
		else if ((v = option(argc, argv, &i, "--model")) != NULL)
			a->model = v;
		else if ((v = option(argc, argv, &i, "--header")) != NULL &&
		    a->header_count < HEADERS && strchr(v, ':') != NULL)
			a->headers[a->header_count++] = v;
		else if (v == NULL &&
		    (v = option(argc, argv, &i, "--format")) != NULL) {
			if (!read_format(v, a))
				return false;
		} else if (v == NULL && a->file == NULL &&
		    (argv[i][0] != '-' || argv[i][1] == '\0'))
			a->file = argv[i];
		else
			return false;
	}
	return a->key != NULL && a->file != NULL;
}

int
explain_command(int argc, char **argv)
{
	struct asked a;
	struct desk h;
	struct buf body;
	struct fault f;
	int status = CLI_FAILED;

	memset(&a, 0, sizeof a);
	if (!read_explain(argc, argv, &a)) {
		fputs(explain_usage, stderr);
		return CLI_MISUSED;
	}
	buf_init(&body, LIMIT_BODY);
	if (cli_read(a.file, &body, &f) != ERR_OK) {
		fprintf(stderr, "tollgate: %s: %s\n", a.file, f.text);
	} else {
		if (desk_open(&h))
			status = explain(&a, &h, &body);
		desk_close(&h);
	}
	buf_free(&body);
	return status;
}

/* --------------------------------------------------------------- rank */

static void
look(void *arg, const struct deployment *d, struct standing *out)
{
	const struct desk *h = arg;

	health_look(h->health, d, false, clock_mono(), out);
	if (out->ttft == 0) /* nobody streams */
		health_look(h->health, d, true, clock_mono(), out);
}

static int64_t
expected_output(void *arg, const char *model)
{
	const struct desk *h = arg;

	return health_expected_output(h->health, model);
}

static void
rank_rows(const struct plan *plan, struct buf *out)
{
	const struct candidate *c;
	char in[40], output[40], score[32], ttft[24], speed[24];
	size_t i;

	buf_printf(out, "%-44s %12s %12s %7s %9s %9s %8s\n", "deployment",
	    "input USD/M", "output USD/M", "score", "TTFT", "tokens/s",
	    "success");
	for (i = 0; i < plan->all_count; i++) {
		c = &plan->all[i];
		snprintf(in, sizeof in, "-");
		snprintf(output, sizeof output, "-");
		snprintf(score, sizeof score, "-");
		snprintf(ttft, sizeof ttft, "-");
		snprintf(speed, sizeof speed, "-");
		if (c->deployment->price.known) {
			price_format(price_rate(&c->deployment->price,
			    UNIT_INPUT, 0), in, sizeof in);
			price_format(price_rate(&c->deployment->price,
			    UNIT_OUTPUT, 0), output, sizeof output);
		}
		if (!isnan(c->score))
			snprintf(score, sizeof score, "%.1f", c->score);
		if (c->standing.ttft != 0)
			snprintf(ttft, sizeof ttft, "%.3fs",
			    (double)c->standing.ttft / 1e6);
		if (c->standing.speed != 0)
			snprintf(speed, sizeof speed, "%.1f",
			    (double)c->standing.speed / 1e3);
		buf_printf(out, "%-44s %12s %12s %7s %9s %9s %7.1f%%%s%s\n",
		    c->deployment->id, in, output, score, ttft, speed,
		    c->standing.success / 10.0,
		    c->out == OUT_NOT ? "" : "  out: ",
		    c->out == OUT_NOT ? "" : out_word(c->out));
	}
}

static int
rank(struct desk *h, const char *name, bool json)
{
	static const struct vkey anyone = { .name = "", .team = "",
		.user = "", .tier = "", .region = "" };
	struct route_facts facts = { .key = &anyone, .model = name,
		.endpoint = "chat", .user = "", .session = "", .region = "",
		.wall = clock_wall(), .left = INT64_MAX };
	struct route_view view = { .look = look,
		.expected_output = expected_output, .arg = h,
		.now = clock_mono() };
	struct fault f = { .code = ERR_OK };
	struct plan plan;
	struct buf out;
	enum err e;

	memset(&plan, 0, sizeof plan);
	plan.asked = name;
	e = plan_make(h->house.policy, &facts, &view, h->house.arena, &plan,
	    &f);
	if (e != ERR_OK && plan.all_count == 0) {
		fault(&f);
		return CLI_FAILED;
	}
	if (json)
		return print(&plan, e, &f, true);
	buf_init(&out, MIB(16));
	rank_rows(&plan, &out);
	return cli_print(&out);
}

int
rank_command(int argc, char **argv)
{
	struct asked a;
	struct desk h;
	int status = CLI_FAILED;
	const char *v;
	int i;

	memset(&a, 0, sizeof a);
	for (i = 1; i < argc; i++) {
		v = option(argc, argv, &i, "--format");
		if (v != NULL ? !read_format(v, &a) : a.model != NULL ||
		    argv[i][0] == '-') {
			a.model = NULL;
			break;
		}
		if (v == NULL)
			a.model = argv[i];
	}
	if (a.model == NULL) {
		fputs(rank_usage, stderr);
		return CLI_MISUSED;
	}
	if (desk_open(&h))
		status = rank(&h, a.model, a.json);
	desk_close(&h);
	return status;
}
