// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of omap-iommu.c, see attach-test.h
 *
 * One device with two MMUs and another one with a third. Runtime PM is real.
 */
/* The driver may be built in, and this a module. */
#define __DISABLE_EXPORTS
/* The header's stubs are for those who have no driver. */
#define CONFIG_OMAP_IOMMU 1
#include <linux/mfd/syscon.h>
#include <linux/of.h>
#include <linux/of_irq.h>
#include <linux/omap-iommu.h>
#include <linux/regmap.h>

#include "attach-test.h"

/* What is unmapped must be what was mapped: count by page, not by call. */
#undef dma_map_single
#undef dma_unmap_single
#define dma_map_single(dev, p, size, dir) ({					\
	dma_addr_t __dma = FAIL_OR("dma_map_single",				\
				   dma_map_single_attrs(dev, p, size, dir, 0));	\
	attach_test.held[DMA] += __dma == DMA_MAPPING_ERROR ? 0 : __dma >> PAGE_SHIFT; \
	__dma; })
#define dma_unmap_single(dev, p, size, dir) ({					\
	dma_addr_t __gone = (p);						\
	attach_test.held[DMA] -= __gone >> PAGE_SHIFT;				\
	if (__gone != DMA_MAPPING_ERROR)					\
		dma_unmap_single_attrs(dev, __gone, size, dir, 0); })

#undef pm_runtime_get_sync
#undef pm_runtime_resume_and_get
#undef pm_runtime_put
#undef pm_runtime_put_noidle
#undef pm_runtime_put_sync
#define pm_runtime_get_sync(d)	 ({ attach_test.held[PM]++; pm_runtime_get_sync(d); })
#define pm_runtime_resume_and_get(d) ({				\
	int __err = pm_runtime_resume_and_get(d);		\
	attach_test.held[PM] += !__err;				\
	__err; })
#define pm_runtime_put(d)	 ({ attach_test.held[PM]--; pm_runtime_put(d); })
#define pm_runtime_put_noidle(d) ({ attach_test.held[PM]--; pm_runtime_put_noidle(d); })
#define pm_runtime_put_sync(d)	 ({ attach_test.held[PM]--; pm_runtime_put_sync(d); })
#define pm_runtime_get_if_active(d) ({					\
	int __on = pm_runtime_get_if_active(d);				\
	attach_test.held[PM] += __on > 0;					\
	__on; })

/* The entry of the TLB that a register is about is picked by another register. */
static u32 omap_read(const u32 *reg);
static void omap_write(u32 val, u32 *reg);
static int omap_update_syscfg(u32 reg, u32 mask, u32 val);
#undef __raw_readl
#undef __raw_writel
#define __raw_readl(addr)	omap_read((const u32 __force *)(addr))
#define __raw_writel(val, addr)	omap_write(val, (u32 __force *)(addr))
/* The register that switches the MMUs of a DSP on, besides their own */
#undef regmap_update_bits
#define regmap_update_bits(map, reg, mask, val) \
	({ (void)(map); omap_update_syscfg(reg, mask, val); })

#include "omap-iommu.c"

static u32 omap_regs[3][MMU_REG_SIZE / 4], omap_syscfg[8];
static struct cr_regs omap_tlb[3][32], omap_saved[3][32];
static struct omap_iommu omap_mmu[3];
static struct omap_iommu_arch_data omap_mmus[] = { { &omap_mmu[0] }, { &omap_mmu[1] }, {} };
static struct omap_iommu_arch_data omap_other_mmus[] = { { &omap_mmu[2] }, {} };
static struct device *omap_other;
static struct dev_pm_domain omap_pm;
static struct attach_driver omap;

static struct cr_regs *omap_victim(const u32 *reg)
{
	int i = (reg - omap_regs[0]) / ARRAY_SIZE(omap_regs[0]);

	return &omap_tlb[i][MMU_LOCK_VICT(omap_regs[i][MMU_LOCK / 4])];
}

static size_t omap_offset(const u32 *reg)
{
	return (reg - omap_regs[0]) % ARRAY_SIZE(omap_regs[0]) * 4;
}

static u32 omap_read(const u32 *reg)
{
	switch (omap_offset(reg)) {
	case MMU_READ_CAM:
		return omap_victim(reg)->cam;
	case MMU_READ_RAM:
		return omap_victim(reg)->ram;
	default:
		return *reg;
	}
}

static void omap_write(u32 val, u32 *reg)
{
	const u32 *regs = reg - omap_offset(reg) / 4;

	*reg = val;
	if (omap_offset(reg) == MMU_LD_TLB)
		*omap_victim(reg) = (struct cr_regs) { regs[MMU_CAM / 4], regs[MMU_RAM / 4] };
}

