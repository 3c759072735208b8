// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of msm_iommu.c, see attach-test.h
 */
#define pr_fmt(fmt)	KBUILD_MODNAME ": " fmt

#include <linux/list.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "attach-test.h"

static void msm_test_free_pgtable(struct io_pgtable_ops *ops);
#undef free_io_pgtable_ops
#define free_io_pgtable_ops(ops)	msm_test_free_pgtable(ops)

static int msm_test_clk_enable(struct clk *clk);
#undef clk_enable
#define clk_enable(clk)			msm_test_clk_enable(clk)

#include "msm_iommu.c"

#define MSM_TEST_MID	5

/* The first device is a master of two IOMMUs, the second of the third, and the last of none. */
static struct msm_iommu_dev msm_iommus[3];
static struct device *msm_devs[3];
static struct device_node msm_iommu_nodes[3], msm_dev_nodes[3];
static struct attach_driver msm;

/* The table of the context that an IOMMU has for its master, 0 if it is off */
static u32 msm_seen_by(int i)
{
	void __iomem *base = msm_iommus[i].base;
	int ctx = GET_CBNDX(base, MSM_TEST_MID);

	return GET_M(base, ctx) ? GET_TTBR0(base, ctx) : 0;
}

static u64 msm_seen(struct kunit *test)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct msm_iommu_dev *iommu = &msm_iommus[i];

		KUNIT_EXPECT_TRUE_MSG(test, !msm_seen_by(i) ||
				      test_bit(GET_CBNDX(iommu->base, MSM_TEST_MID),
					       iommu->context_map), "a free context is in use");
	}
	return (u64)msm_seen_by(1) << 32 | msm_seen_by(0);
}

/* A table must not go while an IOMMU walks it. */
static void msm_test_free_pgtable(struct io_pgtable_ops *ops)
{
	struct msm_priv *priv = ops ? io_pgtable_ops_to_pgtable(ops)->cookie : NULL;
	int i;

	for (i = 0; ops && i < ARRAY_SIZE(msm_iommus); i++)
		KUNIT_EXPECT_NE_MSG(current->kunit_test, msm_seen_by(i),
				    priv->cfg.arm_v7s_cfg.ttbr, "IOMMU %d walks a freed table", i);
	GIVE(PGTABLE, ops);
	(free_io_pgtable_ops)(ops);
}

/* No one switches a clock but under the lock, which interrupts must not come between. */
static int msm_test_clk_enable(struct clk *clk)
{
	if (IS_ENABLED(CONFIG_LOCKDEP))
		KUNIT_EXPECT_TRUE(current->kunit_test, lockdep_is_held(&msm_iommu_lock));
	KUNIT_EXPECT_TRUE(current->kunit_test, irqs_disabled());
	return TAKE_ERR(CLK, "clk_enable", 0);
}

/* A device to a domain, as the core calls it if it comes from identity */
static int msm_to(struct iommu_domain *domain, struct device *dev)
{
	return msm_iommu_attach_dev(domain, dev, &msm_iommu_identity_domain);
}

static int msm_to_identity(struct device *dev, struct iommu_domain *old)
{
	return msm_iommu_identity_attach(&msm_iommu_identity_domain, dev, old);
}

static void msm_leave(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, msm_to_identity(msm.dev, domain), 0);
	KUNIT_EXPECT_EQ(test, msm_seen(test), 0);
	KUNIT_EXPECT_EQ_MSG(test, msm_iommus[0].context_map[0], 1, "a context is kept");
	KUNIT_EXPECT_EQ_MSG(test, msm_iommus[1].context_map[0], 1, "a context is kept");
}

/* Only the second IOMMU runs out of contexts, so that the first one has to give up its own. */
static void msm_no_context(struct kunit *test, struct iommu_domain *domain)
{
	msm_iommus[1].context_map[0] = 3;
}

static void msm_free_context(struct kunit *test, struct iommu_domain *domain)
{
	msm_iommus[1].context_map[0] = 1;
}

