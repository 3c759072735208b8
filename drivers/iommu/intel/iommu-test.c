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
#define CONFIG_DMAR_PERF	1
#define pr_fmt(fmt)		"DMAR: " fmt
#define dev_fmt(fmt)		pr_fmt(fmt)

#include <linux/acpi.h>
#include <linux/cacheflush.h>
#include <linux/cpufeature.h>
#include <linux/crash_dump.h>
#include <linux/debug_locks.h>
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

/* A header of the driver flushes, too */
static void intel_clflush(const void *addr, size_t size);
#define clflush_cache_range(addr, size)	intel_clflush(addr, size)

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
	struct acpi_dmar_hardware_unit hdr;
	struct root_entry root[256];
	struct q_inval qi;
	u8 desc[QI_LENGTH << 5];
	int status[QI_LENGTH];
	unsigned long ids;
	u32 regs[0x400];
	/* Descriptors by type: how many were executed, and the last one */
	int done[16];
	struct qi_desc last[16];
	int write_buffer_flushes;
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
/* What another CPU does while the device is in no domain */
static struct iommu_domain *intel_race;
/* ... while there is no room in the queue */
static struct q_inval *intel_full;
/* ... while a page is allocated for the PASID table */
static bool intel_race_entry;
/* The register of the host bridge that has the address of an IOMMU, if there is one */
static u32 intel_vtbar;
static int intel_tainted;
static int intel_qdep;
/* Whose time is taken, and how often it was */
static int intel_timed, intel_samples;
static struct attach_driver intel;

static void intel_writel(u32 val, void *addr);
static void intel_writeq(u64 val, void *addr);
static void intel_relax(void);
static struct pasid_entry *intel_pasid_get_entry(struct device *dev, u32 pasid);

static int intel_switch_on(const char *call, int what)
{
	int ret = FAIL_OR(call, 0);

	if (!ret)
		intel_on |= what;
	return ret;
}

static void intel_switch_off_ats(void);

static struct page *intel_alloc_pages(int node, gfp_t gfp, unsigned int order)
{
	if (intel_race_entry) {
		intel_race_entry = false;
		intel_pasid_get_entry(intel.dev, 0);
	}
	return alloc_pages_node(node, gfp, order);
}

static int intel_read_config(u32 *val)
{
	if (attach_test_fails("pci_bus_read_config_dword") || !intel_vtbar)
		return PCIBIOS_DEVICE_NOT_FOUND;
	*val = intel_vtbar;
	return 0;
}

/* The physical function of all virtual ones */
static struct pci_dev *intel_physfn(struct pci_dev *pdev)
{
	return pdev->is_virtfn ? &intel_pdevs[FAR] : pdev;
}

/*
 * An IOMMU that is not coherent sees what was flushed last: the start of it is
 * enough. While it is told to look again, what is watched is to be up to date.
 */
static struct intel_flush {
	const void *addr;
	size_t size;
	u8 copy[64];
} intel_flushes[64];

static int intel_nr_flushes, intel_stale;
static const void *intel_watched;

static void intel_clflush(const void *addr, size_t size)
{
	struct intel_flush *f = &intel_flushes[intel_nr_flushes++ % ARRAY_SIZE(intel_flushes)];

	f->addr = addr;
	f->size = size;
	memcpy(f->copy, addr, min(size, sizeof(f->copy)));
}

/* The last time that at least @size bytes from @p on were flushed, or NULL */
static const struct intel_flush *intel_last_flush(const void *p, size_t size)
{
	int i;

	for (i = 1; i <= min_t(int, intel_nr_flushes, ARRAY_SIZE(intel_flushes)); i++) {
		const struct intel_flush *f =
			&intel_flushes[(intel_nr_flushes - i) % ARRAY_SIZE(intel_flushes)];

		if (p == f->addr && size <= f->size)
			return f;
	}
	return NULL;
}

static bool intel_in_memory(const void *p, size_t size)
{
	const struct intel_flush *f = intel_last_flush(p, size);

	return f && !memcmp(f->copy, p, min(size, sizeof(f->copy)));
}

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
#undef pr_warn_ratelimited
#undef read_cr0
#undef writel
#undef writeq
#undef WARN_ON
#undef WARN_ON_ONCE
#define DECLARE_PCI_FIXUP_HEADER(vendor, device, hook)	ATTACH_TEST_UNUSED(hook)
#define late_initcall(fn)		ATTACH_TEST_UNUSED(fn)
#define __setup(str, fn)		ATTACH_TEST_UNUSED(fn)
#define writel(val, addr)		intel_writel(val, (__force void *)(addr))
#define writeq(val, addr)		intel_writeq(val, (__force void *)(addr))
#define WARN_ON(cond)			({ bool __warn = cond; intel_warnings += __warn; __warn; })
#define WARN_ON_ONCE(cond)		WARN_ON(cond)
#define add_taint(flag, lockdep)	({ intel_tainted = flag; (void)(lockdep); })
#define pr_warn_ratelimited(...)	pr_warn(__VA_ARGS__)
#define cpu_relax()			intel_relax()
#define read_cr0()			FAIL_OR("read_cr0", (unsigned long)X86_CR0_WP)
#define alloc_pages_node(...) \
	TAKE(PAGES, "alloc_pages_node", intel_alloc_pages(__VA_ARGS__))
#define put_pages_list(pages)		intel_put_pages_list(pages)
#define set_bit(nr, map)		({ attach_test.held[ID]++; set_bit(nr, map); })
#define clear_bit(nr, map)		({ attach_test.held[ID]--; clear_bit(nr, map); })
#define xa_cmpxchg(...)			FAIL_OR("xa_cmpxchg", xa_cmpxchg(__VA_ARGS__))
#define xa_insert(...)			FAIL_OR("xa_insert", xa_insert(__VA_ARGS__))
/* The interrupt of a real unit: the kernel has that only for the driver. */
#define dmar_alloc_hwirq(id, node, arg)	({ (void)(arg); 0; })
#define dmar_free_hwirq(irq)		((void)(irq))
/* There is no config space, thus no capability either, but for one register. */
#define pci_bus_read_config_dword(bus, devfn, where, val) intel_read_config(val)
#define pci_physfn(pdev)		intel_physfn(pdev)
#define pci_ats_supported(pdev)		true
#define pci_ats_page_aligned(pdev)	true
#define pci_ats_queue_depth(pdev)	intel_qdep
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

/* Without what it takes to show them */
bool dmar_latency_enabled(struct intel_iommu *iommu, enum latency_type type)
{
	return intel_timed & BIT(type);
}

void dmar_latency_update(struct intel_iommu *iommu, enum latency_type type, u64 latency)
{
	intel_samples += BIT(type * 8);
}

static u32 *intel_reg(struct intel_unit *unit, int offset)
{
	return &unit->regs[offset / 4];
}

