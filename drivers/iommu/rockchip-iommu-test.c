// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of rockchip-iommu.c, see attach-test.h
 */
#include <linux/iopoll.h>

#include "attach-test.h"

/* Two MMUs, which ignore so many of the commands, or of the writes to DTE_ADDR */
#define RK_DTE_ADDR	7
static u32 rk_regs[2][0x10];
static u8 rk_ignored[RK_DTE_ADDR + 1];
/* How runtime PM sees the IOMMU; an errno if it is disabled */
static int rk_on;
static bool rk_resuming, rk_suspending;

static void rk_write(u32 value, void __iomem *addr);
static void rk_barrier(struct device *dev);
static int rk_enable_clocks(void);

#undef clk_bulk_enable
#define clk_bulk_enable(n, c)			({ (void)(c); rk_enable_clocks(); })
#define pm_runtime_barrier(dev)			rk_barrier(dev)
#define pm_runtime_get_noresume(dev)		({ (void)(dev); attach_test.held[PM]++; })
#define pm_runtime_get_if_active(dev, ign)	(rk_on > 0 ? attach_test.held[PM]++, 1 : rk_on)
#undef pm_runtime_get_if_in_use
#define pm_runtime_get_if_in_use(dev) \
	(rk_on > 0 && attach_test.held[PM] ? attach_test.held[PM]++, 1 : min(rk_on, 0))
/* Here it is expected. */
#undef WARN_ON_ONCE
#define WARN_ON_ONCE(cond)	({ bool __warn = (cond); __warn; })
#undef writel
#define writel(value, addr)	rk_write(value, addr)

#include "rockchip-iommu.c"

static struct rk_iommu rk_iommu;
static struct rk_iommudata rk_data = { .iommu = &rk_iommu };
static void __iomem *rk_bases[] = { (void __iomem *)rk_regs[0], (void __iomem *)rk_regs[1] };
static struct attach_driver rk;

static void rk_write(u32 value, void __iomem *addr)
{
	unsigned long off = (u8 __force *)addr - (u8 *)rk_regs;
	u32 *regs = rk_regs[off / sizeof(rk_regs[0])];
	unsigned int reg = off % sizeof(rk_regs[0]);
	unsigned int what = reg == RK_MMU_COMMAND ? value : RK_DTE_ADDR;

	if ((reg == RK_MMU_COMMAND || reg == RK_MMU_DTE_ADDR) && rk_ignored[what]) {
		rk_ignored[what]--;
		return;
	}
	regs[reg / 4] = value;
	if (reg != RK_MMU_COMMAND)
		return;
	if (value == RK_MMU_CMD_ENABLE_PAGING)
		regs[RK_MMU_STATUS / 4] |= RK_MMU_STATUS_PAGING_ENABLED;
	if (value == RK_MMU_CMD_DISABLE_PAGING || value == RK_MMU_CMD_FORCE_RESET)
		regs[RK_MMU_STATUS / 4] &= ~RK_MMU_STATUS_PAGING_ENABLED;
	if (value == RK_MMU_CMD_ENABLE_STALL)
		regs[RK_MMU_STATUS / 4] |= RK_MMU_STATUS_STALL_ACTIVE;
	if (value == RK_MMU_CMD_DISABLE_STALL)
		regs[RK_MMU_STATUS / 4] &= ~RK_MMU_STATUS_STALL_ACTIVE;
	if (value == RK_MMU_CMD_FORCE_RESET)
		regs[RK_MMU_DTE_ADDR / 4] = 0;
}

/* Waits for a resume that has programmed the domain before, or for a suspend */
static void rk_barrier(struct device *dev)
{
	if (rk_resuming)
		rk_on = 1;
	if (rk_suspending) {
		rk_iommu_suspend(dev);
		rk_on = 0;
	}
	rk_resuming = false;
	rk_suspending = false;
}

/* The directory of both MMUs, 0 for one whose paging is off */
static u64 rk_seen(struct kunit *test)
{
	u64 seen = 0;
	int i;

	for (i = 0; i < 2; i++)
		seen = seen << 32 | (rk_regs[i][RK_MMU_STATUS / 4] & RK_MMU_STATUS_PAGING_ENABLED ?
				     rk_regs[i][RK_MMU_DTE_ADDR / 4] : 0);
	return seen;
}

/* A clock that is on already does not fail. */
static int rk_enable_clocks(void)
{
	struct kunit *test = current->kunit_test;
	u32 table = rk_seen(test);
	int ret;

	if (attach_test.held[CLK]) {
		attach_test.held[CLK]++;
		return 0;
	}
	ret = TAKE_ERR(CLK, "clk_bulk_enable", 0);
	/* It goes on to walk this table, and so must the domain go on to flush it. */
	if (ret && table) {
		KUNIT_ASSERT_NOT_NULL(test, rk_iommu.domain);
		KUNIT_EXPECT_EQ(test, table,
				rk_ops->mk_dtentries(to_rk_domain(rk_iommu.domain)->dt_dma));
	}
	return ret;
}

