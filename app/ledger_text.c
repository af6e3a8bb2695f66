/* The texts that both stores keep: who used something, and leases. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/base/buf.h"
#include "app/base/decimal.h"
#include "app/base/hash.h"
#include "app/ledger_int.h"

#define WORDS 6 /* of a row, behind the day */

bool
amount_read(const char *s, int64_t *out)
{
	int64_t n = 0;

	if (*s == '\0')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (n > LEDGER_MAX / 10)
			return false;
		n = n * 10 + (*s - '0');
	}
	if (*s != '\0' || n > LEDGER_MAX)
		return false;
	*out = n;
	return true;
}

/* How much of s may be copied so that no UTF-8 character is cut. */
static size_t
fitting(const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n <= max)
		return n;
	for (n = max; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
		continue;
	return n;
}

void
who_write(char out[WHO_SIZE], const struct usage_row *row)
{
	const char *const words[WORDS] = { row->key, row->team, row->user,
		row->tag, row->model, row->provider };
	size_t i, k, n, len;

	n = (size_t)snprintf(out, 16, "%08d",
	    row->day < 0 || row->day > 99999999 ? 0 : (int)row->day);
	for (i = 0; i < WORDS; i++) {
		out[n++] = WHO_GAP;
		if (words[i] == NULL)
			continue;
		len = fitting(words[i], LEDGER_WORD - 1);
		for (k = 0; k < len; k++)
			out[n++] = (unsigned char)words[i][k] < ' ' ||
			    words[i][k] == 0x7f ? '?' : words[i][k];
	}
	out[n] = '\0';
}

bool
who_read(char *who, struct usage_row *out)
{
	const char **const words[WORDS] = { &out->key, &out->team, &out->user,
		&out->tag, &out->model, &out->provider };
	int64_t day;
	size_t i;
	char *p = strchr(who, WHO_GAP);

	memset(out, 0, sizeof *out);
	if (p != who + 8)
		return false;
	*p++ = '\0';
	if (!amount_read(who, &day))
		return false;
	out->day = (int32_t)day;
	for (i = 0; i < WORDS; i++) {
		*words[i] = p;
		p = strchr(p, WHO_GAP);
		if ((p == NULL) != (i == WORDS - 1))
			return false;
		if (p != NULL)
			*p++ = '\0';
	}
	return true;
}

void
lease_write(struct buf *out, const char *who, int64_t cost)
{
	char n[DECIMAL_SIZE];

	buf_puts(out, who);
	buf_putc(out, '\n');
	buf_put(out, n, decimal(n, cost, 0));
	buf_putc(out, '\n');
}

void
lease_add(struct buf *out, enum counter_kind kind, int64_t amount,
    const char *name)
{
	char n[DECIMAL_SIZE];

	buf_putc(out, (char)('0' + kind));
	buf_putc(out, ' ');
	buf_put(out, n, decimal(n, amount, 0));
	buf_putc(out, ' ');
	buf_puts(out, name);
	buf_putc(out, '\n');
}

/* The text up to `end`, which becomes its NUL; NULL: there is none. */
static char *
cut(char **text, char end)
{
	char *start = *text, *p = strchr(start, end);

	if (p == NULL)
		return NULL;
	*p = '\0';
	*text = p + 1;
	return start;
}

bool
lease_read(char **text, const char **who, int64_t *cost)
{
	char *first = cut(text, '\n'), *second;

	second = first == NULL ? NULL : cut(text, '\n');
	if (second == NULL || !amount_read(second, cost))
		return false;
	*who = first;
	return true;
}

bool
lease_line(char **text, struct lease_line *out)
{
	char *kind, *amount, *name;

	if (**text == '\0')
		return false;
	kind = cut(text, ' ');
	amount = kind == NULL ? NULL : cut(text, ' ');
	name = amount == NULL ? NULL : cut(text, '\n');
	if (name == NULL || kind[0] < '0' || kind[1] != '\0' ||
	    kind[0] - '0' >= COUNTER_KINDS ||
	    !amount_read(amount, &out->amount))
		return false;
	out->kind = (enum counter_kind)(kind[0] - '0');
	out->name = name;
	return true;
}

void
ledger_scope(char out[LEDGER_SCOPE], const char *what, const char *name)
{
	char digest[HASH_HEX_SIZE];
	const unsigned char *p = (const unsigned char *)name;
	size_t n = strlen(what), len = strlen(name);
	bool plain = true;

	for (; *p != '\0' && plain; p++)
		plain = *p > ' ' && *p != 0x7f;
	if (plain && n + len + 2 <= LEDGER_SCOPE) {
		memcpy(out, what, n);
		out[n] = ':';
		memcpy(out + n + 1, name, len + 1);
		return;
	}
	/* A name cannot begin like this, so no two share a counter. */
	if (hash_sha256_hex(digest, name, strlen(name)) != ERR_OK)
		memset(digest, 0, sizeof digest);
	snprintf(out, LEDGER_SCOPE, "%.32s: %s", what, digest);
}
