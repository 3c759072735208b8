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

#include <linux/cpufeature.h>
#include <linux/crash_dump.h>
#include <linux/dma-direct.h>
#include <linux/dma-map-ops.h>
#include <linux/dmar.h>
#include <linux/dmi.h>
#include <linux/intel-svm.h>
#include <linux/iova.h>
#include <linux/irq.h>
#include <linux/memory.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/syscore_ops.h>
#include <linux/tboot.h>
#include <asm/irq_remapping.h>

#include "trace.c"
#undef CREATE_TRACE_POINTS
#include "iommu.h"
#include "pasid.h"
#include "../dma-iommu.h"
#include "../irq_remapping.h"
#include "../iommu-sva-lib.h"
#include "../attach-test.h"

struct intel_unit {
	struct intel_iommu iommu;
	struct dmar_drhd_unit drhd;
	struct root_entry root[256];
	struct q_inval qi;
	u8 desc[QI_LENGTH << 5];
	int status[QI_LENGTH];
	unsigned long ids;
	u32 regs[0x400];
	int done[16];	/* invalidations by type */
};

/* The first two devices are behind the first unit, the third behind the other. */
enum { DEV, SIBLING, FAR, NR_DEVS };

enum { PASID_ON = 1, PRI_ON = 2, ATS_ON = 4 };

static struct intel_unit intel_units[2];
static struct pci_sysdata intel_sysdata;
static struct pci_bus intel_bus = { .number = 1, .sysdata = &intel_sysdata };
static struct pci_dev intel_pdevs[NR_DEVS];
static struct dev_iommu intel_dev_iommus[NR_DEVS];
static struct dmar_dev_scope intel_scope;
static int intel_on;
/* What another CPU does while the device is in no domain */
static struct iommu_domain *intel_race;
static struct attach_driver intel;

static void intel_writel(u32 val, void *addr);
static void intel_writeq(u64 val, void *addr);

static int intel_switch_on(const char *call, int what)
{
	int ret = FAIL_OR(call, 0);

	if (!ret)
		intel_on |= what;
	return ret;
}

static void intel_switch_off_ats(void);

static void intel_put_pages_list(struct list_head *pages)
{
	struct list_head *page;

	list_for_each(page, pages)
		attach_test.held[PAGES]--;
	put_pages_list(pages);
}

#undef DECLARE_PCI_FIXUP_HEADER
#undef late_initcall
#undef __setup
#undef writel
#undef writeq
#define DECLARE_PCI_FIXUP_HEADER(vendor, device, hook)	ATTACH_TEST_UNUSED(hook)
#define late_initcall(fn)		ATTACH_TEST_UNUSED(fn)
#define __setup(str, fn)		ATTACH_TEST_UNUSED(fn)
#define writel(val, addr)		intel_writel(val, (__force void *)(addr))
#define writeq(val, addr)		intel_writeq(val, (__force void *)(addr))
#define alloc_pages_node(...) \
	TAKE(PAGES, "alloc_pages_node", alloc_pages_node(__VA_ARGS__))
#define put_pages_list(pages)		intel_put_pages_list(pages)
#define set_bit(nr, map)		({ attach_test.held[ID]++; set_bit(nr, map); })
#define clear_bit(nr, map)		({ attach_test.held[ID]--; clear_bit(nr, map); })
#define xa_cmpxchg(...)			FAIL_OR("xa_cmpxchg", xa_cmpxchg(__VA_ARGS__))
#define xa_insert(...)			FAIL_OR("xa_insert", xa_insert(__VA_ARGS__))
/* The interrupt of a real unit: the kernel has that only for the driver. */
#define dmar_alloc_hwirq(id, node, arg)	({ (void)(arg); 0; })
#define dmar_free_hwirq(irq)		((void)(irq))
/* There is no config space, thus no capability either. */
#define pci_bus_read_config_dword(...) \
	(attach_test_fails("pci_bus_read_config_dword"), PCIBIOS_DEVICE_NOT_FOUND)
