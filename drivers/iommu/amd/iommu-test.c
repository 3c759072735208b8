// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of amd/iommu.c, see attach-test.h
 *
 * All of the driver is in here, and none of it elsewhere: its headers and
 * structures are those of a kernel that has it. Memory stands for the
 * registers, and amd_hw_run() for the IOMMU at the other end of the queue.
 */
#define CONFIG_AMD_IOMMU	1
#ifndef CONFIG_IRQ_REMAP
#define CONFIG_IRQ_REMAP	1
#endif
#define pr_fmt(fmt)		"AMD-Vi: " fmt
#define dev_fmt(fmt)		pr_fmt(fmt)

#include <linux/acpi.h>
#include <linux/amd-iommu.h>
#include <linux/cc_platform.h>
#include <linux/crash_dump.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dmi.h>
#include <linux/iommu-helper.h>
#include <linux/iopoll.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/kmemleak.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/scatterlist.h>
#include <linux/syscore_ops.h>
#include <asm/apic.h>
#include <asm/dma.h>
#include <asm/gart.h>
#include <asm/hw_irq.h>
#include <asm/io_apic.h>
#include <asm/iommu.h>
#include <asm/irq_remapping.h>
#include <asm/pci-direct.h>
#include <asm/proto.h>
#include <asm/set_memory.h>
#include <asm/x86_init.h>

#include "amd_iommu.h"
#include "../dma-iommu.h"
#include "../irq_remapping.h"
#include "../attach-test.h"

enum { PASID_ON = 1, PRI_ON = 2, ATS_ON = 4 };

/* What is wrong with the queue */
static enum { WORKS, HANGS, FULL } amd_queue;
static int amd_on, amd_warnings;
static int amd_irq_remapping;
static bool amd_broken;
static struct iommu_domain amd_default;
static bool amd_no_default;
/* What another CPU attaches meanwhile */
static struct iommu_domain *amd_race;
static struct attach_driver amd;

static void amd_writel(u32 val, void *addr);

static int amd_switch_on(const char *call, int what)
{
	int ret = amd_broken ? -EIO : FAIL_OR(call, 0);

	if (!ret)
		amd_on |= what;
	return ret;
}

/* The default domain of the group, which the driver looks up early in an attach */
static struct iommu_domain *amd_dma_domain(struct device *dev)
{
	struct iommu_domain *domain = amd_race;

	amd_race = NULL;
	if (domain)
		domain->ops->attach_dev(domain, dev);
	return amd_no_default ? NULL : &amd_default;
}

static void amd_put_pages_list(struct list_head *pages)
{
	struct list_head *page;

	list_for_each(page, pages)
		attach_test.held[PAGES]--;
	put_pages_list(pages);
}

/* As alloc_io_pgtable_ops() does, which knows these formats only in a kernel with the driver */
static struct io_pgtable_ops *amd_alloc_pgtable(enum io_pgtable_fmt fmt,
						struct io_pgtable_cfg *cfg, void *cookie)
{
	struct io_pgtable *iop = fmt == AMD_IOMMU_V1 ?
		io_pgtable_amd_iommu_v1_init_fns.alloc(cfg, cookie) :
		io_pgtable_amd_iommu_v2_init_fns.alloc(cfg, cookie);

	if (!iop)
		return NULL;
	iop->fmt = fmt;
	iop->cookie = cookie;
	iop->cfg = *cfg;
	return &iop->ops;
}

static void amd_free_pgtable(struct io_pgtable_ops *ops)
{
	struct io_pgtable *iop = io_pgtable_ops_to_pgtable(ops);

	io_pgtable_tlb_flush_all(iop);
	if (iop->fmt == AMD_IOMMU_V1)
		io_pgtable_amd_iommu_v1_init_fns.free(iop);
	else
		io_pgtable_amd_iommu_v2_init_fns.free(iop);
}

#undef __setup
#undef alloc_io_pgtable_ops
#undef free_io_pgtable_ops
#undef udelay
#undef writel
#undef WARN_ON
#define __setup(str, fn)		ATTACH_TEST_UNUSED(fn)
#define alloc_io_pgtable_ops(...) \
	TAKE(PGTABLE, "alloc_io_pgtable_ops", amd_alloc_pgtable(__VA_ARGS__))
