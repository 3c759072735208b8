// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of exynos-iommu.c, see attach-test.h
 *
 * One device with two SYSMMUs and another one with a third.
 */
#include <kunit/test-bug.h>
#include <linux/kmemleak.h>
#include <linux/of.h>

#include "attach-test.h"

/* What runtime PM says is set by the cases, and a resume ends when waited for. */
#undef pm_runtime_active
#undef pm_runtime_put
#define pm_runtime_active(d)	((d)->power.runtime_status == RPM_ACTIVE)
#define pm_runtime_barrier(d)	exynos_barrier(d)
#define pm_runtime_get_noresume(d) ({ (void)(d); attach_test.held[PM]++; })
#define pm_runtime_put(d) ({							\
	(void)(d);								\
	attach_test.held[PM]--; })

/* What a case does on purpose is no fault of the driver's. */
static bool exynos_may_warn;
#undef WARN_ON
#define WARN_ON(cond) ({							\
	bool __warn = !!(cond);							\
										\
	WARN(__warn && !exynos_may_warn, "%s\n", #cond);			\
	__warn; })

static void (*exynos_before_detach)(void);
#undef mutex_lock
#define mutex_lock(lock) do {							\
	void (*__before)(void) = exynos_before_detach;				\
										\
	exynos_before_detach = NULL;						\
	if (__before)								\
		__before();							\
	mutex_lock_nested(lock, 0);						\
} while (0)

static void (*exynos_after_unlock)(void);
#define spin_unlock_irqrestore(lock, flags) do {				\
	void (*__after)(void) = exynos_after_unlock;				\
										\
	exynos_after_unlock = NULL;						\
	spin_unlock_irqrestore(lock, flags);					\
	if (__after)								\
		__after();							\
} while (0)

/* A device that has been released */
static struct device *exynos_gone;
#define dev_iommu_priv_get(d) ({						\
	struct device *__dev = (d);						\
										\
	KUNIT_EXPECT_PTR_NE_MSG(kunit_get_current_test(), __dev, exynos_gone,	\
				"a device that is gone");			\
	dev_iommu_priv_get(__dev); })

static void exynos_barrier(struct device *dev)
{
	if (dev->power.runtime_status == RPM_RESUMING)
		dev->power.runtime_status = RPM_ACTIVE;
}

#include "exynos-iommu.c"

static u32 exynos_regs[3][SZ_64K / 4];
static struct sysmmu_drvdata exynos_sysmmu[3];
static struct exynos_iommu_owner exynos_owner[2];
static struct device *exynos_other;
static struct attach_driver exynos;

/* The page table, 0 if the SYSMMU is off */
static u64 exynos_table(int i)
{
	return exynos_regs[i][REG_MMU_CTRL / 4] == CTRL_ENABLE ?
	       exynos_regs[i][sysmmu_v1_variant.pt_base / 4] : 0;
}

static u64 exynos_seen(struct kunit *test)
{
	KUNIT_EXPECT_EQ_MSG(test, exynos_table(0), exynos_table(1), "neither here nor there");
	return exynos_table(0);
}

static int exynos_attach_to(struct iommu_domain *domain)
{
	return domain->ops->attach_dev(domain, exynos.dev, exynos_owner[0].domain);
}

static void exynos_leave(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, exynos_attach_to(&exynos_identity_domain), 0);
}