struct rk_case {
	struct attach_case c;
	u8 ignored[RK_DTE_ADDR + 1];
};

static void rk_ignore(struct kunit *test, struct iommu_domain *domain)
{
	const struct rk_case *c = test->param_value;

	memcpy(rk_ignored, c->ignored, sizeof(rk_ignored));
}

/* On until it is suspended, though nobody uses it */
static void rk_idle(struct kunit *test, struct iommu_domain *domain)
{
	attach_test.held[PM]--;
}

static int rk_busy(struct device *dev)
{
	return -EBUSY;
}

static void rk_idle_busy(struct kunit *test, struct iommu_domain *domain)
{
	attach_test.suspend = rk_busy;
	attach_test.held[PM]--;
}

static void rk_resume_under_way(struct kunit *test, struct iommu_domain *domain)
{
	rk_resuming = true;
	rk_on = 0;
	attach_test.held[PM]--;
}

static void rk_in_use(struct kunit *test, struct iommu_domain *domain)
{
	attach_test.suspend = NULL;
	rk_on = 1;
	attach_test.held[PM]++;
}

static const struct rk_case rk_cases[] = {
	{ { .name = "rk_iommu_attach_device: on, but not in use",
	    .setup = rk_idle, .undo = rk_in_use } },
	{ { .name = "rk_iommu_attach_device: a resume is under way",
	    .setup = rk_resume_under_way, .undo = rk_in_use } },
	{ { .name = "rk_iommu_attach_device: pm_runtime_put() has an error",
	    .setup = rk_idle_busy, .undo = rk_in_use } },
	{ { .name = "rk_iommu_enable: a clock cannot be enabled",
	    .call = "clk_bulk_enable", .ret = -EIO, .expect = -EIO } },
	{ { .name = "rk_iommu_enable: a clock cannot be enabled, in no domain", .first = true,
	    .call = "clk_bulk_enable", .ret = -EIO, .expect = -EIO } },
	{ { .name = "rk_iommu_enable: EINVAL from a clock", .first = true,
	    .call = "clk_bulk_enable", .ret = -EINVAL, .expect = -ENODEV } },
	{ { .name = "rk_iommu_disable: no stall", .setup = rk_ignore },
	  .ignored = { [RK_MMU_CMD_ENABLE_STALL] = 2 } },
	{ { .name = "rk_iommu_disable: paging stays enabled", .setup = rk_ignore },
	  .ignored = { [RK_MMU_CMD_DISABLE_PAGING] = 2 } },
	{ { .name = "rk_iommu_disable: the stall does not end", .setup = rk_ignore },
	  .ignored = { [RK_MMU_CMD_DISABLE_STALL] = 2 } },
	{ { .name = "rk_iommu_enable_stall: no stall",
	    .setup = rk_ignore, .expect = -ETIMEDOUT },
	  .ignored = { [RK_MMU_CMD_ENABLE_STALL] = 4, [RK_MMU_CMD_DISABLE_PAGING] = 2 } },
	{ { .name = "rk_iommu_force_reset: the register is dead",
	    .setup = rk_ignore, .expect = -ENODEV },
	  .ignored = { [RK_DTE_ADDR] = 3 } },
	{ { .name = "rk_iommu_force_reset: the register is dead in no domain",
	    .setup = rk_ignore, .first = true, .expect = -ENODEV },
	  .ignored = { [RK_DTE_ADDR] = 1 } },
	{ { .name = "rk_iommu_force_reset: time out",
	    .setup = rk_ignore, .expect = -ETIMEDOUT },
	  .ignored = { [RK_MMU_CMD_FORCE_RESET] = 2 } },
	{ { .name = "rk_iommu_enable_paging: time out",
	    .setup = rk_ignore, .expect = -ETIMEDOUT },
	  .ignored = { [RK_MMU_CMD_ENABLE_PAGING] = 2 } },
	{ { .name = "rk_iommu_enable_paging: time out of one MMU in no domain",
	    .setup = rk_ignore, .first = true, .expect = -ETIMEDOUT },
	  .ignored = { [RK_MMU_CMD_ENABLE_PAGING] = 1 } },
	{ { .name = "rk_iommu_enable: the stall does not end", .setup = rk_ignore },
	  .ignored = { [RK_MMU_CMD_DISABLE_STALL] = 4 } },
	{ { .name = "rk_iommu_attach_device: success", } },
	{ { .name = "rk_iommu_attach_device: success in no domain", .first = true } },
};

static void rk_case_desc(const struct rk_case *c, char *desc)
{
	attach_case_desc(&c->c, desc);
}

KUNIT_ARRAY_PARAM(rk, rk_cases, rk_case_desc);

static void rk_attach(struct kunit *test)
{
	const struct rk_case *c = test->param_value;

	attach_check(test, &rk, &c->c);
}

