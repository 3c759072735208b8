// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of arm-smmu-v3.c, see attach-test.h
 *
 * Two SMMUs, the second of which has a stream table of two levels. The device that
 * is attached has two streams, PASIDs and, where a case says so, ATS; another has
 * its stream twice, and one has a single stream, which can stall.
 */
/* The header's stubs are for those who have no SVA, and no nesting. */
#ifndef CONFIG_ARM_SMMU_V3_SVA
#define CONFIG_ARM_SMMU_V3_SVA 1
#endif
#ifndef CONFIG_ARM_SMMU_V3_IOMMUFD
#define CONFIG_ARM_SMMU_V3_IOMMUFD 1
#endif
#include <linux/acpi.h>
#include <linux/acpi_iort.h>
#include <linux/crash_dump.h>
#include <linux/dma-direct.h>
#include <linux/iommufd.h>
#include <linux/iopoll.h>
#include <linux/mmu_context.h>
#include <linux/mmu_notifier.h>
#include <linux/msi.h>
#include <linux/of_address.h>
#include <linux/pci.h>
#include <linux/pci-ats.h>
#include <linux/sched/mm.h>
#include <linux/sort.h>
#include <linux/string_choices.h>
#include <linux/xarray.h>

#include "../../attach-test.h"

/* An SMMU that no driver has probed, nor has interrupts; a device without a group */
#define bus_find_device_by_fwnode(bus, fwnode) \
	((void)(bus), get_device(smmus[(fwnode) - smmu_fwnodes].dev))
#define devm_request_threaded_irq(dev, irq, fn, thread, ...) \
	((void)(dev), (void)(irq), (void)(fn), (void)(thread), 0)
#define iommu_group_mutex_assert(dev)		((void)(dev))
#define iommu_driver_get_domain_for_dev(dev)	((void)(dev), smmu_rid)
/* What iommufd knows of the device */
#define iommufd_viommu_get_vdev_id(viommu, dev, id) \
	((void)(viommu), (void)(dev), *(id) = 7, smmu_vdevice)
/* Loads the driver, and only that */
#undef MODULE_ALIAS
#define MODULE_ALIAS(alias)

/* PCI devices while smmu_pci says so, with nothing but PASIDs and ATS */
#undef dev_is_pci
#define dev_is_pci(d)			((void)(d), smmu_pci)
#define pci_pasid_features(pdev)	((void)(pdev), 0)
#define pci_max_pasids(pdev)		((void)(pdev), 1 << TEST_SSID_BITS)
#define pci_enable_pasid(pdev, what)	((void)(pdev), (void)(what), 0)
#define pci_ats_supported(pdev)		((void)(pdev), true)
#define pci_ats_required(pdev)		((void)(pdev), smmu_ats_always)
#define pci_prepare_ats(pdev, stu)	((void)(pdev), (void)(stu), 0)
#define pci_enable_ats(pdev, stu)	((void)(stu), smmu_ats[smmu_nr(pdev)]++, 0)
#define pci_disable_ats(pdev)		((void)smmu_ats[smmu_nr(pdev)]--)

#define iopf_queue_add_device(...) \
	FAIL_OR("iopf_queue_add_device", iopf_queue_add_device(__VA_ARGS__))
#define xa_alloc(...)		TAKE_ERR(ID, "xa_alloc", xa_alloc(__VA_ARGS__))
#define xa_erase(xa, id)	({ void *__e = xa_erase(xa, id); GIVE(ID, __e); __e; })
#undef kfree_rcu
#define kfree_rcu(p, head) ({							\
	typeof(p) __p = (p);							\
	GIVE(MEM, __p);								\
	kvfree_rcu_arg_2(__p, head); })

/* The hardware takes commands when it is told of them, and time flies. */
#undef writel_relaxed
#define writel_relaxed(val, reg)	smmu_write(val, reg)
#define ktime_get()			smmu_time()

#define TEST_DEVICES	4
#define TEST_SID_BITS	3
#define TEST_ASID_BITS	16
#define TEST_VMID_BITS	16
/* Take a table of two levels */
#define TEST_SSID_BITS	(ilog2(CTXDESC_L2_ENTRIES) + 1)
#define TEST_PASID	5
#define TEST_FEATURES	(ARM_SMMU_FEAT_2_LVL_CDTAB | ARM_SMMU_FEAT_ATS |	\
			 ARM_SMMU_FEAT_COHERENCY | ARM_SMMU_FEAT_SVA |		\
			 ARM_SMMU_FEAT_STALLS | ARM_SMMU_FEAT_NESTING |		\
			 ARM_SMMU_FEAT_TRANS_S1 | ARM_SMMU_FEAT_TRANS_S2)

static void smmu_write(u32 val, void __iomem *reg);
static ktime_t smmu_time(void);
static int smmu_nr(struct pci_dev *pdev);
static struct fwnode_handle smmu_fwnodes[2];
/* What the core says that the device is in, without PASID */
static struct iommu_domain *smmu_rid;
static int smmu_vdevice;
static bool smmu_pci, smmu_ats_always;
static int smmu_ats[TEST_DEVICES];

#include "arm-smmu-v3.h"

static struct arm_smmu_device smmus[2];

#include "arm-smmu-v3-sva.c"
#include "arm-smmu-v3-iommufd.c"
#include "arm-smmu-v3.c"

static u32 smmu_regs[2][SZ_4K / 4] __aligned(SZ_4K);
/* The hardware's copy of each stream's entry, until it is to read it again */
static struct arm_smmu_ste smmu_stes[2][1 << TEST_SID_BITS];
static struct device *smmu_devs[TEST_DEVICES];
static struct iommu_fwspec *smmu_fwspec;
/* The command that the hardware hangs at, 0 for none, and for how many polls */
static u64 smmu_stuck;
static int smmu_polls;
/* How many commands of each sort it took */
static unsigned int smmu_ops[256];
static ktime_t smmu_now;
static struct iommu_domain *smmu_used;
static struct arm_vsmmu smmu_vsmmu;
static struct mm_struct *smmu_mm;
static struct attach_driver smmu, smmu_one;
static const struct { int smmu, streams; u32 ids[2]; } smmu_ids[TEST_DEVICES] = {
	{ 0, 2, { 1, 2 } },
	{ 0, 2, { 3, 3 } },
	{ 1, 1, { STRTAB_NUM_L2_STES + 1 } },
	{ 0, 1, { 4 } },
};

static struct arm_smmu_master *smmu_master(int i)
{
	return dev_iommu_priv_get(smmu_devs[i]);
}

static int smmu_nr(struct pci_dev *pdev)
{
	int i = TEST_DEVICES;

	while (--i && &pdev->dev != smmu_devs[i])
		;
	return i;
}

static void *smmu_at(u64 dma)
{
	return phys_to_virt(dma_to_phys(smmus[0].dev, dma));
}

static struct arm_smmu_ste *smmu_ste(int i, u32 sid)
{
	u64 base = *(u64 *)&smmu_regs[i][ARM_SMMU_STRTAB_BASE / 4];
	u32 cfg = smmu_regs[i][ARM_SMMU_STRTAB_BASE_CFG / 4];
	void *table = smmu_at(base & STRTAB_BASE_ADDR_MASK);

