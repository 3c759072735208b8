// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of apple-dart.c, see attach-test.h
 */
#include <linux/bitfield.h>
#include <linux/dev_printk.h>
#include <linux/iopoll.h>
#include <linux/of_address.h>
#include <linux/of_iommu.h>
#include <linux/pci.h>
#include <linux/swab.h>

#include "dma-iommu.h"
#include "attach-test.h"

#undef readl_poll_timeout_atomic
#define readl_poll_timeout_atomic(addr, val, ...) ({				\
	u32 *__val = &(val);							\
										\
	(void)(addr);								\
	*__val = 0;								\
	FAIL_OR("readl_poll_timeout_atomic", 0); })

#include "apple-dart.c"

/* Behind the first two a device and one of its group, behind the first and the last another */
static u32 dart_regs[3][0x2000 / 4];
static struct apple_dart darts[3];
static struct device *dart_member, *dart_other;
static struct apple_dart_master_cfg dart_cfg, dart_member_cfg, dart_other_cfg;
static struct attach_driver dart_drv;

/* The table of the two streams of the device: 0 if blocked, 1 for bypass */
static u64 dart_seen(struct kunit *test)
{
	const struct apple_dart_hw *hw = darts[0].hw;
	u64 seen = 0;
	u32 tcr;
	int i;

	for (i = 0; i < 2; i++) {
		tcr = dart_regs[i][DART_TCR(&darts[i], 0) / 4];
		seen = seen << 32 | (tcr == hw->tcr_enabled ?
				     dart_regs[i][DART_TTBR(&darts[i], 0, 0) / 4] :
				     tcr == hw->tcr_bypass);
	}
	return seen;
}

static void dart_large_pages(struct kunit *test, struct iommu_domain *domain)
{
	darts[0].pgsize = 2 * PAGE_SIZE;
}

static void dart_mend(struct kunit *test, struct iommu_domain *domain)
{
	darts[0].pgsize = SZ_4K;
}

static struct iommu_domain *dart_alloc_other(struct kunit *test)
{
	return attach_test_alloc_for(test, &dart_drv, dart_other);
}

static const struct attach_case dart_cases[] = {
	{ .name = "apple_dart_finalize_domain: pages too large",
	  .setup = dart_large_pages, .undo = dart_mend, .expect = -ENODEV },
	{ .name = "apple_dart_finalize_domain: pages too large for a first attach", .first = true,
	  .setup = dart_large_pages, .undo = dart_mend, .expect = -ENODEV },
	{ .name = "apple_dart_mod_streams: the domain of other DARTs",
	  .alloc = dart_alloc_other, .expect = -EINVAL },
	{ .name = "apple_dart_setup_translation: time out of the TLB command",
	  .call = "readl_poll_timeout_atomic", .ret = -ETIMEDOUT },
	{ .name = "apple_dart_setup_translation: time out for the second DART", .nth = 2,
	  .call = "readl_poll_timeout_atomic", .ret = -ETIMEDOUT },
	{ .name = "apple_dart_attach_dev_paging: success", },
};

KUNIT_ARRAY_PARAM(dart, dart_cases, attach_case_desc);

static void dart_set_hw(const struct apple_dart_hw *hw)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(darts); i++)
		darts[i].hw = hw;
}

static void dart_attach(struct kunit *test)
{
	attach_check(test, &dart_drv, test->param_value);
}

static void dart_attach_t8110(struct kunit *test)
{
	static struct apple_dart_hw hw;

	/* Its tables are of 16 KiB, and here of 4 */
	hw = apple_dart_hw_t8110;
	hw.ttbr_shift = DART_T8020_TTBR_SHIFT;
	dart_set_hw(&hw);
	attach_check(test, &dart_drv, test->param_value);
}

static int dart_move(struct iommu_domain *domain, struct device *dev, struct iommu_domain *old)
{
	return domain->ops->attach_dev(domain, dev, old);
}

/* apple_dart_attach_dev_identity, apple_dart_attach_dev_blocked: what has no table */
static void dart_no_table(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &dart_drv);
	struct iommu_domain *identity = &apple_dart_identity_domain;
	struct iommu_domain *blocked = &apple_dart_blocked_domain;
	struct device *dev = dart_drv.dev;
	u64 seen;

	KUNIT_ASSERT_EQ(test, dart_move(old, dev, blocked), 0);
	seen = dart_seen(test);
	dart_cfg.supports_bypass = 0;
	KUNIT_EXPECT_EQ(test, dart_move(identity, dev, old), -EINVAL);
	KUNIT_EXPECT_EQ(test, dart_seen(test), seen);
	dart_large_pages(test, NULL);
	KUNIT_EXPECT_EQ(test, dart_move(identity, dev, old), -ENODEV);
	KUNIT_EXPECT_EQ(test, dart_seen(test), seen);
	KUNIT_EXPECT_PTR_EQ(test, apple_dart_iommu_ops.domain_alloc_paging(dev),
			    (struct iommu_domain *)ERR_PTR(-ENODEV));
	dart_cfg.supports_bypass = 1;
	KUNIT_EXPECT_EQ(test, dart_move(identity, dev, old), 0);
	KUNIT_EXPECT_EQ(test, dart_seen(test), 1ULL << 32 | 1);
	KUNIT_EXPECT_EQ(test, dart_move(blocked, dev, identity), 0);
	KUNIT_EXPECT_EQ(test, dart_seen(test), 0);
	old->ops->free(old);
}

