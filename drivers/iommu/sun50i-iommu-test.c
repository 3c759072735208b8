// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of sun50i-iommu.c, see attach-test.h
 */
#include <linux/iopoll.h>
#include <linux/reset.h>

#include "attach-test.h"

static u32 sun50i_regs[0x200 / 4];
static bool sun50i_out_of_reset, sun50i_stuck, sun50i_no_flush;

static int sun50i_deassert(void)
{
	sun50i_out_of_reset = true;
	return 0;
}

static int sun50i_assert(void)
{
	if (sun50i_stuck)
		return -EIO;
	sun50i_out_of_reset = false;
	memset(sun50i_regs, 0, sizeof(sun50i_regs));
	return 0;
}

#undef readl_poll_timeout_atomic
#define readl_poll_timeout_atomic(addr, val, ...) ({				\
	u32 *__val = &(val);							\
										\
	*__val = 0;								\
	sun50i_no_flush ? -ETIMEDOUT : FAIL_OR("readl_poll_timeout_atomic", 0); })
#define reset_control_deassert(rst)	FAIL_OR("reset_control_deassert", sun50i_deassert())
#define reset_control_assert(rst)	sun50i_assert()

#include "sun50i-iommu.c"

static struct sun50i_iommu sun50i, sun50i_other;
static struct attach_driver sun50i_drv;

/* The table; without one 1, or 0 in reset */
static u64 sun50i_seen(struct kunit *test)
{
	if (sun50i_regs[IOMMU_ENABLE_REG / 4] & IOMMU_ENABLE_ENABLE)
		return sun50i_regs[IOMMU_TTB_REG / 4];
	return sun50i_out_of_reset;
}

static void sun50i_no_iommu(struct kunit *test, struct iommu_domain *domain)
{
	dev_iommu_priv_set(sun50i_drv.dev, NULL);
}

static void sun50i_iommu_again(struct kunit *test, struct iommu_domain *domain)
{
	dev_iommu_priv_set(sun50i_drv.dev, &sun50i);
}

static void sun50i_bind_other(struct kunit *test, struct iommu_domain *domain)
{
	to_sun50i_domain(domain)->iommu = &sun50i_other;
}

static void sun50i_unbind_other(struct kunit *test, struct iommu_domain *domain)
{
	to_sun50i_domain(domain)->iommu = NULL;
}

static void sun50i_break_flush(struct kunit *test, struct iommu_domain *domain)
{
	sun50i_no_flush = true;
}

static void sun50i_mend(struct kunit *test, struct iommu_domain *domain)
{
	sun50i_stuck = false;
	sun50i_no_flush = false;
}

static const struct attach_case sun50i_cases[] = {
	{ .name = "sun50i_iommu_attach_device: no IOMMU", .first = true,
	  .setup = sun50i_no_iommu, .undo = sun50i_iommu_again, .expect = -ENODEV },
	{ .name = "sun50i_iommu_attach_device: the domain of another IOMMU",
	  .setup = sun50i_bind_other, .undo = sun50i_unbind_other, .expect = -EINVAL },
	{ .name = "sun50i_iommu_attach_domain: the table cannot be mapped",
	  .call = "dma_map_single", .ret = (long)DMA_MAPPING_ERROR, .expect = -ENOMEM },
	{ .name = "sun50i_iommu_attach_domain: the first table cannot be mapped", .first = true,
	  .call = "dma_map_single", .ret = (long)DMA_MAPPING_ERROR, .expect = -ENOMEM },
	{ .name = "sun50i_iommu_enable: the reset cannot be deasserted", .first = true,
	  .call = "reset_control_deassert", .ret = -EIO, .expect = -EIO },
	{ .name = "sun50i_iommu_enable: EINVAL from the reset", .first = true,
	  .call = "reset_control_deassert", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "sun50i_iommu_enable: the clock cannot be enabled", .first = true,
	  .call = "clk_prepare_enable", .ret = -EIO, .expect = -EIO },
	{ .name = "sun50i_iommu_enable: EINVAL from the clock", .first = true,
	  .call = "clk_prepare_enable", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "sun50i_iommu_flush_all_tlb: time out in a domain",
	  .call = "readl_poll_timeout_atomic", .ret = -ETIMEDOUT, .expect = -ETIMEDOUT },
	{ .name = "sun50i_iommu_flush_all_tlb: time out, of the old domain again, too",
	  .setup = sun50i_break_flush, .undo = sun50i_mend, .expect = -ETIMEDOUT },
	{ .name = "sun50i_iommu_flush_all_tlb: time out in no domain", .first = true,
	  .call = "readl_poll_timeout_atomic", .ret = -ETIMEDOUT, .expect = -ETIMEDOUT },
	{ .name = "sun50i_iommu_attach_device: success", },
	{ .name = "sun50i_iommu_attach_device: success of the first", .first = true },
};