static const struct attach_case exynos_cases[] = {
	{ .name = "__sysmmu_enable_clocks: clk_master, from identity",
	  .call = "clk_prepare_enable", .nth = 1, .ret = -EIO, .first = true, .expect = -EIO },
	{ .name = "__sysmmu_enable_clocks: clk, from identity",
	  .call = "clk_prepare_enable", .nth = 2, .ret = -EIO, .first = true, .expect = -EIO },
	{ .name = "__sysmmu_enable_clocks: pclk, from identity",
	  .call = "clk_prepare_enable", .nth = 3, .ret = -EIO, .first = true, .expect = -EIO },
	{ .name = "__sysmmu_enable_clocks: aclk, from identity",
	  .call = "clk_prepare_enable", .nth = 4, .ret = -EIO, .first = true, .expect = -EIO },
	{ .name = "exynos_iommu_attach_device: the second SYSMMU, from identity",
	  .call = "clk_prepare_enable", .nth = 5, .ret = -EINVAL, .first = true,
	  .expect = -ENODEV },
	{ .name = "__sysmmu_enable_clocks: clk_master", .call = "clk_prepare_enable",
	  .nth = 1, .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "__sysmmu_enable_clocks: clk", .call = "clk_prepare_enable",
	  .nth = 2, .ret = -EIO, .expect = -EIO },
	{ .name = "__sysmmu_enable_clocks: pclk", .call = "clk_prepare_enable",
	  .nth = 3, .ret = -EIO, .expect = -EIO },
	{ .name = "__sysmmu_enable_clocks: aclk", .call = "clk_prepare_enable",
	  .nth = 4, .ret = -EIO, .expect = -EIO },
	{ .name = "exynos_iommu_attach_device: a clock of the second SYSMMU",
	  .call = "clk_prepare_enable", .nth = 8, .ret = -EINVAL, .expect = -ENODEV },
	{ .name = "exynos_iommu_attach_device: success" },
	{ .name = "exynos_iommu_attach_device: success from identity", .first = true },
};

KUNIT_ARRAY_PARAM(exynos, exynos_cases, attach_case_desc);

static void exynos_attach(struct kunit *test)
{
	attach_check(test, &exynos, test->param_value);
}

/* The callback of a resume has seen no domain, and the resume is not over yet. */
static void exynos_resuming(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &exynos);

	exynos_sysmmu[1].sysmmu->power.runtime_status = RPM_RESUMING;
	KUNIT_ASSERT_EQ(test, exynos_attach_to(domain), 0);
	KUNIT_EXPECT_NE(test, exynos_seen(test), 0);
	exynos_leave(test, domain);
	domain->ops->free(domain);
}

/* The callback of a suspend, which will find no domain, is yet to come. */
static void exynos_suspending(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &exynos);

	KUNIT_ASSERT_EQ(test, exynos_attach_to(domain), 0);
	exynos_sysmmu[1].sysmmu->power.runtime_status = RPM_SUSPENDING;
	exynos_leave(test, domain);
	KUNIT_EXPECT_EQ(test, exynos_sysmmu_suspend(exynos_sysmmu[1].sysmmu), 0);
	KUNIT_EXPECT_EQ(test, exynos_seen(test), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	domain->ops->free(domain);
}

static void exynos_resume_clocks(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &exynos);
	struct device *sysmmu = exynos_sysmmu[0].sysmmu;
	int held;
	u64 seen;

	KUNIT_ASSERT_EQ(test, exynos_attach_to(domain), 0);
	seen = exynos_seen(test);
	KUNIT_EXPECT_EQ(test, exynos_sysmmu_suspend(sysmmu), 0);
	held = attach_test.held[CLK];
	attach_test_inject("clk_prepare_enable", 4, -EIO);
	KUNIT_EXPECT_EQ(test, exynos_sysmmu_resume(sysmmu), -EIO);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, exynos_table(0), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], held);
	KUNIT_EXPECT_EQ(test, exynos_attach_to(domain), 0);
	KUNIT_EXPECT_EQ_MSG(test, exynos_table(0), 0, "on without power");
	KUNIT_EXPECT_EQ(test, exynos_sysmmu_resume(sysmmu), 0);
	KUNIT_EXPECT_EQ(test, exynos_seen(test), seen);
	exynos_leave(test, domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	KUNIT_EXPECT_EQ(test, exynos_attach_to(domain), 0);
	KUNIT_EXPECT_EQ(test, exynos_seen(test), seen);
	exynos_leave(test, domain);
	domain->ops->free(domain);
}