static int omap_update_syscfg(u32 reg, u32 mask, u32 val)
{
	omap_syscfg[reg / 4] = (omap_syscfg[reg / 4] & ~mask) | val;
	return 0;
}

/* The page tables that both MMUs walk, 0 for one that is off */
static u64 omap_seen(struct kunit *test)
{
	u64 seen = 0;
	int i;

	for (i = 0; i < 2; i++)
		if (omap_regs[i][MMU_CNTL / 4] & MMU_CNTL_MMU_EN)
			seen |= (u64)omap_regs[i][MMU_TTB / 4] << 32 * i;
	KUNIT_EXPECT_EQ_MSG(test, !(u32)seen, !(seen >> 32), "one MMU is off");
	return seen;
}

/* The platform may sleep. (The work of a pm_runtime_put() is no business of the test's.) */
static int omap_platform(const char *call)
{
	struct kunit *test = current->kunit_test;

	if (test)
		KUNIT_EXPECT_EQ_MSG(test, preempt_count(), 0, "%s() in atomic context", call);
	return FAIL_OR(call, 0);
}

static int omap_set_pwrdm_constraint(struct platform_device *pdev, bool on, u8 *pwrst)
{
	return omap_platform("set_pwrdm_constraint");
}

static int omap_deassert_reset(struct platform_device *pdev, const char *name)
{
	return omap_platform("deassert_reset");
}

static int omap_assert_reset(struct platform_device *pdev, const char *name)
{
	return omap_platform("assert_reset");
}

static int omap_device_enable(struct platform_device *pdev)
{
	return omap_platform("device_enable");
}

static int omap_device_idle(struct platform_device *pdev)
{
	return omap_platform("device_idle");
}

static const struct iommu_platform_data omap_pdata = {
	.set_pwrdm_constraint = omap_set_pwrdm_constraint,
	.deassert_reset = omap_deassert_reset,
	.assert_reset = omap_assert_reset,
	.device_enable = omap_device_enable,
	.device_idle = omap_device_idle,
};

static int omap_enter(struct iommu_domain *domain)
{
	return domain->ops->attach_dev(domain, omap.dev, &omap_iommu_identity_domain);
}

static void omap_leave(struct kunit *test, struct iommu_domain *domain)
{
	struct iommu_domain *identity = &omap_iommu_identity_domain;

	KUNIT_EXPECT_EQ(test, identity->ops->attach_dev(identity, omap.dev, domain), 0);
	KUNIT_EXPECT_EQ(test, omap_seen(test), 0);
}

static void omap_no_mmu(struct kunit *test, struct iommu_domain *domain)
{
	omap_mmus[0].iommu_dev = NULL;
}

static void omap_mmu_again(struct kunit *test, struct iommu_domain *domain)
{
	omap_mmus[0].iommu_dev = &omap_mmu[0];
}

static void omap_attach_other(struct kunit *test, struct iommu_domain *domain)
{
	struct iommu_domain *identity = &omap_iommu_identity_domain;

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, omap_other, identity), 0);
}

static void omap_detach_other(struct kunit *test, struct iommu_domain *domain)
{
	omap_iommu_identity_attach(&omap_iommu_identity_domain, omap_other, domain);
}