#define pci_ats_supported(pdev)		true
#define pci_ats_page_aligned(pdev)	true
#define pci_ats_queue_depth(pdev)	1
#define pci_device_is_present(pdev)	true
#define pci_max_pasids(pdev)		256
#define pci_pasid_features(pdev)	0
#define pci_prg_resp_pasid_required(pdev) true
#define pci_pri_supported(pdev)		true
#define pci_reset_pri(pdev)		FAIL_OR("pci_reset_pri", 0)
#define pci_enable_pasid(pdev, feat)	intel_switch_on("pci_enable_pasid", PASID_ON)
#define pci_enable_pri(pdev, reqs)	intel_switch_on("pci_enable_pri", PRI_ON)
#define pci_enable_ats(pdev, shift)	intel_switch_on("pci_enable_ats", ATS_ON)
#define pci_disable_pasid(pdev)		((void)(pdev), intel_on &= ~PASID_ON)
#define pci_disable_pri(pdev)		((void)(pdev), intel_on &= ~PRI_ON)
#define pci_disable_ats(pdev)		((void)(pdev), intel_switch_off_ats())

#include "dmar.c"
#include "cap_audit.c"
#include "pasid.c"
#include "iommu.c"

static u32 *intel_reg(struct intel_unit *unit, int offset)
{
	return &unit->regs[offset / 4];
}

/*
 * Executes the queue up to its tail. The case makes a descriptor fail by its
 * type: with an error in the fault status, or aborted for one in the queue of
 * another CPU (0).
 */
static void intel_hw_run(struct intel_unit *unit)
{
	u32 *head = intel_reg(unit, DMAR_IQH_REG), tail = *intel_reg(unit, DMAR_IQT_REG);
	u32 *fault = intel_reg(unit, DMAR_FSTS_REG);
	int size = 1 << qi_shift(&unit->iommu), status = QI_DONE, type;
	struct qi_desc *desc;

	for (; *head != tail && !*fault; *head = (*head + size) % (QI_LENGTH * size)) {
		desc = (void *)unit->desc + *head;
		type = desc->qw0 & 0xf;
		if (type != QI_IWD_TYPE && !attach_test_fails(qi_type_string(type))) {
			unit->done[type]++;
		} else if (type != QI_IWD_TYPE) {
			if (attach_test.ret == DMA_FSTS_IQE)
				goto rejected;
			status = attach_test.ret ? 0 : QI_ABORT;
		} else if (status) {
			*(int *)phys_to_virt(desc->qw1) = status;
		}
	}
	if (!status)
		*fault = DMA_FSTS_ITE;
	return;
rejected:
	*fault = DMA_FSTS_IQE;
}

static void intel_writel(u32 val, void *addr)
{
	struct intel_unit *unit = &intel_units[(addr - (void *)intel_units) / sizeof(*unit)];
	u32 *fault = intel_reg(unit, DMAR_FSTS_REG);

	*(u32 *)addr = addr == fault ? *fault & ~val : val;
	if (addr == fault || addr == intel_reg(unit, DMAR_IQT_REG))
		intel_hw_run(unit);
}

/* Somebody gives a domain id back, and the sibling takes it. */
static void intel_switch_off_ats(void)
{
	struct iommu_domain *domain = intel_race;

	intel_on &= ~ATS_ON;
	if (!domain)
		return;
	intel_race = NULL;
	intel_units[0].ids &= ~BIT(9);
	domain->ops->attach_dev(domain, &intel_pdevs[SIBLING].dev);
}

/* What is invalidated by register is so at once, with the granularity asked for. */
static void intel_writeq(u64 val, void *addr)
{
	if (val & DMA_TLB_IVT && addr != intel_reg(&intel_units[0], DMAR_CCMD_REG) &&
	    !attach_test_fails("IOTLB register"))
		val |= DMA_TLB_IIRG(val) << 57;
	*(u64 *)addr = val & ~DMA_TLB_IVT;
}

/* The entry of the device, or that of PASID 0 in its table */
static u64 intel_seen(struct kunit *test)
{
	struct device_domain_info *info = dev_iommu_priv_get(intel.dev);
	struct context_entry *context;
	struct pasid_dir_entry *dir;
	struct pasid_entry *entry;

	context = iommu_context_addr(info->iommu, info->bus, info->devfn, 0);
	if (!context || !context_present(context))
		return 0;
	if (!sm_supported(info->iommu))
		return context->lo;
	dir = phys_to_virt(context->lo & VTD_PAGE_MASK);
	entry = get_pasid_table_from_pde(dir);
	return entry && pasid_pte_is_present(entry) ? entry->val[0] ^ entry->val[2] : 0;
}

/* Takes a device off its domain, and frees the page that the driver keeps for its next attach. */
static void intel_off(struct iommu_domain *domain, struct device *dev)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct pasid_dir_entry *dir;

	domain->ops->detach_dev(domain, dev);
	if (!info->pasid_table)
		return;
	dir = info->pasid_table->table;
	free_pgtable_page(get_pasid_table_from_pde(dir));
	dir->val = 0;
}