/* It is enabled and prepared already: an error of its driver stops nothing. */
static void exynos_disable_clock(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &exynos);
	struct iommu_domain *domain = attach_test_alloc(test, &exynos);
	u64 seen;

	KUNIT_ASSERT_EQ(test, exynos_attach_to(old), 0);
	seen = exynos_seen(test);
	attach_test_inject("clk_enable", 1, -EIO);
	KUNIT_EXPECT_EQ(test, exynos_attach_to(domain), 0);
	attach_test.call = NULL;
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_NE(test, exynos_seen(test), seen);
	exynos_leave(test, domain);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* The next domain awaits a SYSMMU that is off, and its clocks are not touched. */
static void exynos_suspended(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &exynos);
	struct iommu_domain *domain = attach_test_alloc(test, &exynos);
	struct device *sysmmu = exynos_sysmmu[0].sysmmu;
	u64 seen;
	int held;

	KUNIT_ASSERT_EQ(test, exynos_attach_to(old), 0);
	seen = exynos_seen(test);
	KUNIT_ASSERT_EQ(test, exynos_sysmmu_suspend(sysmmu), 0);
	sysmmu->power.runtime_status = RPM_SUSPENDED;
	held = attach_test.held[CLK];
	/* The last clock of the one that is on */
	attach_test_inject("clk_prepare_enable", 4, -EIO);
	KUNIT_EXPECT_EQ(test, exynos_attach_to(domain), -EIO);
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, exynos_table(0), 0);
	KUNIT_EXPECT_EQ(test, exynos_table(1), seen);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], held);

	/* Its four clocks are held, and then enabled: no ninth one */
	attach_test_inject("clk_prepare_enable", 9, -EIO);
	KUNIT_EXPECT_EQ(test, exynos_attach_to(domain), 0);
	KUNIT_EXPECT_FALSE(test, attach_test.hit);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, exynos_table(0), 0);
	KUNIT_EXPECT_NE(test, exynos_table(1), seen);
	KUNIT_EXPECT_NE(test, exynos_table(1), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], held);
	KUNIT_EXPECT_EQ(test, exynos_sysmmu_resume(sysmmu), 0);
	KUNIT_EXPECT_NE(test, exynos_seen(test), 0);
	exynos_leave(test, domain);
	KUNIT_EXPECT_EQ(test, exynos_seen(test), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* System sleep has suspended a SYSMMU that is in use: it has no power, and the status stays. */
static void exynos_sleeping(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &exynos);
	struct device *sysmmu = exynos_sysmmu[0].sysmmu;

	KUNIT_EXPECT_EQ(test, exynos_sysmmu_suspend(sysmmu), 0);
	KUNIT_EXPECT_EQ(test, sysmmu->power.runtime_status, RPM_ACTIVE);
	KUNIT_EXPECT_EQ(test, exynos_attach_to(domain), 0);
	KUNIT_EXPECT_EQ(test, exynos_table(0), 0);
	KUNIT_EXPECT_NE(test, exynos_table(1), 0);
	KUNIT_EXPECT_EQ(test, exynos_sysmmu_resume(sysmmu), 0);
	KUNIT_EXPECT_NE(test, exynos_seen(test), 0);
	exynos_leave(test, domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	domain->ops->free(domain);
}

/* What the versions want in their registers */
struct exynos_version {
	const char *name;
	u32 version, capa0, capa1;
	u32 cfg, vm;
	unsigned int base, shift, flush;
};

#define EXYNOS_CFG(more)	(CFG_QOS(15) | CFG_EAP | (more))
static const struct exynos_version exynos_versions[] = {
	{ .name = "3.1", .version = MAKE_MMU_VER(3, 1), .cfg = EXYNOS_CFG(CFG_LRU),
	  .base = 0x14, .flush = 0xc },
	{ .name = "3.2", .version = MAKE_MMU_VER(3, 2), .base = 0x14, .flush = 0xc,
	  .cfg = EXYNOS_CFG(CFG_LRU | CFG_FLPDCACHE | CFG_SYSSEL) },
	{ .name = "3.3", .version = MAKE_MMU_VER(3, 3), .base = 0x14, .flush = 0xc,
	  .cfg = EXYNOS_CFG(CFG_FLPDCACHE | CFG_ACGEN) },
	{ .name = "5.0", .version = MAKE_MMU_VER(5, 0), .base = 0xc, .shift = 12, .flush = 0x10,
	  .cfg = EXYNOS_CFG(CFG_FLPDCACHE | CFG_ACGEN) },
	/* It says that it has more registers, but not for virtual machines. */
	{ .name = "7.1", .version = MAKE_MMU_VER(7, 1), .capa0 = CAPA0_CAPA1_EXIST,
	  .base = 0xc, .shift = 12, .flush = 0x10,
	  .cfg = EXYNOS_CFG(CFG_FLPDCACHE | CFG_ACGEN) },
	{ .name = "7.1 with virtual machines", .version = MAKE_MMU_VER(7, 1),
	  .capa0 = CAPA0_CAPA1_EXIST, .capa1 = CAPA1_VCR_ENABLED,
	  .base = 0x800c, .shift = 12, .flush = 0x8010,
	  .vm = CTRL_VM_ENABLE | CTRL_VM_FAULT_MODE_STALL,
	  .cfg = EXYNOS_CFG(CFG_FLPDCACHE | CFG_ACGEN) },
};

static void exynos_version_desc(const struct exynos_version *v, char *desc)
{
	strscpy(desc, v->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(exynos_version, exynos_versions, exynos_version_desc);

static void exynos_registers(struct kunit *test)
{
	const struct exynos_version *v = test->param_value;
	struct iommu_domain *domain = attach_test_alloc(test, &exynos);
	phys_addr_t table = virt_to_phys(to_exynos_domain(domain)->pgtable);
	u32 *regs = exynos_regs[1];

	/* A bit that is not the driver's */
	regs[REG_V7_CTRL_VM / 4] = BIT(31);
	regs[REG_V7_CAPA0 / 4] = v->capa0;
	regs[REG_V7_CAPA1 / 4] = v->capa1;
	regs[REG_MMU_VERSION / 4] = v->version << 21;
	KUNIT_ASSERT_EQ(test, __sysmmu_get_version(&exynos_sysmmu[1]), 0);
	KUNIT_ASSERT_EQ(test, exynos_attach_to(domain), 0);
	KUNIT_EXPECT_EQ(test, regs[REG_MMU_CTRL / 4], CTRL_ENABLE);
	KUNIT_EXPECT_EQ(test, regs[REG_MMU_CFG / 4], v->cfg);
	KUNIT_EXPECT_EQ(test, regs[v->base / 4], (u32)(table >> v->shift));
	KUNIT_EXPECT_EQ(test, regs[v->flush / 4], 1);
	KUNIT_EXPECT_EQ(test, regs[REG_V7_CTRL_VM / 4], BIT(31) | v->vm);
	exynos_leave(test, domain);
	KUNIT_EXPECT_EQ(test, regs[REG_MMU_CTRL / 4], CTRL_DISABLE);
	domain->ops->free(domain);
}

static int exynos_attach_other(struct iommu_domain *domain)
{
	return domain->ops->attach_dev(domain, exynos_other, exynos_owner[1].domain);
}

/* One of two devices leaves the domain, and the other is resumed after that. */
static void exynos_shared(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &exynos);
	struct device *sysmmu = exynos_sysmmu[2].sysmmu;
	u64 table;

	KUNIT_ASSERT_EQ(test, exynos_attach_other(domain), 0);
	KUNIT_ASSERT_EQ(test, exynos_attach_to(domain), 0);
	table = exynos_table(2);
	exynos_leave(test, domain);
	KUNIT_EXPECT_EQ(test, exynos_seen(test), 0);
	KUNIT_EXPECT_EQ(test, exynos_table(2), table);
	KUNIT_EXPECT_EQ(test, exynos_sysmmu_suspend(sysmmu), 0);
	KUNIT_EXPECT_EQ(test, exynos_table(2), 0);
	KUNIT_EXPECT_EQ(test, exynos_sysmmu_resume(sysmmu), 0);
	KUNIT_EXPECT_EQ(test, exynos_table(2), table);
	KUNIT_EXPECT_EQ(test, exynos_attach_other(&exynos_identity_domain), 0);
	domain->ops->free(domain);
}

/* The device whose default domain it is goes first, and with it the domain. */
static void exynos_free_shared(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &exynos);
	struct iommu_domain *next = attach_test_alloc(test, &exynos);

	KUNIT_ASSERT_EQ(test, exynos_attach_to(domain), 0);
	KUNIT_ASSERT_EQ(test, exynos_attach_other(domain), 0);
	exynos_leave(test, domain);
	KUNIT_EXPECT_NE(test, exynos_table(2), 0);
	exynos_may_warn = true;
	domain->ops->free(domain);
	exynos_may_warn = false;
	KUNIT_EXPECT_EQ_MSG(test, exynos_table(2), 0, "walks a freed table");
	KUNIT_ASSERT_PTR_EQ_MSG(test, exynos_owner[1].domain, &exynos_identity_domain,
				"in a domain that is freed");
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	KUNIT_EXPECT_EQ(test, exynos_attach_other(next), 0);
	KUNIT_EXPECT_NE(test, exynos_table(2), 0);
	KUNIT_EXPECT_EQ(test, exynos_attach_other(&exynos_identity_domain), 0);
	next->ops->free(next);
}

static struct iommu_domain *exynos_next;
static int exynos_next_ret;

static void exynos_attach_next(void)
{
	exynos_next_ret = exynos_attach_other(exynos_next);
}

/* And that device is just attached to another domain, which it must not lose. */
static void exynos_free_while_attached(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &exynos);
	u64 table;

	exynos_next = attach_test_alloc(test, &exynos);
	table = virt_to_phys(to_exynos_domain(exynos_next)->pgtable);
	KUNIT_ASSERT_EQ(test, exynos_attach_other(domain), 0);
	exynos_next_ret = -EBUSY;
	exynos_before_detach = exynos_attach_next;
	exynos_may_warn = true;
	domain->ops->free(domain);
	exynos_may_warn = false;
	KUNIT_ASSERT_EQ(test, exynos_next_ret, 0);
	KUNIT_EXPECT_PTR_EQ(test, exynos_owner[1].domain, exynos_next);
	KUNIT_EXPECT_EQ(test, exynos_table(2), table);
	KUNIT_EXPECT_EQ(test, exynos_attach_other(&exynos_identity_domain), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	exynos_next->ops->free(exynos_next);
}

static void exynos_release_other(void)
{
	exynos_next_ret = exynos_attach_other(&exynos_identity_domain);
	exynos_gone = exynos_other;
}

/* Or it is released, as soon as it may be, and freed. */
static void exynos_free_while_released(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &exynos);

	KUNIT_ASSERT_EQ(test, exynos_attach_other(domain), 0);
	exynos_next_ret = -EBUSY;
	exynos_after_unlock = exynos_release_other;
	exynos_may_warn = true;
	domain->ops->free(domain);
	exynos_may_warn = false;
	exynos_gone = NULL;
	KUNIT_ASSERT_EQ(test, exynos_next_ret, 0);
	KUNIT_EXPECT_PTR_EQ(test, exynos_owner[1].domain, &exynos_identity_domain);
	KUNIT_EXPECT_EQ(test, exynos_table(2), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
}

/* User space may resume a SYSMMU, and suspend it, before it has a master. */
static void exynos_no_master(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &exynos);
	int i;

	for (i = 0; i < 2; i++) {
		exynos_sysmmu[i].master = NULL;
		KUNIT_EXPECT_EQ(test, exynos_sysmmu_suspend(exynos_sysmmu[i].sysmmu), 0);
	}
	KUNIT_EXPECT_EQ(test, exynos_sysmmu_resume(exynos_sysmmu[1].sysmmu), 0);
	for (i = 0; i < 2; i++)
		exynos_sysmmu[i].master = exynos.dev;
	KUNIT_EXPECT_EQ(test, exynos_attach_to(domain), 0);
	KUNIT_EXPECT_EQ(test, exynos_table(0), 0);
	KUNIT_EXPECT_NE(test, exynos_table(1), 0);
	KUNIT_EXPECT_EQ(test, exynos_sysmmu_resume(exynos_sysmmu[0].sysmmu), 0);
	KUNIT_EXPECT_NE(test, exynos_seen(test), 0);
	exynos_leave(test, domain);
	domain->ops->free(domain);
}

