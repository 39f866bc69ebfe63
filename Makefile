# hnet: one Makefile for everything; "make help" lists the targets and the switches.

.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all
SHELL := /bin/sh

# ---- switches ----------------------------------------------------------------------------------
ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config
CLANG ?= clang
CFLAGS ?= -O2 -g
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
SAN ?=
V ?= 0
FUZZ_SECONDS ?= 20
WITH_URING ?= yes
WITH_INIH ?= yes
WITH_READLINE ?= yes
WITH_IDN ?= yes
WITH_ZLIB ?= yes
WITH_BROTLI ?= yes
WITH_ZSTD ?= yes
WITH_QRENCODE ?= yes
WITH_JANSSON ?= yes
WITH_PSL ?= yes
WITH_PCRE2 ?= yes
WITH_HIREDIS ?= yes

# "make check" turns warnings into errors; the sanitizers make gcc guess wrong, so not with them.
ifneq ($(filter check,$(MAKECMDGOALS)),)
WERROR ?= $(if $(SAN),0,1)
endif
WERROR ?= 0

comma := ,
empty :=
space := $(empty) $(empty)
Q := $(if $(filter 1,$(V)),,@)
SILENT := $(findstring s,$(firstword -$(MAKEFLAGS)))
say = $(if $(filter 1,$(V))$(SILENT),@:,@printf '  %-7s %s\n' $(1) $(2))

# Every variant has a folder of its own, so that switching between them rebuilds nothing.
VARIANT := $(subst $(comma),-,$(SAN))$(if $(filter 1,$(WERROR)),$(if $(SAN),-)werror)
OUT := $(BUILD)$(if $(VARIANT),/$(VARIANT))
BIN := $(OUT)/bin
OBJ := $(OUT)/obj
VERSION := $(shell sed -n 's/^.define HNET_VERSION "\(.*\)"/\1/p' libcore/base/hversion.h)

# ---- sources -----------------------------------------------------------------------------------
LAYERS := base codec event net proto app
LIB_SRCS := $(sort $(wildcard $(foreach l,$(LAYERS) compat/hv,libcore/$(l)/*.c)))
CMDS := $(sort $(basename $(notdir $(wildcard cmd/*.c))) \
               $(notdir $(patsubst %/,%,$(dir $(wildcard cmd/*/*.c)))))
