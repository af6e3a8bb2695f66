/*
 * The token estimate. One pass counts features as a tokenizer's first step
 * would cut the text (words, groups of digits, runs of signs, blanks); then
 * each feature has its weight. Must stay fast: it sees every request.
 */
#include "policy/estimate.h"

#include <stdbool.h>
#include <string.h>

#define BLOB_MIN 24	 /* characters of a solid run that may be a blob */
#define BLOB_SWITCHES 6	 /* one change of kind in so many characters */
#define FOREIGN_SHARE 150 /* one Latin letter beyond ASCII in so many */
#define PROSE_WORDS 20	 /* words that make a text of which to judge */
#define ENGLISH_SHARE 50 /* one very common word in so many */
#define WEIGHT_UNIT 1000

enum kind {
	KIND_BLANK,
	KIND_LINE,
	KIND_LOWER,
	KIND_UPPER,
	KIND_DIGIT,
	KIND_PUNCT,
	KIND_BYTE /* 0x80.. */
};

/* Scripts beyond ASCII with their own weights. */
enum script {
	SCRIPT_CYRILLIC,
	SCRIPT_GREEK,
	SCRIPT_ARABIC,
	SCRIPT_HEBREW,
	SCRIPT_INDIC,
	SCRIPT_DRAVIDIAN,
	SCRIPT_THAI,
	SCRIPT_CAUCASIAN, /* Armenian, Georgian */
	SCRIPT_HANGUL,
	SCRIPT_KANA,
	SCRIPT_HAN,
	SCRIPT_CJK_SIGN,
	SCRIPT_EMOJI, /* and all else beyond the first plane */
	SCRIPT_OTHER,
	SCRIPT_COUNT,
	SCRIPT_LATIN = SCRIPT_COUNT, /* parts of words */
	SCRIPT_LATIN_EXT,
	SCRIPT_LATIN_VIET
};
_Static_assert(EST_COUNT == EST_SCRIPTS + 2 * SCRIPT_COUNT, "all scripts");

static const struct {
	uint32_t last; /* up to and with this code point */
	enum script script;
} ranges[] = {
	{ 0x00bf, SCRIPT_OTHER },       { 0x00ff, SCRIPT_LATIN },
	{ 0x019f, SCRIPT_LATIN_EXT },   { 0x01b0, SCRIPT_LATIN_VIET },
	{ 0x024f, SCRIPT_LATIN_EXT },   { 0x02ff, SCRIPT_OTHER },
	{ 0x036f, SCRIPT_LATIN_EXT },   { 0x03ff, SCRIPT_GREEK },
	{ 0x052f, SCRIPT_CYRILLIC },    { 0x058f, SCRIPT_CAUCASIAN },
	{ 0x05ff, SCRIPT_HEBREW },      { 0x08ff, SCRIPT_ARABIC },
	{ 0x0b7f, SCRIPT_INDIC },       { 0x0dff, SCRIPT_DRAVIDIAN },
	{ 0x109f, SCRIPT_THAI },        { 0x10ff, SCRIPT_CAUCASIAN },
	{ 0x11ff, SCRIPT_HANGUL },      { 0x1dff, SCRIPT_OTHER },
	{ 0x1eff, SCRIPT_LATIN_VIET },  { 0x1fff, SCRIPT_GREEK },
	{ 0x2e7f, SCRIPT_OTHER },       { 0x2fff, SCRIPT_HAN },
	{ 0x303f, SCRIPT_CJK_SIGN },    { 0x30ff, SCRIPT_KANA },
	{ 0x33ff, SCRIPT_CJK_SIGN },    { 0x9fff, SCRIPT_HAN },
	{ 0xabff, SCRIPT_OTHER },       { 0xd7ff, SCRIPT_HANGUL },
	{ 0xf8ff, SCRIPT_OTHER },       { 0xfaff, SCRIPT_HAN },
	{ 0xfdff, SCRIPT_ARABIC },      { 0xfe0f, SCRIPT_EMOJI },
	{ 0xfeff, SCRIPT_OTHER },       { 0xffef, SCRIPT_CJK_SIGN },
	{ 0x1ffff, SCRIPT_EMOJI },      { 0x3ffff, SCRIPT_HAN },
	{ UINT32_MAX, SCRIPT_EMOJI },
};

