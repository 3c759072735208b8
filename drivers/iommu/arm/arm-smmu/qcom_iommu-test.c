// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of qcom_iommu.c, see attach-test.h
 *
 * One device with two context banks, another one with a third, and a device
 * of another IOMMU.
 */
#include <linux/clk.h>
#include <linux/delay.h>
#include <linux/firmware/qcom/qcom_scm.h>
#include <linux/iopoll.h>
#include <linux/of_address.h>
#include <linux/of_device.h>

#include "../../attach-test.h"

static void qcom_firmware(void);
static int qcom_report(struct iommu_domain *domain);

/* The firmware, the clocks, and a TLB that needs no time */
#define qcom_scm_restore_sec_cfg(...) \
	FAIL_OR("qcom_scm_restore_sec_cfg", (qcom_firmware(), 0))
#define report_iommu_fault(domain, ...)		qcom_report(domain)
#define clk_bulk_prepare_enable(n, c) \
	TAKE_ERR(CLK, "clk_bulk_prepare_enable", ((void)(n), (void)(c), 0))
#define clk_bulk_disable_unprepare(n, c) ({ (void)(n); (void)(c); attach_test.held[CLK]--; })
/* There is nothing to unregister: only the order counts. */
#define pm_runtime_force_suspend(dev)		((void)(dev), qcom_gone("clocks"))
#define iommu_device_sysfs_remove(iommu)	((void)(iommu), qcom_gone("sysfs"))
#define iommu_device_unregister(iommu)		((void)(iommu), qcom_gone("IOMMU"))
#undef readl_poll_timeout
#define readl_poll_timeout(addr, val, cond, ...) \
	((val) = readl(addr), (cond) ? 0 : -ETIMEDOUT)

static const char *qcom_went[4];
static int qcom_goes;

static void qcom_gone(const char *what)
{
	qcom_went[qcom_goes++ % ARRAY_SIZE(qcom_went)] = what;
}

static void qcom_unlock(struct mutex *lock);
#define mutex_unlock(lock)	qcom_unlock(lock)

#include "qcom_iommu.c"

#undef mutex_unlock

static u32 qcom_regs[4][SZ_4K / 4];
static struct qcom_iommu_ctx qcom_ctxs[4];
static struct qcom_iommu_dev *qcom_iommus[2];
/* In banks 0 and 1, in 2, and in 3, which is that of the other IOMMU */
static struct device *qcom_devs[3];
static bool qcom_unpublished;
static bool qcom_sleeps;
static struct iommu_domain *qcom_reported;
static int qcom_reports;
static struct attach_driver qcom;

/* System sleep may come while the firmware is called. */
static void qcom_firmware(void)
{
	if (qcom_sleeps)
		qcom_iommu_suspend(qcom_iommus[0]->dev);
	qcom_sleeps = false;
}

static int qcom_report(struct iommu_domain *domain)
{
	qcom_reported = domain;
	qcom_reports++;
	return -ENOSYS;
}

/* Who has the mutex next must find a page table in a domain with an IOMMU. */
static void qcom_unlock(struct mutex *lock)
{
	struct qcom_iommu_domain *d = container_of(lock, struct qcom_iommu_domain, init_mutex);

	qcom_unpublished |= d->iommu && !d->pgtbl_ops;
	mutex_unlock(lock);
}

/* The page table of a bank, 0 if it is off */
static u64 qcom_table(int i)
{
	if (!(qcom_regs[i][ARM_SMMU_CB_SCTLR / 4] & ARM_SMMU_SCTLR_M))
		return 0;
	return *(u64 *)&qcom_regs[i][ARM_SMMU_CB_TTBR0 / 4] & ~ARM_SMMU_TTBRn_ASID;
}

static u64 qcom_seen(struct kunit *test)
{
	KUNIT_EXPECT_EQ_MSG(test, qcom_table(0), qcom_table(1), "neither here nor there");
	return qcom_table(0);
}

static int qcom_suspend(struct device *dev)
{
	int ret = qcom_iommu_suspend(dev);

	return FAIL_OR("suspend", ret);
}

static int qcom_attach_to(struct iommu_domain *domain, struct device *dev,
			  struct iommu_domain *old)
{
	return domain->ops->attach_dev(domain, dev, old);
}

static void qcom_leave(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, qcom_attach_to(&qcom_iommu_identity_domain, qcom.dev, domain), 0);
}