/* What is not on is programmed by its resume; that may fail, and so may an attach. */
static void rk_suspended(struct kunit *test)
{
	static const int off[] = { 0, -EINVAL };
	struct iommu_domain *domain = attach_test_alloc(test, &rk);
	int i;

	for (i = 0; i < ARRAY_SIZE(off); i++) {
		rk_on = off[i];
		attach_test_inject("clk_bulk_enable", 1, -EIO);
		KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, rk.dev), -EIO);
		attach_test.call = NULL;
		KUNIT_EXPECT_PTR_EQ(test, rk_iommu.domain, NULL);
		KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, rk.dev), 0);
		KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
		KUNIT_EXPECT_EQ(test, rk_seen(test), 0);
		domain->ops->detach_dev(domain, rk.dev);
		KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, rk.dev), 0);
		attach_test.nth = 1;
		attach_test.ret = -EIO;
		attach_test.call = "clk_bulk_enable";
		KUNIT_EXPECT_EQ(test, rk_iommu_resume(rk_iommu.dev), -EIO);
		KUNIT_EXPECT_EQ(test, rk_seen(test), 0);
		KUNIT_EXPECT_EQ(test, rk_iommu_resume(rk_iommu.dev), 0);
		KUNIT_EXPECT_NE(test, rk_seen(test), 0);
		rk_on = 1;
		domain->ops->detach_dev(domain, rk.dev);
		KUNIT_EXPECT_EQ(test, rk_seen(test), 0);
	}
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 1);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	domain->ops->free(domain);
}

/* What is on is off after a detach, whether in use or about to be suspended. */
static void rk_detach(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &rk);

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, rk.dev), 0);
	rk_idle(test, domain);
	domain->ops->detach_dev(domain, rk.dev);
	KUNIT_EXPECT_EQ_MSG(test, rk_seen(test), 0, "idle");
	rk_in_use(test, domain);

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, rk.dev), 0);
	rk_idle(test, domain);
	rk_suspending = true;
	domain->ops->detach_dev(domain, rk.dev);
	KUNIT_EXPECT_EQ_MSG(test, rk_seen(test), 0, "suspending");
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
	domain->ops->free(domain);
}

/* The register is dead for the old domain, too, until that is attached again. */
static void rk_dead(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &rk);
	struct iommu_domain *domain = attach_test_alloc(test, &rk);
	u64 seen;

	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, rk.dev), 0);
	seen = rk_seen(test);
	rk_ignored[RK_DTE_ADDR] = 4;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, rk.dev), -ENODEV);
	KUNIT_EXPECT_EQ(test, rk_ignored[RK_DTE_ADDR], 0);
	KUNIT_EXPECT_NE(test, rk_seen(test), seen);
	KUNIT_EXPECT_EQ(test, old->ops->attach_dev(old, rk.dev), 0);
	KUNIT_EXPECT_EQ(test, rk_seen(test), seen);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	old->ops->detach_dev(old, rk.dev);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* A device without an IOMMU (drm) takes any domain. */
static void rk_virtual(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &rk);

	dev_iommu_priv_set(rk.dev, NULL);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, rk.dev), 0);
	KUNIT_EXPECT_EQ(test, rk_seen(test), 0);
	domain->ops->detach_dev(domain, rk.dev);
	domain->ops->free(domain);
}

static int rk_init(struct kunit *test)
{
	memset(&attach_test, 0, sizeof(attach_test));
	attach_test.held[PM] = 1;
	rk_on = 1;
	rk_resuming = false;
	rk_suspending = false;
	memset(rk_ignored, 0, sizeof(rk_ignored));
	memset(rk_regs, 0, sizeof(rk_regs));
	memset(&rk_iommu, 0, sizeof(rk_iommu));
	rk_iommu.bases = rk_bases;
	rk_iommu.num_mmu = ARRAY_SIZE(rk_bases);
	rk_iommu.dev = attach_test_device(test, "rk-iommu");
	dev_set_drvdata(rk_iommu.dev, &rk_iommu);
	dma_dev = rk_iommu.dev;
	rk_ops = &iommu_data_ops_v1;
	rk.ops = &rk_iommu_ops;
	rk.seen = rk_seen;
	rk.dev = attach_test_device(test, "rk-client");
	dev_iommu_priv_set(rk.dev, &rk_data);
	return 0;
}

static void rk_exit(struct kunit *test)
{
	attach_test_remove(rk.dev);
	attach_test_remove(rk_iommu.dev);
}

static struct kunit_case rk_kunit[] = {
	KUNIT_CASE_PARAM(rk_attach, rk_gen_params),
	KUNIT_CASE(rk_suspended),
	KUNIT_CASE(rk_detach),
	KUNIT_CASE(rk_dead),
	KUNIT_CASE(rk_virtual),
	{}
};

static struct kunit_suite rk_suite = {
	.name = "rockchip-iommu", .init = rk_init, .exit = rk_exit, .test_cases = rk_kunit,
};

kunit_test_suite(rk_suite);
