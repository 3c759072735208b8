// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of mtk_iommu.c, see attach-test.h
 *
 * All domains of an M4U have the same page table, so that the hardware does not
 * tell them apart: the cases of the table begin in no domain.
 */
#include <linux/arm-smccc.h>
#include <linux/component.h>
#include <linux/iopoll.h>
#include <linux/mfd/syscon.h>
#include <linux/of_irq.h>
#include <linux/pci.h>
#include <linux/poison.h>
#include <linux/regmap.h>
#include <linux/soc/mediatek/mtk_sip_svc.h>

#include "attach-test.h"

static struct device *mtk_pci;
static u32 mtk_ports;
static unsigned long mtk_firmware_says;
static struct io_pgtable_ops *mtk_tables[8];
static int mtk_nr_tables;
static int mtk_group_refs;

static int mtk_update_ports(u32 mask, u32 val)
{
	mtk_ports = (mtk_ports & ~mask) | val;
	return 0;
}

static void mtk_smc(unsigned long what, unsigned long cmd, unsigned long ports,
		    unsigned long enable, unsigned long a4, unsigned long a5,
		    unsigned long a6, unsigned long a7, struct arm_smccc_res *res)
{
	res->a0 = mtk_firmware_says;
	if (!res->a0)
		mtk_update_ports(ports, enable ? ports : 0);
}

static struct io_pgtable_ops *mtk_keep_table(struct io_pgtable_ops *ops)
{
	if (ops)
		mtk_tables[mtk_nr_tables++] = ops;
	return ops;
}

#undef regmap_update_bits
#define regmap_update_bits(map, reg, mask, val)					\
	((void)(map), (void)(reg),						\
	 FAIL_OR("regmap_update_bits", mtk_update_ports(mask, val)))
#undef arm_smccc_smc
#define arm_smccc_smc(...)	mtk_smc(__VA_ARGS__)
#define synchronize_irq(irq)	((void)(irq))
#define iommu_group_alloc()	({ mtk_group_refs++; iommu_group_alloc(); })
#define iommu_group_ref_get(g)	({ mtk_group_refs++; iommu_group_ref_get(g); })
#define iommu_group_put(g) ({							\
	struct iommu_group *__g = (g);						\
	mtk_group_refs -= !!__g;						\
	iommu_group_put(__g); })
/* The device that is to be one, if any */
#undef dev_is_pci
#define dev_is_pci(d)		((d) == mtk_pci)
/* Tables stay with the M4U, and the test frees them. */
#undef alloc_io_pgtable_ops
#define alloc_io_pgtable_ops(...)	mtk_keep_table(TAKE(PGTABLE, "alloc_io_pgtable_ops", \
						    alloc_io_pgtable_ops(__VA_ARGS__)))
/* Of a domain, which is not to be used any more */
#undef kfree
#define kfree(p) ({ struct mtk_iommu_domain *__p = (p);				\
	GIVE(MEM, __p);								\
	memset(__p, POISON_FREE, sizeof(*__p));					\
	kfree(__p); })

#include "mtk_iommu.c"

/* Two M4Us that share nothing, and on the first a client in another bank or region */
static u32 mtk_regs[2][2][0x80];
static struct mtk_iommu_bank_data mtk_banks[2][5];
static struct mtk_iommu_data mtk_m4u[2];
static struct device *mtk_other_m4u, *mtk_other;
static struct attach_driver mtk;

static void mtk_list(struct mtk_iommu_data *data)
{
	INIT_LIST_HEAD(&data->hw_list_head);
	list_add_tail(&data->list, &data->hw_list_head);
	data->hw_list = &data->hw_list_head;
	list_add_tail(&data->node, &m4u_bound);
}

static unsigned int mtk_larb(void)
{
	return MTK_M4U_TO_LARB(dev_iommu_fwspec_get(mtk.dev)->ids[0]);
}

/* Table, enabled ports and region of the device, 0 if no port is enabled */
static u64 mtk_seen(struct kunit *test)
{
	struct mtk_smi_larb_iommu *larb = &mtk_m4u[0].larb_imu[mtk_larb()];
	u64 on = (mtk_ports >> 16 | larb->mmu) & 3;

	return on ? mtk_regs[0][0][REG_MMU_PT_BASE_ADDR / 4] | on << 32 |
		    (u64)larb->bank[0] << 40 | (u64)larb->bank[1] << 48 : 0;
}

