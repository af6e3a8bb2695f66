/* GET /v1/models: what a key may ask for, with prices and limits. */
#ifndef TOLLGATE_APP_MODELS_H
#define TOLLGATE_APP_MODELS_H

#include "app/request.h"

enum verdict models_list(struct request *r);
enum verdict models_one(struct request *r); /* r->name: its id */

#endif
