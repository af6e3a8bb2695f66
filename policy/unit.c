/* Durations, counts, shares, comparisons, money and dates from text. */
#include "policy/unit.h"

#include <stddef.h>
#include <string.h>

#include "policy/policy.h"

struct scale {
	const char *name;
	int64_t factor;
};

#define SECOND INT64_C(1000000)

static const struct scale durations[] = {
	{ "us", 1 },
	{ "ms", 1000 },
	{ "s", SECOND },
	{ "sec", SECOND },
	{ "second", SECOND },
	{ "seconds", SECOND },
	{ "m", 60 * SECOND },
	{ "min", 60 * SECOND },
	{ "minute", 60 * SECOND },
	{ "minutes", 60 * SECOND },
	{ "h", 3600 * SECOND },
	{ "hour", 3600 * SECOND },
	{ "hours", 3600 * SECOND },
	{ "d", 86400 * SECOND },
	{ "day", 86400 * SECOND },
	{ "days", 86400 * SECOND },
	{ NULL, 0 }
};

static const struct scale counts[] = {
	{ "", 1 },
	{ "k", 1000 },
	{ "K", 1000 },
	{ "M", 1000000 },
	{ NULL, 0 }
};

static const struct scale plain[] = {
	{ "", 1 },
	{ NULL, 0 }
};

static const struct scale shares[] = {
	{ "%", 1 },
	{ NULL, 0 }
};

/* "12.5" as 12 and 5 of 10; leaves *text behind it. */
static bool
number(const char **text, int64_t *whole, int64_t *part, int64_t *of)
{
	const char *s = *text;
	int64_t w = 0, p = 0, o = 1;

	if (*s < '0' || *s > '9')
		return false;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (w > INT64_MAX / 100)
			return false;
		w = w * 10 + (*s - '0');
	}
	if (*s == '.') {
		s++;
		if (*s < '0' || *s > '9')
			return false;
		for (; *s >= '0' && *s <= '9'; s++) {
			if (o >= 1000000)
				return false;
			p = p * 10 + (*s - '0');
			o *= 10;
		}
	}
	*text = s;
	*whole = w;
	*part = p;
	*of = o;
	return true;
}

static bool
scaled(const char *text, const struct scale *table, int64_t *out)
{
	int64_t whole, part, of;

	if (!number(&text, &whole, &part, &of))
		return false;
	while (*text == ' ')
		text++;
	for (; table->name != NULL; table++)
		if (strcmp(table->name, text) == 0)
			break;
	if (table->name == NULL || whole > INT64_MAX / table->factor / 2 ||
	    part * table->factor % of != 0)
		return false;
	*out = whole * table->factor + part * table->factor / of;
	return true;
}

bool
unit_duration(const char *text, int64_t *us)
{
	if (strcmp(text, "0") == 0 || strcmp(text, "none") == 0) {
		*us = 0;
		return true;
	}
	return scaled(text, durations, us);
}

bool
unit_count(const char *text, int64_t *n)
{
	return scaled(text, counts, n);
}

bool
unit_share(const char *text, int64_t *percent)
{
	return scaled(text, shares, percent);
}

static const char *
blanks(const char *s)
{
	return s + strspn(s, " ");
}

bool
unit_hourly(const char *text, int64_t *nano)
{
	size_t len = strcspn(text, " U");
	const char *s = blanks(text + len);

	if (strncmp(s, "USD", 3) != 0)
		return false;
	s = blanks(s + 3);
	if (*s != '/' || strcmp(blanks(s + 1), "hour") != 0)
		return false;
	return price_parse(text, len, nano);
}

bool
unit_budget(const char *text, int64_t *nano, int *span)
{
	static const char *const spans[] = { [BUDGET_HOUR] = "hour",
		[BUDGET_DAY] = "day", [BUDGET_WEEK] = "week",
		[BUDGET_MONTH] = "month", [BUDGET_ONCE] = "once" };
	size_t len = strcspn(text, " U");
	const char *s = blanks(text + len);
	int i, last = BUDGET_ONCE;

	if (strncmp(s, "USD", 3) != 0)
		return false;
	s += 3;
	i = *blanks(s) == '/' ? BUDGET_HOUR : BUDGET_ONCE;
	if (i == BUDGET_HOUR) {
		s = blanks(blanks(s) + 1);
		last = BUDGET_MONTH;
	} else if (*s != ' ') {
		return false;
	}
	for (; i <= last; i++)
		if (strcmp(blanks(s), spans[i]) == 0 &&
		    money_parse(text, len, nano)) {
			*span = i;
			return true;
		}
	return false;
}

/* n digits at *s, and the character behind them (0: any). */
static bool
digits(const char **s, int n, char then, int *out)
{
	int v = 0;

	while (n-- > 0) {
		if (**s < '0' || **s > '9')
			return false;
		v = v * 10 + (*(*s)++ - '0');
	}
	if (then != '\0') {
		if (**s != then)
			return false;
		(*s)++;
	}
	*out = v;
	return true;
}

