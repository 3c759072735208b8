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
/* What must not happen, or only where a case wants it */
static int rk_warned, rk_unstalled;

static void rk_write(u32 value, void __iomem *addr);
static void rk_barrier(struct device *dev);
static int rk_enable_clocks(void);

#undef clk_bulk_enable
#define clk_bulk_enable(n, c)			({ (void)(n); (void)(c); rk_enable_clocks(); })
#define pm_runtime_barrier(dev)			rk_barrier(dev)
#define pm_runtime_get_noresume(dev)		({ (void)(dev); attach_test.held[PM]++; })
#define pm_runtime_get_if_active(...)		(rk_on > 0 ? attach_test.held[PM]++, 1 : rk_on)
#undef pm_runtime_get_if_in_use
#define pm_runtime_get_if_in_use(...) \
	(rk_on > 0 && attach_test.held[PM] ? attach_test.held[PM]++, 1 : min(rk_on, 0))
/* Here it is expected. */
#undef WARN_ON_ONCE
#define WARN_ON_ONCE(cond)	({ bool __warn = (cond); __warn; })
#undef WARN_ON
#define WARN_ON(cond)		({ bool __warn = (cond); rk_warned += __warn; __warn; })
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
	u32 status = regs[RK_MMU_STATUS / 4];

	KUNIT_EXPECT_GT_MSG(current->kunit_test, attach_test.held[CLK], 0, "no clock");
	if (reg == RK_MMU_DTE_ADDR && (status & RK_MMU_STATUS_PAGING_ENABLED) &&
	    !(status & RK_MMU_STATUS_STALL_ACTIVE))
		rk_unstalled++;
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
	/* Whoever waits here changes the domain. */
	KUNIT_EXPECT_TRUE(current->kunit_test, mutex_is_locked(&rk_iommu_domain_lock));
	if (rk_resuming)
		rk_on = 1;
	if (rk_suspending) {
		rk_iommu_suspend(dev);
		rk_on = 0;
	}
	rk_resuming = false;
	rk_suspending = false;
}

/* Set while the IOMMU leaves a domain, which must not fail */
static bool rk_leaving;

