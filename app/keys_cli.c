/*
 * `tollgate keys`: make, list, show, rotate, change and revoke keys in the
 * policy's store. A secret goes to stdout alone, all else to stderr, so that
 * a script can take it.
 */
#include "app/keys_cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>

#include "app/base/arena.h"
#include "app/base/buf.h"
#include "app/base/clock.h"
#include "app/base/hash.h"
#include "app/base/limits.h"
#include "app/cli.h"
#include "app/house.h"
#include "app/keys.h"
#include "app/keystore.h"
#include "policy/issue.h"
#include "policy/policy.h"
#include "policy/state.h"
#include "policy/unit.h"

#define WAIT_MS 60000 /* a list may be long */

static const char usage[] =
    "usage: tollgate keys new\n"
    "       tollgate keys create --name NAME [SETTING…]\n"
    "       tollgate keys list [--format table|json]\n"
    "       tollgate keys show NAME\n"
    "       tollgate keys rotate NAME [--grace 24h]\n"
    "       tollgate keys limits NAME [SETTING…] [--unset MEMBER…]\n"
    "       tollgate keys revoke NAME\n"
    "settings, as in `keys:` of the policy:\n"
    "       --tier --team --user --tags A,B --models A,B --may A,B\n"
    "       --passthrough A,B --expires --region --retention --rpm --tpm --parallel\n"
    "       --max-output --budget '5 USD / day' (may be repeated)\n";

/* Settings by their options: --max-output is max_output. */
static const struct setting {
	const char *option, *member;
	bool list;
} settings[] = {
	{ "name", "name", false },
	{ "tier", "tier", false },
	{ "team", "team", false },
	{ "user", "user", false },
	{ "tags", "tags", true },
	{ "models", "models", true },
	{ "passthrough", "passthrough", true },
	{ "may", "may", true },
	{ "region", "region", false },
	{ "retention", "retention", false },
	{ "expires", "expires", false },
	{ "rpm", "rpm", false },
	{ "tpm", "tpm", false },
	{ "parallel", "parallel", false },
	{ "max-output", "max_output", false },
	{ "budget", "budget", true },
};
#define SETTINGS (sizeof settings / sizeof settings[0])
#define VALUES 64 /* of one setting */
enum { OPTION_UNSET = 256, OPTION_GRACE, OPTION_FORMAT };

/* What was asked for. */
struct asked {
	const char *name;
	const char *value[SETTINGS][VALUES];
	unsigned count[SETTINGS];
	const char *unset[SETTINGS];
	unsigned unsets;
	const char *grace, *format;
};

struct tool {
	struct house house;
	struct keystore *store;
	struct asked asked;
	bool done;
	int rc;
	/* list */
	struct key_record *list;
	size_t count, size;
};

static int
misused(void)
{
	fputs(usage, stderr);
	return CLI_MISUSED;
}

/* ---- options ---- */

static size_t
setting_of(const char *word)
{
	size_t i;

	for (i = 0; i < SETTINGS; i++)
		if (strcmp(settings[i].option, word) == 0 ||
		    strcmp(settings[i].member, word) == 0)
			break;
	return i;
}

/* A setting's value, or the parts of one that is a list. */
static bool
take_value(struct asked *a, size_t i, char *text)
{
	char *part, *rest = text;

	while ((part = settings[i].list ? strsep(&rest, ",") : text) != NULL) {
		part += strspn(part, " ");
		if (a->count[i] == (settings[i].list ? VALUES : 1))
			return false;
		a->value[i][a->count[i]++] = part;
		if (!settings[i].list)
			break;
	}
	return true;
}

