// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of arm-smmu.c and its implementations, see attach-test.h
 *
 * One device with two streams, a GPU, and a device of another SMMU.
 */
#define pr_fmt(fmt) "arm-smmu: " fmt

#include <linux/acpi.h>
#include <linux/acpi_iort.h>
#include <linux/adreno-smmu-priv.h>
#include <linux/delay.h>
#include <linux/firmware/qcom/qcom_scm.h>
#include <linux/fsl/mc.h>
#include <linux/iopoll.h>
#include <linux/of_address.h>
#include <linux/of_device.h>
#include <linux/pci.h>
#include <soc/tegra/mc.h>

#include "../../attach-test.h"
#include "arm-smmu.h"
#include "arm-smmu-qcom.h"

/* The firmware, its help with a TLB that hangs, and no time to wait for that */
#define qcom_scm_is_available()			true
#define qcom_scm_qsmmu500_wait_safe_toggle(...) \
	FAIL_OR("qcom_scm_qsmmu500_wait_safe_toggle", 0)
#define qcom_smmu_tlb_sync_debug(...)		(attach_test.prints++)
#undef udelay
#define udelay(us)				((void)(us))
#define __pm_runtime_put_autosuspend(dev)	attach_test_pm_put(dev)
/* Whether it is on for runtime PM, which may refuse to resume it all the same */
static bool smmu_active;
#define pm_runtime_get_if_active(dev) \
	({ (void)(dev); smmu_active ? ++attach_test.held[PM] : 0; })
#define devm_request_threaded_irq(dev, irq, handler, fn, ...)			\
	TAKE_ERR(IRQ, "devm_request_threaded_irq",				\
		 ((void)(dev), (void)(irq), (void)(handler), (void)(fn), 0))
/* Which SoC it is */
#define of_device_is_compatible(np, name) \
	((void)(np), smmu_soc && !strcmp(name, smmu_soc))
/* Loads the driver, and only that */
#undef MODULE_ALIAS
#define MODULE_ALIAS(alias)

static const char *smmu_soc;
static void arm_smmu_unlock(struct mutex *lock);
#define mutex_unlock(lock)	arm_smmu_unlock(lock)

#include "arm-smmu-impl.c"
#include "arm-smmu-nvidia.c"
#include "arm-smmu-qcom.c"
#include "arm-smmu.c"

#undef mutex_unlock

/* Only kernels of 32 bits use short descriptors. */
#ifdef CONFIG_64BIT
#define TEST_SUITE	"arm-smmu"
#else
#define TEST_SUITE	"arm-smmu-32"
#endif

#define TEST_BANKS	4
#define TEST_STREAMS	4
#define TEST_FORMATS	(ARM_SMMU_FEAT_FMT_AARCH64_4K | ARM_SMMU_FEAT_FMT_AARCH32_L)

/* Two pages of global registers, one for each bank */
static u32 smmu_regs[2][2 + TEST_BANKS][SZ_4K / 4];
static union {
	struct arm_smmu_device smmu;
	struct qcom_smmu qcom;
	struct nvidia_smmu nvidia;
	struct cavium_smmu cavium;
} smmus[2];
static struct arm_smmu_cb smmu_cbs[2][TEST_BANKS];
static struct arm_smmu_s2cr smmu_s2crs[2][TEST_STREAMS];
static struct arm_smmu_smr smmu_smrs[TEST_STREAMS];
static unsigned int smmu_irqs[TEST_BANKS];
static DECLARE_BITMAP(smmu_map, ARM_SMMU_MAX_CBS);
/* Streams 1 and 2; 0, which is the GPU's; and 0 of the other SMMU */
static struct device *smmu_devs[3];
static struct arm_smmu_master_cfg *smmu_cfg;
static struct adreno_smmu_priv smmu_adreno;
static struct arm_smmu_domain *smmu_watched;
static bool smmu_unpublished;
static struct attach_driver smmu;

/* Who has the mutex next must find a page table in a domain with an SMMU. */
static void arm_smmu_unlock(struct mutex *lock)
{
	if (smmu_watched && lock == &smmu_watched->init_mutex)
		smmu_unpublished |= smmu_watched->smmu && !smmu_watched->pgtbl_ops;
	mutex_unlock(lock);
}

/* The page table of a stream, 0 if it is not translated */
static u64 smmu_table(int sid)
{
	u32 s2cr = smmu_regs[0][0][ARM_SMMU_GR0_S2CR(sid) / 4];
	u32 *bank = smmu_regs[0][2 + FIELD_GET(ARM_SMMU_S2CR_CBNDX, s2cr) % TEST_BANKS];

	if (smmu_regs[0][0][ARM_SMMU_GR0_sCR0 / 4] & ARM_SMMU_sCR0_CLIENTPD ||
	    FIELD_GET(ARM_SMMU_S2CR_TYPE, s2cr) != S2CR_TYPE_TRANS ||
	    !(bank[ARM_SMMU_CB_SCTLR / 4] & ARM_SMMU_SCTLR_M))
		return 0;
	return *(u64 *)&bank[ARM_SMMU_CB_TTBR0 / 4] & ~ARM_SMMU_TTBRn_ASID;
}

/* Functions: with FIELD_GET() in them the macros of KUnit are too long for sparse */
static u32 smmu_type(u32 s2cr)
{
	return FIELD_GET(ARM_SMMU_S2CR_TYPE, s2cr);
}

static u32 smmu_bank(u32 s2cr)
{
	return FIELD_GET(ARM_SMMU_S2CR_CBNDX, s2cr);
}

