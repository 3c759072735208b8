// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of ipmmu-vmsa.c, see attach-test.h
 */
#include <linux/of_device.h>
#include <linux/sys_soc.h>

#include "attach-test.h"

/* A flush of the TLB is over when it is looked for. */
#undef ioread32
#define ioread32(addr)			(readl(addr) & ~IMCTR_FLUSH)
#define iommu_fwspec_add_ids(...)	\
	FAIL_OR("iommu_fwspec_add_ids", iommu_fwspec_add_ids(__VA_ARGS__))

#include "ipmmu-vmsa.c"

#define IPMMU_UTLB	3
static u32 ipmmu_regs[0x20000 / 4], ipmmu_root_regs[0x20000 / 4];
static struct ipmmu_vmsa_device ipmmu, ipmmu_other, ipmmu_root;
static struct attach_driver ipmmu_drv;

/* The table behind the context of the micro-TLBs, or 0; 1 if they differ */
static u64 ipmmu_seen(struct kunit *test)
{
	u32 ctr = ipmmu_regs[IMUCTR(IPMMU_UTLB) / 4];
	u32 *ctx = ipmmu_root_regs + (ctr >> 4) * 0x40 / 4;

	if (ctr != ipmmu_regs[IMUCTR(IPMMU_UTLB + 1) / 4])
		return 1;
	if (!(ctr & IMUCTR_MMUEN) || !(ctx[IMCTR / 4] & IMCTR_MMUEN))
		return 0;
	return (u64)ctx[IMTTUBR0 / 4] << 32 | ctx[IMTTLBR0 / 4];
}

static void ipmmu_none(struct kunit *test, struct iommu_domain *domain)
{
	dev_iommu_priv_set(ipmmu_drv.dev, NULL);
}

static void ipmmu_again(struct kunit *test, struct iommu_domain *domain)
{
	dev_iommu_priv_set(ipmmu_drv.dev, &ipmmu);
}

static void ipmmu_bind_other(struct kunit *test, struct iommu_domain *domain)
{
	to_vmsa_domain(domain)->mmu = &ipmmu_other;
}

static void ipmmu_unbind_other(struct kunit *test, struct iommu_domain *domain)
{
	to_vmsa_domain(domain)->mmu = NULL;
}

static void ipmmu_fill(struct kunit *test, struct iommu_domain *domain)
{
	ipmmu_root.num_ctx = find_first_zero_bit(ipmmu_root.ctx, IPMMU_CTX_MAX);
}

static void ipmmu_empty(struct kunit *test, struct iommu_domain *domain)
{
	ipmmu_root.num_ctx = 8;
}

static int ipmmu_attach_to(struct iommu_domain *domain, struct iommu_domain *old)
{
	return domain->ops->attach_dev(domain, ipmmu_drv.dev, old);
}

static void ipmmu_leave(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, ipmmu_attach_to(&ipmmu_iommu_identity_domain, domain), 0);
	KUNIT_EXPECT_EQ(test, ipmmu_seen(test), 0);
}

static const struct attach_case ipmmu_cases[] = {
	{ .name = "ipmmu_attach_device: no IPMMU", .first = true,
	  .setup = ipmmu_none, .undo = ipmmu_again, .expect = -ENXIO },
	{ .name = "ipmmu_attach_device: the domain of another IPMMU",
	  .setup = ipmmu_bind_other, .undo = ipmmu_unbind_other, .expect = -EINVAL },
	{ .name = "ipmmu_domain_allocate_context: all contexts are taken",
	  .setup = ipmmu_fill, .undo = ipmmu_empty, .expect = -ENOSPC },
	{ .name = "ipmmu_domain_init_context: no page table",
	  .call = "alloc_io_pgtable_ops", .expect = -ENOMEM },
	{ .name = "ipmmu_domain_init_context: no page table, from identity", .first = true,
	  .call = "alloc_io_pgtable_ops", .expect = -ENOMEM },
	{ .name = "ipmmu_attach_device: success", },
};

KUNIT_ARRAY_PARAM(ipmmu, ipmmu_cases, attach_case_desc);

static void ipmmu_attach(struct kunit *test)
{
	attach_check(test, &ipmmu_drv, test->param_value);
	/* But the one that is reserved */
	KUNIT_EXPECT_EQ_MSG(test, ipmmu_root.ctx[0], 1,
			    "contexts after all domains are freed");
}