#define free_io_pgtable_ops(ops)	({ attach_test.held[PGTABLE]--; amd_free_pgtable(ops); })
#define put_pages_list(pages)		amd_put_pages_list(pages)
#define writel(val, addr)		amd_writel(val, (__force void *)(addr))
/* The timeouts are loops, which need not take long */
#define udelay(usecs)			((void)(usecs))
#define WARN_ON(cond)			({ bool __warn = cond; amd_warnings += __warn; __warn; })
/* Interrupts are not remapped, and a kernel that never does lacks what for */
#define irq_remapping_enabled		amd_irq_remapping
#define arch_create_remap_msi_irq_domain(...) NULL
#define iommu_get_dma_domain(dev)	amd_dma_domain(dev)
#define pci_ats_supported(pdev)		true
#define pci_ats_queue_depth(pdev)	1
#define pci_find_ext_capability(pdev, cap) ((void)(cap), 0x100)
#define pci_prg_resp_pasid_required(pdev) true
#define pci_reset_pri(pdev)		FAIL_OR("pci_reset_pri", 0)
#define pci_enable_pasid(pdev, feat)	amd_switch_on("pci_enable_pasid", PASID_ON)
#define pci_enable_pri(pdev, reqs)	amd_switch_on("pci_enable_pri", PRI_ON)
#define pci_enable_ats(pdev, shift)	amd_switch_on("pci_enable_ats", ATS_ON)
#define pci_disable_pasid(pdev)		(amd_on &= ~PASID_ON)
#define pci_disable_pri(pdev)		(amd_on &= ~PRI_ON)
#define pci_disable_ats(pdev)		(amd_on &= ~ATS_ON)

#include "init.c"
#undef LOOP_TIMEOUT
#include "quirks.c"
#include "io_pgtable.c"
#define fetch_pte fetch_pte_v2
#include "io_pgtable_v2.c"
#include "iommu.c"

static u32 amd_regs[MMIO_CMD_TAIL_OFFSET / 4 + 1];
static struct iommu_cmd amd_cmds[CMD_BUFFER_SIZE / sizeof(struct iommu_cmd)];
static u64 amd_sem;
static struct amd_iommu amd_unit;
static struct dev_table_entry amd_table[8];
static struct amd_iommu *amd_rlookup[8];
static u16 amd_aliases[8];
static struct amd_iommu_pci_seg amd_seg = {
	.last_bdf = 7, .dev_table = amd_table, .rlookup_table = amd_rlookup,
	.alias_table = amd_aliases,
};

static unsigned long amd_ids[BITS_TO_LONGS(MAX_DOMAIN_ID)];
static struct pci_sysdata amd_sysdata;
static struct pci_bus amd_bus = { .sysdata = &amd_sysdata };
static struct pci_dev amd_pdev;
static struct dev_iommu amd_dev_iommu;

/* What was to be forgotten, in this order */
static struct amd_flush {
	u32 type;
	u16 id;
	u64 address;
} amd_flushes[32];

static int amd_nr_flushes;

static void amd_log(const u32 *cmd)
{
	u32 type = cmd[1] >> 28;

	if (amd_nr_flushes < ARRAY_SIZE(amd_flushes))
		amd_flushes[amd_nr_flushes++] = (struct amd_flush) {
			type, type == CMD_INV_DEV_ENTRY ? cmd[0] : cmd[1],
			(u64)cmd[3] << 32 | cmd[2],
		};
}

static bool amd_flushed(u32 type, u16 id)
{
	int i;

	for (i = 0; i < amd_nr_flushes; i++)
		if (amd_flushes[i].type == type && amd_flushes[i].id == id)
			return true;
	return false;
}