static u64 smmu_seen(struct kunit *test)
{
	KUNIT_EXPECT_EQ_MSG(test, smmu_table(1), smmu_table(2), "neither here nor there");
	return smmu_table(1);
}

static int smmu_suspend(struct device *dev)
{
	int ret = arm_smmu_runtime_suspend(dev);

	return FAIL_OR("suspend", ret);
}

static int smmu_attach_to(struct iommu_domain *domain, struct device *dev)
{
	return domain->ops->attach_dev(domain, dev, smmu.ops->blocked_domain);
}

static void smmu_unprobe(struct kunit *test, struct iommu_domain *domain)
{
	smmu_cfg = dev_iommu_priv_get(smmu.dev);
	dev_iommu_priv_set(smmu.dev, NULL);
}

static void smmu_probe_again(struct kunit *test, struct iommu_domain *domain)
{
	dev_iommu_priv_set(smmu.dev, smmu_cfg);
}

static void smmu_attach_other(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, smmu_attach_to(domain, smmu_devs[2]), 0);
}

static void smmu_no_format(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].smmu.features &= ~TEST_FORMATS;
}

static void smmu_formats(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].smmu.features |= TEST_FORMATS;
}

static void smmu_no_bank(struct kunit *test, struct iommu_domain *domain)
{
	bitmap_copy(smmu_map, smmus[0].smmu.context_map, TEST_BANKS);
	bitmap_fill(smmus[0].smmu.context_map, TEST_BANKS);
}

static void smmu_banks(struct kunit *test, struct iommu_domain *domain)
{
	bitmap_copy(smmus[0].smmu.context_map, smmu_map, TEST_BANKS);
}

static void smmu_adreno_impl(struct qcom_smmu *qcom)
{
	qcom->smmu.impl = &qcom_adreno_smmu_500_impl;
	qcom->data = &qcom_smmu_500_impl0_data;
}

/* Bank 0 is free, but for the GPU only. */
static void smmu_adreno_bank(struct kunit *test, struct iommu_domain *domain)
{
	smmu_adreno_impl(&smmus[0].qcom);
	smmu_no_bank(test, domain);
	clear_bit(0, smmus[0].smmu.context_map);
}

static void smmu_adreno_setup(struct kunit *test, struct iommu_domain *domain)
{
	smmu_adreno_impl(&smmus[0].qcom);
}

static int smmu_no_context(struct arm_smmu_domain *smmu_domain, struct io_pgtable_cfg *cfg,
			   struct device *dev)
{
	return -ENODEV;
}

/* The second try finds no bank if the first has not freed it. */
static void smmu_impl_fails(struct kunit *test, struct iommu_domain *domain)
{
	static const struct arm_smmu_impl impl = { .init_context = smmu_no_context };

	smmus[0].smmu.impl = &impl;
	bitmap_set(smmus[0].smmu.context_map, 2, TEST_BANKS - 2);
}

static void smmu_no_impl(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].smmu.impl = NULL;
}

/* In the cases from here on it is the resume that lets clients in. */
static void smmu_sdm845(struct kunit *test, struct iommu_domain *domain)
{
	static const struct arm_smmu_impl sdm845 = { .reset = qcom_sdm845_smmu500_reset };

	smmus[0].smmu.impl = &sdm845;
	smmu_regs[0][0][ARM_SMMU_GR0_sCR0 / 4] = ARM_SMMU_sCR0_CLIENTPD;
}

static void smmu_hang(struct kunit *test, struct iommu_domain *domain)
{
	smmu_regs[0][0][ARM_SMMU_GR0_sCR0 / 4] = ARM_SMMU_sCR0_CLIENTPD;
	smmu_regs[0][0][ARM_SMMU_GR0_sTLBGSTATUS / 4] = ARM_SMMU_sTLBGSTATUS_GSACTIVE;
}

static void smmu_hang_qcom(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].smmu.impl = &qcom_smmu_500_impl;
	smmus[0].qcom.data = &qcom_smmu_500_impl0_data;
	smmu_hang(test, domain);
}

/* Its second instance hangs. */
static void smmu_hang_nvidia(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].smmu.impl = &nvidia_smmu_impl;
	smmus[0].nvidia.num_instances = 2;
	smmus[0].nvidia.bases[0] = (void __iomem *)smmu_regs[0];
	smmus[0].nvidia.bases[1] = (void __iomem *)smmu_regs[1];
	smmu_regs[0][0][ARM_SMMU_GR0_sCR0 / 4] = ARM_SMMU_sCR0_CLIENTPD;
	smmu_regs[1][0][ARM_SMMU_GR0_sTLBGSTATUS / 4] = ARM_SMMU_sTLBGSTATUS_GSACTIVE;
}

