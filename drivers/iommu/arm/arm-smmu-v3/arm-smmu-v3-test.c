// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of arm-smmu-v3.c, see attach-test.h
 *
 * One device with two streams and PASIDs, another one that has its stream twice,
 * and one of another SMMU, which has a stream table of two levels.
 */
/* The header's stubs are for those who have no SVA. */
#ifndef CONFIG_ARM_SMMU_V3_SVA
#define CONFIG_ARM_SMMU_V3_SVA 1
#endif
#include <linux/acpi.h>
#include <linux/acpi_iort.h>
#include <linux/crash_dump.h>
#include <linux/dma-direct.h>
#include <linux/iopoll.h>
#include <linux/msi.h>
#include <linux/of_address.h>
#include <linux/pci-ats.h>
#include <linux/xarray.h>

#include "../../attach-test.h"

/* An SMMU that no driver has probed, nor has interrupts */
#define driver_find_device_by_fwnode(drv, fwnode) \
	get_device(smmus[(fwnode) - smmu_fwnodes].dev)
#define devm_request_threaded_irq(dev, irq, fn, thread, ...) \
	((void)(irq), (void)(fn), (void)(thread), 0)
/* Loads the driver, and only that */
#undef MODULE_ALIAS
#define MODULE_ALIAS(alias)

/* PCI devices while smmu_pci says so, with nothing but ATS */
#undef dev_is_pci
#define dev_is_pci(d)			((void)(d), smmu_pci)
#define pci_ats_supported(pdev)		((void)(pdev), true)
#define pci_enable_ats(pdev, stu) ({						\
	int __err = FAIL_OR("pci_enable_ats", ((void)(pdev), 0));		\
	smmu_ats += !__err;							\
	__err; })
#define pci_disable_ats(pdev)		((void)(pdev), smmu_ats--)

#define devm_kcalloc(...)	TAKE(MEM, "devm_kcalloc", devm_kcalloc(__VA_ARGS__))
#define devm_kfree(dev, p)	({ void *__p = (p); GIVE(MEM, __p); devm_kfree(dev, __p); })
#define dmam_alloc_coherent(...) \
	TAKE(DMA, "dmam_alloc_coherent", dmam_alloc_coherent(__VA_ARGS__))
#define dmam_free_coherent(dev, size, p, dma) ({				\
	void *__p = (p);							\
	GIVE(DMA, __p);								\
	dmam_free_coherent(dev, size, __p, dma); })
#define xa_alloc(...)		TAKE_ERR(ID, "xa_alloc", xa_alloc(__VA_ARGS__))
#define xa_erase(xa, id)	({ void *__e = xa_erase(xa, id); GIVE(ID, __e); __e; })
/* Saturated, it would not go down again. */
#define refcount_dec_and_test(r) ({						\
	refcount_t *__r = (r);							\
	smmu_underflow |= !refcount_read(__r);					\
	refcount_dec_and_test(__r); })

/* The hardware takes commands when it is told of them, and time flies. */
#undef writel_relaxed
#define writel_relaxed(val, reg)	smmu_write(val, reg)
#define ktime_get()			smmu_time()
/* It may be slow, and go on while the CPU waits. */
#undef wfe
#undef udelay
#define wfe()				smmu_wait(0)
#define udelay(us)			smmu_wait(us)

/* Where another CPU comes first, or leaves what this one waits for: @cond names it */
#undef cmpxchg_relaxed
#undef atomic_cond_read_relaxed
#define cmpxchg_relaxed(...) ({							\
	if (attach_test_fails("cmpxchg_relaxed"))				\
		smmu_other_cpu();						\
	arch_cmpxchg_relaxed(__VA_ARGS__); })
#define atomic_cond_read_relaxed(v, cond) ({					\
	if (attach_test_fails(#cond))						\
		smmu_other_cpu();						\
	smp_cond_load_relaxed(&(v)->counter, cond); })

static void smmu_write(u32 val, void __iomem *reg);
static ktime_t smmu_time(void);
static void smmu_wait(unsigned int us);
static void smmu_other_cpu(void);
static struct fwnode_handle smmu_fwnodes[2];
static int smmu_ats;
static bool smmu_pci, smmu_underflow;

#include "arm-smmu-v3.h"

static struct arm_smmu_device smmus[2];

#include "arm-smmu-v3-sva.c"
#include "arm-smmu-v3.c"

#define TEST_SID_BITS	2
/* Where the second table of the other SMMU begins */
#define TEST_OTHER_SID	BIT(STRTAB_SPLIT)
#define TEST_ASID_BITS	16
#define TEST_VMID_BITS	16
/* Take a table of two levels */
#define TEST_SSID_BITS	(CTXDESC_SPLIT + 1)
#define TEST_FEATURES	(ARM_SMMU_FEAT_2_LVL_CDTAB | ARM_SMMU_FEAT_ATS |	\
			 ARM_SMMU_FEAT_COHERENCY | ARM_SMMU_FEAT_SVA |		\
			 ARM_SMMU_FEAT_TRANS_S1 | ARM_SMMU_FEAT_TRANS_S2)

static u32 smmu_regs[2][SZ_4K / 4] __aligned(SZ_4K);
/* The hardware's copy of each stream's entry, until it is to read it again */
static __le64 smmu_stes[2][1 << TEST_SID_BITS][STRTAB_STE_DWORDS];
/* Streams 1 and 2; 3 twice; and TEST_OTHER_SID + 1 of the other SMMU */
static struct device *smmu_devs[3];
static struct iommu_fwspec *smmu_fwspec;
/* The command that the hardware hangs at, 0 for none, and for how many polls */
static u64 smmu_stuck;
static int smmu_polls;
/* It goes on when the CPU has waited for so long. */
static unsigned int smmu_delay, smmu_waited;
/* The commands that it took, how many since a case has last looked, and of each sort */
static u64 smmu_log[128][CMDQ_ENT_DWORDS];
static unsigned int smmu_logged, smmu_ops[256];
static unsigned int smmu_tick;
static ktime_t smmu_now;
static struct attach_driver smmu;

