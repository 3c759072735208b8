// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of fsl_pamu_domain.c, see attach-test.h
 *
 * One device with three LIODNs. The driver's own table is the hardware's.
 */

/* struct iommu_ops has a domain_alloc only for this driver, which is not built in. */
#define CONFIG_FSL_PAMU 1

#include <linux/debug_locks.h>
#include <linux/of.h>
#include <linux/pci.h>

#include "attach-test.h"

#undef pr_fmt
#include "fsl_pamu.c"
#undef pr_fmt
#define pamu_config_ppaace(...) \
	FAIL_OR("pamu_config_ppaace", pamu_config_ppaace(__VA_ARGS__))
#include "fsl_pamu_domain.c"

static struct paace fsl_pamu_table[4];
static u32 fsl_pamu_liodns[3];
static struct property fsl_pamu_prop = { .value = fsl_pamu_liodns };
static struct device_node fsl_pamu_node = {
	.full_name = "fsl-pamu-client", .properties = &fsl_pamu_prop,
};

static u32 fsl_pamu_stash;
static struct iommu_ops fsl_pamu_test_ops;
static struct attach_driver fsl_pamu;

/* A domain is nothing but a cache to stash in: give each one of its own. */
static struct iommu_domain *fsl_pamu_test_alloc(struct device *dev)
{
	struct iommu_domain *domain = fsl_pamu_domain_alloc(IOMMU_DOMAIN_UNMANAGED);

	if (domain)
		to_fsl_dma_domain(domain)->stash_id = ++fsl_pamu_stash;
	return domain;
}

/* What the PAMU's probe leaves of a LIODN, which may do DMA and has no cache */
#define FSL_PAMU_NO_CACHE	0x100

/* The caches of all LIODNs, 0 for one that may not do DMA */
static u64 fsl_pamu_seen(struct kunit *test)
{
	u64 seen = 0;
	int i;

	for (i = 1; i < ARRAY_SIZE(fsl_pamu_table); i++) {
		struct paace *paace = &fsl_pamu_table[i];

		seen <<= 16;
		if (get_bf(paace->addr_bitfields, PAACE_AF_V))
			seen |= FSL_PAMU_NO_CACHE | get_bf(paace->impl_attr, PAACE_IA_CID);
	}
	return seen;
}

/* Whatever domain it comes from: the driver looks for that itself. */
static int fsl_pamu_enter(struct iommu_domain *domain)
{
	return domain->ops->attach_dev(domain, fsl_pamu.dev, &fsl_pamu_platform_domain);
}

static void fsl_pamu_leave(struct kunit *test, struct iommu_domain *domain)
{
	struct iommu_domain *platform = &fsl_pamu_platform_domain;

	KUNIT_EXPECT_EQ(test, platform->ops->attach_dev(platform, fsl_pamu.dev, domain), 0);
	KUNIT_EXPECT_EQ_MSG(test, fsl_pamu_seen(test), 0, "DMA after a domain was left");
}

static void fsl_pamu_no_property(struct kunit *test, struct iommu_domain *domain)
{
	fsl_pamu_prop.name = "reg";
}

static void fsl_pamu_empty(struct kunit *test, struct iommu_domain *domain)
{
	fsl_pamu_prop.length = 0;
}

static void fsl_pamu_bad_liodn(struct kunit *test, struct iommu_domain *domain)
{
	fsl_pamu_liodns[2] = PAACE_NUMBER_ENTRIES;
}

static void fsl_pamu_no_table(struct kunit *test, struct iommu_domain *domain)
{
	ppaact = NULL;
}

static void fsl_pamu_mend(struct kunit *test, struct iommu_domain *domain)
{
	int i;

	for (i = 0; i < 3; i++)
		fsl_pamu_liodns[i] = i + 1;
	fsl_pamu_prop.name = "fsl,liodn";
	fsl_pamu_prop.length = sizeof(fsl_pamu_liodns);
	ppaact = fsl_pamu_table;
}

static const struct attach_case fsl_pamu_cases[] = {
	{ .name = "fsl_pamu_attach_device: the node has no fsl,liodn property",
	  .setup = fsl_pamu_no_property, .undo = fsl_pamu_mend, .first = true,
	  .expect = -ENODEV },
	{ .name = "fsl_pamu_attach_device: the fsl,liodn property is empty",
	  .setup = fsl_pamu_empty, .undo = fsl_pamu_mend, .first = true,
	  .expect = -ENODEV },
	{ .name = "fsl_pamu_attach_device: the third LIODN is out of range",
	  .setup = fsl_pamu_bad_liodn, .undo = fsl_pamu_mend, .first = true,
	  .expect = -ENODEV },
	{ .name = "pamu_disable_liodn: there is no PAACE table",
	  .setup = fsl_pamu_no_table, .undo = fsl_pamu_mend, .first = true,
	  .expect = -ENODEV },
	/* It finds what pamu_disable_liodn() has found: no PAMU gets there. */
	{ .name = "pamu_set_liodn: the second LIODN cannot be set up", .first = true, .loses = true,
	  .call = "pamu_config_ppaace", .nth = 3, .ret = -ENODEV, .expect = -ENODEV },
	{ .name = "pamu_set_liodn: its permissions cannot be set", .first = true, .loses = true,
	  .call = "pamu_config_ppaace", .nth = 4, .ret = -ENODEV, .expect = -ENODEV },
	{ .name = "attach_device: success", },
	{ .name = "attach_device: success of a new device", .first = true },
};

