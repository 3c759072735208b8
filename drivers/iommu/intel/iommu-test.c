// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of intel/iommu.c, see attach-test.h
 *
 * All of the driver is in here, and none of it elsewhere: its headers and
 * structures are those of a kernel that has it. Memory stands for the
 * registers, and intel_hw_run() for the IOMMU at the other end of the queue.
 */
#define CONFIG_INTEL_IOMMU	1
#define CONFIG_DMAR_TABLE	1
#define pr_fmt(fmt)		"DMAR: " fmt
#define dev_fmt(fmt)		pr_fmt(fmt)

#include <linux/acpi.h>
#include <linux/cacheflush.h>
#include <linux/cpufeature.h>
#include <linux/crash_dump.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dmar.h>
#include <linux/dmi.h>
#include <linux/generic_pt/iommu.h>
#include <linux/iova.h>
#include <linux/irq.h>
#include <linux/memory.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/syscore_ops.h>
#include <linux/tboot.h>
#include <uapi/linux/iommufd.h>
#include <asm/irq_remapping.h>

/* What the headers of the driver call, too */
static int intel_queue_add(void);
static void intel_queue_remove(void);
static struct pci_dev *intel_real_dma_dev(struct pci_dev *pdev);
#define iopf_queue_add_device(...)	intel_queue_add()
#define iopf_queue_remove_device(...)	intel_queue_remove()
#define iopf_queue_flush_dev(dev)	((void)(dev))
#define iommu_group_mutex_assert(dev)	((void)(dev))
#define pci_real_dma_dev(pdev)		intel_real_dma_dev(pdev)

#include "trace.c"
#undef CREATE_TRACE_POINTS
#include "iommu.h"
#include "pasid.h"
#include "../dma-iommu.h"
#include "../irq_remapping.h"
#include "../attach-test.h"

#define INTEL_ECAP_C		BIT_ULL(0)
#define INTEL_ECAP_DT		BIT_ULL(2)
#define INTEL_ECAP_SC		BIT_ULL(7)
#define INTEL_ECAP_NEST		BIT_ULL(26)
#define INTEL_ECAP_PRS		BIT_ULL(29)
#define INTEL_ECAP_SRS		BIT_ULL(31)
#define INTEL_ECAP_EAFS		BIT_ULL(34)
#define INTEL_ECAP_PASID	BIT_ULL(40)
#define INTEL_ECAP_PDS		BIT_ULL(42)
#define INTEL_ECAP_SMTS		BIT_ULL(43)
#define INTEL_ECAP_SLTS		BIT_ULL(46)
#define INTEL_ECAP_FLTS		BIT_ULL(47)
#define INTEL_ECAP_SMPWC	BIT_ULL(48)
#define INTEL_CAP_FL5LP		BIT_ULL(60)

#define INTEL_PASID		1

struct intel_unit {
	struct intel_iommu iommu;
	struct dmar_drhd_unit drhd;
	struct acpi_dmar_hardware_unit hdr;
	struct root_entry root[256];
	struct q_inval qi;
	u8 desc[QI_LENGTH << 5];
	int status[QI_LENGTH];
	u32 regs[0x400];
	/* Descriptors by type: how many were executed; and the drains among those that wait */
	int done[16], drains;
};

/* The first two devices are behind the first unit, the third behind the other. */
enum { DEV, SIBLING, FAR, NR_DEVS };

enum { PASID_ON = 1, PRI_ON = 2, ATS_ON = 4 };

static struct intel_unit intel_units[2];
static struct pci_sysdata intel_sysdata;
static struct pci_bus intel_root_bus = { .sysdata = &intel_sysdata };
static struct pci_bus intel_bus = { .number = 1, .sysdata = &intel_sysdata };
static struct pci_dev intel_bridge;
static struct pci_dev intel_pdevs[NR_DEVS];
static struct dev_iommu intel_dev_iommus[NR_DEVS];
static struct dmar_dev_scope intel_scope;
static int intel_on, intel_warnings;
/* Devices in the IOPF queue, and how many left it with requests not drained */
static int intel_queued, intel_undrained;
/* Whether the sibling is a part of the device, as behind VMD */
static bool intel_subdevice;
/* What the user asks for in a nested domain */
static struct iommu_hwpt_vtd_s1 intel_s1;
static struct attach_driver intel;

static void intel_writel(u32 val, void *addr);

static int intel_queue_add(void)
{
	int ret = FAIL_OR("iopf_queue_add_device", 0);

	intel_queued += !ret;
	return ret;
}

/* The sum is enough: a case looks at one removal */
static void intel_queue_remove(void)
{
	intel_queued--;
	intel_undrained += !intel_units[0].drains;
}

static int intel_switch_on(const char *call, int what)
{
	int ret = FAIL_OR(call, 0);

	if (!ret)
		intel_on |= what;
	return ret;
}

static struct pci_dev *intel_real_dma_dev(struct pci_dev *pdev)
{
	return intel_subdevice && pdev == &intel_pdevs[SIBLING] ? &intel_pdevs[DEV] : pdev;
}

#undef DECLARE_PCI_FIXUP_HEADER
#undef late_initcall
#undef __setup
#undef pr_warn_ratelimited
#undef writel
#undef WARN_ON
#undef WARN_ON_ONCE
#undef iommu_copy_struct_from_user
#define DECLARE_PCI_FIXUP_HEADER(vendor, device, hook)				\
	static __maybe_unused const void * const __UNIQUE_ID(unused)[] = {		\
		(void *)(unsigned long)((vendor) ^ (device)), &(hook) }