static int exynos_init(struct kunit *test)
{
	int i;

	exynos_before_detach = NULL;
	exynos_after_unlock = NULL;
	exynos_gone = NULL;
	memset(exynos_regs, 0, sizeof(exynos_regs));
	memset(exynos_sysmmu, 0, sizeof(exynos_sysmmu));
	memset(exynos_owner, 0, sizeof(exynos_owner));
	memset(attach_test.held, 0, sizeof(attach_test.held));
	exynos.ops = &exynos_iommu_ops;
	exynos.seen = exynos_seen;
	exynos.leave = exynos_leave;
	exynos.dev = attach_test_device(test, "exynos-client");
	exynos_other = attach_test_device(test, "exynos-other");
	dev_iommu_priv_set(exynos.dev, &exynos_owner[0]);
	dev_iommu_priv_set(exynos_other, &exynos_owner[1]);
	for (i = 0; i < 2; i++) {
		INIT_LIST_HEAD(&exynos_owner[i].controllers);
		mutex_init(&exynos_owner[i].rpm_lock);
		exynos_owner[i].domain = &exynos_identity_domain;
	}
	for (i = 0; i < 3; i++) {
		struct sysmmu_drvdata *data = &exynos_sysmmu[i];

		spin_lock_init(&data->lock);
		data->sfrbase = (void __iomem *)exynos_regs[i];
		data->sysmmu = attach_test_device(test, "exynos-sysmmu");
		data->master = i < 2 ? exynos.dev : exynos_other;
		dev_set_drvdata(data->sysmmu, data);
		data->sysmmu->power.runtime_status = RPM_ACTIVE;
		list_add_tail(&data->owner_node, &exynos_owner[i / 2].controllers);
		exynos_regs[i][REG_MMU_VERSION / 4] = 0x80000001;
		__sysmmu_get_version(data);
	}
	/* As probe has them for this version; the tables may be anywhere. */
	PG_ENT_SHIFT = SYSMMU_PG_ENT_SHIFT;
	LV1_PROT = SYSMMU_LV1_PROT;
	LV2_PROT = SYSMMU_LV2_PROT;
	dma_dev = exynos_sysmmu[0].sysmmu;
	zero_lv2_table = kunit_kzalloc(test, LV2TABLE_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, zero_lv2_table);
	return dma_set_mask(dma_dev, DMA_BIT_MASK(64));
}