static struct arm_smmu_master *smmu_master(int i)
{
	return dev_iommu_priv_get(smmu_devs[i]);
}

static void *smmu_at(u64 dma)
{
	return phys_to_virt(dma_to_phys(smmus[0].dev, dma));
}

static const __le64 *smmu_ste(int i, u32 sid)
{
	u64 strtab = *(u64 *)&smmu_regs[i][ARM_SMMU_STRTAB_BASE / 4];
	u32 cfg = smmu_regs[i][ARM_SMMU_STRTAB_BASE_CFG / 4];
	const __le64 *table = smmu_at(strtab & STRTAB_BASE_ADDR_MASK);

	if (FIELD_GET(STRTAB_BASE_CFG_FMT, cfg) == STRTAB_BASE_CFG_FMT_2LVL) {
		strtab = le64_to_cpu(table[sid / TEST_OTHER_SID]);
		table = smmu_at(strtab & STRTAB_L1_DESC_L2PTR_MASK);
		sid %= TEST_OTHER_SID;
	}
	return table + sid * STRTAB_STE_DWORDS;
}

static void smmu_take_commands(int i)
{
	u32 *prod = &smmu_regs[i][ARM_SMMU_CMDQ_PROD / 4];
	u32 *cons = &smmu_regs[i][ARM_SMMU_CMDQ_CONS / 4];
	struct arm_smmu_queue *q = &smmus[i].cmdq.q;

	for (; *cons != *prod; *cons = (*cons + 1) & ((2 << q->llq.max_n_shift) - 1)) {
		u64 cmd = le64_to_cpu(Q_ENT(q, *cons)[0]);
		u64 more = le64_to_cpu(Q_ENT(q, *cons)[1]);
		u64 op = FIELD_GET(CMDQ_0_OP, cmd);
		u32 sid = FIELD_GET(CMDQ_CFGI_0_SID, cmd);

		if (op == smmu_stuck)
			return;
		/* The other SMMU has no second table by then. */
		if (op == CMDQ_OP_CFGI_ALL && !i)
			memcpy(smmu_stes[i], smmu_ste(i, 0), sizeof(smmu_stes[i]));
		if (op == CMDQ_OP_CFGI_STE)
			memcpy(smmu_stes[i][sid % TEST_OTHER_SID], smmu_ste(i, sid),
			       sizeof(smmu_stes[i][0]));
		if (op == CMDQ_OP_CMD_SYNC && FIELD_GET(CMDQ_SYNC_0_CS, cmd) == CMDQ_SYNC_0_CS_IRQ)
			*(u32 *)smmu_at(more & CMDQ_SYNC_1_MSIADDR_MASK) = 0;
		smmu_log[smmu_logged % ARRAY_SIZE(smmu_log)][0] = cmd;
		smmu_log[smmu_logged++ % ARRAY_SIZE(smmu_log)][1] = more;
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

static void smmu_wait(unsigned int us)
{
	smmu_waited += us;
	if (smmu_waited >= smmu_delay)
		smmu_resume();
}

static void smmu_forget(void)
{
	smmu_logged = 0;
	memset(smmu_ops, 0, sizeof(smmu_ops));
}

/* How often it took this command since smmu_forget() */
static int smmu_took(u64 cmd, u64 more)
{
	int i, n = 0;

	for (i = 0; i < min_t(int, smmu_logged, ARRAY_SIZE(smmu_log)); i++)
		n += smmu_log[i][0] == cmd && smmu_log[i][1] == more;
	return n;
}

/* It has the queue for itself and leaves it now, or puts in a command. */
static void smmu_other_cpu(void)
{
	struct arm_smmu_cmdq_ent cmd = { .opcode = CMDQ_OP_PREFETCH_CFG };

	if (atomic_read(&smmus[0].cmdq.lock) < 0)
		atomic_andnot(INT_MIN, &smmus[0].cmdq.lock);
	else
		arm_smmu_cmdq_issue_cmd(&smmus[0], &cmd);
}

/* By default the second poll is too late. */
static ktime_t smmu_time(void)
{
	struct arm_smmu_cmdq *cmdq = &smmus[0].cmdq;

	if (smmu_polls && !--smmu_polls) {
		/* What the CPU does that has the queue */
		smmu_resume();
		cmdq->q.llq.cons = smmu_regs[0][ARM_SMMU_CMDQ_CONS / 4];
		arm_smmu_cmdq_shared_unlock(cmdq);
	}
	smmu_now = ktime_add_us(smmu_now, smmu_tick);
	return smmu_now;
}

/* The context descriptor of a PASID, 0 for none; NULL if there is no table for it */
static const __le64 *smmu_cd(const __le64 *ste, u32 ssid)
{
	u64 val = le64_to_cpu(ste[0]);
	const __le64 *table = smmu_at(val & STRTAB_STE_0_S1CTXPTR_MASK);

	if (FIELD_GET(STRTAB_STE_0_S1FMT, val) == STRTAB_STE_0_S1FMT_64K_L2) {
		val = le64_to_cpu(table[ssid / CTXDESC_L2_ENTRIES]);
		if (!(val & CTXDESC_L1_DESC_V))
			return NULL;
		table = smmu_at(val & CTXDESC_L1_DESC_L2PTR_MASK);
		ssid %= CTXDESC_L2_ENTRIES;
	}
	return table + ssid * CTXDESC_CD_DWORDS;
}

/* The page table of a stream without PASID; 0 if it aborts, 1 for bypass */
static u64 smmu_table(int i, u32 sid)
{
	const __le64 *ste = smmu_stes[i][sid], *cd;
	u64 val = le64_to_cpu(ste[0]);

	if (!(val & STRTAB_STE_0_V))
		return 0;
	switch (FIELD_GET(STRTAB_STE_0_CFG, val)) {
	case STRTAB_STE_0_CFG_S1_TRANS:
		cd = smmu_cd(ste, 0);
		if (!cd || !(le64_to_cpu(cd[0]) & CTXDESC_CD_0_V))
			return 0;
		return le64_to_cpu(cd[1]) & CTXDESC_CD_1_TTB0_MASK;
	case STRTAB_STE_0_CFG_S2_TRANS:
		return le64_to_cpu(ste[3]) & STRTAB_STE_3_S2TTB_MASK;
	default:
		return FIELD_GET(STRTAB_STE_0_CFG, val) == STRTAB_STE_0_CFG_BYPASS;
	}
}

static u64 smmu_seen(struct kunit *test)
{
	KUNIT_EXPECT_EQ_MSG(test, smmu_table(0, 1), smmu_table(0, 2), "neither here nor there");
	return smmu_table(0, 1);
}

static void smmu_leave(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_NE(test, smmu_seen(test), 0);
	arm_smmu_detach_dev(smmu_master(0));
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

static void smmu_sva(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, smmu.ops->dev_enable_feat(smmu.dev, IOMMU_DEV_FEAT_SVA), 0);
}

static void smmu_no_sva(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, smmu.ops->dev_disable_feat(smmu.dev, IOMMU_DEV_FEAT_SVA), 0);
}

static void smmu_other_smmu(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, smmu_devs[2]), 0);
}