#define late_initcall(fn)		ATTACH_TEST_UNUSED(fn)
#define __setup(str, fn)							\
	static __maybe_unused const void * const __UNIQUE_ID(unused)[] = { (str), &(fn) }
#define writel(val, addr)		intel_writel(val, (__force void *)(addr))
#define WARN_ON(cond)			({ bool __warn = cond; intel_warnings += __warn; __warn; })
#define WARN_ON_ONCE(cond)		WARN_ON(cond)
#define pr_warn_ratelimited(...)	pr_warn(__VA_ARGS__)
#define xa_cmpxchg(...)			FAIL_OR("xa_cmpxchg", xa_cmpxchg(__VA_ARGS__))
#define iommu_copy_struct_from_user(to, data, kind, last) ({			\
	*(to) = intel_s1;							\
	(data)->type == (kind) && offsetofend(typeof(intel_s1), last) ? 0 : -EINVAL; })
/* The interrupt of a real unit: the kernel has that only for the driver. */
#define dmar_alloc_hwirq(...)		0
#define dmar_free_hwirq(irq)		((void)(irq))
/* There is no config space, thus no capability either. */
#define pci_bus_read_config_dword(...)	0
#define pci_ats_supported(...)		true
#define pci_ats_page_aligned(...)	true
#define pci_ats_queue_depth(...)	1
#define pci_prepare_ats(...)		0
#define pci_device_is_present(...)	true
#define pci_max_pasids(...)		256
#define pci_pasid_features(...)	0
#define pci_prg_resp_pasid_required(...) true
#define pci_pri_supported(...)		true
#define pci_reset_pri(...)		FAIL_OR("pci_reset_pri", 0)
#define pci_enable_pasid(...)	intel_switch_on("pci_enable_pasid", PASID_ON)
#define pci_enable_pri(...)	intel_switch_on("pci_enable_pri", PRI_ON)
#define pci_enable_ats(...)	intel_switch_on("pci_enable_ats", ATS_ON)
#define pci_disable_pasid(pdev)		((void)(pdev), intel_on &= ~PASID_ON)
#define pci_disable_pri(pdev)		((void)(pdev), intel_on &= ~PRI_ON)
#define pci_disable_ats(pdev)		((void)(pdev), intel_on &= ~ATS_ON)

#include "dmar.c"
#include "cache.c"
#include "prq.c"
#include "pasid.c"
#include "nested.c"
/* perfmon.h comes for a second time */
#define alloc_iommu_pmu		intel_alloc_pmu
#define free_iommu_pmu		intel_free_pmu
#define iommu_pmu_register	intel_register_pmu
#define iommu_pmu_unregister	intel_unregister_pmu
#include "iommu.c"

static u32 *intel_reg(struct intel_unit *unit, int offset)
{
	return &unit->regs[offset / 4];
}

/* If set: had it cache tags when a cache of entries was flushed last? */
static struct dmar_domain *intel_watched;
static bool intel_tagged;

/* Executes the queue up to its tail. */
static void intel_hw_run(struct intel_unit *unit)
{
	u32 *head = intel_reg(unit, DMAR_IQH_REG), tail = *intel_reg(unit, DMAR_IQT_REG);
	int size = 1 << qi_shift(&unit->iommu), type;
	struct qi_desc *desc;

	for (; *head != tail; *head = (*head + size) % (QI_LENGTH * size)) {
		desc = (void *)unit->desc + *head;
		type = desc->qw0 & 0xf;
		unit->done[type]++;
		if (intel_watched && (type == QI_CC_TYPE || type == QI_PC_TYPE))
			intel_tagged = !list_empty(&intel_watched->cache_tags);
		if (type != QI_IWD_TYPE)
			continue;
		unit->drains += !!(desc->qw0 & QI_IWD_PRQ_DRAIN);
		if (desc->qw0 & QI_IWD_STATUS_WRITE)
			*(int *)phys_to_virt(desc->qw1) = QI_DONE;
	}
}

static void intel_writel(u32 val, void *addr)
{
	struct intel_unit *unit = &intel_units[(addr - (void *)intel_units) / sizeof(*unit)];

	*(u32 *)addr = val;
	if (addr == intel_reg(unit, DMAR_IQT_REG))
		intel_hw_run(unit);
}

static struct device_domain_info *intel_info(void)
{
	return dev_iommu_priv_get(intel.dev);
}

/* Of the device, if it is present; not as the driver looks it up */
static struct context_entry *intel_context(void)
{
	struct device_domain_info *info = intel_info();
	struct root_entry *root = &info->iommu->root_entry[info->bus];
	u8 index = info->devfn * (sm_supported(info->iommu) ? 2 : 1);
	struct context_entry *context;

	if (!(root->lo & 1))
		return NULL;
	context = (struct context_entry *)phys_to_virt(root->lo & VTD_PAGE_MASK) + index;
	return context_present(context) ? context : NULL;
}

static u64 intel_seen_pasid(int pasid)
{
	struct context_entry *context = intel_context();
	struct pasid_entry *entry;

	if (!context)
		return 0;
	entry = get_pasid_table_from_pde(phys_to_virt(context->lo & VTD_PAGE_MASK));
	return entry && pasid_pte_is_present(&entry[pasid]) ?
		entry[pasid].val[0] ^ entry[pasid].val[2] : 0;
}

/* The entry of the device, or that of PASID 0 in its table */
static u64 intel_seen(struct kunit *test)
{
	struct context_entry *context = intel_context();

	if (sm_supported(intel_info()->iommu))
		return intel_seen_pasid(IOMMU_NO_PASID);
	return context ? context->lo : 0;
}

