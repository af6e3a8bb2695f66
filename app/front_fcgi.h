/* What tests need to see of the FastCGI front. */
#ifndef TOLLGATE_APP_FRONT_FCGI_H
#define TOLLGATE_APP_FRONT_FCGI_H

#include <stddef.h>

struct front;

/* Seconds for a request to arrive, instead of LIMIT_INTAKE_SECONDS. */
void front_patience(struct front *f, unsigned seconds);

/* Open connections. */
size_t front_connections(const struct front *f);

#endif
