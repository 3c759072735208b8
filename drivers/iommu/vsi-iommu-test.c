// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of vsi-iommu.c, see attach-test.h
 */
#include <kunit/test-bug.h>
#include <linux/of_iommu.h>

#include "attach-test.h"

static u32 vsi_regs[0x400 / 4];
static int vsi_flushes;

static void vsi_write(u32 value, void __iomem *addr);
static void vsi_check_lock(spinlock_t *lock);
static void (*vsi_before_lock)(void);
static void vsi_check_list(struct list_head *node);

#define pm_runtime_get(d)	attach_test_pm_get(d, "pm_runtime_get", true)
/* The registers have a clock only while the IOMMU is resumed. */
#undef writel
#define writel(value, addr)	vsi_write(value, addr)
#undef spin_lock_irqsave
#define spin_lock_irqsave(lock, flags) do {					\
	spinlock_t *__vsi_lock = (lock);					\
	void (*__before)(void) = vsi_before_lock;				\
										\
	vsi_before_lock = NULL;							\
	if (__before)								\
		__before();							\
	vsi_check_lock(__vsi_lock);						\
	raw_spin_lock_irqsave(spinlock_check(__vsi_lock), flags);		\
} while (0)
#define list_del_init(node) ({							\
	struct list_head *__node = (node);					\
										\
	vsi_check_list(__node);							\
	list_del_init(__node); })
#undef WARN_ON
#define WARN_ON(cond)		KUNIT_EXPECT_FALSE(kunit_get_current_test(), cond)

#include "vsi-iommu.c"

#undef list_del_init

static struct vsi_iommu vsi_iommu;
static struct attach_driver vsi;
/* The domain is attached again, and stays on its list. */
static bool vsi_stays;

static void vsi_write(u32 value, void __iomem *addr)
{
	unsigned long reg = (u8 __force *)addr - (u8 *)vsi_regs;

	KUNIT_EXPECT_GT_MSG(kunit_get_current_test(), attach_test.held[CLK], 0,
			    "register %lx without clock", reg);
	if (IS_ENABLED(CONFIG_LOCKDEP) && reg == VSI_MMU_AHB_CONTROL_BASE)
		KUNIT_EXPECT_TRUE_MSG(kunit_get_current_test(),
				      lockdep_is_held(&vsi_iommu.lock),
				      "switched without the lock");
	vsi_regs[reg / 4] = value;
	if (reg == VSI_MMU_FLUSH_BASE && value == VSI_MMU_BIT_FLUSH)
		vsi_flushes++;
}

/* Only a domain of the driver's own has a lock. */
static void vsi_check_lock(spinlock_t *lock)
{
	KUNIT_EXPECT_PTR_NE(kunit_get_current_test(), lock,
			    &to_vsi_domain(&vsi_identity_domain)->lock);
}

/*
 * @node is the only one of its list, which others walk with the lock of the
 * domain, to flush what they have unmapped: the IOMMU is off that table by then.
 */
static void vsi_check_list(struct list_head *node)
{
	struct vsi_iommu_domain *left;
	bool on;

	if (list_empty(node))
		return;
	left = container_of(node->next, struct vsi_iommu_domain, iommus);
	if (IS_ENABLED(CONFIG_LOCKDEP))
		KUNIT_EXPECT_TRUE(kunit_get_current_test(), lockdep_is_held(&left->lock));
	on = attach_test.held[CLK] &&
	     vsi_regs[VSI_MMU_AHB_CONTROL_BASE / 4] & VSI_MMU_BIT_ENABLE &&
	     vsi_regs[VSI_MMU_AHB_TLB_ARRAY_BASE_L_BASE / 4] == (u32)left->pta_dma;
	KUNIT_EXPECT_FALSE_MSG(kunit_get_current_test(), on && !vsi_stays,
			       "an unmap does not reach the IOMMU");
}

