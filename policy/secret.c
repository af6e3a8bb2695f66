/* Where secrets come from, and what is refused on the way. */
#include "policy/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/base/arena.h"
#include "app/base/hash.h"
#include "app/base/limits.h"
#include "policy/load.h"
#include "policy/state.h"
#include "policy/vault.h"

#define PEPPER_BYTES 32	  /* random */
#define PEPPER_TEXT_MAX 4096

struct wish {
	struct load *load;
	const struct node *node;
	struct vault *vault;
	size_t max;
	bool lines;
	const char *rest; /* behind the colon */
};

typedef const char *source_fn(const struct wish *w);

static const char *from_env(const struct wish *w);
static const char *from_file(const struct wish *w);
static const char *from_plain(const struct wish *w);
static const char *from_later(const struct wish *w);

static const struct {
	const char *scheme;
	source_fn *read;
} sources[] = {
	{ "env:", from_env },
	{ "file:", from_file },
	{ "plain:", from_plain },
	{ "vault:", from_later },
	{ "aws-sm:", from_later },
	{ "gcp-sm:", from_later },
	{ "azure-kv:", from_later },
};
#define SOURCES (sizeof sources / sizeof sources[0])

#define ENV_NAME 128 /* bytes of a variable's name */

/* Not there: a fault, unless someone only looks over the policy. */
static void
absent(const struct wish *w, const char *what)
{
	if (w->load->env->check_only)
		diag_warn(w->load->diag, w->node, "%s", what);
	else
		diag_fault(w->load->diag, w->node, "%s", what);
}

/* What is wrong with a secret's content, or NULL. */
static const char *
flaw(const char *s, size_t len, size_t max, bool lines)
{
	size_t i;

	if (len == 0)
		return "the secret is empty";
	if (len > max)
		return "the secret is too long";
	for (i = 0; i < len; i++) {
		if (lines && (s[i] == '\n' || s[i] == '\r' || s[i] == '\t'))
			continue;
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return "the secret holds a control character";
	}
	return NULL;
}

static const char *
take(const struct wish *w, const char *s, size_t len)
{
	const char *wrong = flaw(s, len, w->max, w->lines), *copy;

	if (wrong != NULL) {
		diag_fault(w->load->diag, w->node, "%s", wrong);
		return NULL;
	}
	copy = vault_dup(w->vault, s, len);
	if (copy == NULL)
		diag_nomem(w->load->diag);
	return copy;
}

static bool
env_name(const char *s)
{
	return s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0' &&
	    s[0] != '\0' && (s[0] < '0' || s[0] > '9');
}

static const char *
from_env(const struct wish *w)
{
	const char *value;
	char text[160];

	if (!env_name(w->rest)) {
		diag_fault(w->load->diag, w->node,
		    "env: must be followed by the name of a variable");
		return NULL;
	}
	if (!w->load->outside)
		return take(w, "outside", 7);
	value = getenv(w->rest);
	if (value == NULL) {
		snprintf(text, sizeof text,
		    "the environment variable %.80s is not set", w->rest);
		absent(w, text);
		return NULL;
	}
	return take(w, value, strlen(value));
}

static const char *
from_plain(const struct wish *w)
{
	diag_warn(w->load->diag, w->node,
	    "a secret stands in the policy itself; use env: or file:");
	return take(w, w->rest, strlen(w->rest));
}

static const char *
from_later(const struct wish *w)
{
	diag_fault(w->load->diag, w->node,
	    "this kind of secret reference is not supported by this version "
	    "(env: and file: are)");
	return NULL;
}

/* Who may have written or read the file: only its owner, and only us. */
static bool
file_fit(const struct wish *w, int fd, size_t *size)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		diag_fault(w->load->diag, w->node, "is not a regular file");
		return false;
	}
	if ((st.st_mode & 077) != 0) {
		diag_fault(w->load->diag, w->node, "mode %04o lets others at "
		    "the secret (chmod 600)", (unsigned)st.st_mode & 07777);
		return false;
	}
	if (st.st_uid != geteuid() && st.st_uid != 0) {
		absent(w, "the file belongs to another user");
		if (!w->load->env->check_only)
			return false;
	}
	if ((size_t)st.st_size > w->max + 2) {
		diag_fault(w->load->diag, w->node, "the secret is too long");
		return false;
	}
	*size = (size_t)st.st_size;
	return true;
}

/* Exactly what stood there at fstat: it did not change under our hands. */
static const char *
file_content(const struct wish *w, int fd, size_t size)
{
	char *p = vault_alloc(w->vault, size + 1);
	const char *wrong;
	size_t at = 0;
	ssize_t n = 1;

	if (p == NULL) {
		diag_nomem(w->load->diag);
		return NULL;
	}
	while (at < size && n > 0) {
		n = read(fd, p + at, size - at);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			at += (size_t)n;
	}
	if (at > 0 && p[at - 1] == '\n')
		at--;
	if (at > 0 && p[at - 1] == '\r' && !w->lines)
		at--;
	p[at] = '\0';
	wrong = flaw(p, at, w->max, w->lines);
	if (wrong == NULL)
		return p;
	OPENSSL_cleanse(p, size);
	diag_fault(w->load->diag, w->node, "%s", wrong);
	return NULL;
}