static void smmu_other_ssids(struct kunit *test, struct iommu_domain *domain)
{
	smmu_master(1)->ssid_bits = 0;
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, smmu_devs[1]), 0);
}

static void smmu_other_stalls(struct kunit *test, struct iommu_domain *domain)
{
	smmu_master(1)->stall_enabled = true;
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, smmu_devs[1]), 0);
}

static void smmu_others_leave(struct kunit *test, struct iommu_domain *domain)
{
	arm_smmu_detach_dev(smmu_master(1));
	arm_smmu_detach_dev(smmu_master(2));
}

/* The old domain has the only one. */
static void smmu_no_asid(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].asid_bits = 1;
}

static void smmu_stage2(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].features &= ~ARM_SMMU_FEAT_TRANS_S1;
}

/* The first one is for bypass. */
static void smmu_no_vmid(struct kunit *test, struct iommu_domain *domain)
{
	smmu_stage2(test, domain);
	smmus[0].vmid_bits = 0;
}

static void smmu_again(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].features = TEST_FEATURES;
	smmus[0].asid_bits = TEST_ASID_BITS;
	smmus[0].vmid_bits = TEST_VMID_BITS;
}

static const struct attach_case smmu_cases[] = {
	{ .name = "arm_smmu_attach_dev: no fwspec",
	  .setup = smmu_no_fwspec, .undo = smmu_fwspec_again, .first = true,
	  .expect = -ENODEV },
	{ .name = "arm_smmu_attach_dev: SVA is enabled",
	  .setup = smmu_sva, .undo = smmu_no_sva, .expect = -EBUSY },
	{ .name = "arm_smmu_attach_dev: the domain belongs to another SMMU",
	  .setup = smmu_other_smmu, .undo = smmu_others_leave, .expect = -EINVAL },
	{ .name = "arm_smmu_attach_dev: another number of SSID bits",
	  .setup = smmu_other_ssids, .undo = smmu_others_leave, .expect = -EINVAL },
	{ .name = "arm_smmu_attach_dev: another stall mode",
	  .setup = smmu_other_stalls, .undo = smmu_others_leave, .expect = -EINVAL },
	{ .name = "arm_smmu_domain_finalise: no page table",
	  .call = "alloc_io_pgtable_ops", .expect = -ENOMEM },
	{ .name = "arm_smmu_domain_finalise_s1: no ASID",
	  .setup = smmu_no_asid, .undo = smmu_again, .expect = -ENOSPC },
	{ .name = "arm_smmu_domain_finalise_s1: no memory for the ASID",
	  .call = "xa_alloc", .ret = -ENOMEM, .expect = -ENOMEM },
	{ .name = "arm_smmu_domain_finalise_s2: no VMID",
	  .setup = smmu_no_vmid, .undo = smmu_again, .expect = -ENOSPC },
	{ .name = "arm_smmu_alloc_cd_tables: no level 1 descriptors",
	  .call = "devm_kcalloc", .expect = -ENOMEM },
	{ .name = "arm_smmu_alloc_cd_tables: no CD table",
	  .call = "dmam_alloc_coherent", .expect = -ENOMEM },
	{ .name = "arm_smmu_alloc_cd_leaf_table: no leaf of the CD table",
	  .call = "dmam_alloc_coherent", .nth = 2, .expect = -ENOMEM },
	{ .name = "arm_smmu_attach_dev: success of stage 1" },
	{ .name = "arm_smmu_attach_dev: success of stage 2",
	  .setup = smmu_stage2, .undo = smmu_again },
};

KUNIT_ARRAY_PARAM(smmu, smmu_cases, attach_case_desc);

static void smmu_attach(struct kunit *test)
{
	attach_check(test, &smmu, test->param_value);
}