/* A domain keeps the page table that its first attach makes. */
static const struct attach_case msm_cases[] = {
	{ .name = "msm_iommu_domain_config: no memory for the page table",
	  .call = "alloc_io_pgtable_ops", .expect = -ENOMEM },
	{ .name = "__enable_clocks: the bus clock cannot be enabled",
	  .call = "clk_enable", .ret = -EIO, .keeps = true, .expect = -EIO },
	{ .name = "__enable_clocks: EINVAL of the bus clock",
	  .call = "clk_enable", .ret = -EINVAL, .keeps = true, .expect = -ENODEV },
	{ .name = "__enable_clocks: EINVAL of the clock of the IOMMU",
	  .call = "clk_enable", .nth = 2, .ret = -EINVAL, .keeps = true, .expect = -ENODEV },
	{ .name = "__enable_clocks: the clock of the second IOMMU",
	  .call = "clk_enable", .nth = 4, .ret = -EIO, .keeps = true, .expect = -EIO },
	{ .name = "__enable_clocks: the clock of the second IOMMU, first attach",
	  .call = "clk_enable", .nth = 4, .ret = -EIO, .keeps = true, .first = true,
	  .expect = -EIO },
	{ .name = "msm_iommu_alloc_ctx: all contexts of the second IOMMU are taken",
	  .setup = msm_no_context, .undo = msm_free_context, .keeps = true, .first = true,
	  .expect = -ENOSPC },
	{ .name = "msm_iommu_attach_dev: over an old domain, in a context that is not 0" },
	{ .name = "msm_iommu_attach_dev: success", .first = true },
};

KUNIT_ARRAY_PARAM(msm, msm_cases, attach_case_desc);

static void msm_attach(struct kunit *test)
{
	attach_check(test, &msm, test->param_value);
}

static void msm_attach_again(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &msm);
	u64 seen;

	KUNIT_ASSERT_EQ(test, msm_to(domain, msm.dev), 0);
	seen = msm_seen(test);
	msm_leave(test, domain);
	KUNIT_ASSERT_EQ(test, msm_to(domain, msm.dev), 0);
	KUNIT_EXPECT_EQ(test, msm_seen(test), seen);
	msm_leave(test, domain);
	msm_iommu_domain_free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[PGTABLE], 0);
}

static void msm_two_devices(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &msm);
	u64 seen;

	KUNIT_ASSERT_EQ(test, msm_to(domain, msm.dev), 0);
	seen = msm_seen(test);
	KUNIT_ASSERT_EQ(test, msm_to(domain, msm_devs[1]), 0);
	KUNIT_ASSERT_EQ_MSG(test, attach_test.held[PGTABLE], 1, "a table for each device");
	KUNIT_EXPECT_EQ(test, msm_seen_by(2), msm_seen_by(0));
	msm_leave(test, domain);
	KUNIT_EXPECT_EQ_MSG(test, msm_seen_by(2), (u32)seen, "the other device has left, too");
	KUNIT_EXPECT_EQ(test, msm_to_identity(msm_devs[1], domain), 0);
	KUNIT_EXPECT_EQ(test, msm_seen_by(2), 0);
	msm_iommu_domain_free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[PGTABLE], 0);
}

static void msm_leave_list(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &msm);
	struct iommu_domain *domain = attach_test_alloc(test, &msm);
	u64 seen;

	/* With context 0, which the driver did not take for one in use */
	msm_iommus[0].context_map[0] = 0;
	msm_iommus[1].context_map[0] = 0;
	KUNIT_ASSERT_EQ(test, msm_to(old, msm.dev), 0);
	KUNIT_ASSERT_EQ(test, msm_iommu_attach_dev(domain, msm.dev, old), 0);
	KUNIT_ASSERT_TRUE(test, list_empty(&to_msm_priv(old)->list_attached));
	KUNIT_EXPECT_EQ(test, msm_iommus[0].context_map[0], 1);
	seen = msm_seen(test);
	msm_iommu_domain_free(old);
	KUNIT_EXPECT_EQ_MSG(test, msm_seen(test), seen, "off under another domain");
	KUNIT_ASSERT_EQ(test, msm_to_identity(msm.dev, domain), 0);
	KUNIT_ASSERT_TRUE(test, list_empty(&to_msm_priv(domain)->list_attached));
	KUNIT_EXPECT_EQ(test, msm_iommus[0].context_map[0], 0);
	msm_iommu_domain_free(domain);
}