/*
 * Executes the queue up to its tail. The case makes a descriptor fail by its
 * type: with an error in the fault status, or aborted for one in the queue of
 * another CPU (0). One that the device does not complete as it should is
 * waited for until the error is cleared.
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
		unit->last[type] = *desc;
		if (intel_watched && !intel_in_memory(intel_watched, sizeof(struct context_entry)))
			intel_stale++;
		if (type != QI_IWD_TYPE && !attach_test_fails(qi_type_string(type))) {
			unit->done[type]++;
		} else if (type != QI_IWD_TYPE) {
			if (attach_test.ret == DMA_FSTS_IQE || attach_test.ret == DMA_FSTS_ICE)
				goto stopped;
			status = attach_test.ret ? 0 : QI_ABORT;
		} else if (status) {
			*(int *)phys_to_virt(desc->qw1) = status;
		}
	}
	if (!status)
		*fault = DMA_FSTS_ITE;
	return;
stopped:
	*fault = attach_test.ret;
}

static void intel_writel(u32 val, void *addr)
{
	struct intel_unit *unit = &intel_units[(addr - (void *)intel_units) / sizeof(*unit)];
	u32 *fault = intel_reg(unit, DMAR_FSTS_REG);

	*(u32 *)addr = addr == fault ? *fault & ~val : val;
	if (addr == intel_reg(unit, DMAR_GCMD_REG) && val & DMA_GCMD_WBF) {
		unit->write_buffer_flushes++;
		*intel_reg(unit, DMAR_GSTS_REG) |= DMA_GSTS_WBFS;
	}
	if (addr == fault || addr == intel_reg(unit, DMAR_IQT_REG))
		intel_hw_run(unit);
}

/* While one waits, write buffers are flushed, and another CPU is through with its descriptors. */
static void intel_relax(void)
{
	struct q_inval *qi = intel_full;
	int i;

	for (i = 0; i < ARRAY_SIZE(intel_units); i++)
		*intel_reg(&intel_units[i], DMAR_GSTS_REG) &= ~DMA_GSTS_WBFS;
	if (!qi)
		return;
	intel_full = NULL;
	raw_spin_lock(&qi->q_lock);
	for (i = 0; i < QI_LENGTH; i++)
		qi->desc_status[i] = QI_FREE;
	reclaim_free_desc(qi);
	raw_spin_unlock(&qi->q_lock);
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

static struct device_domain_info *intel_info(void)
{
	return dev_iommu_priv_get(intel.dev);
}

/* Of the device, if it is present; not as the driver looks it up */
static struct context_entry *intel_context(void)
{
	struct device_domain_info *info = intel_info();
	struct root_entry *root = &info->iommu->root_entry[info->bus];
	bool scalable = sm_supported(info->iommu);
	struct context_entry *context;
	u64 table = root->lo;
	u8 index = info->devfn;

	if (scalable) {
		table = index & 0x80 ? root->hi : root->lo;
		index *= 2;
	}
	if (!(table & 1))
		return NULL;
	context = (struct context_entry *)phys_to_virt(table & VTD_PAGE_MASK) + index;
	return context_present(context) ? context : NULL;
}

/* Of PASID 0 and those that follow */
static struct pasid_entry *intel_entries(void)
{
	struct context_entry *context = intel_context();

	return context ? get_pasid_table_from_pde(phys_to_virt(context->lo & VTD_PAGE_MASK)) :
			 NULL;
}

/* The entry of the device, or that of PASID 0 in its table */
static u64 intel_seen(struct kunit *test)
{
	struct context_entry *context = intel_context();
	struct pasid_entry *entry;

	if (!context || !sm_supported(intel_info()->iommu))
		return context ? context->lo : 0;
	entry = intel_entries();
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

	if (root->lo & 1)
		free_pgtable_page(phys_to_virt(root->lo & VTD_PAGE_MASK));
	if (root->hi & 1)
		free_pgtable_page(phys_to_virt(root->hi & VTD_PAGE_MASK));
	root->lo = 0;
	root->hi = 0;
}

static void intel_leave(struct kunit *test, struct iommu_domain *domain)
{
	intel_off(domain, intel.dev);
	intel_free_contexts(container_of(intel_info()->iommu, struct intel_unit, iommu));
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
		unit->hdr.header.type = ACPI_DMAR_TYPE_HARDWARE_UNIT;
		unit->drhd.hdr = &unit->hdr.header;
		unit->drhd.reg_base_addr = 0xfed1a000 + i * 0x10000;
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
	intel_warnings = 0;
	intel_vtbar = 0;
	intel_tainted = -1;
	intel_qdep = 1;
	intel_timed = 0;
	intel_nr_flushes = 0;
	intel_stale = 0;
	memset(&intel_bridge, 0, sizeof(intel_bridge));
	intel_bridge.bus = &intel_root_bus;
	intel_bridge.dev.bus = &pci_bus_type;
	intel_bus.self = NULL;

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
static void intel_forget(struct device *dev)
{
	intel_pasid_free_table(dev);
	kfree(dev_iommu_priv_get(dev));
	dev_iommu_priv_set(dev, NULL);
}

/* What the driver finds out when it probes a device has changed. */
static void intel_reprobe(struct kunit *test)
{
	intel_forget(intel.dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, intel_iommu_ops.probe_device(intel.dev));
}

static void intel_exit(struct kunit *test)
{
	int i;

	for (i = 0; i < NR_DEVS; i++)
		intel_forget(&intel_pdevs[i].dev);
	domain_exit(si_domain);
	KUNIT_EXPECT_EQ(test, intel_warnings, 0);
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
	RCU_INIT_POINTER(intel_rmrr_scope.dev, &intel_pdevs[DEV].dev);
}

static void intel_put_behind_bridge(struct kunit *test)
{
	intel_bus.self = &intel_bridge;
	intel_bus.busn_res.end = intel_bus.number;
	intel_bridge.subordinate = &intel_bus;
}

static void intel_add_rmrr_of_bridge(struct kunit *test, struct iommu_domain *domain)
{
	intel_put_behind_bridge(test);
	RCU_INIT_POINTER(intel_rmrr_scope.dev, &intel_bridge.dev);
	intel_add_rmrr(test, domain);
}

static void intel_add_rmrr_of_usb(struct kunit *test, struct iommu_domain *domain)
{
	intel_pdevs[DEV].class = PCI_CLASS_SERIAL_USB << 8;
	intel_add_rmrr(test, domain);
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

/* The low bits are not of the address */
static void intel_make_ioat_here(struct kunit *test, struct iommu_domain *domain)
{
	intel_make_ioat(test, domain);
	intel_vtbar = 0xfed10001;
}

static void intel_make_ioat_elsewhere(struct kunit *test, struct iommu_domain *domain)
{
	intel_make_ioat(test, domain);
	intel_vtbar = 0xfed20001;
}

static void intel_unmake_ioat(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, intel_tainted, TAINT_FIRMWARE_WORKAROUND);
	intel_pdevs[DEV].device = 0;
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
	{ .name = "is_downstream_to_pci_bridge: the firmware uses DMA of what is behind a bridge",
	  .setup = intel_add_rmrr_of_bridge, .undo = intel_del_rmrr, .expect = -EPERM },
	{ .name = "device_is_rmrr_locked: the firmware uses DMA of a USB controller no more",
	  .setup = intel_add_rmrr_of_usb, .undo = intel_del_rmrr },
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
	{ .name = "quirk_ioat_snb_local_iommu: the IOMMU that the device has",
	  .setup = intel_make_ioat_here },
	{ .name = "quirk_ioat_snb_local_iommu: the IOMMU of another device",
	  .setup = intel_make_ioat_elsewhere, .undo = intel_unmake_ioat, .expect = -ENODEV },
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
	  .call = "alloc_pages_node", .first = true, .expect = -ENOMEM },
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
	  .call = "alloc_pages_node", .first = true, .expect = -ENOMEM },
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
	{ "qi_check_fault: completed wrongly", QI_CC_TYPE, 0, DMA_FSTS_ICE },
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
	attach_test.prints = 0;
	KUNIT_EXPECT_EQ(test, intel_move(test, old, qi_type_string(f->type), f->fault), 0);
	KUNIT_EXPECT_EQ(test, *done, wanted);
	/* What fault, and two descriptors */
	KUNIT_EXPECT_EQ(test, attach_test.prints, f->fault ? 3 : 0);
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

/*
 * A domain is as wide as the narrowest of its IOMMUs, also after another one has
 * left, and a failed attach does not narrow it.
 */
static void intel_width(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	struct iommu_domain *other = attach_test_alloc(test, &intel);

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
	intel_unuse(test, domain);
	KUNIT_EXPECT_EQ(test, domain->geometry.aperture_end, DMA_BIT_MASK(48));
	intel_use(test, domain);
	KUNIT_EXPECT_EQ(test, domain->geometry.aperture_end, DMA_BIT_MASK(40));
	intel_leave(test, domain);

	/* With its last id passed on, it has no IOMMU any more. */
	intel_ids = intel_units[1].ids;
	intel_units[1].ids = ~0UL;
	KUNIT_EXPECT_EQ(test, other->ops->attach_dev(other, &intel_pdevs[FAR].dev), 0);
	intel_units[1].ids &= intel_ids;
	KUNIT_EXPECT_EQ(test, other->geometry.aperture_end, DMA_BIT_MASK(40));
	KUNIT_EXPECT_EQ(test, domain->geometry.aperture_end, DMA_BIT_MASK(48));
	intel_unuse(test, other);

	/* Whichever of them comes first */
	intel_set_caps(&intel_units[0], BIT(2), 40, ECAP_C_MASK);
	intel_set_caps(&intel_units[1], BIT(2), 48, ECAP_C_MASK);
	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	intel_use(test, domain);
	KUNIT_EXPECT_EQ(test, domain->geometry.aperture_end, DMA_BIT_MASK(40));
	intel_unuse(test, domain);
	intel_leave(test, domain);
	other->ops->free(other);
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
		/* It needs no page for that. */
		attach_test_inject("alloc_pages_node", 1, 0);
		intel_iommu_ops.release_device(intel.dev);
		attach_test.call = NULL;
		KUNIT_EXPECT_FALSE(test, attach_test.hit);
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

/* qi_submit_sync: there is no room in the queue until another CPU has seen its descriptors done. */
static void intel_queue_full(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &intel);
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	struct intel_unit *unit = &intel_units[0];
	struct q_inval *qi = &unit->qi;
	int i;

	KUNIT_ASSERT_EQ(test, intel_move(test, old, NULL, 0), 0);
	for (i = 0; i < QI_LENGTH - 2; i++)
		qi->desc_status[(qi->free_head + i) % QI_LENGTH] = QI_IN_USE;
	qi->free_head = (qi->free_head + QI_LENGTH - 2) % QI_LENGTH;
	qi->free_cnt = 2;
	*intel_reg(unit, DMAR_IQH_REG) = qi->free_head << qi_shift(&unit->iommu);
	*intel_reg(unit, DMAR_IQT_REG) = *intel_reg(unit, DMAR_IQH_REG);
	intel_full = qi;
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_PTR_EQ(test, intel_full, NULL);
	intel_full = NULL;
	KUNIT_EXPECT_EQ(test, qi->free_cnt, QI_LENGTH);
	KUNIT_EXPECT_EQ(test, unit->done[QI_CC_TYPE], 1);
	KUNIT_EXPECT_EQ(test, unit->done[QI_IOTLB_TYPE], 1);
	KUNIT_EXPECT_NE(test, intel_seen(test), 0);
	intel_leave(test, domain);
	old->ops->free(old);
	domain->ops->free(domain);
}

/* qi_submit_sync: page requests are waited for only if the caller asks for that. */
static void intel_queue_drain(struct kunit *test)
{
	struct qi_desc desc = { .qw0 = QI_IEC_TYPE };
	struct intel_unit *unit = &intel_units[0];
	int i;

	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, qi_submit_sync(&unit->iommu, &desc, 1,
						     i ? QI_OPT_WAIT_DRAIN : 0), 0);
		KUNIT_EXPECT_EQ(test, unit->last[QI_IWD_TYPE].qw0 & QI_IWD_PRQ_DRAIN,
				i ? QI_IWD_PRQ_DRAIN : 0);
		KUNIT_EXPECT_EQ(test, unit->done[QI_IEC_TYPE], i + 1);
	}
}

