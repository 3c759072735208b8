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
#ifndef CONFIG_MMU_NOTIFIER
#define CONFIG_MMU_NOTIFIER	1
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
#include <linux/generic_pt/iommu.h>
#include <linux/iommu-helper.h>
#include <linux/iopoll.h>
#include <linux/irq.h>
#include <linux/irqchip/irq-msi-lib.h>
#include <linux/irqdomain.h>
#include <linux/kmemleak.h>
#include <linux/mmu_notifier.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/scatterlist.h>
#include <linux/syscore_ops.h>
#include <uapi/linux/iommufd.h>
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
#include <asm/sev.h>
#include <asm/x86_init.h>

#include "amd_iommu.h"
#include "../dma-iommu.h"
#include "../irq_remapping.h"
#include "../attach-test.h"

enum { PASID_ON = 1, PRI_ON = 2, ATS_ON = 4 };

#define AMD_PASID	5

/* What is wrong with the queue */
static enum { WORKS, HANGS, FULL } amd_queue;
static int amd_on, amd_warnings;
static int amd_irq_remapping;
/* Whether somebody relies on the mutex of the group, which a process that exits does not hold */
static bool amd_exiting, amd_relies;
/* The domain whose process exits when the next page is freed; if that page is written to then */
static struct protection_domain *amd_exits;
static bool amd_late;
static struct attach_driver amd;
static struct mm_struct amd_mm;

static void amd_writel(u32 val, void *addr);
static void amd_free_page(void *page);

static int amd_switch_on(const char *call, int what)
{
	int ret = FAIL_OR(call, 0);

	if (!ret)
		amd_on |= what;
	return ret;
}

#undef __setup
#undef udelay
#undef writel
#undef WARN_ON
#undef iommu_free_pages
#define __setup(str, fn)							\
	static __maybe_unused const void * const __UNIQUE_ID(unused)[] = { (str), &(fn) }
#define writel(val, addr)		amd_writel(val, (__force void *)(addr))
/* The timeouts are loops, which need not take long */
#define udelay(usecs)			((void)(usecs))
#define WARN_ON(cond)			({ bool __warn = cond; amd_warnings += __warn; __warn; })
#define iommu_free_pages(p)		amd_free_page(p)
#define xa_insert(...)			FAIL_OR("xa_insert", xa_insert(__VA_ARGS__))
#define iommu_group_mutex_assert(dev)	({ (void)(dev); amd_relies |= amd_exiting; })
#define iopf_queue_add_device(...)	FAIL_OR("iopf_queue_add_device", 0)
#define iopf_queue_remove_device(...)	((void)0)
#define iopf_queue_flush_dev(...)	((void)0)
#define mmu_notifier_register(...)	0
#define mmu_notifier_unregister(...)	((void)0)
/* Interrupts are not remapped, and a kernel that never does lacks what for */
#define irq_remapping_enabled		amd_irq_remapping
#define pci_ats_supported(...)		true
#define pci_ats_queue_depth(...)	1
#define pci_prepare_ats(pdev, ...)	((void)(pdev))
#define pci_pri_supported(...)		true
#define pci_pasid_features(...)		0
#define pci_max_pasids(...)		SZ_1M
#define pci_prg_resp_pasid_required(...) true
#define pci_reset_pri(...)		FAIL_OR("pci_reset_pri", 0)
#define pci_enable_pasid(...)		amd_switch_on("pci_enable_pasid", PASID_ON)
#define pci_enable_pri(...)		amd_switch_on("pci_enable_pri", PRI_ON)
#define pci_enable_ats(...)		amd_switch_on("pci_enable_ats", ATS_ON)
#define pci_disable_pasid(...)		(amd_on &= ~PASID_ON)
#define pci_disable_pri(...)		(amd_on &= ~PRI_ON)
#define pci_disable_ats(...)		(amd_on &= ~ATS_ON)

#include "init.c"
#include "quirks.c"
#undef dev_fmt
#include "nested.c"
#undef dev_fmt
#include "pasid.c"
#include "ppr.c"
#include "iommu.c"

#undef iommu_free_pages

static u32 amd_regs[MMIO_CMD_TAIL_OFFSET / 4 + 1];
/* A process has its page table here, too. */
static struct iommu_cmd amd_cmds[CMD_BUFFER_ENTRIES] __aligned(PAGE_SIZE);
static u64 amd_sem;
static struct amd_iommu amd_unit;
static struct dev_table_entry amd_table[8];
static struct amd_iommu *amd_rlookup[8];
static u16 amd_aliases[8];
static struct amd_iommu_pci_seg amd_seg = {
	.last_bdf = 7, .dev_table = amd_table, .rlookup_table = amd_rlookup,
	.alias_table = amd_aliases,
};