/* What the IOMMU walks when its masters use it, 0 if that is nothing */
static u64 vsi_seen(struct kunit *test)
{
	bool asleep = !attach_test.held[PM];
	u64 seen = 0;

	if (asleep)
		KUNIT_EXPECT_EQ(test, vsi_iommu_resume(vsi_iommu.dev), 0);
	if (vsi_regs[VSI_MMU_AHB_CONTROL_BASE / 4] & VSI_MMU_BIT_ENABLE)
		seen = vsi_regs[VSI_MMU_AHB_TLB_ARRAY_BASE_L_BASE / 4];
	if (asleep)
		vsi_iommu_suspend(vsi_iommu.dev);
	return seen;
}

static int vsi_identity(void)
{
	return vsi_identity_ops.attach_dev(&vsi_identity_domain, vsi.dev, vsi_iommu.domain);
}

static void vsi_leave(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, vsi_identity(), 0);
	KUNIT_EXPECT_EQ(test, vsi_seen(test), 0);
}

static void vsi_sleep(struct kunit *test, struct iommu_domain *domain)
{
	attach_test_pm_put(vsi_iommu.dev);
}

static void vsi_wake(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(kunit_get_current_test(), attach_test_pm_get(vsi_iommu.dev, "", false), 0);
}

static const struct attach_case vsi_cases[] = {
	{ .name = "vsi_iommu_attach_device: the IOMMU cannot be resumed",
	  .call = "pm_runtime_resume_and_get", .ret = -EIO, .expect = -EIO },
	{ .name = "vsi_iommu_attach_device: EINVAL from runtime PM",
	  .call = "pm_runtime_resume_and_get", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "vsi_iommu_attach_device: the first cannot be resumed", .first = true,
	  .call = "pm_runtime_resume_and_get", .ret = -EACCES, .expect = -EACCES },
	{ .name = "vsi_iommu_resume: a clock cannot be enabled",
	  .setup = vsi_sleep, .undo = vsi_wake,
	  .call = "clk_bulk_enable", .ret = -EIO, .expect = -EIO },
	{ .name = "vsi_iommu_resume: EINVAL from a clock",
	  .setup = vsi_sleep, .undo = vsi_wake,
	  .call = "clk_bulk_enable", .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "vsi_iommu_attach_device: success while it is suspended",
	  .setup = vsi_sleep, .undo = vsi_wake },
	{ .name = "vsi_iommu_attach_device: success" },
	{ .name = "vsi_iommu_attach_device: success of the first", .first = true },
};

KUNIT_ARRAY_PARAM(vsi, vsi_cases, attach_case_desc);

static void vsi_attach(struct kunit *test)
{
	attach_check(test, &vsi, test->param_value);
}

static void vsi_map_and_unmap(struct kunit *test, struct iommu_domain *domain, int flushes)
{
	size_t mapped;

	vsi_flushes = 0;
	KUNIT_EXPECT_EQ(test, domain->ops->map_pages(domain, 0, 0, SZ_4K, 1, IOMMU_READ,
						     GFP_KERNEL, &mapped), 0);
	KUNIT_EXPECT_EQ(test, domain->ops->unmap_pages(domain, 0, SZ_4K, 1, NULL), SZ_4K);
	KUNIT_EXPECT_EQ(test, vsi_flushes, flushes);
}

/* The IOMMU is on the list of the domain that it walks, and on no other. */
static void vsi_lists(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &vsi);
	struct iommu_domain *domain = attach_test_alloc(test, &vsi);

	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, vsi.dev, NULL), 0);
	vsi_map_and_unmap(test, old, 2);
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, vsi.dev, old), 0);
	vsi_map_and_unmap(test, old, 0);
	vsi_map_and_unmap(test, domain, 2);
	vsi_stays = true;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, vsi.dev, domain), 0);
	vsi_stays = false;
	vsi_map_and_unmap(test, domain, 2);
	vsi_leave(test, domain);
	vsi_map_and_unmap(test, domain, 0);
	vsi_leave(test, domain);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* A domain is left, and identity kept by a suspend, though it can be freed then. */
static void vsi_identity_suspend(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &vsi);

	vsi_leave(test, NULL);
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, vsi.dev, &vsi_identity_domain), 0);
	vsi_sleep(test, NULL);
	KUNIT_EXPECT_NE(test, vsi_seen(test), 0);
	KUNIT_EXPECT_EQ(test, vsi_identity(), 0);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, vsi_seen(test), 0);
	vsi_wake(test, NULL);
}