/* qi_submit_sync: what takes its time is told apart, and nothing is timed that nobody asked for. */
static void intel_latency(struct kunit *test)
{
	struct intel_iommu *iommu = &intel_units[0].iommu;
	int i;

	iommu->gcmd |= DMA_GCMD_TE;
	for (i = -1; i <= DMAR_LATENCY_INV_IEC; i++) {
		intel_timed = i < 0 ? 0 : BIT(i);
		intel_samples = 0;
		iommu->flush.flush_iotlb(iommu, 0, 0, 0, DMA_TLB_GLOBAL_FLUSH);
		qi_flush_dev_iotlb(iommu, 0, 0, 0, 0, 0);
		qi_global_iec(iommu);
		KUNIT_EXPECT_EQ(test, intel_samples, i < 0 ? 0 : BIT(8 * i));
	}
}

/* What is mapped goes; both by the page */
static void intel_unmap(struct kunit *test, struct iommu_domain *domain, unsigned long iova,
			size_t pages)
{
	struct iommu_iotlb_gather gather;

	iommu_iotlb_gather_init(&gather);
	KUNIT_ASSERT_EQ(test, domain->ops->map_pages(domain, iova, 0, SZ_4K, pages, IOMMU_READ,
						     GFP_KERNEL, NULL), 0);
	KUNIT_ASSERT_EQ(test, domain->ops->unmap_pages(domain, iova, SZ_4K, pages, &gather),
			pages * SZ_4K);
	domain->ops->iotlb_sync(domain, &gather);
}