static struct pci_sysdata amd_sysdata;
static struct pci_bus amd_bus = { .sysdata = &amd_sysdata };
static struct pci_dev amd_pdev;
static struct dev_iommu amd_dev_iommu;

/* What was to be forgotten, in this order */
static struct amd_flush {
	u32 type;
	u16 id;
	u32 pasid;
	u64 address;
} amd_flushes[64];

static int amd_nr_flushes;

static void amd_log(const u32 *cmd)
{
	u32 type = cmd[1] >> 28;

	if (amd_nr_flushes < ARRAY_SIZE(amd_flushes))
		amd_flushes[amd_nr_flushes++] = (struct amd_flush) {
			type, type == CMD_INV_DEV_ENTRY ? cmd[0] : cmd[1],
			type == CMD_INV_IOMMU_PAGES ? cmd[0] : 0,
			(u64)cmd[3] << 32 | cmd[2],
		};
}

static bool amd_flushed_pasid(u32 type, u16 id, u32 pasid)
{
	int i;

	for (i = 0; i < amd_nr_flushes; i++)
		if (amd_flushes[i].type == type && amd_flushes[i].id == id &&
		    amd_flushes[i].pasid == pasid)
			return true;
	return false;
}

static bool amd_flushed(u32 type, u16 id)
{
	return amd_flushed_pasid(type, id, 0);
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

static u64 *amd_dte(void)
{
	return amd_table[amd_data()->devid].data;
}

/* What the IOMMU finds for a PASID in the table that the entry of the device points to */
static u64 amd_gcr3(int pasid)
{
	u64 *dte = amd_dte(), root;
	int level = FIELD_GET(DTE_GLX, dte[0]);

	if (!(dte[0] & DTE_FLAG_GV))
		return 0;
	root = FIELD_GET(DTE_GCR3_14_12, dte[0]) << 12 | FIELD_GET(DTE_GCR3_30_15, dte[1]) << 15 |
	       FIELD_GET(DTE_GCR3_51_31, dte[1]) << 31 | GCR3_VALID;
	for (; level >= 0 && root & GCR3_VALID; level--)
		root = ((u64 *)phys_to_virt(root & PAGE_MASK))[pasid >> 9 * level & 511];
	return root & GCR3_VALID ? root & PAGE_MASK : 0;
}

/* The entry of the device, if it translates, and what the device is told to do */
static u64 amd_seen(struct kunit *test)
{
	u64 *dte = amd_dte();

	/* What comes without a PASID goes by the table of PASID 0 then */
	if (dte[0] & DTE_FLAG_GIOV && !amd_gcr3(0))
		return 0;
	return dte[0] & DTE_FLAG_IR ? dte[0] ^ dte[1] ^ amd_gcr3(0) ^ amd_on << 2 : 0;
}

static void amd_exit_mm(struct protection_domain *domain)
{
	amd_exiting = true;
	sva_mn.release(&domain->mn, &amd_mm);
	amd_exiting = false;
}

static void amd_free_page(void *page)
{
	struct protection_domain *domain = amd_exits;
	u64 entry = page ? ((u64 *)page)[AMD_PASID] : 0;

	if (domain && entry) {
		amd_exits = NULL;
		amd_exit_mm(domain);
		amd_late = ((u64 *)page)[AMD_PASID] != entry;
	}
	GIVE(PAGES, page);
	iommu_free_pages(page);
}

static int amd_init(struct kunit *test)
{
	struct iommu_device *iommu;
	int i;

	memset(amd_regs, 0, sizeof(amd_regs));
	memset(amd_table, 0, sizeof(amd_table));
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
	amd_relies = false;
	amd_exits = NULL;
	amd_iommu_pgtable = PD_MODE_V1;
	amd_iommu_hpt_vasize = 48;
	amd_iommu_max_glx_val = 2;
	amd_iommu_snp_en = false;
	amd_iommu_efr = FEATURE_GIOSUP | FEATURE_GT | FEATURE_PPR | FEATURE_EPHSUP;
	INIT_LIST_HEAD(&amd_iommu_pci_seg_list);
	list_add(&amd_seg.list, &amd_iommu_pci_seg_list);
	init_llist_head(&amd_seg.dev_data_list);
	raw_spin_lock_init(&amd_unit.lock);
	amd_unit.mmio_base = (u8 __iomem *)amd_regs;
	amd_unit.cmd_buf = (u8 *)amd_cmds;
	amd_unit.cmd_sem = &amd_sem;
	amd_unit.pci_seg = &amd_seg;
	amd_unit.dev = &amd_pdev;
	amd_unit.iopf_queue = (void *)&amd_unit;
	amd_unit.iommu.ops = &amd_iommu_ops;
	amd_unit.iommu.max_pasids = 512;
	if (!identity_domain.id)
		amd_iommu_init_identity_domain();
	attach_test.held[ID] = 0;

	amd_pdev.bus = &amd_bus;
	amd_pdev.devfn = 3;
	amd_pdev.dev.bus = &pci_bus_type;
	amd_pdev.dev.init_name = "amd-client";
	amd_pdev.dev.iommu = &amd_dev_iommu;
	set_dev_node(&amd_pdev.dev, NUMA_NO_NODE);
	amd_rlookup[amd_pdev.devfn] = &amd_unit;
	amd.dev = &amd_pdev.dev;
	amd.ops = &amd_iommu_ops;
	amd.seen = amd_seen;
	iommu = amd_iommu_ops.probe_device(amd.dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, iommu);
	amd_dev_iommu.iommu_dev = iommu;
	return 0;
}

static void amd_forget(void)
{
	struct iommu_dev_data *data, *next;

	llist_for_each_entry_safe(data, next, llist_del_all(&amd_seg.dev_data_list), dev_data_list)
		kfree(data);
	dev_iommu_priv_set(amd.dev, NULL);
}

static void amd_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, amd_warnings, 0);
	KUNIT_EXPECT_FALSE_MSG(test, amd_relies, "who exits does not hold the mutex of a group");
	amd_forget();
}