/* The stock driver oopses: last of all */
static const struct attach_case fsl_pamu_memory_cases[] = {
	{ .name = "attach_device: no memory for the second LIODN",
	  .call = "kmem_cache_zalloc", .nth = 2, .expect = -ENOMEM },
	{ .name = "attach_device: no memory for the third LIODN of a new device",
	  .call = "kmem_cache_zalloc", .nth = 3, .first = true, .expect = -ENOMEM },
};

KUNIT_ARRAY_PARAM(fsl_pamu, fsl_pamu_cases, attach_case_desc);
KUNIT_ARRAY_PARAM(fsl_pamu_memory, fsl_pamu_memory_cases, attach_case_desc);

static void fsl_pamu_attach(struct kunit *test)
{
	attach_check(test, &fsl_pamu, test->param_value);
}

/* The locks of two domains are of one class: to nest them is an error of lockdep's. */
static void fsl_pamu_nested(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &fsl_pamu);
	struct iommu_domain *domain = attach_test_alloc(test, &fsl_pamu);
	int on = debug_locks;

	KUNIT_ASSERT_EQ(test, fsl_pamu_enter(old), 0);
	KUNIT_ASSERT_EQ(test, fsl_pamu_enter(domain), 0);
	KUNIT_EXPECT_EQ(test, debug_locks, on);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* A device is attached with all of its LIODNs or with none. */
static void fsl_pamu_keep(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &fsl_pamu);
	struct iommu_domain *domain = attach_test_alloc(test, &fsl_pamu);
	int held;
	u64 seen;

	KUNIT_ASSERT_EQ(test, fsl_pamu_enter(old), 0);
	seen = fsl_pamu_seen(test);
	held = attach_test.held[MEM];
	fsl_pamu_bad_liodn(test, domain);
	KUNIT_EXPECT_EQ(test, fsl_pamu_enter(domain), -ENODEV);
	KUNIT_EXPECT_EQ(test, fsl_pamu_seen(test), seen);
	KUNIT_EXPECT_EQ(test, attach_test.held[MEM], held);
	domain->ops->free(domain);
	old->ops->free(old);
}

/* A second attach adds nothing, but enables what pamu_av_isr() has disabled. */
static void fsl_pamu_again(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &fsl_pamu);
	u64 seen;
	int held;

	KUNIT_ASSERT_EQ(test, fsl_pamu_enter(domain), 0);
	held = attach_test.held[MEM];
	seen = fsl_pamu_seen(test);
	pamu_disable_liodn(2);
	KUNIT_EXPECT_NE(test, fsl_pamu_seen(test), seen);
	KUNIT_EXPECT_EQ(test, fsl_pamu_enter(domain), 0);
	KUNIT_EXPECT_EQ(test, fsl_pamu_seen(test), seen);
	KUNIT_EXPECT_EQ_MSG(test, attach_test.held[MEM], held, "a LIODN is listed twice");
	fsl_pamu_leave(test, domain);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[MEM], 0);
}

/* Only a device that leaves a domain of the driver's is cut off, as ever. */
static void fsl_pamu_platform(struct kunit *test)
{
	struct iommu_domain *platform = &fsl_pamu_platform_domain;
	struct iommu_domain *domain = attach_test_alloc(test, &fsl_pamu);
	u64 seen = fsl_pamu_seen(test);

	KUNIT_EXPECT_EQ(test, platform->ops->attach_dev(platform, fsl_pamu.dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, platform->ops->attach_dev(platform, fsl_pamu.dev, platform), 0);
	KUNIT_EXPECT_EQ(test, fsl_pamu_seen(test), seen);
	KUNIT_ASSERT_EQ(test, fsl_pamu_enter(domain), 0);
	KUNIT_EXPECT_NE(test, fsl_pamu_seen(test), seen);
	fsl_pamu_leave(test, domain);
	/* A domain of the driver's is the only way back. */
	KUNIT_EXPECT_EQ(test, fsl_pamu_enter(domain), 0);
	KUNIT_EXPECT_NE(test, fsl_pamu_seen(test), 0);
	domain->ops->free(domain);
}

/* A domain that is freed takes off those who are in it, and nobody else. */
static void fsl_pamu_free(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &fsl_pamu);
	struct iommu_domain *domain = attach_test_alloc(test, &fsl_pamu);
	u64 seen;

	KUNIT_ASSERT_EQ(test, fsl_pamu_enter(old), 0);
	KUNIT_ASSERT_EQ(test, fsl_pamu_enter(domain), 0);
	seen = fsl_pamu_seen(test);
	old->ops->free(old);
	KUNIT_EXPECT_EQ(test, fsl_pamu_seen(test), seen);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, fsl_pamu_seen(test), 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[MEM], 0);
}