/* Commands that never complete are told, and change nothing else. */
static const struct smmu_hang {
	const char *name;
	u64 op;
	const char *call;
	int ret;
	bool no_vmid, ats_before, ats;
} smmu_hangs[] = {
	{ .name = "arm_smmu_sync_cd: times out", .op = CMDQ_OP_CMD_SYNC },
	{ .name = "arm_smmu_sync_ste_for_sid: times out", .op = CMDQ_OP_CFGI_STE },
	{ .name = "arm_smmu_write_strtab_ent: the prefetch hangs", .op = CMDQ_OP_PREFETCH_CFG },
	{ .name = "arm_smmu_tlb_inv_asid: times out", .op = CMDQ_OP_TLBI_NH_ASID,
	  .call = "xa_alloc", .ret = -ENOMEM },
	{ .name = "arm_smmu_tlb_inv_context: times out", .op = CMDQ_OP_TLBI_S12_VMALL,
	  .no_vmid = true, .ret = -ENOSPC },
	{ .name = "arm_smmu_enable_ats: times out", .op = CMDQ_OP_ATC_INV, .ats = true },
	{ .name = "arm_smmu_disable_ats: times out", .op = CMDQ_OP_ATC_INV, .ats_before = true },
};

static void smmu_hang_desc(const struct smmu_hang *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(smmu_hang, smmu_hangs, smmu_hang_desc);

static void smmu_told(struct kunit *test)
{
	const struct smmu_hang *c = test->param_value;
	struct iommu_domain *old = attach_test_alloc(test, &smmu);
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	u64 seen;

	smmu_pci = c->ats_before;
	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, smmu.dev), 0);
	smmu_pci = c->ats;
	if (c->no_vmid)
		smmu_no_vmid(test, domain);
	seen = smmu_seen(test);
	attach_test.prints = 0;
	smmu_stuck = c->op;
	attach_test_inject(c->call, 1, c->ret);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), c->ret);
	attach_test.call = NULL;
	KUNIT_EXPECT_NE(test, attach_test.prints, 0);
	smmu_resume();
	KUNIT_EXPECT_EQ(test, smmu_seen(test) == seen, c->ret != 0);
	smmu_leave(test, domain);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* An attach waits for space in the queue, however long that takes. */
static void smmu_full(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	struct arm_smmu_cmdq_ent cmd = { .opcode = CMDQ_OP_PREFETCH_CFG };
	struct arm_smmu_cmdq *cmdq = &smmus[0].cmdq;

	smmu_stuck = cmd.opcode;
	while (queue_has_space(&cmdq->q.llq, 1))
		arm_smmu_cmdq_issue_cmd(&smmus[0], &cmd);
	/* Another CPU has the queue, until the second try */
	arm_smmu_cmdq_shared_lock(cmdq);
	smmu_polls = 5;
	attach_test.prints = 0;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, attach_test.prints, 1);
	smmu_leave(test, domain);
	domain->ops->free(domain);
}

/* Nor does it wait where the driver only has not looked. */
static void smmu_stale(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	struct arm_smmu_cmdq_ent cmd = { .opcode = CMDQ_OP_PREFETCH_CFG };

	while (queue_has_space(&smmus[0].cmdq.q.llq, 1))
		arm_smmu_cmdq_issue_cmd(&smmus[0], &cmd);
	attach_test.prints = 0;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, attach_test.prints, 0);
	smmu_leave(test, domain);
	domain->ops->free(domain);
}

/* An attach across the end of the queue, from each place before it */
static void smmu_wrap(struct kunit *test)
{
	struct arm_smmu_cmdq_ent cmd = { .opcode = CMDQ_OP_PREFETCH_CFG };
	struct arm_smmu_ll_queue *q = &smmus[0].cmdq.q.llq;
	int i;

	attach_test.prints = 0;
	for (i = 1; i < 8; i++) {
		struct iommu_domain *domain = attach_test_alloc(test, &smmu);

		while (Q_IDX(q, q->prod + i))
			arm_smmu_cmdq_issue_cmd(&smmus[0], &cmd);
		KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
		KUNIT_EXPECT_LT(test, Q_IDX(q, q->prod), 32);
		smmu_leave(test, domain);
		domain->ops->free(domain);
	}
	KUNIT_EXPECT_EQ(test, attach_test.prints, 0);
}

/* It takes its time, but not too much, and tells by whatever it can. */
static const struct smmu_slow {
	const char *name;
	u32 features, options;
	unsigned int delay;
} smmu_slow_cases[] = {
	{ .name = "queue_poll: an event", .features = ARM_SMMU_FEAT_SEV },
	{ .name = "queue_poll: longer and longer", .delay = 1 + 2 },
	{ .name = "__arm_smmu_cmdq_poll_until_msi: no event", .features = ARM_SMMU_FEAT_SEV,
	  .options = ARM_SMMU_OPT_MSIPOLL, .delay = 1 + 2 },
};

static void smmu_slow_desc(const struct smmu_slow *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(smmu_slow, smmu_slow_cases, smmu_slow_desc);

static void smmu_in_time(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	const struct smmu_slow *c = test->param_value;

	smmus[0].features |= c->features;
	smmus[0].options |= c->options;
	smmu_delay = c->delay;
	smmu_tick = ARM_SMMU_POLL_TIMEOUT_US / 25;
	smmu_stuck = CMDQ_OP_CMD_SYNC;
	attach_test.prints = 0;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, attach_test.prints, 0);
	KUNIT_EXPECT_EQ(test, smmu_waited, c->delay);
	smmu_leave(test, domain);
	domain->ops->free(domain);
}

static const struct smmu_race {
	const char *name, *call;
	int lock;
} smmu_races[] = {
	{ .name = "arm_smmu_cmdq_issue_cmdlist: another CPU was faster",
	  .call = "cmpxchg_relaxed" },
	{ .name = "arm_smmu_cmdq_shared_lock: another CPU has the queue",
	  .call = "VAL > 0", .lock = INT_MIN },
};

