# SPDX-License-Identifier: GPL-2.0
# For people. kbuild reads Kbuild; the scripts of the targets are in tools/.

KDIR ?= /lib/modules/$(shell uname -r)/build
KERNEL ?= 6.12

modules modules_install clean:
	@scripts/kdir.sh "$(KDIR)"
	$(MAKE) -C $(KDIR) M=$(CURDIR) $@

run:		# boot KERNEL in QEMU, load goheap and a sample user, show debugfs
	@tools/guest/run.sh $(KERNEL)

shell:		# the same guest, with a prompt
	@tools/guest/run.sh --shell $(KERNEL)

check:		# every test; ends with "N passed, N failed, N skipped"
	@tools/testing/check.sh $(LANES)

check-full:	# and those that take longer
	@tools/testing/check.sh --full

# KERNEL has a default for run; a benchmark in an emulator has to be asked for.
bench:		# goheap against kmalloc and kmem_cache, on User Mode Linux unless KERNEL= is given
	@tools/bench/speed.sh $(if $(filter-out file,$(origin KERNEL)),$(KERNEL)) $(BENCH)

bench-memory:	# what goheap holds beside kmalloc, on User Mode Linux or KERNEL
	@tools/bench/memory.sh $(if $(filter command line environment,$(origin KERNEL)),$(KERNEL))

bench-insn:	# the same in instructions, which do not depend on the machine
	@tools/bench/insn.sh $(KERNEL)

bench-scale:	# instructions and locks per operation, from 1 CPU to 64
	@tools/bench/scale.sh $(KERNEL)

soak:		# everything at a time for HOURS, on KERNEL or several; see testing.rst
	@HOURS=$(HOURS) SEED=$(SEED) tools/testing/soak.sh \
		$(if $(filter command line environment,$(origin KERNEL)),$(KERNEL))

help:
	@echo 'make [KDIR=...]   build goheap.ko for the running kernel, or for KDIR'
	@echo 'make run          boot a Debian kernel in QEMU and show goheap at work'
	@echo '                  (KERNEL=6.1, 6.12, 6.1-rt, 6.12-rt or 7.2)'
	@echo 'make shell        the same guest, with a prompt'
	@echo 'make check        run every test (LANES="..." for some of them)'
	@echo 'make check-full   and those that take longer, on more kernels'
	@echo 'make soak HOURS=1 every load together, content-checked, for so long (KERNEL="uml san",'
	@echo '                  SEED= to replay a round)'
	@echo 'make bench        compare speed with kmalloc and kmem_cache on User Mode Linux;'
	@echo '                  KERNEL=6.12 in QEMU, BENCH="patterns=pair,cross runs=15"'
	@echo 'make bench-insn   count instructions in an emulated guest (KERNEL=)'
	@echo 'make bench-scale  instructions and locks per operation, from 1 CPU to 64'
	@echo 'make bench-memory compare memory with kmalloc (KERNEL=uml, or as above)'
	@echo 'make clean        remove what a build left here'

.DEFAULT_GOAL := modules
.PHONY: modules modules_install clean run shell check check-full soak bench bench-insn bench-scale \
	bench-memory help
