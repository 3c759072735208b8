// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of tegra-smmu.c, see attach-test.h
 */
#include <linux/debugfs.h>
#include <linux/of.h>
#include <linux/pci.h>

/* The functions of the driver, in place of the stubs */
#undef CONFIG_TEGRA_IOMMU_SMMU
#define CONFIG_TEGRA_IOMMU_SMMU 1
#include <soc/tegra/ahb.h>
#include <soc/tegra/mc.h>

#include "attach-test.h"

/* Another driver's, which probe alone calls */
#define tegra_ahb_enable_smmu(ahb)	((void)(ahb))

static void tegra_smmu_test_writel(u32 value, void __iomem *addr);
#undef writel
#define writel(value, addr)		tegra_smmu_test_writel(value, addr)

#include "tegra-smmu.c"

static const struct tegra_mc_client tegra_smmu_test_clients[] = {
	{ .swgroup = 1, .regs.smmu = { .reg = 0x228, .bit = 1 } },
	{ .swgroup = 2, .regs.smmu = { .reg = 0x228, .bit = 2 } },
};

static const struct tegra_smmu_swgroup tegra_smmu_test_swgroups[] = {
	{ .swgroup = 1, .reg = 0x240 },
	{ .swgroup = 2, .reg = 0x244 },
};

static const struct tegra_smmu_soc tegra_smmu_test_soc = {
	.clients = tegra_smmu_test_clients, .num_clients = 2,
	.swgroups = tegra_smmu_test_swgroups, .num_swgroups = 2,
	.num_tlb_lines = 16, .num_asids = 4,
};

static const struct tegra_mc_soc tegra_smmu_test_mc_soc = {
	.num_address_bits = 32, .atom_size = 16,
};

/* Tegra124 and later */
static const struct tegra_smmu_soc tegra_smmu_test_soc_128 = {
	.clients = tegra_smmu_test_clients, .num_clients = 2,
	.swgroups = tegra_smmu_test_swgroups, .num_swgroups = 2,
	.num_tlb_lines = 32, .num_asids = 128,
};

static const struct tegra_mc_soc tegra_smmu_test_mc_soc_34 = {
	.num_address_bits = 34, .atom_size = 32,
};

static struct tegra_mc tegra_smmu_test_mc = { .soc = &tegra_smmu_test_mc_soc };
static u32 tegra_smmu_regs[0x400], tegra_smmu_ptb[4];
static DECLARE_BITMAP(tegra_smmu_asids, 128);
static struct tegra_smmu smmu;
static struct iommu_fwspec *tegra_smmu_fwspec;
static struct attach_driver tegra_smmu;

/* There is a PTB_DATA register for each ASID. */
static void tegra_smmu_test_writel(u32 value, void __iomem *addr)
{
	u32 *reg = (u32 __force *)addr;

	*reg = value;
	if (reg == &tegra_smmu_regs[SMMU_PTB_DATA / 4])
		tegra_smmu_ptb[tegra_smmu_regs[SMMU_PTB_ASID / 4] & 3] = value;
}

/* The page directory of a swgroup, 0 if it is not translated */
static u32 tegra_smmu_seen_by(unsigned int i)
{
	const struct tegra_mc_client *client = &tegra_smmu_test_clients[i];
	u32 asid = tegra_smmu_regs[tegra_smmu_test_swgroups[i].reg / 4];

	if (!(asid & SMMU_ASID_ENABLE) ||
	    !(tegra_smmu_regs[client->regs.smmu.reg / 4] & BIT(client->regs.smmu.bit)))
		return 0;
	return tegra_smmu_ptb[asid & 3];
}

static u64 tegra_smmu_seen(struct kunit *test)
{
	return (u64)tegra_smmu_seen_by(1) << 32 | tegra_smmu_seen_by(0);
}

static int tegra_smmu_enter(struct iommu_domain *domain)
{
	return domain->ops->attach_dev(domain, tegra_smmu.dev, &tegra_smmu_identity_domain);
}

static void tegra_smmu_leave(struct kunit *test, struct iommu_domain *domain)
{
	struct iommu_domain *identity = &tegra_smmu_identity_domain;

	KUNIT_EXPECT_EQ(test, identity->ops->attach_dev(identity, tegra_smmu.dev, domain), 0);
	KUNIT_EXPECT_EQ(test, tegra_smmu_seen(test), 0);
	KUNIT_EXPECT_EQ_MSG(test, tegra_smmu_asids[0], 0, "an ASID is kept");
	/* By design, see tegra_smmu_domain_free() */
	attach_test.held[PAGES]--;
}