static const struct attach_case smmu_cases[] = {
	{ .name = "arm_smmu_attach_dev: the device is not probed yet",
	  .setup = smmu_unprobe, .undo = smmu_probe_again, .first = true, .expect = -ENODEV },
	{ .name = "arm_smmu_attach_dev: the SMMU does not resume",
	  .call = "pm_runtime_resume_and_get", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "arm_smmu_attach_dev: the domain belongs to another SMMU",
	  .setup = smmu_attach_other, .expect = -EINVAL },
	{ .name = "arm_smmu_init_domain_context: no context format",
	  .setup = smmu_no_format, .undo = smmu_formats, .expect = -ENODEV },
	{ .name = "arm_smmu_init_domain_context: no context bank",
	  .setup = smmu_no_bank, .undo = smmu_banks, .expect = -ENOSPC },
	{ .name = "qcom_adreno_smmu_alloc_context_bank: only the GPU's",
	  .setup = smmu_adreno_bank, .undo = smmu_banks, .expect = -ENOSPC },
	{ .name = "arm_smmu_init_domain_context: the implementation fails",
	  .setup = smmu_impl_fails, .undo = smmu_no_impl, .expect = -ENODEV },
	{ .name = "arm_smmu_init_domain_context: no page table",
	  .call = "alloc_io_pgtable_ops", .expect = -ENOMEM },
	{ .name = "arm_smmu_init_domain_context: no context interrupt",
	  .call = "devm_request_irq", .ret = -EBUSY },
	{ .name = "arm_smmu_init_domain_context: no threaded context interrupt",
	  .call = "devm_request_threaded_irq", .ret = -EBUSY, .setup = smmu_adreno_setup,
	  .undo = smmu_no_impl },
	{ .name = "arm_smmu_rpm_put: the idle request fails",
	  .call = "suspend", .ret = -EBUSY },
	{ .name = "arm_smmu_runtime_resume: EIO of a clock",
	  .call = "clk_bulk_enable", .ret = -EIO, .expect = -EIO },
	{ .name = "arm_smmu_runtime_resume: EINVAL of a clock",
	  .call = "clk_bulk_enable", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "arm_smmu_device_reset: qcom_sdm845_smmu500_reset fails",
	  .call = "qcom_scm_qsmmu500_wait_safe_toggle", .ret = -EINVAL, .setup = smmu_sdm845 },
	{ .name = "arm_smmu_attach_dev: success" },
};

KUNIT_ARRAY_PARAM(smmu, smmu_cases, attach_case_desc);

static void smmu_attach(struct kunit *test)
{
	attach_check(test, &smmu, test->param_value);
}

/* A hang of the TLB at resume is told, and no more. */
static const struct attach_case smmu_hang_cases[] = {
	{ .name = "__arm_smmu_tlb_sync: times out", .setup = smmu_hang },
	{ .name = "qcom_smmu_tlb_sync: times out", .setup = smmu_hang_qcom },
	{ .name = "nvidia_smmu_tlb_sync: times out", .setup = smmu_hang_nvidia },
	{ .name = "qcom_sdm845_smmu500_reset: the firmware refuses",
	  .call = "qcom_scm_qsmmu500_wait_safe_toggle", .ret = -EINVAL, .setup = smmu_sdm845 },
};

KUNIT_ARRAY_PARAM(smmu_hang, smmu_hang_cases, attach_case_desc);

static void smmu_told(struct kunit *test)
{
	const struct attach_case *c = test->param_value;
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);

	c->setup(test, domain);
	attach_test.prints = 0;
	attach_test_inject(c->call, 1, c->ret);
	KUNIT_EXPECT_EQ(test, smmu_attach_to(domain, smmu.dev), 0);
	attach_test.call = NULL;
	KUNIT_EXPECT_NE(test, attach_test.prints, 0);
	KUNIT_EXPECT_NE(test, smmu_seen(test), 0);
	domain->ops->free(domain);
}

/*
 * A domain that failed at an SMMU with stage 2 only is like new for another
 * one, where it gets stage 1.
 */
static const struct attach_case smmu_reset_cases[] = {
	{ .name = "arm_smmu_init_domain_context: reset without a format",
	  .setup = smmu_no_format, .expect = -ENODEV },
	{ .name = "arm_smmu_init_domain_context: reset without a bank",
	  .setup = smmu_no_bank, .expect = -ENOSPC },
	{ .name = "arm_smmu_init_domain_context: reset without a table",
	  .call = "alloc_io_pgtable_ops", .expect = -ENOMEM },
	{ .name = "arm_smmu_init_domain_context: reset after the implementation",
	  .setup = smmu_impl_fails, .expect = -ENODEV },
};

KUNIT_ARRAY_PARAM(smmu_reset, smmu_reset_cases, attach_case_desc);

static void smmu_reset(struct kunit *test)
{
	const struct attach_case *c = test->param_value;
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	u32 cbar;

	smmus[0].smmu.features &= ~ARM_SMMU_FEAT_TRANS_S1;
	if (c->setup)
		c->setup(test, domain);
	attach_test_inject(c->call, 1, 0);
	KUNIT_EXPECT_EQ(test, smmu_attach_to(domain, smmu.dev), c->expect);
	attach_test.call = NULL;
	/* There is no SMMU to flush */
	KUNIT_EXPECT_TRUE(test, !to_smmu_domain(domain)->flush_ops);
	KUNIT_EXPECT_EQ(test, smmu_attach_to(domain, smmu_devs[2]), 0);
	cbar = FIELD_GET(ARM_SMMU_CBAR_TYPE, smmu_regs[1][1][ARM_SMMU_GR1_CBAR(0) / 4]);
	KUNIT_EXPECT_EQ(test, cbar, CBAR_TYPE_S1_TRANS_S2_BYPASS);
	domain->ops->free(domain);
}

/* Nor does it bring a format to an SMMU that has none. */
static void smmu_reset_format(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);

	smmu_no_bank(test, domain);
	KUNIT_EXPECT_EQ(test, smmu_attach_to(domain, smmu.dev), -ENOSPC);
	smmus[1].smmu.features &= ~TEST_FORMATS;
	KUNIT_EXPECT_EQ(test, smmu_attach_to(domain, smmu_devs[2]), -ENODEV);
	domain->ops->free(domain);
}