/* The directory of both MMUs, 0 for one whose paging is off, 1 if it is on without any */
static u64 rk_seen(struct kunit *test)
{
	u64 seen = 0;
	int i;

	for (i = 0; i < 2; i++)
		seen = seen << 32 | (rk_regs[i][RK_MMU_STATUS / 4] & RK_MMU_STATUS_PAGING_ENABLED ?
				     rk_regs[i][RK_MMU_DTE_ADDR / 4] ?: 1 : 0);
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
	if (ret && table && !rk_leaving) {
		struct rk_iommu_domain *domain = to_rk_domain(rk_iommu.domain);

		KUNIT_ASSERT_PTR_NE(test, rk_iommu.domain, &rk_identity_domain);
		KUNIT_EXPECT_EQ(test, table, rk_iommu.rk_ops->mk_dtentries(domain->dt_dma));
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

static void rk_resume_under_way(struct kunit *test, struct iommu_domain *domain)
{
	rk_resuming = true;
	rk_on = 0;
	attach_test.held[PM]--;
}

static void rk_in_use(struct kunit *test, struct iommu_domain *domain)
{
	rk_on = 1;
	attach_test.held[PM]++;
}

/* A domain for an IOMMU of the other kind */
static struct iommu_domain *rk_other_format(struct kunit *test)
{
	struct iommu_domain *domain;

	rk_iommu.rk_ops = &iommu_data_ops_v2;
	domain = attach_test_alloc(test, &rk);
	rk_iommu.rk_ops = &iommu_data_ops_v1;
	return domain;
}

static const struct rk_case rk_cases[] = {
	{ { .name = "rk_iommu_attach_device: page tables of another format",
	    .alloc = rk_other_format, .expect = -EINVAL } },
	{ { .name = "rk_iommu_attach_device: page tables of another format, from identity",
	    .alloc = rk_other_format, .first = true, .expect = -EINVAL } },
	{ { .name = "rk_iommu_attach_device: on, but not in use",
	    .setup = rk_idle, .undo = rk_in_use } },
	{ { .name = "rk_iommu_attach_device: a resume is under way",
	    .setup = rk_resume_under_way, .undo = rk_in_use } },
	{ { .name = "rk_iommu_enable: a clock cannot be enabled",
	    .call = "clk_bulk_enable", .ret = -EIO, .expect = -EIO } },
	{ { .name = "rk_iommu_enable: a clock cannot be enabled, from identity", .first = true,
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
	{ { .name = "rk_iommu_force_reset: the register is dead, from identity",
	    .setup = rk_ignore, .first = true, .expect = -ENODEV },
	  .ignored = { [RK_DTE_ADDR] = 1 } },
	{ { .name = "rk_iommu_force_reset: time out",
	    .setup = rk_ignore, .expect = -ETIMEDOUT },
	  .ignored = { [RK_MMU_CMD_FORCE_RESET] = 2 } },
	{ { .name = "rk_iommu_enable_paging: time out",
	    .setup = rk_ignore, .expect = -ETIMEDOUT },
	  .ignored = { [RK_MMU_CMD_ENABLE_PAGING] = 2 } },
	{ { .name = "rk_iommu_enable_paging: time out of one MMU, from identity",
	    .setup = rk_ignore, .first = true, .expect = -ETIMEDOUT },
	  .ignored = { [RK_MMU_CMD_ENABLE_PAGING] = 1 } },
	{ { .name = "rk_iommu_enable_paging: time out of one MMU",
	    .setup = rk_ignore, .expect = -ETIMEDOUT },
	  .ignored = { [RK_MMU_CMD_ENABLE_PAGING] = 1 } },
	{ { .name = "rk_iommu_enable: the stall does not end", .setup = rk_ignore },
	  .ignored = { [RK_MMU_CMD_DISABLE_STALL] = 4 } },
	{ { .name = "rk_iommu_attach_device: success", } },
	{ { .name = "rk_iommu_attach_device: success from identity", .first = true } },
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

static int rk_attach_to(struct iommu_domain *domain)
{
	return domain->ops->attach_dev(domain, rk.dev, rk_iommu.domain);
}

static void rk_leave(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_EXPECT_EQ(test, rk_attach_to(&rk_identity_domain), 0);
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
		KUNIT_EXPECT_EQ(test, rk_attach_to(domain), -EIO);
		attach_test.call = NULL;
		KUNIT_EXPECT_PTR_EQ(test, rk_iommu.domain, &rk_identity_domain);
		KUNIT_EXPECT_EQ(test, rk_attach_to(domain), 0);
		KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
		KUNIT_EXPECT_EQ(test, rk_seen(test), 0);
		rk_leave(test, domain);
		KUNIT_EXPECT_EQ(test, rk_attach_to(domain), 0);
		attach_test_inject("clk_bulk_enable", 1, -EIO);
		KUNIT_EXPECT_EQ(test, rk_iommu_resume(rk_iommu.dev), -EIO);
		KUNIT_EXPECT_EQ(test, rk_seen(test), 0);
		KUNIT_EXPECT_EQ(test, rk_iommu_resume(rk_iommu.dev), 0);
		KUNIT_EXPECT_NE(test, rk_seen(test), 0);
		rk_on = 1;
		rk_leave(test, domain);
		KUNIT_EXPECT_EQ(test, rk_seen(test), 0);
	}
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 1);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	domain->ops->free(domain);
}

/* What is on is off in the identity domain, whether in use or about to be suspended. */
static void rk_identity(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &rk);

	KUNIT_ASSERT_EQ(test, rk_attach_to(domain), 0);
	rk_idle(test, domain);
	rk_leave(test, domain);
	KUNIT_EXPECT_EQ_MSG(test, rk_seen(test), 0, "idle");
	rk_in_use(test, domain);

	KUNIT_ASSERT_EQ(test, rk_attach_to(domain), 0);
	rk_idle(test, domain);
	rk_suspending = true;
	rk_leave(test, domain);
	KUNIT_EXPECT_EQ_MSG(test, rk_seen(test), 0, "suspending");
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 0);
	domain->ops->free(domain);
}

/* An unmap reaches the TLB of what is on, whether in use or idle. */
static void rk_zap(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &rk);
	size_t mapped = 0;

	KUNIT_ASSERT_EQ(test, rk_attach_to(domain), 0);
	rk_idle(test, domain);
	KUNIT_ASSERT_EQ(test, domain->ops->map_pages(domain, SZ_4M, SZ_1M, SPAGE_SIZE, 1,
						     IOMMU_READ, GFP_KERNEL, &mapped), 0);
	rk_regs[1][RK_MMU_ZAP_ONE_LINE / 4] = 0;
	KUNIT_EXPECT_EQ(test, domain->ops->unmap_pages(domain, SZ_4M, SPAGE_SIZE, 1, NULL),
			SPAGE_SIZE);
	KUNIT_EXPECT_EQ(test, rk_regs[1][RK_MMU_ZAP_ONE_LINE / 4], SZ_4M);
	rk_in_use(test, domain);
	rk_leave(test, domain);
	domain->ops->free(domain);
}