/* What is invalidated by register is less than everything, if that will do. */
static void intel_registers_ranges(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	struct intel_unit *unit = &intel_units[0];
	struct intel_iommu *iommu = &unit->iommu;
	u64 *ccmd = (u64 *)intel_reg(unit, DMAR_CCMD_REG), *iva = (u64 *)intel_reg(unit, 0x100);
	u16 did;

	iommu->qi = NULL;
	iommu->flush.flush_context = __iommu_flush_context;
	iommu->flush.flush_iotlb = __iommu_flush_iotlb;
	iommu->cap |= CAP_PSI_MASK | CAP_WD_MASK | 9ULL << 48;
	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	did = domain_id_iommu(to_dmar_domain(domain), iommu);
	intel_unmap(test, domain, 0x8000, 4);
	/* Four pages, and of the tables only the lowest is another */
	KUNIT_EXPECT_EQ(test, iva[0], 0x8000 | 1 << 6 | 2);
	KUNIT_EXPECT_EQ(test, iva[1] & ~GENMASK_ULL(58, 57),
			DMA_TLB_PSI_FLUSH | DMA_TLB_DID(did) | DMA_TLB_WRITE_DRAIN);
	iommu->flush.flush_context(iommu, did, 0, 0, DMA_CCMD_DOMAIN_INVL);
	KUNIT_EXPECT_EQ(test, *ccmd & ~GENMASK_ULL(58, 57),
			DMA_CCMD_DOMAIN_INVL | DMA_CCMD_DID(did));
	intel_leave(test, domain);
	domain->ops->free(domain);
}

/* Which IOMMU has a device, and by which number */
struct intel_place {
	const char *name;
	void (*setup)(struct kunit *test);
	int dev, unit, devfn;
};

static void intel_list_bridge(struct kunit *test)
{
	intel_put_behind_bridge(test);
	RCU_INIT_POINTER(intel_scope.dev, &intel_bridge.dev);
}

static void intel_list_bridge_of_ioat(struct kunit *test)
{
	intel_list_bridge(test);
	intel_make_ioat_elsewhere(test, NULL);
}

static void intel_make_far_ioat(struct kunit *test)
{
	intel_pdevs[FAR].vendor = PCI_VENDOR_ID_INTEL;
	intel_pdevs[FAR].device = PCI_DEVICE_ID_INTEL_IOAT_SNB;
	intel_vtbar = 0xfed20001;
}

static void intel_make_vf(struct kunit *test)
{
	intel_pdevs[DEV].is_virtfn = 1;
}

static void intel_other_segment(struct kunit *test)
{
	intel_units[1].drhd.include_all = 1;
	intel_units[1].drhd.segment = 1;
}

static void intel_raise_devfn(struct kunit *test)
{
	intel_pdevs[DEV].devfn = 0x81;
}

static const struct intel_place intel_places[] = {
	{ "is_downstream_to_pci_bridge: the bridge is listed", intel_list_bridge, SIBLING, 1,
	  SIBLING },
	{ "device_to_iommu: the physical function is listed", intel_make_vf, DEV, 1, DEV },
	{ "device_to_iommu: an IOMMU for all of another segment", intel_other_segment, DEV, 0,
	  DEV },
	{ "dmar_find_matched_drhd_unit: the device is listed", intel_make_far_ioat, FAR, 1, FAR },
	{ "dmar_pci_device_match: the bridge is listed", intel_list_bridge_of_ioat, DEV, 1, DEV },
	{ "iommu_context_addr: the upper table of the bus", intel_raise_devfn, DEV, 0, 0x81 },
};