static void qcom_no_iommu(struct kunit *test, struct iommu_domain *domain)
{
	dev_iommu_priv_set(qcom.dev, NULL);
}

static void qcom_iommu_again(struct kunit *test, struct iommu_domain *domain)
{
	dev_iommu_priv_set(qcom.dev, qcom_iommus[0]);
}

/* As before the first attach */
static void qcom_insecure(struct kunit *test, struct iommu_domain *domain)
{
	qcom_ctxs[0].secure_init = false;
	qcom_ctxs[1].secure_init = false;
}

static void qcom_attach_bank(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, qcom_attach_to(domain, qcom_devs[1], NULL), 0);
}

static void qcom_detach_bank(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, qcom_attach_to(&qcom_iommu_identity_domain, qcom_devs[1], domain), 0);
}

static void qcom_attach_other(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, qcom_attach_to(domain, qcom_devs[2], NULL), 0);
}

static void qcom_detach_other(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, qcom_attach_to(&qcom_iommu_identity_domain, qcom_devs[2], domain), 0);
}

/* System sleep takes the clocks of an IOMMU in use, and leaves it active for runtime PM. */
static void qcom_sleep(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, pm_runtime_get_sync(qcom_iommus[0]->dev), 0);
	KUNIT_ASSERT_EQ(test, qcom_iommu_suspend(qcom_iommus[0]->dev), 0);
}

static void qcom_wake_up(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, qcom_iommu_resume(qcom_iommus[0]->dev), 0);
	pm_runtime_put_sync(qcom_iommus[0]->dev);
}

static void qcom_hang(struct kunit *test, struct iommu_domain *domain)
{
	qcom_regs[0][ARM_SMMU_CB_TLBSTATUS / 4] = 1;
}

static void qcom_unhang(struct kunit *test, struct iommu_domain *domain)
{
	qcom_regs[0][ARM_SMMU_CB_TLBSTATUS / 4] = 0;
}

static const struct attach_case qcom_cases[] = {
	{ .name = "qcom_iommu_attach_dev: the device has no qcom IOMMU",
	  .setup = qcom_no_iommu, .undo = qcom_iommu_again, .first = true, .expect = -ENODEV },
	{ .name = "qcom_iommu_attach_dev: the IOMMU does not resume",
	  .call = "clk_bulk_prepare_enable", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "qcom_iommu_attach_dev: runtime PM is disabled",
	  .call = "pm_runtime_resume_and_get", .ret = -EACCES, .expect = -EBUSY },
	{ .name = "qcom_iommu_attach_dev: active without clocks",
	  .setup = qcom_sleep, .undo = qcom_wake_up, .expect = -EBUSY },
	{ .name = "qcom_iommu_attach_dev: the domain belongs to another IOMMU",
	  .setup = qcom_attach_other, .undo = qcom_detach_other, .expect = -EINVAL },
	{ .name = "qcom_iommu_attach_dev: the domain of another device",
	  .setup = qcom_attach_bank, .undo = qcom_detach_bank, .expect = -EINVAL },
	{ .name = "qcom_iommu_attach_dev: the IOMMU cannot be suspended",
	  .call = "suspend", .ret = -EBUSY },
	{ .name = "qcom_iommu_init_domain: no page table",
	  .call = "alloc_io_pgtable_ops", .expect = -ENOMEM },
	{ .name = "qcom_iommu_init_domain: EINVAL of the secure init",
	  .call = "qcom_scm_restore_sec_cfg", .ret = -EINVAL, .setup = qcom_insecure,
	  .expect = -ENODEV },
	{ .name = "qcom_iommu_init_domain: EIO for the second bank",
	  .call = "qcom_scm_restore_sec_cfg", .nth = 2, .ret = -EIO, .setup = qcom_insecure,
	  .expect = -EIO },
	{ .name = "qcom_iommu_init_domain: EOPNOTSUPP of the secure init",
	  .call = "qcom_scm_restore_sec_cfg", .ret = -EOPNOTSUPP, .setup = qcom_insecure,
	  .expect = -EOPNOTSUPP },
	{ .name = "qcom_iommu_resume: a clock cannot be enabled",
	  .call = "clk_bulk_prepare_enable", .ret = -EIO, .expect = -EIO },
	{ .name = "qcom_iommu_tlb_sync: the TLB sync times out",
	  .setup = qcom_hang, .undo = qcom_unhang, .first = true },
	{ .name = "qcom_iommu_attach_dev: a code of the firmware",
	  .call = "qcom_scm_restore_sec_cfg", .ret = 1, .setup = qcom_insecure,
	  .expect = -ENODEV },
	{ .name = "qcom_iommu_attach_dev: success" },
};