static struct iommu_domain *amd_alloc_dirty(struct kunit *test)
{
	struct iommu_domain *domain;

	amd_unit.features = FEATURE_HDSUP;
	domain = amd_iommu_ops.domain_alloc_paging_flags(amd.dev, IOMMU_HWPT_ALLOC_DIRTY_TRACKING,
							 NULL);
	amd_unit.features = 0;
	return attach_test_domain(test, &amd, IOMMU_DOMAIN_UNMANAGED, domain);
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
	amd_dte()[1] |= 7;
}

/* Commands were given up, or waited for in vain. */
static void amd_repair(struct kunit *test, struct iommu_domain *domain)
{
	if (amd_queue == FULL)
		KUNIT_EXPECT_FALSE(test, amd_flushed(CMD_INV_IOMMU_PAGES, 7));
	else
		KUNIT_EXPECT_LT(test, amd_sem, amd_unit.cmd_sem_val);
	amd_queue = WORKS;
	amd_unit.cmd_buf_head = amd_unit.cmd_buf_tail;
	amd_regs[MMIO_CMD_HEAD_OFFSET / 4] = amd_unit.cmd_buf_tail;
	amd_sem = amd_unit.cmd_sem_val;
	amd_warnings = 0;
}

/* A table of two levels, for devices with more PASIDs than one has room for */
static void amd_two_levels(struct kunit *test, struct iommu_domain *domain)
{
	amd_data()->max_pasids = 1024;
}

static void amd_few_levels(struct kunit *test, struct iommu_domain *domain)
{
	amd_two_levels(test, domain);
	amd_iommu_max_glx_val = 0;
}

static void amd_enough_levels(struct kunit *test, struct iommu_domain *domain)
{
	amd_iommu_max_glx_val = 2;
}

static const struct attach_case amd_v1_cases[] = {
	{ .name = "amd_iommu_attach_device: dirty tracking, but the IOMMU has none",
	  .alloc = amd_alloc_dirty, .expect = -EINVAL },
	{ .name = "pdom_attach_iommu: no memory",
	  .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "pdom_attach_iommu: no memory in the xarray",
	  .call = "xa_insert", .ret = -ENOMEM, .expect = -ENOMEM },
	{ .name = "pdom_attach_iommu: no memory for a first attach",
	  .call = "kzalloc", .first = true, .expect = -ENOMEM },
	{ .name = "pdev_enable_cap_ats: ATS cannot be enabled",
	  .call = "pci_enable_ats", .ret = -EINVAL, },
	{ .name = "wait_on_sem: commands do not complete",
	  .setup = amd_hang, .undo = amd_repair, },
	{ .name = "__iommu_queue_command_sync: the command buffer stays full",
	  .setup = amd_fill, .undo = amd_repair, },
	{ .name = "set_dte_entry: the command buffer stays full in a first attach",
	  .setup = amd_fill, .undo = amd_repair, .first = true, },
	{ .name = "amd_iommu_attach_device: success", },
};