/* Executes the queue up to the tail just written, unless it is FULL. */
static void amd_writel(u32 val, void *addr)
{
	u32 *head = &amd_regs[MMIO_CMD_HEAD_OFFSET / 4];

	*(u32 *)addr = val;
	if (addr != &amd_regs[MMIO_CMD_TAIL_OFFSET / 4] || amd_queue == FULL)
		return;
	for (; *head != val; *head = (*head + sizeof(struct iommu_cmd)) % CMD_BUFFER_SIZE) {
		u32 *cmd = amd_cmds[*head / sizeof(struct iommu_cmd)].data;

		if (cmd[1] >> 28 != CMD_COMPL_WAIT)
			amd_log(cmd);
		else if (amd_queue == WORKS)
			amd_sem = (u64)cmd[3] << 32 | cmd[2];
	}
}

static struct iommu_dev_data *amd_data(void)
{
	return dev_iommu_priv_get(amd.dev);
}

/* The entry of the device, if it translates, and what the device is told to do */
static u64 amd_seen(struct kunit *test)
{
	u64 *dte = amd_table[amd_data()->devid].data;

	return dte[0] & DTE_FLAG_IR ? dte[0] ^ dte[1] ^ amd_on << 2 : 0;
}

static int amd_init(struct kunit *test)
{
	int i;

	memset(amd_regs, 0, sizeof(amd_regs));
	memset(amd_table, 0, sizeof(amd_table));
	memset(amd_ids, 0, sizeof(amd_ids));
	memset(&amd_unit, 0, sizeof(amd_unit));
	memset(&amd_pdev, 0, sizeof(amd_pdev));
	memset(amd_rlookup, 0, sizeof(amd_rlookup));
	for (i = 0; i < ARRAY_SIZE(amd_aliases); i++)
		amd_aliases[i] = i;
	amd_queue = WORKS;
	amd_on = 0;
	amd_warnings = 0;
	amd_sem = 0;
	amd_nr_flushes = 0;
	amd_default.type = IOMMU_DOMAIN_IDENTITY;
	amd_no_default = false;
	amd_race = NULL;
	amd_ids[0] = 1;
	amd_iommu_pd_alloc_bitmap = amd_ids;
	amd_iommu_pgtable = AMD_IOMMU_V1;
	amd_iommu_max_glx_val = 0;
	amd_iommus[0] = &amd_unit;
	amd_iommus_present = 1;
	INIT_LIST_HEAD(&amd_iommu_pci_seg_list);
	list_add(&amd_seg.list, &amd_iommu_pci_seg_list);
	init_llist_head(&amd_seg.dev_data_list);
	raw_spin_lock_init(&amd_unit.lock);
	amd_unit.mmio_base = (u8 __iomem *)amd_regs;
	amd_unit.cmd_buf = (u8 *)amd_cmds;
	amd_unit.cmd_sem = &amd_sem;
	amd_unit.pci_seg = &amd_seg;
	amd_unit.is_iommu_v2 = true;
	amd_unit.iommu.ops = &amd_iommu_ops;

	amd_pdev.bus = &amd_bus;
	amd_pdev.devfn = 3;
	amd_pdev.dev.bus = &pci_bus_type;
	amd_pdev.dev.init_name = "amd-client";
	amd_pdev.dev.iommu = &amd_dev_iommu;
	amd_rlookup[amd_pdev.devfn] = &amd_unit;
	amd.dev = &amd_pdev.dev;
	amd.ops = &amd_iommu_ops;
	amd.seen = amd_seen;
	amd.type = 0;
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, amd_iommu_ops.probe_device(amd.dev));
	return 0;
}

static void amd_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, amd_warnings, 0);
	kfree(amd_data());
	dev_iommu_priv_set(amd.dev, NULL);
}

static void amd_make_v2(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, amd_iommu_domain_enable_v2(domain, 1), 0);
}

static void amd_make_v2_only(struct kunit *test, struct iommu_domain *domain)
{
	amd_make_v2(test, domain);
	amd_default.type = IOMMU_DOMAIN_DMA;
}

static void amd_make_v2_alone(struct kunit *test, struct iommu_domain *domain)
{
	amd_make_v2(test, domain);
	amd_no_default = true;
}

static void amd_hang(struct kunit *test, struct iommu_domain *domain)
{
	amd_queue = HANGS;
}