/* What the hardware does with the first stream of the device */
static u32 smmu_stream(void)
{
	struct arm_smmu_master_cfg *cfg = dev_iommu_priv_get(smmu.dev);

	return FIELD_GET(ARM_SMMU_S2CR_TYPE,
			 smmu_regs[0][0][ARM_SMMU_GR0_S2CR(cfg->smendx[0]) / 4]);
}

/* Blocking and bypass do not fail, also where the SMMU does not resume. */
static const struct smmu_off {
	const char *name;
	struct iommu_domain *domain;
	enum arm_smmu_s2cr_type type;
} smmu_offs[] = {
	{ "arm_smmu_attach_dev_blocked", &arm_smmu_blocked_domain, S2CR_TYPE_FAULT },
	{ "arm_smmu_attach_dev_identity", &arm_smmu_identity_domain, S2CR_TYPE_BYPASS },
};

static void smmu_off_desc(const struct smmu_off *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(smmu_off, smmu_offs, smmu_off_desc);

static void smmu_off_asleep(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	const struct smmu_off *c = test->param_value;

	KUNIT_ASSERT_EQ(test, smmu_attach_to(domain, smmu.dev), 0);
	KUNIT_EXPECT_NE(test, smmu_seen(test), 0);
	attach_test_inject("clk_bulk_enable", 1, -EIO);
	KUNIT_EXPECT_EQ(test, c->domain->ops->attach_dev(c->domain, smmu.dev, domain), 0);
	attach_test.call = NULL;
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
	/* Until then it does no DMA. */
	KUNIT_EXPECT_EQ(test, arm_smmu_runtime_resume(smmus[0].smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, smmu_stream(), c->type);
	KUNIT_EXPECT_EQ(test, smmu_seen(test), 0);
	KUNIT_EXPECT_EQ(test, arm_smmu_runtime_suspend(smmus[0].smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, smmu_attach_to(domain, smmu.dev), 0);
	KUNIT_EXPECT_NE(test, smmu_seen(test), 0);
	KUNIT_EXPECT_EQ(test, c->domain->ops->attach_dev(c->domain, smmu.dev, domain), 0);
	KUNIT_EXPECT_EQ(test, smmu_stream(), c->type);
	KUNIT_EXPECT_EQ(test, smmu_seen(test), 0);
	domain->ops->free(domain);
}

/* After a suspend that failed the SMMU is on: the streams must not wait for a resume. */
static void smmu_off_active(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	const struct smmu_off *c = test->param_value;

	KUNIT_ASSERT_EQ(test, smmu_attach_to(domain, smmu.dev), 0);
	smmu_active = true;
	attach_test_inject("pm_runtime_resume_and_get", 1, -EINVAL);
	KUNIT_EXPECT_EQ(test, c->domain->ops->attach_dev(c->domain, smmu.dev, domain), 0);
	attach_test.call = NULL;
	smmu_active = false;
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
	KUNIT_EXPECT_EQ(test, smmu_stream(), c->type);
	domain->ops->free(domain);
}

static void smmu_off_unprobed(struct kunit *test)
{
	const struct smmu_off *c = test->param_value;

	smmu_unprobe(test, NULL);
	KUNIT_EXPECT_EQ(test, smmu_attach_to(c->domain, smmu.dev), -ENODEV);
	smmu_probe_again(test, NULL);
}

/* Nor does an SMMU that does not resume keep a device that is gone. */
static void smmu_release_asleep(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);

	KUNIT_ASSERT_EQ(test, smmu_attach_to(domain, smmu.dev), 0);
	disable_bypass = true;
	attach_test_inject("clk_bulk_enable", 1, -EIO);
	arm_smmu_release_device(smmu.dev);
	attach_test.call = NULL;
	dev_iommu_priv_set(smmu.dev, NULL);
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
	KUNIT_EXPECT_EQ(test, smmus[0].smmu.s2crs[1].count, 0);
	KUNIT_EXPECT_EQ(test, smmus[0].smmu.s2crs[2].count, 0);
	KUNIT_EXPECT_EQ(test, arm_smmu_runtime_resume(smmus[0].smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, smmu_type(smmu_regs[0][0][ARM_SMMU_GR0_S2CR(1) / 4]),
			S2CR_TYPE_FAULT);
	KUNIT_EXPECT_EQ(test, smmu_seen(test), 0);
	KUNIT_EXPECT_EQ(test, arm_smmu_runtime_suspend(smmus[0].smmu.dev), 0);
	domain->ops->free(domain);
}

/* What maps and flushes gives back no more than it got, and flushes nothing that is off. */
static void smmu_map_asleep(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	u32 *bank = smmu_regs[0][2];
	struct iommu_iotlb_gather gather = {};
	size_t mapped = 0;

	KUNIT_ASSERT_EQ(test, smmu_attach_to(domain, smmu.dev), 0);
	attach_test_inject("clk_bulk_enable", 1, -EIO);
	KUNIT_EXPECT_EQ(test, domain->ops->map_pages(domain, SZ_4M, SZ_1M, SZ_4K, 1,
						     IOMMU_READ, GFP_KERNEL, &mapped), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
	attach_test_inject("clk_bulk_enable", 1, -EIO);
	KUNIT_EXPECT_EQ(test, domain->ops->unmap_pages(domain, SZ_4M, SZ_4K, 1, &gather), SZ_4K);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
	attach_test.held[PM] = 0;
	bank[ARM_SMMU_CB_S1_TLBIASID / 4] = 0x5555;
	bank[ARM_SMMU_CB_TLBSYNC / 4] = 0x5555;
	attach_test_inject("clk_bulk_enable", 1, -EIO);
	domain->ops->flush_iotlb_all(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
	KUNIT_EXPECT_EQ(test, bank[ARM_SMMU_CB_S1_TLBIASID / 4], 0x5555);
	attach_test.held[PM] = 0;
	attach_test_inject("clk_bulk_enable", 1, -EIO);
	domain->ops->iotlb_sync(domain, &gather);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
	KUNIT_EXPECT_EQ(test, bank[ARM_SMMU_CB_TLBSYNC / 4], 0x5555);
	attach_test.held[PM] = 0;
	KUNIT_EXPECT_EQ(test, smmu_attach_to(smmu.ops->blocked_domain, smmu.dev), 0);
	domain->ops->free(domain);
}

/*
 * arm_smmu_destroy_domain_context: it does not resume, as when the device left, which must not
 * come back to the domain.
 */
static void smmu_free_asleep(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	struct io_pgtable_ops *ops;

	KUNIT_ASSERT_EQ(test, smmu_attach_to(domain, smmu.dev), 0);
	KUNIT_EXPECT_NE(test, smmu_regs[0][2][ARM_SMMU_CB_SCTLR / 4] & ARM_SMMU_SCTLR_M, 0);
	ops = to_smmu_domain(domain)->pgtbl_ops;
	attach_test_inject("clk_bulk_enable", 1, -EIO);
	KUNIT_EXPECT_EQ(test, smmu_attach_to(smmu.ops->blocked_domain, smmu.dev), 0);
	attach_test_inject("clk_bulk_enable", 1, -EIO);
	domain->ops->free(domain);
	attach_test.call = NULL;
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[IRQ], 0);
	KUNIT_EXPECT_NULL(test, smmu_cbs[0][0].cfg);
	KUNIT_EXPECT_TRUE(test, bitmap_empty(smmus[0].smmu.context_map, TEST_BANKS));
	/* The bank may walk the table until the next resume. */
	KUNIT_EXPECT_NE(test, smmu_regs[0][2][ARM_SMMU_CB_SCTLR / 4] & ARM_SMMU_SCTLR_M, 0);
	KUNIT_ASSERT_EQ(test, attach_test.held[PGTABLE], 1);
	smmu_cbs[0][0].cfg = NULL;
	KUNIT_EXPECT_EQ(test, arm_smmu_runtime_resume(smmus[0].smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, smmu_regs[0][2][ARM_SMMU_CB_SCTLR / 4], 0);
	KUNIT_EXPECT_EQ(test, smmu_stream(), S2CR_TYPE_FAULT);
	KUNIT_EXPECT_EQ(test, arm_smmu_runtime_suspend(smmus[0].smmu.dev), 0);
	io_pgtable_ops_to_pgtable(ops)->cfg.tlb = NULL;
	free_io_pgtable_ops(ops);
}

static void smmu_publish(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);

	smmu_watched = to_smmu_domain(domain);
	KUNIT_EXPECT_EQ(test, smmu_attach_to(domain, smmu.dev), 0);
	smmu_watched = NULL;
	KUNIT_EXPECT_FALSE(test, smmu_unpublished);
	domain->ops->free(domain);
}

/* There is one bank for the GPU, and its driver hears of the domain in it. */
static void smmu_gpu(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	struct iommu_domain *other = attach_test_alloc(test, &smmu);

	smmu_adreno_impl(&smmus[0].qcom);
	attach_test_inject("alloc_io_pgtable_ops", 1, 0);
	KUNIT_EXPECT_EQ(test, smmu_attach_to(other, smmu_devs[1]), -ENOMEM);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, smmu_attach_to(domain, smmu_devs[1]), 0);
	KUNIT_EXPECT_PTR_EQ(test, smmu_adreno.cookie,
			    (const void *)to_smmu_domain(domain));
	KUNIT_EXPECT_EQ(test, smmu_attach_to(other, smmu_devs[1]), -ENOSPC);
	KUNIT_EXPECT_PTR_EQ(test, smmu_adreno.cookie,
			    (const void *)to_smmu_domain(domain));
	other->ops->free(other);
	domain->ops->free(domain);
}

static void smmu_cavium(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].smmu.impl = &cavium_impl;
	smmus[0].cavium.id_base = 0x20;
}

/* Wider addresses than 32-bit formats have */
static void smmu_wide(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].smmu.ipa_size = 48;
	smmus[0].smmu.pa_size = 48;
}

static void __maybe_unused smmu_bank1(struct kunit *test, struct iommu_domain *domain)
{
	smmu_wide(test, domain);
	set_bit(0, smmus[0].smmu.context_map);
}

static void smmu_v1(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].smmu.version = ARM_SMMU_V1;
}