static void intel_free_contexts(struct intel_unit *unit)
{
	int i;

	for (i = 0; i <= intel_bus.number; i++) {
		if (unit->root[i].lo & 1)
			iommu_free_pages(phys_to_virt(unit->root[i].lo & VTD_PAGE_MASK));
		unit->root[i].lo = 0;
	}
}

/* Takes a device off its domain, and frees the page that the driver keeps for its next attach. */
static void intel_off(struct kunit *test, struct iommu_domain *domain, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct pasid_dir_entry *dir;

	KUNIT_EXPECT_EQ(test, blocking_domain.ops->attach_dev(&blocking_domain, dev, domain), 0);
	if (!sm_supported(info->iommu)) {
		intel_free_contexts(container_of(info->iommu, struct intel_unit, iommu));
	} else if (info->pasid_table) {
		dir = info->pasid_table->table;
		iommu_free_pages(get_pasid_table_from_pde(dir));
		dir->val = 0;
	}
}

static void intel_leave(struct kunit *test, struct iommu_domain *domain)
{
	intel_off(test, domain, intel.dev);
	KUNIT_EXPECT_EQ(test, intel_seen(test), 0);
}

/* Bit n of @sagaw is for n + 2 levels */
static void intel_set_caps(struct intel_unit *unit, int sagaw, int width, u64 ecap)
{
	struct intel_iommu *iommu = &unit->iommu;

	iommu->cap = (u64)(width - 1) << 16 | sagaw << 8;
	/* Queued invalidation */
	iommu->ecap = BIT(1) | ecap;
	iommu->agaw = iommu_calculate_agaw(iommu);
	iommu->msagaw = iommu_calculate_max_sagaw(iommu);
}

static int intel_init(struct kunit *test, u64 ecap)
{
	int i;

	memset(intel_units, 0, sizeof(intel_units));
	INIT_LIST_HEAD(&dmar_drhd_units);
	for (i = 0; i < 2; i++) {
		struct intel_unit *unit = &intel_units[i];
		struct intel_iommu *iommu = &unit->iommu;

		intel_set_caps(unit, BIT(2), 48, ecap);
		raw_spin_lock_init(&iommu->register_lock);
		spin_lock_init(&iommu->lock);
		spin_lock_init(&iommu->device_rbtree_lock);
		mutex_init(&iommu->did_lock);
		mutex_init(&iommu->iopf_lock);
		init_completion(&iommu->prq_complete);
		ida_init(&iommu->domain_ida);
		raw_spin_lock_init(&unit->qi.q_lock);
		unit->qi.desc = unit->desc;
		unit->qi.desc_status = unit->status;
		unit->qi.free_cnt = QI_LENGTH;
		unit->hdr.header.type = ACPI_DMAR_TYPE_HARDWARE_UNIT;
		unit->drhd.hdr = &unit->hdr.header;
		unit->drhd.reg_base_addr = 0xfed1a000 + i * 0x10000;
		unit->drhd.iommu = iommu;
		iommu->drhd = &unit->drhd;
		iommu->qi = &unit->qi;
		iommu->reg = (void __iomem *)unit->regs;
		iommu->root_entry = unit->root;
		iommu->max_domain_id = 64;
		/* Else the TLBs of devices are not flushed */
		iommu->gcmd = DMA_GCMD_TE;
		iommu->flush.flush_context = qi_flush_context;
		iommu->flush.flush_iotlb = qi_flush_iotlb;
		iommu->iommu.ops = &intel_iommu_ops;
		iommu->node = NUMA_NO_NODE;
		iommu->seq_id = i;
		list_add(&unit->drhd.list, &dmar_drhd_units);
	}
	intel_units[0].drhd.include_all = 1;
	intel_units[1].drhd.devices = &intel_scope;
	intel_units[1].drhd.devices_cnt = 1;
	intel_scope.bus = intel_bus.number;
	intel_scope.devfn = FAR;
	RCU_INIT_POINTER(intel_scope.dev, &intel_pdevs[FAR].dev);
	intel_iommu_sm = 1;
	intel_on = 0;
	intel_queued = 0;
	intel_undrained = 0;
	intel_subdevice = false;
	intel_warnings = 0;
	memset(&intel_bridge, 0, sizeof(intel_bridge));
	intel_bridge.bus = &intel_root_bus;
	intel_bridge.dev.bus = &pci_bus_type;
	intel_bus.self = NULL;
	intel_bus.parent = NULL;

	memset(intel_pdevs, 0, sizeof(intel_pdevs));
	for (i = 0; i < NR_DEVS; i++) {
		struct device *dev = &intel_pdevs[i].dev;

		intel_pdevs[i].bus = &intel_bus;
		intel_pdevs[i].devfn = i;
		dev->bus = &pci_bus_type;
		dev->init_name = "intel-client";
		dev->iommu = &intel_dev_iommus[i];
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, intel_iommu_ops.probe_device(dev));
		intel_iommu_ops.probe_finalize(dev);
	}
	intel.dev = &intel_pdevs[DEV].dev;
	intel.ops = &intel_iommu_ops;
	intel.seen = intel_seen;
	intel.leave = intel_leave;
	return 0;
}

static int intel_init_legacy(struct kunit *test)
{
	return intel_init(test, INTEL_ECAP_C | INTEL_ECAP_DT);
}

#define INTEL_ECAP_SCALABLE	(INTEL_ECAP_C | INTEL_ECAP_DT | INTEL_ECAP_SC | INTEL_ECAP_NEST | \
				 INTEL_ECAP_PRS | INTEL_ECAP_PASID | INTEL_ECAP_PDS | \
				 INTEL_ECAP_SMTS | INTEL_ECAP_SLTS | INTEL_ECAP_SMPWC)