/* Contexts and micro-TLBs are flushed as they get another table. */
static void ipmmu_flush(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &ipmmu_drv);
	struct iommu_domain *domain = attach_test_alloc(test, &ipmmu_drv);
	int i;

	KUNIT_ASSERT_EQ(test, ipmmu_attach_to(old, NULL), 0);
	for (i = 0; i < 2; i++)
		ipmmu_regs[IMUCTR(IPMMU_UTLB + i) / 4] &= ~IMUCTR_FLUSH;
	KUNIT_ASSERT_EQ(test, ipmmu_attach_to(domain, old), 0);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_TRUE(test, ipmmu_regs[IMUCTR(IPMMU_UTLB + i) / 4] & BIT(1));
	KUNIT_EXPECT_TRUE(test, ipmmu_root_regs[(2 * 0x40 + IMCTR) / 4] & BIT(1));
	ipmmu_leave(test, domain);
	old->ops->free(old);
	domain->ops->free(domain);
}

/* Identity writes nothing where no domain was before, and both micro-TLBs where one was. */
static void ipmmu_identity(struct kunit *test)
{
	struct iommu_domain *identity = &ipmmu_iommu_identity_domain;
	struct iommu_domain *domain = attach_test_alloc(test, &ipmmu_drv);
	int i;

	memset(ipmmu_regs, 0x55, sizeof(ipmmu_regs));
	KUNIT_EXPECT_EQ(test, ipmmu_attach_to(identity, NULL), 0);
	KUNIT_EXPECT_EQ(test, ipmmu_attach_to(identity, identity), 0);
	KUNIT_EXPECT_PTR_EQ(test, memchr_inv(ipmmu_regs, 0x55, sizeof(ipmmu_regs)), NULL);
	KUNIT_ASSERT_EQ(test, ipmmu_attach_to(domain, identity), 0);
	ipmmu_leave(test, domain);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, ipmmu_regs[IMUCTR(IPMMU_UTLB + i) / 4], 0);
	domain->ops->free(domain);
}

/* Where the generations have the next context that is free, and what they want there */
struct ipmmu_generation {
	const char *name;
	const struct ipmmu_features *features;
	unsigned long taken;
	unsigned int id, ctx, utlb;
	u32 ttbcr, buscr;
};

static const struct ipmmu_generation ipmmu_generations[] = {
	{ .name = "R-Car Gen2", .features = &ipmmu_features_default, .utlb = 0x330,
	  .ttbcr = IMTTBCR_EAE | IMTTBCR_SL0_LVL_1 | IMTTBCR_SH0_INNER_SHAREABLE |
		   IMTTBCR_ORGN0_WB_WA | IMTTBCR_IRGN0_WB_WA,
	  .buscr = ~(IMBUSCR_DVM | IMBUSCR_BUSSEL_MASK) },
	{ .name = "R-Car Gen3", .features = &ipmmu_features_rcar_gen3, .taken = 1,
	  .id = 1, .ctx = 0x40, .utlb = 0x330,
	  .ttbcr = IMTTBCR_EAE | IMTTBCR_SL0_TWOBIT_LVL_1, .buscr = U32_MAX },
	{ .name = "R-Car Gen4", .features = &ipmmu_features_rcar_gen4, .taken = 1,
	  .id = 1, .ctx = 0x11040, .utlb = 0x3330,
	  .ttbcr = IMTTBCR_EAE | IMTTBCR_SL0_TWOBIT_LVL_1, .buscr = U32_MAX },
	{ .name = "R-Car Gen4, the upper contexts", .features = &ipmmu_features_rcar_gen4,
	  .taken = 0x1ff, .id = 9, .ctx = 0x19840, .utlb = 0x3330,
	  .ttbcr = IMTTBCR_EAE | IMTTBCR_SL0_TWOBIT_LVL_1, .buscr = U32_MAX },
};