static void intel_free_contexts(struct intel_unit *unit)
{
	struct root_entry *root = &unit->root[intel_bus.number];

	free_pgtable_page(phys_to_virt(root->lo & VTD_PAGE_MASK));
	root->lo = 0;
}

static void intel_leave(struct kunit *test, struct iommu_domain *domain)
{
	intel_off(domain, intel.dev);
	intel_free_contexts(&intel_units[0]);
}

/* Bit n of @sagaw is for n + 2 levels */
static void intel_set_caps(struct intel_unit *unit, int sagaw, int width, u64 ecap)
{
	struct intel_iommu *iommu = &unit->iommu;

	iommu->cap = (u64)(width - 1) << 16 | sagaw << 8;
	/* The register for invalidation at 0x108 */
	iommu->ecap = 0x10 << 8 | ECAP_QI_MASK | ecap;
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
		raw_spin_lock_init(&unit->qi.q_lock);
		unit->qi.desc = unit->desc;
		unit->qi.desc_status = unit->status;
		unit->qi.free_cnt = QI_LENGTH;
		unit->ids = 1;
		unit->drhd.iommu = iommu;
		iommu->drhd = &unit->drhd;
		iommu->qi = &unit->qi;
		iommu->reg = (void __iomem *)unit->regs;
		iommu->root_entry = unit->root;
		iommu->domain_ids = &unit->ids;
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
	intel_iommu_ecap_sanity = ecap;
	hw_pass_through = 0;
	intel_on = 0;
	intel_race = NULL;

	memset(intel_pdevs, 0, sizeof(intel_pdevs));
	for (i = 0; i < NR_DEVS; i++) {
		struct device *dev = &intel_pdevs[i].dev;

		intel_pdevs[i].bus = &intel_bus;
		intel_pdevs[i].devfn = i;
		dev->bus = &pci_bus_type;
		dev->init_name = "intel-client";
		dev->iommu = &intel_dev_iommus[i];
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, intel_iommu_ops.probe_device(dev));
	}
	intel.dev = &intel_pdevs[DEV].dev;
	intel.ops = &intel_iommu_ops;
	intel.seen = intel_seen;
	intel.leave = intel_leave;

	si_domain = alloc_domain(IOMMU_DOMAIN_IDENTITY);
	KUNIT_ASSERT_NOT_NULL(test, si_domain);
	return md_domain_init(si_domain, DEFAULT_DOMAIN_ADDRESS_WIDTH);
}

static int intel_init_legacy(struct kunit *test)
{
	return intel_init(test, ECAP_C_MASK);
}

static int intel_init_scalable(struct kunit *test)
{
	return intel_init(test, ECAP_C_MASK | ECAP_SMPWC_MASK | ECAP_SMTS_MASK | ECAP_FLTS_MASK |
			  ECAP_SLTS_MASK | ECAP_PASID_MASK | ECAP_PDS_MASK | ECAP_PRS_MASK |
			  ECAP_DT_MASK | ECAP_SC_MASK);
}

/* Not by the driver's release_device: intel_release() tests that. */
static void intel_exit(struct kunit *test)
{
	int i;

	for (i = 0; i < NR_DEVS; i++) {
		struct device *dev = &intel_pdevs[i].dev;

		intel_pasid_free_table(dev);
		kfree(dev_iommu_priv_get(dev));
		dev_iommu_priv_set(dev, NULL);
	}
	domain_exit(si_domain);
}

static void intel_attach(struct kunit *test)
{
	attach_check(test, &intel, test->param_value);
}

/* What brings about the conditions */
static struct acpi_dmar_header intel_rmrr_header;
static struct dmar_dev_scope intel_rmrr_scope = {
	.dev = (struct device __force __rcu *)&intel_pdevs[DEV].dev,
};

static struct dmar_rmrr_unit intel_rmrr = {
	.hdr = &intel_rmrr_header, .devices = &intel_rmrr_scope, .devices_cnt = 1,
};

static void intel_add_rmrr(struct kunit *test, struct iommu_domain *domain)
{
	list_add(&intel_rmrr.list, &dmar_rmrr_units);
}

static void intel_del_rmrr(struct kunit *test, struct iommu_domain *domain)
{
	list_del(&intel_rmrr.list);
}

