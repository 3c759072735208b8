// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of apple-dart.c, see attach-test.h
 */
#include <linux/iopoll.h>
#include <linux/of_iommu.h>
#include <linux/pci.h>

#include "attach-test.h"

#undef readl_poll_timeout_atomic
#define readl_poll_timeout_atomic(addr, val, ...) ({				\
	u32 *__val = &(val);							\
										\
	*__val = 0;								\
	FAIL_OR("readl_poll_timeout_atomic", 0); })

#include "apple-dart.c"

/* Behind the first two a device and one of its group, behind the first and the last another */
static u32 dart_regs[3][0x1000 / 4];
static struct apple_dart darts[3];
static struct device *dart_member, *dart_other;
static struct apple_dart_master_cfg dart_cfg, dart_member_cfg, dart_other_cfg;
static struct attach_driver dart_drv;

/* The table of the two streams of the device: 0 if blocked, 1 for bypass */
static u64 dart_seen(struct kunit *test)
{
	u64 seen = 0;
	u32 tcr;
	int i;

	for (i = 0; i < 2; i++) {
		tcr = dart_regs[i][DART_TCR(0) / 4];
		seen = seen << 32 | (tcr & DART_TCR_TRANSLATE_ENABLE ?
				     dart_regs[i][DART_TTBR(0, 0) / 4] :
				     !!(tcr & DART_TCR_BYPASS0_ENABLE));
	}
	return seen;
}

static void dart_only_bypass(struct kunit *test, struct iommu_domain *domain)
{
	darts[0].force_bypass = 1;
}

static void dart_only_bypass_blocked(struct kunit *test, struct iommu_domain *domain)
{
	darts[0].force_bypass = 1;
	domain->type = IOMMU_DOMAIN_BLOCKED;
}

static void dart_no_bypass(struct kunit *test, struct iommu_domain *domain)
{
	darts[0].supports_bypass = 0;
	domain->type = IOMMU_DOMAIN_IDENTITY;
}

static void dart_nothing_fits(struct kunit *test, struct iommu_domain *domain)
{
	dart_no_bypass(test, domain);
	darts[0].force_bypass = 1;
}

static void dart_identity(struct kunit *test, struct iommu_domain *domain)
{
	domain->type = IOMMU_DOMAIN_IDENTITY;
}

static void dart_blocked(struct kunit *test, struct iommu_domain *domain)
{
	domain->type = IOMMU_DOMAIN_BLOCKED;
}

static void dart_flush_queue(struct kunit *test, struct iommu_domain *domain)
{
	domain->type = IOMMU_DOMAIN_DMA_FQ;
}

static void dart_mend(struct kunit *test, struct iommu_domain *domain)
{
	darts[0].force_bypass = 0;
	darts[0].supports_bypass = 1;
	domain->type = IOMMU_DOMAIN_UNMANAGED;
}

static void dart_bind_other(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, dart_other), 0);
}

static const struct attach_case dart_cases[] = {
	{ .name = "apple_dart_attach_dev: paging domain, only bypass", .first = true,
	  .setup = dart_only_bypass, .undo = dart_mend, .expect = -ENODEV },
	{ .name = "apple_dart_attach_dev: blocking domain, only bypass",
	  .setup = dart_only_bypass_blocked, .undo = dart_mend },
	{ .name = "apple_dart_attach_dev: identity domain, no bypass",
	  .setup = dart_no_bypass, .undo = dart_mend, .expect = -EINVAL },
	{ .name = "apple_dart_attach_dev: no domain fits", .first = true,
	  .setup = dart_nothing_fits, .undo = dart_mend, .expect = -ENODEV },
	{ .name = "apple_dart_mod_streams: the domain of other DARTs",
	  .setup = dart_bind_other, .expect = -EINVAL },
	{ .name = "apple_dart_finalize_domain: no page table",
	  .call = "alloc_io_pgtable_ops", .expect = -ENOMEM },
	{ .name = "apple_dart_finalize_domain: no page table in no domain", .first = true,
	  .call = "alloc_io_pgtable_ops", .expect = -ENOMEM },
	{ .name = "apple_dart_setup_translation: time out of the TLB command",
	  .call = "readl_poll_timeout_atomic", .ret = -ETIMEDOUT },
	{ .name = "apple_dart_hw_stream_command: time out for the second DART", .nth = 2,
	  .call = "readl_poll_timeout_atomic", .ret = -ETIMEDOUT },
	{ .name = "apple_dart_attach_dev: DMA-FQ domain",
	  .setup = dart_flush_queue, .undo = dart_mend },
	{ .name = "apple_dart_attach_dev: identity domain",
	  .setup = dart_identity, .undo = dart_mend },
	{ .name = "apple_dart_attach_dev: blocking domain",
	  .setup = dart_blocked, .undo = dart_mend },
	{ .name = "apple_dart_attach_dev: success", },
};

KUNIT_ARRAY_PARAM(dart, dart_cases, attach_case_desc);

static void dart_attach(struct kunit *test)
{
	attach_check(test, &dart_drv, test->param_value);
}

#define DART_NOT_FLUSHED	~0u

/* The streams that a flush of @domain reaches */
static u32 dart_flushed(struct iommu_domain *domain)
{
	dart_regs[0][DART_STREAM_SELECT / 4] = DART_NOT_FLUSHED;
	domain->ops->flush_iotlb_all(domain);
	return dart_regs[0][DART_STREAM_SELECT / 4];
}

/* Each stream is in the domain of its device, and in no other. */
static void dart_streams(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &dart_drv);
	struct iommu_domain *domain = attach_test_alloc(test, &dart_drv);
	struct iommu_domain *identity = attach_test_alloc(test, &dart_drv);

	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, dart_drv.dev), 0);
	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, dart_member), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(old), 5);
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, dart_drv.dev), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(old), 4);
	KUNIT_EXPECT_EQ(test, dart_flushed(domain), 1);
	/* Again, and back */
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, dart_drv.dev), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(domain), 1);
	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, dart_drv.dev), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(old), 5);
	KUNIT_EXPECT_EQ(test, dart_flushed(domain), DART_NOT_FLUSHED);
	/* By way of a domain without table */
	identity->type = IOMMU_DOMAIN_IDENTITY;
	KUNIT_ASSERT_EQ(test, identity->ops->attach_dev(identity, dart_drv.dev), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(old), 4);
	old->ops->detach_dev(old, dart_member);
	KUNIT_EXPECT_EQ(test, dart_flushed(old), DART_NOT_FLUSHED);
	old->ops->free(old);
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, dart_drv.dev), 0);
	KUNIT_EXPECT_EQ(test, dart_flushed(domain), 1);
	domain->ops->detach_dev(domain, dart_drv.dev);
	KUNIT_EXPECT_EQ(test, dart_flushed(domain), DART_NOT_FLUSHED);
	KUNIT_EXPECT_EQ(test, dart_seen(test), 0);
	domain->ops->free(domain);
	identity->ops->free(identity);
}

static struct device *dart_client(struct kunit *test, struct apple_dart_master_cfg *cfg,
				  struct apple_dart *first, struct apple_dart *second, int sid)
{
	struct device *dev = attach_test_device(test, "dart-client");

	memset(cfg, 0, sizeof(*cfg));
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
		darts[i].pgsize = SZ_16K;
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
	KUNIT_CASE(dart_streams),
	{}
};

static struct kunit_suite dart_suite = {
	.name = "apple-dart", .init = dart_init, .exit = dart_exit, .test_cases = dart_kunit,
};

kunit_test_suite(dart_suite);