/* The core goes by way of identity from one domain to another: all are first. */
static const struct attach_case omap_cases[] = {
	{ .name = "omap_iommu_attach_dev: the device has no IOMMU",
	  .setup = omap_no_mmu, .undo = omap_mmu_again, .first = true, .expect = -ENODEV },
	{ .name = "omap_iommu_attach_dev: the domain of another device",
	  .setup = omap_attach_other, .undo = omap_detach_other, .first = true,
	  .expect = -EINVAL },
	{ .name = "omap_iommu_attach_dev: the second MMU does not resume",
	  .call = "deassert_reset", .nth = 2, .ret = -EINVAL, .first = true,
	  .expect = -ENODEV },
	{ .name = "omap_iommu_attach_dev: the second table cannot be mapped",
	  .call = "dma_map_single", .nth = 2, .ret = (long)DMA_MAPPING_ERROR, .first = true,
	  .expect = -ENOMEM },
	{ .name = "omap_iommu_attach_init: no memory for the list of MMUs",
	  .call = "kzalloc", .first = true, .expect = -ENOMEM },
	{ .name = "omap_iommu_attach_init: no memory for the second page table",
	  .call = "kzalloc", .nth = 3, .first = true, .expect = -ENOMEM },
	{ .name = "omap_iommu_attach: the page table cannot be mapped",
	  .call = "dma_map_single", .ret = (long)DMA_MAPPING_ERROR, .first = true,
	  .expect = -ENOMEM },
	{ .name = "omap_iommu_runtime_resume: EIO of deassert_reset",
	  .call = "deassert_reset", .ret = -EIO, .first = true,
	  .expect = -EIO },
	{ .name = "omap_iommu_runtime_resume: EINVAL of deassert_reset",
	  .call = "deassert_reset", .ret = -EINVAL, .first = true,
	  .expect = -ENODEV },
	{ .name = "omap_iommu_runtime_resume: EIO of device_enable",
	  .call = "device_enable", .ret = -EIO, .first = true,
	  .expect = -EIO },
	{ .name = "omap_iommu_runtime_resume: device_enable says enabled",
	  .call = "device_enable", .ret = -EINVAL, .first = true },
	{ .name = "omap_iommu_runtime_resume: set_pwrdm_constraint fails",
	  .call = "set_pwrdm_constraint", .ret = -EIO, .first = true },
	{ .name = "omap_iommu_attach_dev: success", .first = true },
};

KUNIT_ARRAY_PARAM(omap, omap_cases, attach_case_desc);

static void omap_attach(struct kunit *test)
{
	attach_check(test, &omap, test->param_value);
}

/* The device comes from no domain, or from identity, and stays there. */
static void omap_identity(struct kunit *test)
{
	struct iommu_domain *identity = &omap_iommu_identity_domain;

	KUNIT_EXPECT_EQ(test, identity->ops->attach_dev(identity, omap.dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, identity->ops->attach_dev(identity, omap.dev, identity), 0);
	KUNIT_EXPECT_EQ(test, omap_seen(test), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
}

/* What the platform says when an MMU is let go of: it is shut by then. */
static const struct attach_case omap_suspend_cases[] = {
	{ .name = "omap_iommu_runtime_suspend: device_idle fails", .call = "device_idle" },
	{ .name = "omap_iommu_runtime_suspend: assert_reset fails", .call = "assert_reset" },
	{ .name = "omap_iommu_runtime_suspend: set_pwrdm_constraint fails",
	  .call = "set_pwrdm_constraint" },
};

KUNIT_ARRAY_PARAM(omap_suspend, omap_suspend_cases, attach_case_desc);

static void omap_suspend(struct kunit *test)
{
	const struct attach_case *c = test->param_value;
	struct iommu_domain *domain = attach_test_alloc(test, &omap);

	KUNIT_ASSERT_EQ(test, omap_enter(domain), 0);
	attach_test_inject(c->call, 1, -EIO);
	omap_leave(test, domain);
	attach_test.call = NULL;
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_EQ(test, omap_seen(test), 0);
	KUNIT_EXPECT_EQ(test, omap_enter(domain), 0);
	domain->ops->free(domain);
}

/* A failure may not leave its page table to the next resume, by user space or so. */
static void omap_forget_table(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &omap);

	attach_test_inject("deassert_reset", 1, -EIO);
	KUNIT_EXPECT_EQ(test, omap_enter(domain), -EIO);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, pm_runtime_get_sync(omap_mmu[0].dev), 0);
	KUNIT_EXPECT_EQ(test, omap_seen(test), 0);
	pm_runtime_put_sync(omap_mmu[0].dev);
	domain->ops->free(domain);
}

/* Resumed by user space before anything is attached */
static void omap_on_before(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &omap);

	KUNIT_EXPECT_EQ(test, pm_runtime_get_sync(omap_mmu[1].dev), 0);
	KUNIT_EXPECT_EQ(test, omap_seen(test), 0);
	KUNIT_EXPECT_EQ(test, omap_enter(domain), 0);
	KUNIT_EXPECT_NE(test, omap_seen(test) >> 32, 0);
	domain->ops->free(domain);
	pm_runtime_put_sync(omap_mmu[1].dev);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
}

/* User space keeps an MMU on while its domain goes, */
static void omap_on_at_detach(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &omap);

	KUNIT_ASSERT_EQ(test, omap_enter(domain), 0);
	KUNIT_EXPECT_EQ(test, pm_runtime_get_sync(omap_mmu[0].dev), 1);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, omap_seen(test), 0);
	pm_runtime_put_sync(omap_mmu[0].dev);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
}