static bool
take_option(struct asked *a, int option, char *text)
{
	if (option >= 0 && option < (int)SETTINGS)
		return take_value(a, (size_t)option, text);
	switch (option) {
	case OPTION_UNSET:
		if (setting_of(text) == SETTINGS || a->unsets == SETTINGS)
			return false;
		a->unset[a->unsets++] = settings[setting_of(text)].member;
		return true;
	case OPTION_GRACE:
		a->grace = text;
		return true;
	case OPTION_FORMAT:
		a->format = text;
		return strcmp(text, "json") == 0 ||
		    strcmp(text, "table") == 0;
	}
	return false;
}

static bool
read_options(int argc, char **argv, struct asked *a)
{
	struct option options[SETTINGS + 4] = { { NULL, 0, NULL, 0 } };
	size_t i;
	int option;

	for (i = 0; i < SETTINGS; i++)
		options[i] = (struct option){ settings[i].option,
			required_argument, NULL, (int)i };
	options[i++] = (struct option){ "unset", required_argument, NULL,
		OPTION_UNSET };
	options[i++] = (struct option){ "grace", required_argument, NULL,
		OPTION_GRACE };
	options[i] = (struct option){ "format", required_argument, NULL,
		OPTION_FORMAT };
	optind = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!take_option(a, option, optarg))
			return false;
	if (optind < argc)
		a->name = argv[optind++];
	return optind == argc;
}

/* ---- what is shown ---- */

static void
date(char out[32], int64_t t)
{
	struct tm tm;
	time_t s = (time_t)t;

	if (t == 0 || gmtime_r(&s, &tm) == NULL)
		snprintf(out, 32, "-");
	else
		strftime(out, 32, "%Y-%m-%d %H:%M", &tm);
}

static void
print_json(struct tool *t, const struct key_record *k)
{
	struct json_writer w;
	struct buf b;

	buf_init(&b, MIB(1));
	jw_init(&w, &b);
	key_record_write(&w, k, t->house.arena, clock_wall() / 1000000);
	if (!b.failed)
		printf("%.*s", (int)b.len, b.data);
	buf_free(&b);
}

static int
by_name(const void *pa, const void *pb)
{
	const struct key_record *a = pa, *b = pb;

	return strcmp(a->name, b->name);
}

/* A setting of the row as a text, "-" when it is not there. */
static const char *
member(struct arena *a, const struct key_record *k, const char *name)
{
	struct json doc;
	struct fault f;
	const char *s = NULL;

	if (json_parse(&doc, a, k->row, k->row_len, &f) == ERR_OK)
		s = json_cstr(&doc, json_get(&doc, JSON_ROOT, name), a);
	return s == NULL ? "-" : s;
}

static void
print_table(struct tool *t)
{
	const struct policy *p = t->house.policy;
	struct arena *a = t->house.arena;
	int64_t now = clock_wall() / 1000000;
	const struct key_record *k;
	char made[32];
	size_t i;

	printf("%-24s %-8s %-12s %-12s %-12s %s\n", "NAME", "STATE", "TIER",
	    "TEAM", "USER", "MADE");
	for (i = 0; i < p->key_count; i++)
		printf("%-24s %-8s %-12s %-12s %-12s %s\n", p->keys[i].name,
		    "policy", *p->keys[i].tier ? p->keys[i].tier : "-",
		    *p->keys[i].team ? p->keys[i].team : "-",
		    *p->keys[i].user ? p->keys[i].user : "-", "-");
	for (i = 0; i < t->count; i++) {
		k = &t->list[i];
		date(made, k->made);
		printf("%-24s %-8s %-12s %-12s %-12s %s\n", k->name,
		    key_record_state(k, a, now), member(a, k, "tier"),
		    member(a, k, "team"), member(a, k, "user"), made);
	}
}

static void
print_list(struct tool *t)
{
	size_t i, n = 0;

	if (t->count > 0)
		qsort(t->list, t->count, sizeof *t->list, by_name);
	/* The store may have told one of them twice. */
	for (i = 0; i < t->count; i++)
		if (n == 0 || strcmp(t->list[n - 1].name,
		    t->list[i].name) != 0)
			t->list[n++] = t->list[i];
	t->count = n;
	if (t->asked.format == NULL || strcmp(t->asked.format, "json") != 0) {
		print_table(t);
		return;
	}
	printf("{\"keys\":[");
	for (i = 0; i < n; i++) {
		printf(i == 0 ? "\n" : ",\n");
		print_json(t, &t->list[i]);
	}
	printf("\n]}\n");
}