static void tegra_smmu_no_asid(struct kunit *test, struct iommu_domain *domain)
{
	tegra_smmu_asids[0] = 0xf;
}

static void tegra_smmu_no_fwspec(struct kunit *test, struct iommu_domain *domain)
{
	dev_iommu_fwspec_set(tegra_smmu.dev, NULL);
}

static void tegra_smmu_no_ids(struct kunit *test, struct iommu_domain *domain)
{
	tegra_smmu_fwspec->num_ids = 0;
}

static void tegra_smmu_no_swgroup(struct kunit *test, struct iommu_domain *domain)
{
	tegra_smmu_fwspec->ids[1] = 3;
}

static void tegra_smmu_reset(struct kunit *test, struct iommu_domain *domain)
{
	tegra_smmu_asids[0] = 0;
	tegra_smmu_fwspec->num_ids = 2;
	tegra_smmu_fwspec->ids[1] = 2;
	dev_iommu_fwspec_set(tegra_smmu.dev, tegra_smmu_fwspec);
}

/* The core goes by way of identity from one domain to another one of this driver. */
static const struct attach_case tegra_smmu_cases[] = {
	{ .name = "tegra_smmu_attach_dev: the device has no fwspec",
	  .setup = tegra_smmu_no_fwspec, .undo = tegra_smmu_reset,
	  .first = true, .expect = -ENODEV },
	{ .name = "tegra_smmu_attach_dev: the device has no swgroup",
	  .setup = tegra_smmu_no_ids, .undo = tegra_smmu_reset,
	  .first = true, .expect = -ENODEV },
	{ .name = "tegra_smmu_enable: the SoC has no such swgroup",
	  .setup = tegra_smmu_no_swgroup, .undo = tegra_smmu_reset,
	  .first = true, .expect = -ENODEV },
	{ .name = "tegra_smmu_alloc_asid: all ASIDs are taken",
	  .setup = tegra_smmu_no_asid, .undo = tegra_smmu_reset,
	  .first = true, .expect = -ENOSPC },
	{ .name = "tegra_smmu_attach_dev: success", .first = true },
};

KUNIT_ARRAY_PARAM(tegra_smmu, tegra_smmu_cases, attach_case_desc);

static void tegra_smmu_attach(struct kunit *test)
{
	attach_check(test, &tegra_smmu, test->param_value);
}

static void tegra_smmu_success(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &tegra_smmu);
	struct iommu_domain *other = attach_test_alloc(test, &tegra_smmu);
	u64 seen;

	KUNIT_EXPECT_EQ(test, tegra_smmu_enter(domain), 0);
	seen = tegra_smmu_seen(test);
	KUNIT_EXPECT_NE(test, tegra_smmu_seen_by(0), 0);
	KUNIT_EXPECT_EQ(test, tegra_smmu_seen_by(0), tegra_smmu_seen_by(1));
	tegra_smmu_leave(test, domain);
	KUNIT_EXPECT_EQ(test, tegra_smmu_enter(other), 0);
	KUNIT_EXPECT_NE(test, tegra_smmu_seen(test), seen);
	tegra_smmu_leave(test, other);
	KUNIT_EXPECT_EQ(test, tegra_smmu_enter(domain), 0);
	KUNIT_EXPECT_EQ_MSG(test, tegra_smmu_seen(test), seen, "attached again");
	tegra_smmu_leave(test, domain);
	/* That of @domain has been given to the SMMU once only */
	attach_test.held[PAGES]++;
	tegra_smmu_domain_free(other);
	tegra_smmu_domain_free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[DMA], 0);
	KUNIT_EXPECT_EQ_MSG(test, attach_test.held[PAGES], 0, "pages that the SMMU knows");
}