static void exynos_exit(struct kunit *test)
{
	int i;

	for (i = 0; i < 3; i++) {
		exynos_sysmmu[i].sysmmu->power.runtime_status = RPM_SUSPENDED;
		attach_test_remove(exynos_sysmmu[i].sysmmu);
	}
	attach_test_remove(exynos_other);
	attach_test_remove(exynos.dev);
}

static struct kunit_case exynos_kunit[] = {
	KUNIT_CASE_PARAM(exynos_attach, exynos_gen_params),
	KUNIT_CASE(exynos_resuming),
	KUNIT_CASE(exynos_suspending),
	KUNIT_CASE(exynos_resume_clocks),
	KUNIT_CASE(exynos_disable_clock),
	KUNIT_CASE(exynos_shared),
	KUNIT_CASE(exynos_free_shared),
	KUNIT_CASE(exynos_free_while_attached),
	KUNIT_CASE(exynos_free_while_released),
	KUNIT_CASE(exynos_no_master),
	KUNIT_CASE(exynos_suspended),
	KUNIT_CASE(exynos_sleeping),
	KUNIT_CASE_PARAM(exynos_registers, exynos_version_gen_params),
	{}
};

static struct kunit_suite exynos_suite = {
	.name = "exynos-iommu", .init = exynos_init, .exit = exynos_exit,
	.test_cases = exynos_kunit,
};

kunit_test_suite(exynos_suite);

MODULE_DESCRIPTION("KUnit test of the attach of exynos-iommu.c");
MODULE_LICENSE("GPL");
