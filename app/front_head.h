/*
 * libfcgi at work: it decodes the parameters of a whole request that was
 * gathered already. It blocks when it reads, so it reads the request's head
 * from a pipe that holds all of it. Nothing else of the library is used.
 */
#ifndef TOLLGATE_APP_FRONT_HEAD_H
#define TOLLGATE_APP_FRONT_HEAD_H

#include <fcgiapp.h>
#include <stdbool.h>

#include "app/intake.h"

/* The pipe, opened when it is needed first; -1 and -1 to begin with. */
struct head_pipe {
	int fd[2];
};

void head_init(struct head_pipe *p);
void head_close(struct head_pipe *p);

/*
 * Before all else, once a process or more. Signals stay with their owner, but
 * for SIGPIPE, which is ignored from here on. False: libfcgi cannot be used.
 */
bool head_library(void);

/*
 * The parameters of `in` → q->envp, which lives until head_free; fd stands for
 * the connection in it. False: libfcgi or the system would not; head_free all
 * the same.
 */
bool head_decode(struct head_pipe *p, const struct intake *in, int fd,
    FCGX_Request *q);

/* Zeroes the parameters, for there are credentials among them. */
void head_free(FCGX_Request *q);

#endif