static void smmu_outer_cache(struct kunit *test, struct iommu_domain *domain)
{
	unsigned long quirks = IO_PGTABLE_QUIRK_ARM_OUTER_WBWA;

	KUNIT_EXPECT_EQ(test, domain->ops->set_pgtable_quirks(domain, quirks), 0);
}

static void smmu_tegra194(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].smmu.impl = &nvidia_smmu_single_impl;
	smmu_soc = "nvidia,tegra194-smmu";
}

static void smmu_msm8996(struct kunit *test, struct iommu_domain *domain)
{
	smmu_adreno_impl(&smmus[0].qcom);
	smmu_soc = "qcom,msm8996-smmu-v2";
}

static void smmu_gpu_stalls(struct kunit *test, struct iommu_domain *domain)
{
	smmu_adreno_impl(&smmus[0].qcom);
	smmus[0].qcom.stall_enabled = BIT(0);
}

static void smmu_mmu500(struct kunit *test, struct iommu_domain *domain)
{
	smmus[0].smmu.impl = &arm_mmu500_impl;
	smmu_regs[0][0][ARM_SMMU_GR0_ID7 / 4] = FIELD_PREP(ARM_SMMU_ID7_MAJOR, 2);
	smmu_regs[0][0][ARM_SMMU_GR0_sACR / 4] = ARM_MMU500_ACR_CACHE_LOCK;
	smmu_regs[0][2][ARM_SMMU_CB_ACTLR / 4] = ARM_MMU500_ACTLR_CPRE;
}

