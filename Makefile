# VIVER. Thin: every step is a script in scripts/. Plain `make` prints the targets.
SHELL := /bin/sh
COMPRESS ?= zstd
NODE := node_modules/.bin/node
BIN := PATH="$(CURDIR)/node_modules/.bin:$$PATH"
SOURCES := $(shell find src -name '*.ts' 2>/dev/null)
INITRD_FILES := $(shell find initrd -type f)
KERNEL_CONFIG := $(wildcard kernel-config/*.config)

# The tree the initrd's modules come from: Debian's kernel package, or the one named.
ROOTFS ?= build/kernel
KERNEL ?=
FIRMWARE ?=

.PHONY: help setup initrd image iso kit demo test test-unit test-field test-vm test-long bench check format clean

help: ## these lines
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## /{ printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: build/.setup ## install the Debian and npm packages that the rest needs (asks sudo when not root)
build/.setup: scripts/setup.sh scripts/apt-packages.txt package.json package-lock.json
	scripts/setup.sh
	@mkdir -p build && touch $@

# What was asked for, and which files there were: written anew when that changes, and what depends on it is made again.
# Without an earlier one nobody knows, and nothing is made again for it.
ASKED_kernel = KERNEL=$(KERNEL)
ASKED_viver = $(sort $(SOURCES) $(KERNEL_CONFIG))
ASKED_initrd = COMPRESS=$(COMPRESS) KERNEL=$(KERNEL) ROOTFS=$(ROOTFS) FIRMWARE=$(FIRMWARE) $(sort $(INITRD_FILES))
ASKED_image = IMAGE_LEVEL=$(IMAGE_LEVEL)
build/.asked-%: FORCE
	@mkdir -p build; text='$(ASKED_$*)'; [ -e $@ ] || { echo "$$text" > $@; touch -d @0 $@; }; \
	  echo "$$text" | cmp -s - $@ || echo "$$text" > $@
FORCE:

build/kernel/version: scripts/kernel.sh build/.asked-kernel | build/.setup
	scripts/kernel.sh build/kernel $(KERNEL)

build/firmware/packages: scripts/firmware.sh initrd/firmware-packages.list | build/.setup
	scripts/firmware.sh build/firmware

build/viver: $(SOURCES) $(KERNEL_CONFIG) build/.asked-viver scripts/executable.ts scripts/elf-cut.ts scripts/icu-data.ts | build/.setup
	$(BIN) node scripts/executable.ts $@

initrd: build/viverrd.zst ## build/vmlinuz and build/viverrd.zst (COMPRESS=zstd|gzip|xz|none, KERNEL=version, ROOTFS=tree with lib/modules, FIRMWARE=yes)
build/viverrd.zst: build/viver build/.programs build/.asked-initrd $(wildcard $(ROOTFS)/lib/modules/*/modules.dep) $(if $(filter build/kernel,$(ROOTFS)),build/kernel/version) $(if $(filter yes,$(FIRMWARE)),build/firmware/packages) $(INITRD_FILES) scripts/initrd.sh
	scripts/initrd.sh $(ROOTFS) "$(KERNEL)" build/viver $@ $(COMPRESS) $(if $(filter yes,$(FIRMWARE)),build/firmware)

build/.programs: scripts/programs.sh scripts/keymaps.ts initrd/binaries.list initrd/keymaps.list $(wildcard initrd/*.c) | build/.setup
	scripts/programs.sh build/programs build/first-stage
	@touch $@

image: build/debian.sqfs ## build/debian.sqfs and build/debian.caibx: a small Debian with kernel and viverrd inside (IMAGE_LEVEL=1..22: of compression)
build/debian.sqfs: build/.asked-image
build/%.sqfs: build/%.tar build/viverrd.zst build/.loaders scripts/image.sh
	$(BIN) scripts/image.sh $< $@ $(IMAGE_LEVEL)
# Only the tests boot this one: sooner made counts for more than small.
build/sysvinit.sqfs: IMAGE_LEVEL := 3
# The initrd's recipe says which kernel it has; the image takes the same.
build/%.tar: scripts/image-base.sh build/kernel-version
	scripts/image-base.sh $* "$$(cat build/kernel-version)" $@
.PRECIOUS: build/%.tar build/%.sqfs
build/kernel-version: | build/viverrd.zst

iso: build/viver.iso ## build/viver.iso: boots by BIOS and UEFI from CD, and written by dd from USB stick, SD card, hard disk
build/viver.iso: build/debian.sqfs build/.parts
	build/viver iso build/debian.sqfs -o $@ --boot build

build/.loaders: scripts/loaders.sh | build/.setup
	scripts/loaders.sh build/loaders
	@touch $@

# What the ISO says of its programs.
build/.parts: build/.programs build/.loaders scripts/kit/parts.ts src/kit/spdx/licences.ts src/kit/spdx/spdx-id.ts src/kit/source-date.ts src/runes/version.ts package-lock.json LICENSE
	$(BIN) node scripts/kit/parts.ts build/parts lib/viver/loaders=build/loaders lib/viver/programs=build/programs lib/viver/programs/init
	@touch $@

kit: build/viver-kit.tar.zst ## build/viver-kit.tar.zst and build/viver_VERSION_amd64.deb: `viver` with all it needs, for other machines
build/viver-kit.tar.zst: build/viver build/.programs build/.loaders $(INITRD_FILES) $(wildcard scripts/kit/*) LICENSE package.json
	scripts/kit/kit.sh build

demo: build/viver.iso ## three machines in QEMU: 1 boots from the ISO, 2 and 3 by PXE from 1; then 1 is switched off
	$(BIN) node scripts/demo.ts

test: check test-unit build/viverrd.zst ## everything: types and lint, unit, field and VM tests
	@# The field tests mostly wait for each other's time-outs: meanwhile the systems for the VM tests are put together.
	@$(MAKE) --no-print-directory -j3 test-field build/debian.tar build/sysvinit.tar
	@$(MAKE) --no-print-directory test-vm

test-unit: build/kernel/version build/.parts ## the fast tests
	$(BIN) vitest run --project unit

test-field: build/viverrd.zst ## several nodes on this machine
	$(BIN) vitest run --project field

test-vm: build/viverrd.zst ## whole machines in QEMU; console logs stay under build/vm
	@$(MAKE) --no-print-directory -j2 build/viver.iso build/sysvinit.sqfs
	$(BIN) vitest run --project vm

test-long: build/viverrd.zst ## what takes too long for `make test`: other distributions and init systems, PXE crowds, soaks (hours)
	@$(MAKE) --no-print-directory -j2 build/viver.iso build/sysvinit.sqfs
	$(BIN) vitest run --project long

bench: build/viver.iso ## figures into build/bench/*.json
	@for bench in test/bench/*.ts; do echo "== $$bench"; $(BIN) node $$bench || exit 1; done

check: build/.setup ## types, lint, format
	$(BIN) tsc --noEmit
	$(BIN) biome check .

format: build/.setup ## let Biome format what `make check` complains of
	$(BIN) biome check --write .

clean: ## delete build/ (node_modules stays)
	rm -rf build