static const char *
from_file(const struct wish *w)
{
	const char *secret = NULL;
	char text[160];
	size_t size;
	int fd;

	if (w->rest[0] != '/') {
		diag_fault(w->load->diag, w->node,
		    "file: must be followed by an absolute path");
		return NULL;
	}
	if (!w->load->outside)
		return take(w, "outside", 7);
	fd = open(w->rest, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK |
	    O_NOCTTY);
	if (fd < 0 && errno == ELOOP) {
		diag_fault(w->load->diag, w->node, "is a symbolic link");
		return NULL;
	}
	if (fd < 0) {
		snprintf(text, sizeof text, "the file cannot be read: %s",
		    strerror(errno));
		absent(w, text);
		return NULL;
	}
	if (file_fit(w, fd, &size))
		secret = file_content(w, fd, size);
	close(fd);
	return secret;
}

const char *
secret_read(struct load *l, const struct node *n, struct vault *vault,
    size_t max, bool lines)
{
	struct wish w = { l, n, vault, max, lines, NULL };
	size_t i, len;

	for (i = 0; i < SOURCES; i++) {
		len = strlen(sources[i].scheme);
		if (strncmp(n->text, sources[i].scheme, len) == 0) {
			w.rest = n->text + len;
			return sources[i].read(&w);
		}
	}
	diag_fault(l->diag, n, "is not a secret reference (env:NAME or "
	    "file:/path)");
	return NULL;
}

/* The first of the names that is set into out; false: none is. */
static bool
env_pick(const char *names, char out[ENV_NAME])
{
	const char *value;
	size_t len;

	for (; *names != '\0'; names += len + (names[len] == ' ')) {
		len = strcspn(names, " ");
		snprintf(out, ENV_NAME, "%.*s", (int)len, names);
		value = getenv(out);
		if (value != NULL && *value != '\0')
			return true;
	}
	return false;
}

bool
secret_env_set(const struct load *l, const char *names)
{
	char name[ENV_NAME];

	return l->outside && env_pick(names, name);
}

const char *
secret_env(struct load *l, const struct node *n, const char *names, size_t max)
{
	struct wish w = { l, n, l->vault, max, false, NULL };
	char name[ENV_NAME];

	if (!secret_env_set(l, names) || !env_pick(names, name))
		snprintf(name, sizeof name, "%.*s",
		    (int)strcspn(names, " "), names);
	w.rest = name;
	return from_env(&w);
}

bool
secret_is_reference(const char *text)
{
	size_t i;

	for (i = 0; i < SOURCES; i++)
		if (strncmp(text, sources[i].scheme,
		    strlen(sources[i].scheme)) == 0)
			return true;
	return false;
}

static bool
write_all(int fd, const char *p, size_t n)
{
	ssize_t w;

	while (n > 0) {
		w = write(fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return false;
		p += w;
		n -= (size_t)w;
	}
	return true;
}

/* 32 random bytes in hexadecimal, and a newline. */
static bool
pepper_write(int fd)
{
	unsigned char raw[PEPPER_BYTES];
	char text[2 * PEPPER_BYTES + 1];
	bool ok;

	if (RAND_bytes(raw, sizeof raw) != 1)
		return false;
	hash_hex(text, raw, sizeof raw);
	text[sizeof text - 1] = '\n';
	ok = write_all(fd, text, sizeof text) && fsync(fd) == 0;
	OPENSSL_cleanse(raw, sizeof raw);
	OPENSSL_cleanse(text, sizeof text);
	return ok;
}

/*
 * Written whole under a name of its own, then linked to its place: link
 * fails when another process was first, and nobody ever reads half.
 */
static enum err
pepper_make(const char *dir, const char *path, struct fault *f)
{
	char own[PATH_MAX];
	enum err e = state_dir_make(dir, f);
	int fd;

	if (e != ERR_OK)
		return e;
	snprintf(own, sizeof own, "%s.XXXXXX", path);
	fd = mkostemp(own, O_CLOEXEC); /* O_EXCL, mode 0600 */
	if (fd < 0)
		return fault_set(f, ERR_INTERNAL, NULL, "%s", strerror(errno));
	errno = EIO;
	if (!pepper_write(fd) || (link(own, path) != 0 && errno != EEXIST))
		e = fault_set(f, ERR_INTERNAL, NULL, "%s", strerror(errno));
	close(fd);
	unlink(own);
	return e;
}

/* A node for faults in the pepper's own file; it must outlive this call. */
static struct node *
pepper_node(struct load *l, char *path)
{
	struct source_file *file = arena_zalloc(l->arena, sizeof *file);
	struct node *n = arena_zalloc(l->arena, sizeof *n);

	if (file == NULL || n == NULL || path == NULL) {
		diag_nomem(l->diag);
		return NULL;
	}
	file->path = path;
	file->order = LIMIT_POLICY_FILES + 1;
	n->file = file;
	n->line = 1;
	return n;
}

const char *
secret_pepper(struct load *l, const char **why)
{
	const char *dir = l->env->state_dir;
	struct wish w = { l, NULL, l->scratch, PEPPER_TEXT_MAX, false, NULL };
	struct stat st;
	struct fault f;
	char *path;

	*why = NULL;
	if (!l->outside)
		return "0123456789abcdef";
	if (dir == NULL || dir[0] != '/' || strlen(dir) > PATH_MAX - 32) {
		*why = "there is no state directory to keep one in";
		return NULL;
	}
	path = arena_printf(l->arena, "%s/pepper", dir);
	w.rest = path;
	w.node = pepper_node(l, path);
	if (w.node == NULL)
		return NULL;
	if (lstat(path, &st) == 0)
		return from_file(&w);
	if (l->env->check_only && !l->env->need_pepper)
		return "";
	if (pepper_make(dir, path, &f) == ERR_OK)
		return from_file(&w);
	*why = arena_printf(l->arena, "%s cannot be made: %s", path, f.text);
	return NULL;
}
