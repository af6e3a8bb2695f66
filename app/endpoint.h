/* The doors of the house and what it answers itself. */
#ifndef TOLLGATE_APP_ENDPOINT_H
#define TOLLGATE_APP_ENDPOINT_H

#include "app/request.h"

/* Step: find the endpoint of method and path; 404, 405, 413 … */
enum verdict endpoint_route(struct request *r);

/* Step: answer here when the house itself can, else GO. */
enum verdict endpoint_serve(struct request *r);

#endif