	if (FIELD_GET(STRTAB_BASE_CFG_FMT, cfg) == STRTAB_BASE_CFG_FMT_2LVL) {
		base = le64_to_cpu(((__le64 *)table)[sid / STRTAB_NUM_L2_STES]);
		table = smmu_at(base & STRTAB_L1_DESC_L2PTR_MASK);
		sid %= STRTAB_NUM_L2_STES;
	}
	return (struct arm_smmu_ste *)table + sid;
}

static void smmu_take_commands(int i)
{
	u32 *prod = &smmu_regs[i][ARM_SMMU_CMDQ_PROD / 4];
	u32 *cons = &smmu_regs[i][ARM_SMMU_CMDQ_CONS / 4];
	struct arm_smmu_queue *q = &smmus[i].cmdq.q;

	for (; *cons != *prod; *cons = (*cons + 1) & ((2 << q->llq.max_n_shift) - 1)) {
		u64 cmd = le64_to_cpu(Q_ENT(q, *cons)[0]);
		u64 op = FIELD_GET(CMDQ_0_OP, cmd);
		u32 sid = FIELD_GET(CMDQ_CFGI_0_SID, cmd);

		if (op == smmu_stuck)
			return;
		/* The other SMMU has no second table by then. */
		if (op == CMDQ_OP_CFGI_ALL && !i)
			memcpy(smmu_stes[i], smmu_ste(i, 0), sizeof(smmu_stes[i]));
		if (op == CMDQ_OP_CFGI_STE)
			smmu_stes[i][sid % STRTAB_NUM_L2_STES] = *smmu_ste(i, sid);
		smmu_ops[op]++;
	}
}

static void smmu_write(u32 val, void __iomem *reg)
{
	unsigned long at = (unsigned long)reg - (unsigned long)smmu_regs;
	u32 *to = smmu_regs[at / SZ_4K] + at % SZ_4K / 4;

	*to = val;
	if (at % SZ_4K == ARM_SMMU_CMDQ_PROD)
		smmu_take_commands(at / SZ_4K);
	/* Acknowledged in the next register */
	if (at % SZ_4K == ARM_SMMU_CR0 || at % SZ_4K == ARM_SMMU_IRQ_CTRL)
		to[1] = val;
}

static void smmu_resume(void)
{
	smmu_stuck = 0;
	smmu_take_commands(0);
}

/* The second poll is too late. */
static ktime_t smmu_time(void)
{
	struct arm_smmu_cmdq *cmdq = &smmus[0].cmdq;

	if (smmu_polls && !--smmu_polls) {
		/* What the CPU does that has the queue */
		smmu_resume();
		cmdq->q.llq.cons = smmu_regs[0][ARM_SMMU_CMDQ_CONS / 4];
		arm_smmu_cmdq_shared_unlock(cmdq);
	}
	smmu_now = ktime_add_us(smmu_now, ARM_SMMU_POLL_TIMEOUT_US * 2 / 3);
	return smmu_now;
}

static struct arm_smmu_ste *smmu_entry(int i)
{
	return &smmu_stes[smmu_ids[i].smmu][smmu_ids[i].ids[0] % STRTAB_NUM_L2_STES];
}

/* The context descriptor of a PASID, 0 for none; NULL if there is no table for it */
static struct arm_smmu_cd *smmu_cd(int i, u32 ssid)
{
	u64 val = le64_to_cpu(smmu_entry(i)->data[0]);
	void *table = smmu_at(val & STRTAB_STE_0_S1CTXPTR_MASK);

	if (FIELD_GET(STRTAB_STE_0_CFG, val) != STRTAB_STE_0_CFG_S1_TRANS ||
	    ssid >> FIELD_GET(STRTAB_STE_0_S1CDMAX, val))
		return NULL;
	if (FIELD_GET(STRTAB_STE_0_S1FMT, val) == STRTAB_STE_0_S1FMT_64K_L2) {
		val = le64_to_cpu(((__le64 *)table)[ssid / CTXDESC_L2_ENTRIES]);
		if (!(val & CTXDESC_L1_DESC_V))
			return NULL;
		table = smmu_at(val & CTXDESC_L1_DESC_L2PTR_MASK);
		ssid %= CTXDESC_L2_ENTRIES;
	}
	return (struct arm_smmu_cd *)table + ssid;
}

/* The page table of a device, or of a PASID; 0 if that aborts, 1 for bypass */
static u64 smmu_table(int i, u32 ssid)
{
	struct arm_smmu_ste *ste = smmu_entry(i);
	u64 val = le64_to_cpu(ste->data[0]);
	struct arm_smmu_cd *cd;

	if (!(val & STRTAB_STE_0_V))
		return 0;
	switch (FIELD_GET(STRTAB_STE_0_CFG, val)) {
	case STRTAB_STE_0_CFG_S1_TRANS:
		if (!ssid && FIELD_GET(STRTAB_STE_0_S1CDMAX, val)) {
			switch (FIELD_GET(STRTAB_STE_1_S1DSS, le64_to_cpu(ste->data[1]))) {
			case STRTAB_STE_1_S1DSS_TERMINATE:
				return 0;
			case STRTAB_STE_1_S1DSS_BYPASS:
				return 1;
			}
		}
		cd = smmu_cd(i, ssid);
		if (!cd || !(le64_to_cpu(cd->data[0]) & CTXDESC_CD_0_V) ||
		    le64_to_cpu(cd->data[0]) & CTXDESC_CD_0_TCR_EPD0)
			return 0;
		return le64_to_cpu(cd->data[1]) & CTXDESC_CD_1_TTB0_MASK;
	case STRTAB_STE_0_CFG_S2_TRANS:
	case STRTAB_STE_0_CFG_NESTED:
		return ssid ? 0 : le64_to_cpu(ste->data[3]) & STRTAB_STE_3_S2TTB_MASK;
	case STRTAB_STE_0_CFG_BYPASS:
		return !ssid;
	default:
		return 0;
	}
}

/* What smmu_table() is to say of a domain */
static u64 smmu_domain_table(struct iommu_domain *domain)
{
	struct arm_smmu_domain *d = to_smmu_domain(domain);
	struct io_pgtable_cfg *cfg;

	if (d->stage == ARM_SMMU_DOMAIN_SVA)
		return virt_to_phys(domain->mm->pgd) & CTXDESC_CD_1_TTB0_MASK;
	cfg = &io_pgtable_ops_to_pgtable(d->pgtbl_ops)->cfg;
	if (d->stage == ARM_SMMU_DOMAIN_S1)
		return cfg->arm_lpae_s1_cfg.ttbr & CTXDESC_CD_1_TTB0_MASK;
	return cfg->arm_lpae_s2_cfg.vttbr & STRTAB_STE_3_S2TTB_MASK;
}

/* How often a domain is told to have the device, or a PASID of it */
static int smmu_listed(struct arm_smmu_domain *d, int i, u32 ssid)
{
	struct arm_smmu_master_domain *elm;
	int n = 0;

	list_for_each_entry(elm, &d->devices, devices_elm)
		n += elm->master == smmu_master(i) && elm->ssid == ssid;
	return n;
}

