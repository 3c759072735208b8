// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of s390-iommu.c, see attach-test.h
 *
 * Two functions with DMA ranges of their own, the first of them in the hands of
 * the DMA API. The DMA API is real; only the instructions are not executed.
 */

/* The kernel that runs the test has the driver and the DMA API, too. */
#define dma_alloc_cpu_table	s390_test_alloc_cpu_table
#define dma_cleanup_tables	s390_test_cleanup_tables
#define dma_free_seg_table	s390_test_free_seg_table
#define dma_update_cpu_trans	s390_test_update_cpu_trans
#define dma_walk_cpu_trans	s390_test_walk_cpu_trans
#define s390_pci_dma_ops	s390_test_pci_dma_ops
#define zpci_destroy_iommu	s390_test_destroy_iommu
#define zpci_dma_exit		s390_test_dma_exit
#define zpci_dma_exit_device	s390_test_dma_exit_device
#define zpci_dma_init		s390_test_dma_init
#define zpci_dma_init_device	s390_test_dma_init_device
#define zpci_init_iommu		s390_test_init_iommu

#include <linux/dma-map-ops.h>
#include <linux/pci.h>
#include <linux/vmalloc.h>
#include <asm/pci_dma.h>

#include "attach-test.h"

static struct zpci_dev s390_zdev[2];
/* The tables that the functions walk, 0 for none */
static u64 s390_ioat[2];
/* The condition codes of every registration and unregistration */
static int s390_register_cc, s390_unregister_cc;
static int s390_calls, s390_flushes;

/* A table covers the range of its function, and no other. */
static int s390_test_register(struct zpci_dev *zdev, u8 as, u64 base, u64 limit, u64 iota)
{
	int cc = FAIL_OR("zpci_register_ioat", s390_register_cc);

	s390_calls++;
	KUNIT_EXPECT_EQ(current->kunit_test, base, zdev->start_dma);
	KUNIT_EXPECT_EQ(current->kunit_test, limit, zdev->end_dma);
	if (!cc)
		s390_ioat[zdev - s390_zdev] = iota;
	return cc;
}

static int s390_test_refresh(u64 fn, u64 addr, u64 range)
{
	s390_flushes++;
	return 0;
}

static int s390_test_unregister(struct zpci_dev *zdev, u8 as)
{
	int cc = FAIL_OR("zpci_unregister_ioat", s390_unregister_cc);

	s390_calls++;
	/* A function that is gone (3) has no table either. */
	if (!cc || cc == 3)
		s390_ioat[zdev - s390_zdev] = 0;
	return cc;
}

#define zpci_register_ioat	s390_test_register
#define zpci_unregister_ioat	s390_test_unregister
#define zpci_refresh_trans	s390_test_refresh
#define vzalloc(size)		TAKE(MEM, "vzalloc", vzalloc(size))
#define vfree(p)		({ const void *__p = (p); GIVE(MEM, __p); vfree(__p); })
#undef __setup
#define __setup(str, fn)	ATTACH_TEST_UNUSED(fn)

#include "../../arch/s390/pci/pci_dma.c"
#include "s390-iommu.c"

static struct pci_dev s390_pdev[2];
static struct zpci_bus s390_bus;
static struct attach_driver s390;

/* The table of the first function, 1 for that of the DMA API */
static u64 s390_seen(struct kunit *test)
{
	struct zpci_dev *zdev = &s390_zdev[0];

	if (s390_ioat[0] && zdev->iommu_bitmap && s390_ioat[0] == virt_to_phys(zdev->dma_table))
		return 1;
	return s390_ioat[0];
}

static void s390_no_function(struct kunit *test, struct iommu_domain *domain)
{
	s390_bus.function[0] = NULL;
}

static void s390_function(struct kunit *test, struct iommu_domain *domain)
{
	s390_bus.function[0] = &s390_zdev[0];
}

static void s390_other_in(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, &s390_pdev[1].dev), 0);
}

static void s390_other_out(struct kunit *test, struct iommu_domain *domain)
{
	s390_unregister_cc = 0;
	s390.ops->release_device(&s390_pdev[1].dev);
}

static void s390_emptied(struct kunit *test, struct iommu_domain *domain)
{
	s390_other_in(test, domain);
	s390_other_out(test, domain);
}

static void s390_stuck(struct kunit *test, struct iommu_domain *domain)
{
	s390_unregister_cc = 1;
}

static void s390_other_in_stuck(struct kunit *test, struct iommu_domain *domain)
{
	s390_other_in(test, domain);
	s390_stuck(test, domain);
}