static void smmu_no_bypass(struct kunit *test, struct iommu_domain *domain)
{
	disable_bypass = true;
}

static void smmu_match(struct kunit *test, struct iommu_domain *domain)
{
	smmu_smrs[1] = (struct arm_smmu_smr){ .id = 0x10, .mask = 3, .valid = true };
	smmus[0].smmu.smrs = smmu_smrs;
}

#define TEST_AARCH64	ARM_SMMU_FEAT_FMT_AARCH64_4K
#define TEST_SMR	(3 << 16 | 0x10)

/* Registers of the pages that @regs names after an attach to what @setup makes */
static const struct smmu_setting {
	const char *name;
	void (*setup)(struct kunit *test, struct iommu_domain *domain);
	u32 without, features;
	bool gpu;
	unsigned long pages;
	struct { unsigned int page, at; u32 mask, value; } regs[3];
} smmu_settings[] = {
	{ .name = "cavium_init_context: ASID", .setup = smmu_cavium,
	  .regs = { { 2, ARM_SMMU_CB_TTBR0 + 4, 0xffff0000, 0x20 << 16 } } },
	{ .name = "cavium_init_context: VMID", .setup = smmu_cavium,
	  .without = ARM_SMMU_FEAT_TRANS_S1,
	  .regs = { { 1, ARM_SMMU_GR1_CBAR(0), ARM_SMMU_CBAR_VMID, 0x21 },
		    { 2, ARM_SMMU_CB_TCR, ARM_SMMU_VTCR_T0SZ, 64 - 40 } } },
	{ .name = "arm_smmu_write_context_bank: VMID of 16 bits",
	  .without = ARM_SMMU_FEAT_TRANS_S1, .features = ARM_SMMU_FEAT_VMID16,
	  .regs = { { 1, ARM_SMMU_GR1_CBAR(0), ARM_SMMU_CBAR_VMID, 0 },
		    { 1, ARM_SMMU_GR1_CBA2R(0), ARM_SMMU_CBA2R_VMID16, 1 << 16 },
		    { 0, ARM_SMMU_GR0_sCR0, ARM_SMMU_sCR0_VMID16EN, ARM_SMMU_sCR0_VMID16EN } } },
	{ .name = "arm_smmu_init_domain_context: long descriptors", .setup = smmu_wide,
	  .without = TEST_AARCH64,
	  .regs = { { 2, ARM_SMMU_CB_TCR, ARM_SMMU_TCR_EAE, ARM_SMMU_TCR_EAE },
		    { 1, ARM_SMMU_GR1_CBA2R(0), ARM_SMMU_CBA2R_VA64, 0 } } },
	{ .name = "arm_smmu_init_domain_context: long descriptors, stage 2", .setup = smmu_wide,
	  .without = TEST_AARCH64 | ARM_SMMU_FEAT_TRANS_S1,
	  .regs = { { 2, ARM_SMMU_CB_TCR, ARM_SMMU_VTCR_T0SZ, 64 - 40 } } },
#ifndef CONFIG_64BIT
	/* Its cacheable memory is TR4 and TR7, device memory TR1. */
	{ .name = "arm_smmu_init_domain_context: short descriptors", .setup = smmu_bank1,
	  .features = ARM_SMMU_FEAT_FMT_AARCH32_S,
	  .regs = { { 3, ARM_SMMU_CB_TCR, ARM_SMMU_TCR_EAE, 0 },
		    { 3, ARM_SMMU_CB_CONTEXTIDR, ~0, 1 },
		    { 3, ARM_SMMU_CB_S1_MAIR0, 0xffff, 2 << 14 | 2 << 8 | 1 << 2 } } },
#endif
	{ .name = "arm_smmu_init_domain_context: SMMUv1", .setup = smmu_v1,
	  .without = TEST_AARCH64 | ARM_SMMU_FEAT_TRANS_S1,
	  .regs = { { 1, ARM_SMMU_GR1_CBAR(0), ARM_SMMU_CBAR_IRPTNDX, 1 << 24 },
		    { 0, ARM_SMMU_GR0_TLBIVMID, ~0, 1 } } },
	{ .name = "arm_smmu_init_domain_context: page table quirks", .setup = smmu_outer_cache,
	  .without = ARM_SMMU_FEAT_COHERENT_WALK,
	  .regs = { { 2, ARM_SMMU_CB_TCR, ARM_SMMU_TCR_ORGN0, 1 << 10 } } },
	{ .name = "nvidia_smmu_init_context: no large pages", .setup = smmu_tegra194,
	  .pages = PAGE_SIZE },
	{ .name = "qcom_adreno_can_do_ttbr1: not MSM8996", .setup = smmu_msm8996, .gpu = true,
	  .regs = { { 2, ARM_SMMU_CB_TCR, ARM_SMMU_TCR_EPD0 | ARM_SMMU_TCR_EPD1,
		      ARM_SMMU_TCR_EPD1 } } },
	{ .name = "qcom_adreno_smmu_write_sctlr: stalls", .setup = smmu_gpu_stalls, .gpu = true,
	  .regs = { { 2, ARM_SMMU_CB_SCTLR, ARM_SMMU_SCTLR_CFCFG | ARM_SMMU_SCTLR_HUPCF,
		      ARM_SMMU_SCTLR_CFCFG | ARM_SMMU_SCTLR_HUPCF } } },
	{ .name = "arm_mmu500_reset: r2", .setup = smmu_mmu500,
	  .regs = { { 0, ARM_SMMU_GR0_sACR, ~0,
		      ARM_MMU500_ACR_SMTNMB_TLBEN | ARM_MMU500_ACR_S2CRB_TLBEN },
		    { 2, ARM_SMMU_CB_ACTLR, ~0,
		      IS_ENABLED(CONFIG_ARM_SMMU_MMU_500_CPRE_ERRATA) ?
		      0 : ARM_MMU500_ACTLR_CPRE } } },
	{ .name = "arm_smmu_device_reset: no bypass", .setup = smmu_no_bypass,
	  .regs = { { 0, ARM_SMMU_GR0_sCR0, ARM_SMMU_sCR0_USFCFG, ARM_SMMU_sCR0_USFCFG } } },
	{ .name = "arm_smmu_write_smr: a valid one", .setup = smmu_match,
	  .regs = { { 0, ARM_SMMU_GR0_SMR(1), ~0, ARM_SMMU_SMR_VALID | TEST_SMR },
		    { 0, ARM_SMMU_GR0_SMR(2), ARM_SMMU_SMR_VALID, 0 } } },
	{ .name = "arm_smmu_write_s2cr: extended IDs", .setup = smmu_match,
	  .features = ARM_SMMU_FEAT_EXIDS,
	  .regs = { { 0, ARM_SMMU_GR0_SMR(1), ~0, TEST_SMR },
		    { 0, ARM_SMMU_GR0_S2CR(1), ARM_SMMU_S2CR_EXIDVALID,
		      ARM_SMMU_S2CR_EXIDVALID },
		    { 0, ARM_SMMU_GR0_sCR0, ARM_SMMU_sCR0_EXIDENABLE,
		      ARM_SMMU_sCR0_EXIDENABLE } } },
};