/* A domain lists, and invalidates for, those that it translates, and no others. */
static void smmu_domain_consistent(struct kunit *test, struct arm_smmu_domain *d)
{
	static const u32 ssids[] = { IOMMU_NO_PASID, TEST_PASID };
	struct arm_smmu_invs *invs = rcu_dereference_protected(d->invs, true);
	int i, j, all = 0, ats = 0, atcs = 0, tags = 0, atc_users = 0;

	for (i = 0; i < TEST_DEVICES; i++) {
		for (j = 0; j < ARRAY_SIZE(ssids); j++) {
			u64 table = smmu_table(i, ssids[j]);
			bool in = table && table == smmu_domain_table(&d->domain);

			KUNIT_EXPECT_EQ_MSG(test, smmu_listed(d, i, ssids[j]), in,
					    "the list of a domain, device %d, PASID %u", i,
					    ssids[j]);
			all += in;
			if (in && smmu_ats[i]) {
				ats++;
				atcs += smmu_ids[i].streams;
			}
		}
	}
	for (i = 0; i < invs->num_invs; i++)
		*(arm_smmu_inv_is_ats(&invs->inv[i]) ? &atc_users : &tags) += invs->inv[i].users;
	KUNIT_EXPECT_EQ_MSG(test, tags, all, "invalidations of the TLB");
	KUNIT_EXPECT_EQ_MSG(test, atc_users, atcs, "invalidations of ATCs");
	KUNIT_EXPECT_EQ_MSG(test, atomic_read(&d->nr_ats_masters), ats, "devices with ATS");
}

static void smmu_consistent(struct kunit *test)
{
	struct arm_smmu_domain *d;
	unsigned long asid;
	int i;

	KUNIT_EXPECT_EQ_MSG(test, memcmp(&smmu_stes[0][1], &smmu_stes[0][2],
					 sizeof(smmu_stes[0][1])), 0, "neither here nor there");
	for (i = 0; i < TEST_DEVICES; i++) {
		KUNIT_EXPECT_EQ_MSG(test, smmu_ats[i],
				    FIELD_GET(STRTAB_STE_1_EATS,
					      le64_to_cpu(smmu_entry(i)->data[1])),
				    "ATS of device %d", i);
		KUNIT_EXPECT_EQ(test, (int)smmu_master(i)->ats_enabled, smmu_ats[i]);
	}
	xa_for_each(&arm_smmu_asid_xa, asid, d)
		if (d->stage == ARM_SMMU_DOMAIN_S1 || atomic_read(&d->domain.mm->mm_users))
			smmu_domain_consistent(test, d);
}

/* All that the hardware reads of a device, and what goes with it */
static u64 smmu_state(struct kunit *test, int i)
{
	struct arm_smmu_master *master = smmu_master(i);
	u64 res = smmu_ats[i] + 2 * master->iopf_refcount + 8 * !!master->vmaster +
		  16 * master->cd_table.used_ssids;
	static const u32 ssids[] = { IOMMU_NO_PASID, TEST_PASID };
	int j, k;

	smmu_consistent(test);
	for (j = 0; j < ARRAY_SIZE(smmu_entry(i)->data); j++)
		res = res * 31 + le64_to_cpu(smmu_entry(i)->data[j]);
	for (k = 0; k < ARRAY_SIZE(ssids); k++) {
		struct arm_smmu_cd *cd = smmu_cd(i, ssids[k]);

		for (j = 0; cd && j < ARRAY_SIZE(cd->data); j++)
			res = res * 31 + le64_to_cpu(cd->data[j]);
	}
	return res;
}

static u64 smmu_seen(struct kunit *test)
{
	return smmu_state(test, 0);
}

static u64 smmu_one_seen(struct kunit *test)
{
	return smmu_state(test, 3);
}

/* A device keeps its tables of context descriptors, which would look like a leak. */
static void smmu_off(struct kunit *test, int i, struct iommu_domain *domain)
{
	struct arm_smmu_master *master = smmu_master(i);

	KUNIT_EXPECT_EQ(test, arm_smmu_attach_dev_blocked(&arm_smmu_blocked_domain, master->dev,
							  domain), 0);
	KUNIT_EXPECT_EQ(test, smmu_table(i, IOMMU_NO_PASID), 0);
	smmu_consistent(test);
	if (arm_smmu_cdtab_allocated(&master->cd_table))
		arm_smmu_free_cd_tables(master);
	memset(&master->cd_table, 0, sizeof(master->cd_table));
}

static void smmu_leave(struct kunit *test, struct iommu_domain *domain)
{
	if (domain->type == IOMMU_DOMAIN_UNMANAGED)
		KUNIT_EXPECT_EQ(test, smmu_table(0, IOMMU_NO_PASID), smmu_domain_table(domain));
	smmu_off(test, 0, domain);
}

static void smmu_one_leave(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, smmu_table(3, IOMMU_NO_PASID), smmu_domain_table(domain));
	smmu_off(test, 3, domain);
	KUNIT_EXPECT_EQ(test, smmu_master(3)->iopf_refcount, 0);
	KUNIT_EXPECT_PTR_EQ(test, rcu_access_pointer(smmu_devs[3]->iommu->fault_param), NULL);
}

static struct iommu_domain *smmu_alloc_other(struct kunit *test)
{
	return attach_test_alloc_for(test, &smmu, smmu_devs[2]);
}

static struct iommu_domain *smmu_alloc_s2(struct kunit *test)
{
	struct iommu_domain *domain;

	smmus[0].features &= ~ARM_SMMU_FEAT_TRANS_S1;
	domain = attach_test_alloc(test, &smmu);
	smmus[0].features |= ARM_SMMU_FEAT_TRANS_S1;
	return domain;
}

static void smmu_no_fwspec(struct kunit *test, struct iommu_domain *domain)
{
	smmu_fwspec = dev_iommu_fwspec_get(smmu.dev);
	dev_iommu_fwspec_set(smmu.dev, NULL);
}

static void smmu_fwspec_again(struct kunit *test, struct iommu_domain *domain)
{
	dev_iommu_fwspec_set(smmu.dev, smmu_fwspec);
}

static void smmu_no_pasids(struct kunit *test, struct iommu_domain *domain)
{
	smmu_master(0)->ssid_bits = 0;
}

/* One is in use, in a domain of its own. */
static void smmu_use_pasid(struct kunit *test, struct iommu_domain *domain)
{
	smmu_used = attach_test_alloc(test, &smmu);
	smmu_rid = smmu_used;
	KUNIT_ASSERT_EQ(test, smmu_used->ops->set_dev_pasid(smmu_used, smmu.dev, TEST_PASID, NULL),
			0);
}

static void smmu_leave_pasid(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, smmu_table(0, TEST_PASID), smmu_domain_table(smmu_used));
	KUNIT_EXPECT_EQ(test, arm_smmu_blocking_set_dev_pasid(&arm_smmu_blocked_domain, smmu.dev,
							      TEST_PASID, smmu_used), 0);
	KUNIT_EXPECT_EQ(test, smmu_table(0, TEST_PASID), 0);
	smmu_used->ops->free(smmu_used);
	smmu_rid = &arm_smmu_blocked_domain;
}

static int smmu_fault(struct iopf_group *group)
{
	return 0;
}

static void smmu_stalls(struct kunit *test, struct iommu_domain *domain)
{
	smmu_master(0)->stall_enabled = true;
	smmu_master(3)->stall_enabled = true;
	domain->iopf_handler = smmu_fault;
}

static void smmu_no_handler(struct kunit *test, struct iommu_domain *domain)
{
	domain->iopf_handler = NULL;
}

static void smmu_enforces(struct kunit *test, struct iommu_domain *domain)
{
	to_smmu_domain(domain)->enforce_cache_coherency = true;
}