static void s390_gone(struct kunit *test, struct iommu_domain *domain)
{
	s390_unregister_cc = 3;
}

static void s390_mend(struct kunit *test, struct iommu_domain *domain)
{
	s390_unregister_cc = 0;
}

static const struct attach_case s390_cases[] = {
	{ .name = "s390_iommu_attach_device: no zPCI function behind the device",
	  .setup = s390_no_function, .undo = s390_function, .first = true, .expect = -ENODEV },
	{ .name = "s390_iommu_attach_device: no memory for the list entry",
	  .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "s390_iommu_attach_device: no memory for the first list entry",
	  .call = "kzalloc", .first = true, .expect = -ENOMEM },
	{ .name = "s390_iommu_attach_device: the DMA API's table cannot be unregistered",
	  .call = "zpci_unregister_ioat", .ret = 1, .first = true, .expect = -EIO },
	{ .name = "s390_iommu_attach_device: the DMA API's table is gone",
	  .call = "zpci_unregister_ioat", .ret = 3, .first = true },
	{ .name = "s390_iommu_attach_device: the table cannot be registered",
	  .call = "zpci_register_ioat", .ret = 1, .expect = -EIO },
	{ .name = "s390_iommu_attach_device: the table cannot be registered for the DMA API's",
	  .call = "zpci_register_ioat", .ret = 1, .first = true, .expect = -EIO },
	{ .name = "s390_iommu_attach_device: another DMA range than the aperture",
	  .setup = s390_other_in, .undo = s390_other_out, .expect = -EINVAL },
	{ .name = "s390_iommu_attach_device: another DMA range, from the DMA API",
	  .setup = s390_other_in, .undo = s390_other_out, .first = true, .expect = -EINVAL },
	{ .name = "s390_iommu_attach_device: another DMA range than the emptied domain's",
	  .setup = s390_emptied, .expect = -EINVAL },
	{ .name = "s390_iommu_attach_device: another DMA range, and nothing can be unregistered",
	  .setup = s390_other_in_stuck, .undo = s390_other_out, .expect = -EINVAL },
	{ .name = "__s390_iommu_detach_device: the old table cannot be unregistered",
	  .call = "zpci_unregister_ioat", .ret = 1 },
	{ .name = "__s390_iommu_detach_device: the old table stays, the new one is refused",
	  .setup = s390_stuck, .undo = s390_mend, .call = "zpci_register_ioat", .ret = 1,
	  .expect = -EIO },
	{ .name = "__s390_iommu_detach_device: the old table is gone, the new one is refused",
	  .setup = s390_gone, .undo = s390_mend, .call = "zpci_register_ioat", .ret = 1,
	  .expect = -EIO },
	{ .name = "s390_iommu_attach_device: success", },
	{ .name = "s390_iommu_attach_device: success from the DMA API", .first = true },
};

KUNIT_ARRAY_PARAM(s390, s390_cases, attach_case_desc);

static void s390_attach(struct kunit *test)
{
	attach_check(test, &s390, test->param_value);
}

/* The core's way back must not take the device off the domain it is in. */
static void s390_same(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &s390);
	int calls;

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, s390.dev), 0);
	calls = s390_calls;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, s390.dev), 0);
	KUNIT_EXPECT_EQ(test, s390_calls, calls);
	domain->ops->detach_dev(domain, s390.dev);
	KUNIT_EXPECT_EQ(test, s390_seen(test), 1);
	domain->ops->free(domain);
}

/* A page that is mapped, and whether that reaches the device */
static void s390_expect_flushed(struct kunit *test, struct iommu_domain *domain, int flushes)
{
	u64 iova = s390_zdev[0].start_dma;

	s390_flushes = 0;
	KUNIT_EXPECT_EQ(test, domain->ops->map(domain, iova, SZ_1M, PAGE_SIZE, IOMMU_READ,
					       GFP_KERNEL), 0);
	KUNIT_EXPECT_EQ(test, domain->ops->unmap(domain, iova, PAGE_SIZE, NULL), PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, s390_flushes, 2 * flushes);
}

