# SPDX-License-Identifier: GPL-2.0
# A kernel again of which only sources in DIR have changed. The kernel's own make, called in the folder of the objects,
# goes through all folders and links twice; this compiles in DIR, links, and makes IMAGE.
include ../Makefile

PHONY += mutant
mutant:
	$(Q)$(MAKE) $(build)=$(DIR) need-builtin=1
	$(Q)touch vmlinux.o
	$(Q)LDFLAGS_vmlinux="$(LDFLAGS_vmlinux)" $(MAKE) -f $(srctree)/scripts/Makefile.vmlinux
	$(Q)$(if $(findstring /,$(IMAGE)),$(MAKE) $(build)=$(patsubst %/,%,$(dir $(IMAGE))) $(IMAGE))
