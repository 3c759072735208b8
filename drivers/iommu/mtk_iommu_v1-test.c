// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of mtk_iommu_v1.c, see attach-test.h
 */
#include <linux/clk.h>
#include <linux/component.h>
#include <linux/device.h>
#include <linux/iopoll.h>
#include <linux/of_address.h>
#include <linux/of_irq.h>
#include <asm/dma-iommu.h>
#include <dt-bindings/memory/mt2701-larb-port.h>
#include <soc/mediatek/smi.h>

#include "attach-test.h"

/* Without a table there is no device either, but a fault in place of a result. */
#undef dma_free_coherent
#define dma_free_coherent(dev, size, p, dma) ({					\
	void *__p = (p);							\
	attach_test.held[DMA]--;						\
	if (__p)								\
		dma_free_coherent(dev, size, __p, dma); })

#include "mtk_iommu_v1.c"

static u32 mtk_v1_regs[0x600 / 4];
static struct mtk_iommu_v1_data mtk_v1_m4u;
/* Of all that a mapping has, attach looks at the domain only. */
static struct dma_iommu_mapping mtk_v1_mapping;
static struct device *mtk_v1_other;
static struct attach_driver mtk_v1;

/* The table, 0 if the larb does not send the port of @dev through the M4U */
static u64 mtk_v1_seen_by(struct device *dev)
{
	u32 port = mt2701_m4u_to_port(dev_iommu_fwspec_get(dev)->ids[0]);

	return mtk_v1_m4u.larb_imu[1].mmu & MTK_SMI_MMU_EN(port) ?
	       mtk_v1_regs[REG_MMU_PT_BASE_ADDR / 4] : 0;
}

static u64 mtk_v1_seen(struct kunit *test)
{
	return mtk_v1_seen_by(mtk_v1.dev);
}

static void mtk_v1_leave(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, mtk_iommu_v1_identity_attach(&mtk_iommu_v1_identity_domain,
							   mtk_v1.dev, domain), 0);
	KUNIT_EXPECT_EQ(test, mtk_v1_seen(test), 0);
}

static void mtk_v1_map_by(struct kunit *test, struct iommu_domain *domain)
{
	mtk_v1_mapping.domain = domain;
}

/* Only one domain is ever attached, so that no case starts from another one. */
static const struct attach_case mtk_v1_cases[] = {
	{ .name = "mtk_iommu_v1_domain_finalise: no memory for the page table",
	  .call = "dma_alloc_coherent", .setup = mtk_v1_map_by, .first = true, .expect = -ENOMEM },
	{ .name = "mtk_iommu_v1_attach_device: success",
	  .setup = mtk_v1_map_by, .first = true },
};

KUNIT_ARRAY_PARAM(mtk_v1, mtk_v1_cases, attach_case_desc);

static void mtk_v1_attach(struct kunit *test)
{
	attach_check(test, &mtk_v1, test->param_value);
}

static void mtk_v1_free_unused(struct kunit *test)
{
	int held = attach_test.held[DMA];

	mtk_iommu_v1_domain_free(attach_test_alloc(test, &mtk_v1));
	KUNIT_EXPECT_EQ_MSG(test, attach_test.held[DMA], held, "a table that was never made");
}

/* The registers come back without a domain, too, and with one so does its table. */
static void mtk_v1_resume(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &mtk_v1);
	u64 seen;

	mtk_v1_regs[REG_MMU_DCM / 4] = F_MMU_DCM_ON;
	KUNIT_EXPECT_EQ(test, mtk_iommu_v1_suspend(mtk_v1_m4u.dev), 0);
	memset(mtk_v1_regs, 0, sizeof(mtk_v1_regs));
	KUNIT_EXPECT_EQ(test, mtk_iommu_v1_resume(mtk_v1_m4u.dev), 0);
	KUNIT_EXPECT_EQ(test, mtk_v1_regs[REG_MMU_PT_BASE_ADDR / 4], 0);
	KUNIT_EXPECT_EQ(test, mtk_v1_regs[REG_MMU_DCM / 4], F_MMU_DCM_ON);

	mtk_v1_map_by(test, domain);
	KUNIT_EXPECT_EQ(test, mtk_iommu_v1_attach_device(domain, mtk_v1.dev, NULL), 0);
	seen = mtk_v1_seen(test);
	KUNIT_EXPECT_EQ(test, mtk_iommu_v1_suspend(mtk_v1_m4u.dev), 0);
	memset(mtk_v1_regs, 0, sizeof(mtk_v1_regs));
	KUNIT_EXPECT_EQ(test, mtk_iommu_v1_resume(mtk_v1_m4u.dev), 0);
	KUNIT_EXPECT_EQ(test, mtk_v1_seen(test), seen);
	mtk_v1_leave(test, domain);
	mtk_iommu_v1_domain_free(domain);
}