/* What is unmapped while the device cannot leave is flushed. */
static void s390_stuck_attach(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &s390);
	struct iommu_domain *domain = attach_test_alloc(test, &s390);

	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, s390.dev), 0);
	s390_unregister_cc = 1;
	s390_register_cc = 1;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, s390.dev), -EIO);
	s390_expect_flushed(test, old, 1);
	KUNIT_EXPECT_PTR_EQ(test, s390_zdev[0].s390_domain, to_s390_domain(old));
	/* Until another table takes the place of this one */
	s390_register_cc = 0;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, s390.dev), 0);
	s390_expect_flushed(test, old, 0);
	s390_expect_flushed(test, domain, 1);
	s390_unregister_cc = 0;
	domain->ops->detach_dev(domain, s390.dev);
	domain->ops->free(domain);
	old->ops->free(old);
	KUNIT_EXPECT_EQ(test, s390_seen(test), 1);
}

static void s390_stuck_detach(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &s390);
	u64 seen;

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, s390.dev), 0);
	seen = s390_seen(test);
	s390_unregister_cc = 1;
	s390_register_cc = 1;
	domain->ops->detach_dev(domain, s390.dev);
	KUNIT_EXPECT_EQ(test, s390_seen(test), seen);
	s390_expect_flushed(test, domain, 1);
	/* The table that a reset would register */
	KUNIT_EXPECT_EQ(test, virt_to_phys(s390_zdev[0].dma_table), seen);

	s390_register_cc = 0;
	domain->ops->detach_dev(domain, s390.dev);
	KUNIT_EXPECT_EQ(test, s390_seen(test), 1);
	s390_expect_flushed(test, domain, 0);
	s390_unregister_cc = 0;
	domain->ops->free(domain);
}

/* The domain of a device that has gone keeps its table. */
static void s390_stuck_release(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &s390);
	u64 seen;

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, s390.dev), 0);
	seen = s390_seen(test);
	s390_unregister_cc = 1;
	s390.ops->release_device(s390.dev);
	KUNIT_EXPECT_EQ(test, s390_seen(test), seen);
	s390_expect_flushed(test, domain, 0);
	domain->ops->free(domain);
	KUNIT_EXPECT_GT(test, attach_test.held[MEM], 0);
	KUNIT_EXPECT_TRUE(test, to_s390_domain(domain)->in_use);
	to_s390_domain(domain)->in_use = false;
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[MEM], 0);
	s390_unregister_cc = 0;
}

/* Neither the domain nor what was before: the message is all that can be done. */
static void s390_no_way_back(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &s390);
	struct iommu_domain *other = attach_test_alloc(test, &s390);
	u64 seen;

	s390_register_cc = 1;
	attach_test.prints = 0;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, s390.dev), -EIO);
	KUNIT_EXPECT_EQ(test, attach_test.prints, 1);
	KUNIT_EXPECT_EQ(test, s390_seen(test), 0);
	s390_register_cc = 0;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, s390.dev), 0);
	seen = s390_seen(test);
	KUNIT_EXPECT_GT(test, seen, 1);

	s390_register_cc = 1;
	KUNIT_EXPECT_EQ(test, other->ops->attach_dev(other, s390.dev), -EIO);
	KUNIT_EXPECT_EQ(test, attach_test.prints, 2);
	KUNIT_EXPECT_EQ(test, s390_seen(test), 0);
	s390_register_cc = 0;
	/* As the core does */
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, s390.dev), 0);
	KUNIT_EXPECT_EQ(test, s390_seen(test), seen);
	domain->ops->detach_dev(domain, s390.dev);
	other->ops->free(other);
	domain->ops->free(domain);
}

/* One in error state, and one that is gone: a table is for when it comes back. */
static const int s390_away[][2] = { { 1, ZPCI_PCI_ST_FUNC_NOT_AVAIL }, { 3, 0 } };

static void s390_unavailable(struct kunit *test)
{
	struct zpci_dev *zdev = &s390_zdev[0];
	struct iommu_domain *domain[2];
	int i, j;

	KUNIT_EXPECT_EQ(test, zpci_ioat_cc(1, ZPCI_PCI_ST_INSUF_RES), 1);
	KUNIT_EXPECT_EQ(test, zpci_ioat_cc(0, ZPCI_PCI_ST_FUNC_NOT_AVAIL), 0);
	for (i = 0; i < ARRAY_SIZE(s390_away); i++) {
		for (j = 0; j < 2; j++)
			domain[j] = attach_test_alloc(test, &s390);
		s390_register_cc = zpci_ioat_cc(s390_away[i][0], s390_away[i][1]);
		s390_unregister_cc = s390_register_cc;
		/* From the DMA API, and from there on, as for a new guest */
		for (j = 0; j < 2; j++) {
			KUNIT_EXPECT_EQ(test, domain[j]->ops->attach_dev(domain[j], s390.dev), 0);
			KUNIT_EXPECT_PTR_EQ(test, zdev->dma_table,
					    to_s390_domain(domain[j])->dma_table);
		}
		KUNIT_EXPECT_TRUE(test, list_empty(&to_s390_domain(domain[0])->devices));
		domain[0]->ops->free(domain[0]);
		/* What zpci_hot_reset_device() does then */
		s390_register_cc = 0;
		s390_unregister_cc = 0;
		KUNIT_EXPECT_EQ(test, s390_test_register(zdev, 0, zdev->start_dma, zdev->end_dma,
							 virt_to_phys(zdev->dma_table)), 0);
		domain[1]->ops->detach_dev(domain[1], s390.dev);
		KUNIT_EXPECT_EQ(test, s390_seen(test), 1);
		domain[1]->ops->free(domain[1]);
	}
}