#include "policy/estimate.def"

static const unsigned char kinds[256] = {
	[0 ... 8] = KIND_PUNCT, ['\t'] = KIND_BLANK, ['\n'] = KIND_LINE,
	[11 ... 12] = KIND_BLANK, ['\r'] = KIND_LINE,
	[14 ... 31] = KIND_PUNCT, [' '] = KIND_BLANK,
	['!' ... '/'] = KIND_PUNCT, ['0' ... '9'] = KIND_DIGIT,
	[':' ... '@'] = KIND_PUNCT, ['A' ... 'Z'] = KIND_UPPER,
	['[' ... '`'] = KIND_PUNCT, ['a' ... 'z'] = KIND_LOWER,
	['{' ... 127] = KIND_PUNCT, [128 ... 255] = KIND_BYTE
};

/* The text and where we are in it. */
struct scan {
	const unsigned char *p, *end;
	int64_t *count;
	const unsigned char *solid; /* no blob begins before it */
	size_t range;		    /* of the last character beyond ASCII */
	bool spaced;		    /* a blank stands before p */
};

static bool
is_alnum(unsigned char c)
{
	return kinds[c] >= KIND_LOWER && kinds[c] <= KIND_DIGIT;
}

/* Is the code point in range i? */
static bool
in_range(uint32_t code, size_t i)
{
	return code <= ranges[i].last && (i == 0 || code > ranges[i - 1].last);
}

/* Read one character beyond ASCII; a bad byte is one by itself. */
static enum script
read_wide(struct scan *s, const unsigned char **p)
{
	unsigned char c = **p;
	uint32_t code = c >= 0xf0 ? c & 7 : c >= 0xe0 ? c & 15 : c & 31;
	int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
	size_t low = 0, high = sizeof ranges / sizeof ranges[0] - 1;

	for ((*p)++; more > 0 && *p < s->end && (**p & 0xc0) == 0x80; more--)
		code = code << 6 | (*(*p)++ & 0x3f);
	if (c < 0xc0 || more > 0)
		return SCRIPT_OTHER;
	/* Most often it is of the script of the one before. */
	if (in_range(code, s->range))
		return ranges[s->range].script;
	while (low < high) {
		size_t mid = (low + high) / 2;

		if (code > ranges[mid].last)
			low = mid + 1;
		else
			high = mid;
	}
	s->range = low;
	return ranges[low].script;
}

/*
 * The end of the small letters from p on, eight at a time: the length of a
 * word is what a branch predictor knows least about.
 */
static const unsigned char *
skip_small(const unsigned char *p, const unsigned char *end)
{
	const uint64_t each = UINT64_C(0x0101010101010101), top = each << 7;
	uint64_t x, low, small;

	for (; end - p >= 8; p += 8) {
		memcpy(&x, p, 8);
		low = x & ~top;
		small = (low + each * (0x80 - 'a')) &
		    ~(low + each * (0x7f - 'z')) & ~x & top;
		if (small != top) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
			return p + __builtin_clzll(small ^ top) / 8;
#else
			return p + __builtin_ctzll(small ^ top) / 8;
#endif
		}
	}
	while (p < end && kinds[*p] == KIND_LOWER)
		p++;
	return p;
}

/* Is this one of the commonest English words, common in no other tongue? */
static bool
is_english(const unsigned char *word, size_t letters)
{
	uint32_t w = word[0];

	if (letters - 2 > 1)
		return false;
	w = w << 8 | word[1];
	w = letters == 3 ? w << 8 | word[2] : w;
	return (w == 0x746865) | (w == 0x616e64) | (w == 0x666f72) | /* the and for */
	    (w == 0x6f66) | (w == 0x746f) | (w == 0x6973);	    /* of to is */
}

/* A word of so many letters. */
static void
count_word(struct scan *s, const unsigned char *word, size_t letters)
{
	size_t n = letters < ESTIMATE_WORD_MAX ? letters : ESTIMATE_WORD_MAX;

	s->count[EST_ENGLISH] += s->spaced && is_english(word, letters);
	s->count[(s->spaced ? EST_SPACED : EST_GLUED) + n - 1]++;
	s->count[EST_MORE_LETTERS] += (int64_t)(letters - n);
	s->spaced = false;
}