/* Identity for all IOMMUs of the device, or it stays in the domain */
static void msm_identity_without_clock(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &msm);
	u64 seen;
	int nth;

	KUNIT_EXPECT_EQ(test, msm_to_identity(msm.dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, msm_to_identity(msm.dev, &msm_iommu_identity_domain), 0);
	KUNIT_ASSERT_EQ(test, msm_to(domain, msm.dev), 0);
	seen = msm_seen(test);
	for (nth = 1; nth <= 4; nth++) {
		attach_test_inject("clk_enable", nth, nth % 2 ? -EIO : -EINVAL);
		KUNIT_EXPECT_EQ(test, msm_to_identity(msm.dev, domain), nth % 2 ? -EIO : -ENODEV);
		KUNIT_EXPECT_TRUE(test, attach_test.hit);
		KUNIT_EXPECT_EQ_MSG(test, msm_seen(test), seen, "clock %d", nth);
		KUNIT_EXPECT_EQ_MSG(test, attach_test.held[CLK], 0, "clock %d", nth);
	}
	attach_test.call = NULL;
	msm_leave(test, domain);
	msm_iommu_domain_free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[PGTABLE], 0);
}

/* What identity was refused to leaves when the domain is freed */
static void msm_free_attached(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &msm);

	KUNIT_ASSERT_EQ(test, msm_to(domain, msm.dev), 0);
	msm_iommu_domain_free(domain);
	KUNIT_EXPECT_EQ(test, msm_seen(test), 0);
	KUNIT_EXPECT_TRUE(test, list_empty(&msm_iommus[0].dom_node));
	KUNIT_EXPECT_EQ(test, msm_iommus[0].context_map[0], 1);
	KUNIT_EXPECT_EQ(test, msm_iommus[1].context_map[0], 1);
	KUNIT_EXPECT_EQ(test, attach_test.held[PGTABLE], 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
}

/* By design, the contexts of an IOMMU without a clock go on, with a table that must stay. */
static void msm_free_without_clock(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &msm);
	u32 seen;

	KUNIT_ASSERT_EQ(test, msm_to(domain, msm.dev), 0);
	seen = msm_seen_by(1);
	attach_test_inject("clk_enable", 1, -EIO);
	msm_iommu_domain_free(domain);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, msm_seen_by(1), seen);
	KUNIT_EXPECT_EQ_MSG(test, msm_seen_by(0), 0, "the one with a clock");
	KUNIT_EXPECT_TRUE(test, list_empty(&msm_iommus[1].dom_node));
	KUNIT_EXPECT_EQ(test, attach_test.held[PGTABLE], 1);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);

	/* The contexts serve the next domain, once there is a clock. */
	domain = attach_test_alloc(test, &msm);
	KUNIT_ASSERT_EQ(test, msm_to(domain, msm.dev), 0);
	KUNIT_EXPECT_NE(test, msm_seen_by(1), seen);
	KUNIT_EXPECT_EQ(test, msm_seen_by(1), msm_seen_by(0));
	msm_leave(test, domain);
	msm_iommu_domain_free(domain);
}

static void msm_iova_to_phys(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &msm);
	size_t mapped = 0;

	KUNIT_EXPECT_EQ_MSG(test, msm_iommu_iova_to_phys(domain, SZ_64K), 0, "never attached");
	KUNIT_ASSERT_EQ(test, msm_to(domain, msm.dev), 0);
	KUNIT_ASSERT_EQ(test, msm_iommu_map(domain, SZ_64K, SZ_1M, SZ_4K, 1, IOMMU_READ,
					    GFP_KERNEL, &mapped), 0);
	attach_test_inject("clk_enable", 1, -EIO);
	KUNIT_EXPECT_EQ(test, msm_iommu_iova_to_phys(domain, SZ_64K + 4), SZ_1M + 4);
	attach_test.call = NULL;
	msm_leave(test, domain);
	KUNIT_EXPECT_EQ_MSG(test, msm_iommu_iova_to_phys(domain, SZ_64K), SZ_1M, "in identity");
	msm_iommu_domain_free(domain);
}

