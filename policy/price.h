/*
 * Prices and costs: integers of nano-dollars (n$) only, no floating point.
 * A price a million tokens in n$ is USD × 10^9; 0.15 USD / M = 150000000.
 * cost = ceil(sum of tokens × price × tier / 10^8) + fees, where tier is the
 * factor of the service tier in per cent; summed in 128 bits and rounded up
 * once a request.
 */
#ifndef TOLLGATE_POLICY_PRICE_H
#define TOLLGATE_POLICY_PRICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is counted. Rates of the first group are n$ per 10^6 units. */
enum unit {
	UNIT_INPUT,	     /* input tokens not in a row below */
	UNIT_OUTPUT,	     /* output tokens not in a row below */
	UNIT_CACHED_INPUT,   /* input read from the provider's prompt cache */
	UNIT_CACHE_WRITE,    /* input written to it (5 minutes) */
	UNIT_CACHE_WRITE_1H, /* (1 hour) */
	UNIT_REASONING,	     /* output spent on reasoning */
	UNIT_AUDIO_INPUT,
	UNIT_AUDIO_OUTPUT,
	UNIT_IMAGE_INPUT,    /* tokens of pictures that were sent */
	UNIT_IMAGE_OUTPUT,   /* … that were made */
	UNIT_CHARACTERS,     /* of text to speech */
	UNIT_PER_MILLION,    /* number of the rows above */
	/* Rates of this group are n$ each. */
	UNIT_REQUEST = UNIT_PER_MILLION,
	UNIT_IMAGE,	     /* that was made */
	UNIT_SENT_IMAGE,     /* that was sent, at makers who bill it */
	UNIT_SEARCH,
	UNIT_SECOND,
	UNIT_COUNT
};

/* The provider's service tier: how urgent a request was to it. */
enum service {
	SERVICE_STANDARD, /* and what it says nothing of */
	SERVICE_FLEX,
	SERVICE_PRIORITY,
	SERVICE_BATCH,
	SERVICE_RESERVED, /* capacity that was bought before */
	SERVICE_OTHER,	  /* a word that nobody knows: costs as standard */
	SERVICE_COUNT
};

#define SERVICE_MAX 1000 /* per cent of the standard rates */

#define PRICE_TIERS 4
#define PRICE_UNSET (-1) /* a rate that falls back: see price_rate */

struct price_tier {
	int64_t above; /* holds when all input tokens are more than this */
	int64_t rate[UNIT_PER_MILLION];
};

struct price {
	bool known;		  /* false: nothing is known, cost cannot be told */
	int64_t rate[UNIT_COUNT]; /* n$, PRICE_UNSET or 0..PRICE_MAX */
	unsigned tiers;		  /* used rows of tier[], ascending by above */
	struct price_tier tier[PRICE_TIERS];
	/*
	 * Per cent of the rates of the first group, by service tier, 0 ..
	 * SERVICE_MAX or PRICE_UNSET: 100. That of the standard tier and of
	 * others is 100, whatever stands there. Fees are the same in all.
	 */
	int64_t service[SERVICE_COUNT];
};

#define PRICE_MAX INT64_C(1000000000000000) /* n$ = 10^6 USD per 10^6 tokens */

/* n$ = 9,000,000 USD: all below is exact also in a double, as Lua has it. */
#define MONEY_MAX INT64_C(9000000000000000)

/* Units used, disjoint: a cached token is not also an input token. */
struct usage {
	int64_t n[UNIT_COUNT]; /* 0..2^53 each */
	enum service service;
	bool known;	       /* false: the provider told none */
	bool estimated;	       /* counted by us, not by the provider */
};

/* A price with every rate unset and known = false. */
void price_init(struct price *p);

/*
 * The rate that applies: tier by total input (a unit unset in the tier keeps
 * its plain rate), then the fallbacks (cached and written input cost as
 * input, written for an hour as written, reasoning as output, audio and
 * images as text of its side; all else is free when unset).
 */
int64_t price_rate(const struct price *p, enum unit u, int64_t all_input);

/*
 * What the units cost in n$, rounded up once; INT64_MAX when it does not
 * fit. 0 when the price is not known.
 */
int64_t price_cost(const struct price *p, const struct usage *u);

/*
 * The most that a request can cost with at most so many tokens of input and
 * output, n$: each at the dearest rate of its side and of all tiers that it
 * may reach, and in the dearest service tier, which is the provider's choice
 * in the end. writes: input may be written to the provider's cache. searches:
 * so many searches may be made. fees: so many images (made and sent), seconds
 * and characters (by enum unit; NULL: none). INT64_MAX when it does not fit.
 */
int64_t price_bound(const struct price *p, int64_t input, int64_t output,
    bool writes, int64_t searches, const int64_t *fees);

/* Sums: every kind of input, every kind of output tokens. */
int64_t usage_input(const struct usage *u);
int64_t usage_output(const struct usage *u);

/* So many tokens of that side in place of what was there. */
void usage_set_input(struct usage *u, int64_t tokens);
void usage_set_output(struct usage *u, int64_t tokens);

/*
 * "0.15", "1e-3", "2" (USD, 0..10^6) as n$ × 1; at most nine decimals are
 * kept exactly, more are refused. False when text is no such number.
 */
bool price_parse(const char *text, size_t len, int64_t *nano);

/* The same of sums of money: up to MONEY_MAX. */
bool money_parse(const char *text, size_t len, int64_t *nano);

/* Every rate of a price by so many per cent more, rounded up. */
void price_raise(struct price *p, unsigned percent);

/* n$ as decimal USD without trailing zeros ("0.00231", "0"); size >= 32. */
void price_format(int64_t nano, char *out, size_t size);

/* The row's name in policy and records: "cached_input"; NULL past the end. */
const char *unit_name(enum unit u);

/* The same of a service tier: "flex". */
const char *service_name(enum service s);

#endif