KUNIT_ARRAY_PARAM(qcom, qcom_cases, attach_case_desc);

static void qcom_attach(struct kunit *test)
{
	attach_check(test, &qcom, test->param_value);
}

/* Back to a domain, as the core does, and the TLB forgets the other one. */
static void qcom_return(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &qcom);
	struct iommu_domain *domain = attach_test_alloc(test, &qcom);
	u64 seen;
	int i;

	KUNIT_ASSERT_EQ(test, qcom_attach_to(old, qcom.dev, NULL), 0);
	seen = qcom_seen(test);
	KUNIT_ASSERT_EQ(test, qcom_attach_to(domain, qcom.dev, old), 0);
	KUNIT_EXPECT_NE(test, qcom_seen(test), seen);
	for (i = 0; i < 2; i++)
		qcom_regs[i][ARM_SMMU_CB_S1_TLBIASID / 4] = 0;
	KUNIT_EXPECT_EQ(test, qcom_attach_to(old, qcom.dev, domain), 0);
	KUNIT_EXPECT_EQ(test, qcom_seen(test), seen);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, qcom_regs[i][ARM_SMMU_CB_S1_TLBIASID / 4],
				qcom_ctxs[i].asid);
	qcom_leave(test, old);
	KUNIT_EXPECT_EQ(test, qcom_seen(test), 0);
	KUNIT_EXPECT_EQ(test, qcom_attach_to(old, qcom.dev, &qcom_iommu_identity_domain), 0);
	KUNIT_EXPECT_EQ(test, qcom_seen(test), seen);
	qcom_leave(test, old);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* Which is the same for the first attach of a domain */
static void qcom_flush(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &qcom);
	struct iommu_domain *domain = attach_test_alloc(test, &qcom);

	KUNIT_ASSERT_EQ(test, qcom_attach_to(old, qcom.dev, NULL), 0);
	qcom_regs[0][ARM_SMMU_CB_S1_TLBIASID / 4] = 0;
	qcom_regs[1][ARM_SMMU_CB_TLBSYNC / 4] = ~0;
	KUNIT_ASSERT_EQ(test, qcom_attach_to(domain, qcom.dev, old), 0);
	KUNIT_EXPECT_EQ(test, qcom_regs[0][ARM_SMMU_CB_S1_TLBIASID / 4], qcom_ctxs[0].asid);
	KUNIT_EXPECT_EQ(test, qcom_regs[1][ARM_SMMU_CB_TLBSYNC / 4], 0);
	qcom_leave(test, domain);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* Each bank forgets what is unmapped, not what comes after it. */
static void qcom_unmap(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &qcom);
	struct iommu_iotlb_gather gather = {};
	size_t mapped = 0;
	int i;

	KUNIT_ASSERT_EQ(test, qcom_attach_to(domain, qcom.dev, NULL), 0);
	KUNIT_ASSERT_EQ(test, domain->ops->map_pages(domain, SZ_1M, SZ_1M, SZ_4K, 1, IOMMU_READ,
						     GFP_KERNEL, &mapped), 0);
	KUNIT_EXPECT_EQ(test, domain->ops->unmap_pages(domain, SZ_1M, SZ_4K, 1, &gather), SZ_4K);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, qcom_regs[i][ARM_SMMU_CB_S1_TLBIVAL / 4],
				SZ_1M | qcom_ctxs[i].asid);
	qcom_leave(test, domain);
	domain->ops->free(domain);
}