static void amd_fill(struct kunit *test, struct iommu_domain *domain)
{
	amd_queue = FULL;
	amd_unit.cmd_buf_head = (amd_unit.cmd_buf_tail + 0x20) % CMD_BUFFER_SIZE;
	amd_regs[MMIO_CMD_HEAD_OFFSET / 4] = amd_unit.cmd_buf_head;
	/* The id of a crashed kernel to be flushed */
	amd_table[amd_pdev.devfn].data[1] |= 7;
}

/* Commands were given up, or waited for in vain. */
static void amd_repair(struct kunit *test, struct iommu_domain *domain)
{
	if (amd_queue == FULL) {
		KUNIT_EXPECT_GT(test, amd_warnings, 0);
		KUNIT_EXPECT_FALSE(test, amd_flushed(CMD_INV_IOMMU_PAGES, 7));
	} else {
		KUNIT_EXPECT_LT(test, amd_sem, amd_unit.cmd_sem_val);
	}
	amd_queue = WORKS;
	amd_unit.cmd_buf_head = amd_unit.cmd_buf_tail;
	amd_regs[MMIO_CMD_HEAD_OFFSET / 4] = amd_unit.cmd_buf_tail;
	amd_sem = amd_unit.cmd_sem_val;
	amd_warnings = 0;
}

static const struct attach_case amd_v1_cases[] = {
	{ .name = "attach_device: version 2 tables, default domain not identity",
	  .setup = amd_make_v2_only, .expect = -EINVAL },
	{ .name = "pdev_pri_ats_enable: PASID cannot be enabled",
	  .setup = amd_make_v2, .call = "pci_enable_pasid", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "pdev_pri_ats_enable: PRI cannot be reset",
	  .setup = amd_make_v2, .call = "pci_reset_pri", .ret = -EBUSY, .expect = -ENODEV },
	{ .name = "pdev_pri_ats_enable: PRI cannot be enabled",
	  .setup = amd_make_v2, .call = "pci_enable_pri", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "pdev_pri_ats_enable: ATS cannot be enabled",
	  .setup = amd_make_v2, .call = "pci_enable_ats", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "attach_device: PASID cannot be enabled in a first attach",
	  .setup = amd_make_v2, .call = "pci_enable_pasid", .ret = -EINVAL, .first = true,
	  .expect = -ENODEV },
	{ .name = "attach_device: ATS cannot be enabled for version 1 tables",
	  .call = "pci_enable_ats", .ret = -EINVAL, },
	{ .name = "wait_on_sem: commands do not complete",
	  .setup = amd_hang, .undo = amd_repair, },
	{ .name = "__iommu_queue_command_sync: the command buffer stays full",
	  .setup = amd_fill, .undo = amd_repair, },
	{ .name = "set_dte_entry: the command buffer stays full in a first attach",
	  .setup = amd_fill, .undo = amd_repair, .first = true, },
	{ .name = "amd_iommu_attach_device: success", },
};

/* Apart, since an older driver does not survive it */
static const struct attach_case amd_last_cases[] = {
	{ .name = "attach_device: version 2 tables, no default domain",
	  .setup = amd_make_v2_alone, .expect = -EINVAL },
};

static const struct attach_case amd_v2_cases[] = {
	{ .name = "pdev_pri_ats_enable: PASID cannot be enabled",
	  .call = "pci_enable_pasid", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "pdev_pri_ats_enable: PRI cannot be reset",
	  .call = "pci_reset_pri", .ret = -EBUSY, .expect = -ENODEV },
	{ .name = "pdev_pri_ats_enable: PRI cannot be enabled",
	  .call = "pci_enable_pri", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "pdev_pri_ats_enable: ATS cannot be enabled",
	  .call = "pci_enable_ats", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "amd_iommu_attach_device: success", },
};

KUNIT_ARRAY_PARAM(amd_v1, amd_v1_cases, attach_case_desc);
KUNIT_ARRAY_PARAM(amd_v2, amd_v2_cases, attach_case_desc);
KUNIT_ARRAY_PARAM(amd_last, amd_last_cases, attach_case_desc);

static void amd_attach_v1(struct kunit *test)
{
	attach_check(test, &amd, test->param_value);
}

/* The default domains of the DMA API */
static void amd_use_v2(void)
{
	amd_iommu_pgtable = AMD_IOMMU_V2;
	amd.type = IOMMU_DOMAIN_DMA;
}

