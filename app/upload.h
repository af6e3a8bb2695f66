/*
 * A large form on its way from the client to a provider: its fields are read
 * when they have come, the file behind them goes on as it comes. At most about
 * LIMIT_WINDOW bytes of it are held; as long as none had to be given up, the
 * next provider may be tried.
 */
#ifndef TOLLGATE_APP_UPLOAD_H
#define TOLLGATE_APP_UPLOAD_H

#include "app/request.h"

struct attempt;
struct form;

/*
 * Within the step `read`: GO when the body is whole, or enough of it to go on
 * (r->upload then): its surface has forms whose file may stream, the fields
 * stand before it and `model` is among them, and no provider of the policy
 * signs whole bodies. Else it is gathered up to LIMIT_BODY.
 */
enum verdict upload_await(struct request *r);

/* The form as far as it is known, NULL: there is no upload. */
struct form *upload_form(const struct request *r);

/* More of the body has come, or it was refused (pipeline_body). */
void upload_came(struct request *r);

/* Bytes behind the form's fields, as call_request.upload wants them. */
int64_t upload_length(const struct request *r);

/* It will never be whole; the request's fault tells why. */
bool upload_broken(const struct request *r);

/* May another attempt begin? All is there from its beginning. */
bool upload_whole(const struct request *r);

/* This attempt takes it from its beginning. */
void upload_begin(struct request *r, struct attempt *at);

/* The transport's `more` for that attempt. */
size_t upload_more(struct attempt *at, char *to, size_t room);

#endif