/* The queue manager has operations of its own, which the table of operations knows. */
struct fsl_pamu_operation {
	const char *compatible;
	unsigned int mode, index;
};

static const struct fsl_pamu_operation fsl_pamu_operations[] = {
	{ "fsl,qman-portal", PAACE_OTM_INDEXED, OMI_QMAN },
	{ "fsl,qman", PAACE_OTM_INDEXED, OMI_QMAN_PRIV },
	{ "fsl,bman", PAACE_OTM_NO_XLATE, 0xffff },
};

static void fsl_pamu_operation_desc(const struct fsl_pamu_operation *op, char *desc)
{
	strscpy(desc, op->compatible, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fsl_pamu_operation, fsl_pamu_operations, fsl_pamu_operation_desc);

static void fsl_pamu_operation(struct kunit *test)
{
	const struct fsl_pamu_operation *op = test->param_value;
	struct iommu_domain *domain = attach_test_alloc(test, &fsl_pamu);
	struct property compatible = {
		.name = "compatible", .value = (void *)op->compatible,
		.length = strlen(op->compatible) + 1,
	};
	int i;

	for (i = 1; i < ARRAY_SIZE(fsl_pamu_table); i++)
		fsl_pamu_table[i].op_encode.index_ot.omi = 0xffff;
	fsl_pamu_prop.next = &compatible;
	KUNIT_EXPECT_EQ(test, fsl_pamu_enter(domain), 0);
	fsl_pamu_prop.next = NULL;
	for (i = 1; i < ARRAY_SIZE(fsl_pamu_table); i++) {
		struct paace *paace = &fsl_pamu_table[i];

		KUNIT_EXPECT_EQ(test, get_bf(paace->impl_attr, PAACE_IA_OTM), op->mode);
		KUNIT_EXPECT_EQ(test, paace->op_encode.index_ot.omi, op->index);
		/* The setup with the index is not the last one, which lets it do DMA. */
		KUNIT_EXPECT_EQ(test, get_bf(paace->addr_bitfields, PAACE_AF_AP),
				PAACE_AP_PERMS_QUERY | PAACE_AP_PERMS_UPDATE);
	}
	KUNIT_EXPECT_NE(test, fsl_pamu_seen(test), 0);
	domain->ops->free(domain);
}

/* What shares the LIODNs of a PCI controller must be in one group, that of the controller. */
static void fsl_pamu_pci_group(struct kunit *test)
{
	/* The version of the controller is beyond its address, at PCI_FSL_BRR1. */
	u32 *regs = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	struct pci_bus *bus = kunit_kzalloc(test, sizeof(*bus), GFP_KERNEL);
	struct pci_controller ctl = {
		.bus = bus, .parent = fsl_pamu.dev, .cfg_addr = (void __iomem *)regs,
	};
	struct pci_dev *pdev = kunit_kcalloc(test, 2, sizeof(*pdev), GFP_KERNEL);
	struct iommu_domain *platform = &fsl_pamu_platform_domain;
	struct iommu_domain *domain = attach_test_alloc(test, &fsl_pamu);
	struct iommu_group *group = iommu_group_alloc(), *found;
	u64 seen;
	int held, i;

	KUNIT_ASSERT_TRUE(test, regs && bus && pdev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, group);
	memset32(regs, 0x208, PAGE_SIZE / 4);
	bus->sysdata = &ctl;
	INIT_LIST_HEAD(&bus->devices);
	fsl_pamu.dev->iommu_group = group;
	for (i = 0; i < 2; i++) {
		pdev[i].bus = bus;
		pdev[i].dev.bus = &pci_bus_type;
		list_add_tail(&pdev[i].bus_list, &bus->devices);
		KUNIT_EXPECT_PTR_EQ(test, fsl_pamu_probe_device(&pdev[i].dev), &pamu_iommu);
		found = fsl_pamu_device_group(&pdev[i].dev);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, found);
		KUNIT_EXPECT_PTR_EQ(test, found, group);
		iommu_group_put(found);
	}

	/* The core attaches each device of the group: the controller, then its endpoints. */
	seen = fsl_pamu_seen(test);
	KUNIT_EXPECT_EQ(test, fsl_pamu_enter(domain), 0);
	KUNIT_EXPECT_NE(test, fsl_pamu_seen(test), seen);
	seen = fsl_pamu_seen(test);
	held = attach_test.held[MEM];
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, &pdev[i].dev, platform), 0);
	KUNIT_EXPECT_EQ(test, fsl_pamu_seen(test), seen);
	KUNIT_EXPECT_EQ_MSG(test, attach_test.held[MEM], held, "a LIODN is listed twice");
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, platform->ops->attach_dev(platform, &pdev[i].dev, domain), 0);
	KUNIT_EXPECT_EQ_MSG(test, fsl_pamu_seen(test), 0, "not the LIODNs of the controller");
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, &pdev[0].dev, platform), 0);
	KUNIT_EXPECT_EQ_MSG(test, fsl_pamu_seen(test), seen, "not the LIODNs of the controller");
	domain->ops->free(domain);

	/* A controller without LIODNs has no group. */
	fsl_pamu_no_property(test, NULL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(fsl_pamu_probe_device(&pdev[0].dev)), -ENODEV);
	KUNIT_EXPECT_EQ(test, PTR_ERR(fsl_pamu_probe_device(fsl_pamu.dev)), -ENODEV);
	fsl_pamu_mend(test, NULL);
	fsl_pamu.dev->iommu_group = NULL;
	iommu_group_put(group);
}