/* and until the next one comes. */
static void omap_on_at_attach(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &omap);

	KUNIT_ASSERT_EQ(test, omap_enter(domain), 0);
	KUNIT_EXPECT_EQ(test, pm_runtime_get_sync(omap_mmu[0].dev), 1);
	omap_leave(test, domain);
	/* An old page table that cannot be where the new one is */
	omap_regs[0][MMU_TTB / 4] = 1;
	KUNIT_EXPECT_EQ(test, omap_enter(domain), 0);
	KUNIT_EXPECT_NE(test, (u32)omap_seen(test), 1);
	KUNIT_EXPECT_NE(test, (u32)omap_seen(test), 0);
	domain->ops->free(domain);
	pm_runtime_put_sync(omap_mmu[0].dev);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
}

/* The client may not go on if one of its MMUs does not resume. It tries again later. */
static void omap_activate(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &omap);
	u64 seen;
	int nth;

	KUNIT_ASSERT_EQ(test, omap_enter(domain), 0);
	seen = omap_seen(test);
	for (nth = 1; nth <= 2; nth++) {
		KUNIT_EXPECT_EQ(test, omap_iommu_domain_deactivate(domain), 0);
		KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
		attach_test_inject("deassert_reset", nth, -EIO);
		KUNIT_EXPECT_EQ(test, omap_iommu_domain_activate(domain), -EIO);
		attach_test.call = NULL;
		KUNIT_EXPECT_TRUE(test, attach_test.hit);
		KUNIT_EXPECT_EQ(test, omap_seen(test), 0);
		KUNIT_EXPECT_EQ_MSG(test, attach_test.held[PM], 0, "MMU %d", nth);
		KUNIT_EXPECT_EQ(test, omap_iommu_domain_activate(domain), 0);
		KUNIT_EXPECT_EQ(test, omap_seen(test), seen);
		KUNIT_EXPECT_EQ(test, attach_test.held[PM], 2);
	}
	omap_leave(test, domain);
	/* Without a client there is nothing to resume. */
	KUNIT_EXPECT_EQ(test, omap_iommu_domain_activate(domain), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
	domain->ops->free(domain);
}

/* Entries that are locked survive a suspend, which takes the power of the MMU, */
static void omap_locked(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &omap);
	struct cr_regs cr[] = { { 0x1000 | MMU_CAM_V, 0x5000 }, { 0x2000 | MMU_CAM_V, 0x6000 } };
	struct iotlb_lock lock = { .base = ARRAY_SIZE(cr) };
	u64 seen;
	int i;

	KUNIT_ASSERT_EQ(test, omap_enter(domain), 0);
	seen = omap_seen(test);
	for (i = 0; i < 2; i++) {
		memcpy(omap_tlb[i], cr, sizeof(cr[0]) * (i + 1));
		lock.base = i + 1;
		iotlb_lock_set(&omap_mmu[i], &lock);
	}
	KUNIT_EXPECT_EQ(test, omap_iommu_domain_deactivate(domain), 0);
	KUNIT_EXPECT_EQ(test, omap_seen(test), 0);
	memset(omap_regs, 0, sizeof(omap_regs));
	memset(omap_tlb, 0, sizeof(omap_tlb));
	KUNIT_EXPECT_EQ(test, omap_iommu_domain_activate(domain), 0);
	KUNIT_EXPECT_EQ(test, omap_seen(test), seen);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, memcmp(omap_tlb[i], cr, sizeof(cr[0]) * (i + 1)), 0);
		KUNIT_EXPECT_EQ(test, omap_tlb[i][i + 1].cam, 0);
		/* Those that are locked, and the one to be replaced next */
		KUNIT_EXPECT_EQ(test, omap_regs[i][MMU_LOCK / 4],
				(i + 1) << MMU_LOCK_BASE_SHIFT | (i + 1) << MMU_LOCK_VICT_SHIFT);
	}

	/* but not the domain. */
	omap_leave(test, domain);
	memset(omap_regs, 0, sizeof(omap_regs));
	memset(omap_tlb, 0, sizeof(omap_tlb));
	KUNIT_EXPECT_EQ(test, omap_enter(domain), 0);
	KUNIT_EXPECT_NE(test, omap_seen(test), 0);
	KUNIT_EXPECT_EQ(test, omap_tlb[0][0].cam, 0);
	KUNIT_EXPECT_EQ(test, omap_regs[0][MMU_LOCK / 4], 0);
	/* Nor is there anything to save now. */
	KUNIT_EXPECT_EQ(test, omap_iommu_domain_deactivate(domain), 0);
	KUNIT_EXPECT_EQ(test, omap_iommu_domain_activate(domain), 0);
	KUNIT_EXPECT_EQ(test, omap_tlb[0][0].cam, 0);
	KUNIT_EXPECT_EQ(test, omap_regs[0][MMU_LOCK / 4], 0);
	domain->ops->free(domain);
}

