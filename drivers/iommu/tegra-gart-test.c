// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of tegra-gart.c, see attach-test.h
 */
#define dev_fmt(fmt)	"gart: " fmt

#include <linux/moduleparam.h>
#include <linux/vmalloc.h>

/* The functions of the driver, in place of the stubs */
#undef CONFIG_TEGRA_IOMMU_GART
#define CONFIG_TEGRA_IOMMU_GART 1
#include <soc/tegra/mc.h>

#include "attach-test.h"
#include "tegra-gart.c"

static struct gart_device gart_test;
static struct device *gart_other;
static struct attach_driver gart;

/* The GART does not know about devices: attach writes no register. */
static u64 gart_seen(struct kunit *test)
{
	return (unsigned long)dev_iommu_priv_get(gart.dev);
}

static void gart_leave(struct kunit *test, struct iommu_domain *domain)
{
	gart_iommu_detach_dev(domain, gart.dev);
	KUNIT_EXPECT_EQ(test, gart_test.active_devices, 0);
	KUNIT_EXPECT_PTR_EQ(test, gart_test.active_domain, NULL);
}

static void gart_use_other(struct kunit *test, struct iommu_domain *domain)
{
	struct iommu_domain *active = attach_test_alloc(test, &gart);

	KUNIT_EXPECT_EQ(test, gart_iommu_attach_dev(active, gart_other), 0);
}

static void gart_leave_other(struct kunit *test, struct iommu_domain *domain)
{
	struct iommu_domain *active = dev_iommu_priv_get(gart_other);

	gart_iommu_detach_dev(active, gart_other);
	gart_iommu_domain_free(active);
}

static void gart_leave_active(struct kunit *test, struct iommu_domain *domain)
{
	gart_leave(test, gart_test.active_domain);
}

static const struct attach_case gart_cases[] = {
	{ .name = "gart_iommu_attach_dev: another domain is active",
	  .setup = gart_use_other, .undo = gart_leave_other, .first = true, .expect = -EBUSY },
	{ .name = "gart_iommu_attach_dev: the device is on another domain",
	  .undo = gart_leave_active, .expect = -EBUSY },
	{ .name = "gart_iommu_attach_dev: success, and attached again", .first = true },
};

KUNIT_ARRAY_PARAM(gart, gart_cases, attach_case_desc);

static void gart_attach(struct kunit *test)
{
	attach_check(test, &gart, test->param_value);
}

/* The domain is active until the last device has left it. */
static void gart_two_devices(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &gart);
	struct iommu_domain *late = attach_test_alloc(test, &gart);

	KUNIT_EXPECT_EQ(test, gart_iommu_attach_dev(domain, gart_other), 0);
	KUNIT_EXPECT_EQ(test, gart_iommu_attach_dev(domain, gart.dev), 0);
	gart_iommu_detach_dev(domain, gart.dev);
	KUNIT_EXPECT_EQ(test, gart_iommu_attach_dev(late, gart.dev), -EBUSY);
	gart_iommu_detach_dev(domain, gart_other);
	KUNIT_EXPECT_EQ(test, gart_iommu_attach_dev(late, gart.dev), 0);
	gart_leave(test, late);
	gart_iommu_domain_free(late);
	gart_iommu_domain_free(domain);
}

static int gart_init(struct kunit *test)
{
	memset(&attach_test, 0, sizeof(attach_test));
	memset(&gart_test, 0, sizeof(gart_test));
	spin_lock_init(&gart_test.pte_lock);
	spin_lock_init(&gart_test.dom_lock);
	gart_test.iovmm_base = 0x58000000;
	gart_test.iovmm_end = 0x5a000000;
	gart_handle = &gart_test;
	gart.ops = &gart_iommu_ops;
	gart.seen = gart_seen;
	gart.leave = gart_leave;
	gart.dev = attach_test_device(test, "gart-client");
	gart_other = attach_test_device(test, "gart-client");
	return 0;
}

static void gart_exit(struct kunit *test)
{
	attach_test_remove(gart_other);
	attach_test_remove(gart.dev);
}

static struct kunit_case gart_kunit[] = {
	KUNIT_CASE_PARAM(gart_attach, gart_gen_params),
	KUNIT_CASE(gart_two_devices),
	{}
};

static struct kunit_suite gart_suite = {
	.name = "tegra-gart", .init = gart_init, .exit = gart_exit, .test_cases = gart_kunit,
};

kunit_test_suite(gart_suite);
MODULE_LICENSE("GPL");
