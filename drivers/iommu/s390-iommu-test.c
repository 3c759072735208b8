// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of s390-iommu.c, see attach-test.h
 *
 * Two functions, the first of which walks the smallest kind of table only. The
 * instructions are not executed.
 */

/* The kernel that runs the test has the driver, too. */
#define zpci_destroy_iommu	s390_test_destroy_iommu
#define zpci_get_iommu_ctrs	s390_test_get_iommu_ctrs
#define zpci_init_iommu		s390_test_init_iommu
#define zpci_iommu_register_ioat s390_test_iommu_register_ioat

#include <kunit/test-bug.h>
#include <linux/iommu-helper.h>
#include <linux/pci.h>
#include <linux/rculist.h>
#include <asm/pci_dma.h>

#include "dma-iommu.h"
#include "attach-test.h"

static struct zpci_dev s390_zdev[2];
/* What a function without table has that may access all memory */
#define S390_PASS_THROUGH	1
/* The tables that the functions walk, 0 for none */
static u64 s390_ioat[2];
/* What every registration ends with */
static int s390_register_cc;
static u8 s390_register_status;
/* What every end of one ends with; the table stays then */
static int s390_unregister_cc;
static int s390_warnings;
/* Comes between the functions of a domain that is flushed */
static void (*s390_flushed)(u64 fn);

/* A table covers the range of its function, which must be able to walk it. */
static int s390_test_register(struct zpci_dev *zdev, u8 as, u64 base, u64 limit, u64 iota,
			      u8 *status)
{
	int cc = FAIL_OR("zpci_register_ioat", s390_register_cc);

	KUNIT_EXPECT_EQ(kunit_get_current_test(), base, zdev->start_dma);
	KUNIT_EXPECT_EQ(kunit_get_current_test(), limit, zdev->end_dma);
	*status = s390_register_status;
	if (((iota & ZPCI_IOTA_RFTO_FLAG) == ZPCI_IOTA_RFTO_FLAG &&
	     !(zdev->dtsm & ZPCI_IOTA_DT_RF)) ||
	    ((iota & ZPCI_IOTA_RFTO_FLAG) == ZPCI_IOTA_RSTO_FLAG &&
	     !(zdev->dtsm & ZPCI_IOTA_DT_RS)))
		cc = ZPCI_CC_ERR;
	/* One table at a time */
	if (s390_ioat[zdev - s390_zdev])
		cc = ZPCI_CC_ERR;
	if (cc == ZPCI_CC_OK)
		s390_ioat[zdev - s390_zdev] = iota ?: S390_PASS_THROUGH;
	return cc;
}

static int s390_test_unregister(struct zpci_dev *zdev, u8 as)
{
	if (s390_unregister_cc == ZPCI_CC_OK)
		s390_ioat[zdev - s390_zdev] = 0;
	return s390_unregister_cc;
}

static int s390_test_refresh(u64 fn, u64 addr, u64 range)
{
	if (s390_flushed)
		s390_flushed(fn);
	return 0;
}

/* While the list is read, a reader may be at an entry that has left it. */
static void *s390_left[4];
static unsigned int s390_nleft;

static void s390_free_later(void *p)
{
	if (s390_flushed)
		s390_left[s390_nleft++] = p;
	else
		kfree(p);
}

#define zpci_register_ioat	s390_test_register
#define zpci_unregister_ioat	s390_test_unregister
#define zpci_refresh_trans	s390_test_refresh
#define call_rcu(head, fn)	((fn)(head))
#undef kfree_rcu
#define kfree_rcu(p, ...)	s390_free_later(p)
/* The cases come between the functions, and may sleep */
#define rcu_read_lock()		do { } while (0)
#define rcu_read_unlock()	do { } while (0)
#undef list_for_each_entry_rcu
#define list_for_each_entry_rcu	list_for_each_entry
#undef __setup
#define __setup(str, fn)							\
	static __maybe_unused const void * const __UNIQUE_ID(unused)[] = { (str), &(fn) }
#undef WARN_ON
#define WARN_ON(cond)		({ bool __warn = cond; s390_warnings += __warn; __warn; })

#include "s390-iommu.c"

static struct pci_dev s390_pdev[2];
static struct zpci_bus s390_bus;
static struct attach_driver s390;

