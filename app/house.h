/*
 * What a command needs that looks at the store: the policy (secrets of
 * providers need not be there), a loop, memory.
 */
#ifndef TOLLGATE_APP_HOUSE_H
#define TOLLGATE_APP_HOUSE_H

#include <stdbool.h>

#include <uv.h>

struct arena;
struct catalog;
struct policy;
struct vkey;

#define HOUSE_PATIENCE 2000 /* ms that a person waits for a Redis */

struct house {
	struct catalog *catalog;
	struct policy *policy;
	struct arena *arena;
	uv_loop_t loop;
	bool looping;
};

/*
 * False: stderr has heard why; house_close must be called all the same.
 * pepper: make it where there is none.
 */
bool house_open(struct house *h, bool pepper);

/* Runs what is left on the loop. */
void house_close(struct house *h);

/*
 * The key of that name: of the policy, or of its store. As long as the house
 * stands. NULL: stderr has heard why.
 */
const struct vkey *house_key(struct house *h, const char *name);

/* Run the loop until *done; false: ms have passed. */
bool house_wait(struct house *h, const bool *done, int ms);

#endif
