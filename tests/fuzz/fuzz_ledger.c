/*
 * Any text to the readers of what a store keeps and what a policy or a person
 * says of it: leases, rows of usage, addresses of stores, days. What was read
 * of a lease must come back as it was.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/buf.h"
#include "app/ledger_int.h"
#include "app/store.h"
#include "app/store_url.h"
#include "app/usage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
lease(char *text)
{
	char *whole = strdup(text), *p = text;
	struct lease_line line;
	const char *who;
	struct buf out;
	int64_t cost;

	if (whole == NULL)
		return;
	buf_init(&out, 1 << 20);
	if (lease_read(&p, &who, &cost)) {
		if (cost < 0 || cost > LEDGER_MAX)
			abort();
		lease_write(&out, who, cost);
		while (lease_line(&p, &line)) {
			if (line.amount < 0 || line.amount > LEDGER_MAX ||
			    line.kind >= COUNTER_KINDS)
				abort();
			lease_add(&out, line.kind, line.amount, line.name);
		}
		/* Numbers may have had zeros before them. */
		if (*p == '\0' && out.len > strlen(whole))
			abort();
	}
	buf_free(&out);
	free(whole);
}

static void
who(char *text)
{
	char again[WHO_SIZE];
	struct usage_row row;

	if (!who_read(text, &row))
		return;
	who_write(again, &row);
	if (strlen(again) >= WHO_SIZE)
		abort();
	if (!who_read(again, &row))
		abort();
}

static void
address(char *text)
{
	struct store_url url;
	struct fault f;

	if (store_url_read(&url, text, &f) != ERR_OK)
		return;
	if (url.places < 1 || url.places > STORE_SENTINELS ||
	    url.place[0].host[0] == '\0' || url.db < 0)
		abort();
}

static void
days(char *text)
{
	unsigned by = 0;
	int32_t day;

	usage_by_read(text, &by, NULL);
	if (by >= 1U << USAGE_BYS)
		abort();
	if (usage_day_read("since", text, 20261128, &day, NULL) &&
	    (day < 19700101 || day > 99991231))
		abort();
}

static void
error_text(char *text)
{
	if (store_err_of(text) >= STORE_ERR_COUNT)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(char *) = { lease, who, address, days,
		error_text };
	char *text;

	if (size < 1 || (text = malloc(size)) == NULL)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	readers[data[0] % 5](text);
	free(text);
	return 0;
}