/* The register is dead for the old domain, too, until the next resume. */
static void rk_dead(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &rk);
	struct iommu_domain *domain = attach_test_alloc(test, &rk);
	u64 seen;

	KUNIT_ASSERT_EQ(test, rk_attach_to(old), 0);
	seen = rk_seen(test);
	rk_ignored[RK_DTE_ADDR] = 4;
	KUNIT_EXPECT_EQ(test, rk_attach_to(domain), -ENODEV);
	KUNIT_EXPECT_EQ(test, rk_ignored[RK_DTE_ADDR], 0);
	KUNIT_EXPECT_EQ(test, rk_seen(test), 0);
	KUNIT_EXPECT_PTR_EQ(test, rk_iommu.domain, old);
	KUNIT_EXPECT_EQ(test, rk_iommu_suspend(rk_iommu.dev), 0);
	KUNIT_EXPECT_EQ(test, rk_iommu_resume(rk_iommu.dev), 0);
	KUNIT_EXPECT_EQ(test, rk_seen(test), seen);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	rk_leave(test, old);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* So it is until the next attach, if that is to the same domain, too. */
static void rk_again(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &rk);
	struct iommu_domain *domain = attach_test_alloc(test, &rk);
	u64 seen;

	KUNIT_ASSERT_EQ(test, rk_attach_to(old), 0);
	seen = rk_seen(test);
	rk_ignored[RK_DTE_ADDR] = 4;
	KUNIT_EXPECT_EQ(test, rk_attach_to(domain), -ENODEV);
	KUNIT_EXPECT_EQ(test, rk_seen(test), 0);
	rk_ignored[RK_DTE_ADDR] = 4;
	KUNIT_EXPECT_EQ_MSG(test, rk_attach_to(old), -ENODEV, "it is dead still");
	KUNIT_EXPECT_EQ(test, rk_ignored[RK_DTE_ADDR], 0);
	KUNIT_EXPECT_EQ(test, rk_attach_to(old), 0);
	KUNIT_EXPECT_EQ(test, rk_seen(test), seen);
	attach_test_inject("clk_bulk_enable", 1, -EIO);
	KUNIT_EXPECT_EQ_MSG(test, rk_attach_to(old), 0, "nothing is left to do");
	KUNIT_EXPECT_FALSE(test, attach_test.hit);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 1);
	rk_leave(test, old);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* Nothing works, so that it is on without a table, until it can be switched off. */
static void rk_stuck(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &rk);
	struct iommu_domain *domain = attach_test_alloc(test, &rk);

	KUNIT_ASSERT_EQ(test, rk_attach_to(old), 0);
	rk_ignored[RK_MMU_CMD_ENABLE_STALL] = 6;
	rk_ignored[RK_MMU_CMD_DISABLE_PAGING] = 2;
	KUNIT_EXPECT_EQ(test, rk_attach_to(domain), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, rk_ignored[RK_MMU_CMD_ENABLE_STALL], 0);
	KUNIT_EXPECT_EQ(test, rk_seen(test), 0);
	KUNIT_EXPECT_PTR_EQ(test, rk_iommu.domain, old);
	rk_leave(test, old);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* One MMU of two is on: it is switched off, and gets no other table before. */