static void msm_fault(struct kunit *test)
{
	msm_iommu_fault_handler(0, &msm_iommus[0]);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
}

/* An IOMMU that cannot be had is no business of those that other devices are behind. */
static void msm_others(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &msm);
	struct iommu_domain *domain = attach_test_alloc(test, &msm);
	u64 seen;

	KUNIT_ASSERT_EQ(test, msm_to(old, msm.dev), 0);
	seen = msm_seen(test);
	attach_test_inject("clk_enable", 1, -EIO);
	KUNIT_EXPECT_EQ(test, msm_to(domain, msm_devs[1]), -EIO);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, msm_seen(test), seen);
	KUNIT_EXPECT_EQ(test, msm_iommus[0].context_map[0], 3);
	KUNIT_EXPECT_EQ(test, msm_iommus[2].context_map[0], 1);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);

	KUNIT_EXPECT_EQ(test, msm_to(domain, msm_devs[1]), 0);
	KUNIT_EXPECT_NE(test, msm_seen_by(2), 0);
	KUNIT_EXPECT_EQ(test, msm_seen(test), seen);
	KUNIT_EXPECT_EQ(test, msm_to_identity(msm_devs[1], domain), 0);
	msm_leave(test, old);
	msm_iommu_domain_free(domain);
	msm_iommu_domain_free(old);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
}

/* Contexts for all masters of an IOMMU, should it have several, or for none */
static void msm_two_masters(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &msm);
	const int mid = MSM_TEST_MID + 1;
	struct msm_iommu_ctx_dev second = { .of_node = &msm_dev_nodes[0], .num_mids = 1,
					    .mids = { mid } };
	void __iomem *base = msm_iommus[0].base;

	list_add_tail(&second.list, &msm_iommus[0].ctx_list);
	KUNIT_EXPECT_EQ(test, msm_to(domain, msm.dev), -ENOSPC);
	KUNIT_EXPECT_EQ(test, msm_iommus[0].context_map[0], 1);
	KUNIT_EXPECT_EQ(test, msm_seen(test), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);

	msm_iommus[0].ncb = 3;
	KUNIT_EXPECT_EQ(test, msm_to(domain, msm.dev), 0);
	KUNIT_EXPECT_EQ(test, msm_iommus[0].context_map[0], 7);
	KUNIT_EXPECT_EQ(test, second.num, 2);
	KUNIT_EXPECT_EQ(test, GET_CBNDX(base, mid), 2);
	KUNIT_EXPECT_EQ(test, GET_TTBR0(base, 2), GET_TTBR0(base, 1));
	msm_leave(test, domain);
	KUNIT_EXPECT_EQ(test, GET_M(base, 2), 0);
	msm_iommu_domain_free(domain);
	list_del(&second.list);
}

static void msm_no_master(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &msm);

	KUNIT_EXPECT_EQ(test, msm_to(domain, msm_devs[2]), -ENODEV);
	KUNIT_EXPECT_EQ(test, msm_seen(test), 0);
	KUNIT_EXPECT_EQ(test, msm_seen_by(2), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	KUNIT_EXPECT_EQ(test, msm_to_identity(msm_devs[2], domain), 0);
	msm_iommu_domain_free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[PGTABLE], 0);
}

/* The head of an empty list is no master, whatever stands where one would have its node. */
static void msm_no_masters(struct kunit *test)
{
	struct {
		struct device_node *nodes[sizeof(struct msm_iommu_ctx_dev) / sizeof(void *)];
		struct msm_iommu_dev iommu;
	} *empty = kunit_kzalloc(test, sizeof(*empty), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, empty);
	for (i = 0; i < ARRAY_SIZE(empty->nodes); i++)
		empty->nodes[i] = &msm_dev_nodes[2];
	INIT_LIST_HEAD(&empty->iommu.ctx_list);
	list_add_tail(&empty->iommu.dev_node, &qcom_iommu_devices);
	KUNIT_EXPECT_EQ(test, PTR_ERR(msm_iommu_probe_device(msm_devs[2])), -ENODEV);
	list_del(&empty->iommu.dev_node);
	KUNIT_EXPECT_PTR_EQ(test, msm_iommu_probe_device(msm_devs[1]), &msm_iommus[2].iommu);
}