static void ipmmu_generation_desc(const struct ipmmu_generation *g, char *desc)
{
	strscpy(desc, g->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(ipmmu_generation, ipmmu_generations, ipmmu_generation_desc);

static void ipmmu_registers(struct kunit *test)
{
	const struct ipmmu_generation *g = test->param_value;
	struct iommu_domain *domain = attach_test_alloc(test, &ipmmu_drv);
	u32 *ctx = ipmmu_root_regs + g->ctx / 4;

	ipmmu.features = g->features;
	ipmmu_root.features = g->features;
	ipmmu_root.num_ctx = g->features->number_of_contexts;
	ipmmu_root.ctx[0] = g->taken;
	ctx[IMBUSCR / 4] = U32_MAX;
	KUNIT_ASSERT_EQ(test, ipmmu_attach_to(domain, &ipmmu_iommu_identity_domain), 0);
	KUNIT_EXPECT_EQ(test, ipmmu_root.ctx[0], g->taken | BIT(g->id));
	KUNIT_EXPECT_EQ(test, ipmmu_regs[g->utlb / 4],
			IMUCTR_TTSEL_MMU(g->id) | IMUCTR_FLUSH | IMUCTR_MMUEN);
	KUNIT_EXPECT_EQ(test, ctx[IMCTR / 4], IMCTR_INTEN | IMCTR_FLUSH | IMCTR_MMUEN);
	KUNIT_EXPECT_EQ(test, ctx[IMTTBCR / 4], g->ttbcr);
	KUNIT_EXPECT_EQ(test, ctx[IMBUSCR / 4], g->buscr);
	KUNIT_EXPECT_NE(test, ctx[IMTTLBR0 / 4] | ctx[IMTTUBR0 / 4], 0);
	ipmmu_leave(test, domain);
	KUNIT_EXPECT_EQ(test, ipmmu_regs[g->utlb / 4], 0);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, ctx[IMCTR / 4], IMCTR_FLUSH);
	KUNIT_EXPECT_EQ(test, ipmmu_root.ctx[0], g->taken);
}

/* A device that lacks one of its IDs gets no IOMMU. */
static void ipmmu_xlate(struct kunit *test)
{
	struct of_phandle_args args = { .args_count = 1, .args = { IPMMU_UTLB + 2 } };

	attach_test_inject("iommu_fwspec_add_ids", 1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, ipmmu_of_xlate(ipmmu_drv.dev, &args), -ENOMEM);
	KUNIT_EXPECT_EQ(test, ipmmu_of_xlate(ipmmu_drv.dev, &args), 0);
	KUNIT_EXPECT_PTR_EQ(test, ipmmu_probe_device(ipmmu_drv.dev), &ipmmu.iommu);
}

static int ipmmu_init(struct kunit *test)
{
	u32 ids[] = { IPMMU_UTLB, IPMMU_UTLB + 1 };
	struct iommu_fwspec *fwspec;

	memset(&attach_test, 0, sizeof(attach_test));
	memset(ipmmu_regs, 0, sizeof(ipmmu_regs));
	memset(ipmmu_root_regs, 0, sizeof(ipmmu_root_regs));
	memset(&ipmmu, 0, sizeof(ipmmu));
	memset(&ipmmu_root, 0, sizeof(ipmmu_root));
	spin_lock_init(&ipmmu_root.lock);
	ipmmu_root.dev = attach_test_device(test, "ipmmu-root");
	ipmmu_root.base = (void __iomem *)ipmmu_root_regs;
	ipmmu_root.features = &ipmmu_features_rcar_gen3;
	ipmmu_root.num_ctx = 8;
	ipmmu_root.root = &ipmmu_root;
	set_bit(0, ipmmu_root.ctx);
	ipmmu.dev = attach_test_device(test, "ipmmu");
	ipmmu.base = (void __iomem *)ipmmu_regs;
	ipmmu.features = &ipmmu_features_rcar_gen3;
	ipmmu.root = &ipmmu_root;
	ipmmu_other = ipmmu;
	ipmmu_drv.ops = &ipmmu_ops;
	ipmmu_drv.seen = ipmmu_seen;
	ipmmu_drv.leave = ipmmu_leave;
	ipmmu_drv.dev = attach_test_device(test, "ipmmu-client");
	dev_iommu_priv_set(ipmmu_drv.dev, &ipmmu);
	/* To grow by one ID after the other */
	fwspec = kzalloc(struct_size(fwspec, ids, 1), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fwspec);
	dev_iommu_fwspec_set(ipmmu_drv.dev, fwspec);
	return iommu_fwspec_add_ids(ipmmu_drv.dev, ids, ARRAY_SIZE(ids));
}

static void ipmmu_exit(struct kunit *test)
{
	/* iommu_fwspec_free() is not for modules */
	kfree(dev_iommu_fwspec_get(ipmmu_drv.dev));
	dev_iommu_fwspec_set(ipmmu_drv.dev, NULL);
	attach_test_remove(ipmmu_drv.dev);
	attach_test_remove(ipmmu.dev);
	attach_test_remove(ipmmu_root.dev);
}

static struct kunit_case ipmmu_kunit[] = {
	KUNIT_CASE_PARAM(ipmmu_attach, ipmmu_gen_params),
	KUNIT_CASE(ipmmu_flush),
	KUNIT_CASE(ipmmu_identity),
	KUNIT_CASE_PARAM(ipmmu_registers, ipmmu_generation_gen_params),
	KUNIT_CASE(ipmmu_xlate),
	{}
};

static struct kunit_suite ipmmu_suite = {
	.name = "ipmmu-vmsa", .init = ipmmu_init, .exit = ipmmu_exit, .test_cases = ipmmu_kunit,
};

kunit_test_suite(ipmmu_suite);

MODULE_DESCRIPTION("KUnit test of the attach of ipmmu-vmsa.c");
MODULE_LICENSE("GPL");