/* A device that is removed: the core frees the domain that the banks have. */
static void qcom_release(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &qcom);
	struct iommu_domain *other = attach_test_alloc(test, &qcom);
	u64 seen;

	KUNIT_ASSERT_EQ(test, qcom_attach_to(domain, qcom.dev, NULL), 0);
	KUNIT_ASSERT_EQ(test, qcom_attach_to(other, qcom_devs[1], NULL), 0);
	seen = qcom_table(2);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, qcom_seen(test), 0);
	KUNIT_EXPECT_NULL(test, qcom_ctxs[0].domain);
	KUNIT_EXPECT_NULL(test, qcom_ctxs[1].domain);
	/* Not those of others */
	KUNIT_EXPECT_EQ(test, qcom_table(2), seen);
	KUNIT_EXPECT_NE(test, seen, 0);
	KUNIT_EXPECT_PTR_EQ(test, qcom_ctxs[2].domain, other);
	other->ops->free(other);
	KUNIT_EXPECT_EQ(test, qcom_table(2), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[PGTABLE], 0);
}

/* The IOMMU goes while it has clocks and a sysfs device, and the banks after it. */
static void qcom_unbind(struct kunit *test)
{
	struct platform_device *bank = kunit_kzalloc(test, sizeof(*bank), GFP_KERNEL);
	struct device *dev = qcom_iommus[0]->dev;

	KUNIT_ASSERT_NOT_NULL(test, bank);
	bank->dev.parent = dev;
	platform_set_drvdata(bank, &qcom_ctxs[0]);
	qcom_goes = 0;
	qcom_iommu_device_remove(to_platform_device(dev));
	KUNIT_ASSERT_EQ(test, qcom_goes, 3);
	KUNIT_EXPECT_STREQ(test, qcom_went[0], "IOMMU");
	KUNIT_EXPECT_STREQ(test, qcom_went[1], "sysfs");
	KUNIT_EXPECT_STREQ(test, qcom_went[2], "clocks");
	KUNIT_ASSERT_PTR_EQ(test, dev_get_drvdata(dev), (void *)qcom_iommus[0]);
	qcom_iommu_ctx_remove(bank);
	KUNIT_EXPECT_NULL(test, qcom_iommus[0]->ctxs[qcom_ctxs[0].asid]);
}

/* An IOMMU with a power domain, which the firmware does not restore */
static void qcom_power(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &qcom);
	static struct dev_pm_domain pm_domain;
	struct device *dev = qcom_iommus[0]->dev;
	int i;

	dev->pm_domain = &pm_domain;
	for (i = -1; i <= 1; i += 2) {
		attach_test_inject("qcom_scm_restore_sec_cfg", 1, i < 0 ? -EINVAL : i);
		KUNIT_EXPECT_EQ(test, qcom_attach_to(domain, qcom.dev, NULL), -ENODEV);
		KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
		KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
		attach_test.held[CLK] = 0;
	}
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, qcom_attach_to(domain, qcom.dev, NULL), 0);
	KUNIT_EXPECT_NE(test, qcom_seen(test), 0);
	qcom_leave(test, domain);
	dev->pm_domain = NULL;
	domain->ops->free(domain);
}

/* Contexts that are the firmware's to program: no register of theirs is written. */
static void qcom_secured(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &qcom);
	struct iommu_iotlb_gather gather = {};
	size_t mapped = 0;
	int i;

	memset(qcom_regs, 0xff, sizeof(qcom_regs));
	for (i = 0; i < 2; i++)
		qcom_ctxs[i].secured_ctx = true;
	KUNIT_EXPECT_EQ(test, qcom_attach_to(domain, qcom.dev, NULL), 0);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_PTR_EQ(test, qcom_ctxs[i].domain, domain);
	KUNIT_EXPECT_EQ(test, domain->ops->map_pages(domain, SZ_1M, SZ_1M, SZ_4K, 1, IOMMU_READ,
						     GFP_KERNEL, &mapped), 0);
	KUNIT_EXPECT_EQ(test, domain->ops->unmap_pages(domain, SZ_1M, SZ_4K, 1, &gather), SZ_4K);
	domain->ops->iotlb_sync(domain, &gather);
	qcom_leave(test, domain);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_NULL(test, qcom_ctxs[i].domain);
	/* What a resume makes up for is not for them, either. */
	qcom_sleep(test, domain);
	domain->ops->iotlb_sync(domain, &gather);
	qcom_wake_up(test, domain);
	domain->ops->free(domain);
	KUNIT_EXPECT_NULL(test, memchr_inv(qcom_regs, 0xff, sizeof(qcom_regs)));
}