/* ---- commands ---- */

static void
away(struct tool *t, const char *why)
{
	fprintf(stderr, "tollgate: the store does not answer: %s\n", why);
	t->rc = CLI_FAILED;
	t->done = true;
}

static void
on_listed(void *arg, enum err e, const char *text, size_t len,
    const char *why)
{
	struct tool *t = arg;
	size_t size = t->size == 0 ? 64 : 2 * t->size;
	struct key_record *list;

	if (e != ERR_OK) {
		away(t, why);
		return;
	}
	if (text == NULL) {
		print_list(t);
		t->done = true;
		return;
	}
	if (t->count == t->size) {
		list = reallocarray(t->list, size, sizeof *list);
		if (list == NULL) {
			away(t, "out of memory");
			return;
		}
		t->list = list;
		t->size = size;
	}
	if (key_record_read(&t->list[t->count], t->house.arena, text, len))
		t->count++;
	else
		fprintf(stderr, "tollgate: a record of the store is "
		    "damaged\n");
}

static void
on_shown(void *arg, enum err e, const char *text, size_t len, const char *why)
{
	struct tool *t = arg;
	struct key_record k;

	t->done = true;
	if (e != ERR_OK) {
		away(t, why);
	} else if (text == NULL) {
		fprintf(stderr, "tollgate: no key '%s' was made here%s\n",
		    t->asked.name, policy_has_key(t->house.policy,
		    t->asked.name) ? ": it stands in the policy" : "");
		t->rc = CLI_FAILED;
	} else if (!key_record_read(&k, t->house.arena, text, len)) {
		fprintf(stderr, "tollgate: its record is damaged\n");
		t->rc = CLI_FAILED;
	} else {
		print_json(t, &k);
		printf("\n");
	}
}

static void
on_done(void *arg, const struct keys_answer *a)
{
	struct tool *t = arg;
	char until[32];

	t->done = true;
	if (a->err != ERR_OK) {
		fprintf(stderr, "tollgate: %s\n", a->why);
		t->rc = CLI_FAILED;
		return;
	}
	if (*a->secret != '\0')
		printf("%s\n", a->secret);
	if (a->key.until != 0 && *a->secret != '\0') {
		date(until, a->key.until);
		fprintf(stderr, "the old secret of '%s' goes on until %s "
		    "UTC\n", a->key.name, until);
	}
	if (a->key.revoked != 0)
		fprintf(stderr, "'%s' is revoked\n", a->key.name);
}

/* The settings that were given, as JSON. */
static const char *
row_of(struct tool *t, size_t *len)
{
	const struct asked *a = &t->asked;
	struct json_writer w;
	const char *text;
	struct buf b;
	unsigned i, k;

	buf_init(&b, ISSUE_ROW);
	jw_init(&w, &b);
	jw_object(&w);
	for (i = 0; i < SETTINGS; i++) {
		if (a->count[i] == 0)
			continue;
		jw_key(&w, settings[i].member);
		if (settings[i].list)
			jw_array(&w);
		for (k = 0; k < a->count[i]; k++)
			jw_string(&w, a->value[i][k]);
		if (settings[i].list)
			jw_end_array(&w);
	}
	for (i = 0; i < a->unsets; i++) {
		jw_key(&w, a->unset[i]);
		jw_null(&w);
	}
	jw_end_object(&w);
	text = b.failed ? NULL : arena_dup(t->house.arena, b.data, b.len);
	*len = b.len;
	buf_free(&b);
	return text;
}