/* Without first stage all domains have the second, nested ones aside */
static int intel_init_second(struct kunit *test)
{
	return intel_init(test, INTEL_ECAP_SCALABLE);
}

static int intel_init_first(struct kunit *test)
{
	return intel_init(test, INTEL_ECAP_SCALABLE | INTEL_ECAP_FLTS);
}

/* Not by the driver's release_device: an attach is all that is tested */
static void intel_forget(struct device *dev)
{
	device_rbtree_remove(dev_iommu_priv_get(dev));
	intel_pasid_free_table(dev);
	kfree(dev_iommu_priv_get(dev));
	dev_iommu_priv_set(dev, NULL);
}

static void intel_exit(struct kunit *test)
{
	int i;

	for (i = 0; i < NR_DEVS; i++)
		intel_forget(&intel_pdevs[i].dev);
	for (i = 0; i < 2; i++) {
		intel_free_contexts(&intel_units[i]);
		KUNIT_EXPECT_TRUE(test, ida_is_empty(&intel_units[i].iommu.domain_ida));
	}
	KUNIT_EXPECT_EQ(test, intel_warnings, 0);
}

static void intel_attach(struct kunit *test)
{
	attach_check(test, &intel, test->param_value);
	KUNIT_EXPECT_EQ(test, intel_queued, 0);
	KUNIT_EXPECT_EQ(test, intel_info()->iopf_refcount, 0);
}

static void intel_attach_taken(struct kunit *test)
{
	intel_attach(test);
}

/* What brings about the conditions */
static struct iommu_domain *intel_far(struct kunit *test)
{
	return attach_test_alloc_for(test, &intel, &intel_pdevs[FAR].dev);
}

/* The other unit walks five levels, and can do without flushes of the CPU's cache. */
static struct iommu_domain *intel_deeper(struct kunit *test)
{
	struct intel_unit *unit = &intel_units[1];

	intel_set_caps(unit, BIT(2) | BIT(3), 57, unit->iommu.ecap);
	unit->iommu.cap |= INTEL_CAP_FL5LP;
	return intel_far(test);
}

static void intel_incoherent(struct kunit *test, struct iommu_domain *domain)
{
	intel_units[0].iommu.ecap &= ~(INTEL_ECAP_C | INTEL_ECAP_SMPWC);
}

static void intel_coherent(struct kunit *test, struct iommu_domain *domain)
{
	intel_units[0].iommu.ecap |= INTEL_ECAP_C | INTEL_ECAP_SMPWC;
}

static struct iommu_domain *intel_far_snooping(struct kunit *test)
{
	struct iommu_domain *domain = intel_far(test);

	KUNIT_ASSERT_TRUE(test, domain->ops->enforce_cache_coherency(domain));
	return domain;
}

static void intel_no_snoop(struct kunit *test, struct iommu_domain *domain)
{
	intel_units[0].iommu.ecap &= ~INTEL_ECAP_SC;
}

static void intel_snoop(struct kunit *test, struct iommu_domain *domain)
{
	intel_units[0].iommu.ecap |= INTEL_ECAP_SC;
}

static int intel_fault_handler(struct iopf_group *group)
{
	return 0;
}

static void intel_faults(struct kunit *test, struct iommu_domain *domain)
{
	domain->iopf_handler = intel_fault_handler;
}

static bool intel_pri;

static void intel_faults_no_pri(struct kunit *test, struct iommu_domain *domain)
{
	intel_faults(test, domain);
	intel_pri = intel_info()->pri_enabled;
	intel_info()->pri_enabled = false;
}

/* Another domain would do */
static void intel_no_faults(struct kunit *test, struct iommu_domain *domain)
{
	domain->iopf_handler = NULL;
	intel_info()->pri_enabled = intel_pri;
}

/* A nested domain goes with its parent, which is the parent of no other */
static void intel_free_nested(struct iommu_domain *domain)
{
	struct iommu_domain *parent = &to_dmar_domain(domain)->s2_domain->domain;

	intel_nested_domain_ops.free(domain);
	parent->ops->free(parent);
}

static struct iommu_domain *intel_nest_for(struct kunit *test, struct device *dev, int width,
					   u64 flags)
{
	static struct iommu_domain_ops ops;
	const struct iommu_user_data data = { .type = IOMMU_HWPT_DATA_VTD_S1 };
	struct iommu_domain *parent, *domain;

	parent = attach_test_domain(test, &intel, IOMMU_DOMAIN_UNMANAGED,
				    intel.ops->domain_alloc_paging_flags(dev,
					IOMMU_HWPT_ALLOC_NEST_PARENT, NULL));
	intel_s1.addr_width = width;
	intel_s1.flags = flags;
	domain = attach_test_domain(test, &intel, IOMMU_DOMAIN_NESTED,
				    intel.ops->domain_alloc_nested(dev, parent, 0, &data));
	ops = *domain->ops;
	ops.free = intel_free_nested;
	domain->ops = &ops;
	return domain;
}

static struct iommu_domain *intel_nested(struct kunit *test)
{
	return intel_nest_for(test, intel.dev, ADDR_WIDTH_4LEVEL, 0);
}

static struct iommu_domain *intel_nested_width(struct kunit *test)
{
	return intel_nest_for(test, intel.dev, ADDR_WIDTH_5LEVEL, 0);
}

static struct iommu_domain *intel_nested_odd_width(struct kunit *test)
{
	return intel_nest_for(test, intel.dev, 52, 0);
}

static struct iommu_domain *intel_nested_sre(struct kunit *test)
{
	return intel_nest_for(test, intel.dev, ADDR_WIDTH_4LEVEL, IOMMU_VTD_S1_SRE);
}

