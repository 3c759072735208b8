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
	(void)(addr);								\
	*__val = 0;								\
	sun50i_no_flush ? -ETIMEDOUT : FAIL_OR("readl_poll_timeout_atomic", 0); })
#define reset_control_deassert(...)	FAIL_OR("reset_control_deassert", sun50i_deassert())
#define reset_control_assert(...)	sun50i_assert()

#include "sun50i-iommu.c"

static struct sun50i_iommu sun50i, sun50i_other;
static struct device *sun50i_other_client;
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

static struct iommu_domain *sun50i_alloc_other(struct kunit *test)
{
	return attach_test_alloc_for(test, &sun50i_drv, sun50i_other_client);
}

static int sun50i_identity(struct iommu_domain *old)
{
	return sun50i_iommu_identity_ops.attach_dev(&sun50i_iommu_identity_domain,
						    sun50i_drv.dev, old);
}

static void sun50i_leave(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, sun50i_identity(domain), 0);
	KUNIT_EXPECT_EQ(test, sun50i_seen(test), 0);
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
	  .alloc = sun50i_alloc_other, .expect = -EINVAL },
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

/* The IOMMU is on once, whatever it is attached to, and off in identity. */
static void sun50i_off(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &sun50i_drv);
	struct iommu_domain *domain = attach_test_alloc(test, &sun50i_drv);
	struct device *dev = sun50i_drv.dev;

	sun50i_stuck = true;
	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, dev, NULL), 0);
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, dev, old), 0);
	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, dev, domain), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 1);
	KUNIT_EXPECT_EQ(test, attach_test.held[DMA], 2);
	KUNIT_EXPECT_EQ(test, sun50i_identity(old), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	KUNIT_EXPECT_EQ_MSG(test, sun50i_seen(test), 1, "on, though the reset is stuck");

	sun50i_mend(test, NULL);
	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, dev, NULL), 0);
	sun50i_leave(test, old);
	sun50i_leave(test, NULL);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	old->ops->flush_iotlb_all(old);
	old->ops->iotlb_sync_map(old, 0, SZ_4K);
	KUNIT_EXPECT_TRUE_MSG(test, !memchr_inv(sun50i_regs, 0, sizeof(sun50i_regs)),
			      "written to in reset");
	sun50i_regs[IOMMU_INT_STA_REG / 4] = IOMMU_INT_MASTER_PERMISSION(0);
	KUNIT_EXPECT_EQ(test, sun50i_iommu_irq(0, &sun50i), IRQ_NONE);
	old->ops->free(old);
	domain->ops->free(domain);
}

/* No clock, and the reset cannot be asserted: the first errno, and no translation. */
static void sun50i_no_reset(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &sun50i_drv);

	sun50i_stuck = true;
	attach_test_inject("clk_prepare_enable", 1, -ENOENT);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, sun50i_drv.dev, NULL), -ENOENT);
	KUNIT_EXPECT_EQ_MSG(test, sun50i_seen(test), 1, "on");
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	sun50i_mend(test, NULL);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, sun50i_drv.dev, NULL), 0);
	KUNIT_EXPECT_GT(test, sun50i_seen(test), 1);
	sun50i_leave(test, domain);
	domain->ops->free(domain);
}

static void sun50i_map(struct kunit *test, struct iommu_domain *domain)
{
	size_t mapped;

	KUNIT_ASSERT_EQ(test, domain->ops->map_pages(domain, 0, SZ_4K, SZ_4K, 1, IOMMU_READ,
						     GFP_KERNEL, &mapped), 0);
}

/* A domain keeps its mappings, before the first attach and between two. */
static void sun50i_mappings(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &sun50i_drv);

	sun50i_map(test, domain);
	domain->ops->iotlb_sync_map(domain, 0, SZ_4K);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, sun50i_drv.dev, NULL), 0);
	sun50i_leave(test, domain);
	KUNIT_EXPECT_EQ(test, domain->ops->iova_to_phys(domain, 0), SZ_4K);
	domain->ops->free(domain);
}

/* A domain takes its second level with it, and the IOMMU off its first level. */
static void sun50i_free(struct kunit *test)
{
	static const int none[NR_HELD];
	struct iommu_domain *old = attach_test_alloc(test, &sun50i_drv);
	struct iommu_domain *domain = attach_test_alloc(test, &sun50i_drv);
	u64 seen;

	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, sun50i_drv.dev, NULL), 0);
	sun50i_map(test, old);
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, sun50i_drv.dev, old), 0);
	seen = sun50i_seen(test);
	old->ops->free(old);
	KUNIT_EXPECT_EQ_MSG(test, sun50i_seen(test), seen, "off under another domain");
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ_MSG(test, sun50i_seen(test), 0, "on with a table that is freed");
	attach_test_same(test, none, "after all domains are freed");
}

/* A table that cannot be mapped fails the allocation of its domain, not an attach. */
static void sun50i_no_table(struct kunit *test)
{
	static const int none[NR_HELD];

	attach_test_inject("dma_map_single", 1, (long)DMA_MAPPING_ERROR);
	KUNIT_EXPECT_NULL(test, sun50i_iommu_ops.domain_alloc_paging(sun50i_drv.dev));
	attach_test.call = NULL;
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	attach_test_same(test, none, "after the failed allocation");
}

static int sun50i_init(struct kunit *test)
{
	memset(&attach_test, 0, sizeof(attach_test));
	memset(sun50i_regs, 0, sizeof(sun50i_regs));
	memset(&sun50i, 0, sizeof(sun50i));
	sun50i_out_of_reset = false;
	sun50i_mend(test, NULL);
	spin_lock_init(&sun50i.iommu_lock);
	sun50i.domain = &sun50i_iommu_identity_domain;
	sun50i.base = (void __iomem *)sun50i_regs;
	sun50i.dev = attach_test_device(test, "sun50i-iommu");
	sun50i.pt_pool = kmem_cache_create("sun50i-test", PT_SIZE, PT_SIZE, 0, NULL);
	sun50i_drv.ops = &sun50i_iommu_ops;
	sun50i_drv.seen = sun50i_seen;
	sun50i_drv.leave = sun50i_leave;
	sun50i_drv.dev = attach_test_device(test, "sun50i-client");
	dev_iommu_priv_set(sun50i_drv.dev, &sun50i);
	sun50i_other = sun50i;
	sun50i_other_client = attach_test_device(test, "sun50i-client");
	dev_iommu_priv_set(sun50i_other_client, &sun50i_other);
	return 0;
}

static void sun50i_exit(struct kunit *test)
{
	attach_test_remove(sun50i_other_client);
	attach_test_remove(sun50i_drv.dev);
	attach_test_remove(sun50i.dev);
	kmem_cache_destroy(sun50i.pt_pool);
}

static struct kunit_case sun50i_kunit[] = {
	KUNIT_CASE_PARAM(sun50i_attach, sun50i_gen_params),
	KUNIT_CASE(sun50i_off),
	KUNIT_CASE(sun50i_no_reset),
	KUNIT_CASE(sun50i_mappings),
	KUNIT_CASE(sun50i_free),
	KUNIT_CASE(sun50i_no_table),
	{}
};

static struct kunit_suite sun50i_suite = {
	.name = "sun50i-iommu", .init = sun50i_init, .exit = sun50i_exit,
	.test_cases = sun50i_kunit,
};

kunit_test_suite(sun50i_suite);