static void smmu_race_desc(const struct smmu_race *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(smmu_race, smmu_races, smmu_race_desc);

/* No command is lost then. */
static void smmu_second(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	const struct smmu_race *c = test->param_value;
	int alone;

	smmu_forget();
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu_devs[1]), 0);
	alone = smmu_logged;
	smmu_others_leave(test, domain);
	domain->ops->free(domain);
	domain = attach_test_alloc(test, &smmu);
	smmu_forget();
	atomic_set(&smmus[0].cmdq.lock, c->lock);
	attach_test_inject(c->call, 1, 0);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu_devs[1]), 0);
	attach_test.call = NULL;
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_EQ(test, smmu_logged, alone + !c->lock);
	KUNIT_EXPECT_EQ(test, atomic_read(&smmus[0].cmdq.lock), 0);
	smmu_others_leave(test, domain);
	domain->ops->free(domain);
}

/* The last one who waits for the queue moves it on. */
static void smmu_not_last(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	struct arm_smmu_cmdq *cmdq = &smmus[0].cmdq;
	u32 cons = cmdq->q.llq.cons;

	arm_smmu_cmdq_shared_lock(cmdq);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, cmdq->q.llq.cons, cons);
	KUNIT_EXPECT_EQ(test, atomic_read(&cmdq->lock), 1);
	arm_smmu_cmdq_shared_unlock(cmdq);
	smmu_leave(test, domain);
	KUNIT_EXPECT_EQ(test, cmdq->q.llq.cons, smmu_regs[0][ARM_SMMU_CMDQ_CONS / 4]);
	domain->ops->free(domain);
}

#define TEST_IOVA	(SZ_1M + 2 * SZ_4K)

static void smmu_unmap(struct iommu_domain *domain, size_t pages)
{
	struct iommu_iotlb_gather gather = {
		.start = TEST_IOVA, .end = TEST_IOVA + pages * SZ_4K - 1, .pgsize = SZ_4K,
	};

	domain->ops->iotlb_sync(domain, &gather);
}

static void smmu_unmap_some(struct iommu_domain *domain)
{
	smmu_unmap(domain, 6);
}

static void smmu_unmap_many(struct iommu_domain *domain)
{
	smmu_unmap(domain, CMDQ_BATCH_ENTRIES + 6);
}

static void smmu_unmap_all(struct iommu_domain *domain)
{
	domain->ops->flush_iotlb_all(domain);
}

static void smmu_page_request(struct iommu_domain *domain)
{
	u64 evt[] = { PRIQ_0_SSID_V | PRIQ_0_PRG_LAST | 5ULL << 32 | 3, 7 };

	arm_smmu_handle_ppr(&smmus[0], evt);
}

static void smmu_page_response(struct iommu_domain *domain)
{
	struct iommu_page_response resp = { .code = IOMMU_PAGE_RESP_SUCCESS, .grpid = 9 };

	smmu_master(0)->stall_enabled = true;
	arm_smmu_page_response(smmu_devs[0], NULL, &resp);
}

/* Nobody uses it yet. */
static void smmu_config_all(struct iommu_domain *domain)
{
	struct arm_smmu_cmdq_ent cmd = { .opcode = CMDQ_OP_CFGI_CD_ALL, .cfgi.sid = 2 };

	arm_smmu_cmdq_issue_cmd(&smmus[0], &cmd);
}

/* What the hardware is told for an attached domain: @n such commands, one of them @cmd */
static const struct smmu_command {
	const char *name;
	void (*run)(struct iommu_domain *domain);
	u32 without, features, options;
	u64 cmd[CMDQ_ENT_DWORDS];
	int n, syncs;
} smmu_commands[] = {
	{ .name = "TLBI_NH_VA", .run = smmu_unmap_some, .n = 6, .syncs = 2,
	  .cmd = { CMDQ_OP_TLBI_NH_VA | 1ULL << 48, TEST_IOVA | 1 } },
	{ .name = "TLBI_NH_VA of a range", .run = smmu_unmap_some, .n = 1, .syncs = 2,
	  .features = ARM_SMMU_FEAT_RANGE_INV,
	  .cmd = { CMDQ_OP_TLBI_NH_VA | 1ULL << 48 | 1 << 20 | 2 << 12,
		   TEST_IOVA | 1 << 10 | 3 << 8 | 1 } },
	{ .name = "TLBI_EL2_VA", .run = smmu_unmap_some, .n = 6, .syncs = 2,
	  .features = ARM_SMMU_FEAT_E2H,
	  .cmd = { CMDQ_OP_TLBI_EL2_VA | 1ULL << 48, TEST_IOVA | 1 } },
	{ .name = "TLBI_EL2_ASID", .run = smmu_unmap_all, .n = 1, .syncs = 2,
	  .features = ARM_SMMU_FEAT_E2H, .cmd = { CMDQ_OP_TLBI_EL2_ASID | 1ULL << 48 } },
	{ .name = "TLBI_S2_IPA", .run = smmu_unmap_some, .n = 6, .syncs = 2,
	  .without = ARM_SMMU_FEAT_TRANS_S1,
	  .cmd = { CMDQ_OP_TLBI_S2_IPA | 1ULL << 32, TEST_IOVA | 1 } },
	{ .name = "TLBI_S2_IPA of a range", .run = smmu_unmap_some, .n = 1, .syncs = 2,
	  .without = ARM_SMMU_FEAT_TRANS_S1, .features = ARM_SMMU_FEAT_RANGE_INV,
	  .cmd = { CMDQ_OP_TLBI_S2_IPA | 1ULL << 32 | 1 << 20 | 2 << 12,
		   TEST_IOVA | 1 << 10 | 3 << 8 | 1 } },
	/* Of eight pages, for the two streams of the device that has an ATC */
	{ .name = "ATC_INV of a range", .run = smmu_unmap_some, .n = 2, .syncs = 2,
	  .cmd = { CMDQ_OP_ATC_INV | 1ULL << 32, SZ_1M | 3 } },
	{ .name = "more than a batch", .run = smmu_unmap_many, .syncs = 2,
	  .n = CMDQ_BATCH_ENTRIES + 6,
	  .cmd = { CMDQ_OP_TLBI_NH_VA | 1ULL << 48, TEST_IOVA | 1 } },
	{ .name = "a sync for each batch", .run = smmu_unmap_many, .syncs = 3,
	  .n = CMDQ_BATCH_ENTRIES + 6, .options = ARM_SMMU_OPT_CMDQ_FORCE_SYNC,
	  .cmd = { CMDQ_OP_TLBI_NH_VA | 1ULL << 48, TEST_IOVA | 1 } },
	{ .name = "PRI_RESP", .run = smmu_page_request, .n = 1,
	  .cmd = { CMDQ_OP_PRI_RESP | 3ULL << 32 | 5 << 12 | 1 << 11, 7 } },
	{ .name = "RESUME", .run = smmu_page_response, .n = 1,
	  .cmd = { CMDQ_OP_RESUME | 1ULL << 32 | 1 << 12, 9 } },
	{ .name = "CFGI_CD_ALL", .run = smmu_config_all, .n = 1,
	  .cmd = { CMDQ_OP_CFGI_CD_ALL | 2ULL << 32 } },
};