static struct iommu_domain *intel_nested_eafe(struct kunit *test)
{
	return intel_nest_for(test, intel.dev, ADDR_WIDTH_4LEVEL, IOMMU_VTD_S1_EAFE);
}

/* The second stage of another IOMMU, which this one cannot walk */
static struct iommu_domain *intel_nested_far(struct kunit *test)
{
	struct intel_unit *unit = &intel_units[1];

	intel_set_caps(unit, BIT(3), 57, unit->iommu.ecap);
	return intel_nest_for(test, &intel_pdevs[FAR].dev, ADDR_WIDTH_4LEVEL, 0);
}

/* The same in all modes: what is taken before anything is changed */
static const struct attach_case intel_taken_cases[] = {
	{ .name = "domain_attach_iommu: no memory for the domain id",
	  .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "domain_attach_iommu: no domain id",
	  .call = "ida_alloc_range", .ret = -ENOSPC, .expect = -ENOSPC },
	{ .name = "domain_attach_iommu: no domain id for a first attach",
	  .call = "ida_alloc_range", .ret = -ENOSPC, .first = true,
	  .expect = -ENOSPC },
	{ .name = "domain_attach_iommu: no memory in the xarray",
	  .call = "xa_cmpxchg", .ret = (long)XA_ERROR(-ENOMEM),
	  .expect = -ENOMEM },
	{ .name = "domain_qi_batch_alloc: no memory",
	  .call = "kzalloc", .nth = 2, .expect = -ENOMEM },
	{ .name = "cache_tag_assign: no memory",
	  .call = "kzalloc", .nth = 3, .keeps = true, .expect = -ENOMEM },
	{ .name = "cache_tag_assign: no memory at a first attach",
	  .call = "kzalloc", .nth = 3, .first = true, .keeps = true,
	  .expect = -ENOMEM },
	{ .name = "intel_iommu_enable_iopf: a fault handler, but no PRI",
	  .setup = intel_faults_no_pri, .undo = intel_no_faults,
	  .expect = -ENODEV },
};

static const struct attach_case intel_legacy_cases[] = {
	{ .name = "paging_domain_compatible: more levels than the IOMMU can walk",
	  .alloc = intel_deeper, .expect = -EINVAL },
	{ .name = "paging_domain_compatible: made for a coherent IOMMU",
	  .setup = intel_incoherent, .undo = intel_coherent, .expect = -EINVAL },
	{ .name = "paging_domain_compatible: no snoop control",
	  .alloc = intel_far_snooping, .expect = -EINVAL },
	{ .name = "iommu_context_addr: no page for a context table",
	  .call = "iommu_alloc_pages_node_sz", .first = true, .keeps = true,
	  .expect = -ENOMEM },
	{ .name = "domain_enable_pci_ats: no memory for a tag, so no ATS",
	  .call = "kzalloc", .nth = 4 },
	{ .name = "intel_iommu_attach_device: another IOMMU's, success",
	  .alloc = intel_far },
	{ .name = "intel_iommu_attach_device: success", },
};

/* With first and with second stage */
static const struct attach_case intel_scalable_cases[] = {
	{ .name = "paging_domain_compatible: more levels than the IOMMU can walk",
	  .alloc = intel_deeper, .expect = -EINVAL },
	{ .name = "paging_domain_compatible: made for a coherent IOMMU",
	  .setup = intel_incoherent, .undo = intel_coherent, .expect = -EINVAL },
	{ .name = "paging_domain_compatible: no snoop control",
	  .alloc = intel_far_snooping, .setup = intel_no_snoop,
	  .undo = intel_snoop, .expect = -EINVAL },
	{ .name = "domain_attach_iommu: no domain id for a domain with page faults",
	  .setup = intel_faults, .call = "ida_alloc_range", .ret = -ENOSPC,
	  .expect = -ENOSPC },
	{ .name = "intel_iommu_enable_iopf: no memory in the queue",
	  .setup = intel_faults, .call = "iopf_queue_add_device",
	  .ret = -ENOMEM, .expect = -ENOMEM },
	{ .name = "intel_pasid_get_entry: no page for the PASID table",
	  .call = "iommu_alloc_pages_node_sz", .first = true, .keeps = true,
	  .expect = -ENOMEM },
	{ .name = "intel_iommu_attach_device: another IOMMU's, success",
	  .alloc = intel_far_snooping },
	{ .name = "intel_iommu_attach_device: success with a fault handler",
	  .setup = intel_faults },
	{ .name = "intel_iommu_attach_device: success", },
};

static const struct attach_case intel_nested_cases[] = {
	{ .name = "nested_domain_compatible: 57 bits, but no FL5LP",
	  .alloc = intel_nested_width, .expect = -EINVAL },
	{ .name = "nested_domain_compatible: 52 bits, which no IOMMU has",
	  .alloc = intel_nested_odd_width, .expect = -EINVAL },
	{ .name = "nested_domain_compatible: supervisor requests, but no SRS",
	  .alloc = intel_nested_sre, .expect = -EINVAL },
	{ .name = "nested_domain_compatible: extended access flags, but no EAFS",
	  .alloc = intel_nested_eafe, .expect = -EINVAL },
	{ .name = "nested_domain_compatible: the parent does not fit",
	  .alloc = intel_nested_far, .expect = -EINVAL },
	{ .name = "intel_nested_attach_dev: no domain id", .alloc = intel_nested,
	  .call = "ida_alloc_range", .ret = -ENOSPC, .expect = -ENOSPC },
	{ .name = "intel_nested_attach_dev: no memory for the domain id",
	  .alloc = intel_nested, .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "intel_nested_attach_dev: no memory for a tag",
	  .alloc = intel_nested, .call = "kzalloc", .nth = 3, .keeps = true,
	  .expect = -ENOMEM },
	{ .name = "intel_nested_attach_dev: a fault handler, but no PRI",
	  .alloc = intel_nested, .setup = intel_faults_no_pri,
	  .undo = intel_no_faults, .keeps = true, .expect = -ENODEV },
	{ .name = "intel_nested_attach_dev: no page for the PASID table",
	  .alloc = intel_nested, .call = "iommu_alloc_pages_node_sz",
	  .first = true, .keeps = true, .expect = -ENOMEM },
	{ .name = "intel_nested_attach_dev: success", .alloc = intel_nested },
};