static int mtk_to_identity(struct device *dev, struct iommu_domain *old)
{
	return mtk_iommu_identity_ops.attach_dev(&mtk_iommu_identity_domain, dev, old);
}

/* The tables and IRQs go with the M4Us only. */
static void mtk_leave(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, mtk_to_identity(mtk.dev, domain), 0);
	KUNIT_EXPECT_EQ(test, mtk_seen(test), 0);
	while (mtk_nr_tables)
		free_io_pgtable_ops(mtk_tables[--mtk_nr_tables]);
	attach_test.held[IRQ] = 0;
}

/* An M4U for multimedia, where the larb and port tell the region */
static void mtk_mm_larbs(unsigned int larb, unsigned int port, unsigned int other)
{
	mtk_m4u[0].plat_data = &mt8192_data;
	mtk.dev->iommu->fwspec->ids[0] = MTK_M4U_ID(larb, port);
	mtk.dev->iommu->fwspec->ids[1] = MTK_M4U_ID(larb, port + 1);
	mtk_other->iommu->fwspec->ids[0] = MTK_M4U_ID(other, 2);
}

static void mtk_mm(struct kunit *test, struct iommu_domain *domain)
{
	mtk_mm_larbs(0, 0, 4);
}

static void mtk_mm_high(struct kunit *test, struct iommu_domain *domain)
{
	mtk_mm_larbs(4, 0, 0);
}

/* Larb 3 has no region. */
static void mtk_mm_nowhere(struct kunit *test, struct iommu_domain *domain)
{
	mtk_mm_larbs(3, 0, 4);
}

static void mtk_no_mask(struct kunit *test, struct iommu_domain *domain)
{
	mtk_mm_high(test, domain);
	mtk.dev->dma_mask = NULL;
}

static void mtk_mask_again(struct kunit *test, struct iommu_domain *domain)
{
	mtk.dev->dma_mask = &to_platform_device(mtk.dev)->platform_dma_mask;
}

static void mtk_is_pci(struct kunit *test, struct iommu_domain *domain)
{
	mtk_pci = mtk.dev;
}

static void mtk_no_pci(struct kunit *test, struct iommu_domain *domain)
{
	mtk_pci = NULL;
}

static void mtk_bind_m4u(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, mtk_other_m4u, NULL), 0);
}

static void mtk_bind_bank(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, mtk_other, NULL), 0);
}

static void mtk_bind_region(struct kunit *test, struct iommu_domain *domain)
{
	mtk_mm(test, domain);
	mtk_bind_bank(test, domain);
}

static const struct attach_case mtk_cases[] = {
	{ .name = "mtk_iommu_get_iova_region_id: no region for the device", .first = true,
	  .setup = mtk_mm_nowhere, .undo = mtk_mm, .expect = -ENODEV },
	{ .name = "mtk_iommu_domain_finalise: no page table", .first = true,
	  .call = "alloc_io_pgtable_ops", .expect = -ENOMEM },
	{ .name = "mtk_iommu_attach_device: the domain of another M4U", .first = true,
	  .setup = mtk_bind_m4u, .expect = -EINVAL },
	{ .name = "mtk_iommu_attach_device: the domain of another bank", .first = true,
	  .setup = mtk_bind_bank, .expect = -EINVAL },
	{ .name = "mtk_iommu_attach_device: the domain of another region", .first = true,
	  .setup = mtk_bind_region, .expect = -EINVAL },
	{ .name = "mtk_iommu_attach_device: no resume", .first = true, .keeps = true,
	  .call = "pm_runtime_resume_and_get", .ret = -EACCES, .expect = -EACCES },
	{ .name = "mtk_iommu_attach_device: EINVAL from the resume", .first = true, .keeps = true,
	  .call = "pm_runtime_resume_and_get", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "mtk_iommu_runtime_resume: no clock", .first = true, .keeps = true,
	  .call = "clk_prepare_enable", .ret = -EIO, .expect = -EIO },
	{ .name = "mtk_iommu_runtime_resume: EINVAL from the clock", .first = true, .keeps = true,
	  .call = "clk_prepare_enable", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "mtk_iommu_hw_init: no IRQ", .first = true, .keeps = true,
	  .call = "devm_request_irq", .ret = -ENOMEM, .expect = -ENOMEM },
	{ .name = "mtk_iommu_hw_init: EINVAL for the IRQ", .first = true, .keeps = true,
	  .call = "devm_request_irq", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "mtk_iommu_attach_device: no DMA mask for the region", .first = true,
	  .keeps = true, .setup = mtk_no_mask, .undo = mtk_mask_again, .expect = -EIO },
	{ .name = "mtk_iommu_config: a PCI device with two ports", .first = true, .keeps = true,
	  .setup = mtk_is_pci, .undo = mtk_no_pci, .expect = -ENODEV },
	{ .name = "mtk_iommu_config: the ports are not enabled", .first = true, .keeps = true,
	  .call = "regmap_update_bits", .ret = -EIO, .expect = -EIO },
	{ .name = "mtk_iommu_config: EINVAL from the regmap", .first = true, .keeps = true,
	  .call = "regmap_update_bits", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "mtk_iommu_attach_device: success", .first = true },
	{ .name = "mtk_iommu_attach_device: success for multimedia", .first = true,
	  .setup = mtk_mm },
	{ .name = "mtk_iommu_attach_device: success in a high region", .first = true,
	  .setup = mtk_mm_high },
};