static void amd_attach_v2(struct kunit *test)
{
	amd_use_v2();
	attach_check(test, &amd, test->param_value);
}

static int amd_move(struct iommu_domain *domain, const char *call)
{
	int err;

	attach_test.nth = 1;
	attach_test.ret = -EINVAL;
	attach_test.call = call;
	err = domain->ops->attach_dev(domain, amd.dev);
	attach_test.call = NULL;
	return err;
}

/* amd_iommu_attach_device: it is the same domain, and the device stays in it throughout. */
static void amd_again(struct kunit *test)
{
	struct iommu_domain *domain;
	u64 seen;

	amd_use_v2();
	domain = attach_test_alloc(test, &amd);
	KUNIT_ASSERT_EQ(test, amd_move(domain, NULL), 0);
	seen = amd_seen(test);
	KUNIT_EXPECT_EQ(test, amd_move(domain, "pci_enable_pasid"), 0);
	KUNIT_EXPECT_EQ(test, amd_seen(test), seen);
	domain->ops->free(domain);
}

/* attach_device: if there is no way back either, the device is blocked until there is one. */
static void amd_stuck(struct kunit *test)
{
	struct iommu_domain *old, *domain;

	amd_use_v2();
	old = attach_test_alloc(test, &amd);
	domain = attach_test_alloc(test, &amd);
	KUNIT_ASSERT_EQ(test, amd_move(old, NULL), 0);
	amd_broken = true;
	KUNIT_EXPECT_EQ(test, amd_move(domain, NULL), -ENODEV);
	KUNIT_EXPECT_EQ(test, amd_seen(test), 0);
	KUNIT_EXPECT_EQ(test, amd_on, 0);
	KUNIT_EXPECT_NULL(test, amd_data()->domain);
	KUNIT_EXPECT_EQ(test, amd_move(old, NULL), -ENODEV);
	amd_broken = false;
	KUNIT_EXPECT_EQ(test, amd_move(old, NULL), 0);
	KUNIT_EXPECT_NE(test, amd_seen(test), 0);
	/* Frees a domain that still has the device */
	old->ops->free(old);
	KUNIT_EXPECT_EQ(test, amd_seen(test), 0);
	KUNIT_EXPECT_EQ(test, amd_on, 0);
	domain->ops->free(domain);
}

/* As a kdump kernel finds the device */
static struct iommu_domain *amd_defer(struct kunit *test)
{
	struct iommu_domain *domain;

	amd_use_v2();
	domain = attach_test_alloc(test, &amd);
	amd_exit(test);
	init_llist_head(&amd_seg.dev_data_list);
	amd_unit.flags |= AMD_IOMMU_FLAG_TRANS_PRE_ENABLED;
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, amd_iommu_ops.probe_device(amd.dev));
	KUNIT_ASSERT_TRUE(test, amd_iommu_ops.is_attach_deferred(amd.dev));
	return domain;
}

/* amd_iommu_attach_device: what fails in a kdump kernel is deferred as before. */
static void amd_deferred(struct kunit *test)
{
	struct iommu_domain *domain = amd_defer(test);

	KUNIT_EXPECT_EQ(test, amd_move(domain, "pci_enable_pasid"), -ENODEV);
	KUNIT_EXPECT_TRUE(test, amd_iommu_ops.is_attach_deferred(amd.dev));
	KUNIT_EXPECT_EQ(test, amd_move(domain, NULL), 0);
	KUNIT_EXPECT_FALSE(test, amd_iommu_ops.is_attach_deferred(amd.dev));
	domain->ops->free(domain);
}

/* attach_device: two CPUs map first, and each has the device in its domain then. */
static void amd_deferred_race(struct kunit *test)
{
	struct iommu_domain *domain = amd_defer(test);
	u64 seen;

	amd_race = domain;
	KUNIT_EXPECT_EQ(test, amd_move(domain, NULL), 0);
	KUNIT_EXPECT_PTR_EQ(test, amd_race, NULL);
	KUNIT_EXPECT_FALSE(test, amd_iommu_ops.is_attach_deferred(amd.dev));
	KUNIT_EXPECT_EQ(test, to_pdomain(domain)->dev_cnt, 1);
	seen = amd_seen(test);
	KUNIT_EXPECT_NE(test, seen, 0);
	KUNIT_EXPECT_EQ(test, amd_move(domain, NULL), 0);
	KUNIT_EXPECT_EQ(test, amd_seen(test), seen);
	domain->ops->free(domain);
}