/* What an MMU needs besides its own registers, on the SoCs that have it */
static void omap_dra7(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &omap);

	/* Never looked into */
	omap_mmu[1].syscfg = (struct regmap *)omap_syscfg;
	omap_mmu[1].id = 1;
	omap_mmu[1].has_bus_err_back = MMU_GP_REG_BUS_ERR_BACK_EN;
	/* The other MMU of the DSP */
	omap_syscfg[DSP_SYS_MMU_CONFIG / 4] = BIT(0);
	KUNIT_ASSERT_EQ(test, omap_enter(domain), 0);
	KUNIT_EXPECT_EQ(test, omap_syscfg[DSP_SYS_MMU_CONFIG / 4],
			BIT(DSP_SYS_MMU_CONFIG_EN_SHIFT) | BIT(0));
	KUNIT_EXPECT_EQ(test, omap_regs[0][MMU_GP_REG / 4], 0);
	KUNIT_EXPECT_EQ(test, omap_regs[1][MMU_GP_REG / 4], MMU_GP_REG_BUS_ERR_BACK_EN);
	omap_leave(test, domain);
	KUNIT_EXPECT_EQ(test, omap_syscfg[DSP_SYS_MMU_CONFIG / 4], BIT(0));
	domain->ops->free(domain);
}

static int omap_init(struct kunit *test)
{
	int i;

	memset(omap_regs, 0, sizeof(omap_regs));
	memset(omap_tlb, 0, sizeof(omap_tlb));
	memset(omap_syscfg, 0, sizeof(omap_syscfg));
	memset(omap_mmu, 0, sizeof(omap_mmu));
	memset(attach_test.held, 0, sizeof(attach_test.held));
	omap_pm.ops = omap_iommu_pm_ops;
	for (i = 0; i < 3; i++) {
		struct omap_iommu *mmu = &omap_mmu[i];

		mmu->name = "omap-mmu";
		mmu->regbase = (void __iomem *)omap_regs[i];
		mmu->nr_tlb_entries = ARRAY_SIZE(omap_saved[i]);
		mmu->cr_ctx = omap_saved[i];
		mutex_init(&mmu->iommu_lock);
		spin_lock_init(&mmu->page_table_lock);
		mmu->dev = attach_test_device(test, mmu->name);
		KUNIT_ASSERT_EQ(test, platform_device_add_data(to_platform_device(mmu->dev),
							       &omap_pdata, sizeof(omap_pdata)), 0);
		/* The tables may be anywhere. */
		KUNIT_ASSERT_EQ(test, dma_set_mask(mmu->dev, DMA_BIT_MASK(64)), 0);
		dev_set_drvdata(mmu->dev, mmu);
		mmu->dev->pm_domain = &omap_pm;
		pm_runtime_enable(mmu->dev);
	}
	omap.ops = &omap_iommu_ops;
	omap.seen = omap_seen;
	omap.leave = omap_leave;
	omap.dev = attach_test_device(test, "omap-client");
	dev_iommu_priv_set(omap.dev, omap_mmus);
	omap_other = attach_test_device(test, "omap-other");
	dev_iommu_priv_set(omap_other, omap_other_mmus);
	return 0;
}

static void omap_exit(struct kunit *test)
{
	int i;

	attach_test_remove(omap_other);
	attach_test_remove(omap.dev);
	for (i = 0; i < 3; i++) {
		pm_runtime_disable(omap_mmu[i].dev);
		attach_test_remove(omap_mmu[i].dev);
	}
}

static struct kunit_case omap_kunit[] = {
	KUNIT_CASE_PARAM(omap_attach, omap_gen_params),
	KUNIT_CASE_PARAM(omap_suspend, omap_suspend_gen_params),
	KUNIT_CASE(omap_identity),
	KUNIT_CASE(omap_forget_table),
	KUNIT_CASE(omap_on_before),
	KUNIT_CASE(omap_on_at_detach),
	KUNIT_CASE(omap_on_at_attach),
	KUNIT_CASE(omap_activate),
	KUNIT_CASE(omap_locked),
	KUNIT_CASE(omap_dra7),
	{}
};

static struct kunit_suite omap_suite = {
	.name = "omap-iommu", .init = omap_init, .exit = omap_exit, .test_cases = omap_kunit,
};

kunit_test_suite(omap_suite);

MODULE_LICENSE("GPL");