KUNIT_ARRAY_PARAM(mtk, mtk_cases, attach_case_desc);

static void mtk_attach(struct kunit *test)
{
	attach_check(test, &mtk, test->param_value);
	KUNIT_EXPECT_PTR_EQ_MSG(test, mtk_banks[0][0].m4u_dom, NULL, "a domain that is freed");
}

/* Not even for a moment is the device out of its domain. */
static void mtk_kept(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &mtk);
	struct iommu_domain *domain = attach_test_alloc(test, &mtk);
	struct iommu_domain *other = attach_test_alloc(test, &mtk);
	u64 seen;

	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, mtk.dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, mtk_ports, GENMASK(17, 16));
	seen = mtk_seen(test);
	mtk_bind_m4u(test, other);
	KUNIT_EXPECT_EQ(test, other->ops->attach_dev(other, mtk.dev, old), -EINVAL);
	KUNIT_EXPECT_EQ(test, mtk_seen(test), seen);
	attach_test_inject("regmap_update_bits", 1, -EIO);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, mtk.dev, old), -EIO);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, mtk_seen(test), seen);
	KUNIT_EXPECT_PTR_EQ(test, mtk_banks[0][0].m4u_dom, to_mtk_domain(old));
	mtk_leave(test, old);
	old->ops->free(old);
	domain->ops->free(domain);
	other->ops->free(other);
}

/* Identity is not taken for attached where the ports stay enabled. */
static void mtk_identity(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &mtk);
	u64 seen;

	KUNIT_EXPECT_EQ(test, mtk_to_identity(mtk.dev, NULL), 0);
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, mtk.dev, NULL), 0);
	seen = mtk_seen(test);
	attach_test_inject("regmap_update_bits", 1, -EIO);
	KUNIT_EXPECT_EQ(test, mtk_to_identity(mtk.dev, domain), -EIO);
	KUNIT_EXPECT_EQ(test, mtk_seen(test), seen);
	attach_test_inject("regmap_update_bits", 1, -EINVAL);
	KUNIT_EXPECT_EQ(test, mtk_to_identity(mtk.dev, domain), -ENODEV);
	KUNIT_EXPECT_EQ(test, mtk_seen(test), seen);
	attach_test_inject("regmap_update_bits", 1, -EIO);
	KUNIT_EXPECT_EQ(test, mtk_to_identity(mtk.dev, &mtk_iommu_identity_domain), 0);
	attach_test.call = NULL;
	mtk_leave(test, domain);
	domain->ops->free(domain);
}

/* What the firmware says is no errno, neither if it is positive nor if it looks like one. */
static void mtk_firmware(struct kunit *test)
{
	static const unsigned long says[] = { 1, -1UL, -EINVAL };
	struct iommu_domain *domain = attach_test_alloc(test, &mtk);
	int i;

	mtk_m4u[0].plat_data = &mt8188_data_infra;
	for (i = 0; i < ARRAY_SIZE(says); i++) {
		mtk_firmware_says = says[i];
		KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, mtk.dev, NULL), -ENODEV);
		KUNIT_EXPECT_EQ(test, mtk_seen(test), 0);
	}
	mtk_firmware_says = 0;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, mtk.dev, NULL), 0);
	KUNIT_EXPECT_NE(test, mtk_seen(test), 0);
	mtk_firmware_says = 1;
	KUNIT_EXPECT_EQ(test, mtk_to_identity(mtk.dev, domain), -ENODEV);
	mtk_firmware_says = 0;
	mtk_leave(test, domain);
	domain->ops->free(domain);
}

