/* Which variables of a CGI process' environment belong to its request. */
#ifndef TOLLGATE_APP_CGI_NAMES_H
#define TOLLGATE_APP_CGI_NAMES_H

#include <stdbool.h>

/* Is "NAME=value" one that CGI or a web server's modules set? */
bool cgi_known(const char *variable);

#endif