/* The table of the first function */
static u64 s390_seen(struct kunit *test)
{
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

/* Domains for the other function, of the size that is asked for */
static struct iommu_domain *s390_other(struct kunit *test, u64 size)
{
	struct iommu_domain *domain;

	s390_iommu_aperture = size;
	s390_zdev[1].end_dma = U64_MAX;
	domain = attach_test_alloc_for(test, &s390, &s390_pdev[1].dev);
	s390_iommu_aperture = SZ_16M;
	return domain;
}

static struct iommu_domain *s390_region_third(struct kunit *test)
{
	return s390_other(test, SZ_16M);
}

static struct iommu_domain *s390_region_second(struct kunit *test)
{
	struct iommu_domain *domain = s390_other(test, ZPCI_TABLE_SIZE_RT * 2);

	KUNIT_ASSERT_EQ(test, to_s390_domain(domain)->origin_type, ZPCI_TABLE_TYPE_RSX);
	return domain;
}

static struct iommu_domain *s390_region_first(struct kunit *test)
{
	struct iommu_domain *domain = s390_other(test, ZPCI_TABLE_SIZE_RS * 2);

	KUNIT_ASSERT_EQ(test, to_s390_domain(domain)->origin_type, ZPCI_TABLE_TYPE_RFX);
	return domain;
}

static void s390_below(struct kunit *test, struct iommu_domain *domain)
{
	domain->geometry.aperture_end = s390_zdev[0].start_dma - 1;
}

static void s390_above(struct kunit *test, struct iommu_domain *domain)
{
	domain->geometry.aperture_start = s390_zdev[0].end_dma + 1;
}

static void s390_third(struct kunit *test, struct iommu_domain *domain)
{
	s390_zdev[0].dtsm |= ZPCI_IOTA_DT_RT;
}

static void s390_second_too(struct kunit *test, struct iommu_domain *domain)
{
	s390_zdev[0].dtsm |= ZPCI_IOTA_DT_RS;
}

static void s390_first_too(struct kunit *test, struct iommu_domain *domain)
{
	s390_zdev[0].dtsm |= ZPCI_IOTA_DT_RF;
}

static const struct attach_case s390_cases[] = {
	{ .name = "s390_iommu_attach_device: no zPCI function behind the device",
	  .setup = s390_no_function, .undo = s390_function, .expect = -ENODEV },
	{ .name = "s390_domain_fits: region second tables, which the function lacks",
	  .alloc = s390_region_second, .expect = -EINVAL },
	{ .name = "s390_domain_fits: region second tables, from the blocking domain",
	  .alloc = s390_region_second, .first = true, .expect = -EINVAL },
	{ .name = "s390_domain_fits: region first tables, which the function lacks",
	  .alloc = s390_region_first, .expect = -EINVAL },
	{ .name = "s390_domain_fits: region second tables, and the function has third",
	  .alloc = s390_region_second, .setup = s390_third, .expect = -EINVAL },
	{ .name = "s390_domain_fits: the aperture is below the function's",
	  .setup = s390_below, .expect = -EINVAL },
	{ .name = "s390_domain_fits: the aperture is above the function's",
	  .setup = s390_above, .expect = -EINVAL },
	{ .name = "s390_domain_fits: region second tables, success",
	  .alloc = s390_region_second, .setup = s390_second_too },
	{ .name = "s390_domain_fits: region first tables, success",
	  .alloc = s390_region_first, .setup = s390_first_too },
	{ .name = "s390_domain_fits: region third tables of another, success",
	  .alloc = s390_region_third },
	{ .name = "s390_iommu_attach_device: the table cannot be registered",
	  .call = "zpci_register_ioat", .ret = ZPCI_CC_ERR, .expect = -EIO },
	{ .name = "s390_iommu_attach_device: no table can be registered at first",
	  .call = "zpci_register_ioat", .ret = ZPCI_CC_ERR, .first = true, .expect = -EIO },
	{ .name = "zdev_s390_domain_set: no memory for an entry of the list",
	  .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "s390_iommu_attach_device: success", },
};

KUNIT_ARRAY_PARAM(s390, s390_cases, attach_case_desc);

static void s390_attach(struct kunit *test)
{
	attach_check(test, &s390, test->param_value);
}

/* Also from pass-through, and to it */
static void s390_identity(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &s390);
	struct iommu_domain *from, *to;
	u64 seen;
	int i;

	for (i = 0; i < 2; i++) {
		from = i ? &s390_identity_domain : domain;
		to = i ? domain : &s390_identity_domain;
		KUNIT_ASSERT_EQ(test, from->ops->attach_dev(from, s390.dev, &blocking_domain), 0);
		seen = s390_seen(test);
		attach_test_inject("zpci_register_ioat", 1, ZPCI_CC_ERR);
		KUNIT_EXPECT_EQ(test, to->ops->attach_dev(to, s390.dev, from), -EIO);
		attach_test.call = NULL;
		KUNIT_EXPECT_EQ(test, s390_seen(test), seen);
		KUNIT_EXPECT_PTR_EQ(test, s390_zdev[0].s390_domain, from);
		KUNIT_EXPECT_EQ(test, to->ops->attach_dev(to, s390.dev, from), 0);
		KUNIT_EXPECT_NE(test, s390_seen(test), seen);
		KUNIT_EXPECT_EQ(test, blocking_domain.ops->attach_dev(&blocking_domain, s390.dev,
								      to), 0);
		KUNIT_EXPECT_EQ(test, s390_seen(test), 0);
	}
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[MEM], 0);
}