static const struct attach_case amd_v2_cases[] = {
	{ .name = "pdom_attach_iommu: no memory",
	  .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "setup_gcr3_table: no domain id",
	  .call = "ida_alloc_range", .ret = -ENOSPC, .expect = -ENOSPC },
	{ .name = "setup_gcr3_table: no domain id for a first attach",
	  .call = "ida_alloc_range", .ret = -ENOSPC, .first = true, .expect = -ENOSPC },
	{ .name = "setup_gcr3_table: no memory for the domain id",
	  .call = "ida_alloc_range", .ret = -ENOMEM, .expect = -ENOMEM },
	{ .name = "setup_gcr3_table: no memory for the table",
	  .call = "iommu_alloc_pages_node_sz", .expect = -ENOMEM },
	{ .name = "setup_gcr3_table: more PASIDs than the IOMMU has levels for",
	  .setup = amd_few_levels, .undo = amd_enough_levels, .expect = -ENODEV },
	{ .name = "__get_gcr3_pte: no memory for the second level",
	  .setup = amd_two_levels, .call = "iommu_alloc_pages_node_sz", .nth = 2,
	  .expect = -ENOMEM },
	{ .name = "pdev_enable_cap_pasid: PASID cannot be enabled",
	  .call = "pci_enable_pasid", .ret = -EINVAL, },
	{ .name = "pdev_enable_cap_ats: ATS cannot be enabled",
	  .call = "pci_enable_ats", .ret = -EINVAL, },
	{ .name = "pdev_enable_cap_pri: PRI cannot be reset",
	  .call = "pci_reset_pri", .ret = -EBUSY, },
	{ .name = "pdev_enable_cap_pri: PRI cannot be enabled",
	  .call = "pci_enable_pri", .ret = -EINVAL, },
	{ .name = "amd_iommu_iopf_add_device: no memory",
	  .call = "iopf_queue_add_device", .ret = -ENOMEM, },
	{ .name = "wait_on_sem: commands do not complete",
	  .setup = amd_hang, .undo = amd_repair, },
	{ .name = "__iommu_queue_command_sync: the command buffer stays full",
	  .setup = amd_fill, .undo = amd_repair, },
	{ .name = "amd_iommu_attach_device: success for a table of two levels",
	  .setup = amd_two_levels, },
	{ .name = "amd_iommu_attach_device: success", },
};

KUNIT_ARRAY_PARAM(amd_v1, amd_v1_cases, attach_case_desc);
KUNIT_ARRAY_PARAM(amd_v2, amd_v2_cases, attach_case_desc);

static void amd_attach_v1(struct kunit *test)
{
	attach_check(test, &amd, test->param_value);
}

static void amd_attach_v2(struct kunit *test)
{
	amd_iommu_pgtable = PD_MODE_V2;
	attach_check(test, &amd, test->param_value);
}

static int amd_move(struct iommu_domain *domain, const char *call)
{
	int err;

	attach_test_inject(call, 1, 0);
	err = domain->ops->attach_dev(domain, amd.dev, NULL);
	attach_test.call = NULL;
	return err;
}

static void amd_leave(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, amd_move(&blocked_domain, NULL), 0);
	KUNIT_EXPECT_EQ(test, amd_seen(test), 0);
	KUNIT_EXPECT_EQ(test, amd_on, 0);
}

