/* The names of CGI variables. */
#include "app/cgi_names.h"

#include <stddef.h>
#include <string.h>

/* Names, and what names begin with where they end in '_'. */
static const char *const names[] = { "AUTH_TYPE", "CONTENT_LENGTH",
	"CONTENT_TYPE", "DOCUMENT_ROOT", "GATEWAY_INTERFACE", "HTTPS", "HTTP_",
	"PATH_INFO", "PATH_TRANSLATED", "QUERY_STRING", "REDIRECT_", "REMOTE_",
	"REQUEST_", "SCRIPT_", "SERVER_", "SSL_", "UNIQUE_ID" };

bool
cgi_known(const char *variable)
{
	size_t i, n;

	for (i = 0; i < sizeof names / sizeof *names; i++) {
		n = strlen(names[i]);
		if (strncmp(variable, names[i], n) != 0)
			continue;
		if (names[i][n - 1] == '_' || variable[n] == '=')
			return strchr(variable + n, '=') != NULL;
	}
	return false;
}
