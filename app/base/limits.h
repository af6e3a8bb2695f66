/*
 * Every bound of the house, with its name. A resource that a client, a
 * provider or an operator can make grow has a row here; what goes beyond is
 * a clear error, never a crash and never a silent cut.
 */
#ifndef TOLLGATE_BASE_LIMITS_H
#define TOLLGATE_BASE_LIMITS_H

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)

/* From the client. */
#define LIMIT_BODY MIB(32)	     /* request body, bytes */
#define LIMIT_UPLOAD MIB(512)	     /* … of one that goes on as it comes */
#define LIMIT_WINDOW KIB(512)	     /* … and what is held of that at a time */
#define LIMIT_PARAMS KIB(64)	     /* FastCGI parameters of a request */
#define LIMIT_HEADERS 256	     /* parameters of a request, count */
#define LIMIT_JSON_DEPTH 128	     /* nesting of arrays and objects */
#define LIMIT_MESSAGES 10000	     /* messages of a chat */
#define LIMIT_MODEL_NAME 256	     /* bytes of a model name */
#define LIMIT_CREDENTIAL 512	     /* bytes of a key as sent */
#define LIMIT_URI KIB(8)	     /* bytes of REQUEST_URI */
#define LIMIT_INTAKE_SECONDS 120     /* for a whole request to arrive, or for
				      * the next bytes of an upload */
#define LIMIT_EXCHANGES 16384	     /* open connections of a worker */

/* From the provider. */
#define LIMIT_EVENT MIB(1)	     /* one event of a stream */
#define LIMIT_EVENT_LARGE MIB(16)    /* … that may hold an image or an answer */
#define LIMIT_REPLY MIB(64)	     /* a whole answer */
#define LIMIT_ERROR_BODY KIB(256)    /* an answer with an error status */
#define LIMIT_METERED MIB(4)	     /* … that is given on and looked into */
#define LIMIT_REPLY_HEADERS KIB(64)  /* all header lines of an answer */
#define LIMIT_TYPE 127		     /* bytes of a content type that is given on */
#define LIMIT_REPLY_LINES 256	     /* header lines of an answer, count */
#define LIMIT_HELD KIB(256)	     /* stream bytes held before content */
#define HELD_ECHOES 4		     /* and so often the request, which some echo */
#define LIMIT_CALL_HELD MIB(32)	     /* bytes a paused HTTP/2 call may hold */
#define LIMIT_DRAINS 16		     /* answers read on for nobody, of a worker */
#define LIMIT_CALLS_HELD MIB(256)    /* the same, all calls of a worker */

/* Towards the client. The buffer of a queue grows to at most twice this. */
#define LIMIT_OUT KIB(96)	     /* queued bytes that pause the provider */
#define LOW_OUT KIB(32)		     /* queued bytes that resume it */
#define PING_MS 2500		     /* silence before a keep-alive comment; Apache sees
				      * at the second that its client has left */
#define LIMIT_EXPLAIN KIB(4)	     /* a plan in a header */

/* Of the house. */
#define LIMIT_ARENA MIB(512)	     /* memory of one request */
#define LIMIT_POLICY MIB(8)	     /* one policy file */
#define LIMIT_POLICY_FILES 256	     /* files of one policy */
#define LIMIT_POLICY_NODES 1000000   /* values in one of them */
#define LIMIT_POLICY_DEPTH 16	     /* nesting in one of them */
#define LIMIT_POLICY_MEMORY MIB(512) /* of a load, and of what stays */
#define LIMIT_POLICY_TARGETS 1024    /* deployments of one model */
#define LIMIT_PATTERN 1024	     /* bytes of a regular expression */
#define LIMIT_PROMPT_SEEN KIB(64)    /* bytes of a prompt that one looks at */
#define LIMIT_SCRIPT_SEEN KIB(16)    /* bytes whose letters are counted */
#define LIMIT_RETRY_AFTER 3600	     /* seconds of cooldown a provider may ask */

#endif