/*
 * A run of ASCII letters and digits from p on that is no text: its kinds
 * change too often for names. True when it was counted. Looks at each run
 * but once.
 */
static bool
scan_blob(struct scan *s)
{
	const unsigned char *p = s->p;
	size_t switches = 0, others = *p > 'f' || kinds[*p] == KIND_UPPER, len;

	if (p < s->solid)
		return false;
	for (p++; p < s->end && is_alnum(*p); p++) {
		switches += kinds[*p] != kinds[p[-1]];
		others += *p > 'f' || kinds[*p] == KIND_UPPER;
	}
	s->solid = p;
	len = (size_t)(p - s->p);
	if (len < BLOB_MIN || switches * BLOB_SWITCHES < len)
		return false;
	s->count[others == 0 ? EST_HEX : EST_BLOB] += (int64_t)len;
	s->spaced = false;
	s->p = p;
	return true;
}

static void
count_caps(struct scan *s, const unsigned char *end)
{
	s->count[EST_CAPS]++;
	s->count[EST_CAPS_LETTERS] += end - s->p;
	s->spaced = false;
	s->p = end;
}

/*
 * A word of Latin letters from p on: capitals, or at most one capital and
 * then small letters; "camelCase" is two of them.
 */
static void
scan_word(struct scan *s)
{
	const unsigned char *p = s->p, *small, *next;
	size_t letters;
	enum script script;

	while (p < s->end && kinds[*p] == KIND_UPPER)
		p++;
	if (p - s->p > 1 && p < s->end && kinds[*p] == KIND_LOWER)
		p--; /* the last capital begins the next word */
	small = p;
	p = skip_small(p, s->end);
	if (p < s->end && is_alnum(*p) && scan_blob(s))
		return;
	letters = (size_t)(p - s->p);
	if (small - s->p > 1) {
		count_caps(s, small);
		return;
	}
	while (p < s->end && kinds[*p] == KIND_BYTE) {
		next = p;
		script = read_wide(s, &next);
		if (script < SCRIPT_LATIN)
			break;
		s->count[EST_LATIN + script - SCRIPT_LATIN]++;
		p = skip_small(next, s->end);
		letters += 1 + (size_t)(p - next);
	}
	if (letters == 1 && small > s->p) {
		count_caps(s, small);
		return;
	}
	s->count[EST_CAPITAL] += small > s->p;
	count_word(s, s->p, letters);
	s->p = p;
}

static void
scan_digits(struct scan *s)
{
	const unsigned char *p = s->p;

	while (p < s->end && kinds[*p] == KIND_DIGIT)
		p++;
	if (p < s->end && is_alnum(*p) && scan_blob(s))
		return;
	s->count[EST_DIGITS] += (p - s->p + 2) / 3;
	s->count[EST_MORE_DIGITS] += (p - s->p) - (p - s->p + 2) / 3;
	s->count[EST_SPACED_DIGITS] += s->spaced;
	s->spaced = false;
	s->p = p;
}

static void
scan_signs(struct scan *s)
{
	const unsigned char *p = s->p;
	int64_t same = 0, more;

	for (p++; p < s->end && kinds[*p] == KIND_PUNCT; p++)
		same += *p == p[-1];
	more = p - s->p - 1;
	if (more == 0 && !s->spaced && p < s->end &&
	    (kinds[*p] == KIND_LOWER || kinds[*p] == KIND_UPPER)) {
		s->count[EST_PUNCT_LETTER]++;
	} else {
		s->count[EST_PUNCT]++;
		s->count[EST_PUNCT_SAME] += same;
		s->count[EST_PUNCT_MORE] += more - same;
	}
	s->spaced = false;
	s->p = p;
}

