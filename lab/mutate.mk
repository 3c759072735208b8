# SPDX-License-Identifier: GPL-2.0
# A kernel again of which only sources in the folders DIR have changed. The kernel's own make, called in the folder of the
# objects, goes through all folders and links twice; this compiles in these, links, and makes IMAGE.
include ../Makefile

PHONY += mutant
mutant:
	$(Q)for dir in $(DIR); do $(MAKE) $(build)=$$dir need-builtin=1 || exit; done
	$(Q)touch vmlinux.o
	$(Q)LDFLAGS_vmlinux="$(LDFLAGS_vmlinux)" $(MAKE) -f $(srctree)/scripts/Makefile.vmlinux
	$(Q)$(if $(findstring /,$(IMAGE)),$(MAKE) $(build)=$(patsubst %/,%,$(dir $(IMAGE))) $(IMAGE))