/* The device comes from no domain, or from identity, and stays there. */
static void tegra_smmu_identity(struct kunit *test)
{
	struct iommu_domain *identity = &tegra_smmu_identity_domain;

	KUNIT_EXPECT_EQ(test, identity->ops->attach_dev(identity, tegra_smmu.dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, identity->ops->attach_dev(identity, tegra_smmu.dev, identity), 0);
	KUNIT_EXPECT_EQ(test, tegra_smmu_seen(test), 0);
	tegra_smmu_no_fwspec(test, NULL);
	KUNIT_EXPECT_EQ(test, identity->ops->attach_dev(identity, tegra_smmu.dev, NULL), -ENODEV);
	tegra_smmu_reset(test, NULL);
}

/* A directory that the SMMU cannot have is one of a domain that cannot be. */
static const struct tegra_smmu_alloc {
	const char *name, *call;
	int nth;
	long ret;
} tegra_smmu_allocs[] = {
	{ "tegra_smmu_domain_alloc_paging: no memory for the domain", "kzalloc", 1 },
	{ "tegra_smmu_domain_alloc_paging: no memory for the directory",
	  "iommu_alloc_pages_sz", 1 },
	{ "tegra_smmu_domain_alloc_paging: no memory for the counts", "kcalloc", 1 },
	{ "tegra_smmu_domain_alloc_paging: no memory for the list of tables", "kzalloc", 2 },
	{ "tegra_smmu_domain_alloc_paging: the directory cannot be mapped",
	  "dma_map_single", 1, (long)DMA_MAPPING_ERROR },
	{ "tegra_smmu_domain_alloc_paging: the directory is out of the SMMU's reach" },
};

static void tegra_smmu_alloc_desc(const struct tegra_smmu_alloc *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(tegra_smmu_alloc, tegra_smmu_allocs, tegra_smmu_alloc_desc);

static void tegra_smmu_alloc(struct kunit *test)
{
	const struct tegra_smmu_alloc *c = test->param_value;
	int none[NR_HELD] = {};

	if (!c->call)
		smmu.pfn_mask = 0;
	attach_test_inject(c->call, c->nth, c->ret);
	KUNIT_EXPECT_NULL(test, tegra_smmu_domain_alloc_paging(tegra_smmu.dev));
	attach_test.call = NULL;
	KUNIT_EXPECT_TRUE(test, !c->call || attach_test.hit);
	attach_test_same(test, none, "without a domain");
}

/* What the SMMU has never been given goes with the domain. */
static void tegra_smmu_free_unused(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &tegra_smmu);
	int none[NR_HELD] = {};

	tegra_smmu_no_asid(test, domain);
	KUNIT_EXPECT_EQ(test, tegra_smmu_enter(domain), -ENOSPC);
	tegra_smmu_domain_free(domain);
	attach_test_same(test, none, "after the domain is freed");
}

static void tegra_smmu_change(struct kunit *test, struct iommu_domain *domain)
{
	size_t mapped = 0;

	/* Faults otherwise */
	KUNIT_ASSERT_PTR_EQ(test, to_smmu_as(domain)->smmu, &smmu);
	KUNIT_EXPECT_EQ(test, tegra_smmu_map(domain, SZ_4M, SZ_1M, SZ_4K, 1, IOMMU_READ,
					     GFP_KERNEL, &mapped), 0);
	KUNIT_EXPECT_EQ(test, mapped, SZ_4K);
	KUNIT_EXPECT_EQ(test, tegra_smmu_iova_to_phys(domain, SZ_4M), SZ_1M);
	KUNIT_EXPECT_EQ(test, tegra_smmu_unmap(domain, SZ_4M, SZ_4K, 1, NULL), SZ_4K);
	KUNIT_EXPECT_EQ(test, tegra_smmu_iova_to_phys(domain, SZ_4M), 0);
}

/* Before the first attach, and after the last detach */
static void tegra_smmu_change_unused(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &tegra_smmu);
	int none[NR_HELD] = {};

	tegra_smmu_change(test, domain);
	KUNIT_EXPECT_EQ(test, tegra_smmu_enter(domain), 0);
	tegra_smmu_change(test, domain);
	tegra_smmu_leave(test, domain);
	tegra_smmu_change(test, domain);
	tegra_smmu_domain_free(domain);
	attach_test_same(test, none, "after the domain is freed");
}

/* The TLB and the page table cache forget what they may have of a new directory. */
static const struct tegra_smmu_flush {
	const char *name;
	const struct tegra_smmu_soc *soc;
	const struct tegra_mc_soc *mc;
	unsigned int asid;
	u32 tlb, ptc_hi;
} tegra_smmu_flushes[] = {
	{ .name = "smmu_flush_tlb_asid: 4 ASIDs", .soc = &tegra_smmu_test_soc,
	  .mc = &tegra_smmu_test_mc_soc, .asid = 3, .tlb = BIT(31) | 3 << 29, .ptc_hi = ~0 },
	{ .name = "smmu_flush_tlb_asid: 128 ASIDs", .soc = &tegra_smmu_test_soc_128,
	  .mc = &tegra_smmu_test_mc_soc_34, .asid = 5, .tlb = BIT(31) | 5 << 24 },
};

