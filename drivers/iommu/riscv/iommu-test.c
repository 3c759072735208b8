// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of riscv/iommu.c, see attach-test.h
 *
 * Two IOMMUs, the first of which walks fewer levels, and a device behind each.
 * Registers are memory, and commands are done as soon as the tail is written.
 */
#include <linux/acpi.h>
#include <linux/acpi_rimt.h>
#include <linux/crash_dump.h>
#include <linux/generic_pt/iommu.h>
#include <linux/pci.h>

#include "../attach-test.h"

static void riscv_writel(u32 val, void *addr);

#undef pr_fmt
#undef writel_relaxed
#undef kfree_rcu
#define writel_relaxed(val, addr) riscv_writel(val, (__force void *)(addr))
#define kfree_rcu(p, head) ({							\
	typeof(p) __p = (p);							\
	GIVE(MEM, __p);								\
	kvfree_rcu_arg_2(__p, head); })

#include "iommu.c"

enum { NEAR, FAR, NR_IOMMUS };

#define RISCV_TEST_COMMANDS	64
/* Not of the first and last entry of the directory */
#define RISCV_TEST_ID		5

static struct riscv_unit {
	struct riscv_iommu_device iommu;
	u32 regs[SZ_1K];
	struct riscv_iommu_command commands[RISCV_TEST_COMMANDS];
	struct riscv_iommu_dc directory[SZ_4K / sizeof(struct riscv_iommu_dc)];
	struct device *dev;
	struct iommu_fwspec *fwspec;
	struct riscv_iommu_info info;
} *riscv_units;

static struct attach_driver riscv;

/* The tail of a queue: all up to it is done, unless the case says otherwise. */
static void riscv_writel(u32 val, void *addr)
{
	int i;

	*(u32 *)addr = val;
	for (i = 0; i < NR_IOMMUS; i++)
		if (addr == (void *)riscv_units[i].regs + RISCV_IOMMU_REG_CQT)
			riscv_units[i].regs[RISCV_IOMMU_REG_CQH / 4] = val;
}

/* The table, or the lack of one, of the device behind the first IOMMU */
static u64 riscv_seen(struct kunit *test)
{
	struct riscv_iommu_dc *dc = (void *)riscv_units[NEAR].directory;

	/* Base format: half of the structure */
	dc = (void *)dc + RISCV_TEST_ID * 32;
	return dc->tc & RISCV_IOMMU_DC_TC_V ? dc->fsc : 0;
}

static struct iommu_domain *riscv_far(struct kunit *test)
{
	return attach_test_alloc_for(test, &riscv, riscv_units[FAR].dev);
}

/* One that walks more levels than anybody needs for the domain that is made there */
static struct iommu_domain *riscv_near(struct kunit *test)
{
	struct iommu_domain *domain;

	riscv_units[FAR].iommu.caps &= ~RISCV_IOMMU_CAPABILITIES_SV57;
	domain = riscv_far(test);
	riscv_units[FAR].iommu.caps |= RISCV_IOMMU_CAPABILITIES_SV57;
	return domain;
}

static void riscv_none(struct kunit *test, struct iommu_domain *domain)
{
	riscv_units[NEAR].iommu.caps = 0;
}

static void riscv_some(struct kunit *test, struct iommu_domain *domain)
{
	riscv_units[NEAR].iommu.caps = RISCV_IOMMU_CAPABILITIES_SV39;
}

static void riscv_48(struct kunit *test, struct iommu_domain *domain)
{
	riscv_units[NEAR].iommu.caps = RISCV_IOMMU_CAPABILITIES_SV48;
}

/* As far as levels go it fits, but its entries have memory types. */
static struct iommu_domain *riscv_types(struct kunit *test)
{
	riscv_units[FAR].iommu.caps |= RISCV_IOMMU_CAPABILITIES_SVPBMT;
	return riscv_near(test);
}

static void riscv_types_too(struct kunit *test, struct iommu_domain *domain)
{
	riscv_units[NEAR].iommu.caps |= RISCV_IOMMU_CAPABILITIES_SVPBMT;
}