static void intel_hide_unit(struct kunit *test, struct iommu_domain *domain)
{
	list_del(&intel_units[0].drhd.list);
}

static void intel_show_unit(struct kunit *test, struct iommu_domain *domain)
{
	list_add_tail(&intel_units[0].drhd.list, &dmar_drhd_units);
}

static void intel_enforce(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_TRUE(test, domain->ops->enforce_cache_coherency(domain));
}

static void intel_map_high(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, domain->ops->map_pages(domain, BIT_ULL(50), 0, SZ_4K, 1, IOMMU_READ,
						     GFP_KERNEL, NULL), 0);
}

static void intel_use(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, &intel_pdevs[FAR].dev), 0);
}

static void intel_unuse(struct kunit *test, struct iommu_domain *domain)
{
	intel_off(domain, &intel_pdevs[FAR].dev);
	intel_free_contexts(&intel_units[1]);
	intel_units[0].iommu.ecap |= ECAP_C_MASK;
}

static void intel_use_deeper(struct kunit *test, struct iommu_domain *domain)
{
	intel_set_caps(&intel_units[1], BIT(3), 57, ECAP_C_MASK);
	intel_use(test, domain);
}

static void intel_flatten(struct kunit *test, struct iommu_domain *domain)
{
	intel_set_caps(&intel_units[1], BIT(1), 39, ECAP_C_MASK);
	intel_use(test, domain);
	intel_unuse(test, domain);
}

static void intel_use_coherent(struct kunit *test, struct iommu_domain *domain)
{
	intel_units[0].iommu.ecap &= ~ECAP_C_MASK;
	intel_use(test, domain);
}

static unsigned long intel_ids;

static void intel_fill_ids(struct kunit *test, struct iommu_domain *domain)
{
	intel_ids = intel_units[0].ids;
	intel_units[0].ids = ~0UL;
}

static void intel_free_ids(struct kunit *test, struct iommu_domain *domain)
{
	intel_units[0].ids &= intel_ids;
}

static struct iommu_domain *intel_shared;

static void intel_share_id(struct kunit *test, struct iommu_domain *domain)
{
	struct device_domain_info *info = dev_iommu_priv_get(intel.dev);

	intel_shared = &info->domain->domain;
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(intel_shared, &intel_pdevs[SIBLING].dev), 0);
	intel_fill_ids(test, domain);
}

static void intel_unshare_id(struct kunit *test, struct iommu_domain *domain)
{
	intel_free_ids(test, domain);
	intel_off(intel_shared, &intel_pdevs[SIBLING].dev);
}

static void intel_make_ioat(struct kunit *test, struct iommu_domain *domain)
{
	intel_pdevs[DEV].vendor = PCI_VENDOR_ID_INTEL;
	intel_pdevs[DEV].device = PCI_DEVICE_ID_INTEL_IOAT_SNB;
}

/* Either this IOMMU alone lacks a kind of table, or from now on all domains get the other */
static void intel_no_table(struct kunit *test, struct iommu_domain *domain)
{
	intel_units[0].iommu.ecap &= domain_use_first_level(to_dmar_domain(domain)) ?
		~ECAP_FLTS_MASK : ~ECAP_SLTS_MASK;
}

static void intel_other_table(struct kunit *test, struct iommu_domain *domain)
{
	intel_no_table(test, domain);
	intel_iommu_ecap_sanity = intel_units[0].iommu.ecap;
}

static void intel_all_tables(struct kunit *test, struct iommu_domain *domain)
{
	intel_units[0].iommu.ecap |= ECAP_FLTS_MASK | ECAP_SLTS_MASK;
	intel_iommu_ecap_sanity = intel_units[0].iommu.ecap;
}