/* Whatever keeps the IOMMU from resuming, its domain is left, and is not what it resumes with. */
static void vsi_identity_broken(struct kunit *test)
{
	static const char * const calls[] = { "pm_runtime_resume_and_get", "clk_bulk_enable" };
	struct iommu_domain *domain;
	int i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		domain = attach_test_alloc(test, &vsi);
		KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, vsi.dev, NULL), 0);
		vsi_sleep(test, NULL);
		attach_test_inject(calls[i], 1, -EIO);
		KUNIT_EXPECT_EQ(test, vsi_identity(), 0);
		attach_test.call = NULL;
		KUNIT_EXPECT_TRUE(test, attach_test.hit);
		KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
		KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
		KUNIT_EXPECT_PTR_EQ(test, vsi_iommu.domain, &vsi_identity_domain);
		domain->ops->free(domain);
		vsi_wake(test, NULL);
		KUNIT_EXPECT_EQ(test, vsi_seen(test), 0);
	}
}

static void vsi_master_resumes(void)
{
	vsi_wake(NULL, NULL);
}

/* It could not be resumed, but a master resumes it, in the old domain, before that is left. */
static void vsi_identity_resumed(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &vsi);

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, vsi.dev, NULL), 0);
	vsi_sleep(test, NULL);
	attach_test_inject("pm_runtime_resume_and_get", 1, -EIO);
	vsi_before_lock = vsi_master_resumes;
	KUNIT_EXPECT_EQ(test, vsi_identity(), 0);
	attach_test.call = NULL;
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 1);
	KUNIT_EXPECT_EQ_MSG(test, vsi_seen(test), 0, "walks a domain that is freed next");
	domain->ops->free(domain);
}

/* Only runtime PM enables the clocks, so it is there with or without system sleep. */
static void vsi_runtime_pm(struct kunit *test)
{
	const struct dev_pm_ops *pm = rockchip_vsi_iommu_driver.driver.pm;

	KUNIT_ASSERT_NOT_NULL(test, pm);
	KUNIT_EXPECT_TRUE(test, pm->runtime_resume == vsi_iommu_resume);
	KUNIT_EXPECT_TRUE(test, pm->runtime_suspend == vsi_iommu_suspend);
}

/* A client that is in use, behind an IOMMU that its driver has just probed */
static int vsi_init(struct kunit *test)
{
	memset(&attach_test, 0, sizeof(attach_test));
	memset(vsi_regs, 0, sizeof(vsi_regs));
	memset(&vsi_iommu, 0, sizeof(vsi_iommu));
	vsi_stays = false;
	vsi_before_lock = NULL;
	spin_lock_init(&vsi_iommu.lock);
	INIT_LIST_HEAD(&vsi_iommu.node);
	vsi_iommu.regs = (void __iomem *)vsi_regs;
	vsi_iommu.dev = attach_test_device(test, "vsi-iommu");
	dev_set_drvdata(vsi_iommu.dev, &vsi_iommu);
	vsi.ops = &vsi_iommu_ops;
	vsi.seen = vsi_seen;
	vsi.leave = vsi_leave;
	vsi.dev = attach_test_device(test, "vsi-client");
	dev_iommu_priv_set(vsi.dev, &vsi_iommu);
	attach_test.resume = vsi_iommu_resume;
	attach_test.suspend = vsi_iommu_suspend;
	vsi_wake(test, NULL);
	return 0;
}

static void vsi_exit(struct kunit *test)
{
	vsi_sleep(test, NULL);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	attach_test_remove(vsi.dev);
	attach_test_remove(vsi_iommu.dev);
}

static struct kunit_case vsi_kunit[] = {
	KUNIT_CASE_PARAM(vsi_attach, vsi_gen_params),
	KUNIT_CASE(vsi_lists),
	KUNIT_CASE(vsi_identity_suspend),
	KUNIT_CASE(vsi_identity_broken),
	KUNIT_CASE(vsi_identity_resumed),
	KUNIT_CASE(vsi_runtime_pm),
	{}
};

static struct kunit_suite vsi_suite = {
	.name = "vsi-iommu", .init = vsi_init, .exit = vsi_exit, .test_cases = vsi_kunit,
};

kunit_test_suite(vsi_suite);
