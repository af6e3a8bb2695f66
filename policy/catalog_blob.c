/*
 * The catalog that policy/mkcatalog compiled, as bytes of the program. This
 * file has nothing else: only the assembler reads the image, and only pages
 * that a look-up touches are ever brought into memory.
 */
#include "policy/catalog_image.h"

/* Found from the top of the build tree, where the compiler runs. */
__asm__(".pushsection .rodata\n"
	".balign 64\n"
	".globl tollgate_catalog_image\n"
	".hidden tollgate_catalog_image\n"
	"tollgate_catalog_image:\n"
	".incbin \"policy/catalog.bin\"\n"
	".popsection\n");

extern const struct image tollgate_catalog_image;

const struct image *
image_builtin(void)
{
	return &tollgate_catalog_image;
}