/* All IOMMUs of the domain forget the same, even if the first of them has no clock. */
static void msm_flush(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &msm);
	void __iomem *first = msm_iommus[0].base, *second = msm_iommus[1].base;
	struct msm_priv *priv = to_msm_priv(domain);
	size_t mapped = 0;

	KUNIT_ASSERT_EQ(test, msm_to(domain, msm.dev), 0);
	KUNIT_ASSERT_EQ(test, msm_iommu_map(domain, SZ_64K, SZ_1M, SZ_4K, 1, IOMMU_READ,
					    GFP_KERNEL, &mapped), 0);
	KUNIT_ASSERT_EQ(test, msm_iommu_unmap(domain, SZ_64K, SZ_4K, 1, NULL), SZ_4K);
	/* The ASID is the number of the context. */
	KUNIT_EXPECT_EQ(test, GET_TLBIVA(first, 1), SZ_64K | 1);
	KUNIT_EXPECT_EQ(test, GET_TLBIVA(second, 1), SZ_64K | 1);
	msm_iommu_sync_map(domain, SZ_1M, SZ_8K);
	KUNIT_EXPECT_EQ(test, GET_TLBIVA(first, 1), SZ_1M | SZ_4K | 1);
	KUNIT_EXPECT_EQ(test, GET_TLBIVA(second, 1), SZ_1M | SZ_4K | 1);

	SET_TLBIVA(first, 1, 0);
	SET_TLBIVA(second, 1, 0);
	attach_test_inject("clk_enable", 1, -EIO);
	msm_iommu_sync_map(domain, SZ_64K, SZ_4K);
	KUNIT_EXPECT_EQ(test, GET_TLBIVA(first, 1) + GET_TLBIVA(second, 1), SZ_64K | 1);
	SET_CTX_TLBIALL(first, 1, 2);
	SET_CTX_TLBIALL(second, 1, 2);
	attach_test_inject("clk_enable", 1, -EIO);
	priv->cfg.tlb->tlb_flush_all(priv);
	KUNIT_EXPECT_EQ(test, GET_CTX_TLBIALL(first, 1) + GET_CTX_TLBIALL(second, 1), 2);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	msm_leave(test, domain);
	msm_iommu_domain_free(domain);
}

/* The lock is let go of after each part of a large flush: two clocks of two IOMMUs in each. */
static void msm_flush_parts(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &msm);
	void __iomem *first = msm_iommus[0].base;

	KUNIT_ASSERT_EQ(test, msm_to(domain, msm.dev), 0);
	attach_test_inject("clk_enable", 5, 0);
	KUNIT_EXPECT_EQ(test, msm_iommu_sync_map(domain, SZ_1M, SZ_1M), 0);
	KUNIT_EXPECT_FALSE(test, attach_test.hit);
	KUNIT_EXPECT_EQ(test, GET_TLBIVA(first, 1), (SZ_2M - SZ_4K) | 1);
	attach_test_inject("clk_enable", 9, 0);
	KUNIT_EXPECT_EQ(test, msm_iommu_sync_map(domain, SZ_1M, SZ_2M + SZ_8K), 0);
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_EQ(test, GET_TLBIVA(first, 1), (SZ_1M + SZ_2M + SZ_4K) | 1);
	/* Nothing mapped, nothing to flush */
	attach_test_inject("clk_enable", 1, 0);
	KUNIT_EXPECT_EQ(test, msm_iommu_sync_map(domain, SZ_1M, 0), 0);
	KUNIT_EXPECT_FALSE(test, attach_test.hit);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	msm_leave(test, domain);
	msm_iommu_domain_free(domain);
}