/* What is written to the registers of the first IOMMU, which does so only with clocks */
static void qcom_clear(void)
{
	int i;

	for (i = 0; i < 3; i++) {
		qcom_regs[i][ARM_SMMU_CB_S1_TLBIASID / 4] = 0;
		qcom_regs[i][ARM_SMMU_CB_S1_TLBIVAL / 4] = 0;
		qcom_regs[i][ARM_SMMU_CB_TLBSYNC / 4] = ~0;
	}
}

static void qcom_untouched(struct kunit *test)
{
	int i;

	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, qcom_regs[i][ARM_SMMU_CB_S1_TLBIASID / 4], 0);
		KUNIT_EXPECT_EQ(test, qcom_regs[i][ARM_SMMU_CB_S1_TLBIVAL / 4], 0);
		KUNIT_EXPECT_EQ(test, qcom_regs[i][ARM_SMMU_CB_TLBSYNC / 4], ~0);
	}
}

static void qcom_missed(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
	qcom_untouched(test);
}

/* Bank 2 was never given to the kernel by the firmware. */
static void qcom_wake(struct kunit *test, bool missed)
{
	int i;

	qcom_regs[2][ARM_SMMU_CB_SCTLR / 4] = ARM_SMMU_SCTLR_M;
	KUNIT_EXPECT_EQ(test, qcom_iommu_resume(qcom_iommus[0]->dev), 0);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, qcom_regs[i][ARM_SMMU_CB_S1_TLBIASID / 4],
				missed && i < 2 ? i + 1 : 0);
	KUNIT_EXPECT_EQ(test, qcom_regs[2][ARM_SMMU_CB_SCTLR / 4], ARM_SMMU_SCTLR_M);
	KUNIT_EXPECT_EQ(test, qcom_iommu_suspend(qcom_iommus[0]->dev), 0);
	qcom_clear();
}

/* The IOMMU does not resume for what cannot fail, and hears of it later. */
static void qcom_asleep(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &qcom);
	struct iommu_iotlb_gather gather = {};
	struct io_pgtable_ops *ops;
	size_t mapped = 0;
	u64 seen;

	KUNIT_ASSERT_EQ(test, qcom_attach_to(domain, qcom.dev, NULL), 0);
	seen = qcom_seen(test);
	KUNIT_ASSERT_EQ(test, domain->ops->map_pages(domain, SZ_1M, SZ_1M, SZ_4K, 1, IOMMU_READ,
						     GFP_KERNEL, &mapped), 0);
	qcom_clear();
	attach_test_inject("clk_bulk_prepare_enable", 1, -EIO);
	KUNIT_EXPECT_EQ(test, domain->ops->unmap_pages(domain, SZ_1M, SZ_4K, 1, &gather), SZ_4K);
	qcom_missed(test);
	KUNIT_EXPECT_EQ(test, domain->ops->iova_to_phys(domain, SZ_1M), 0);
	qcom_wake(test, true);
	KUNIT_EXPECT_EQ(test, qcom_seen(test), seen);
	qcom_wake(test, false);

	attach_test_inject("clk_bulk_prepare_enable", 1, -EIO);
	domain->ops->iotlb_sync(domain, &gather);
	qcom_missed(test);
	qcom_wake(test, true);

	attach_test_inject("clk_bulk_prepare_enable", 1, -EIO);
	qcom_leave(test, domain);
	qcom_missed(test);
	KUNIT_EXPECT_EQ(test, qcom_seen(test), seen);
	ops = to_qcom_iommu_domain(domain)->pgtbl_ops;
	attach_test_inject("clk_bulk_prepare_enable", 1, -EIO);
	domain->ops->free(domain);
	qcom_missed(test);
	/* Who has clocks may walk it. */
	KUNIT_ASSERT_EQ(test, attach_test.held[PGTABLE], 1);
	qcom_wake(test, true);
	KUNIT_EXPECT_EQ(test, qcom_seen(test), 0);
	io_pgtable_ops_to_pgtable(ops)->cfg.tlb = NULL;
	free_io_pgtable_ops(ops);
}

