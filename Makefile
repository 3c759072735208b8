# SPDX-License-Identifier: GPL-2.0
# The front door. Every target is one command in lab/, after lab/setup has seen to the packages.

export BASE LINUX MIRROR ONLY SUBMITTER QEMU V
# Each after the packages that it needs; `series` is what works with git, python3 and perl
series := @lab/setup series && exec lab
run := @lab/setup run && exec lab
check := @lab/setup check && exec lab
all := @lab/setup check-all && exec lab
go_on := $(CONTINUE:%=--continue)

help:
	@sed -n 's/^#? \{0,1\}//p' Makefile

#? make run         build the stock and the patched kernel, boot both, show what VFIO does on each
#? make client      QEMU in both as the user of VFIO: a virtual machine, hot plug, devices that fail (build/client.json)
#? make bench       what a join costs by groups, mapped memory and IOMMUs, in guest time and calls (build/bench.json)
#? make lint        the checks that need no kernel; with LINUX=<tree>: where a tree breaks the contract, see lab/README.md
#? make check       all checks but those that are slow and seldom red; ends with "N passed, N failed" (build/check.ktap, build/check.xml)
#? make check-all   these, too: all architectures, mutants, debug kernels, soak, bench
#? make matrix      the errno tables, counted: ways out, violations in stock and left, evidence (build/matrix.json)
#? make kunit       KUnit of the series under QEMU on five architectures (build/kunit.json)
#? make mutate      one-line mutants of the series: which does no test notice? (build/mutate.json)
#? make coverage    lines and branches of the attach functions that the tests run, by gcov (build/coverage.json)
#? make soak        a random walk of VFIO on simulated IOMMUs, 100000 steps
#?
#? make tree        the series as a git tree to work in: build/linux-6.1-patched
#? make compose     the series as branch contract/6.1 of build/linux.git
#? make refresh     write the commits of that tree back to patches/6.1 and the new files
#? make export      topics as mails, and a quilt queue for a distribution: build/export/6.1; a topic is sent by
#?                  git send-email --to-cmd=true build/export/6.1/TOPIC/*.patch
#? make topics      the topics: patches, lines, what each needs, to whom it goes
#?
#? make setup       install the Debian packages of make check (all targets do that first, for what they need)
#? make clean       remove build/
#? make distclean   and what all clones share: ~/.cache/attach-contract
#?
#? ONLY=<check>     with check: one of them, as `make check ONLY=boot`
#? CONTINUE=1       with check, check-all, lint: what has passed on this very state is not run again
#? MACHINE=<name>   with run, bench: a machine of lab/machines; for bench also sim; default: vtd, all
#? DRIVER=<name>    with matrix: a line for each violation of that driver
#? LINUX=<path>     another base than Debian's: a kernel tree (its HEAD) or tarball; with lint: a tree, as it stands
#? FILE=, FORMAT=   with lint LINUX=<tree>: files of it; json or sarif
#? MIRROR=<uri>     where to take Debian's base from, a folder debian with debian-security beside it; default: as your apt
#? BASE=mainline    another series than that of 6.1: a folder in patches/; without it some checks run for all of them
#? TOPIC=<name>     with export, compose: one topic; with export also stable, distribution
#? SUBMITTER=<..>   with export: "Name <mail>" for From and Signed-off-by; default: your git identity
#? PREFIX=, VERSION= with export: of the subjects, as PREFIX="RFC PATCH" VERSION=2
#? QEMU=<program>   another qemu-system-x86_64; with client it is the one in the guests, too
#? V=1, NO_COLOR=1  show every command; no colour

run:
	$(run)/lab run $(MACHINE)
client:
	$(run)/lab client
bench:
	$(run)/lab bench $(MACHINE)
check:
	$(check)/lab check $(go_on) $(ONLY)
lint:
ifdef LINUX
	@exec lab/lab lint '$(LINUX)' $(FILE) $(FORMAT:%=--%)
else
	$(check)/lab check --lint $(go_on)
endif
check-all:
	$(all)/lab check --all $(go_on) $(ONLY)
compose:
	$(series)/lab compose $(TOPIC:%=--topic '%')
topics:
	$(series)/lab topics
matrix:
	$(series)/lab matrix $(DRIVER)
kunit:
	$(all)/lab kunit
mutate:
	$(all)/lab mutate
coverage:
	@lab/setup coverage && exec lab/lab coverage
soak:
	$(check)/lab check soak
tree:
	$(series)/lab compose --tree
refresh:
	$(series)/lab refresh
export:
	$(series)/lab export $(TOPIC:%=--topic '%') $(if $(PREFIX),--prefix '$(PREFIX)') $(VERSION:%=--version '%')
setup:
	@lab/setup check
clean:
	@lab/lab clean
distclean:
	@lab/lab clean --all

.PHONY: help run client bench lint check check-all compose topics matrix kunit mutate coverage soak tree refresh export setup clean distclean