/* The second device gets the table of the first, which stays when one of them goes. */
static void mtk_v1_two_devices(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &mtk_v1);
	u64 seen;

	mtk_v1_map_by(test, domain);
	KUNIT_EXPECT_EQ(test, mtk_iommu_v1_attach_device(domain, mtk_v1.dev, NULL), 0);
	seen = mtk_v1_seen(test);
	KUNIT_EXPECT_NE(test, seen, 0);
	KUNIT_EXPECT_EQ(test, mtk_v1_seen_by(mtk_v1_other), 0);
	KUNIT_EXPECT_EQ(test, mtk_iommu_v1_attach_device(domain, mtk_v1_other, NULL),
			0);
	KUNIT_EXPECT_EQ(test, mtk_v1_seen_by(mtk_v1_other), seen);
	mtk_v1_leave(test, domain);
	KUNIT_EXPECT_EQ(test, mtk_v1_seen_by(mtk_v1_other), seen);
	KUNIT_EXPECT_EQ(test, mtk_iommu_v1_attach_device(domain, mtk_v1.dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, mtk_v1_seen(test), seen);
	mtk_iommu_v1_domain_free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[DMA], 0);
}

static struct device *mtk_v1_client(struct kunit *test, u32 port)
{
	struct device *dev = attach_test_device(test, "mtk-v1-client");
	struct iommu_fwspec *fwspec = kunit_kzalloc(test, struct_size(fwspec, ids, 1), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fwspec);
	fwspec->num_ids = 1;
	fwspec->ids[0] = port;
	dev_iommu_fwspec_set(dev, fwspec);
	dev_iommu_priv_set(dev, &mtk_v1_m4u);
	return dev;
}

static int mtk_v1_init(struct kunit *test)
{
	memset(&attach_test, 0, sizeof(attach_test));
	memset(mtk_v1_regs, 0, sizeof(mtk_v1_regs));
	memset(&mtk_v1_m4u, 0, sizeof(mtk_v1_m4u));
	memset(&mtk_v1_mapping, 0, sizeof(mtk_v1_mapping));
	mtk_v1_m4u.base = (void __iomem *)mtk_v1_regs;
	mtk_v1_m4u.dev = attach_test_device(test, "mtk-v1");
	dev_set_drvdata(mtk_v1_m4u.dev, &mtk_v1_m4u);
	mtk_v1_m4u.mapping = &mtk_v1_mapping;
	mtk_v1.ops = &mtk_iommu_v1_ops;
	mtk_v1.seen = mtk_v1_seen;
	mtk_v1.leave = mtk_v1_leave;
	mtk_v1.dev = mtk_v1_client(test, MT2701_M4U_PORT_VDEC_MC_EXT);
	mtk_v1_other = mtk_v1_client(test, MT2701_M4U_PORT_VDEC_PP_EXT);
	return 0;
}

static void mtk_v1_exit(struct kunit *test)
{
	attach_test_remove(mtk_v1_other);
	attach_test_remove(mtk_v1.dev);
	attach_test_remove(mtk_v1_m4u.dev);
}

static struct kunit_case mtk_v1_kunit[] = {
	KUNIT_CASE_PARAM(mtk_v1_attach, mtk_v1_gen_params),
	KUNIT_CASE(mtk_v1_free_unused),
	KUNIT_CASE(mtk_v1_resume),
	KUNIT_CASE(mtk_v1_two_devices),
	{}
};

static struct kunit_suite mtk_v1_suite = {
	.name = "mtk-iommu-v1", .init = mtk_v1_init, .exit = mtk_v1_exit,
	.test_cases = mtk_v1_kunit,
};

kunit_test_suite(mtk_v1_suite);
