/* A request's head for libfcgi. */
#include "app/front_head.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define HEAD_MAX (128 << 10)	/* bytes that the pipe for heads holds */
#define HEAD_ONE_READ (7 << 10) /* parameters that libfcgi takes in one read */

/* libfcgi may not take signals from their owner. */
bool
head_library(void)
{
	static const int signals[] = { SIGPIPE, SIGUSR1, SIGTERM };
	struct sigaction saved[3];
	size_t i;
	int rc;

	for (i = 0; i < 3; i++)
		sigaction(signals[i], NULL, &saved[i]);
	rc = FCGX_Init();
	saved[0].sa_handler = SIG_IGN;
	saved[0].sa_flags = 0;
	for (i = 0; i < 3; i++)
		sigaction(signals[i], &saved[i], NULL);
	return rc == 0;
}

void
head_init(struct head_pipe *p)
{
	p->fd[0] = p->fd[1] = -1;
}

void
head_close(struct head_pipe *p)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (p->fd[i] >= 0)
			close(p->fd[i]);
		p->fd[i] = -1;
	}
}

/* An empty pipe with room for the largest head. */
static bool
head_open(struct head_pipe *p)
{
	if (p->fd[0] >= 0)
		return true;
	if (pipe2(p->fd, O_CLOEXEC | O_NONBLOCK) != 0)
		return false;
	/* Where it may not be larger, only the largest heads do not fit. */
	(void)fcntl(p->fd[1], F_SETPIPE_SZ, HEAD_MAX);
	return true;
}

/* Write the records of the request's head into the pipe. */
static bool
head_write(struct head_pipe *p, const struct intake *in)
{
	/* BEGIN, two PARAMS, the end of PARAMS, the end of STDIN */
	unsigned char heads[5][RECORD_HEAD], body[RECORD_BODY] = { 0, 1 };
	size_t first = in->params.len, second = 0, total;
	struct iovec iov[8];
	int n = 0;

	if (!head_open(p))
		return false;
	if (first > RECORD_CONTENT) {
		first = RECORD_CONTENT;
		second = in->params.len - first;
	}
	record_head(heads[0], RECORD_BEGIN, in->id, sizeof body);
	record_head(heads[1], RECORD_PARAMS, in->id, first);
	record_head(heads[2], RECORD_PARAMS, in->id, second);
	record_head(heads[3], RECORD_PARAMS, in->id, 0);
	record_head(heads[4], RECORD_STDIN, in->id, 0);
	iov[n++] = (struct iovec){ heads[0], RECORD_HEAD };
	iov[n++] = (struct iovec){ body, sizeof body };
	if (first > 0) {
		iov[n++] = (struct iovec){ heads[1], RECORD_HEAD };
		iov[n++] = (struct iovec){ in->params.data, first };
	}
	if (second > 0) {
		iov[n++] = (struct iovec){ heads[2], RECORD_HEAD };
		iov[n++] = (struct iovec){ in->params.data + first, second };
	}
	iov[n++] = (struct iovec){ heads[3], 2 * RECORD_HEAD };
	total = 4 * RECORD_HEAD + in->params.len +
	    (first > 0 ? RECORD_HEAD : 0) + (second > 0 ? RECORD_HEAD : 0);
	return writev(p->fd[1], iov, n) == (ssize_t)total;
}

/* libfcgi leaves at most the end of STDIN unread. */
static void
head_drain(struct head_pipe *p)
{
	unsigned char rest[RECORD_HEAD];

	while (read(p->fd[0], rest, sizeof rest) > 0)
		continue;
}

/*
 * With a descriptor and keepConnection set libfcgi takes that one instead of
 * accepting by itself.
 */
bool
head_decode(struct head_pipe *p, const struct intake *in, int fd,
    FCGX_Request *q)
{
	FCGX_InitRequest(q, -1, 0);
	if (!head_write(p, in)) {
		head_close(p);
		return false;
	}
	q->ipcFd = p->fd[0];
	q->keepConnection = 1;
	if (FCGX_Accept_r(q) != 0) {
		p->fd[0] = -1; /* it has closed it */
		head_close(p);
		return false;
	}
	if (in->params.len > HEAD_ONE_READ)
		head_drain(p);
	q->ipcFd = fd;
	/* No use for them any more: 17 KiB of each exchange. */
	FCGX_FreeStream(&q->in);
	FCGX_FreeStream(&q->err);
	FCGX_FreeStream(&q->out);
	return true;
}

void
head_free(FCGX_Request *q)
{
	char **e;

	if (q->envp != NULL)
		for (e = q->envp; *e != NULL; e++)
			explicit_bzero(*e, strlen(*e));
	FCGX_Free(q, 0);
}