/* amd_iommu_identity_attach: a device with PASIDs needs a table, too, and leaves none behind. */
static void amd_identity(struct kunit *test)
{
	struct iommu_domain *identity = amd_iommu_ops.identity_domain;
	struct iommu_domain *old = attach_test_alloc(test, &amd);
	const u64 flags = DTE_FLAG_IR | DTE_FLAG_GV;
	int held[NR_HELD];
	u64 seen;

	memcpy(held, attach_test.held, sizeof(held));
	KUNIT_ASSERT_EQ(test, amd_move(old, NULL), 0);
	seen = amd_seen(test);
	KUNIT_EXPECT_EQ(test, amd_move(identity, "kzalloc"), -ENOMEM);
	KUNIT_EXPECT_EQ(test, amd_seen(test), seen);
	KUNIT_EXPECT_EQ(test, amd_move(identity, "iommu_alloc_pages_node_sz"), -ENOMEM);
	KUNIT_EXPECT_EQ(test, amd_seen(test), seen);
	amd_iommu_snp_en = true;
	KUNIT_EXPECT_EQ(test, amd_move(identity, NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, amd_seen(test), seen);
	amd_iommu_snp_en = false;
	KUNIT_EXPECT_EQ(test, amd_move(identity, NULL), 0);
	KUNIT_EXPECT_EQ(test, amd_dte()[0] & DTE_MODE_MASK, 0);
	KUNIT_EXPECT_EQ(test, amd_dte()[0] & flags, flags);
	KUNIT_EXPECT_EQ(test, amd_dte()[1] & DTE_DOMID_MASK, amd_data()->gcr3_info.domid);
	amd_leave(test);
	attach_test_same(test, held, "after all domains are left");
	old->ops->free(old);
}

/* amd_iommu_attach_device: it is the same domain, and the device stays in it throughout. */
static void amd_again(struct kunit *test)
{
	struct iommu_domain *domain;
	u64 seen;

	amd_iommu_pgtable = PD_MODE_V2;
	domain = attach_test_alloc(test, &amd);
	KUNIT_ASSERT_EQ(test, amd_move(domain, NULL), 0);
	seen = amd_seen(test);
	amd_nr_flushes = 0;
	KUNIT_EXPECT_EQ(test, amd_move(domain, "iommu_alloc_pages_node_sz"), 0);
	KUNIT_EXPECT_EQ(test, amd_seen(test), seen);
	KUNIT_EXPECT_EQ(test, amd_nr_flushes, 0);
	amd_leave(test);
	domain->ops->free(domain);
}

/* amd_iommu_attach_device: what fails in a kdump kernel is deferred as before. */
static void amd_deferred(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &amd);

	amd_forget();
	amd_unit.flags |= AMD_IOMMU_FLAG_TRANS_PRE_ENABLED;
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, amd_iommu_ops.probe_device(amd.dev));
	KUNIT_ASSERT_TRUE(test, amd_iommu_ops.is_attach_deferred(amd.dev));
	KUNIT_EXPECT_EQ(test, amd_move(domain, "kzalloc"), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, amd_iommu_ops.is_attach_deferred(amd.dev));
	KUNIT_EXPECT_EQ(test, amd_move(domain, NULL), 0);
	KUNIT_EXPECT_FALSE(test, amd_iommu_ops.is_attach_deferred(amd.dev));
	amd_leave(test);
	domain->ops->free(domain);
}

/* set_dte_entry: what is cached with the id of a crashed kernel is forgotten. */
static void amd_old_id(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &amd);
	int i;

	for (i = 0; i < 2; i++) {
		if (i)
			amd_dte()[1] |= 7;
		amd_nr_flushes = 0;
		KUNIT_EXPECT_EQ(test, amd_move(domain, NULL), 0);
		KUNIT_EXPECT_EQ(test, amd_dte()[1] & DTE_DOMID_MASK, to_pdomain(domain)->id);
		KUNIT_EXPECT_EQ(test, amd_flushed(CMD_INV_IOMMU_PAGES, 7), i);
		amd_leave(test);
	}
	domain->ops->free(domain);
}

/* amd_iommu_attach_device: use_vapic is that of the domain the device is in. */
static void amd_vapic(struct kunit *test)
{
	struct iommu_domain *unmanaged = attach_test_alloc(test, &amd);
	struct iommu_domain *dma = attach_test_alloc(test, &amd);

	dma->type = IOMMU_DOMAIN_DMA;
	KUNIT_ASSERT_EQ(test, amd_move(unmanaged, NULL), 0);
	KUNIT_EXPECT_TRUE(test, amd_data()->use_vapic);
	KUNIT_EXPECT_EQ(test, amd_move(dma, "kzalloc"), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, amd_data()->use_vapic);
	KUNIT_EXPECT_EQ(test, amd_move(dma, NULL), 0);
	KUNIT_EXPECT_FALSE(test, amd_data()->use_vapic);
	KUNIT_EXPECT_EQ(test, amd_move(unmanaged, "kzalloc"), -ENOMEM);
	KUNIT_EXPECT_FALSE(test, amd_data()->use_vapic);
	amd_leave(test);
	dma->ops->free(dma);
	unmanaged->ops->free(unmanaged);
}

/* attach_device: nobody sends translated requests without ATS, and no one may. */
static void amd_no_ats(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &amd);

	attach_test_inject("pci_enable_ats", 1, -EINVAL);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, amd.dev, NULL), 0);
	attach_test.call = NULL;
	KUNIT_EXPECT_NE(test, amd_seen(test), 0);
	KUNIT_EXPECT_EQ(test, amd_dte()[1] & DTE_FLAG_IOTLB, 0);
	KUNIT_EXPECT_FALSE(test, amd_data()->ats_enabled);
	amd_leave(test);
	domain->ops->free(domain);
}