static int fsl_pamu_test_init(struct kunit *test)
{
	int i;

	memset(&attach_test, 0, sizeof(attach_test));
	/* As setup_liodns() does it */
	memset(fsl_pamu_table, 0, sizeof(fsl_pamu_table));
	for (i = 1; i < ARRAY_SIZE(fsl_pamu_table); i++) {
		set_bf(fsl_pamu_table[i].addr_bitfields, PPAACE_AF_WSE, 35);
		set_bf(fsl_pamu_table[i].addr_bitfields, PAACE_AF_AP, PAACE_AP_PERMS_ALL);
		set_bf(fsl_pamu_table[i].addr_bitfields, PAACE_AF_V, PAACE_V_VALID);
	}
	fsl_pamu_stash = 0;
	fsl_pamu_mend(test, NULL);
	fsl_pamu_test_ops = fsl_pamu_ops;
	fsl_pamu_test_ops.domain_alloc_paging = fsl_pamu_test_alloc;
	fsl_pamu.ops = &fsl_pamu_test_ops;
	fsl_pamu.seen = fsl_pamu_seen;
	fsl_pamu.leave = fsl_pamu_leave;
	fsl_pamu.dev = attach_test_device(test, "fsl-pamu-client");
	fsl_pamu.dev->of_node = &fsl_pamu_node;
	return 0;
}

static void fsl_pamu_test_exit(struct kunit *test)
{
	fsl_pamu.dev->of_node = NULL;
	attach_test_remove(fsl_pamu.dev);
}

static int fsl_pamu_suite_init(struct kunit_suite *suite)
{
	fsl_pamu_domain_cache = KMEM_CACHE(fsl_dma_domain, 0);
	iommu_devinfo_cache = KMEM_CACHE(device_domain_info, 0);
	return fsl_pamu_domain_cache && iommu_devinfo_cache ? 0 : -ENOMEM;
}

static void fsl_pamu_suite_exit(struct kunit_suite *suite)
{
	kmem_cache_destroy(iommu_devinfo_cache);
	kmem_cache_destroy(fsl_pamu_domain_cache);
}

static struct kunit_case fsl_pamu_kunit[] = {
	KUNIT_CASE(fsl_pamu_nested),
	KUNIT_CASE_PARAM(fsl_pamu_attach, fsl_pamu_gen_params),
	KUNIT_CASE(fsl_pamu_keep),
	KUNIT_CASE(fsl_pamu_again),
	KUNIT_CASE(fsl_pamu_platform),
	KUNIT_CASE(fsl_pamu_free),
	KUNIT_CASE_PARAM(fsl_pamu_operation, fsl_pamu_operation_gen_params),
	KUNIT_CASE(fsl_pamu_pci_group),
	KUNIT_CASE_PARAM(fsl_pamu_attach, fsl_pamu_memory_gen_params),
	{}
};

static struct kunit_suite fsl_pamu_suite = {
	.name = "fsl-pamu", .init = fsl_pamu_test_init, .exit = fsl_pamu_test_exit,
	.suite_init = fsl_pamu_suite_init, .suite_exit = fsl_pamu_suite_exit,
	.test_cases = fsl_pamu_kunit,
};

kunit_test_suite(fsl_pamu_suite);

MODULE_LICENSE("GPL");
