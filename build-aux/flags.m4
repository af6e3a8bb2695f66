dnl Builds for people who work on tollgate, and the hardening of all builds.

AC_ARG_ENABLE([developer], [AS_HELP_STRING([--enable-developer],
	[many warnings, each one an error])])
AC_ARG_ENABLE([asan], [AS_HELP_STRING([--enable-asan],
	[AddressSanitizer and UndefinedBehaviorSanitizer])])
AC_ARG_ENABLE([tsan], [AS_HELP_STRING([--enable-tsan], [ThreadSanitizer])])
AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage],
	[count executed lines (gcov)])])
AC_ARG_ENABLE([fuzzers], [AS_HELP_STRING([--enable-fuzzers],
	[build the fuzz targets (clang, libFuzzer)])])
AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening],
	[no PIE, RELRO, FORTIFY, stack protection and CET])], [],
	[enable_hardening=yes])

dnl TRY_FLAGS(variable, flags…): add each flag that the compiler takes.
AC_DEFUN([TRY_FLAGS], [
	for flag in m4_normalize([$2]); do
		saved_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror $flag"
		AC_MSG_CHECKING([whether $CC takes $flag])
		AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
			[AC_MSG_RESULT([yes]); $1="$$1 $flag"],
			[AC_MSG_RESULT([no])])
		CFLAGS=$saved_CFLAGS
	done
])

HOUSE_CFLAGS="-std=gnu11"
HOUSE_LDFLAGS=
sanitized=no

AS_IF([test "x$enable_asan" = xyes], [sanitized=yes
	HOUSE_CFLAGS="$HOUSE_CFLAGS -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
	HOUSE_LDFLAGS="$HOUSE_LDFLAGS -fsanitize=address,undefined"])
AS_IF([test "x$enable_tsan" = xyes], [sanitized=yes
	HOUSE_CFLAGS="$HOUSE_CFLAGS -g -fsanitize=thread"
	HOUSE_LDFLAGS="$HOUSE_LDFLAGS -fsanitize=thread"])
AS_IF([test "x$enable_fuzzers" = xyes], [sanitized=yes
	HOUSE_CFLAGS="$HOUSE_CFLAGS -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined"
	HOUSE_LDFLAGS="$HOUSE_LDFLAGS -fsanitize=address,undefined"])
AM_CONDITIONAL([FUZZERS], [test "x$enable_fuzzers" = xyes])
AS_IF([test "x$enable_coverage" = xyes],
	[HOUSE_CFLAGS="$HOUSE_CFLAGS --coverage -O0"
	HOUSE_LDFLAGS="$HOUSE_LDFLAGS --coverage"])

AS_IF([test "x$enable_hardening" = xyes && test $sanitized = no], [
	TRY_FLAGS([HOUSE_CFLAGS], [-fPIE -fstack-protector-strong
		-fstack-clash-protection -fcf-protection=full
		-ftrivial-auto-var-init=zero])
	AS_IF([test "x$enable_coverage" != xyes],
		[HOUSE_CFLAGS="$HOUSE_CFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"])
	TRY_FLAGS([HOUSE_LDFLAGS], [-pie -Wl,-z,relro -Wl,-z,now
		-Wl,-z,noexecstack])
])

AS_IF([test "x$enable_developer" = xyes],
	[TRY_FLAGS([HOUSE_CFLAGS], [-Wall -Wextra -Wshadow -Wstrict-prototypes
		-Wmissing-prototypes -Wcast-qual -Wwrite-strings -Wvla
		-Wformat=2 -Wpointer-arith -Wundef -Wimplicit-fallthrough])
	HOUSE_CFLAGS="$HOUSE_CFLAGS -Werror"])

AC_SUBST([HOUSE_CFLAGS])
AC_SUBST([HOUSE_LDFLAGS])
