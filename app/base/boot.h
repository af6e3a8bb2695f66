/* Which boot of the machine this is. */
#ifndef TOLLGATE_BASE_BOOT_H
#define TOLLGATE_BASE_BOOT_H

#define BOOT_ID 40 /* bytes of a boot's id, with its NUL */

/*
 * The kernel's id of this boot (random(4)), the same for all processes and
 * containers of a machine; "" where it cannot be read.
 */
void boot_id(char out[BOOT_ID]);

#endif