static const struct attach_case riscv_cases[] = {
	{ .name = "riscv_iommu_pt_supported: a mode that the IOMMU lacks",
	  .alloc = riscv_far, .expect = -EINVAL },
	{ .name = "riscv_iommu_pt_supported: the same, from the blocking domain",
	  .alloc = riscv_far, .first = true, .expect = -EINVAL },
	{ .name = "riscv_iommu_pt_supported: the IOMMU lacks even the smallest mode",
	  .setup = riscv_none, .undo = riscv_some, .expect = -EINVAL },
	{ .name = "riscv_iommu_pt_supported: the IOMMU has a larger mode only",
	  .setup = riscv_48, .undo = riscv_some, .expect = -EINVAL },
	{ .name = "riscv_iommu_attach_paging_domain: memory types that the IOMMU lacks",
	  .alloc = riscv_types, .expect = -EINVAL },
	{ .name = "riscv_iommu_attach_paging_domain: memory types that it has, success",
	  .alloc = riscv_types, .setup = riscv_types_too },
	{ .name = "riscv_iommu_attach_paging_domain: no memory types, which it has, success",
	  .alloc = riscv_near, .setup = riscv_types_too },
	{ .name = "riscv_iommu_bond_link: no memory for the bond",
	  .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "riscv_iommu_bond_link: no memory for the first bond",
	  .call = "kzalloc", .first = true, .expect = -ENOMEM },
	{ .name = "riscv_iommu_attach_paging_domain: another IOMMU's, success",
	  .alloc = riscv_near },
	{ .name = "riscv_iommu_attach_paging_domain: success", },
};

KUNIT_ARRAY_PARAM(riscv, riscv_cases, attach_case_desc);

static void riscv_attach(struct kunit *test)
{
	attach_check(test, &riscv, test->param_value);
}

static int riscv_test_init(struct kunit *test)
{
	int i;

	memset(attach_test.held, 0, sizeof(attach_test.held));
	riscv_units = kunit_kcalloc(test, NR_IOMMUS, sizeof(*riscv_units), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, riscv_units);
	for (i = 0; i < NR_IOMMUS; i++) {
		struct riscv_unit *unit = &riscv_units[i];
		struct riscv_iommu_device *iommu = &unit->iommu;

		iommu->reg = (void __iomem *)unit->regs;
		iommu->caps = RISCV_IOMMU_CAPABILITIES_SV39;
		iommu->ddt_mode = RISCV_IOMMU_DDTP_IOMMU_MODE_1LVL;
		iommu->ddt_root = (u64 *)unit->directory;
		iommu->cmdq.iommu = iommu;
		iommu->cmdq.base = unit->commands;
		iommu->cmdq.mask = RISCV_TEST_COMMANDS - 1;
		RISCV_IOMMU_QUEUE_INIT(&iommu->cmdq, CQ);
		raw_spin_lock_init(&iommu->cmdq.lock);

		unit->fwspec = kunit_kzalloc(test, struct_size(unit->fwspec, ids, 1), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, unit->fwspec);
		unit->fwspec->num_ids = 1;
		unit->fwspec->ids[0] = RISCV_TEST_ID;
		unit->dev = attach_test_device(test, "riscv-iommu-client");
		unit->dev->iommu->iommu_dev = &iommu->iommu;
		dev_iommu_fwspec_set(unit->dev, unit->fwspec);
		unit->dev->iommu->priv = &unit->info;
		iommu->dev = unit->dev;
	}
	riscv_units[FAR].iommu.caps |= RISCV_IOMMU_CAPABILITIES_SV57;
	riscv.ops = &riscv_iommu_ops;
	riscv.seen = riscv_seen;
	riscv.dev = riscv_units[NEAR].dev;
	return 0;
}

static void riscv_test_exit(struct kunit *test)
{
	int i;

	for (i = 0; i < NR_IOMMUS; i++)
		attach_test_remove(riscv_units[i].dev);
}

static struct kunit_case riscv_kunit[] = {
	KUNIT_CASE_PARAM(riscv_attach, riscv_gen_params),
	{}
};

static struct kunit_suite riscv_suite = {
	.name = "riscv-iommu", .init = riscv_test_init, .exit = riscv_test_exit,
	.test_cases = riscv_kunit,
};

kunit_test_suite(riscv_suite);