static void smmu_command_desc(const struct smmu_command *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(smmu_command, smmu_commands, smmu_command_desc);

static void smmu_issued(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	const struct smmu_command *c = test->param_value;

	smmus[0].features = (TEST_FEATURES & ~c->without) | c->features;
	smmus[0].options = c->options;
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, smmu_devs[1]), 0);
	smmu_pci = true;
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, smmu_devs[0]), 0);
	smmu_forget();
	c->run(domain);
	KUNIT_EXPECT_EQ(test, smmu_took(c->cmd[0], c->cmd[1]), 1);
	KUNIT_EXPECT_EQ(test, smmu_ops[FIELD_GET(CMDQ_0_OP, c->cmd[0])], c->n);
	KUNIT_EXPECT_EQ(test, smmu_ops[CMDQ_OP_CMD_SYNC], c->syncs);
	smmu_leave(test, domain);
	smmu_others_leave(test, domain);
	domain->ops->free(domain);
}

/* What is no command is told, and not passed on. */
static void smmu_no_command(struct kunit *test)
{
	struct arm_smmu_cmdq_ent unknown = { .opcode = 0xff };
	struct arm_smmu_cmdq_ent resp = {
		.opcode = CMDQ_OP_PRI_RESP, .pri.resp = PRI_RESP_SUCC + 1,
	};
	struct arm_smmu_cmdq_batch *batch = kunit_kzalloc(test, sizeof(*batch), GFP_KERNEL);
	u32 prod = smmu_regs[0][ARM_SMMU_CMDQ_PROD / 4];

	KUNIT_ASSERT_NOT_NULL(test, batch);
	attach_test.prints = 0;
	KUNIT_EXPECT_EQ(test, arm_smmu_cmdq_issue_cmd(&smmus[0], &unknown), -EINVAL);
	KUNIT_EXPECT_EQ(test, arm_smmu_cmdq_issue_cmd(&smmus[0], &resp), -EINVAL);
	arm_smmu_cmdq_batch_add(&smmus[0], batch, &unknown);
	KUNIT_EXPECT_EQ(test, batch->num, 0);
	KUNIT_EXPECT_EQ(test, attach_test.prints, 3);
	KUNIT_EXPECT_EQ(test, smmu_regs[0][ARM_SMMU_CMDQ_PROD / 4], prod);
}

/* A process takes the ASID that an attached domain has. */
static void smmu_new_asid(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	struct arm_smmu_ctx_desc *cd = &to_smmu_domain(domain)->s1_cfg.cd;
	u64 asid, seen, val;

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
	seen = smmu_seen(test);
	asid = cd->asid;
	smmu_forget();
	mutex_lock(&arm_smmu_asid_lock);
	KUNIT_EXPECT_TRUE(test, !arm_smmu_share_asid(NULL, asid));
	mutex_unlock(&arm_smmu_asid_lock);
	val = le64_to_cpu(smmu_cd(smmu_stes[0][1], 0)[0]);
	KUNIT_EXPECT_NE(test, cd->asid, asid);
	KUNIT_EXPECT_EQ(test, FIELD_GET(CTXDESC_CD_0_ASID, val), cd->asid);
	KUNIT_EXPECT_EQ(test, smmu_seen(test), seen);
	KUNIT_EXPECT_EQ(test, smmu_took(CMDQ_OP_CFGI_CD | 1ULL << 32, 1), 1);
	KUNIT_EXPECT_EQ(test, smmu_took(CMDQ_OP_CFGI_CD | 2ULL << 32, 1), 1);
	KUNIT_EXPECT_EQ(test, smmu_took(CMDQ_OP_TLBI_NH_ASID | asid << 48, 0), 1);
	smmu_leave(test, domain);
	domain->ops->free(domain);
}