static void smmu_stalls_enforces(struct kunit *test, struct iommu_domain *domain)
{
	smmu_stalls(test, domain);
	smmu_enforces(test, domain);
}

static const struct attach_case smmu_cases[] = {
	{ .name = "arm_smmu_attach_dev: no fwspec",
	  .setup = smmu_no_fwspec, .undo = smmu_fwspec_again, .expect = -ENODEV },
	{ .name = "arm_smmu_attach_dev: the domain belongs to another SMMU",
	  .alloc = smmu_alloc_other, .expect = -EINVAL },
	{ .name = "arm_smmu_attach_dev: PASIDs are in use",
	  .alloc = smmu_alloc_s2, .setup = smmu_use_pasid, .undo = smmu_leave_pasid,
	  .expect = -EBUSY },
	{ .name = "arm_smmu_alloc_cd_tables: no linear table",
	  .setup = smmu_no_pasids, .call = "dma_alloc_coherent", .first = true,
	  .expect = -ENOMEM },
	{ .name = "arm_smmu_alloc_cd_tables: no pointers",
	  .call = "kzalloc", .first = true, .expect = -ENOMEM },
	{ .name = "arm_smmu_alloc_cd_tables: no first level",
	  .call = "dma_alloc_coherent", .first = true, .expect = -ENOMEM },
	{ .name = "arm_smmu_alloc_cd_ptr: no leaf",
	  .call = "dma_alloc_coherent", .nth = 2, .first = true, .keeps = true,
	  .expect = -ENOMEM },
	{ .name = "arm_smmu_invs_merge: no memory",
	  .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "arm_smmu_invs_merge: no memory, stage 2",
	  .alloc = smmu_alloc_s2, .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "arm_smmu_attach_prepare: no entry of the list",
	  .call = "kzalloc", .nth = 2, .expect = -ENOMEM },
	{ .name = "arm_smmu_enable_iopf: several streams",
	  .setup = smmu_stalls, .undo = smmu_no_handler, .expect = -EOPNOTSUPP },
	{ .name = "arm_smmu_attach_prepare: no coherency",
	  .setup = smmu_enforces, .expect = -EINVAL },
	{ .name = "arm_smmu_attach_dev: success of stage 1" },
	{ .name = "arm_smmu_attach_dev: success, first", .first = true },
	{ .name = "arm_smmu_attach_dev: success of stage 2", .alloc = smmu_alloc_s2 },
};

KUNIT_ARRAY_PARAM(smmu, smmu_cases, attach_case_desc);

static void smmu_attach(struct kunit *test)
{
	attach_check(test, &smmu, test->param_value);
}

static void smmu_attach_ats(struct kunit *test)
{
	smmu_pci = true;
	attach_check(test, &smmu, test->param_value);
	KUNIT_EXPECT_EQ(test, smmu_ats[0], 0);
}

/* Of the device that can stall */
static const struct attach_case smmu_iopf_cases[] = {
	{ .name = "arm_smmu_enable_iopf: no memory",
	  .setup = smmu_stalls, .call = "iopf_queue_add_device", .ret = -ENOMEM,
	  .expect = -ENOMEM },
	{ .name = "arm_smmu_attach_prepare: no coherency",
	  .setup = smmu_stalls_enforces, .expect = -EINVAL },
	{ .name = "arm_smmu_attach_dev: success with page faults", .setup = smmu_stalls },
};

KUNIT_ARRAY_PARAM(smmu_iopf, smmu_iopf_cases, attach_case_desc);

static void smmu_attach_iopf(struct kunit *test)
{
	attach_check(test, &smmu_one, test->param_value);
}

/* Page faults are given up with the last domain that handles them. */
static void smmu_iopf_twice(struct kunit *test)
{
	struct iommu_domain *a = attach_test_alloc(test, &smmu_one);
	struct iommu_domain *b = attach_test_alloc(test, &smmu_one);
	struct device *dev = smmu_devs[3];

	smmu_stalls(test, a);
	smmu_stalls(test, b);
	KUNIT_ASSERT_EQ(test, a->ops->attach_dev(a, dev, &arm_smmu_blocked_domain), 0);
	KUNIT_EXPECT_EQ(test, b->ops->attach_dev(b, dev, a), 0);
	KUNIT_EXPECT_EQ(test, smmu_master(3)->iopf_refcount, 1);
	KUNIT_EXPECT_PTR_NE(test, rcu_access_pointer(dev->iommu->fault_param), NULL);
	smmu_one_leave(test, b);
	b->ops->free(b);
	a->ops->free(a);
}

static struct iommu_domain *smmu_nested_domain(struct kunit *test, u64 cfg)
{
	struct arm_smmu_nested_domain *nested = kzalloc_obj(*nested);

	KUNIT_ASSERT_NOT_NULL(test, nested);
	nested->vsmmu = &smmu_vsmmu;
	nested->domain.ops = &arm_smmu_nested_ops;
	nested->ste[0] = cpu_to_le64(STRTAB_STE_0_V | FIELD_PREP(STRTAB_STE_0_CFG, cfg) |
				     (cfg == STRTAB_STE_0_CFG_S1_TRANS ? SZ_1M : 0));
	return attach_test_domain(test, &smmu, IOMMU_DOMAIN_NESTED, &nested->domain);
}

static struct iommu_domain *smmu_alloc_nested(struct kunit *test)
{
	return smmu_nested_domain(test, STRTAB_STE_0_CFG_S1_TRANS);
}

static struct iommu_domain *smmu_alloc_nested_ats(struct kunit *test)
{
	struct iommu_domain *domain = smmu_alloc_nested(test);

	to_smmu_nested_domain(domain)->enable_ats = true;
	return domain;
}

static struct iommu_domain *smmu_alloc_nested_bypass(struct kunit *test)
{
	return smmu_nested_domain(test, STRTAB_STE_0_CFG_BYPASS);
}

static void smmu_vsmmu_other(struct kunit *test, struct iommu_domain *domain)
{
	smmu_vsmmu.smmu = &smmus[1];
}

static void smmu_no_vdevice(struct kunit *test, struct iommu_domain *domain)
{
	smmu_vdevice = -ENOENT;
}

static void smmu_vdevice_again(struct kunit *test, struct iommu_domain *domain)
{
	smmu_vdevice = 0;
}

static const struct attach_case smmu_nested_cases[] = {
	{ .name = "arm_smmu_attach_dev_nested: the vIOMMU is of another SMMU",
	  .alloc = smmu_alloc_nested, .setup = smmu_vsmmu_other, .expect = -EINVAL },
	{ .name = "arm_smmu_attach_dev_nested: PASIDs are in use",
	  .alloc = smmu_alloc_nested, .setup = smmu_use_pasid, .undo = smmu_leave_pasid,
	  .expect = -EBUSY },
	{ .name = "arm_smmu_invs_merge: no memory",
	  .alloc = smmu_alloc_nested, .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "arm_smmu_attach_prepare_vmaster: no vDEVICE",
	  .alloc = smmu_alloc_nested, .setup = smmu_no_vdevice, .undo = smmu_vdevice_again,
	  .expect = -ENOENT },
	{ .name = "arm_smmu_attach_prepare_vmaster: no memory",
	  .alloc = smmu_alloc_nested, .call = "kzalloc", .nth = 2, .expect = -ENOMEM },
	{ .name = "arm_smmu_attach_prepare: no entry of the list",
	  .alloc = smmu_alloc_nested, .call = "kzalloc", .nth = 3, .expect = -ENOMEM },
	{ .name = "arm_smmu_attach_dev_nested: success", .alloc = smmu_alloc_nested },
	{ .name = "arm_smmu_attach_dev_nested: success with ATS",
	  .alloc = smmu_alloc_nested_ats },
	{ .name = "arm_smmu_attach_dev_nested: success without vDEVICE",
	  .alloc = smmu_alloc_nested_bypass, .setup = smmu_no_vdevice,
	  .undo = smmu_vdevice_again },
};

