// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of sprd-iommu.c, see attach-test.h
 */
#include <linux/clk.h>
#include <linux/mfd/syscon.h>
#include <linux/regmap.h>

#include "attach-test.h"

/* Of the IOMMU of the device, and of another one */
static u32 sprd_regs[2][0x40];
static void sprd_free_table(struct device *dev, size_t size, void *table, dma_addr_t dma);

#undef dma_free_coherent
#define dma_free_coherent(...)	sprd_free_table(__VA_ARGS__)

#include "sprd-iommu.c"

static struct sprd_iommu_device sprd_iommu[2];
static struct attach_driver sprd;

/* The page of the table that an IOMMU walks, 0 if it is off */
static u32 sprd_ppn(int i)
{
	bool vau = sprd_iommu[i].ver == SPRD_IOMMU_VAU;
	u32 cfg = sprd_regs[i][(vau ? SPRD_VAU_CFG : SPRD_EX_CFG) / 4];
	u32 ppn = sprd_regs[i][(vau ? SPRD_VAU_FIRST_PPN : SPRD_EX_FIRST_PPN) / 4];

	return cfg & SPRD_IOMMU_EN ? ppn : 0;
}

static u64 sprd_seen(struct kunit *test)
{
	return (u64)sprd_ppn(1) << 32 | sprd_ppn(0);
}

/* A table must not go while an IOMMU walks it. */
static void sprd_free_table(struct device *dev, size_t size, void *table, dma_addr_t dma)
{
	struct kunit *test = current->kunit_test;
	int i;

	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_NE_MSG(test, sprd_ppn(i), dma >> SPRD_IOMMU_PAGE_SHIFT,
				    "on with a table that is freed");
	GIVE(DMA, table);
	dma_free_attrs(dev, size, table, dma, 0);
}

static int sprd_attach_to(struct iommu_domain *domain)
{
	return domain->ops->attach_dev(domain, sprd.dev, NULL);
}

/* There is no identity and no blocking domain: the free of a domain switches off. */
static void sprd_leave(struct kunit *test, struct iommu_domain *domain)
{
}

/* The other IOMMU is in this domain. */
static struct iommu_domain *sprd_of_other(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &sprd);

	dev_iommu_priv_set(sprd.dev, &sprd_iommu[1]);
	KUNIT_EXPECT_EQ(test, sprd_attach_to(domain), 0);
	dev_iommu_priv_set(sprd.dev, &sprd_iommu[0]);
	return domain;
}

static const struct attach_case sprd_cases[] = {
	{ .name = "sprd_iommu_attach_device: the domain of another IOMMU",
	  .alloc = sprd_of_other, .expect = -EINVAL },
	{ .name = "sprd_iommu_attach_device: the first domain is of another IOMMU",
	  .alloc = sprd_of_other, .first = true, .expect = -EINVAL },
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
	u32 *regs = sprd_regs[0];

	sprd_iommu[0].ver = SPRD_IOMMU_VAU;
	sprd_iommu[1].ver = SPRD_IOMMU_VAU;
	attach_check(test, &sprd, test->param_value);

	memset(sprd_regs, 0x55, sizeof(sprd_regs));
	domain = attach_test_alloc(test, &sprd);
	KUNIT_EXPECT_EQ(test, sprd_attach_to(domain), 0);
	KUNIT_EXPECT_EQ(test, regs[SPRD_IOMMU_VERSION / 4], 0x55555555);
	KUNIT_EXPECT_EQ(test, regs[SPRD_VAU_AUTH_CFG / 4], 0x55555555);
	KUNIT_EXPECT_EQ(test, regs[SPRD_VAU_FIRST_VPN / 4], 0);
	KUNIT_EXPECT_EQ(test, regs[SPRD_VAU_VPN_RANGE / 4],
			(SZ_256M >> SPRD_IOMMU_PAGE_SHIFT) - 1);
	/* Where what is not mapped goes */
	KUNIT_EXPECT_EQ(test, regs[SPRD_VAU_DEFAULT_PPN_RD / 4], SZ_1M >> SPRD_IOMMU_PAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, regs[SPRD_VAU_DEFAULT_PPN_WR / 4], SZ_1M >> SPRD_IOMMU_PAGE_SHIFT);
	domain->ops->free(domain);
}

/* An IOMMU must not go off for a domain that it has left, nor keep one that is freed. */
static void sprd_free_old(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &sprd);
	struct iommu_domain *domain = attach_test_alloc(test, &sprd);
	u64 seen;

	KUNIT_ASSERT_EQ(test, sprd_attach_to(old), 0);
	KUNIT_ASSERT_EQ(test, sprd_attach_to(domain), 0);
	seen = sprd_seen(test);
	old->ops->free(old);
	KUNIT_EXPECT_EQ_MSG(test, sprd_seen(test), seen, "off under another domain");
	KUNIT_EXPECT_PTR_EQ(test, sprd_iommu[0].dom, to_sprd_domain(domain));
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, sprd_seen(test), 0);
	KUNIT_EXPECT_PTR_EQ_MSG(test, sprd_iommu[0].dom, NULL, "in a domain that is freed");
}

/* What the IOMMU walks is not written again, as DMA may be under way. */
static void sprd_again(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &sprd);

	KUNIT_ASSERT_EQ(test, sprd_attach_to(domain), 0);
	sprd_regs[0][SPRD_EX_FIRST_VPN / 4] = 0x1234;
	KUNIT_EXPECT_EQ(test, sprd_attach_to(domain), 0);
	KUNIT_EXPECT_EQ(test, sprd_regs[0][SPRD_EX_FIRST_VPN / 4], 0x1234);
	domain->ops->free(domain);
}

static int sprd_init(struct kunit *test)
{
	int i;

	memset(&attach_test, 0, sizeof(attach_test));
	memset(sprd_regs, 0, sizeof(sprd_regs));
	memset(sprd_iommu, 0, sizeof(sprd_iommu));
	for (i = 0; i < 2; i++) {
		sprd_iommu[i].ver = SPRD_IOMMU_EX;
		sprd_iommu[i].prot_page_pa = SZ_1M;
		sprd_iommu[i].base = (void __iomem *)sprd_regs[i];
		sprd_iommu[i].dev = attach_test_device(test, "sprd-iommu");
	}
	sprd.ops = &sprd_iommu_ops;
	sprd.seen = sprd_seen;
	sprd.leave = sprd_leave;
	sprd.dev = attach_test_device(test, "sprd-client");
	dev_iommu_priv_set(sprd.dev, &sprd_iommu[0]);
	return 0;
}

static void sprd_exit(struct kunit *test)
{
	attach_test_remove(sprd.dev);
	attach_test_remove(sprd_iommu[0].dev);
	attach_test_remove(sprd_iommu[1].dev);
}

static struct kunit_case sprd_kunit[] = {
	KUNIT_CASE_PARAM(sprd_attach, sprd_gen_params),
	KUNIT_CASE_PARAM(sprd_attach_vau, sprd_gen_params),
	KUNIT_CASE(sprd_free_old),
	KUNIT_CASE(sprd_again),
	{}
};

static struct kunit_suite sprd_suite = {
	.name = "sprd-iommu", .init = sprd_init, .exit = sprd_exit, .test_cases = sprd_kunit,
};

kunit_test_suite(sprd_suite);