/* set_dte_entry: what is cached with the id of a crashed kernel is forgotten. */
static void amd_old_id(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &amd);
	u64 *dte = amd_table[amd_pdev.devfn].data;
	int i;

	for (i = 0; i < 2; i++) {
		if (i)
			dte[1] |= 7;
		amd_nr_flushes = 0;
		KUNIT_EXPECT_EQ(test, amd_move(domain, NULL), 0);
		KUNIT_EXPECT_EQ(test, dte[1] & DEV_DOMID_MASK, to_pdomain(domain)->id);
		KUNIT_EXPECT_EQ(test, amd_flushed(CMD_INV_IOMMU_PAGES, 7), i);
		domain->ops->detach_dev(domain, amd.dev);
	}
	domain->ops->free(domain);
}

/* amd_iommu_attach_device: use_vapic is that of the domain the device is in. */
static void amd_vapic(struct kunit *test)
{
	struct iommu_domain *unmanaged = attach_test_alloc(test, &amd), *dma;

	amd_use_v2();
	dma = attach_test_alloc(test, &amd);
	KUNIT_ASSERT_EQ(test, amd_move(unmanaged, NULL), 0);
	KUNIT_EXPECT_TRUE(test, amd_data()->use_vapic);
	KUNIT_EXPECT_EQ(test, amd_move(dma, "pci_enable_pasid"), -ENODEV);
	KUNIT_EXPECT_TRUE(test, amd_data()->use_vapic);
	KUNIT_EXPECT_EQ(test, amd_move(dma, NULL), 0);
	KUNIT_EXPECT_FALSE(test, amd_data()->use_vapic);
	amd_make_v2(test, unmanaged);
	KUNIT_EXPECT_EQ(test, amd_move(unmanaged, "pci_enable_pasid"), -ENODEV);
	KUNIT_EXPECT_FALSE(test, amd_data()->use_vapic);
	KUNIT_EXPECT_EQ(test, amd_move(unmanaged, NULL), 0);
	KUNIT_EXPECT_TRUE(test, amd_data()->use_vapic);
	dma->ops->free(dma);
	unmanaged->ops->free(unmanaged);
}

/* attach_device: nobody sends translated requests without ATS, and no one may. */
static void amd_no_ats(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &amd);
	u64 *dte = amd_table[amd_pdev.devfn].data;

	KUNIT_EXPECT_EQ(test, amd_move(domain, "pci_enable_ats"), 0);
	KUNIT_EXPECT_NE(test, amd_seen(test), 0);
	KUNIT_EXPECT_EQ(test, dte[1] & DTE_FLAG_IOTLB, 0);
	KUNIT_EXPECT_FALSE(test, amd_data()->ats.enabled);
	domain->ops->free(domain);
}

/* What the IOMMU, and a device with ATS, are told when some pages are unmapped */
struct amd_range {
	const char *name;
	bool np_cache;
	u64 start, size;
	int commands;
	u64 addresses[2];
};

static const struct amd_range amd_ranges[] = {
	{ "build_inv_address: one page", false, 0x8000, SZ_4K, 1, { 0x8000 } },
	{ "build_inv_address: more pages than one", false, 0x8000, SZ_16K, 1, { 0x9001 } },
	{ "build_inv_address: pages that are not aligned", false, 0x9000, 3 * SZ_4K, 1,
	  { 0x9001 } },
	{ "domain_flush_pages: only pages that were unmapped", true, 0x9000, 3 * SZ_4K, 2,
	  { 0x9000, 0xa001 } },
	{ "domain_flush_pages: the first pages", true, 0, 3 * SZ_4K, 2, { 0x1, 0x2000 } },
};