KUNIT_ARRAY_PARAM(smmu_nested, smmu_nested_cases, attach_case_desc);

/* The device leaves a parent without anything of it. */
static void smmu_nested_check(struct kunit *test)
{
	struct arm_smmu_domain *parent;
	struct iommu_domain *domain;

	domain = smmu.ops->domain_alloc_paging_flags(smmu.dev, IOMMU_HWPT_ALLOC_NEST_PARENT, NULL);
	attach_test_domain(test, &smmu, IOMMU_DOMAIN_UNMANAGED, domain);
	parent = to_smmu_domain(domain);
	smmu_vsmmu.smmu = &smmus[0];
	smmu_vsmmu.s2_parent = parent;
	attach_check(test, &smmu, test->param_value);
	KUNIT_EXPECT_TRUE(test, list_empty(&parent->devices));
	KUNIT_EXPECT_EQ(test, rcu_dereference_protected(parent->invs, true)->num_invs, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&parent->nr_ats_masters), 0);
	KUNIT_EXPECT_PTR_EQ(test, smmu_master(0)->vmaster, NULL);
	domain->ops->free(domain);
}

static void smmu_nested_attach(struct kunit *test)
{
	smmu_nested_check(test);
}

static void smmu_nested_attach_ats(struct kunit *test)
{
	smmu_pci = true;
	smmu_nested_check(test);
	KUNIT_EXPECT_EQ(test, smmu_ats[0], 0);
}

/* What a device is in without PASID */
enum smmu_in { IN_S1, IN_S2, IN_IDENTITY, IN_BLOCKED };

static struct iommu_domain *smmu_alloc_in(struct kunit *test, enum smmu_in in)
{
	switch (in) {
	case IN_S1:
		return attach_test_alloc(test, &smmu);
	case IN_S2:
		return smmu_alloc_s2(test);
	case IN_IDENTITY:
		return &arm_smmu_identity_domain;
	default:
		return &arm_smmu_blocked_domain;
	}
}

static void smmu_free_in(struct iommu_domain *domain)
{
	if (domain->ops->free)
		domain->ops->free(domain);
}

/* Neither of them has anything to fail, nor any need of memory; a PASID stays. */
static const struct smmu_static_case {
	const char *name;
	enum smmu_in in;
	bool pasid, ats;
} smmu_static_cases[] = {
	{ "arm_smmu_attach_dev_identity", IN_IDENTITY },
	{ "arm_smmu_attach_dev_identity: ATS", IN_IDENTITY, .ats = true },
	{ "arm_smmu_attach_dev_identity: a PASID", IN_IDENTITY, .pasid = true },
	{ "arm_smmu_attach_dev_identity: a PASID with ATS", IN_IDENTITY, true, true },
	{ "arm_smmu_attach_dev_blocked", IN_BLOCKED },
	{ "arm_smmu_attach_dev_blocked: ATS", IN_BLOCKED, .ats = true },
	{ "arm_smmu_attach_dev_blocked: a PASID", IN_BLOCKED, .pasid = true },
	{ "arm_smmu_attach_dev_blocked: a PASID with ATS", IN_BLOCKED, true, true },
};

static void smmu_static_desc(const struct smmu_static_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(smmu_static, smmu_static_cases, smmu_static_desc);

static void smmu_cannot_fail(struct kunit *test)
{
	const struct smmu_static_case *c = test->param_value;
	struct iommu_domain *domain = smmu_alloc_in(test, c->in);
	struct iommu_domain *old = attach_test_alloc(test, &smmu);
	u64 pasid;

	smmu_pci = c->ats;
	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, smmu.dev, &arm_smmu_blocked_domain), 0);
	if (c->pasid)
		smmu_use_pasid(test, NULL);
	pasid = smmu_table(0, TEST_PASID);
	attach_test_inject("kzalloc", 1, 0);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev, old), 0);
	KUNIT_EXPECT_FALSE(test, attach_test.hit);
	attach_test.call = NULL;
	smmu_rid = domain;
	KUNIT_EXPECT_EQ(test, smmu_table(0, IOMMU_NO_PASID), c->in == IN_IDENTITY);
	KUNIT_EXPECT_EQ(test, smmu_table(0, TEST_PASID), pasid);
	KUNIT_EXPECT_EQ(test, !!pasid, c->pasid);
	KUNIT_EXPECT_EQ(test, smmu_ats[0], c->pasid && c->ats);
	smmu_consistent(test);
	if (c->pasid) {
		smmu_leave_pasid(test, NULL);
		/* The entry of the stream is one without table again. */
		KUNIT_EXPECT_EQ(test, smmu_table(0, IOMMU_NO_PASID), c->in == IN_IDENTITY);
		KUNIT_EXPECT_FALSE(test, smmu_master(0)->cd_table.in_ste);
		KUNIT_EXPECT_EQ(test, smmu_ats[0], 0);
		smmu_consistent(test);
	}
	smmu_off(test, 0, domain);
	old->ops->free(old);
}

static struct iommu_domain *smmu_alloc_sva(struct kunit *test)
{
	struct iommu_domain *domain;

	smmu_mm = mm_alloc();
	KUNIT_ASSERT_NOT_NULL(test, smmu_mm);
	domain = smmu.ops->domain_alloc_sva(smmu.dev, smmu_mm);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	domain->mm = smmu_mm;
	return domain;
}

static void smmu_no_sva(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].features &= ~ARM_SMMU_FEAT_SVA;
}

static void smmu_sva_again(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].features |= ARM_SMMU_FEAT_SVA;
}

static void smmu_mm_goes(struct kunit *test, struct iommu_domain *domain)
{
	mmput(smmu_mm);
	smmu_mm = NULL;
}