/* A device that could not leave the domain: the next resume sees to it. */
static void qcom_free_attached(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &qcom);
	struct io_pgtable_ops *ops;
	u64 seen;

	KUNIT_ASSERT_EQ(test, qcom_attach_to(domain, qcom.dev, NULL), 0);
	ops = to_qcom_iommu_domain(domain)->pgtbl_ops;
	seen = qcom_seen(test);
	qcom_clear();
	attach_test_inject("clk_bulk_prepare_enable", 1, -EIO);
	domain->ops->free(domain);
	qcom_missed(test);
	KUNIT_EXPECT_EQ(test, qcom_seen(test), seen);
	KUNIT_ASSERT_EQ(test, attach_test.held[PGTABLE], 1);
	qcom_wake(test, true);
	KUNIT_EXPECT_EQ(test, qcom_seen(test), 0);
	io_pgtable_ops_to_pgtable(ops)->cfg.tlb = NULL;
	free_io_pgtable_ops(ops);
}

/* As for what happens during system sleep */
static void qcom_asleep_active(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &qcom);
	struct iommu_iotlb_gather gather = {};
	size_t mapped = 0;
	u64 seen;
	int i;

	KUNIT_ASSERT_EQ(test, qcom_attach_to(domain, qcom.dev, NULL), 0);
	seen = qcom_seen(test);
	KUNIT_ASSERT_EQ(test, domain->ops->map_pages(domain, SZ_1M, SZ_1M, SZ_4K, 1, IOMMU_READ,
						     GFP_KERNEL, &mapped), 0);
	qcom_sleep(test, domain);
	qcom_clear();
	KUNIT_EXPECT_EQ(test, domain->ops->unmap_pages(domain, SZ_1M, SZ_4K, 1, &gather), SZ_4K);
	domain->ops->iotlb_sync(domain, &gather);
	domain->ops->flush_iotlb_all(domain);
	qcom_leave(test, domain);
	qcom_untouched(test);
	KUNIT_EXPECT_EQ(test, qcom_seen(test), seen);
	KUNIT_EXPECT_NULL(test, qcom_ctxs[0].domain);
	qcom_wake_up(test, domain);
	KUNIT_EXPECT_EQ(test, qcom_seen(test), 0);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, qcom_regs[i][ARM_SMMU_CB_S1_TLBIASID / 4],
				qcom_ctxs[i].asid);
	/* No bank has it any more, so it is freed, with or without clocks. */
	qcom_clear();
	attach_test_inject("clk_bulk_prepare_enable", 1, -EIO);
	domain->ops->free(domain);
	attach_test.call = NULL;
	qcom_missed(test);
	KUNIT_EXPECT_EQ(test, attach_test.held[PGTABLE], 0);
}

/* System sleep takes the clocks while the attach is in the firmware. */
static void qcom_asleep_attach(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &qcom);
	struct iommu_domain *domain = attach_test_alloc(test, &qcom);
	u64 seen;

	KUNIT_ASSERT_EQ(test, qcom_attach_to(old, qcom.dev, NULL), 0);
	seen = qcom_seen(test);
	qcom_insecure(test, domain);
	qcom_clear();
	KUNIT_ASSERT_EQ(test, pm_runtime_get_sync(qcom_iommus[0]->dev), 0);
	qcom_sleeps = true;
	KUNIT_EXPECT_EQ(test, qcom_attach_to(domain, qcom.dev, old), -EBUSY);
	KUNIT_ASSERT_FALSE(test, qcom_sleeps);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 1);
	/* There is nothing to make up for. */
	qcom_wake_up(test, domain);
	qcom_untouched(test);
	KUNIT_EXPECT_EQ(test, qcom_seen(test), seen);
	KUNIT_EXPECT_PTR_EQ(test, qcom_ctxs[0].domain, old);
	KUNIT_EXPECT_EQ(test, qcom_attach_to(domain, qcom.dev, old), 0);
	KUNIT_EXPECT_NE(test, qcom_seen(test), seen);
	qcom_leave(test, domain);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* A bank that is still to be turned off may fault, and has no domain. */
static void qcom_faults(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &qcom);

	KUNIT_ASSERT_EQ(test, qcom_attach_to(domain, qcom.dev, NULL), 0);
	qcom_reports = 0;
	qcom_regs[0][ARM_SMMU_CB_FSR / 4] = ARM_SMMU_CB_FSR_TF;
	KUNIT_EXPECT_EQ(test, qcom_iommu_fault(0, &qcom_ctxs[0]), IRQ_HANDLED);
	KUNIT_EXPECT_EQ(test, qcom_reports, 1);
	KUNIT_EXPECT_PTR_EQ(test, qcom_reported, domain);
	attach_test_inject("clk_bulk_prepare_enable", 1, -EIO);
	qcom_leave(test, domain);
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_NE(test, qcom_seen(test), 0);
	KUNIT_EXPECT_EQ(test, qcom_iommu_fault(0, &qcom_ctxs[0]), IRQ_HANDLED);
	KUNIT_EXPECT_EQ(test, qcom_reports, 1);
	qcom_wake(test, true);
	KUNIT_EXPECT_EQ(test, qcom_seen(test), 0);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[PGTABLE], 0);
}