static const struct attach_case intel_legacy_cases[] = {
	{ .name = "intel_iommu_attach_device: the firmware uses DMA of the device (RMRR)",
	  .setup = intel_add_rmrr, .undo = intel_del_rmrr, .expect = -EPERM },
	{ .name = "prepare_domain_attach_device: no IOMMU",
	  .setup = intel_hide_unit, .undo = intel_show_unit, .expect = -ENODEV },
	{ .name = "prepare_domain_attach_device: no snoop control",
	  .setup = intel_enforce, .expect = -EINVAL },
	{ .name = "prepare_domain_attach_device: mappings beyond the address width",
	  .setup = intel_map_high, .expect = -EINVAL },
	{ .name = "prepare_domain_attach_device: in use with more levels",
	  .setup = intel_use_deeper, .undo = intel_unuse, .expect = -EINVAL },
	{ .name = "prepare_domain_attach_device: filled for coherent IOMMUs",
	  .setup = intel_use_coherent, .undo = intel_unuse, .expect = -EINVAL },
	{ .name = "domain_attach_iommu: no memory for the domain id",
	  .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "domain_attach_iommu: no memory in the xarray",
	  .call = "xa_cmpxchg", .ret = (long)XA_ERROR(-ENOMEM), .expect = -ENOMEM },
	{ .name = "domain_attach_iommu: no domain id for a first attach",
	  .setup = intel_fill_ids, .undo = intel_free_ids, .first = true, .expect = -ENOSPC },
	{ .name = "domain_attach_iommu: no domain id, the old one is shared",
	  .setup = intel_share_id, .undo = intel_unshare_id, .expect = -ENOSPC },
	{ .name = "domain_take_over_id: no memory in the xarray",
	  .setup = intel_fill_ids, .undo = intel_free_ids,
	  .call = "xa_insert", .ret = -ENOMEM, .expect = -ENOMEM },
	{ .name = "domain_take_over_id: success",
	  .setup = intel_fill_ids, .undo = intel_free_ids },
	{ .name = "iommu_context_addr: no page for a context table",
	  .call = "alloc_pages_node", .first = true, .expect = -ENOMEM },
	{ .name = "quirk_ioat_snb_local_iommu: no config space",
	  .setup = intel_make_ioat, .call = "pci_bus_read_config_dword" },
	{ .name = "intel_iommu_attach_device: success", },
	{ .name = "prepare_domain_attach_device: fewer levels than the IOMMU can walk",
	  .setup = intel_flatten, .expect = -EINVAL },
};

static const struct attach_case intel_second_cases[] = {
	{ .name = "prepare_domain_attach_device: no IOMMU",
	  .setup = intel_hide_unit, .undo = intel_show_unit, .expect = -ENODEV },
	{ .name = "intel_pasid_setup_second_level: no second level, a fresh domain has the first",
	  .setup = intel_other_table, .undo = intel_all_tables, .expect = -EINVAL },
	{ .name = "intel_pasid_setup_second_level: no second level, nor is there another domain",
	  .setup = intel_no_table, .undo = intel_all_tables, .expect = -ENODEV },
	{ .name = "intel_pasid_setup_second_level: no page for the PASID table",
	  .call = "alloc_pages_node", .first = true, .keeps = true, .expect = -ENOMEM },
	{ .name = "iommu_context_addr: no page for a context table",
	  .call = "alloc_pages_node", .nth = 2, .first = true, .keeps = true, .expect = -ENOMEM },
	{ .name = "domain_attach_iommu: no memory for the domain id",
	  .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "domain_attach_iommu: no domain id, the old one is shared",
	  .setup = intel_share_id, .undo = intel_unshare_id, .expect = -ENOSPC },
	{ .name = "domain_take_over_id: no memory in the xarray",
	  .setup = intel_fill_ids, .undo = intel_free_ids,
	  .call = "xa_insert", .ret = -ENOMEM, .expect = -ENOMEM },
	{ .name = "intel_iommu_attach_device: success", },
};

static const struct attach_case intel_first_cases[] = {
	{ .name = "intel_pasid_setup_first_level: no first level, a fresh domain has the second",
	  .setup = intel_other_table, .undo = intel_all_tables, .expect = -EINVAL },
	{ .name = "intel_pasid_setup_first_level: no first level, nor is there another domain",
	  .setup = intel_no_table, .undo = intel_all_tables, .expect = -ENODEV },
	{ .name = "intel_pasid_setup_first_level: no page for the PASID table",
	  .call = "alloc_pages_node", .first = true, .keeps = true, .expect = -ENOMEM },
	{ .name = "intel_iommu_attach_device: success", },
};

static void intel_attach_first(struct kunit *test)
{
	intel.type = IOMMU_DOMAIN_DMA;
	attach_check(test, &intel, test->param_value);
	intel.type = 0;
}

KUNIT_ARRAY_PARAM(intel_legacy, intel_legacy_cases, attach_case_desc);
KUNIT_ARRAY_PARAM(intel_second, intel_second_cases, attach_case_desc);
KUNIT_ARRAY_PARAM(intel_first, intel_first_cases, attach_case_desc);