/* attach_device: the IOMMU takes page requests if there is a queue for them. */
static void amd_page_requests(struct kunit *test)
{
	struct iommu_domain *domain;
	int i;

	amd_iommu_pgtable = PD_MODE_V2;
	domain = attach_test_alloc(test, &amd);
	for (i = 0; i < 2; i++) {
		amd_unit.iopf_queue = i ? (void *)&amd_unit : NULL;
		KUNIT_EXPECT_EQ(test, amd_move(domain, NULL), 0);
		KUNIT_EXPECT_EQ(test, !!(amd_dte()[0] & DTE_FLAG_PPR), i);
		KUNIT_EXPECT_EQ(test, !!(amd_on & PRI_ON), i);
		amd_leave(test);
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
			amd_leave(test);
	}
	domain->ops->free(domain);
}

/* clone_alias: an alias that had no memory when the device was probed stays as it was. */
static void amd_alias_no_memory(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &amd);
	int alias = 5;

	amd_aliases[amd_pdev.devfn] = alias;
	attach_test_inject("kzalloc", 1, 0);
	KUNIT_EXPECT_EQ(test, clone_alias(&amd_pdev, alias, &amd_pdev), -ENOMEM);
	/* The first is the reference on the IOMMU */
	attach_test_inject("kzalloc", 2, 0);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, amd.dev, NULL), 0);
	attach_test.call = NULL;
	KUNIT_EXPECT_NE(test, amd_seen(test), 0);
	KUNIT_EXPECT_EQ(test, amd_table[alias].data[0], 0);
	amd_leave(test);
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
	KUNIT_ASSERT_TRUE(test, amd_data()->ats_enabled);
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
		KUNIT_EXPECT_EQ(test, f->address, r->addresses[i]);
		f++;
		KUNIT_EXPECT_EQ(test, f->type, CMD_INV_IOTLB_PAGES);
		KUNIT_EXPECT_EQ(test, f->id, amd_pdev.devfn);
		KUNIT_EXPECT_EQ(test, f->address, r->addresses[i]);
	}
	amd_leave(test);
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
	set_dev_node(&dev, NUMA_NO_NODE);
	fwnode_init(&companion.fwnode, &acpi_device_fwnode_ops);
	INIT_LIST_HEAD(&companion.pnp.ids);
	list_add(&id.list, &companion.pnp.ids);
	companion.pnp.unique_id = "3";
	amd_rlookup[6] = &amd_unit;
	for (i = 0; i < ARRAY_SIZE(map); i++)
		list_add_tail(&map[i].list, &acpihid_map);

	/* No names, and names that are not its own alone */
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_PTR_EQ(test, amd_iommu_ops.probe_device(&dev),
				    (struct iommu_device *)ERR_PTR(-ENODEV));
		dev.fwnode = &companion.fwnode;
	}
	companion.pnp.unique_id = "1";
	amd.dev = &dev;
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, amd_iommu_ops.probe_device(&dev));
	dev_iommu.iommu_dev = &amd_unit.iommu;
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

	dev_iommu_priv_set(&dev, NULL);
	amd.dev = pci;
	for (i = 0; i < ARRAY_SIZE(map); i++)
		list_del(&map[i].list);
}

/* A process, and the device in its identity domain, which has PASIDs */
static struct iommu_domain *amd_bind(struct kunit *test)
{
	struct iommu_domain *sva = amd_iommu_ops.domain_alloc_sva(amd.dev, &amd_mm);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sva);
	amd_mm.pgd = (pgd_t *)amd_cmds;
	sva->mm = &amd_mm;
	KUNIT_ASSERT_EQ(test, amd_move(amd_iommu_ops.identity_domain, NULL), 0);
	return sva;
}

static int amd_set(struct iommu_domain *sva, int pasid, struct iommu_domain *old)
{
	return sva->ops->set_dev_pasid(sva, amd.dev, pasid, old);
}

static void amd_take(struct kunit *test, struct iommu_domain *sva, int pasid)
{
	KUNIT_EXPECT_EQ(test, blocked_domain.ops->set_dev_pasid(&blocked_domain, amd.dev, pasid,
								sva), 0);
	KUNIT_EXPECT_EQ(test, amd_gcr3(pasid), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&to_pdomain(sva)->dev_data_list));
}

/* What set_dev_pasid returns */
struct amd_pasid {
	const char *name;
	const char *call;
	void (*setup)(struct kunit *test, struct iommu_domain *domain);
	int pasid, expect;
};

static void amd_no_pasids(struct kunit *test, struct iommu_domain *domain)
{
	struct iommu_domain *identity = amd_iommu_ops.identity_domain;

	amd_leave(test);
	attach_test_inject("pci_enable_pasid", 1, -EINVAL);
	KUNIT_ASSERT_EQ(test, identity->ops->attach_dev(identity, amd.dev, NULL), 0);
}

