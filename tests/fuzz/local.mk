# One program a target, seeds in tests/fuzz/seeds/TARGET/.
FUZZ_LINKFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer
FUZZ_LINK = $(HOUSE_LINK)