KUNIT_ARRAY_PARAM(sun50i, sun50i_cases, attach_case_desc);

static void sun50i_attach(struct kunit *test)
{
	attach_check(test, &sun50i_drv, test->param_value);
}

/* The IOMMU is on once, whatever it is attached to, and off after a detach. */
static void sun50i_detach(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &sun50i_drv);
	struct iommu_domain *domain = attach_test_alloc(test, &sun50i_drv);
	struct device *dev = sun50i_drv.dev;

	sun50i_stuck = true;
	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, dev), 0);
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, dev), 0);
	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, dev), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 1);
	KUNIT_EXPECT_EQ(test, attach_test.held[DMA], 2);
	old->ops->detach_dev(old, dev);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	KUNIT_EXPECT_EQ_MSG(test, sun50i_seen(test), 1, "on, though the reset is stuck");

	sun50i_mend(test, NULL);
	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, dev), 0);
	old->ops->detach_dev(old, dev);
	KUNIT_EXPECT_EQ(test, sun50i_seen(test), 0);
	old->ops->flush_iotlb_all(old);
	old->ops->iotlb_sync_map(old, 0, SZ_4K);
	KUNIT_EXPECT_TRUE_MSG(test, !memchr_inv(sun50i_regs, 0, sizeof(sun50i_regs)),
			      "written to in reset");
	old->ops->free(old);
	domain->ops->free(domain);
}

/* No clock, and the reset cannot be asserted: the first errno, and no translation. */
static void sun50i_no_reset(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &sun50i_drv);

	sun50i_stuck = true;
	attach_test_inject("clk_prepare_enable", 1, -ENOENT);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, sun50i_drv.dev), -ENOENT);
	KUNIT_EXPECT_EQ_MSG(test, sun50i_seen(test), 1, "on");
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[DMA], 0);
	sun50i_mend(test, NULL);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, sun50i_drv.dev), 0);
	KUNIT_EXPECT_GT(test, sun50i_seen(test), 1);
	domain->ops->detach_dev(domain, sun50i_drv.dev);
	domain->ops->free(domain);
}

/* A domain takes its second level with it, and the IOMMU off its first level. */
static void sun50i_free(struct kunit *test)
{
	static const int none[NR_HELD];
	struct iommu_domain *old = attach_test_alloc(test, &sun50i_drv);
	struct iommu_domain *domain = attach_test_alloc(test, &sun50i_drv);
	u64 seen;

	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, sun50i_drv.dev), 0);
	KUNIT_ASSERT_EQ(test, old->ops->map(old, 0, 0, SZ_4K, IOMMU_READ, GFP_KERNEL), 0);
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, sun50i_drv.dev), 0);
	seen = sun50i_seen(test);
	old->ops->free(old);
	KUNIT_EXPECT_EQ_MSG(test, sun50i_seen(test), seen, "off under another domain");
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ_MSG(test, sun50i_seen(test), 0, "on with a table that is freed");
	attach_test_same(test, none, "after all domains are freed");
}

static int sun50i_init(struct kunit *test)
{
	memset(&attach_test, 0, sizeof(attach_test));
	memset(sun50i_regs, 0, sizeof(sun50i_regs));
	memset(&sun50i, 0, sizeof(sun50i));
	sun50i_out_of_reset = false;
	sun50i_mend(test, NULL);
	spin_lock_init(&sun50i.iommu_lock);
	sun50i.base = (void __iomem *)sun50i_regs;
	sun50i.dev = attach_test_device(test, "sun50i-iommu");
	sun50i_other.dev = sun50i.dev;
	sun50i.pt_pool = kmem_cache_create("sun50i-test", PT_SIZE, PT_SIZE, 0, NULL);
	sun50i_drv.ops = &sun50i_iommu_ops;
	sun50i_drv.seen = sun50i_seen;
	sun50i_drv.dev = attach_test_device(test, "sun50i-client");
	dev_iommu_priv_set(sun50i_drv.dev, &sun50i);
	return 0;
}

static void sun50i_exit(struct kunit *test)
{
	attach_test_remove(sun50i_drv.dev);
	attach_test_remove(sun50i.dev);
	kmem_cache_destroy(sun50i.pt_pool);
}

static struct kunit_case sun50i_kunit[] = {
	KUNIT_CASE_PARAM(sun50i_attach, sun50i_gen_params),
	KUNIT_CASE(sun50i_detach),
	KUNIT_CASE(sun50i_no_reset),
	KUNIT_CASE(sun50i_free),
	{}
};

static struct kunit_suite sun50i_suite = {
	.name = "sun50i-iommu", .init = sun50i_init, .exit = sun50i_exit,
	.test_cases = sun50i_kunit,
};

kunit_test_suite(sun50i_suite);
