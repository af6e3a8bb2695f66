/* The doors of the house and what it answers itself. */
#ifndef TOLLGATE_APP_ENDPOINT_H
#define TOLLGATE_APP_ENDPOINT_H

#include "app/request.h"

/*
 * Step: find the endpoint of method and path; 413 … What is none has a door
 * too (nowhere.h), so that its 404 or 405 comes behind authentication.
 */
enum verdict endpoint_route(struct request *r);

/* Step: answer here when the house itself can, else GO. */
enum verdict endpoint_serve(struct request *r);

#endif