/* One way out of an attach of a PASID, as struct attach_case has it */
static const struct smmu_pasid_case {
	struct attach_case c;
	enum smmu_in in;
} smmu_pasid_cases[] = {
	{ { .name = "arm_smmu_s1_set_dev_pasid: the domain belongs to another SMMU",
	    .alloc = smmu_alloc_other, .expect = -EINVAL } },
	{ { .name = "arm_smmu_s1_set_dev_pasid: stage 2",
	    .alloc = smmu_alloc_s2, .expect = -EINVAL } },
	{ { .name = "arm_smmu_set_pasid: the device is in stage 2",
	    .first = true, .expect = -EBUSY }, IN_S2 },
	{ { .name = "arm_smmu_set_pasid: no pointers", .first = true,
	    .call = "kzalloc", .expect = -ENOMEM }, IN_IDENTITY },
	{ { .name = "arm_smmu_set_pasid: no first level", .first = true,
	    .call = "dma_alloc_coherent", .expect = -ENOMEM }, IN_BLOCKED },
	{ { .name = "arm_smmu_set_pasid: no leaf", .first = true, .keeps = true,
	    .call = "dma_alloc_coherent", .nth = 2, .expect = -ENOMEM }, IN_IDENTITY },
	{ { .name = "arm_smmu_set_pasid: no invalidations", .call = "kzalloc",
	    .expect = -ENOMEM } },
	{ { .name = "arm_smmu_set_pasid: no invalidations, identity", .call = "kzalloc",
	    .expect = -ENOMEM }, IN_IDENTITY },
	{ { .name = "arm_smmu_set_pasid: no entry of the list", .call = "kzalloc", .nth = 2,
	    .expect = -ENOMEM } },
	{ { .name = "arm_smmu_set_pasid: several streams",
	    .setup = smmu_stalls, .undo = smmu_no_handler, .expect = -EOPNOTSUPP } },
	{ { .name = "arm_smmu_set_pasid: no coherency",
	    .setup = smmu_enforces, .expect = -EINVAL } },
	{ { .name = "arm_smmu_s1_set_dev_pasid: success" } },
	{ { .name = "arm_smmu_s1_set_dev_pasid: success, first", .first = true } },
	{ { .name = "arm_smmu_s1_set_dev_pasid: success, identity", .first = true },
	  IN_IDENTITY },
	{ { .name = "arm_smmu_s1_set_dev_pasid: success, blocked" }, IN_BLOCKED },
	{ { .name = "arm_smmu_sva_set_dev_pasid: no SVA", .alloc = smmu_alloc_sva,
	    .setup = smmu_no_sva, .undo = smmu_sva_again, .expect = -ENODEV } },
	{ { .name = "arm_smmu_sva_set_dev_pasid: the address space goes",
	    .alloc = smmu_alloc_sva, .setup = smmu_mm_goes, .expect = -EINVAL } },
	{ { .name = "arm_smmu_sva_set_dev_pasid: no invalidations",
	    .alloc = smmu_alloc_sva, .call = "kzalloc", .expect = -ENOMEM } },
	{ { .name = "arm_smmu_sva_set_dev_pasid: success", .alloc = smmu_alloc_sva } },
	{ { .name = "arm_smmu_sva_set_dev_pasid: success, identity",
	    .alloc = smmu_alloc_sva, .first = true }, IN_IDENTITY },
};

static void smmu_pasid_desc(const struct smmu_pasid_case *c, char *desc)
{
	attach_case_desc(&c->c, desc);
}

KUNIT_ARRAY_PARAM(smmu_pasid, smmu_pasid_cases, smmu_pasid_desc);

/* As attach_check(), for a PASID; the device's own translation does not change. */
static void smmu_pasid_check(struct kunit *test)
{
	const struct smmu_pasid_case *p = test->param_value;
	struct iommu_domain *rid, *old, *domain, *fresh, *blocked = &arm_smmu_blocked_domain;
	int start[NR_HELD], held[NR_HELD], depth;
	const struct attach_case *c = &p->c;
	struct device *dev = smmu.dev;
	u64 seen, own;

	memcpy(start, attach_test.held, sizeof(start));
	rid = smmu_alloc_in(test, p->in);
	old = attach_test_alloc(test, &smmu);
	domain = c->alloc ? c->alloc(test) : attach_test_alloc(test, &smmu);
	fresh = attach_test_alloc(test, &smmu);
	KUNIT_ASSERT_EQ(test, rid->ops->attach_dev(rid, dev, blocked), 0);
	smmu_rid = rid;
	if (!c->first)
		KUNIT_ASSERT_EQ(test, old->ops->set_dev_pasid(old, dev, TEST_PASID, NULL), 0);
	if (c->setup)
		c->setup(test, domain);

	seen = smmu_seen(test);
	own = smmu_table(0, IOMMU_NO_PASID);
	memcpy(held, attach_test.held, sizeof(held));
	depth = lockdep_depth(current);
	attach_test.prints = 0;
	attach_test_inject(c->call, c->nth ?: 1, c->ret);
	KUNIT_EXPECT_EQ(test, domain->ops->set_dev_pasid(domain, dev, TEST_PASID,
							 c->first ? NULL : old), c->expect);
	attach_test.call = NULL;

	KUNIT_EXPECT_TRUE_MSG(test, !c->call || attach_test.hit, "%s() was not called", c->call);
	KUNIT_EXPECT_EQ_MSG(test, lockdep_depth(current), depth, "a lock is held");
	KUNIT_EXPECT_EQ(test, attach_test.prints, 0);
	if (c->expect)
		KUNIT_EXPECT_EQ_MSG(test, smmu_seen(test), seen, "something was moved");
	if (c->expect && !c->keeps)
		attach_test_same(test, held, "after the failed attach");

	if (c->undo)
		c->undo(test, domain);
	if (p->in == IN_S2) {
		KUNIT_EXPECT_EQ(test, blocked->ops->attach_dev(blocked, dev, rid), 0);
		smmu_rid = blocked;
		own = 0;
	}
	if (c->expect == -EINVAL)
		swap(domain, fresh);
	if (c->expect)
		KUNIT_EXPECT_EQ_MSG(test, domain->ops->set_dev_pasid(domain, dev, TEST_PASID,
								     c->first ? NULL : old),
				    0, "at the second try");
	KUNIT_EXPECT_EQ(test, smmu_table(0, TEST_PASID), smmu_domain_table(domain));
	KUNIT_EXPECT_EQ(test, smmu_table(0, IOMMU_NO_PASID), own);
	KUNIT_EXPECT_EQ(test, smmu_master(0)->cd_table.used_ssids, 1);
	KUNIT_EXPECT_EQ(test, smmu_ats[0], smmu_pci);
	smmu_consistent(test);

	KUNIT_EXPECT_EQ(test, blocked->ops->set_dev_pasid(blocked, dev, TEST_PASID, domain), 0);
	KUNIT_EXPECT_EQ(test, smmu_table(0, TEST_PASID), 0);
	KUNIT_EXPECT_EQ(test, smmu_table(0, IOMMU_NO_PASID), own);
	KUNIT_EXPECT_EQ(test, smmu_master(0)->cd_table.used_ssids, 0);
	KUNIT_EXPECT_EQ(test, smmu_master(0)->cd_table.in_ste, p->in == IN_S1);
	KUNIT_EXPECT_EQ(test, smmu_ats[0], smmu_pci && p->in == IN_S1);
	smmu_consistent(test);

	smmu_off(test, 0, smmu_rid);
	smmu_rid = blocked;
	fresh->ops->free(fresh);
	domain->ops->free(domain);
	old->ops->free(old);
	smmu_free_in(rid);
	if (smmu_mm)
		mmput(smmu_mm);
	smmu_mm = NULL;
	arm_smmu_sva_notifier_synchronize();
	attach_test_same(test, start, "after all domains are freed");
}

static void smmu_pasid_attach(struct kunit *test)
{
	smmu_pasid_check(test);
}

static void smmu_pasid_attach_ats(struct kunit *test)
{
	smmu_pci = true;
	smmu_pasid_check(test);
}