/* Moves the device to @domain while @call fails. */
static int intel_move(struct kunit *test, struct iommu_domain *domain, const char *call, long ret)
{
	int err;

	attach_test.hit = false;
	attach_test.nth = 1;
	attach_test.ret = ret;
	attach_test.call = call;
	err = domain->ops->attach_dev(domain, intel.dev);
	attach_test.call = NULL;
	KUNIT_EXPECT_TRUE_MSG(test, !call || attach_test.hit, "%s did not happen", call);
	return err;
}

/*
 * An invalidation that fails does not stop an attach, of which it is the last
 * step back. What was aborted is sent again, what was rejected is not.
 */
struct intel_fault {
	const char *name;
	int type, domain;
	long fault;
};

static const struct intel_fault intel_legacy_faults[] = {
	{ "qi_flush_context: rejected", QI_CC_TYPE, 0, DMA_FSTS_IQE },
	{ "qi_flush_iotlb: rejected", QI_IOTLB_TYPE, 0, DMA_FSTS_IQE },
	{ "qi_check_fault: aborted by the time-out just found", QI_CC_TYPE, 0, DMA_FSTS_ITE },
	{ "qi_check_fault: aborted after the time-out of another", QI_CC_TYPE, 0, 0 },
};

static const struct intel_fault intel_scalable_faults[] = {
	{ "pasid_cache_invalidation_with_pasid: rejected", QI_PC_TYPE, 0, DMA_FSTS_IQE },
	{ "qi_flush_piotlb: rejected", QI_EIOTLB_TYPE, IOMMU_DOMAIN_DMA, DMA_FSTS_IQE },
	{ "qi_check_fault: aborted by the time-out just found", QI_PC_TYPE, 0, DMA_FSTS_ITE },
};

static void intel_fault_desc(const struct intel_fault *f, char *desc)
{
	strscpy(desc, f->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(intel_legacy_faults, intel_legacy_faults, intel_fault_desc);
KUNIT_ARRAY_PARAM(intel_scalable_faults, intel_scalable_faults, intel_fault_desc);

static void intel_queue(struct kunit *test)
{
	const struct intel_fault *f = test->param_value;
	int *done = &intel_units[0].done[f->type], wanted;
	struct iommu_domain *old, *domain;

	intel.type = f->domain;
	old = attach_test_alloc(test, &intel);
	domain = attach_test_alloc(test, &intel);
	intel.type = 0;
	KUNIT_ASSERT_EQ(test, intel_move(test, old, NULL, 0), 0);
	*done = 0;
	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	wanted = *done - (f->fault == DMA_FSTS_IQE);
	*done = 0;
	KUNIT_EXPECT_EQ(test, intel_move(test, old, qi_type_string(f->type), f->fault), 0);
	KUNIT_EXPECT_EQ(test, *done, wanted);
	KUNIT_EXPECT_NE(test, intel_seen(test), 0);
	intel_leave(test, old);
	old->ops->free(old);
	domain->ops->free(domain);
}

/* __iommu_flush_iotlb: the same without queue */
static void intel_registers(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &intel);
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	struct intel_iommu *iommu = &intel_units[0].iommu;
	u64 seen;

	iommu->qi = NULL;
	iommu->flush.flush_context = __iommu_flush_context;
	iommu->flush.flush_iotlb = __iommu_flush_iotlb;
	KUNIT_ASSERT_EQ(test, intel_move(test, old, NULL, 0), 0);
	seen = intel_seen(test);
	attach_test.prints = 0;
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_EQ(test, attach_test.prints, 0);
	KUNIT_EXPECT_EQ(test, intel_move(test, old, "IOTLB register", 0), 0);
	KUNIT_EXPECT_EQ(test, attach_test.prints, 1);
	KUNIT_EXPECT_EQ(test, intel_seen(test), seen);
	intel_leave(test, old);
	old->ops->free(old);
	domain->ops->free(domain);
}

/* iommu_enable_pci_caps: what of the device cannot be enabled is off, and no more than that */
static void intel_pci_caps(struct kunit *test)
{
	static const struct { const char *call; int on; } caps[] = {
		{ "pci_enable_pasid", PRI_ON | ATS_ON },
		{ "pci_reset_pri", PASID_ON | ATS_ON },
		{ "pci_enable_pri", PASID_ON | ATS_ON },
		{ "pci_enable_ats", PASID_ON | PRI_ON },
		{ NULL, PASID_ON | PRI_ON | ATS_ON },
	};
	struct device_domain_info *info = dev_iommu_priv_get(intel.dev);
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	int i;

	for (i = 0; i < ARRAY_SIZE(caps); i++) {
		KUNIT_EXPECT_EQ(test, intel_move(test, domain, caps[i].call, -EINVAL), 0);
		KUNIT_EXPECT_NE(test, intel_seen(test), 0);
		KUNIT_EXPECT_EQ(test, intel_on, caps[i].on);
		KUNIT_EXPECT_EQ(test, info->pasid_enabled * PASID_ON + info->pri_enabled * PRI_ON +
				info->ats_enabled * ATS_ON, caps[i].on);
		intel_leave(test, domain);
		KUNIT_EXPECT_EQ(test, intel_on, 0);
	}
	domain->ops->free(domain);
}

/* A domain is as wide as the narrowest of its IOMMUs, and a failed attach does not narrow it. */
static void intel_width(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &intel);

	intel_set_caps(&intel_units[1], BIT(2), 40, ECAP_C_MASK);
	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_EQ(test, to_dmar_domain(domain)->gaw, 48);
	attach_test.nth = 1;
	attach_test.ret = 0;
	attach_test.call = "kzalloc";
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, &intel_pdevs[FAR].dev), -ENOMEM);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, to_dmar_domain(domain)->gaw, 48);
	domain->ops->detach_dev(domain, intel.dev);
	intel_use(test, domain);
	KUNIT_EXPECT_EQ(test, domain->geometry.aperture_end, DMA_BIT_MASK(40));
	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_EQ(test, domain->geometry.aperture_end, DMA_BIT_MASK(40));
	intel_leave(test, domain);
	intel_unuse(test, domain);
	domain->ops->free(domain);
}