static void
scan_space(struct scan *s)
{
	const unsigned char *p = s->p, *line = NULL;

	if (*p == ' ' && s->end - p > 1 && kinds[p[1]] > KIND_LINE) {
		s->spaced = true;
		s->p++;
		return;
	}
	for (; p < s->end && kinds[*p] <= KIND_LINE; p++)
		if (kinds[*p] == KIND_LINE)
			line = p;
	s->count[EST_LINES] += line != NULL;
	if (line != NULL)
		s->count[EST_INDENT] += p - line > 2;
	else
		s->count[EST_BLANKS] += p - s->p > 1;
	s->spaced = line == NULL || p - line > 1;
	s->p = p;
}

/* A run of characters of one script beyond ASCII. */
static void
scan_wide(struct scan *s)
{
	const unsigned char *p = s->p, *next = p;
	enum script script = read_wide(s, &next);
	int64_t n = 0;

	if (script >= SCRIPT_LATIN) {
		scan_word(s);
		return;
	}
	do {
		n++;
		p = next;
		if (p == s->end || kinds[*p] != KIND_BYTE)
			break;
	} while (read_wide(s, &next) == script);
	s->count[EST_SCRIPTS + 2 * script]++;
	s->count[EST_SCRIPTS + 2 * script + 1] += n;
	s->spaced = false;
	s->p = p;
}

void
estimate_more(const char *text, size_t len, int64_t count[EST_COUNT])
{
	struct scan s = { .p = (const unsigned char *)text, .count = count };

	if (len == 0)
		return;
	s.end = s.p + len;
	s.solid = s.p;
	while (s.p < s.end) {
		switch ((enum kind)kinds[*s.p]) {
		case KIND_BLANK:
		case KIND_LINE:
			scan_space(&s);
			break;
		case KIND_LOWER:
		case KIND_UPPER:
			scan_word(&s);
			break;
		case KIND_DIGIT:
			scan_digits(&s);
			break;
		case KIND_PUNCT:
			scan_signs(&s);
			break;
		case KIND_BYTE:
			scan_wide(&s);
			break;
		}
	}
}

void
estimate_features(const char *text, size_t len, int64_t count[EST_COUNT])
{
	memset(count, 0, EST_COUNT * sizeof *count);
	estimate_more(text, len, count);
}

/*
 * Is this a text in a Latin language that is not English? Their words take
 * more tokens. Either it has letters beyond ASCII, or it reads like prose
 * (most words stand behind a blank) without the commonest English words.
 */
static bool
is_foreign(const int64_t count[EST_COUNT])
{
	int64_t letters = count[EST_MORE_LETTERS], spaced = 0, glued = 0;
	int64_t latin;
	int i;

	for (i = 0; i < ESTIMATE_WORD_MAX; i++) {
		letters += (i + 1) *
		    (count[EST_SPACED + i] + count[EST_GLUED + i]);
		spaced += count[EST_SPACED + i];
		glued += count[EST_GLUED + i];
	}
	latin = count[EST_LATIN] + count[EST_LATIN_EXT] +
	    count[EST_LATIN_VIET];
	return latin * FOREIGN_SHARE > letters ||
	    (spaced >= PROSE_WORDS && spaced > 2 * glued &&
		count[EST_ENGLISH] * ENGLISH_SHARE < spaced);
}

int64_t
estimate_weigh(const int64_t count[EST_COUNT])
{
	const uint16_t *weight = weights[is_foreign(count)];
	int64_t sum = 0;
	int i;

	for (i = 0; i < EST_COUNT; i++)
		sum += count[i] * weight[i];
	return (sum + WEIGHT_UNIT / 2) / WEIGHT_UNIT;
}

int64_t
estimate_tokens(const char *text, size_t len)
{
	int64_t digits = 0;

	return estimate_tokens_digits(text, len, &digits);
}

int64_t
estimate_tokens_digits(const char *text, size_t len, int64_t *digits)
{
	int64_t count[EST_COUNT], sum;

	if (len == 0)
		return 0;
	estimate_features(text, len, count);
	*digits += count[EST_MORE_DIGITS];
	sum = estimate_weigh(count);
	return sum > 0 ? sum : 1;
}

int64_t
estimate_text_bytes(int64_t bytes)
{
	/* English, code and JSON have 3.3 to 4.6 bytes a token. */
	return bytes <= 0 ? 0 : bytes / 4 + (bytes % 4 != 0);
}