KUNIT_ARRAY_PARAM(intel_taken, intel_taken_cases, attach_case_desc);
KUNIT_ARRAY_PARAM(intel_legacy, intel_legacy_cases, attach_case_desc);
KUNIT_ARRAY_PARAM(intel_scalable, intel_scalable_cases, attach_case_desc);
KUNIT_ARRAY_PARAM(intel_nested, intel_nested_cases, attach_case_desc);

static void intel_attach_nested(struct kunit *test)
{
	intel_attach(test);
}

static int intel_move(struct iommu_domain *domain, struct iommu_domain *old)
{
	return domain->ops->attach_dev(domain, intel.dev, old ?: &blocking_domain);
}

/* What a device can go to from a domain with a fault handler */
enum { PAGING, FAULTS, NESTED, IDENTITY, BLOCKED };

static const char * const intel_to[] = {
	"paging", "another with a fault handler", "nested", "identity", "blocked",
};

static void intel_to_desc(const char * const *to, char *desc)
{
	strscpy(desc, *to, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(intel_to, intel_to, intel_to_desc);

static struct iommu_domain *intel_target(struct kunit *test)
{
	struct iommu_domain *domain;

	switch ((const char * const *)test->param_value - intel_to) {
	case NESTED:
		return intel_nested(test);
	case IDENTITY:
		return &identity_domain;
	case BLOCKED:
		return &blocking_domain;
	case FAULTS:
		domain = attach_test_alloc(test, &intel);
		intel_faults(test, domain);
		return domain;
	default:
		return attach_test_alloc(test, &intel);
	}
}

static void intel_expect_given_up(struct kunit *test, struct iommu_domain *domain)
{
	bool faults = domain->iopf_handler;

	KUNIT_EXPECT_EQ(test, intel_info()->iopf_refcount, faults);
	KUNIT_EXPECT_EQ(test, intel_queued, faults);
	KUNIT_EXPECT_EQ(test, intel_undrained, 0);
	KUNIT_EXPECT_GT(test, intel_units[0].drains, 0);
}

static void intel_put_domain(struct iommu_domain *domain)
{
	if (domain->ops->free)
		domain->ops->free(domain);
}

/* device_block_translation: page faults end with the old domain, when none is under way */
static void intel_give_up(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &intel), *domain = intel_target(test);

	intel_faults(test, old);
	KUNIT_ASSERT_EQ(test, intel_move(old, NULL), 0);
	KUNIT_EXPECT_EQ(test, intel_info()->iopf_refcount, 1);
	intel_units[0].drains = 0;
	KUNIT_EXPECT_EQ(test, intel_move(domain, old), 0);
	intel_expect_given_up(test, domain);
	intel_leave(test, domain);
	KUNIT_EXPECT_EQ(test, intel_queued, 0);
	intel_put_domain(domain);
	old->ops->free(old);
}

static int intel_move_pasid(struct iommu_domain *domain, struct iommu_domain *old)
{
	return domain->ops->set_dev_pasid(domain, intel.dev, INTEL_PASID, old);
}

/* The same for a PASID */
static void intel_give_up_pasid(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &intel), *domain = intel_target(test);

	intel_faults(test, old);
	KUNIT_ASSERT_EQ(test, intel_move_pasid(old, NULL), 0);
	KUNIT_EXPECT_NE(test, intel_seen_pasid(INTEL_PASID), 0);
	KUNIT_EXPECT_EQ(test, intel_info()->iopf_refcount, 1);
	intel_units[0].drains = 0;
	KUNIT_EXPECT_EQ(test, intel_move_pasid(domain, old), 0);
	intel_expect_given_up(test, domain);
	if (domain != &blocking_domain) {
		KUNIT_EXPECT_NE(test, intel_seen_pasid(INTEL_PASID), 0);
		KUNIT_EXPECT_EQ(test, intel_move_pasid(&blocking_domain, domain), 0);
	}
	KUNIT_EXPECT_EQ(test, intel_seen_pasid(INTEL_PASID), 0);
	KUNIT_EXPECT_EQ(test, intel_queued, 0);
	intel_put_domain(domain);
	old->ops->free(old);
}