static void intel_place_desc(const struct intel_place *p, char *desc)
{
	strscpy(desc, p->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(intel_places, intel_places, intel_place_desc);

static void intel_place(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	const struct intel_place *p = test->param_value;

	intel.dev = &intel_pdevs[p->dev].dev;
	p->setup(test);
	intel_reprobe(test);
	KUNIT_EXPECT_PTR_EQ(test, intel_info()->iommu, &intel_units[p->unit].iommu);
	KUNIT_EXPECT_EQ(test, intel_info()->bus, intel_bus.number);
	KUNIT_EXPECT_EQ(test, intel_info()->devfn, p->devfn);
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_NE(test, intel_seen(test), 0);
	domain->ops->detach_dev(domain, intel.dev);
	KUNIT_EXPECT_EQ(test, intel_seen(test), 0);
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	intel_leave(test, domain);
	domain->ops->free(domain);
}

/* A device without PCI, which the IOMMU knows by the number that ACPI gives it */
static void intel_acpi(struct kunit *test)
{
	static const struct attach_case success = { .name = "intel_iommu_attach_device: success" };
	static struct acpi_device companion;
	static struct dev_iommu dev_iommu;
	static struct device dev;

	memset(&dev, 0, sizeof(dev));
	fwnode_init(&companion.fwnode, &acpi_device_fwnode_ops);
	dev.init_name = "intel-acpi-client";
	dev.iommu = &dev_iommu;
	dev.fwnode = &companion.fwnode;
	RCU_INIT_POINTER(intel_scope.dev, &companion.dev);
	intel_scope.devfn = 9;
	intel.dev = &dev;
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, intel_iommu_ops.probe_device(&dev));
	KUNIT_EXPECT_PTR_EQ(test, intel_info()->iommu, &intel_units[1].iommu);
	KUNIT_EXPECT_EQ(test, intel_info()->devfn, 9);
	attach_check(test, &intel, &success);
	intel_forget(&dev);
}

/* An IOMMU that does not snoop: all that it reads is flushed before it is told to. */
static void intel_not_coherent(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	struct context_entry *context;
	struct pasid_entry *entries;
	struct dma_pte *pte;
	int i, level = 1;

	for (i = 0; i < ARRAY_SIZE(intel_units); i++)
		intel_units[i].iommu.ecap &= ~(ECAP_C_MASK | ECAP_SMPWC_MASK);
	intel_reprobe(test);
	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	context = intel_context();
	KUNIT_ASSERT_NOT_NULL(test, context);
	KUNIT_EXPECT_TRUE(test, intel_in_memory(context, sizeof(*context)));
	intel_watched = context;
	if (sm_supported(intel_info()->iommu)) {
		entries = intel_entries();
		KUNIT_ASSERT_NOT_NULL(test, entries);
		KUNIT_EXPECT_TRUE(test, intel_in_memory(entries, sizeof(*entries)));
		KUNIT_EXPECT_TRUE(test, intel_in_memory(phys_to_virt(context->lo & VTD_PAGE_MASK),
							sizeof(struct pasid_dir_entry)));
		/* Those of the other PASIDs, which are not present */
		KUNIT_EXPECT_NOT_NULL(test, intel_last_flush(entries, VTD_PAGE_SIZE));
		intel_watched = entries;
	}
	KUNIT_ASSERT_EQ(test, domain->ops->map_pages(domain, 0, 0, SZ_4K, 1, IOMMU_READ,
						     GFP_KERNEL, NULL), 0);
	pte = pfn_to_dma_pte(to_dmar_domain(domain), 0, &level);
	KUNIT_EXPECT_TRUE(test, intel_in_memory(pte, sizeof(*pte)));

	domain->ops->detach_dev(domain, intel.dev);
	KUNIT_EXPECT_EQ(test, intel_stale, 0);
	KUNIT_EXPECT_TRUE(test, intel_in_memory(intel_watched, sizeof(*context)));
	KUNIT_EXPECT_TRUE(test, intel_in_memory(context, sizeof(*context)));
	intel_watched = NULL;
	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	intel_leave(test, domain);
	domain->ops->free(domain);
}

/* An IOMMU that caches that there is nothing: it is told of a first attach, too. */
static void intel_caching(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	struct intel_unit *unit = &intel_units[0];
	u16 did;

	unit->iommu.cap |= CAP_CM_MASK;
	unit->iommu.gcmd |= DMA_GCMD_TE;
	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	did = domain_id_iommu(to_dmar_domain(domain), &unit->iommu);
	KUNIT_EXPECT_EQ(test, unit->done[QI_CC_TYPE], 1);
	KUNIT_EXPECT_EQ(test, unit->last[QI_CC_TYPE].qw0, QI_CC_SID(intel_bus.number << 8 | DEV) |
			QI_CC_GRAN(DMA_CCMD_DEVICE_INVL) | QI_CC_TYPE);
	KUNIT_EXPECT_EQ(test, unit->done[QI_IOTLB_TYPE], 1);
	KUNIT_EXPECT_EQ(test, unit->last[QI_IOTLB_TYPE].qw0, QI_IOTLB_DID(did) |
			QI_IOTLB_GRAN(DMA_TLB_DSI_FLUSH) | QI_IOTLB_TYPE);
	if (sm_supported(&unit->iommu)) {
		KUNIT_EXPECT_EQ(test, unit->done[QI_PC_TYPE], 1);
		KUNIT_EXPECT_EQ(test, unit->last[QI_PC_TYPE].qw0, QI_PC_DID(did) |
				QI_PC_GRAN(QI_PC_PASID_SEL) | QI_PC_TYPE);
		KUNIT_EXPECT_EQ(test, unit->done[QI_EIOTLB_TYPE], 1);
		KUNIT_EXPECT_EQ(test, unit->last[QI_EIOTLB_TYPE].qw0, QI_EIOTLB_DID(did) |
				QI_EIOTLB_GRAN(QI_GRAN_NONG_PASID) | QI_EIOTLB_TYPE);
	}
	intel_leave(test, domain);
	/* The one above does that for the device */
	KUNIT_EXPECT_EQ(test, unit->done[QI_DIOTLB_TYPE], 0);
	domain->ops->free(domain);
}

/* iommu_flush_write_buffer: an IOMMU that does not flush its buffers by itself */
static void intel_write_buffer(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	struct intel_unit *unit = &intel_units[0];

	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_EQ(test, unit->write_buffer_flushes, 0);
	domain->ops->detach_dev(domain, intel.dev);
	unit->iommu.cap |= CAP_RWBF_MASK;
	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_EQ(test, unit->write_buffer_flushes, 1);
	KUNIT_EXPECT_EQ(test, *intel_reg(unit, DMAR_GSTS_REG) & DMA_GSTS_WBFS, 0);
	intel_leave(test, domain);
	domain->ops->free(domain);
}

/* The entry is one of a crashed kernel, and what is cached by its domain id goes if it is an id. */
struct intel_copied {
	const char *name;
	u16 did;
	int flushes;
};

static const struct intel_copied intel_copied_ids[] = {
	{ "domain_context_mapping_one: the entry of a crashed kernel", 7, 1 },
	{ "domain_context_mapping_one: the entry of a crashed kernel has no domain id", 256, 0 },
};

static void intel_copied_desc(const struct intel_copied *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(intel_copied, intel_copied_ids, intel_copied_desc);

static void intel_copied(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	const struct intel_copied *c = test->param_value;
	struct intel_unit *unit = &intel_units[0];
	struct context_entry *context;

	unit->iommu.copied_tables = kunit_kzalloc(test, BIT(16) / 8, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, unit->iommu.copied_tables);
	context = iommu_context_addr(&unit->iommu, intel_bus.number, DEV, 1);
	KUNIT_ASSERT_NOT_NULL(test, context);
	context_set_domain_id(context, c->did);
	context_set_present(context);
	set_context_copied(&unit->iommu, intel_bus.number, DEV);
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_FALSE(test, context_copied(&unit->iommu, intel_bus.number, DEV));
	KUNIT_EXPECT_EQ(test, context->lo & VTD_PAGE_MASK,
			virt_to_phys(to_dmar_domain(domain)->pgd));
	KUNIT_EXPECT_EQ(test, unit->done[QI_CC_TYPE], c->flushes);
	KUNIT_EXPECT_EQ(test, unit->done[QI_IOTLB_TYPE], c->flushes);
	if (c->flushes) {
		KUNIT_EXPECT_EQ(test, unit->last[QI_CC_TYPE].qw0, QI_CC_DID(c->did) |
				QI_CC_SID(intel_bus.number << 8 | DEV) |
				QI_CC_GRAN(DMA_CCMD_DEVICE_INVL) | QI_CC_TYPE);
		KUNIT_EXPECT_EQ(test, unit->last[QI_IOTLB_TYPE].qw0, QI_IOTLB_DID(c->did) |
				QI_IOTLB_GRAN(DMA_TLB_DSI_FLUSH) | QI_IOTLB_TYPE);
	}
	intel_leave(test, domain);
	domain->ops->free(domain);
}

/* domain_adapt_to_iommu: levels on top go, and what is mapped below stays. */
static void intel_levels(struct kunit *test)
{
	int pages = attach_test.held[PAGES];
	struct iommu_domain *domain = attach_test_alloc(test, &intel);

	KUNIT_ASSERT_EQ(test, domain->ops->map_pages(domain, 0, 0x123000, SZ_4K, 1, IOMMU_READ,
						     GFP_KERNEL, NULL), 0);
	intel_set_caps(&intel_units[0], BIT(1), 39, ECAP_C_MASK);
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_EQ(test, to_dmar_domain(domain)->agaw, 1);
	KUNIT_EXPECT_EQ(test, domain->ops->iova_to_phys(domain, 0), 0x123000);
	KUNIT_EXPECT_EQ(test, intel_seen(test) & VTD_PAGE_MASK,
			virt_to_phys(to_dmar_domain(domain)->pgd));
	intel_leave(test, domain);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[PAGES], pages);
}

static struct iommu_domain *intel_alloc_identity(struct kunit *test)
{
	struct iommu_domain *domain;

	intel.type = IOMMU_DOMAIN_IDENTITY;
	domain = attach_test_alloc(test, &intel);
	intel.type = 0;
	return domain;
}

/* Levels are to be skipped, and nothing is below them until there is memory to be mapped. */
static void intel_skip_levels(struct kunit *test, int expect)
{
	struct iommu_domain *domain = intel_alloc_identity(test);
	int ids = attach_test.held[ID];
	u64 *entry;

	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), expect);
	KUNIT_EXPECT_EQ(test, intel_seen(test), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], ids);
	KUNIT_EXPECT_TRUE(test, list_empty(&si_domain->devices));
	KUNIT_ASSERT_EQ(test, iommu_domain_identity_map(si_domain, 0, 0), 0);
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_ASSERT_NE(test, intel_seen(test), 0);
	entry = sm_supported(intel_info()->iommu) ? intel_entries()->val : &intel_context()->lo;
	KUNIT_EXPECT_EQ(test, entry[domain_use_first_level(si_domain) ? 2 : 0] & VTD_PAGE_MASK,
			dma_pte_addr(si_domain->pgd));
	intel_leave(test, domain);
}