/* No device has attached the domain that failed for its mask: no fault is told to it. */
static void mtk_mask(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &mtk);

	mtk_no_mask(test, domain);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, mtk.dev, NULL), -EIO);
	KUNIT_EXPECT_PTR_EQ(test, mtk_banks[0][0].m4u_dom, NULL);
	KUNIT_EXPECT_PTR_EQ(test, to_mtk_domain(domain)->bank, NULL);
	mtk_mask_again(test, domain);
	mtk_leave(test, domain);
	domain->ops->free(domain);
}

/* A domain that is fresh stays so, whatever fails, and fits another M4U. */
static void mtk_fresh(struct kunit *test)
{
	static const char * const calls[] = {
		"pm_runtime_resume_and_get", "devm_request_irq", "regmap_update_bits",
	};
	struct iommu_domain *domain;
	int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		domain = attach_test_alloc(test, &mtk);
		attach_test.call = calls[i];
		attach_test.nth = 1;
		attach_test.ret = -EIO;
		KUNIT_EXPECT_NE_MSG(test, domain->ops->attach_dev(domain, mtk.dev, NULL), 0,
				    calls[i]);
		KUNIT_EXPECT_PTR_EQ_MSG(test, mtk_banks[0][0].m4u_dom, NULL, calls[i]);
		KUNIT_EXPECT_EQ_MSG(test, domain->ops->attach_dev(domain, mtk_other_m4u, NULL), 0,
				    calls[i]);
		KUNIT_EXPECT_NE_MSG(test, mtk_regs[1][0][REG_MMU_PT_BASE_ADDR / 4], 0, calls[i]);
		KUNIT_EXPECT_NE_MSG(test, mtk_regs[1][0][REG_MMU_PT_BASE_ADDR / 4],
				    mtk_regs[0][0][REG_MMU_PT_BASE_ADDR / 4], calls[i]);
		KUNIT_EXPECT_EQ_MSG(test, mtk_nr_tables, 2, calls[i]);
		KUNIT_EXPECT_PTR_EQ_MSG(test, to_mtk_domain(domain)->iop, mtk_tables[1], calls[i]);
		domain->ops->free(domain);
		KUNIT_EXPECT_PTR_EQ_MSG(test, mtk_banks[1][0].m4u_dom, NULL, calls[i]);
	}
	domain = attach_test_alloc(test, &mtk);
	mtk_leave(test, domain);
	domain->ops->free(domain);
}

/* The M4U goes on with the table of a domain that is freed, but not with the domain. */
static void mtk_free(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &mtk);
	struct iommu_domain *domain = attach_test_alloc(test, &mtk);
	u32 *table = &mtk_regs[0][0][REG_MMU_PT_BASE_ADDR / 4], was;

	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, mtk.dev, NULL), 0);
	was = *table;
	old->ops->free(old);
	KUNIT_EXPECT_PTR_EQ(test, mtk_banks[0][0].m4u_dom, NULL);
	*table = 0;
	KUNIT_EXPECT_EQ(test, mtk_iommu_runtime_resume(mtk_m4u[0].dev), 0);
	KUNIT_EXPECT_EQ(test, *table, was);

	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, mtk.dev, NULL), 0);
	KUNIT_EXPECT_PTR_EQ(test, to_mtk_domain(domain)->iop, mtk_tables[0]);
	KUNIT_EXPECT_EQ(test, *table, was);
	mtk_leave(test, domain);
	domain->ops->free(domain);
}

/* A domain may be freed when its M4U is gone, whose memory is somebody else's by then. */
static void mtk_free_late(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &mtk);
	struct mtk_iommu_domain *dom = to_mtk_domain(domain);

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, mtk.dev, NULL), 0);
	mtk_leave(test, domain);
	mtk_iommu_unbound(&mtk_m4u[0]);
	list_del(&mtk_m4u[0].list);
	list_add_tail(&mtk_m4u[0].list, &mtk_m4u[0].hw_list_head);
	domain->ops->free(domain);
	KUNIT_EXPECT_PTR_EQ_MSG(test, mtk_banks[0][0].m4u_dom, dom, "written to");
	mtk_list(&mtk_m4u[0]);
}