static void amd_range_desc(const struct amd_range *r, char *desc)
{
	strscpy(desc, r->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(amd_ranges, amd_ranges, amd_range_desc);

static void amd_flush(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &amd);
	const struct amd_range *r = test->param_value;
	struct iommu_iotlb_gather gather;
	int i;

	KUNIT_ASSERT_EQ(test, amd_move(domain, NULL), 0);
	KUNIT_ASSERT_TRUE(test, amd_data()->ats.enabled);
	iommu_iotlb_gather_init(&gather);
	gather.start = r->start;
	gather.end = r->start + r->size - 1;
	amd_nr_flushes = 0;
	amd_iommu_np_cache = r->np_cache;
	domain->ops->iotlb_sync(domain, &gather);
	amd_iommu_np_cache = false;
	KUNIT_ASSERT_EQ(test, amd_nr_flushes, 2 * r->commands);
	for (i = 0; i < r->commands; i++) {
		struct amd_flush *f = &amd_flushes[2 * i];

		KUNIT_EXPECT_EQ(test, f->type, CMD_INV_IOMMU_PAGES);
		KUNIT_EXPECT_EQ(test, f->id, to_pdomain(domain)->id);
		KUNIT_EXPECT_EQ(test, f->address, r->addresses[i] | CMD_INV_IOMMU_PAGES_PDE_MASK);
		f++;
		KUNIT_EXPECT_EQ(test, f->type, CMD_INV_IOTLB_PAGES);
		KUNIT_EXPECT_EQ(test, f->id, amd_pdev.devfn);
		KUNIT_EXPECT_EQ(test, f->address, r->addresses[i]);
	}
	domain->ops->free(domain);
}

/* clone_alias: the firmware says that the device uses another id, too. */
static void amd_alias(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &amd);
	int i, alias = 5;

	amd_aliases[amd_pdev.devfn] = alias;
	KUNIT_EXPECT_EQ(test, amd_move(domain, NULL), 0);
	KUNIT_EXPECT_NE(test, amd_seen(test), 0);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, memcmp(&amd_table[alias], &amd_table[amd_pdev.devfn],
					     sizeof(*amd_table)), 0);
		KUNIT_EXPECT_PTR_EQ(test, amd_rlookup[alias], &amd_unit);
		KUNIT_EXPECT_TRUE(test, amd_flushed(CMD_INV_DEV_ENTRY, alias));
		KUNIT_EXPECT_TRUE(test, amd_flushed(CMD_INV_DEV_ENTRY, amd_pdev.devfn));
		amd_nr_flushes = 0;
		if (!i)
			domain->ops->detach_dev(domain, amd.dev);
	}
	KUNIT_EXPECT_EQ(test, amd_seen(test), 0);
	domain->ops->free(domain);
}

/* A device without PCI has the id that the firmware gives to its names, and nothing else has it. */
static void amd_acpi(struct kunit *test)
{
	static const struct attach_case success = { .name = "amd_iommu_attach_device: success" };
	static struct acpihid_map_entry map[] = {
		{ .hid = "AMDI0020", .uid = "2", .devid = 5 },
		{ .hid = "AMDI0020", .uid = "1", .devid = 6 },
	};
	struct acpi_hardware_id id = { .id = "AMDI0020" };
	static struct acpi_device companion;
	static struct dev_iommu dev_iommu;
	static struct device dev;
	struct device *pci = amd.dev;
	struct iommu_group *group;
	int i;

	memset(&dev, 0, sizeof(dev));
	dev.init_name = "amd-acpi-client";
	dev.iommu = &dev_iommu;
	fwnode_init(&companion.fwnode, &acpi_device_fwnode_ops);
	INIT_LIST_HEAD(&companion.pnp.ids);
	list_add(&id.list, &companion.pnp.ids);
	companion.pnp.unique_id = "3";
	amd_rlookup[6] = &amd_unit;
	for (i = 0; i < ARRAY_SIZE(map); i++)
		list_add_tail(&map[i].list, &acpihid_map);

	/* No names, and names that nobody knows */
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_PTR_EQ(test, amd_iommu_ops.probe_device(&dev),
				    (struct iommu_device *)ERR_PTR(-ENODEV));
		dev.fwnode = &companion.fwnode;
	}
	companion.pnp.unique_id = "1";
	amd.dev = &dev;
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, amd_iommu_ops.probe_device(&dev));
	KUNIT_EXPECT_EQ(test, amd_data()->devid, 6);
	attach_check(test, &amd, &success);
	KUNIT_EXPECT_TRUE(test, amd_flushed(CMD_INV_DEV_ENTRY, 6));
	KUNIT_EXPECT_FALSE(test, amd_flushed(CMD_INV_DEV_ENTRY, 5));
	KUNIT_EXPECT_FALSE(test, amd_flushed(CMD_INV_IOTLB_PAGES, 6));
	KUNIT_EXPECT_EQ(test, amd_on, 0);

	group = amd_iommu_ops.device_group(&dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, group);
	KUNIT_EXPECT_PTR_EQ(test, map[1].group, group);
	KUNIT_EXPECT_PTR_EQ(test, amd_iommu_ops.device_group(&dev), group);
	iommu_group_put(group);
	iommu_group_put(group);
	map[1].group = NULL;

	kfree(amd_data());
	dev_iommu_priv_set(&dev, NULL);
	amd.dev = pci;
	for (i = 0; i < ARRAY_SIZE(map); i++)
		list_del(&map[i].list);
}