/* domain_context_mapping_one and domain_setup_first_level */
static void intel_identity_empty(struct kunit *test)
{
	intel_skip_levels(test, -ENOMEM);
}

/* intel_pasid_setup_second_level: only without memory, so -EINVAL is no word about the domain */
static void intel_identity_empty_second(struct kunit *test)
{
	si_domain->flags &= ~DOMAIN_FLAG_USE_FIRST_LEVEL;
	intel_skip_levels(test, -EINVAL);
}

/* domain_context_mapping_one: nothing is walked, which is what the width has to say. */
static void intel_pass_through_legacy(struct kunit *test)
{
	struct iommu_domain *domain = intel_alloc_identity(test);
	struct context_entry *context;

	hw_pass_through = 1;
	intel_set_caps(&intel_units[0], BIT(2) | BIT(4), 48, ECAP_C_MASK);
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	context = intel_context();
	KUNIT_ASSERT_NOT_NULL(test, context);
	KUNIT_EXPECT_EQ(test, context->lo, CONTEXT_TT_PASS_THROUGH << 2 | 1);
	KUNIT_EXPECT_EQ(test, context->hi & 7, 4);
	intel_leave(test, domain);
}

/* prepare_domain_attach_device: a first level table has no three levels, but a second level one */
static void intel_three_levels(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	struct intel_unit *unit = &intel_units[0];

	intel_flatten(test, domain);
	intel_set_caps(unit, BIT(1) | BIT(2), 48, unit->iommu.ecap);
	KUNIT_EXPECT_EQ(test, unit->iommu.agaw, 2);
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_ASSERT_NE(test, intel_seen(test), 0);
	KUNIT_EXPECT_EQ(test, intel_entries()->val[0] >> 2 & 7, 1);
	intel_leave(test, domain);
	domain->ops->free(domain);
}

/* intel_iommu_enforce_cache_coherency: the domain has the device already. */
static void intel_enforce_late(struct kunit *test)
{
	struct iommu_domain *domain;

	intel.type = IOMMU_DOMAIN_DMA;
	domain = attach_test_alloc(test, &intel);
	intel.type = 0;
	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_EQ(test, intel_entries()->val[1] & BIT_ULL(24), 0);
	intel_enforce(test, domain);
	KUNIT_EXPECT_NE(test, intel_entries()->val[1] & BIT_ULL(24), 0);
	/* In an attach nobody takes the same locks in another order. */
	KUNIT_EXPECT_TRUE(test, debug_locks);
	intel_leave(test, domain);
	domain->ops->free(domain);
}

/* What a domain of the DMA API says of itself in the entry of PASID 0 */
struct intel_entry {
	const char *name;
	void (*setup)(struct kunit *test, struct iommu_domain *domain);
	bool snoop, five_levels;
};

static void intel_five_levels(struct kunit *test, struct iommu_domain *domain)
{
	struct intel_iommu *iommu = &intel_units[0].iommu;

	intel_set_caps(&intel_units[0], BIT(3), 57, iommu->ecap);
	iommu->cap |= CAP_FL5LP_MASK;
	iommu->agaw = iommu_calculate_agaw(iommu);
}

static const struct intel_entry intel_entries_of[] = {
	{ "intel_pasid_setup_first_level: four levels" },
	{ "intel_pasid_setup_first_level: five levels", intel_five_levels, .five_levels = true },
	{ "intel_pasid_setup_first_level: snooping is enforced", intel_enforce, .snoop = true },
};