static void rk_one(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &rk);
	struct iommu_domain *domain = attach_test_alloc(test, &rk);
	u64 seen;

	KUNIT_ASSERT_EQ(test, rk_attach_to(old), 0);
	seen = rk_seen(test);
	rk_ignored[RK_MMU_CMD_ENABLE_PAGING] = 1;
	KUNIT_EXPECT_EQ(test, rk_attach_to(domain), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, rk_seen(test), seen);
	KUNIT_EXPECT_EQ(test, rk_unstalled, 0);

	KUNIT_EXPECT_EQ(test, rk_iommu_suspend(rk_iommu.dev), 0);
	rk_ignored[RK_MMU_CMD_ENABLE_PAGING] = 1;
	KUNIT_EXPECT_EQ(test, rk_iommu_resume(rk_iommu.dev), -ETIMEDOUT);
	KUNIT_EXPECT_EQ_MSG(test, rk_seen(test), 0, "a resume that failed");
	KUNIT_EXPECT_EQ(test, rk_iommu_resume(rk_iommu.dev), 0);
	KUNIT_EXPECT_EQ(test, rk_seen(test), seen);

	rk_ignored[RK_MMU_CMD_DISABLE_PAGING] = 1;
	attach_test.held[CLK]++;
	KUNIT_EXPECT_EQ(test, rk_iommu_disable_paging(&rk_iommu), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, rk_iommu_disable_paging(&rk_iommu), 0);
	attach_test.held[CLK]--;
	KUNIT_EXPECT_EQ(test, rk_seen(test), 0);
	KUNIT_EXPECT_EQ(test, rk_unstalled, 0);
	rk_leave(test, old);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* Without clocks, an unmap, a suspend and a detach warn and leave all as it is. */
static void rk_no_clock(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &rk);
	size_t mapped = 0;
	u64 seen;

	KUNIT_ASSERT_EQ(test, rk_attach_to(domain), 0);
	seen = rk_seen(test);
	KUNIT_ASSERT_EQ(test, domain->ops->map_pages(domain, SZ_4M, SZ_1M, SPAGE_SIZE, 1,
						     IOMMU_READ, GFP_KERNEL, &mapped), 0);
	attach_test_inject("clk_bulk_enable", 1, -EIO);
	KUNIT_EXPECT_EQ(test, domain->ops->unmap_pages(domain, SZ_4M, SPAGE_SIZE, 1, NULL),
			SPAGE_SIZE);
	KUNIT_EXPECT_EQ(test, rk_warned, 1);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 1);

	attach_test_inject("clk_bulk_enable", 1, -EIO);
	KUNIT_EXPECT_EQ(test, rk_iommu_suspend(rk_iommu.dev), 0);
	KUNIT_EXPECT_EQ(test, rk_warned, 2);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);

	attach_test_inject("clk_bulk_enable", 1, -EIO);
	rk_leaving = true;
	rk_leave(test, domain);
	rk_leaving = false;
	KUNIT_EXPECT_EQ(test, rk_warned, 3);
	KUNIT_EXPECT_EQ(test, rk_seen(test), seen);
	KUNIT_EXPECT_PTR_EQ(test, rk_iommu.domain, &rk_identity_domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 1);

	rk_warned = 0;
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, rk_attach_to(domain), 0);
	KUNIT_EXPECT_EQ(test, rk_seen(test), seen);
	rk_leave(test, domain);
	domain->ops->free(domain);
}

/* What is freed is not used from then on, whether the IOMMU is on, idle or suspended. */
static void rk_free(struct kunit *test)
{
	int how;

	for (how = 0; how < 3; how++) {
		struct iommu_domain *domain = attach_test_alloc(test, &rk);

		KUNIT_ASSERT_EQ(test, rk_attach_to(domain), 0);
		if (how)
			rk_idle(test, domain);
		if (how == 2) {
			rk_iommu_suspend(rk_iommu.dev);
			rk_on = 0;
		}
		domain->ops->free(domain);
		KUNIT_EXPECT_EQ_MSG(test, rk_seen(test), 0, "%d", how);
		/* Nothing may look at it again. */
		KUNIT_ASSERT_PTR_EQ_MSG(test, rk_iommu.domain, &rk_identity_domain, "%d", how);
		KUNIT_EXPECT_TRUE(test, list_empty(&rk_iommu.node));
		KUNIT_EXPECT_EQ(test, attach_test.held[PM], !how);
		KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
		KUNIT_EXPECT_FALSE(test, mutex_is_locked(&rk_iommu_domain_lock));
		if (how)
			rk_in_use(test, domain);
	}
}