/* set_dte_entry: the IOMMU takes page requests, if it can, of a device that makes them. */
static void amd_page_requests(struct kunit *test)
{
	struct iommu_domain *domain;
	int i;

	amd_use_v2();
	domain = attach_test_alloc(test, &amd);
	for (i = 0; i < 2; i++) {
		amd_unit.features = i ? FEATURE_EPHSUP : 0;
		KUNIT_EXPECT_EQ(test, amd_move(domain, NULL), 0);
		KUNIT_EXPECT_EQ(test, amd_table[amd_pdev.devfn].data[0] >> DEV_ENTRY_PPR & 1, i);
		domain->ops->detach_dev(domain, amd.dev);
	}
	domain->ops->free(domain);
}

/* attach_device: a device has one domain, and it is not taken from there in passing. */
static void amd_busy(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &amd);
	struct iommu_domain *domain = attach_test_alloc(test, &amd);
	u64 seen;

	KUNIT_ASSERT_EQ(test, amd_move(old, NULL), 0);
	seen = amd_seen(test);
	KUNIT_EXPECT_EQ(test, attach_device(amd.dev, to_pdomain(domain)), -EBUSY);
	KUNIT_EXPECT_EQ(test, amd_seen(test), seen);
	KUNIT_EXPECT_EQ(test, attach_device(amd.dev, to_pdomain(old)), 0);
	KUNIT_EXPECT_EQ(test, amd_seen(test), seen);
	KUNIT_EXPECT_EQ(test, to_pdomain(old)->dev_cnt, 1);
	KUNIT_EXPECT_PTR_EQ(test, amd_data()->domain, to_pdomain(old));
	KUNIT_EXPECT_EQ(test, to_pdomain(domain)->dev_cnt, 0);
	domain->ops->free(domain);
	old->ops->free(old);
}

static struct kunit_case amd_kunit[] = {
	KUNIT_CASE_PARAM(amd_attach_v1, amd_v1_gen_params),
	KUNIT_CASE_PARAM(amd_attach_v2, amd_v2_gen_params),
	KUNIT_CASE(amd_again),
	KUNIT_CASE(amd_stuck),
	KUNIT_CASE(amd_deferred),
	KUNIT_CASE(amd_deferred_race),
	KUNIT_CASE(amd_old_id),
	KUNIT_CASE(amd_vapic),
	KUNIT_CASE(amd_no_ats),
	KUNIT_CASE_PARAM(amd_flush, amd_ranges_gen_params),
	KUNIT_CASE(amd_alias),
	KUNIT_CASE(amd_acpi),
	KUNIT_CASE(amd_page_requests),
	KUNIT_CASE(amd_busy),
	KUNIT_CASE_PARAM(amd_attach_v1, amd_last_gen_params),
	{}
};

static struct kunit_suite amd_suite = {
	.name = "amd-iommu", .init = amd_init, .exit = amd_exit, .test_cases = amd_kunit,
};

kunit_test_suite(amd_suite);