/* A region inside of another has its upper address bits, and so the same mappings. */
static void mtk_region_inside(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &mtk);

	mtk_mm_larbs(13, 9, 2);
	mtk_bind_bank(test, domain);
	KUNIT_EXPECT_EQ(test, domain->geometry.aperture_start, SZ_4G * 2);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, mtk.dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, mtk_m4u[0].larb_imu[13].bank[9], 2);
	KUNIT_EXPECT_EQ(test, mtk_m4u[0].larb_imu[13].mmu, BIT(9) | BIT(10));
	mtk_leave(test, domain);
	domain->ops->free(domain);
}

/* The group of a region is the same as long as the M4U is bound, though it has no device. */
static void mtk_groups(struct kunit *test)
{
	struct iommu_group *group = mtk_iommu_ops.device_group(mtk.dev);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, group);
	KUNIT_ASSERT_EQ(test, mtk_group_refs, 2);
	iommu_group_put(group);
	KUNIT_EXPECT_PTR_EQ(test, mtk_iommu_ops.device_group(mtk.dev), group);
	KUNIT_EXPECT_EQ(test, mtk_group_refs, 2);
	iommu_group_put(group);
	mtk_iommu_put_groups(&mtk_m4u[0]);
	KUNIT_EXPECT_PTR_EQ(test, mtk_m4u[0].m4u_group[0], NULL);
	KUNIT_EXPECT_EQ(test, mtk_group_refs, 0);
}

/* A PCIe controller writes with a port of its own. */
static void mtk_pcie(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &mtk);

	mtk_pci = mtk_other_m4u;
	mtk_ports = BIT(20);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, mtk_pci, NULL), 0);
	KUNIT_EXPECT_EQ(test, mtk_ports, BIT(18) | BIT(19) | BIT(20));
	KUNIT_EXPECT_EQ(test, mtk_to_identity(mtk_pci, domain), 0);
	KUNIT_EXPECT_EQ(test, mtk_ports, BIT(20));
	mtk_leave(test, domain);
	domain->ops->free(domain);
}

/* How wide the addresses are, in the page table and in the registers */
struct mtk_width {
	const char *name;
	const struct mtk_iommu_plat_data *data;
	bool enable_4GB;
	u64 protect;
	unsigned int oas;
	bool wide_ttbr;
	u32 range, ivrp;
};

static const struct mtk_width mtk_widths[] = {
	{ .name = "MT8173", .data = &mt8173_data, .protect = 0x40100000, .oas = 32,
	  .ivrp = 0x20080000 },
	{ .name = "MT8173 with 4 GB", .data = &mt8173_data, .enable_4GB = true,
	  .protect = 0x40100000, .oas = 33, .ivrp = 0xa0080000 },
	{ .name = "MT2712", .data = &mt2712_data, .protect = 0x40100000, .oas = 32,
	  .ivrp = 0x40100000 },
	{ .name = "MT2712 with 4 GB", .data = &mt2712_data, .enable_4GB = true,
	  .protect = 0x140100000, .oas = 33, .range = 0x704, .ivrp = 0x40100001 },
	{ .name = "MT6779", .data = &mt6779_data, .protect = 0x340100000, .oas = 35,
	  .wide_ttbr = true, .ivrp = 0x40100003 },
};

static void mtk_width_desc(const struct mtk_width *w, char *desc)
{
	strscpy(desc, w->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(mtk_width, mtk_widths, mtk_width_desc);

static void mtk_registers(struct kunit *test)
{
	const struct mtk_width *w = test->param_value;
	struct iommu_domain *domain = attach_test_alloc(test, &mtk);
	struct io_pgtable_cfg *cfg = &to_mtk_domain(domain)->cfg;

	mtk_mm(test, domain);
	mtk_m4u[0].plat_data = w->data;
	mtk_m4u[0].enable_4GB = w->enable_4GB;
	mtk_m4u[0].protect_base = w->protect;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, mtk.dev, NULL), 0);
	KUNIT_EXPECT_NE(test, mtk_seen(test), 0);
	KUNIT_EXPECT_EQ(test, cfg->oas, w->oas);
	KUNIT_EXPECT_EQ(test, !!(cfg->quirks & IO_PGTABLE_QUIRK_ARM_MTK_TTBR_EXT), w->wide_ttbr);
	KUNIT_EXPECT_EQ(test, mtk_regs[0][0][REG_MMU_VLD_PA_RNG / 4], w->range);
	KUNIT_EXPECT_EQ(test, mtk_regs[0][0][REG_MMU_IVRP_PADDR / 4], w->ivrp);
	mtk_leave(test, domain);
	domain->ops->free(domain);
}

