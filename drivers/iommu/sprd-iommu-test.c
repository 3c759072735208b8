// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of sprd-iommu.c, see attach-test.h
 */
#include <linux/clk.h>
#include <linux/mfd/syscon.h>
#include <linux/regmap.h>

#include "attach-test.h"
#include "sprd-iommu.c"

static u32 sprd_regs[0x40];
static struct sprd_iommu_device sprd_iommu, sprd_other;
static struct attach_driver sprd;

/* The page of the table, 0 if the IOMMU is off */
static u64 sprd_seen(struct kunit *test)
{
	bool vau = sprd_iommu.ver == SPRD_IOMMU_VAU;
	u32 cfg = sprd_regs[(vau ? SPRD_VAU_CFG : SPRD_EX_CFG) / 4];
	u32 ppn = sprd_regs[(vau ? SPRD_VAU_FIRST_PPN : SPRD_EX_FIRST_PPN) / 4];

	return cfg & SPRD_IOMMU_EN ? ppn : 0;
}

static void sprd_bind_other(struct kunit *test, struct iommu_domain *domain)
{
	to_sprd_domain(domain)->sdev = &sprd_other;
}

static void sprd_unbind_other(struct kunit *test, struct iommu_domain *domain)
{
	to_sprd_domain(domain)->sdev = NULL;
}

static const struct attach_case sprd_cases[] = {
	{ .name = "sprd_iommu_attach_device: the domain of another IOMMU",
	  .setup = sprd_bind_other, .undo = sprd_unbind_other, .expect = -EINVAL },
	{ .name = "sprd_iommu_attach_device: no memory for the table",
	  .call = "dma_alloc_coherent", .expect = -ENOMEM },
	{ .name = "sprd_iommu_attach_device: no memory for the first table",
	  .call = "dma_alloc_coherent", .first = true, .expect = -ENOMEM },
	{ .name = "sprd_iommu_attach_device: success", },
};

KUNIT_ARRAY_PARAM(sprd, sprd_cases, attach_case_desc);

static void sprd_attach(struct kunit *test)
{
	attach_check(test, &sprd, test->param_value);
}

/* The other version, and all of its registers, whatever happened before */
static void sprd_attach_vau(struct kunit *test)
{
	struct iommu_domain *domain;

	sprd_iommu.ver = SPRD_IOMMU_VAU;
	attach_check(test, &sprd, test->param_value);

	memset(sprd_regs, 0x55, sizeof(sprd_regs));
	domain = attach_test_alloc(test, &sprd);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, sprd.dev), 0);
	KUNIT_EXPECT_EQ(test, sprd_regs[SPRD_IOMMU_VERSION / 4], 0x55555555);
	KUNIT_EXPECT_EQ(test, sprd_regs[SPRD_VAU_AUTH_CFG / 4], 0x55555555);
	KUNIT_EXPECT_EQ(test, sprd_regs[SPRD_VAU_UPDATE / 4], U32_MAX);
	KUNIT_EXPECT_EQ(test, sprd_regs[SPRD_VAU_FIRST_VPN / 4], 0);
	KUNIT_EXPECT_EQ(test, sprd_regs[SPRD_VAU_VPN_RANGE / 4],
			(SZ_256M >> SPRD_IOMMU_PAGE_SHIFT) - 1);
	/* Where what is not mapped goes */
	KUNIT_EXPECT_EQ(test, sprd_regs[SPRD_VAU_DEFAULT_PPN_RD / 4],
			SZ_1M >> SPRD_IOMMU_PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, sprd_regs[SPRD_VAU_DEFAULT_PPN_WR / 4],
			SZ_1M >> SPRD_IOMMU_PAGE_SHIFT);
	domain->ops->free(domain);
}

/* A table must not go while the IOMMU walks it, nor an IOMMU off for a domain that it has left. */
static void sprd_free_old(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &sprd);
	struct iommu_domain *domain = attach_test_alloc(test, &sprd);
	u64 seen;

	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, sprd.dev), 0);
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, sprd.dev), 0);
	seen = sprd_seen(test);
	old->ops->free(old);
	KUNIT_EXPECT_EQ_MSG(test, sprd_seen(test), seen, "off under another domain");
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ_MSG(test, sprd_seen(test), 0, "on with a table that is freed");
}