static void
act(struct tool *t, enum keys_verb verb)
{
	struct keys_ask ask = { .store = t->store,
		.policy = t->house.policy, .arena = t->house.arena,
		.verb = verb, .name = t->asked.name, .grace = KEYS_GRACE };
	int64_t grace;

	ask.row = row_of(t, &ask.row_len);
	if (t->asked.grace != NULL) {
		if (!unit_duration(t->asked.grace, &grace) || grace < 0 ||
		    grace / 1000000 > KEYS_GRACE_MAX) {
			fprintf(stderr, "tollgate: --grace is a duration of "
			    "at most 90 days\n");
			t->rc = CLI_MISUSED;
			t->done = true;
			return;
		}
		ask.grace = grace / 1000000;
	}
	if (ask.row == NULL) {
		away(t, "the settings are too long");
		return;
	}
	keys_do(&ask, on_done, t);
}

static void
create(struct tool *t)
{
	act(t, KEYS_CREATE);
}

static void
rotate(struct tool *t)
{
	act(t, KEYS_ROTATE);
}

static void
limits(struct tool *t)
{
	act(t, KEYS_SET);
}

static void
revoke_key(struct tool *t)
{
	act(t, KEYS_REVOKE);
}

static void
list(struct tool *t)
{
	keystore_list(t->store, on_listed, t);
}

static void
show(struct tool *t)
{
	keystore_get(t->store, t->asked.name, on_shown, t);
}

static const struct command {
	const char *word;
	void (*run)(struct tool *t);
	bool name, settings, writes;
} commands[] = {
	{ "create", create, false, true, true },
	{ "list", list, false, false, false },
	{ "show", show, true, false, false },
	{ "rotate", rotate, true, false, true },
	{ "limits", limits, true, true, true },
	{ "revoke", revoke_key, true, false, true },
};

/* Was it asked as the command can be? */
static bool
fits(const struct command *c, const struct asked *a)
{
	bool given = a->unsets > 0;
	size_t i;

	for (i = 0; i < SETTINGS; i++)
		given = given || a->count[i] > 0;
	return (a->name != NULL) == c->name && given == c->settings &&
	    (a->grace == NULL || c->run == rotate) &&
	    (a->format == NULL || c->run == list) &&
	    (c->run != create || a->unsets == 0);
}

static int
run(const struct command *c, struct tool *t)
{
	struct keystore_setup setup = { .dir = state_dir(),
		.make = c->writes, .patience = HOUSE_PATIENCE };
	struct fault f;

	if (house_open(&t->house, c->writes)) {
		setup.loop = &t->house.loop;
		setup.store = t->house.policy->store;
		t->store = keystore_open(&setup, &f);
		if (t->store == NULL) {
			away(t, f.text);
		} else {
			c->run(t);
			if (!house_wait(&t->house, &t->done, WAIT_MS))
				away(t, "it takes too long");
		}
	} else
		t->rc = CLI_FAILED;
	keystore_close(t->store);
	house_close(&t->house);
	free(t->list);
	if (t->rc == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
		perror("tollgate");
		t->rc = CLI_FAILED;
	}
	return t->rc;
}

static int
new_key(void)
{
	char key[HASH_VKEY_SIZE];

	if (hash_vkey_make(key) != ERR_OK)
		return CLI_FAILED;
	printf("%s\n", key);
	OPENSSL_cleanse(key, sizeof key);
	return 0;
}

int
keys_command(int argc, char **argv)
{
	static struct tool tool;
	size_t i;

	if (argc == 2 && strcmp(argv[1], "new") == 0)
		return new_key();
	memset(&tool, 0, sizeof tool);
	for (i = 0; argc > 1 && i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(commands[i].word, argv[1]) == 0)
			return read_options(argc - 1, argv + 1,
			    &tool.asked) && fits(&commands[i], &tool.asked) ?
			    run(&commands[i], &tool) : misused();
	return misused();
}