/* A PASID stays where it is if it cannot have the new domain. */
static const struct attach_case intel_pasid_cases[] = {
	{ .name = "paging_domain_compatible: more levels than the IOMMU can walk",
	  .alloc = intel_deeper, .expect = -EINVAL },
	{ .name = "nested_domain_compatible: 57 bits, but no FL5LP",
	  .alloc = intel_nested_width, .expect = -EINVAL },
	{ .name = "nested_domain_compatible: supervisor requests, but no SRS",
	  .alloc = intel_nested_sre, .expect = -EINVAL },
	{ .name = "nested_domain_compatible: extended access flags, but no EAFS",
	  .alloc = intel_nested_eafe, .expect = -EINVAL },
	{ .name = "nested_domain_compatible: the parent does not fit",
	  .alloc = intel_nested_far, .expect = -EINVAL },
	{ .name = "domain_add_dev_pasid: no memory", .call = "kzalloc",
	  .expect = -ENOMEM },
	{ .name = "domain_add_dev_pasid: no domain id", .call = "ida_alloc_range",
	  .ret = -ENOSPC, .expect = -ENOSPC },
	{ .name = "domain_add_dev_pasid: no memory for a tag", .call = "kzalloc", .nth = 4,
	  .keeps = true, .expect = -ENOMEM },
	{ .name = "intel_iommu_enable_iopf: a fault handler, but no PRI",
	  .setup = intel_faults_no_pri, .undo = intel_no_faults, .keeps = true,
	  .expect = -ENODEV },
	{ .name = "intel_pasid_get_entry: no page for the PASID table",
	  .call = "iommu_alloc_pages_node_sz", .first = true, .keeps = true,
	  .expect = -ENOMEM },
};

KUNIT_ARRAY_PARAM(intel_pasid, intel_pasid_cases, attach_case_desc);

static void intel_pasid(struct kunit *test)
{
	const struct attach_case *c = test->param_value;
	struct iommu_domain *old = attach_test_alloc(test, &intel);
	struct iommu_domain *domain = c->alloc ? c->alloc(test) : attach_test_alloc(test, &intel);
	int held[NR_HELD];
	u64 seen;

	if (!c->first)
		KUNIT_ASSERT_EQ(test, intel_move_pasid(old, NULL), 0);
	if (c->setup)
		c->setup(test, domain);
	seen = intel_seen_pasid(INTEL_PASID);
	memcpy(held, attach_test.held, sizeof(held));
	attach_test_inject(c->call, c->nth ?: 1, c->ret);
	KUNIT_EXPECT_EQ(test, intel_move_pasid(domain, c->first ? NULL : old), c->expect);
	attach_test.call = NULL;
	KUNIT_EXPECT_TRUE(test, !c->call || attach_test.hit);
	KUNIT_EXPECT_EQ_MSG(test, intel_seen_pasid(INTEL_PASID), seen, "the PASID was moved");
	if (!c->keeps)
		attach_test_same(test, held, "after the failed attach");
	if (c->undo)
		c->undo(test, domain);
	if (c->first)
		KUNIT_EXPECT_EQ(test, intel_move_pasid(old, NULL), 0);
	KUNIT_EXPECT_EQ(test, intel_move_pasid(&blocking_domain, old), 0);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* Whether anything of the domain is flushed when it should be */
static int intel_flushes(struct iommu_domain *domain)
{
	int *done = intel_units[0].done;
	int before = done[QI_IOTLB_TYPE] + done[QI_EIOTLB_TYPE];

	if (to_dmar_domain(domain)->qi_batch)
		domain->ops->flush_iotlb_all(domain);
	return done[QI_IOTLB_TYPE] + done[QI_EIOTLB_TYPE] - before;
}

/* A part of the device comes and goes: the device is flushed as before */
static void intel_tags_subdevice(struct kunit *test)
{
	struct device *sub = &intel_pdevs[SIBLING].dev;
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	int i;

	intel_subdevice = true;
	KUNIT_ASSERT_EQ(test, intel_move(domain, NULL), 0);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, sub, &blocking_domain), 0);
		KUNIT_EXPECT_EQ(test, intel_flushes(domain), 1);
		KUNIT_EXPECT_EQ(test, blocking_domain.ops->attach_dev(&blocking_domain, sub,
								      domain), 0);
		KUNIT_EXPECT_EQ(test, intel_flushes(domain), 1);
	}
	/* Alone, it is flushed, too */
	intel_leave(test, domain);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, sub, &blocking_domain), 0);
	KUNIT_EXPECT_EQ(test, intel_flushes(domain), 1);
	intel_off(test, domain, sub);
	KUNIT_EXPECT_EQ(test, intel_flushes(domain), 0);
	intel_subdevice = false;
	domain->ops->free(domain);
}

/* What one device does not get is not taken from another one in the domain. */
static void intel_tags_shared(struct kunit *test)
{
	struct device *sibling = &intel_pdevs[SIBLING].dev;
	struct iommu_domain *domain = attach_test_alloc(test, &intel);

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, sibling, &blocking_domain), 0);
	attach_test_inject("iommu_alloc_pages_node_sz", 1, 0);
	KUNIT_EXPECT_EQ(test, intel_move(domain, NULL), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, intel_seen(test), 0);
	KUNIT_EXPECT_EQ(test, intel_flushes(domain), 1);
	intel_off(test, domain, sibling);
	KUNIT_EXPECT_EQ(test, intel_flushes(domain), 0);
	domain->ops->free(domain);
}

/* What is unmapped is flushed until the entry is gone, in the IOMMU's cache as well. */
static void intel_tags_leave(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &intel);

	KUNIT_ASSERT_EQ(test, intel_move(domain, NULL), 0);
	intel_watched = to_dmar_domain(domain);
	intel_tagged = false;
	intel_leave(test, domain);
	KUNIT_EXPECT_TRUE(test, intel_tagged);
	KUNIT_EXPECT_TRUE(test, list_empty(&intel_watched->cache_tags));
	intel_watched = NULL;
	domain->ops->free(domain);
}