/* A process ends before its bond does: its DMA finds nothing, which is no fault. */
static void smmu_mm_ends(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	struct mm_struct *mm = kunit_kzalloc(test, sizeof(*mm), GFP_KERNEL);
	struct arm_smmu_ctx_desc cd = { .asid = 7 };
	struct arm_smmu_mmu_notifier mn = { .cd = &cd, .domain = to_smmu_domain(domain) };
	const __le64 *at;

	KUNIT_ASSERT_NOT_NULL(test, mm);
	mm->pasid = 5;
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, arm_smmu_write_ctx_desc(mn.domain, mm->pasid, &cd), 0);
	at = smmu_cd(smmu_stes[0][1], mm->pasid);
	KUNIT_ASSERT_NOT_NULL(test, at);
	KUNIT_EXPECT_FALSE(test, le64_to_cpu(at[0]) & CTXDESC_CD_0_TCR_EPD0);
	smmu_forget();
	arm_smmu_mm_release(&mn.mn, mm);
	KUNIT_EXPECT_TRUE(test, le64_to_cpu(at[0]) & CTXDESC_CD_0_TCR_EPD0);
	KUNIT_EXPECT_TRUE(test, le64_to_cpu(at[0]) & CTXDESC_CD_0_V);
	KUNIT_EXPECT_EQ(test, smmu_took(CMDQ_OP_CFGI_CD | 1ULL << 32 | 5 << 12, 1), 1);
	KUNIT_EXPECT_EQ(test, smmu_took(CMDQ_OP_CFGI_CD | 2ULL << 32 | 5 << 12, 1), 1);
	KUNIT_EXPECT_EQ(test, smmu_took(CMDQ_OP_TLBI_NH_ASID | 7ULL << 48, 0), 1);
	smmu_leave(test, domain);
	domain->ops->free(domain);
}

/* The driver refuses to stall a stream whose faults it does not handle. */
static void smmu_stalls(struct kunit *test)
{
	int stall;

	smmus[0].features |= ARM_SMMU_FEAT_STALLS;
	for (stall = 0; stall < 2; stall++) {
		struct iommu_domain *domain = attach_test_alloc(test, &smmu);

		smmu_master(0)->stall_enabled = stall;
		KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
		KUNIT_EXPECT_EQ(test, !(le64_to_cpu(smmu_stes[0][1][1]) & STRTAB_STE_1_S1STALLD),
				stall);
		smmu_leave(test, domain);
		domain->ops->free(domain);
	}
}

/* Not translated, and so not by an ATC; a stream that is there twice is written once. */
static void smmu_identity(struct kunit *test)
{
	struct attach_driver drv = { .ops = smmu.ops, .type = IOMMU_DOMAIN_IDENTITY };
	struct iommu_domain *identity = attach_test_alloc(test, &drv);
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
	smmu_pci = true;
	KUNIT_EXPECT_EQ(test, identity->ops->attach_dev(identity, smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, smmu_seen(test), 1);
	KUNIT_EXPECT_EQ(test, smmu_ats, 0);
	smmu_pci = false;
	smmu_forget();
	KUNIT_EXPECT_EQ(test, identity->ops->attach_dev(identity, smmu_devs[1]), 0);
	KUNIT_EXPECT_EQ(test, smmu_table(0, 3), 1);
	KUNIT_ASSERT_EQ(test, smmu_ops[CMDQ_OP_CFGI_STE], 1);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu_devs[1]), 0);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, smmu_table(0, 3), smmu_seen(test));
	smmu_leave(test, domain);
	smmu_others_leave(test, domain);
	domain->ops->free(domain);
	identity->ops->free(identity);
}

/* There is no moment without the domain that the device has. */
static void smmu_keep(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	u32 prod;

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
	prod = smmu_regs[0][ARM_SMMU_CMDQ_PROD / 4];
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, smmu_regs[0][ARM_SMMU_CMDQ_PROD / 4], prod);
	smmu_leave(test, domain);
	domain->ops->free(domain);
}

/* What an SMMU lacks does not matter to the next one. */
static void smmu_stage(struct kunit *test)
{
	static const u32 missing[] = { ARM_SMMU_FEAT_TRANS_S1, ARM_SMMU_FEAT_TRANS_S2 };
	static const u64 next[] = { STRTAB_STE_0_CFG_S1_TRANS, STRTAB_STE_0_CFG_S2_TRANS };
	int i;

	for (i = 0; i < 2; i++) {
		struct iommu_domain *domain = attach_test_alloc(test, &smmu);

		if (next[i] == STRTAB_STE_0_CFG_S2_TRANS)
			KUNIT_EXPECT_EQ(test, domain->ops->enable_nesting(domain), 0);
		smmus[0].features = TEST_FEATURES & ~missing[i];
		attach_test_inject("alloc_io_pgtable_ops", 1, 0);
		KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), -ENOMEM);
		attach_test.call = NULL;
		KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu_devs[2]), 0);
		KUNIT_EXPECT_EQ(test, next[i], FIELD_GET(STRTAB_STE_0_CFG,
							 le64_to_cpu(smmu_stes[1][1][0])));
		smmu_others_leave(test, domain);
		domain->ops->free(domain);
	}
}

/* A domain that failed has no ASID to free. */
static void smmu_asid_once(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);

	attach_test_inject("dmam_alloc_coherent", 2, 0);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), -ENOMEM);
	attach_test.call = NULL;
	domain->ops->free(domain);
	KUNIT_EXPECT_FALSE(test, smmu_underflow);
}

static u64 smmu_eats(u32 sid)
{
	return FIELD_GET(STRTAB_STE_1_EATS, le64_to_cpu(smmu_stes[0][sid][1]));
}