static void smmu_setting_desc(const struct smmu_setting *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(smmu_setting, smmu_settings, smmu_setting_desc);

static void smmu_set(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	const struct smmu_setting *c = test->param_value;
	struct iommu_iotlb_gather gather = {};
	struct device *dev = smmu_devs[c->gpu];
	size_t mapped = 0;
	int i;

	smmus[0].smmu.features = (smmus[0].smmu.features & ~c->without) | c->features;
	if (c->setup)
		c->setup(test, domain);
	KUNIT_ASSERT_EQ(test, smmu_attach_to(domain, dev), 0);
	if (!c->gpu) {
		KUNIT_EXPECT_NE(test, smmu_seen(test), 0);
		KUNIT_EXPECT_EQ(test, domain->ops->map_pages(domain, SZ_4M, SZ_1M, SZ_4K, 1,
							     IOMMU_READ, GFP_KERNEL, &mapped), 0);
		KUNIT_EXPECT_EQ(test, domain->ops->unmap_pages(domain, SZ_4M, SZ_4K, 1, &gather),
				SZ_4K);
	}
	for (i = 0; i < ARRAY_SIZE(c->regs) && c->regs[i].mask; i++)
		KUNIT_EXPECT_EQ_MSG(test, c->regs[i].mask &
				    smmu_regs[0][c->regs[i].page][c->regs[i].at / 4],
				    c->regs[i].value, "register 0x%x", c->regs[i].at);
	if (c->pages)
		KUNIT_EXPECT_EQ(test, domain->pgsize_bitmap, c->pages);
	KUNIT_EXPECT_EQ(test, smmu_attach_to(smmu.ops->blocked_domain, dev), 0);
	domain->ops->free(domain);
}

/* To this firmware, bypass is a bank that is off, and fault is bypass. */
static void smmu_quirk(struct kunit *test)
{
	const u32 *s2cr = &smmu_regs[0][0][ARM_SMMU_GR0_S2CR(1) / 4];

	smmus[0].smmu.impl = &qcom_smmu_v2_impl;
	smmus[0].qcom.data = &qcom_smmu_v2_data;
	smmus[0].qcom.bypass_quirk = true;
	smmus[0].qcom.bypass_cbndx = TEST_BANKS - 1;
	KUNIT_EXPECT_EQ(test, smmu_attach_to(smmu.ops->identity_domain, smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, smmu_type(*s2cr), S2CR_TYPE_TRANS);
	KUNIT_EXPECT_EQ(test, smmu_bank(*s2cr), TEST_BANKS - 1);
	KUNIT_EXPECT_EQ(test, smmu_attach_to(smmu.ops->blocked_domain, smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, smmu_type(*s2cr), S2CR_TYPE_BYPASS);
	KUNIT_EXPECT_EQ(test, smmu_bank(*s2cr), 0xff);
}

/* Where a stream has the domain already, by another device: only the rest is written. */
static void smmu_partly(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &smmu);
	u32 *s2cr = &smmu_regs[0][0][ARM_SMMU_GR0_S2CR(1) / 4];

	KUNIT_ASSERT_EQ(test, smmu_attach_to(domain, smmu.dev), 0);
	smmus[0].smmu.s2crs[2] = s2cr_init_val;
	arm_smmu_write_s2cr(&smmus[0].smmu, 2);
	/* No resume writes them all. */
	KUNIT_ASSERT_EQ(test, arm_smmu_rpm_get(&smmus[0].smmu), 0);
	s2cr[0] = ~0;
	KUNIT_EXPECT_EQ(test, smmu_attach_to(domain, smmu.dev), 0);
	KUNIT_EXPECT_EQ(test, s2cr[0], ~0);
	KUNIT_EXPECT_EQ(test, smmu_type(s2cr[1]), S2CR_TYPE_TRANS);
	arm_smmu_rpm_put(&smmus[0].smmu);
	domain->ops->free(domain);
}

static int smmu_init(struct kunit *test)
{
	static const u32 streams[] = { 1, 2, 0 };
	int i, j;

	memset(smmu_regs, 0, sizeof(smmu_regs));
	memset(smmus, 0, sizeof(smmus));
	memset(smmu_cbs, 0, sizeof(smmu_cbs));
	memset(smmu_smrs, 0, sizeof(smmu_smrs));
	disable_bypass = false;
	smmu_soc = NULL;
	memset(attach_test.held, 0, sizeof(attach_test.held));
	smmu_unpublished = false;
	for (i = 0; i < 2; i++) {
		struct arm_smmu_device *s = &smmus[i].smmu;

		*s = (struct arm_smmu_device) {
			.dev = attach_test_device(test, "arm-smmu"),
			.base = (void __iomem *)smmu_regs[i],
			.numpage = 2,
			.pgshift = 12,
			.version = ARM_SMMU_V2,
			.features = ARM_SMMU_FEAT_COHERENT_WALK | ARM_SMMU_FEAT_TRANS_S1 |
				    ARM_SMMU_FEAT_TRANS_S2 | TEST_FORMATS,
			.num_context_banks = TEST_BANKS,
			.cbs = smmu_cbs[i],
			.num_mapping_groups = TEST_STREAMS,
			.s2crs = smmu_s2crs[i],
			.va_size = 48, .ipa_size = 40, .pa_size = 40,
			.pgsize_bitmap = SZ_4K | SZ_2M | SZ_1G,
			.num_context_irqs = TEST_BANKS,
			.irqs = smmu_irqs,
		};
		mutex_init(&s->stream_map_mutex);
		spin_lock_init(&s->global_sync_lock);
		for (j = 0; j < TEST_STREAMS; j++)
			s->s2crs[j] = s2cr_init_val;
		dev_set_drvdata(s->dev, s);
		arm_smmu_device_reset(s);
	}
	for (i = 0; i < 3; i++) {
		struct device *dev = attach_test_device(test, "smmu-client");
		struct arm_smmu_master_cfg *cfg;
		struct iommu_fwspec *fwspec;

		cfg = kzalloc_flex(*cfg, smendx, 2);
		KUNIT_ASSERT_NOT_NULL(test, cfg);
		fwspec = kunit_kzalloc(test, struct_size(fwspec, ids, 2), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, fwspec);
		cfg->smmu = &smmus[i / 2].smmu;
		cfg->smendx[0] = INVALID_SMENDX;
		cfg->smendx[1] = INVALID_SMENDX;
		dev_iommu_priv_set(dev, cfg);
		fwspec->num_ids = i ? 1 : 2;
		memcpy(fwspec->ids, i ? streams + 2 : streams, fwspec->num_ids * sizeof(u32));
		dev_iommu_fwspec_set(dev, fwspec);
		KUNIT_ASSERT_EQ(test, arm_smmu_master_alloc_smes(dev), 0);
		smmu_devs[i] = dev;
	}
	dev_set_drvdata(smmu_devs[1], &smmu_adreno);
	attach_test.resume = arm_smmu_runtime_resume;
	attach_test.suspend = smmu_suspend;
	smmu.ops = &arm_smmu_ops;
	smmu.seen = smmu_seen;
	smmu.dev = smmu_devs[0];
	return 0;
}

static void smmu_exit(struct kunit *test)
{
	int i;

	for (i = 0; i < 3; i++) {
		kfree(dev_iommu_priv_get(smmu_devs[i]));
		attach_test_remove(smmu_devs[i]);
	}
	for (i = 0; i < 2; i++)
		attach_test_remove(smmus[i].smmu.dev);
}

static struct kunit_case smmu_kunit[] = {
	KUNIT_CASE_PARAM(smmu_attach, smmu_gen_params),
	KUNIT_CASE_PARAM(smmu_told, smmu_hang_gen_params),
	KUNIT_CASE_PARAM(smmu_reset, smmu_reset_gen_params),
	KUNIT_CASE(smmu_reset_format),
	KUNIT_CASE(smmu_publish),
	KUNIT_CASE(smmu_gpu),
	KUNIT_CASE_PARAM(smmu_off_asleep, smmu_off_gen_params),
	KUNIT_CASE_PARAM(smmu_off_active, smmu_off_gen_params),
	KUNIT_CASE_PARAM(smmu_off_unprobed, smmu_off_gen_params),
	KUNIT_CASE(smmu_release_asleep),
	KUNIT_CASE(smmu_map_asleep),
	KUNIT_CASE(smmu_free_asleep),
	KUNIT_CASE_PARAM(smmu_set, smmu_setting_gen_params),
	KUNIT_CASE(smmu_quirk),
	KUNIT_CASE(smmu_partly),
	{}
};

static struct kunit_suite smmu_suite = {
	.name = TEST_SUITE, .init = smmu_init, .exit = smmu_exit, .test_cases = smmu_kunit,
};

kunit_test_suite(smmu_suite);