/* A process ends before its bond does: its DMA finds nothing, which is no fault. */
static void smmu_mm_ends(struct kunit *test)
{
	struct iommu_domain *domain = smmu_alloc_sva(test), *blocked = &arm_smmu_blocked_domain;
	struct arm_smmu_cd *cd;

	smmu_rid = &arm_smmu_identity_domain;
	KUNIT_ASSERT_EQ(test, arm_smmu_attach_dev_identity(smmu_rid, smmu.dev, blocked), 0);
	KUNIT_ASSERT_EQ(test, domain->ops->set_dev_pasid(domain, smmu.dev, TEST_PASID, NULL), 0);
	smmu_mm_goes(test, domain);
	cd = smmu_cd(0, TEST_PASID);
	KUNIT_ASSERT_NOT_NULL(test, cd);
	KUNIT_EXPECT_TRUE(test, le64_to_cpu(cd->data[0]) & CTXDESC_CD_0_V);
	KUNIT_EXPECT_TRUE(test, le64_to_cpu(cd->data[0]) & CTXDESC_CD_0_TCR_EPD0);
	KUNIT_EXPECT_EQ(test, smmu_listed(to_smmu_domain(domain), 0, TEST_PASID), 1);
	KUNIT_EXPECT_EQ(test, blocked->ops->set_dev_pasid(blocked, smmu.dev, TEST_PASID, domain),
			0);
	KUNIT_EXPECT_EQ(test, smmu_listed(to_smmu_domain(domain), 0, TEST_PASID), 0);
	KUNIT_EXPECT_EQ(test, smmu_table(0, IOMMU_NO_PASID), 1);
	smmu_off(test, 0, smmu_rid);
	domain->ops->free(domain);
	arm_smmu_sva_notifier_synchronize();
}

/* Commands that never complete are told, and the device goes to the new domain. */
static const struct smmu_hang {
	const char *name;
	u64 op;
	enum smmu_in from, to;
	bool ats, pasid;
} smmu_hangs[] = {
	{ "arm_smmu_ste_writer_sync_entry: times out", CMDQ_OP_CFGI_STE, IN_S1, IN_S2 },
	{ "arm_smmu_sync_cd: times out", CMDQ_OP_CFGI_CD, IN_S1, IN_S1 },
	{ "arm_smmu_inv_flush_iotlb_tag: times out for an ASID", CMDQ_OP_TLBI_NH_ASID,
	  IN_S1, IN_S1 },
	{ "arm_smmu_inv_flush_iotlb_tag: times out for a VMID", CMDQ_OP_TLBI_S12_VMALL,
	  IN_S2, IN_S1 },
	{ "arm_smmu_attach_commit: times out", CMDQ_OP_ATC_INV, IN_S1, IN_S1, .ats = true },
	{ "arm_smmu_attach_commit: times out when ATS goes", CMDQ_OP_ATC_INV,
	  IN_S1, IN_IDENTITY, .ats = true },
	{ "arm_smmu_enable_ats: times out", CMDQ_OP_ATC_INV, IN_BLOCKED, IN_S1, .ats = true },
	{ "arm_smmu_blocking_set_dev_pasid: times out", CMDQ_OP_ATC_INV, IN_S1, .ats = true,
	  .pasid = true },
	{ "queue_poll: times out", CMDQ_OP_CMD_SYNC, IN_S1, IN_S1 },
};

static void smmu_hang_desc(const struct smmu_hang *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(smmu_hang, smmu_hangs, smmu_hang_desc);

static void smmu_told(struct kunit *test)
{
	const struct smmu_hang *c = test->param_value;
	struct iommu_domain *old = smmu_alloc_in(test, c->from);
	struct iommu_domain *domain = smmu_alloc_in(test, c->to);

	smmu_pci = c->ats;
	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, smmu.dev, &arm_smmu_blocked_domain), 0);
	if (c->pasid)
		smmu_use_pasid(test, NULL);
	attach_test.prints = 0;
	smmu_stuck = c->op;
	if (c->pasid) {
		smmu_leave_pasid(test, NULL);
		swap(old, domain);
	} else {
		KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev, old), 0);
	}
	KUNIT_EXPECT_NE(test, attach_test.prints, 0);
	smmu_resume();
	KUNIT_EXPECT_EQ(test, smmu_table(0, IOMMU_NO_PASID),
			c->to == IN_IDENTITY ? 1 : smmu_domain_table(domain));
	smmu_off(test, 0, domain);
	smmu_free_in(domain);
	smmu_free_in(old);
}

/* An attach waits for space in the queue, however long that takes. */
static void smmu_full(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	struct arm_smmu_cmdq *cmdq = &smmus[0].cmdq;

	smmu_stuck = CMDQ_OP_PREFETCH_CFG;
	while (queue_has_space(&cmdq->q.llq, 1))
		arm_smmu_cmdq_issue_cmd(&smmus[0], arm_smmu_make_cmd_op(CMDQ_OP_PREFETCH_CFG));
	/* Another CPU has the queue, until the second try */
	arm_smmu_cmdq_shared_lock(cmdq);
	smmu_polls = 5;
	attach_test.prints = 0;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev, &arm_smmu_blocked_domain),
			0);
	KUNIT_EXPECT_EQ(test, attach_test.prints, 1);
	smmu_leave(test, domain);
	domain->ops->free(domain);
}

/* What remains in an array that cannot be made smaller is nobody's. */
static void smmu_purge(struct kunit *test)
{
	struct iommu_domain *old, *domain;
	struct arm_smmu_domain *d;
	int start[NR_HELD];

	memcpy(start, attach_test.held, sizeof(start));
	old = attach_test_alloc(test, &smmu);
	domain = attach_test_alloc(test, &smmu);
	d = to_smmu_domain(old);
	smmu_pci = true;
	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, smmu.dev, &arm_smmu_blocked_domain), 0);
	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, smmu_devs[3], &arm_smmu_blocked_domain),
			0);
	attach_test_inject("kzalloc", 3, 0);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev, old), 0);
	attach_test.call = NULL;
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_EQ(test, rcu_dereference_protected(d->invs, true)->num_trashes, 2);
	smmu_consistent(test);
	KUNIT_EXPECT_EQ(test, old->ops->attach_dev(old, smmu.dev, domain), 0);
	KUNIT_EXPECT_EQ(test, rcu_dereference_protected(d->invs, true)->num_trashes, 0);
	smmu_leave(test, old);
	smmu_one_leave(test, old);
	domain->ops->free(domain);
	old->ops->free(old);
	attach_test_same(test, start, "after all domains are freed");
}

/* A second attach of the same domain leaves one of everything. */
static void smmu_again(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	u64 seen;

	smmu_pci = true;
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, smmu.dev, &arm_smmu_blocked_domain),
			0);
	seen = smmu_seen(test);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev, domain), 0);
	KUNIT_EXPECT_EQ(test, smmu_seen(test), seen);
	smmu_leave(test, domain);
	domain->ops->free(domain);
}

static void smmu_probe(struct kunit *test, int i)
{
	smmu_pci = true;
	KUNIT_ASSERT_FALSE(test, IS_ERR(arm_smmu_ops.probe_device(smmu_devs[i])));
	smmu_pci = false;
}

static void smmu_release(int i)
{
	smmu_pci = false;
	arm_smmu_ops.release_device(smmu_devs[i]);
	dev_iommu_priv_set(smmu_devs[i], NULL);
}