/* domain_take_over_id: the domain has got an id meanwhile, by another device */
static void intel_take_over_late(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &intel);
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	struct iommu_domain_info *id;
	u64 seen;

	KUNIT_ASSERT_EQ(test, intel_move(test, old, NULL, 0), 0);
	seen = intel_seen(test);
	intel_fill_ids(test, domain);
	intel_race = domain;
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_PTR_EQ(test, intel_race, NULL);
	KUNIT_EXPECT_NE(test, intel_seen(test), 0);
	KUNIT_EXPECT_NE(test, intel_seen(test), seen);
	KUNIT_EXPECT_TRUE(test, xa_empty(&to_dmar_domain(old)->iommu_array));
	id = xa_load(&to_dmar_domain(domain)->iommu_array, 0);
	KUNIT_ASSERT_NOT_NULL(test, id);
	KUNIT_EXPECT_EQ(test, id->refcnt, 2);
	KUNIT_EXPECT_EQ(test, id->did, 9);
	intel_off(domain, &intel_pdevs[SIBLING].dev);
	intel_leave(test, domain);
	intel_free_ids(test, domain);
	KUNIT_EXPECT_EQ(test, intel_units[0].ids, 1);
	old->ops->free(old);
	domain->ops->free(domain);
}

/* There is one identity domain for all IOMMUs: it fits, and is left as it is. */
static void intel_identity(struct kunit *test)
{
	struct iommu_domain *domain;
	u64 seen;

	intel.type = IOMMU_DOMAIN_IDENTITY;
	domain = attach_test_alloc(test, &intel);
	intel.type = 0;
	/* Something to be walked: no pass-through here */
	KUNIT_ASSERT_EQ(test, iommu_domain_identity_map(si_domain, 0, 0), 0);
	intel_use_deeper(test, domain);
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	seen = intel_seen(test);
	KUNIT_EXPECT_EQ(test, seen & VTD_PAGE_MASK, dma_pte_addr(si_domain->pgd));
	KUNIT_EXPECT_EQ(test, si_domain->agaw, 3);
	intel_leave(test, domain);
	intel_unuse(test, domain);
}

/* intel_pasid_setup_pass_through: no page for the PASID table */
static void intel_pass_through(struct kunit *test)
{
	struct iommu_domain *domain;

	hw_pass_through = 1;
	intel.type = IOMMU_DOMAIN_IDENTITY;
	domain = attach_test_alloc(test, &intel);
	intel.type = 0;
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, "alloc_pages_node", 0), -ENOMEM);
	KUNIT_EXPECT_EQ(test, intel_seen(test), 0);
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_NE(test, intel_seen(test), 0);
	intel_leave(test, domain);
}

/*
 * A device without domain goes: after a failed first attach, or a deferred one.
 * The sibling, an alias of it, keeps its domain.
 */