/* Nothing is to be done for a device without domain. */
static void s390_release(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &s390);
	int calls;

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, s390.dev), 0);
	s390.ops->release_device(s390.dev);
	KUNIT_EXPECT_EQ(test, s390_seen(test), 0);
	calls = s390_calls;
	s390.ops->release_device(s390.dev);
	KUNIT_EXPECT_EQ(test, s390_calls, calls);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[MEM], 0);
}

/* A fresh domain takes the range of its first device. */
static void s390_aperture(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &s390);

	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, s390.dev), 0);
	KUNIT_EXPECT_EQ(test, domain->geometry.aperture_start, s390_zdev[0].start_dma);
	KUNIT_EXPECT_EQ(test, domain->geometry.aperture_end, s390_zdev[0].end_dma);
	KUNIT_EXPECT_TRUE(test, domain->geometry.force_aperture);
	domain->ops->detach_dev(domain, s390.dev);
	domain->ops->free(domain);
}

static int s390_init(struct kunit *test)
{
	int i;

	memset(s390_zdev, 0, sizeof(s390_zdev));
	memset(s390_ioat, 0, sizeof(s390_ioat));
	memset(attach_test.held, 0, sizeof(attach_test.held));
	s390_unregister_cc = 0;
	s390_register_cc = 0;
	s390_iommu_aperture = SZ_16M;
	for (i = 0; i < 2; i++) {
		struct zpci_dev *zdev = &s390_zdev[i];

		/* Enabled */
		zdev->fh = BIT(31);
		zdev->start_dma = SZ_256M * (i + 1);
		zdev->end_dma = zdev->start_dma + SZ_16M - 1;
		s390_bus.function[i] = zdev;
		s390_pdev[i].sysdata = &s390_bus;
		s390_pdev[i].devfn = i;
	}
	s390.ops = &s390_iommu_ops;
	s390.seen = s390_seen;
	s390.dev = &s390_pdev[0].dev;
	return zpci_dma_init_device(&s390_zdev[0]);
}

static void s390_exit(struct kunit *test)
{
	zpci_dma_exit_device(&s390_zdev[0]);
}

static int s390_suite_init(struct kunit_suite *suite)
{
	dma_region_table_cache = kmem_cache_create("s390-test-regions", ZPCI_TABLE_SIZE,
						   ZPCI_TABLE_ALIGN, 0, NULL);
	dma_page_table_cache = kmem_cache_create("s390-test-pages", ZPCI_PT_SIZE,
						 ZPCI_PT_ALIGN, 0, NULL);
	return dma_region_table_cache && dma_page_table_cache ? 0 : -ENOMEM;
}

static void s390_suite_exit(struct kunit_suite *suite)
{
	zpci_dma_exit();
}

static struct kunit_case s390_kunit[] = {
	KUNIT_CASE_PARAM(s390_attach, s390_gen_params),
	KUNIT_CASE(s390_same),
	KUNIT_CASE(s390_stuck_attach),
	KUNIT_CASE(s390_stuck_detach),
	KUNIT_CASE(s390_stuck_release),
	KUNIT_CASE(s390_no_way_back),
	KUNIT_CASE(s390_unavailable),
	KUNIT_CASE(s390_release),
	KUNIT_CASE(s390_aperture),
	{}
};

static struct kunit_suite s390_suite = {
	.name = "s390-iommu", .init = s390_init, .exit = s390_exit,
	.suite_init = s390_suite_init, .suite_exit = s390_suite_exit, .test_cases = s390_kunit,
};

kunit_test_suite(s390_suite);

MODULE_LICENSE("GPL");