/* ATS that must not be off where the device translates, or bypasses */
static void smmu_always(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	struct iommu_domain *identity = &arm_smmu_identity_domain;

	smmu_release(0);
	smmu_ats_always = true;
	smmu_probe(test, 0);
	smmu_pci = true;
	KUNIT_EXPECT_EQ(test, identity->ops->attach_dev(identity, smmu.dev,
							&arm_smmu_blocked_domain), 0);
	KUNIT_EXPECT_EQ(test, smmu_table(0, IOMMU_NO_PASID), 1);
	KUNIT_EXPECT_EQ(test, smmu_ats[0], 1);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev, identity), 0);
	KUNIT_EXPECT_EQ(test, smmu_table(0, IOMMU_NO_PASID), smmu_domain_table(domain));
	KUNIT_EXPECT_EQ(test, smmu_ats[0], 1);
	smmu_consistent(test);
	KUNIT_EXPECT_EQ(test, identity->ops->attach_dev(identity, smmu.dev, domain), 0);
	KUNIT_EXPECT_EQ(test, smmu_table(0, IOMMU_NO_PASID), 1);
	KUNIT_EXPECT_EQ(test, smmu_ats[0], 1);
	smmu_consistent(test);
	smmu_off(test, 0, identity);
	KUNIT_EXPECT_EQ(test, smmu_ats[0], 0);
	domain->ops->free(domain);
}

/* A stream that is there twice is written, and forgotten, once. */
static void smmu_twice(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	struct device *dev = smmu_devs[1];

	memset(smmu_ops, 0, sizeof(smmu_ops));
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, dev, &arm_smmu_blocked_domain), 0);
	KUNIT_EXPECT_EQ(test, smmu_ops[CMDQ_OP_PREFETCH_CFG], 1);
	KUNIT_EXPECT_EQ(test, smmu_table(1, IOMMU_NO_PASID), smmu_domain_table(domain));
	smmu_consistent(test);
	smmu_off(test, 1, domain);
	smmu_release(1);
	mutex_lock(&smmus[0].streams_mutex);
	KUNIT_EXPECT_PTR_EQ(test, arm_smmu_find_master(&smmus[0], 1), smmu_master(0));
	KUNIT_EXPECT_PTR_EQ(test, arm_smmu_find_master(&smmus[0], 3), NULL);
	KUNIT_EXPECT_PTR_EQ(test, arm_smmu_find_master(&smmus[0], 4), smmu_master(3));
	mutex_unlock(&smmus[0].streams_mutex);
	smmu_probe(test, 1);
	domain->ops->free(domain);
}

static int smmu_init(struct kunit *test)
{
	int i;

	memset(smmu_regs, 0, sizeof(smmu_regs));
	memset(smmus, 0, sizeof(smmus));
	memset(smmu_stes, 0, sizeof(smmu_stes));
	memset(smmu_ats, 0, sizeof(smmu_ats));
	memset(attach_test.held, 0, sizeof(attach_test.held));
	smmu_stuck = 0;
	smmu_polls = 0;
	smmu_vdevice = 0;
	smmu_ats_always = false;
	smmu_mm = NULL;
	smmu_rid = &arm_smmu_blocked_domain;
	for (i = 0; i < 2; i++) {
		struct arm_smmu_device *s = &smmus[i];

		s->dev = attach_test_device(test, "arm-smmu-v3");
		dev_set_dma_coherent(s->dev);
		s->base = (void __iomem *)smmu_regs[i];
		s->page1 = s->base;
		s->features = TEST_FEATURES;
		s->cmdq.q.llq.max_n_shift = 8;
		s->evtq.q.llq.max_n_shift = 8;
		s->combined_irq = 1;
		s->oas = 44;
		s->pgsize_bitmap = SZ_4K | SZ_2M | SZ_1G;
		s->sid_bits = TEST_SID_BITS;
		if (i) {
			s->features |= ARM_SMMU_FEAT_2_LVL_STRTAB;
			s->sid_bits = STRTAB_SPLIT + 1;
		}
		s->ssid_bits = TEST_SSID_BITS;
		s->asid_bits = TEST_ASID_BITS;
		s->vmid_bits = TEST_VMID_BITS;
		s->iommu.ops = &arm_smmu_ops;
		dev_set_drvdata(s->dev, s);
		KUNIT_ASSERT_EQ(test, arm_smmu_init_structures(s), 0);
		KUNIT_ASSERT_EQ(test, arm_smmu_device_reset(s), 0);
	}
	for (i = 0; i < TEST_DEVICES; i++) {
		struct device *dev = attach_test_device(test, "smmu-client");
		struct iommu_fwspec *fwspec;

		fwspec = kunit_kzalloc(test, struct_size(fwspec, ids, 2), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, fwspec);
		fwspec->iommu_fwnode = &smmu_fwnodes[smmu_ids[i].smmu];
		fwspec->flags = IOMMU_FWSPEC_PCI_RC_ATS;
		fwspec->num_ids = smmu_ids[i].streams;
		memcpy(fwspec->ids, smmu_ids[i].ids, fwspec->num_ids * sizeof(u32));
		dev_iommu_fwspec_set(dev, fwspec);
		dev->iommu->iommu_dev = &smmus[smmu_ids[i].smmu].iommu;
		smmu_devs[i] = dev;
		smmu_probe(test, i);
	}
	smmu = (struct attach_driver) {
		.dev = smmu_devs[0], .ops = &arm_smmu_ops, .seen = smmu_seen, .leave = smmu_leave,
	};
	smmu_one = (struct attach_driver) {
		.dev = smmu_devs[3], .ops = &arm_smmu_ops, .seen = smmu_one_seen,
		.leave = smmu_one_leave,
	};
	return 0;
}

static void smmu_exit(struct kunit *test)
{
	int i;

	for (i = 0; i < TEST_DEVICES; i++) {
		smmu_release(i);
		attach_test_remove(smmu_devs[i]);
	}
	KUNIT_EXPECT_TRUE(test, xa_empty(&arm_smmu_asid_xa));
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_TRUE(test, ida_is_empty(&smmus[i].vmid_map));
		attach_test_remove(smmus[i].dev);
	}
	xa_destroy(&arm_smmu_asid_xa);
}

static struct kunit_case smmu_kunit[] = {
	KUNIT_CASE_PARAM(smmu_attach, smmu_gen_params),
	KUNIT_CASE_PARAM(smmu_attach_ats, smmu_gen_params),
	KUNIT_CASE_PARAM(smmu_attach_iopf, smmu_iopf_gen_params),
	KUNIT_CASE(smmu_iopf_twice),
	KUNIT_CASE_PARAM(smmu_nested_attach, smmu_nested_gen_params),
	KUNIT_CASE_PARAM(smmu_nested_attach_ats, smmu_nested_gen_params),
	KUNIT_CASE_PARAM(smmu_cannot_fail, smmu_static_gen_params),
	KUNIT_CASE_PARAM(smmu_pasid_attach, smmu_pasid_gen_params),
	KUNIT_CASE_PARAM(smmu_pasid_attach_ats, smmu_pasid_gen_params),
	KUNIT_CASE(smmu_mm_ends),
	KUNIT_CASE_PARAM(smmu_told, smmu_hang_gen_params),
	KUNIT_CASE(smmu_full),
	KUNIT_CASE(smmu_purge),
	KUNIT_CASE(smmu_again),
	KUNIT_CASE(smmu_always),
	KUNIT_CASE(smmu_twice),
	{}
};

static struct kunit_suite smmu_suite = {
	.name = "arm-smmu-v3", .init = smmu_init, .exit = smmu_exit, .test_cases = smmu_kunit,
};

kunit_test_suite(smmu_suite);