/* The page table is the IOMMU's business, and may outlive the device. */
static void msm_pgtable_device(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &msm);

	KUNIT_ASSERT_EQ(test, msm_to(domain, msm.dev), 0);
	KUNIT_EXPECT_PTR_EQ(test, to_msm_priv(domain)->cfg.iommu_dev, msm_iommus[0].dev);
	msm_leave(test, domain);
	msm_iommu_domain_free(domain);
}

static int msm_init(struct kunit *test)
{
	struct of_phandle_args args = { .args_count = 1, .args = { MSM_TEST_MID } };
	void *regs;
	int i;

	memset(&attach_test, 0, sizeof(attach_test));
	memset(msm_iommus, 0, sizeof(msm_iommus));
	INIT_LIST_HEAD(&qcom_iommu_devices);
	for (i = 0; i < ARRAY_SIZE(msm_iommus); i++) {
		struct msm_iommu_dev *iommu = &msm_iommus[i];

		regs = vzalloc(SZ_1M);
		KUNIT_ASSERT_NOT_NULL(test, regs);
		iommu->base = (void __iomem *)regs;
		iommu->dev = attach_test_device(test, "msm-iommu");
		iommu->dev->of_node = &msm_iommu_nodes[i];
		iommu->pclk = ERR_PTR(-1);
		iommu->clk = ERR_PTR(-1);
		/* Context 0 is taken: its number looks like none. */
		iommu->ncb = 2;
		iommu->context_map[0] = 1;
		INIT_LIST_HEAD(&iommu->ctx_list);
		INIT_LIST_HEAD(&iommu->dom_node);
		list_add_tail(&iommu->dev_node, &qcom_iommu_devices);
		msm_devs[i] = attach_test_device(test, "msm-client");
		msm_devs[i]->of_node = &msm_dev_nodes[i];
		/* As the core notes what probe_device returns */
		msm_devs[i]->iommu->iommu_dev = &msm_iommus[i ? 2 : 0].iommu;
	}
	for (i = 0; i < ARRAY_SIZE(msm_iommus); i++) {
		args.np = &msm_iommu_nodes[i];
		KUNIT_ASSERT_EQ(test, qcom_iommu_of_xlate(msm_devs[i / 2], &args), 0);
	}
	msm.ops = &msm_iommu_ops;
	msm.seen = msm_seen;
	msm.leave = msm_leave;
	msm.dev = msm_devs[0];
	return 0;
}

static void msm_exit(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(msm_iommus); i++) {
		struct msm_iommu_dev *iommu = &msm_iommus[i];

		kfree(list_first_entry(&iommu->ctx_list, struct msm_iommu_ctx_dev, list));
		vfree((void __force *)iommu->base);
		/* The nodes have never been counted. */
		iommu->dev->of_node = NULL;
		attach_test_remove(iommu->dev);
		msm_devs[i]->of_node = NULL;
		attach_test_remove(msm_devs[i]);
	}
}

static struct kunit_case msm_kunit[] = {
	KUNIT_CASE_PARAM(msm_attach, msm_gen_params),
	KUNIT_CASE(msm_attach_again),
	KUNIT_CASE(msm_two_devices),
	KUNIT_CASE(msm_leave_list),
	KUNIT_CASE(msm_identity_without_clock),
	KUNIT_CASE(msm_free_attached),
	KUNIT_CASE(msm_free_without_clock),
	KUNIT_CASE(msm_others),
	KUNIT_CASE(msm_two_masters),
	KUNIT_CASE(msm_no_master),
	KUNIT_CASE(msm_no_masters),
	KUNIT_CASE(msm_flush),
	KUNIT_CASE(msm_flush_parts),
	KUNIT_CASE(msm_iova_to_phys),
	KUNIT_CASE(msm_fault),
	KUNIT_CASE(msm_pgtable_device),
	{}
};

static struct kunit_suite msm_suite = {
	.name = "msm-iommu", .init = msm_init, .exit = msm_exit, .test_cases = msm_kunit,
};

kunit_test_suite(msm_suite);
MODULE_LICENSE("GPL");