static void intel_release(struct kunit *test)
{
	unsigned long aliases[BITS_TO_LONGS(256)] = { BIT(SIBLING) };
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	struct context_entry *context;
	int i;

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, &intel_pdevs[SIBLING].dev), 0);
	context = iommu_context_addr(&intel_units[0].iommu, intel_bus.number, SIBLING, 0);
	intel_pdevs[DEV].dma_alias_mask = aliases;
	for (i = 0; i < 2; i++) {
		if (i)
			KUNIT_EXPECT_EQ(test, intel_move(test, domain, "kzalloc", 0), -ENOMEM);
		intel_iommu_ops.release_device(intel.dev);
		KUNIT_EXPECT_NULL(test, dev_iommu_priv_get(intel.dev));
		KUNIT_EXPECT_TRUE(test, context_present(context));
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, intel_iommu_ops.probe_device(intel.dev));
	}
	intel_pdevs[DEV].dma_alias_mask = NULL;
	intel_off(domain, &intel_pdevs[SIBLING].dev);
	intel_free_contexts(&intel_units[0]);
	domain->ops->free(domain);
}

/* Another device behind the bridge was released, and with it the entry of their alias. */
static void intel_alias(struct kunit *test)
{
	unsigned long aliases[BITS_TO_LONGS(256)] = { BIT(SIBLING) };
	struct device_domain_info *info = dev_iommu_priv_get(intel.dev);
	struct iommu_domain *old = attach_test_alloc(test, &intel);
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	struct context_entry *own, *alias;
	int ids = attach_test.held[ID];
	u64 seen;

	intel_pdevs[DEV].dma_alias_mask = aliases;
	KUNIT_ASSERT_EQ(test, intel_move(test, old, NULL, 0), 0);
	seen = intel_seen(test);
	domain_context_clear_one(info, intel_bus.number, SIBLING);
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_NE(test, intel_seen(test), seen);
	own = iommu_context_addr(info->iommu, intel_bus.number, DEV, 0);
	alias = iommu_context_addr(info->iommu, intel_bus.number, SIBLING, 0);
	KUNIT_EXPECT_EQ(test, alias->lo & VTD_PAGE_MASK, own->lo & VTD_PAGE_MASK);
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], ids + 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&to_dmar_domain(old)->devices));
	intel_leave(test, domain);
	intel_pdevs[DEV].dma_alias_mask = NULL;
	old->ops->free(old);
	domain->ops->free(domain);
}

static struct kunit_case intel_legacy_kunit[] = {
	KUNIT_CASE_PARAM(intel_attach, intel_legacy_gen_params),
	KUNIT_CASE_PARAM(intel_queue, intel_legacy_faults_gen_params),
	KUNIT_CASE(intel_registers),
	KUNIT_CASE(intel_width),
	KUNIT_CASE(intel_identity),
	{}
};

static struct kunit_case intel_scalable_kunit[] = {
	KUNIT_CASE_PARAM(intel_attach, intel_second_gen_params),
	KUNIT_CASE_PARAM(intel_attach_first, intel_first_gen_params),
	KUNIT_CASE_PARAM(intel_queue, intel_scalable_faults_gen_params),
	KUNIT_CASE(intel_pci_caps),
	KUNIT_CASE(intel_take_over_late),
	KUNIT_CASE(intel_pass_through),
	{}
};

/* At the end, since a driver that fails here may take the machine with it */
static struct kunit_case intel_last_kunit[] = {
	KUNIT_CASE(intel_alias),
	KUNIT_CASE(intel_release),
	{}
};

static struct kunit_suite intel_legacy_suite = {
	.name = "intel-iommu-legacy", .init = intel_init_legacy, .exit = intel_exit,
	.test_cases = intel_legacy_kunit,
};

static struct kunit_suite intel_scalable_suite = {
	.name = "intel-iommu-scalable", .init = intel_init_scalable, .exit = intel_exit,
	.test_cases = intel_scalable_kunit,
};

static struct kunit_suite intel_legacy_last_suite = {
	.name = "intel-iommu-legacy-last", .init = intel_init_legacy, .exit = intel_exit,
	.test_cases = intel_last_kunit,
};

static struct kunit_suite intel_scalable_last_suite = {
	.name = "intel-iommu-scalable-last", .init = intel_init_scalable, .exit = intel_exit,
	.test_cases = intel_last_kunit,
};

kunit_test_suites(&intel_legacy_suite, &intel_scalable_suite, &intel_legacy_last_suite,
		  &intel_scalable_last_suite);