#define DART_NOT_FLUSHED	~0u

/* The streams that a flush of @domain reaches */
static u32 dart_flushed(struct iommu_domain *domain)
{
	dart_regs[0][DART_T8020_STREAM_SELECT / 4] = DART_NOT_FLUSHED;
	domain->ops->flush_iotlb_all(domain);
	return dart_regs[0][DART_T8020_STREAM_SELECT / 4];
}

/* Each stream is in the domain of its device, and in no other. */
static void dart_streams(struct kunit *test)
{
	struct iommu_domain *identity = &apple_dart_identity_domain;
	struct iommu_domain *blocked = &apple_dart_blocked_domain;
	struct iommu_domain *old = attach_test_alloc(test, &dart_drv);
	struct iommu_domain *domain = attach_test_alloc(test, &dart_drv);
	struct device *dev = dart_drv.dev;

	KUNIT_ASSERT_EQ(test, dart_move(old, dev, blocked), 0);
	KUNIT_ASSERT_EQ(test, dart_move(old, dart_member, blocked), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(old), 5);
	KUNIT_ASSERT_EQ(test, dart_move(domain, dev, old), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(old), 4);
	KUNIT_EXPECT_EQ(test, dart_flushed(domain), 1);
	/* Again, and back */
	KUNIT_ASSERT_EQ(test, dart_move(domain, dev, domain), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(domain), 1);
	KUNIT_ASSERT_EQ(test, dart_move(old, dev, domain), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(old), 5);
	KUNIT_EXPECT_EQ(test, dart_flushed(domain), DART_NOT_FLUSHED);
	/* By way of domains without table, and of none */
	KUNIT_ASSERT_EQ(test, dart_move(identity, dev, old), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(old), 4);
	KUNIT_ASSERT_EQ(test, dart_move(blocked, dart_member, old), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(old), DART_NOT_FLUSHED);
	old->ops->free(old);
	KUNIT_ASSERT_EQ(test, dart_move(domain, dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(domain), 1);
	KUNIT_ASSERT_EQ(test, dart_move(blocked, dev, domain), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(domain), DART_NOT_FLUSHED);
	KUNIT_EXPECT_EQ(test, dart_seen(test), 0);
	domain->ops->free(domain);
}

static struct device *dart_client(struct kunit *test, struct apple_dart_master_cfg *cfg,
				  struct apple_dart *first, struct apple_dart *second, int sid)
{
	struct device *dev = attach_test_device(test, "dart-client");

	memset(cfg, 0, sizeof(*cfg));
	cfg->supports_bypass = 1;
	cfg->stream_maps[0].dart = first;
	cfg->stream_maps[1].dart = second;
	set_bit(sid, cfg->stream_maps[0].sidmap);
	set_bit(sid, cfg->stream_maps[1].sidmap);
	dev_iommu_priv_set(dev, cfg);
	return dev;
}

static int dart_init(struct kunit *test)
{
	int i;

	memset(&attach_test, 0, sizeof(attach_test));
	memset(dart_regs, 0, sizeof(dart_regs));
	memset(darts, 0, sizeof(darts));
	for (i = 0; i < ARRAY_SIZE(darts); i++) {
		darts[i].dev = attach_test_device(test, "dart");
		darts[i].hw = &apple_dart_hw_t8103;
		darts[i].regs = (void __iomem *)dart_regs[i];
		darts[i].pgsize = SZ_4K;
		darts[i].ias = 30;
		darts[i].oas = 36;
		darts[i].num_streams = 16;
		darts[i].supports_bypass = 1;
		spin_lock_init(&darts[i].lock);
	}
	dart_drv.dev = dart_client(test, &dart_cfg, &darts[0], &darts[1], 0);
	dart_other = dart_client(test, &dart_other_cfg, &darts[0], &darts[2], 1);
	dart_member = dart_client(test, &dart_member_cfg, &darts[0], &darts[1], 2);
	dart_drv.ops = &apple_dart_iommu_ops;
	dart_drv.seen = dart_seen;
	return 0;
}

static void dart_exit(struct kunit *test)
{
	int i;

	attach_test_remove(dart_drv.dev);
	attach_test_remove(dart_other);
	attach_test_remove(dart_member);
	for (i = 0; i < ARRAY_SIZE(darts); i++)
		attach_test_remove(darts[i].dev);
}

static struct kunit_case dart_kunit[] = {
	KUNIT_CASE_PARAM(dart_attach, dart_gen_params),
	KUNIT_CASE_PARAM(dart_attach_t8110, dart_gen_params),
	KUNIT_CASE(dart_no_table),
	KUNIT_CASE(dart_streams),
	{}
};

static struct kunit_suite dart_suite = {
	.name = "apple-dart", .init = dart_init, .exit = dart_exit, .test_cases = dart_kunit,
};

kunit_test_suite(dart_suite);