/* Domains of other M4Us may point to one that is bound. */
static void mtk_stays_bound(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, mtk_iommu_driver.driver.suppress_bind_attrs);
}

static struct device *mtk_client(struct kunit *test, struct mtk_iommu_data *data,
				 u32 id, u32 id2)
{
	struct device *dev = attach_test_device(test, "mtk-client");
	struct iommu_fwspec *fwspec = kunit_kzalloc(test, struct_size(fwspec, ids, 2), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fwspec);
	fwspec->num_ids = id2 ? 2 : 1;
	fwspec->ids[0] = id;
	fwspec->ids[1] = id2;
	dev_iommu_fwspec_set(dev, fwspec);
	dev_iommu_priv_set(dev, data);
	return dev;
}

static int mtk_init(struct kunit *test)
{
	struct mtk_iommu_bank_data *bank;
	struct mtk_iommu_data *data;
	int i, j;

	memset(&attach_test, 0, sizeof(attach_test));
	memset(mtk_regs, 0, sizeof(mtk_regs));
	memset(mtk_m4u, 0, sizeof(mtk_m4u));
	memset(mtk_banks, 0, sizeof(mtk_banks));
	mtk_ports = 0;
	mtk_pci = NULL;
	mtk_firmware_says = 0;
	mtk_group_refs = 0;
	for (i = 0; i < ARRAY_SIZE(mtk_m4u); i++) {
		data = &mtk_m4u[i];
		data->dev = attach_test_device(test, "mtk-m4u");
		dev_set_drvdata(data->dev, data);
		data->plat_data = &mt8195_data_infra;
		data->bank = mtk_banks[i];
		mutex_init(&data->mutex);
		mtk_list(data);
		/* As if it had been suspended before */
		data->reg.wr_len_ctrl = 1;
		for (j = 0; j < 2; j++) {
			bank = &data->bank[j * 4];
			bank->id = j * 4;
			bank->base = (void __iomem *)mtk_regs[i][j];
			bank->parent_dev = data->dev;
			bank->parent_data = data;
			spin_lock_init(&bank->tlb_lock);
			mtk_regs[i][j][REG_MMU_WR_LEN_CTRL / 4] = 1;
		}
	}
	mtk.dev = mtk_client(test, &mtk_m4u[0], MTK_M4U_ID(0, 16), MTK_M4U_ID(0, 17));
	mtk_other = mtk_client(test, &mtk_m4u[0], MTK_M4U_ID(0, 20), 0);
	mtk_other_m4u = mtk_client(test, &mtk_m4u[1], MTK_M4U_ID(0, 18), 0);
	mtk.ops = &mtk_iommu_ops;
	mtk.seen = mtk_seen;
	mtk.leave = mtk_leave;
	attach_test.resume = mtk_iommu_runtime_resume;
	attach_test.suspend = mtk_iommu_runtime_suspend;
	return 0;
}

static void mtk_exit(struct kunit *test)
{
	struct device *devs[] = { mtk.dev, mtk_other, mtk_other_m4u };
	int i;

	for (i = 0; i < ARRAY_SIZE(devs); i++)
		attach_test_remove(devs[i]);
	for (i = 0; i < ARRAY_SIZE(mtk_m4u); i++) {
		mtk_iommu_unbound(&mtk_m4u[i]);
		list_del(&mtk_m4u[i].list);
		attach_test_remove(mtk_m4u[i].dev);
	}
}

static struct kunit_case mtk_kunit[] = {
	KUNIT_CASE_PARAM(mtk_attach, mtk_gen_params),
	KUNIT_CASE(mtk_kept),
	KUNIT_CASE(mtk_identity),
	KUNIT_CASE(mtk_firmware),
	KUNIT_CASE(mtk_mask),
	KUNIT_CASE(mtk_groups),
	KUNIT_CASE(mtk_fresh),
	KUNIT_CASE(mtk_free),
	KUNIT_CASE(mtk_free_late),
	KUNIT_CASE(mtk_region_inside),
	KUNIT_CASE(mtk_pcie),
	KUNIT_CASE_PARAM(mtk_registers, mtk_width_gen_params),
	KUNIT_CASE(mtk_stays_bound),
	{}
};

static struct kunit_suite mtk_suite = {
	.name = "mtk-iommu", .init = mtk_init, .exit = mtk_exit, .test_cases = mtk_kunit,
};

kunit_test_suite(mtk_suite);