static int s390_flushes[2];

static void s390_count(u64 fn)
{
	s390_flushes[fn >> 32 == s390_zdev[1].fh]++;
}

/* The old table stays registered, so that invalidations must reach the function. */
static void s390_stuck(struct kunit *test)
{
	struct iommu_domain *old = attach_test_alloc(test, &s390);
	struct iommu_domain *domain = attach_test_alloc(test, &s390);
	u64 seen;

	KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, s390.dev, &blocking_domain), 0);
	seen = s390_seen(test);
	s390_unregister_cc = ZPCI_CC_ERR;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, s390.dev, old), -EIO);
	KUNIT_EXPECT_EQ(test, s390_seen(test), seen);
	s390_flushed = s390_count;
	old->ops->flush_iotlb_all(old);
	s390_flushed = NULL;
	KUNIT_EXPECT_EQ(test, s390_flushes[0], 1);
	s390_unregister_cc = ZPCI_CC_OK;
	KUNIT_EXPECT_EQ(test, blocking_domain.ops->attach_dev(&blocking_domain, s390.dev, old), 0);
	KUNIT_EXPECT_EQ(test, s390_seen(test), 0);
	old->ops->free(old);
	domain->ops->free(domain);
}

/* While a domain is flushed, the function that is had goes to another one. */
static struct iommu_domain *s390_elsewhere, *s390_here;

static void s390_moves(u64 fn)
{
	s390_count(fn);
	if (fn >> 32 != s390_zdev[0].fh)
		return;
	if (s390_flushes[0] == 1)
		s390_elsewhere->ops->attach_dev(s390_elsewhere, s390.dev, s390_here);
	/* Astray, it does not end by itself */
	if (s390_flushes[0] == 3)
		s390_here->ops->attach_dev(s390_here, s390.dev, s390_elsewhere);
}

static void s390_flush(struct kunit *test, int how)
{
	struct iommu_iotlb_gather gather = { .start = SZ_256M, .end = SZ_256M + PAGE_SIZE - 1 };

	memset(s390_flushes, 0, sizeof(s390_flushes));
	s390_flushed = s390_moves;
	if (how == 0)
		s390_here->ops->flush_iotlb_all(s390_here);
	else if (how == 1)
		s390_here->ops->iotlb_sync(s390_here, &gather);
	else
		KUNIT_EXPECT_EQ(test, s390_here->ops->iotlb_sync_map(s390_here, SZ_256M,
								     PAGE_SIZE), 0);
	s390_flushed = NULL;
	while (s390_nleft)
		kfree(s390_left[--s390_nleft]);
	KUNIT_EXPECT_EQ(test, s390_flushes[0], 1);
	KUNIT_EXPECT_EQ(test, s390_flushes[1], 1);
}