/* "<", ">=", … in front of a number, as bits; 0: none. */
#define LESS 1
#define MORE 2
#define SAME 4

static unsigned
comparison(const char **text)
{
	const char *s = *text;
	unsigned bits = 0;

	if (*s == '<' || *s == '>')
		bits = *s++ == '<' ? LESS : MORE;
	if (*s == '=') {
		s++;
		bits |= SAME;
	}
	*text = blanks(s);
	return bits;
}

/* "100..2k", "10..20 %": the unit of per cent may stand once. */
static bool
between(const char *text, const char *dots, bool share, int64_t *least,
    int64_t *most)
{
	char first[32];
	size_t len = (size_t)(dots - text);
	int64_t a, b;

	while (len > 0 && text[len - 1] == ' ')
		len--;
	if (len >= sizeof first)
		return false;
	memcpy(first, text, len);
	first[len] = '\0';
	if (!scaled(blanks(dots + 2), share ? shares : counts, &b) ||
	    (!scaled(first, share ? shares : counts, &a) &&
		!(share && scaled(first, plain, &a))))
		return false;
	*least = a;
	*most = b;
	return true;
}

bool
unit_range(const char *text, bool share, int64_t *least, int64_t *most)
{
	unsigned op = comparison(&text);
	const char *dots = strstr(text, "..");
	int64_t n;

	if (op == 0 && dots != NULL)
		return between(text, dots, share, least, most);
	if (!scaled(text, share ? shares : counts, &n))
		return false;
	*least = op & LESS ? INT64_MIN : op == MORE ? n + 1 : n;
	*most = op & MORE ? INT64_MAX : op == LESS ? n - 1 : n;
	return true;
}

static bool
clock_time(const char **text, int *minutes)
{
	int h, m;

	if (!digits(text, 2, ':', &h) || !digits(text, 2, '\0', &m) ||
	    m > 59 || h * 60 + m > 1440)
		return false;
	*minutes = h * 60 + m;
	return true;
}

bool
unit_hours(const char *text, int *from, int *to)
{
	int a, b;

	if (!clock_time(&text, &a) || a == 1440)
		return false;
	text = blanks(text);
	if (*text != '-')
		return false;
	text = blanks(text + 1);
	if (!clock_time(&text, &b) || *text != '\0')
		return false;
	*from = a;
	*to = b;
	return true;
}

static bool
leap(int y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar from 1970 on. */
static bool
days_of(int y, int m, int d, int64_t *out)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243,
		273, 304, 334, 365 };
	int64_t days;
	int last, past = y - 1;

	if (y < 1970 || m < 1 || m > 12 || d < 1)
		return false;
	last = before[m] - before[m - 1] + (m == 2 && leap(y));
	if (d > last)
		return false;
	days = (int64_t)past * 365 + past / 4 - past / 100 + past / 400;
	days -= 719162; /* those before 1970 */
	days += before[m - 1] + (m > 2 && leap(y)) + d - 1;
	*out = days;
	return true;
}

/* "Z", "+01:00", "-05:30" as seconds east. */
static bool
offset(const char *s, int64_t *out)
{
	int h, m, sign;

	if ((*s == 'Z' || *s == 'z') && s[1] == '\0') {
		*out = 0;
		return true;
	}
	if (*s != '+' && *s != '-')
		return false;
	sign = *s++ == '-' ? -1 : 1;
	if (!digits(&s, 2, ':', &h) || !digits(&s, 2, '\0', &m) ||
	    *s != '\0' || h > 23 || m > 59)
		return false;
	*out = sign * (h * 3600 + m * 60);
	return true;
}

bool
unit_date(const char *text, int64_t *seconds)
{
	int y, mo, d, h, mi, s;
	int64_t days, east, t;

	if (!digits(&text, 4, '-', &y) || !digits(&text, 2, '-', &mo) ||
	    !digits(&text, 2, '\0', &d) || !days_of(y, mo, d, &days))
		return false;
	if (*text == '\0') {
		*seconds = days * 86400;
		return true;
	}
	if (*text != 'T' && *text != 't' && *text != ' ')
		return false;
	text++;
	if (!digits(&text, 2, ':', &h) || !digits(&text, 2, ':', &mi) ||
	    !digits(&text, 2, '\0', &s) || h > 23 || mi > 59 || s > 60)
		return false;
	if (*text == '.') {
		if (*++text < '0' || *text > '9')
			return false;
		while (*text >= '0' && *text <= '9')
			text++;
	}
	if (!offset(text, &east))
		return false;
	t = days * 86400 + h * 3600 + mi * 60 + s - east;
	if (t < 0)
		return false;
	*seconds = t;
	return true;
}