/* The TLB must not keep what it knows of the old table. */
static void sprd_flush(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &sprd);
	struct iommu_domain *domain = attach_test_alloc(test, &sprd);

	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, sprd.dev), 0);
	sprd_regs[SPRD_EX_UPDATE / 4] = 0;
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, sprd.dev), 0);
	KUNIT_EXPECT_NE(test, sprd_regs[SPRD_EX_UPDATE / 4], 0);
	old->ops->free(old);
	domain->ops->free(domain);
}

/* A detach switches off, but the table and its mappings stay with the domain. */
static void sprd_detach(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &sprd);
	u64 seen;

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, sprd.dev), 0);
	KUNIT_ASSERT_EQ(test, domain->ops->map(domain, 0, SZ_1M, SZ_4K, 0, GFP_KERNEL), 0);
	seen = sprd_seen(test);
	domain->ops->detach_dev(domain, sprd.dev);
	KUNIT_EXPECT_EQ(test, sprd_seen(test), 0);
	KUNIT_EXPECT_EQ_MSG(test, attach_test.held[DMA], 1, "the table");
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, sprd.dev), 0);
	KUNIT_EXPECT_EQ(test, sprd_seen(test), seen);
	KUNIT_EXPECT_EQ(test, domain->ops->iova_to_phys(domain, 0), SZ_1M);
	domain->ops->free(domain);
}

/* What the IOMMU walks is not written again, as DMA may be under way. */
static void sprd_again(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &sprd);

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, sprd.dev), 0);
	sprd_regs[SPRD_EX_FIRST_VPN / 4] = 0x1234;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, sprd.dev), 0);
	KUNIT_EXPECT_EQ(test, sprd_regs[SPRD_EX_FIRST_VPN / 4], 0x1234);
	domain->ops->free(domain);
}

/* The core unmaps in parts, and stops at one that says nothing was there. */
static void sprd_unmap(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &sprd);

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, sprd.dev), 0);
	KUNIT_ASSERT_EQ(test, iommu_map(domain, SZ_32K, SZ_1M, SZ_32K, IOMMU_READ), 0);
	KUNIT_EXPECT_EQ(test, iommu_unmap(domain, SZ_32K, SZ_16K + SZ_4K), SZ_16K + SZ_4K);
	KUNIT_EXPECT_EQ(test, iommu_iova_to_phys(domain, SZ_32K + SZ_16K - SZ_4K), 0);
	KUNIT_EXPECT_EQ(test, iommu_iova_to_phys(domain, SZ_32K + SZ_16K), 0);
	KUNIT_EXPECT_EQ(test, iommu_iova_to_phys(domain, SZ_32K + SZ_16K + SZ_4K),
			SZ_1M + SZ_16K + SZ_4K);
	KUNIT_EXPECT_EQ_MSG(test, iommu_unmap(domain, SZ_256M, SZ_4K), 0, "beyond the aperture");
	domain->ops->free(domain);
}

static int sprd_init(struct kunit *test)
{
	memset(&attach_test, 0, sizeof(attach_test));
	memset(sprd_regs, 0, sizeof(sprd_regs));
	memset(&sprd_iommu, 0, sizeof(sprd_iommu));
	sprd_iommu.ver = SPRD_IOMMU_EX;
	sprd_iommu.prot_page_pa = SZ_1M;
	sprd_iommu.base = (void __iomem *)sprd_regs;
	sprd_iommu.dev = attach_test_device(test, "sprd-iommu");
	sprd.ops = &sprd_iommu_ops;
	sprd.seen = sprd_seen;
	sprd.dev = attach_test_device(test, "sprd-client");
	dev_iommu_priv_set(sprd.dev, &sprd_iommu);
	return 0;
}

static void sprd_exit(struct kunit *test)
{
	attach_test_remove(sprd.dev);
	attach_test_remove(sprd_iommu.dev);
}

static struct kunit_case sprd_kunit[] = {
	KUNIT_CASE_PARAM(sprd_attach, sprd_gen_params),
	KUNIT_CASE_PARAM(sprd_attach_vau, sprd_gen_params),
	KUNIT_CASE(sprd_free_old),
	KUNIT_CASE(sprd_flush),
	KUNIT_CASE(sprd_detach),
	KUNIT_CASE(sprd_again),
	KUNIT_CASE(sprd_unmap),
	{}
};

static struct kunit_suite sprd_suite = {
	.name = "sprd-iommu", .init = sprd_init, .exit = sprd_exit, .test_cases = sprd_kunit,
};

kunit_test_suite(sprd_suite);
