/*
 * Write the pages that come from the table of the policy: `mkdoc policy.md`
 * or `mkdoc policy.schema.json`, to standard output. Runs for `make docs`
 * only; it is no part of the program.
 */
#include <stdio.h>
#include <string.h>

#include "app/base/buf.h"
#include "policy/policy.h"

#define PAGE_MAX (1 << 20)

int
main(int argc, char **argv)
{
	struct buf out;
	int rc = 1;

	buf_init(&out, PAGE_MAX);
	if (argc == 2 && strcmp(argv[1], "policy.md") == 0)
		policy_doc(&out);
	else if (argc == 2 && strcmp(argv[1], "policy.schema.json") == 0)
		policy_schema(&out);
	if (!out.failed && out.len > 0 &&
	    fwrite(out.data, 1, out.len, stdout) == out.len &&
	    fflush(stdout) == 0)
		rc = 0;
	else
		fputs("mkdoc: which page?\n", stderr);
	buf_free(&out);
	return rc;
}