cmd_srcs = $(sort $(wildcard cmd/$(1).c cmd/$(1)/*.c))
CMD_SRCS := $(foreach c,$(CMDS),$(call cmd_srcs,$(c)))
UNIT_SRCS := $(sort $(wildcard tests/unit/test_*.c))
UNIT_SHARED := $(sort $(filter-out $(UNIT_SRCS),$(wildcard tests/unit/*.c)))
FUZZ_SRCS := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_SHARED := $(sort $(filter-out $(FUZZ_SRCS),$(wildcard tests/fuzz/*.c)))
BENCH_SRCS := $(sort $(wildcard tests/bench/bench_*.c))
BENCH_SHARED := $(sort $(filter-out $(BENCH_SRCS),$(wildcard tests/bench/*.c)))
TEST_SRCS := $(UNIT_SRCS) $(UNIT_SHARED) $(FUZZ_SRCS) $(FUZZ_SHARED) $(BENCH_SRCS) $(BENCH_SHARED)
HEADERS := $(sort $(wildcard $(foreach l,$(LAYERS) compat/hv,libcore/$(l)/*.h)))
LAYER_HEADERS := $(filter-out libcore/compat/% %_int.h,$(HEADERS))
COMPAT_HEADERS := $(filter libcore/compat/%,$(HEADERS))
FORMATTED := $(LIB_SRCS) $(HEADERS) $(CMD_SRCS) $(TEST_SRCS) \
             $(sort $(wildcard cmd/*/*.h tests/*/*.h))

LIB := $(OUT)/libcore.a
BINS := $(CMDS:%=$(BIN)/%)
UNITS := $(UNIT_SRCS:tests/unit/%.c=$(OUT)/unit/%)
BENCHES := $(BENCH_SRCS:tests/bench/%.c=$(OUT)/bench/%)
FUZZERS := $(FUZZ_SRCS:tests/fuzz/%.c=$(BUILD)/fuzz/%)
objs = $(patsubst %.c,$(OBJ)/%.o,$(1))

# ---- dependencies ------------------------------------------------------------------------------
PKGS := $(if $(filter yes,$(WITH_INIH)),inih)
# Compiled against, and loaded when they are needed (base/hlib): never linked.
LAZY_PKGS := openssl libcares $(if $(filter yes,$(WITH_URING)),liburing) \
             $(if $(filter yes,$(WITH_READLINE)),readline) \
             $(if $(filter yes,$(WITH_IDN)),libidn2) $(if $(filter yes,$(WITH_ZLIB)),zlib) \
             $(if $(filter yes,$(WITH_BROTLI)),libbrotlienc libbrotlidec) \
             $(if $(filter yes,$(WITH_ZSTD)),libzstd) \
             $(if $(filter yes,$(WITH_QRENCODE)),libqrencode) \
             $(if $(filter yes,$(WITH_JANSSON)),jansson) $(if $(filter yes,$(WITH_PSL)),libpsl) \
             $(if $(filter yes,$(WITH_PCRE2)),libpcre2-8) $(if $(filter yes,$(WITH_HIREDIS)),hiredis)
WITH_DEFINES := $(if $(filter yes,$(WITH_URING)),-DHNET_WITH_URING=1) \
                $(if $(filter yes,$(WITH_INIH)),-DHNET_WITH_INIH=1) \
                $(if $(filter yes,$(WITH_READLINE)),-DHNET_WITH_READLINE=1) \
                $(if $(filter yes,$(WITH_IDN)),-DHNET_WITH_IDN=1) \
                $(if $(filter yes,$(WITH_ZLIB)),-DHNET_WITH_ZLIB=1) \
                $(if $(filter yes,$(WITH_BROTLI)),-DHNET_WITH_BROTLI=1) \
                $(if $(filter yes,$(WITH_ZSTD)),-DHNET_WITH_ZSTD=1) \
                $(if $(filter yes,$(WITH_QRENCODE)),-DHNET_WITH_QRENCODE=1) \
                $(if $(filter yes,$(WITH_JANSSON)),-DHNET_WITH_JANSSON=1) \
                $(if $(filter yes,$(WITH_PSL)),-DHNET_WITH_PSL=1) \
                $(if $(filter yes,$(WITH_PCRE2)),-DHNET_WITH_PCRE2=1) \
                $(if $(filter yes,$(WITH_HIREDIS)),-DHNET_WITH_HIREDIS=1)

# These targets need neither compiler nor libraries.
NO_BUILD := clean help uninstall format check-format check-layers check-style check-scripts demo
ifneq ($(filter-out $(NO_BUILD),$(or $(MAKECMDGOALS),all)),)
ALL_PKGS := $(PKGS) $(LAZY_PKGS)
MISSING := $(shell $(PKG_CONFIG) --exists $(ALL_PKGS) || echo yes)
ifeq ($(MISSING),yes)
$(info hnet needs: $(ALL_PKGS))
$(info To install them: scripts/deps build; to build without one: see "make help")
$(error libraries are missing)
endif
# hiredis asks for -D_FILE_OFFSET_BITS=64, which renames calls that tests replace (sendfile64).
# --version says what is in: -DHNET_VERSION_liburing=2.3 and the like.
PKG_CFLAGS := $(filter-out -D_FILE_OFFSET_BITS=%,$(shell $(PKG_CONFIG) --cflags $(ALL_PKGS))) \
    $(foreach p,$(ALL_PKGS),-DHNET_VERSION_$(subst -,_,$(p))=$(shell $(PKG_CONFIG) --modversion $(p)))
PKG_LIBS := $(if $(strip $(PKGS)),$(shell $(PKG_CONFIG) --libs $(PKGS)))

# ---- flags -------------------------------------------------------------------------------------
# $(call supported,FLAG): the flag when this compiler and its C library take it.
supported = $(shell $(CC) -O2 -Werror $(1) -include stdio.h -x c -c -o /dev/null /dev/null \
    2>/dev/null && echo '$(1)')
OPTIMISED := $(filter-out -O0,$(filter -O%,$(CFLAGS)))
ifneq ($(SAN),)
HARDEN := -fPIE -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
else
HARDEN := -fPIE -fstack-protector-strong $(call supported,-fstack-clash-protection) \
    $(call supported,-fcf-protection)
ifneq ($(OPTIMISED),)
HARDEN += -U_FORTIFY_SOURCE \
    $(or $(call supported,-D_FORTIFY_SOURCE=3),-D_FORTIFY_SOURCE=2)
endif
endif
HARDEN_LD := -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed
endif

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
    -Wwrite-strings -Wvla -Wformat=2 $(if $(filter 1,$(WERROR)),-Werror)
CPP_ALL := -D_GNU_SOURCE -Ilibcore $(WITH_DEFINES) $(PKG_CFLAGS) $(CPPFLAGS)
CC_ALL := -std=gnu11 $(WARN) $(HARDEN) -pthread $(CFLAGS)
LD_ALL := -pthread $(CFLAGS) $(HARDEN_LD) $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)
LIBS_ALL := $(PKG_LIBS) $(LDLIBS)

# ---- build -------------------------------------------------------------------------------------
.PHONY: all test check bench bench-build fuzz fuzz-build lint docs demo install uninstall clean \
    help format FORCE

all: $(BINS) $(LIB) $(if $(filter build,$(OUT)),compile_commands.json)

# A stamp is rewritten only when its text changes; what depends on it is then rebuilt.
$(OUT)/flags.stamp: TEXT = $(CC) $(CPP_ALL) $(CC_ALL) | $(LD_ALL) $(LIBS_ALL)
$(OUT)/lib.stamp: TEXT = $(LIB_SRCS)
$(OUT)/all.stamp: TEXT = $(LIB_SRCS) $(CMD_SRCS) $(TEST_SRCS)
$(OUT)/%.stamp: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(TEXT)' | cmp -s - $@ || printf '%s\n' '$(TEXT)' >$@

$(OBJ)/%.o: %.c $(OUT)/flags.stamp
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPP_ALL) $(CC_ALL) -MMD -MP -c -o $@ $<

$(LIB): $(call objs,$(LIB_SRCS)) $(OUT)/lib.stamp
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

# $(call link,EXTRA FLAGS,EXTRA LIBS): every .o and .a of the prerequisites into the target.
define link
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LD_ALL) $(1) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(2) $(LIBS_ALL)
endef

define cmd_rule
$(BIN)/$(1): $(call objs,$(call cmd_srcs,$(1))) $(LIB)
	$$(call link)
endef
$(foreach c,$(CMDS),$(eval $(call cmd_rule,$(c))))

# tests/unit/test_x.wrap lists functions, one a line, that test_x.c replaces (ld --wrap).
wraps = $(addprefix -Wl$(comma)--wrap=,$(file <$(wildcard tests/unit/$(1).wrap)))
$(OUT)/unit/%: $(OBJ)/tests/unit/%.o $(call objs,$(UNIT_SHARED)) $(LIB)
	$(call link,$(if $(wildcard tests/unit/$*.wrap),$(call wraps,$*)),-lcmocka)
# tests/unit/test_x.with lists sources of a command, one a line, that test_x.c tests; for a fuzzer it
# is tests/fuzz/fuzz_x.with.
withs = $(file <$(1).with)
with_tests = $(basename $(notdir $(wildcard tests/$(1)/*.with)))
$(foreach t,$(call with_tests,unit),$(eval \
    $(OUT)/unit/$(t): $(call objs,$(call withs,tests/unit/$(t)))))
$(foreach t,$(call with_tests,fuzz),$(eval \
    $(BUILD)/fuzz/$(t): $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(call withs,tests/fuzz/$(t)))))

# The peers' libraries by the program's name: bench_echo_libuv.c links libuv.
peer_libs = $(if $(filter %_libevent,$(1)),-levent_core -levent_pthreads) \
    $(if $(filter %_libev,$(1)),-lev -lm) $(if $(filter %_libuv,$(1)),-luv) \
    $(if $(filter %_libhttp_parser,$(1)),-lhttp_parser)
$(OUT)/bench/%: $(OBJ)/tests/bench/%.o $(call objs,$(BENCH_SHARED)) $(LIB)
	$(call link,,$(call peer_libs,$*))

# Fuzzers need clang, and a library of their own that is instrumented for coverage.
FUZZ_FLAGS := -std=gnu11 -g -O1 -pthread -fno-omit-frame-pointer -fno-sanitize-recover=all
$(BUILD)/fuzz/obj/%.o: %.c $(BUILD)/fuzz/flags.stamp
	$(call say,FUZZCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPP_ALL) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined \
	    -MMD -MP -c -o $@ $<
$(BUILD)/fuzz/flags.stamp: TEXT = $(CLANG) $(CPP_ALL) $(FUZZ_FLAGS)
$(BUILD)/fuzz/flags.stamp: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(TEXT)' | cmp -s - $@ || printf '%s\n' '$(TEXT)' >$@
$(BUILD)/fuzz/libcore.a: $(LIB_SRCS:%.c=$(BUILD)/fuzz/obj/%.o) $(OUT)/lib.stamp
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)
$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/obj/tests/fuzz/fuzz_%.o \
    $(FUZZ_SHARED:%.c=$(BUILD)/fuzz/obj/%.o) $(BUILD)/fuzz/libcore.a
	$(call say,FUZZLD,$@)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined -o $@ $(filter %.o,$^) \
	    $(filter %.a,$^) $(LIBS_ALL)

compile_commands.json: $(OUT)/flags.stamp $(OUT)/all.stamp
	@for f in $(LIB_SRCS) $(CMD_SRCS) $(TEST_SRCS); do \
	    printf '{"directory": "%s", "file": "%s", "command": "%s"},\n' \
	        '$(CURDIR)' "$$f" '$(subst ",\",$(CC) $(CPP_ALL) $(CC_ALL)) -c '"$$f"; \
	done | sed '1s/^/[/; $$s/,$$/]/' >$@

# ---- tests -------------------------------------------------------------------------------------
CHECKS := tidy fuzz cppcheck headers layers style docs format scripts install
export CC CLANG PKG_CONFIG MAKE
RUN_TESTS = SAN='$(SAN)' WERROR='$(WERROR)' \
    HNET_OUT=$(abspath $(OUT)) HNET_BIN=$(abspath $(BIN)) scripts/run-tests

test: $(BINS) $(UNITS)
	@$(RUN_TESTS) unit cmd

check: $(BINS) $(UNITS)
	@$(RUN_TESTS) unit cmd $(if $(SAN),,$(CHECKS))

fuzz-build: $(FUZZERS)

fuzz: $(FUZZERS)
	@for f in $(notdir $(FUZZERS)); do \
	    new=$(BUILD)/fuzz/corpus/$${f#fuzz_}; old=tests/fuzz/corpus/$${f#fuzz_}; \
	    mkdir -p "$$new"; [ -d "$$old" ] || old=; log=$(BUILD)/fuzz/$$f.log; \
	    $(BUILD)/fuzz/$$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 \
	        -artifact_prefix=$(BUILD)/fuzz/$$f- "$$new" $$old >$$log 2>&1 || \
	        { tail -n 60 $$log; echo "$$f failed; all of it: $$log"; exit 1; }; \
	    printf '  FUZZ    %s: %s inputs, none failed\n' "$$f" \
	        "$$(sed -n 's/^stat::number_of_executed_units: *//p' $$log)"; \
	done

# The inputs that are kept, and those that once broke something, without looking for new ones.
check-fuzz: $(FUZZERS)
	$(Q)set -e; for f in $(notdir $(FUZZERS)); do \
	    [ ! -d tests/fuzz/corpus/$${f#fuzz_} ] || \
	        $(BUILD)/fuzz/$$f -runs=0 -verbosity=0 tests/fuzz/corpus/$${f#fuzz_}; \
	done

bench-build: $(BINS) $(BENCHES)

bench: bench-build
	@HNET_BIN=$(abspath $(BIN)) HNET_BENCH_BIN=$(abspath $(OUT))/bench tests/bench/run

# ---- static checks -----------------------------------------------------------------------------
.PHONY: $(CHECKS:%=check-%)
lint: $(filter-out check-docs check-install check-fuzz,$(CHECKS:%=check-%))

check-headers: $(HEADERS:%=$(OUT)/lint/%.alone)
$(OUT)/lint/%.h.alone: %.h $(HEADERS) $(OUT)/flags.stamp
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPP_ALL) $(CC_ALL) -Werror -fsyntax-only -x c $<
	$(if $(filter %_int.h,$<),,$(call check_cxx,$<))
	@touch $@
# The public ones are for C++ too, where functions need extern "C" to be found.
define check_cxx
	$(Q)! command -v $(firstword $(CXX)) >/dev/null || \
	    $(CXX) $(CPP_ALL) -std=gnu++17 -Wall -Wextra -Werror -fsyntax-only -x c++ $(1)
	$(Q)! grep -q '^[a-z].*);$$' $(1) || grep -q 'extern "C"' $(1) || \
	    { echo '$(1): functions without extern "C"'; exit 1; }
endef

check-layers:
	$(Q)scripts/check-layers.sh

check-style:
	$(Q)scripts/check-style $(FORMATTED)

check-docs: $(BINS)
	$(Q)$(MAKE) --no-print-directory -s docs SAN=$(SAN) WERROR=$(WERROR) DOCS_DIR=$(OUT)/docs
	$(Q)scripts/check-docs $(OUT)/docs $(CMDS)

format:
	$(Q)clang-format -i $(FORMATTED)

check-format:
	$(Q)clang-format --dry-run --Werror $(FORMATTED)

# Each file is looked at again only when it, or a header that it includes, has changed. The analyzer
# follows calls in "deep" mode, at ten times the cost: make lint does that, make check does not.
TIDY_SRCS := $(LIB_SRCS) $(CMD_SRCS)
TIDY_DEPTH = $(if $(filter lint,$(MAKECMDGOALS)),deep,shallow)
TIDY_ANALYZER = $(addprefix --extra-arg=,-Xclang -analyzer-config -Xclang mode=$(TIDY_DEPTH))
check-tidy: $(TIDY_SRCS:%=$(OUT)/lint/%.tidy)
$(OUT)/lint/%.c.tidy: $(OBJ)/%.o .clang-tidy
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $(TIDY_ANALYZER) $*.c -- -std=gnu11 $(CPP_ALL) $(WARN) \
	    >$@.log 2>&1 || { grep -A 2 'error:' $@.log; echo 'all of it: $@.log'; exit 1; }
	@mv $@.log $@

check-cppcheck: | $(OUT)/flags.stamp
	@mkdir -p $(OUT)/lint/cppcheck
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	    --inline-suppr --suppress=missingIncludeSystem --cppcheck-build-dir=$(OUT)/lint/cppcheck \
	    -D_GNU_SOURCE -D__linux__ $(WITH_DEFINES) -Ilibcore $(LIB_SRCS) $(CMD_SRCS)

check-scripts:
	$(Q)shellcheck $(filter-out scripts/examples,$(wildcard scripts/*)) .ci/run

check-install: $(BINS) $(LIB)
	$(Q)OUT=$(OUT) SAN=$(SAN) WERROR=$(WERROR) scripts/check-install

# ---- generated documents -----------------------------------------------------------------------
DOCS_DIR ?= .
docs: $(BINS)
	@mkdir -p $(DOCS_DIR)/man $(addprefix $(DOCS_DIR)/completions/,bash zsh fish)
	$(Q)set -e; for c in $(CMDS); do \
	    $(BIN)/$$c --help-man >$(DOCS_DIR)/man/$$c.1; \
	    $(BIN)/$$c --help-bash >$(DOCS_DIR)/completions/bash/$$c; \
	    $(BIN)/$$c --help-zsh >$(DOCS_DIR)/completions/zsh/_$$c; \
	    $(BIN)/$$c --help-fish >$(DOCS_DIR)/completions/fish/$$c.fish; \
	done

demo:
	@scripts/demo

# ---- installation ------------------------------------------------------------------------------
DEST = $(DESTDIR)$(PREFIX)
MAN_PAGES := $(wildcard man/*.1)
COMP_BASH := $(wildcard completions/bash/*)
COMP_ZSH := $(wildcard completions/zsh/_*)
COMP_FISH := $(wildcard completions/fish/*.fish)
DIR_BASH := share/bash-completion/completions
DIR_ZSH := share/zsh/site-functions
DIR_FISH := share/fish/vendor_completions.d
INSTALLED = $(CMDS:%=bin/%) $(MAN_PAGES:man/%=share/man/man1/%) \
    $(COMP_BASH:completions/bash/%=$(DIR_BASH)/%) $(COMP_ZSH:completions/zsh/%=$(DIR_ZSH)/%) \
    $(COMP_FISH:completions/fish/%=$(DIR_FISH)/%) $(LAYER_HEADERS:libcore/%=include/hv/%) \
    $(COMPAT_HEADERS:libcore/compat/hv/%=include/hv/%) lib/libhnet.a lib/pkgconfig/hnet.pc

# $(call put,MODE,FILES,DIRECTORY)
put = $(if $(strip $(2)),$(Q)install -d "$(DEST)/$(3)" && install -m $(1) $(2) "$(DEST)/$(3)")

install: $(BINS) $(LIB)
	$(call put,755,$(BINS),bin)
	$(call put,644,$(MAN_PAGES),share/man/man1)
	$(call put,644,$(COMP_BASH),$(DIR_BASH))
	$(call put,644,$(COMP_ZSH),$(DIR_ZSH))
	$(call put,644,$(COMP_FISH),$(DIR_FISH))
	$(Q)set -e; for h in $(LAYER_HEADERS:libcore/%=%); do \
	    install -d "$(DEST)/include/hv/$${h%/*}"; \
	    install -m 644 libcore/$$h "$(DEST)/include/hv/$$h"; \
	done
	@# The compat headers stand one floor higher once installed: their way to the layers is shorter.
	$(Q)install -d "$(DEST)/include/hv"
	$(Q)set -e; for h in $(COMPAT_HEADERS); do \
	    sed 's|^\(#include "\)\.\./\.\./|\1|' $$h >"$(DEST)/include/hv/$${h##*/}"; \
	    chmod 644 "$(DEST)/include/hv/$${h##*/}"; \
	done
	$(Q)install -d "$(DEST)/lib/pkgconfig"
	$(Q)install -m 644 $(LIB) "$(DEST)/lib/libhnet.a"
	$(Q)sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' \
	    -e 's|@REQUIRES@|$(strip $(PKGS))|' libcore/hnet.pc.in \
	    >"$(DEST)/lib/pkgconfig/hnet.pc"
	@chmod 644 "$(DEST)/lib/pkgconfig/hnet.pc"

# Removes the files above, and those of our own folders that are empty afterwards.
uninstall:
	$(Q)[ ! -d "$(DEST)" ] || { cd "$(DEST)" && rm -f $(INSTALLED); }
	$(Q)for d in $(LAYERS:%=include/hv/%) include/hv; do \
	    [ ! -d "$(DEST)/$$d" ] || rmdir --ignore-fail-on-non-empty "$(DEST)/$$d"; \
	done

clean:
	$(Q)rm -rf $(BUILD) compile_commands.json

help:
	@printf '%s\n' \
	'Targets' \
	'  all        the commands into build/bin, the library into build/libcore.a' \
	'  test       unit and command tests' \
	'  check      test, and the static checks; warnings are errors' \
	'  bench      measure against the peers (scripts/deps bench)' \
	'  fuzz       each fuzzer for FUZZ_SECONDS seconds ($(FUZZ_SECONDS))' \
	'  lint       the static checks alone; check-tidy, check-format ... one of them' \
	'  format     clang-format every source' \
	'  docs       write man/ and completions/ from the option tables' \
	'  demo       build, and show each tool at work' \
	'  install    into DESTDIR+PREFIX ($(PREFIX)); uninstall removes the same files' \
	'  clean      remove what was built' \
	'' \
	'Switches' \
	'  V=1                     show the commands' \
	'  SAN=address,undefined   build and test with sanitizers, in a folder of their own; SAN=thread' \
	'  WERROR=1                warnings are errors' \
	'  BUILD=build             the folder for everything that is built' \
	'  CC= CFLAGS= LDFLAGS=    the compiler and its flags; a change rebuilds' \
	'  WITH_URING=no WITH_INIH=no WITH_READLINE=no WITH_IDN=no WITH_ZLIB=no WITH_BROTLI=no' \
	'  WITH_ZSTD=no WITH_QRENCODE=no WITH_JANSSON=no WITH_PSL=no WITH_PCRE2=no' \
	'  WITH_HIREDIS=no' \
	'                          build without that library'

-include $(patsubst %.c,$(OBJ)/%.d,$(LIB_SRCS) $(CMD_SRCS) $(UNIT_SRCS) $(UNIT_SHARED) \
    $(BENCH_SRCS) $(BENCH_SHARED))
-include $(patsubst %.c,$(BUILD)/fuzz/obj/%.d,$(LIB_SRCS) $(CMD_SRCS) $(FUZZ_SRCS) $(FUZZ_SHARED))