static void s390_readers(struct kunit *test)
{
	struct device *other = &s390_pdev[1].dev;
	int i;

	s390_elsewhere = attach_test_alloc(test, &s390);
	s390_here = attach_test_alloc(test, &s390);
	KUNIT_ASSERT_EQ(test, s390_here->ops->attach_dev(s390_here, other, &blocking_domain), 0);
	for (i = 0; i < 3; i++) {
		/* The last one to come is the first one to be flushed */
		KUNIT_ASSERT_EQ(test, s390_here->ops->attach_dev(s390_here, s390.dev,
								 &blocking_domain), 0);
		s390_flush(test, i);
		KUNIT_EXPECT_EQ(test, blocking_domain.ops->attach_dev(&blocking_domain, s390.dev,
								      s390_elsewhere), 0);
	}
	KUNIT_EXPECT_EQ(test, blocking_domain.ops->attach_dev(&blocking_domain, other, s390_here),
			0);
	s390_here->ops->free(s390_here);
	s390_elsewhere->ops->free(s390_elsewhere);
	KUNIT_EXPECT_EQ(test, attach_test.held[MEM], 0);
}

/* One in error state, and one that is gone: a table is for when it comes back. */
static const int s390_away[][2] = {
	{ ZPCI_CC_ERR, ZPCI_PCI_ST_FUNC_NOT_AVAIL }, { ZPCI_CC_INVAL_HANDLE, 0 },
};

static void s390_unavailable(struct kunit *test)
{
	struct iommu_domain *domain;
	u8 status;
	int i;

	for (i = 0; i < ARRAY_SIZE(s390_away); i++) {
		domain = attach_test_alloc(test, &s390);
		s390_register_cc = s390_away[i][0];
		s390_register_status = s390_away[i][1];
		KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, s390.dev, &blocking_domain),
				0);
		KUNIT_EXPECT_EQ(test, s390_seen(test), 0);
		/* What zpci_hot_reset_device() does then */
		s390_register_cc = ZPCI_CC_OK;
		s390_register_status = 0;
		KUNIT_EXPECT_EQ(test, zpci_iommu_register_ioat(&s390_zdev[0], &status), 0);
		KUNIT_EXPECT_EQ(test, s390_seen(test) & PAGE_MASK,
				virt_to_phys(to_s390_domain(domain)->dma_table));
		KUNIT_EXPECT_EQ(test, blocking_domain.ops->attach_dev(&blocking_domain, s390.dev,
								      domain), 0);
		domain->ops->free(domain);
	}
	KUNIT_EXPECT_EQ(test, attach_test.held[MEM], 0);
}

static int s390_init(struct kunit *test)
{
	int i;

	memset(s390_zdev, 0, sizeof(s390_zdev));
	memset(s390_ioat, 0, sizeof(s390_ioat));
	memset(attach_test.held, 0, sizeof(attach_test.held));
	s390_register_cc = ZPCI_CC_OK;
	s390_register_status = 0;
	s390_unregister_cc = ZPCI_CC_OK;
	s390_flushed = NULL;
	memset(s390_flushes, 0, sizeof(s390_flushes));
	s390_warnings = 0;
	s390_iommu_aperture = SZ_16M;
	for (i = 0; i < 2; i++) {
		struct zpci_dev *zdev = &s390_zdev[i];

		/* Enabled */
		zdev->fh = BIT(31) | i;
		zdev->tlb_refresh = 1;
		zdev->start_dma = SZ_256M;
		zdev->end_dma = zdev->start_dma + SZ_16M - 1;
		/* Third is assumed in any case */
		zdev->dtsm = i ? ZPCI_IOTA_DT_RS | ZPCI_IOTA_DT_RF : 0;
		zdev->s390_domain = &blocking_domain;
		spin_lock_init(&zdev->dom_lock);
		s390_bus.function[i] = zdev;
		s390_pdev[i].sysdata = &s390_bus;
		s390_pdev[i].devfn = i;
	}
	s390.ops = &s390_iommu_ops;
	s390.seen = s390_seen;
	s390.dev = &s390_pdev[0].dev;
	return 0;
}

static void s390_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, s390_warnings, 0);
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
	kmem_cache_destroy(dma_page_table_cache);
	kmem_cache_destroy(dma_region_table_cache);
}

static struct kunit_case s390_kunit[] = {
	KUNIT_CASE_PARAM(s390_attach, s390_gen_params),
	KUNIT_CASE(s390_identity),
	KUNIT_CASE(s390_stuck),
	KUNIT_CASE(s390_readers),
	KUNIT_CASE(s390_unavailable),
	{}
};

static struct kunit_suite s390_suite = {
	.name = "s390-iommu", .init = s390_init, .exit = s390_exit,
	.suite_init = s390_suite_init, .suite_exit = s390_suite_exit, .test_cases = s390_kunit,
};

kunit_test_suite(s390_suite);