/* A device without ATS is attached, but it has no ATC to invalidate and is not believed. */
static void smmu_ats_fails(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);

	smmu_pci = true;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, smmu_eats(1), STRTAB_STE_1_EATS_TRANS);
	KUNIT_EXPECT_EQ(test, smmu_eats(2), STRTAB_STE_1_EATS_TRANS);
	smmu_leave(test, domain);
	attach_test_inject("pci_enable_ats", 1, -EINVAL);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, smmu.dev), 0);
	attach_test.call = NULL;
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_EQ(test, smmu_eats(1), STRTAB_STE_1_EATS_ABT);
	KUNIT_EXPECT_EQ(test, smmu_eats(2), STRTAB_STE_1_EATS_ABT);
	smmu_forget();
	domain->ops->flush_iotlb_all(domain);
	KUNIT_EXPECT_EQ(test, smmu_ops[CMDQ_OP_ATC_INV], 0);
	smmu_leave(test, domain);
	KUNIT_EXPECT_EQ(test, smmu_ats, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&to_smmu_domain(domain)->nr_ats_masters), 0);
	domain->ops->free(domain);
}

static int smmu_init(struct kunit *test)
{
	static const struct { int smmu, streams; u32 ids[2]; } masters[] = {
		{ 0, 2, { 1, 2 } }, { 0, 2, { 3, 3 } }, { 1, 1, { TEST_OTHER_SID + 1 } },
	};
	int i, j;

	memset(smmu_regs, 0, sizeof(smmu_regs));
	memset(smmus, 0, sizeof(smmus));
	memset(smmu_stes, 0, sizeof(smmu_stes));
	memset(attach_test.held, 0, sizeof(attach_test.held));
	smmu_stuck = 0;
	smmu_polls = 0;
	smmu_tick = ARM_SMMU_POLL_TIMEOUT_US * 2 / 3;
	smmu_delay = 0;
	smmu_waited = 0;
	smmu_ats = 0;
	smmu_pci = false;
	smmu_underflow = false;
	for (i = 0; i < 2; i++) {
		struct arm_smmu_device *s = &smmus[i];

		s->dev = attach_test_device(test, "arm-smmu-v3");
		s->dev->dma_coherent = true;
		s->base = (void __iomem *)smmu_regs[i];
		s->page1 = s->base;
		s->features = TEST_FEATURES;
		s->cmdq.q.llq.max_n_shift = 8;
		s->evtq.q.llq.max_n_shift = 8;
		s->combined_irq = 1;
		s->ias = 44;
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
		dev_set_drvdata(s->dev, s);
		KUNIT_ASSERT_EQ(test, arm_smmu_init_structures(s), 0);
		KUNIT_ASSERT_EQ(test, arm_smmu_device_reset(s, false), 0);
	}
	for (i = 0; i < 3; i++) {
		struct device *dev = attach_test_device(test, "smmu-client");

		KUNIT_ASSERT_EQ(test, iommu_fwspec_init(dev, &smmu_fwnodes[masters[i].smmu],
							&arm_smmu_ops), 0);
		for (j = 0; j < masters[i].streams; j++) {
			struct of_phandle_args args = { .args = { masters[i].ids[j] } };

			KUNIT_ASSERT_EQ(test, arm_smmu_ops.of_xlate(dev, &args), 0);
		}
		dev_iommu_fwspec_get(dev)->flags |= IOMMU_FWSPEC_PCI_RC_ATS;
		KUNIT_ASSERT_FALSE(test, IS_ERR(arm_smmu_ops.probe_device(dev)));
		smmu_devs[i] = dev;
		smmu_master(i)->ssid_bits = TEST_SSID_BITS;
	}
	smmu.ops = &arm_smmu_ops;
	smmu.seen = smmu_seen;
	smmu.leave = smmu_leave;
	smmu.dev = smmu_devs[0];
	return 0;
}

static void smmu_exit(struct kunit *test)
{
	int i;

	smmu_pci = false;
	for (i = 0; i < 3; i++) {
		arm_smmu_ops.release_device(smmu_devs[i]);
		iommu_fwspec_free(smmu_devs[i]);
		attach_test_remove(smmu_devs[i]);
	}
	for (i = 0; i < 2; i++) {
		/* All but the one for bypass */
		KUNIT_EXPECT_EQ(test, bitmap_weight(smmus[i].vmid_map, ARM_SMMU_MAX_VMIDS), 1);
		attach_test_remove(smmus[i].dev);
	}
	xa_destroy(&arm_smmu_asid_xa);
}

static struct kunit_case smmu_kunit[] = {
	KUNIT_CASE_PARAM(smmu_attach, smmu_gen_params),
	KUNIT_CASE_PARAM(smmu_told, smmu_hang_gen_params),
	KUNIT_CASE(smmu_full),
	KUNIT_CASE(smmu_stale),
	KUNIT_CASE(smmu_wrap),
	KUNIT_CASE_PARAM(smmu_in_time, smmu_slow_gen_params),
	KUNIT_CASE_PARAM(smmu_second, smmu_race_gen_params),
	KUNIT_CASE(smmu_not_last),
	KUNIT_CASE_PARAM(smmu_issued, smmu_command_gen_params),
	KUNIT_CASE(smmu_no_command),
	KUNIT_CASE(smmu_new_asid),
	KUNIT_CASE(smmu_mm_ends),
	KUNIT_CASE(smmu_stalls),
	KUNIT_CASE(smmu_identity),
	KUNIT_CASE(smmu_keep),
	KUNIT_CASE(smmu_stage),
	KUNIT_CASE(smmu_asid_once),
	KUNIT_CASE(smmu_ats_fails),
	{}
};

static struct kunit_suite smmu_suite = {
	.name = "arm-smmu-v3", .init = smmu_init, .exit = smmu_exit, .test_cases = smmu_kunit,
};

kunit_test_suite(smmu_suite);