static void amd_no_table(struct kunit *test, struct iommu_domain *domain)
{
	amd_leave(test);
}

static const struct amd_pasid amd_pasid_cases[] = {
	{ "is_pasid_valid: not the PASID of a process", .pasid = 0, .expect = -ENODEV },
	{ "is_pasid_valid: the device has no such PASID", .pasid = 1024, .expect = -ENODEV },
	{ "is_pasid_enabled: PASID could not be enabled", .setup = amd_no_pasids,
	  .pasid = AMD_PASID, .expect = -ENODEV },
	{ "is_pasid_enabled: the device has no table", .setup = amd_no_table,
	  .pasid = AMD_PASID, .expect = -ENODEV },
	{ "iommu_sva_set_dev_pasid: no memory", .call = "kzalloc",
	  .pasid = AMD_PASID, .expect = -ENOMEM },
	{ "__get_gcr3_pte: no memory for the second level", .call = "iommu_alloc_pages_node_sz",
	  .pasid = AMD_PASID, .expect = -ENOMEM },
	{ "iommu_sva_set_dev_pasid: success", .pasid = AMD_PASID, },
};

static void amd_pasid_desc(const struct amd_pasid *p, char *desc)
{
	strscpy(desc, p->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(amd_pasid, amd_pasid_cases, amd_pasid_desc);

static void amd_set_pasid(struct kunit *test)
{
	const struct amd_pasid *p = test->param_value;
	struct iommu_domain *sva;
	int held[NR_HELD];
	u64 seen;

	amd_two_levels(test, NULL);
	sva = amd_bind(test);
	if (p->setup)
		p->setup(test, sva);
	seen = amd_seen(test);
	memcpy(held, attach_test.held, sizeof(held));
	attach_test_inject(p->call, 1, 0);
	KUNIT_EXPECT_EQ(test, amd_set(sva, p->pasid, NULL), p->expect);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, amd_seen(test), seen);
	KUNIT_EXPECT_EQ(test, list_empty(&to_pdomain(sva)->dev_data_list), !!p->expect);
	KUNIT_EXPECT_EQ(test, amd_gcr3(p->pasid), p->expect ? 0 : virt_to_phys(amd_mm.pgd));
	if (p->expect)
		attach_test_same(test, held, "after the failed attach");
	else
		amd_take(test, sva, p->pasid);
	KUNIT_EXPECT_EQ(test, amd_move(&blocked_domain, NULL), 0);
	sva->ops->free(sva);
}

/* amd_iommu_attach_device: an attach that fails does not take the PASIDs along. */
static void amd_keeps_pasid(struct kunit *test)
{
	struct iommu_domain *sva = amd_bind(test), *domain;

	amd_iommu_pgtable = PD_MODE_V2;
	domain = attach_test_alloc(test, &amd);
	KUNIT_ASSERT_EQ(test, amd_set(sva, AMD_PASID, NULL), 0);
	KUNIT_EXPECT_EQ(test, amd_move(domain, "iommu_alloc_pages_node_sz"), -ENOMEM);
	KUNIT_EXPECT_EQ(test, amd_gcr3(AMD_PASID), virt_to_phys(amd_mm.pgd));
	amd_take(test, sva, AMD_PASID);
	amd_leave(test);
	domain->ops->free(domain);
	sva->ops->free(sva);
}

/* amd_iommu_clear_gcr3: the core blocks a device that is reset, then its PASIDs; all come back. */
static void amd_reset(struct kunit *test)
{
	struct iommu_domain *sva = amd_bind(test);
	u16 domid = amd_data()->gcr3_info.domid;

	KUNIT_ASSERT_EQ(test, amd_set(sva, AMD_PASID, NULL), 0);
	amd_leave(test);
	amd_nr_flushes = 0;
	amd_take(test, sva, AMD_PASID);
	KUNIT_EXPECT_TRUE(test, amd_flushed_pasid(CMD_INV_IOMMU_PAGES, domid, AMD_PASID));

	KUNIT_EXPECT_EQ(test, amd_move(amd_iommu_ops.identity_domain, NULL), 0);
	KUNIT_EXPECT_EQ(test, amd_gcr3(AMD_PASID), 0);
	KUNIT_EXPECT_EQ(test, amd_set(sva, AMD_PASID, &blocked_domain), 0);
	KUNIT_EXPECT_EQ(test, amd_gcr3(AMD_PASID), virt_to_phys(amd_mm.pgd));
	KUNIT_EXPECT_EQ(test, amd_set(sva, AMD_PASID, sva), -EOPNOTSUPP);
	KUNIT_EXPECT_EQ(test, amd_gcr3(AMD_PASID), virt_to_phys(amd_mm.pgd));
	amd_take(test, sva, AMD_PASID);
	amd_leave(test);
	sva->ops->free(sva);
}

/* sva_mn_release: the PASID of a process that has exited is off, and stays so after a reset. */
static void amd_exited(struct kunit *test)
{
	struct iommu_domain *sva = amd_bind(test);

	KUNIT_ASSERT_EQ(test, amd_set(sva, AMD_PASID, NULL), 0);
	amd_exit_mm(to_pdomain(sva));
	KUNIT_EXPECT_EQ(test, amd_gcr3(AMD_PASID), 0);
	KUNIT_EXPECT_TRUE(test, amd_flushed_pasid(CMD_INV_IOMMU_PAGES, amd_data()->gcr3_info.domid,
						  AMD_PASID));
	amd_leave(test);
	amd_take(test, sva, AMD_PASID);
	KUNIT_EXPECT_EQ(test, amd_move(amd_iommu_ops.identity_domain, NULL), 0);
	KUNIT_EXPECT_EQ(test, amd_set(sva, AMD_PASID, &blocked_domain), 0);
	amd_take(test, sva, AMD_PASID);
	amd_leave(test);
	sva->ops->free(sva);
}

/* destroy_gcr3_table: the process exits while the device leaves its domain. */
static void amd_exits_meanwhile(struct kunit *test)
{
	struct iommu_domain *sva = amd_bind(test);

	KUNIT_ASSERT_EQ(test, amd_set(sva, AMD_PASID, NULL), 0);
	amd_exits = to_pdomain(sva);
	amd_leave(test);
	KUNIT_EXPECT_PTR_EQ(test, amd_exits, NULL);
	KUNIT_EXPECT_FALSE_MSG(test, amd_late, "a freed page is written to");
	KUNIT_EXPECT_TRUE(test, list_empty(&to_pdomain(sva)->dev_data_list));
	sva->ops->free(sva);
}

/* free_gcr3_table: pages are counted as often up as down, and none is left. */
static void amd_pages(struct kunit *test)
{
	struct iommu_domain *sva;
	int levels, held[NR_HELD];
	unsigned long pages;

	for (levels = 1; levels <= 3; levels++) {
		amd_data()->max_pasids = 1 << 9 * levels;
		memcpy(held, attach_test.held, sizeof(held));
		pages = global_node_page_state(NR_IOMMU_PAGES);
		sva = amd_bind(test);
		KUNIT_EXPECT_EQ(test, amd_data()->gcr3_info.glx, levels - 1);
		KUNIT_EXPECT_EQ(test, amd_set(sva, AMD_PASID, NULL), 0);
		KUNIT_EXPECT_EQ(test, global_node_page_state(NR_IOMMU_PAGES), pages + levels);
		KUNIT_EXPECT_EQ(test, attach_test.held[PAGES], held[PAGES] + levels);
		amd_take(test, sva, AMD_PASID);
		amd_leave(test);
		KUNIT_EXPECT_EQ(test, global_node_page_state(NR_IOMMU_PAGES), pages);
		sva->ops->free(sva);
		attach_test_same(test, held, "after the table is freed");
	}
}

static struct kunit_case amd_kunit[] = {
	KUNIT_CASE_PARAM(amd_attach_v1, amd_v1_gen_params),
	KUNIT_CASE_PARAM(amd_attach_v2, amd_v2_gen_params),
	KUNIT_CASE(amd_identity),
	KUNIT_CASE(amd_again),
	KUNIT_CASE(amd_deferred),
	KUNIT_CASE(amd_old_id),
	KUNIT_CASE(amd_vapic),
	KUNIT_CASE(amd_no_ats),
	KUNIT_CASE(amd_page_requests),
	KUNIT_CASE_PARAM(amd_flush, amd_ranges_gen_params),
	KUNIT_CASE(amd_alias),
	KUNIT_CASE(amd_alias_no_memory),
	KUNIT_CASE(amd_acpi),
	KUNIT_CASE_PARAM(amd_set_pasid, amd_pasid_gen_params),
	KUNIT_CASE(amd_keeps_pasid),
	KUNIT_CASE(amd_exited),
	KUNIT_CASE(amd_exits_meanwhile),
	KUNIT_CASE(amd_pages),
	/* Last, since an older driver does not survive it */
	KUNIT_CASE(amd_reset),
	{}
};

static struct kunit_suite amd_suite = {
	.name = "amd-iommu", .init = amd_init, .exit = amd_exit, .test_cases = amd_kunit,
};

kunit_test_suite(amd_suite);