/* A caller who may not fail goes on when an attach does, and frees the old domain. */
static void rk_free_kept(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &rk);
	struct iommu_domain *domain = attach_test_alloc(test, &rk);

	KUNIT_ASSERT_EQ(test, rk_attach_to(old), 0);
	rk_ignored[RK_DTE_ADDR] = 3;
	KUNIT_EXPECT_EQ(test, rk_attach_to(domain), -ENODEV);
	KUNIT_EXPECT_NE(test, rk_seen(test), 0);
	KUNIT_EXPECT_PTR_EQ(test, rk_iommu.domain, old);
	old->ops->free(old);
	KUNIT_EXPECT_EQ(test, rk_seen(test), 0);
	KUNIT_ASSERT_PTR_EQ(test, rk_iommu.domain, &rk_identity_domain);
	KUNIT_EXPECT_EQ(test, rk_attach_to(domain), 0);
	KUNIT_EXPECT_NE(test, rk_seen(test), 0);
	rk_leave(test, domain);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[PM], 1);
	KUNIT_EXPECT_EQ(test, attach_test.held[CLK], 0);
}

/* A device without an IOMMU (drm) takes any domain. */
static void rk_virtual(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &rk);

	dev_iommu_priv_set(rk.dev, NULL);
	KUNIT_EXPECT_EQ(test, rk_attach_to(domain), 0);
	KUNIT_EXPECT_EQ(test, rk_seen(test), 0);
	KUNIT_EXPECT_EQ(test, rk_attach_to(&rk_identity_domain), -ENODEV);
	domain->ops->free(domain);
}

static int rk_init(struct kunit *test)
{
	memset(&attach_test, 0, sizeof(attach_test));
	attach_test.held[PM] = 1;
	rk_on = 1;
	rk_resuming = false;
	rk_suspending = false;
	rk_leaving = false;
	rk_warned = 0;
	rk_unstalled = 0;
	memset(rk_ignored, 0, sizeof(rk_ignored));
	memset(rk_regs, 0, sizeof(rk_regs));
	memset(&rk_iommu, 0, sizeof(rk_iommu));
	rk_iommu.bases = rk_bases;
	rk_iommu.num_mmu = ARRAY_SIZE(rk_bases);
	rk_iommu.dev = attach_test_device(test, "rk-iommu");
	dev_set_drvdata(rk_iommu.dev, &rk_iommu);
	rk_iommu.rk_ops = &iommu_data_ops_v1;
	rk_iommu.domain = &rk_identity_domain;
	INIT_LIST_HEAD(&rk_iommu.node);
	rk.ops = &rk_iommu_ops;
	rk.seen = rk_seen;
	rk.leave = rk_leave;
	rk.dev = attach_test_device(test, "rk-client");
	dev_iommu_priv_set(rk.dev, &rk_data);
	return 0;
}

static void rk_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ_MSG(test, rk_warned, 0, "a warning");
	attach_test_remove(rk.dev);
	attach_test_remove(rk_iommu.dev);
}

static struct kunit_case rk_kunit[] = {
	KUNIT_CASE_PARAM(rk_attach, rk_gen_params),
	KUNIT_CASE(rk_suspended),
	KUNIT_CASE(rk_identity),
	KUNIT_CASE(rk_zap),
	KUNIT_CASE(rk_dead),
	KUNIT_CASE(rk_again),
	KUNIT_CASE(rk_stuck),
	KUNIT_CASE(rk_one),
	KUNIT_CASE(rk_no_clock),
	KUNIT_CASE(rk_free),
	KUNIT_CASE(rk_free_kept),
	KUNIT_CASE(rk_virtual),
	{}
};

static struct kunit_suite rk_suite = {
	.name = "rockchip-iommu", .init = rk_init, .exit = rk_exit, .test_cases = rk_kunit,
};

kunit_test_suite(rk_suite);

MODULE_DESCRIPTION("KUnit test of the attach of rockchip-iommu.c");
MODULE_LICENSE("GPL");