static void tegra_smmu_flush_desc(const struct tegra_smmu_flush *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(tegra_smmu_flush, tegra_smmu_flushes, tegra_smmu_flush_desc);

static void tegra_smmu_fresh(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &tegra_smmu);
	const struct tegra_smmu_flush *c = test->param_value;
	u32 pd;

	smmu.soc = c->soc;
	tegra_smmu_test_mc.soc = c->mc;
	tegra_smmu_asids[0] = BIT(c->asid) - 1;
	tegra_smmu_regs[SMMU_PTC_FLUSH_HI / 4] = ~0;
	KUNIT_EXPECT_EQ(test, tegra_smmu_enter(domain), 0);
	pd = (u32)to_smmu_as(domain)->pd_dma;
	KUNIT_EXPECT_EQ(test, tegra_smmu_regs[SMMU_TLB_FLUSH / 4], c->tlb);
	KUNIT_EXPECT_EQ(test, tegra_smmu_regs[SMMU_PTC_FLUSH / 4], pd | SMMU_PTC_FLUSH_TYPE_ADR);
	KUNIT_EXPECT_EQ(test, tegra_smmu_regs[SMMU_PTC_FLUSH_HI / 4], c->ptc_hi);
	/* Those that were taken before */
	tegra_smmu_asids[0] &= BIT(c->asid);
	tegra_smmu_leave(test, domain);
	tegra_smmu_domain_free(domain);
}

static int tegra_smmu_init(struct kunit *test)
{
	memset(&attach_test, 0, sizeof(attach_test));
	memset(tegra_smmu_regs, 0, sizeof(tegra_smmu_regs));
	memset(tegra_smmu_ptb, 0, sizeof(tegra_smmu_ptb));
	memset(&smmu, 0, sizeof(smmu));
	mutex_init(&smmu.lock);
	smmu.regs = (void __iomem *)tegra_smmu_regs;
	smmu.soc = &tegra_smmu_test_soc;
	tegra_smmu_test_mc.soc = &tegra_smmu_test_mc_soc;
	smmu.mc = &tegra_smmu_test_mc;
	smmu.asids = tegra_smmu_asids;
	smmu.dev = attach_test_device(test, "tegra-smmu");
	tegra_smmu.ops = &tegra_smmu_ops;
	tegra_smmu.seen = tegra_smmu_seen;
	tegra_smmu.leave = tegra_smmu_leave;
	tegra_smmu.dev = attach_test_device(test, "tegra-smmu-client");
	dev_iommu_priv_set(tegra_smmu.dev, &smmu);
	tegra_smmu_fwspec = kunit_kzalloc(test, struct_size(tegra_smmu_fwspec, ids, 2),
					  GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, tegra_smmu_fwspec);
	tegra_smmu_fwspec->ids[0] = 1;
	smmu.pfn_mask = BIT_MASK(tegra_smmu_test_mc_soc.num_address_bits - SMMU_PTE_SHIFT) - 1;
	tegra_smmu_reset(test, NULL);
	return 0;
}

static void tegra_smmu_exit(struct kunit *test)
{
	dev_iommu_fwspec_set(tegra_smmu.dev, NULL);
	attach_test_remove(tegra_smmu.dev);
	attach_test_remove(smmu.dev);
}

static struct kunit_case tegra_smmu_kunit[] = {
	KUNIT_CASE_PARAM(tegra_smmu_attach, tegra_smmu_gen_params),
	KUNIT_CASE(tegra_smmu_success),
	KUNIT_CASE(tegra_smmu_identity),
	KUNIT_CASE_PARAM(tegra_smmu_alloc, tegra_smmu_alloc_gen_params),
	KUNIT_CASE(tegra_smmu_free_unused),
	KUNIT_CASE(tegra_smmu_change_unused),
	KUNIT_CASE_PARAM(tegra_smmu_fresh, tegra_smmu_flush_gen_params),
	{}
};

static struct kunit_suite tegra_smmu_suite = {
	.name = "tegra-smmu", .init = tegra_smmu_init, .exit = tegra_smmu_exit,
	.test_cases = tegra_smmu_kunit,
};

kunit_test_suite(tegra_smmu_suite);
MODULE_LICENSE("GPL");