/* In legacy mode ATS is on as long as the device is in a domain, and then it is flushed. */
static void intel_tags_ats(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	int *done = &intel_units[0].done[QI_DIOTLB_TYPE], before;

	KUNIT_EXPECT_EQ(test, intel_on & ATS_ON, 0);
	KUNIT_ASSERT_EQ(test, intel_move(domain, NULL), 0);
	KUNIT_EXPECT_EQ(test, intel_on & ATS_ON, ATS_ON);
	before = *done;
	domain->ops->flush_iotlb_all(domain);
	KUNIT_EXPECT_EQ(test, *done, before + 1);
	intel_leave(test, domain);
	KUNIT_EXPECT_EQ(test, intel_on & ATS_ON, 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmar_domain->cache_tags));

	/* Nothing to flush it by: without ATS */
	attach_test_inject("kzalloc", 3, 0);
	KUNIT_EXPECT_EQ(test, intel_move(domain, NULL), 0);
	attach_test.call = NULL;
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_NE(test, intel_seen(test), 0);
	KUNIT_EXPECT_EQ(test, intel_on & ATS_ON, 0);
	KUNIT_EXPECT_EQ(test, intel_flushes(domain), 1);
	intel_leave(test, domain);
	KUNIT_EXPECT_TRUE(test, list_empty(&dmar_domain->cache_tags));
	domain->ops->free(domain);
}

/* Nothing is left behind, be it the page that was missing */
static void intel_identity_no_page(struct kunit *test)
{
	int pages = attach_test.held[PAGES];

	attach_test_inject("iommu_alloc_pages_node_sz", 1, 0);
	KUNIT_EXPECT_EQ(test, intel_move(&identity_domain, NULL), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, intel_seen(test), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[PAGES], pages);

	KUNIT_EXPECT_EQ(test, intel_move(&identity_domain, NULL), 0);
	KUNIT_EXPECT_NE(test, intel_seen(test), 0);
	intel_leave(test, &identity_domain);
}

/* The bridge that the requests come from as well has no page: neither has an entry. */
static void intel_identity_alias(struct kunit *test)
{
	intel_bus.self = &intel_bridge;
	intel_bus.parent = &intel_root_bus;
	attach_test_inject("iommu_alloc_pages_node_sz", 2, 0);
	KUNIT_EXPECT_EQ(test, intel_move(&identity_domain, NULL), -ENOMEM);
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, intel_seen(test), 0);

	KUNIT_EXPECT_EQ(test, intel_move(&identity_domain, NULL), 0);
	KUNIT_EXPECT_NE(test, intel_seen(test), 0);
	intel_leave(test, &identity_domain);
}

static void intel_identity(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &intel);
	u64 seen;

	KUNIT_ASSERT_EQ(test, intel_move(old, NULL), 0);
	seen = intel_seen(test);
	KUNIT_EXPECT_EQ(test, intel_move(&identity_domain, old), 0);
	KUNIT_EXPECT_NE(test, intel_seen(test), seen);
	KUNIT_EXPECT_NE(test, intel_seen(test), 0);
	KUNIT_EXPECT_EQ(test, intel_move(old, &identity_domain), 0);
	KUNIT_EXPECT_EQ(test, intel_seen(test), seen);
	intel_leave(test, old);
	old->ops->free(old);
}

static struct kunit_case intel_legacy_kunit[] = {
	KUNIT_CASE_PARAM(intel_attach_taken, intel_taken_gen_params),
	KUNIT_CASE_PARAM(intel_attach, intel_legacy_gen_params),
	KUNIT_CASE(intel_tags_leave),
	KUNIT_CASE(intel_tags_subdevice),
	KUNIT_CASE(intel_tags_ats),
	KUNIT_CASE(intel_identity),
	KUNIT_CASE(intel_identity_alias),
	{}
};

static struct kunit_case intel_second_kunit[] = {
	KUNIT_CASE_PARAM(intel_attach_taken, intel_taken_gen_params),
	KUNIT_CASE_PARAM(intel_attach, intel_scalable_gen_params),
	KUNIT_CASE_PARAM(intel_give_up, intel_to_gen_params),
	KUNIT_CASE(intel_tags_leave),
	KUNIT_CASE(intel_tags_subdevice),
	KUNIT_CASE(intel_tags_shared),
	KUNIT_CASE(intel_identity),
	KUNIT_CASE(intel_identity_no_page),
	{}
};

static struct kunit_case intel_first_kunit[] = {
	KUNIT_CASE_PARAM(intel_attach_taken, intel_taken_gen_params),
	KUNIT_CASE_PARAM(intel_attach, intel_scalable_gen_params),
	KUNIT_CASE_PARAM(intel_attach_nested, intel_nested_gen_params),
	KUNIT_CASE_PARAM(intel_give_up, intel_to_gen_params),
	KUNIT_CASE_PARAM(intel_pasid, intel_pasid_gen_params),
	KUNIT_CASE_PARAM(intel_give_up_pasid, intel_to_gen_params),
	KUNIT_CASE(intel_tags_leave),
	KUNIT_CASE(intel_tags_subdevice),
	KUNIT_CASE(intel_tags_shared),
	KUNIT_CASE(intel_identity),
	KUNIT_CASE(intel_identity_no_page),
	{}
};

static struct kunit_suite intel_legacy_suite = {
	.name = "intel-iommu-legacy", .init = intel_init_legacy, .exit = intel_exit,
	.test_cases = intel_legacy_kunit,
};

static struct kunit_suite intel_second_suite = {
	.name = "intel-iommu-second", .init = intel_init_second, .exit = intel_exit,
	.test_cases = intel_second_kunit,
};

static struct kunit_suite intel_first_suite = {
	.name = "intel-iommu-first", .init = intel_init_first, .exit = intel_exit,
	.test_cases = intel_first_kunit,
};

kunit_test_suites(&intel_legacy_suite, &intel_second_suite, &intel_first_suite);