static void intel_entry_desc(const struct intel_entry *e, char *desc)
{
	strscpy(desc, e->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(intel_entries, intel_entries_of, intel_entry_desc);

static void intel_entry(struct kunit *test)
{
	const struct intel_entry *e = test->param_value;
	struct pasid_entry *entry;
	struct iommu_domain *domain;

	intel.type = IOMMU_DOMAIN_DMA;
	domain = attach_test_alloc(test, &intel);
	intel.type = 0;
	if (e->setup)
		e->setup(test, domain);
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_ASSERT_NE(test, intel_seen(test), 0);
	entry = intel_entries();
	KUNIT_EXPECT_EQ(test, !!(entry->val[1] & BIT_ULL(24)), e->snoop);
	KUNIT_EXPECT_EQ(test, entry->val[2] >> 2 & 3, e->five_levels);
	KUNIT_EXPECT_EQ(test, entry->val[0] >> 2 & 7, 2 + e->five_levels);
	intel_leave(test, domain);
	domain->ops->free(domain);
}

/* The entry of another PASID: what the IOMMU lacks, set up, taken already, torn down */
enum intel_kind { FIRST, SECOND, PASS };

struct intel_pasid {
	const char *name;
	enum intel_kind kind;
	int flags;
	u64 lacks;
	const char *call;
};

static const struct intel_pasid intel_pasids[] = {
	{ "intel_pasid_setup_first_level: no first level", FIRST, 0, ECAP_FLTS_MASK },
	{ "intel_pasid_setup_first_level: no write protection of the CPU", FIRST,
	  PASID_FLAG_SUPERVISOR_MODE, .call = "read_cr0" },
	{ "intel_pasid_setup_first_level: no supervisor requests", FIRST,
	  PASID_FLAG_SUPERVISOR_MODE, ECAP_SRS_MASK },
	{ "intel_pasid_setup_first_level: no five levels", FIRST, PASID_FLAG_FL5LP, U64_MAX },
	{ "intel_pasid_setup_second_level: no second level", SECOND, 0, ECAP_SLTS_MASK },
	{ "intel_pasid_setup_pass_through: success", PASS },
};

static void intel_pasid_desc(const struct intel_pasid *p, char *desc)
{
	strscpy(desc, p->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(intel_pasids, intel_pasids, intel_pasid_desc);

#define OTHER_PASID 5

static int intel_setup_pasid(const struct intel_pasid *p, struct iommu_domain *domain)
{
	struct dmar_domain *dmar_domain = to_dmar_domain(domain);
	struct intel_iommu *iommu = intel_info()->iommu;

	if (p->kind == FIRST)
		return intel_pasid_setup_first_level(iommu, intel.dev, (pgd_t *)dmar_domain->pgd,
						     OTHER_PASID, 3, p->flags);
	if (p->kind == SECOND)
		return intel_pasid_setup_second_level(iommu, dmar_domain, intel.dev, OTHER_PASID);
	return intel_pasid_setup_pass_through(iommu, dmar_domain, intel.dev, OTHER_PASID);
}

static void intel_pasid(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	const struct intel_pasid *p = test->param_value;
	struct intel_unit *unit = &intel_units[0];
	struct intel_iommu *iommu = &unit->iommu;
	struct pasid_entry *entry, gone = { { PASID_PTE_FPD } }, saved;
	u64 ecap = iommu->ecap | ECAP_SRS_MASK;
	int i;

	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	entry = intel_entries() + OTHER_PASID;
	if (p->lacks || p->call) {
		/* Of five levels, another register speaks */
		iommu->ecap = p->lacks == U64_MAX ? ecap : ecap & ~p->lacks;
		attach_test_inject(p->call, 1, 0);
		KUNIT_EXPECT_EQ(test, intel_setup_pasid(p, domain), -EINVAL);
		attach_test_inject(NULL, 0, 0);
		KUNIT_EXPECT_EQ(test, entry->val[0], 0);
	}
	iommu->ecap = ecap;
	iommu->cap |= CAP_FL5LP_MASK;
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, intel_setup_pasid(p, domain), 0);
		KUNIT_EXPECT_TRUE(test, pasid_pte_is_present(entry));
		KUNIT_EXPECT_EQ(test, entry->val[2] & 1,
				p->kind != FIRST || p->flags & PASID_FLAG_SUPERVISOR_MODE);
		KUNIT_EXPECT_EQ(test, !!(entry->val[2] & BIT_ULL(4)),
				p->kind == FIRST && p->flags & PASID_FLAG_SUPERVISOR_MODE);
		saved = *entry;
		KUNIT_EXPECT_EQ(test, intel_setup_pasid(p, domain), -EBUSY);
		KUNIT_EXPECT_EQ(test, memcmp(entry, &saved, sizeof(saved)), 0);
		/* Nobody asks the device while nothing is translated */
		iommu->gcmd = i ? DMA_GCMD_TE : 0;
		intel_pasid_tear_down_entry(iommu, intel.dev, OTHER_PASID, true);
		KUNIT_EXPECT_EQ(test, memcmp(entry, &gone, sizeof(gone)), 0);
		KUNIT_EXPECT_EQ(test, unit->done[QI_DEIOTLB_TYPE], i);
	}
	KUNIT_EXPECT_EQ(test, unit->last[QI_DEIOTLB_TYPE].qw0,
			QI_DEV_EIOTLB_PASID(OTHER_PASID) |
			QI_DEV_EIOTLB_SID(intel_bus.number << 8 | DEV) | QI_DEV_EIOTLB_QDEP(1) |
			QI_DEIOTLB_TYPE);
	KUNIT_EXPECT_EQ(test, unit->last[QI_DEIOTLB_TYPE].qw1,
			GENMASK_ULL(62, 12) | QI_DEV_EIOTLB_SIZE);
	intel_leave(test, domain);
	domain->ops->free(domain);
}

/* intel_pasid_get_entry: another CPU has put a page there meanwhile, which is the one to use. */
static void intel_pasid_race(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	int pages = attach_test.held[PAGES];

	intel_race_entry = true;
	KUNIT_EXPECT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	KUNIT_EXPECT_FALSE(test, intel_race_entry);
	KUNIT_EXPECT_NE(test, intel_seen(test), 0);
	intel_leave(test, domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[PAGES], pages);
	domain->ops->free(domain);
}

/* What a device is told to forget, of which it has a copy if it has ATS */
struct intel_dev_tlb {
	const char *name;
	void (*setup)(struct kunit *test);
	int qdep, pages, times;
	/* In the descriptor */
	u16 pfsid, told_qdep;
	u64 range;
};

static void intel_make_qat(struct kunit *test)
{
	intel_pdevs[DEV].vendor = PCI_VENDOR_ID_INTEL;
	intel_pdevs[DEV].device = 0x4942;
}

static void intel_throttle(struct kunit *test)
{
	intel_make_vf(test);
	intel_units[1].iommu.ecap |= ECAP_DIT_MASK;
}

static const struct intel_dev_tlb intel_dev_tlbs[] = {
	{ "qi_flush_dev_iotlb: one page", NULL, 3, 1, 1, 0, 3, 0x8000 },
	{ "qi_flush_dev_iotlb: four pages", NULL, 3, 4, 1, 0, 3, 0x9001 },
	{ "qi_flush_dev_iotlb: as many requests as the field has no room for", NULL, 33, 1, 1, 0,
	  0, 0x8000 },
	{ "iommu_enable_pci_caps: the physical function of a virtual one", intel_throttle, 3, 1,
	  1, 0x102, 3, 0x8000 },
	{ "quirk_extra_dev_tlb_flush: a device that does not listen at once", intel_make_qat, 3, 1,
	  2, 0, 3, 0x8000 },
};

static void intel_dev_tlb_desc(const struct intel_dev_tlb *d, char *desc)
{
	strscpy(desc, d->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(intel_dev_tlbs, intel_dev_tlbs, intel_dev_tlb_desc);

static void intel_dev_tlb(struct kunit *test)
{
	static const struct { u64 addr; int order; u64 range; int prints; } ranges[] = {
		{ 0x8000, 0, 0x8000, 0 },
		{ 0x8000, 2, 0x9000 | QI_DEV_EIOTLB_SIZE, 0 },
		{ 0x9000, 2, 0x9000 | QI_DEV_EIOTLB_SIZE, 1 },
	};
	struct iommu_domain *domain = attach_test_alloc(test, &intel);
	const struct intel_dev_tlb *d = test->param_value;
	u16 sid = intel_bus.number << 8 | DEV;
	struct intel_unit *unit;
	int i;

	intel_qdep = d->qdep;
	if (d->setup)
		d->setup(test);
	intel_reprobe(test);
	unit = container_of(intel_info()->iommu, struct intel_unit, iommu);
	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	/* Nobody asks the device while nothing is translated */
	intel_unmap(test, domain, 0x8000, d->pages);
	KUNIT_EXPECT_EQ(test, unit->done[QI_DIOTLB_TYPE], 0);
	unit->iommu.gcmd |= DMA_GCMD_TE;
	intel_unmap(test, domain, 0x8000, d->pages);
	KUNIT_EXPECT_EQ(test, unit->done[QI_DIOTLB_TYPE], d->times);
	KUNIT_EXPECT_EQ(test, unit->last[QI_DIOTLB_TYPE].qw0, QI_DEV_IOTLB_SID(sid) |
			QI_DEV_IOTLB_QDEP(d->told_qdep) | QI_DIOTLB_TYPE |
			QI_DEV_IOTLB_PFSID(d->pfsid));
	KUNIT_EXPECT_EQ(test, unit->last[QI_DIOTLB_TYPE].qw1, d->range);

	/* For a PASID nothing else does it again */
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		attach_test.prints = 0;
		quirk_extra_dev_tlb_flush(intel_info(), ranges[i].addr, ranges[i].order,
					  OTHER_PASID, d->qdep);
		KUNIT_EXPECT_EQ(test, unit->done[QI_DEIOTLB_TYPE], d->times > 1 ? i + 1 : 0);
		if (d->times > 1) {
			KUNIT_EXPECT_EQ(test, unit->last[QI_DEIOTLB_TYPE].qw1, ranges[i].range);
			KUNIT_EXPECT_EQ(test, attach_test.prints, ranges[i].prints);
		}
	}
	intel_leave(test, domain);
	/* All of it */
	KUNIT_EXPECT_EQ(test, unit->done[QI_DIOTLB_TYPE], d->times + 1);
	KUNIT_EXPECT_EQ(test, unit->last[QI_DIOTLB_TYPE].qw1, GENMASK_ULL(62, 12) | 1);
	domain->ops->free(domain);
}

/* qi_flush_piotlb: some pages of a first level table, and what nobody should ask for */
static void intel_piotlb(struct kunit *test)
{
	struct intel_unit *unit = &intel_units[0];
	struct qi_desc *desc = &unit->last[QI_EIOTLB_TYPE];
	struct iommu_domain *domain;
	u16 did;

	intel.type = IOMMU_DOMAIN_DMA;
	domain = attach_test_alloc(test, &intel);
	intel.type = 0;
	KUNIT_ASSERT_EQ(test, intel_move(test, domain, NULL, 0), 0);
	did = domain_id_iommu(to_dmar_domain(domain), &unit->iommu);
	intel_unmap(test, domain, 0x8000, 4);
	KUNIT_EXPECT_EQ(test, unit->done[QI_EIOTLB_TYPE], 1);
	KUNIT_EXPECT_EQ(test, desc->qw0, QI_EIOTLB_DID(did) | QI_EIOTLB_GRAN(QI_GRAN_PSI_PASID) |
			QI_EIOTLB_TYPE);
	KUNIT_EXPECT_EQ(test, desc->qw1, 0x8000 | QI_EIOTLB_IH(1) | QI_EIOTLB_AM(2));
	KUNIT_EXPECT_EQ(test, intel_warnings, 0);
	qi_flush_piotlb(&unit->iommu, did, 0, 0x9000, 4, 0);
	KUNIT_EXPECT_EQ(test, unit->done[QI_EIOTLB_TYPE], 2);
	KUNIT_EXPECT_EQ(test, desc->qw1, 0x8000 | QI_EIOTLB_AM(2));
	KUNIT_EXPECT_EQ(test, intel_warnings, 1);
	qi_flush_piotlb(&unit->iommu, did, 0, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, unit->done[QI_EIOTLB_TYPE], 2);
	KUNIT_EXPECT_EQ(test, intel_warnings, 2);
	intel_warnings = 0;
	intel_leave(test, domain);
	domain->ops->free(domain);
}

static struct kunit_case intel_legacy_kunit[] = {
	KUNIT_CASE_PARAM(intel_attach, intel_legacy_gen_params),
	KUNIT_CASE_PARAM(intel_queue, intel_legacy_faults_gen_params),
	KUNIT_CASE(intel_registers),
	KUNIT_CASE(intel_registers_ranges),
	KUNIT_CASE(intel_queue_full),
	KUNIT_CASE(intel_queue_drain),
	KUNIT_CASE(intel_latency),
	KUNIT_CASE_PARAM(intel_place, intel_places_gen_params),
	KUNIT_CASE(intel_acpi),
	KUNIT_CASE(intel_not_coherent),
	KUNIT_CASE(intel_caching),
	KUNIT_CASE(intel_write_buffer),
	KUNIT_CASE_PARAM(intel_copied, intel_copied_gen_params),
	KUNIT_CASE(intel_width),
	KUNIT_CASE(intel_levels),
	KUNIT_CASE(intel_identity),
	KUNIT_CASE(intel_identity_empty),
	KUNIT_CASE(intel_pass_through_legacy),
	{}
};

static struct kunit_case intel_scalable_kunit[] = {
	KUNIT_CASE_PARAM(intel_attach, intel_second_gen_params),
	KUNIT_CASE_PARAM(intel_attach_first, intel_first_gen_params),
	KUNIT_CASE_PARAM(intel_queue, intel_scalable_faults_gen_params),
	KUNIT_CASE_PARAM(intel_place, intel_places_gen_params),
	KUNIT_CASE(intel_not_coherent),
	KUNIT_CASE(intel_caching),
	KUNIT_CASE_PARAM(intel_entry, intel_entries_gen_params),
	KUNIT_CASE_PARAM(intel_pasid, intel_pasids_gen_params),
	KUNIT_CASE(intel_pasid_race),
	KUNIT_CASE(intel_three_levels),
	KUNIT_CASE(intel_enforce_late),
	KUNIT_CASE_PARAM(intel_dev_tlb, intel_dev_tlbs_gen_params),
	KUNIT_CASE(intel_piotlb),
	KUNIT_CASE(intel_pci_caps),
	KUNIT_CASE(intel_take_over_late),
	KUNIT_CASE(intel_identity_empty),
	KUNIT_CASE(intel_identity_empty_second),
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