static void qcom_publish(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &qcom);

	KUNIT_ASSERT_EQ(test, qcom_attach_to(domain, qcom.dev, NULL), 0);
	KUNIT_EXPECT_FALSE(test, qcom_unpublished);
	qcom_leave(test, domain);
	domain->ops->free(domain);
}

static int qcom_init(struct kunit *test)
{
	static const u32 banks[] = { 0, 1, 2, 3 };
	int i;

	memset(qcom_regs, 0, sizeof(qcom_regs));
	memset(attach_test.held, 0, sizeof(attach_test.held));
	qcom_unpublished = false;
	qcom_sleeps = false;
	for (i = 0; i < 2; i++) {
		struct qcom_iommu_dev *iommu;

		iommu = kunit_kzalloc(test, struct_size(iommu, ctxs, 4), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, iommu);
		iommu->dev = attach_test_device(test, "qcom-iommu");
		iommu->max_asid = 3;
		spin_lock_init(&iommu->lock);
		dev_set_drvdata(iommu->dev, iommu);
		/* The tables may be anywhere. */
		KUNIT_ASSERT_EQ(test, dma_set_mask(iommu->dev, DMA_BIT_MASK(64)), 0);
		qcom_iommus[i] = iommu;
	}
	for (i = 0; i < 4; i++) {
		/* Not the index, as in a device tree, but never 0, as all registers are */
		qcom_ctxs[i] = (struct qcom_iommu_ctx) {
			.dev = qcom_iommus[i / 3]->dev, .asid = i + 1,
			.base = (void __iomem *)qcom_regs[i],
		};
		qcom_iommus[i / 3]->ctxs[i] = &qcom_ctxs[i];
	}
	for (i = 0; i < 3; i++) {
		struct device *dev = attach_test_device(test, "qcom-client");
		struct iommu_fwspec *fwspec;

		fwspec = kunit_kzalloc(test, struct_size(fwspec, ids, 2), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, fwspec);
		qcom_devs[i] = dev;
		dev_iommu_priv_set(dev, qcom_iommus[i / 2]);
		fwspec->num_ids = i ? 1 : 2;
		memcpy(fwspec->ids, banks + i + !!i, fwspec->num_ids * sizeof(u32));
		dev_iommu_fwspec_set(dev, fwspec);
	}
	attach_test.resume = qcom_iommu_resume;
	attach_test.suspend = qcom_suspend;
	qcom.ops = &qcom_iommu_ops;
	qcom.seen = qcom_seen;
	qcom.leave = qcom_leave;
	qcom.dev = qcom_devs[0];
	return 0;
}

static void qcom_exit(struct kunit *test)
{
	int i;

	for (i = 0; i < 3; i++)
		attach_test_remove(qcom_devs[i]);
	for (i = 0; i < 2; i++)
		attach_test_remove(qcom_iommus[i]->dev);
}

static struct kunit_case qcom_kunit[] = {
	KUNIT_CASE_PARAM(qcom_attach, qcom_gen_params),
	KUNIT_CASE(qcom_return),
	KUNIT_CASE(qcom_flush),
	KUNIT_CASE(qcom_unmap),
	KUNIT_CASE(qcom_release),
	KUNIT_CASE(qcom_unbind),
	KUNIT_CASE(qcom_power),
	KUNIT_CASE(qcom_secured),
	KUNIT_CASE(qcom_asleep),
	KUNIT_CASE(qcom_free_attached),
	KUNIT_CASE(qcom_asleep_active),
	KUNIT_CASE(qcom_asleep_attach),
	KUNIT_CASE(qcom_faults),
	KUNIT_CASE(qcom_publish),
	{}
};

static struct kunit_suite qcom_suite = {
	.name = "qcom-iommu", .init = qcom_init, .exit = qcom_exit, .test_cases = qcom_kunit,
};

kunit_test_suite(qcom_suite);

MODULE_LICENSE("GPL");
