// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the IOMMU core: what becomes of the devices of a group, and
 * what the caller is told, when the driver refuses one of them.
 *
 * Included by iommu.c. The IOMMU is made up, on a bus of its own; test_hw and
 * its devices stand for the hardware and say what DMA would go through.
 */

#include <kunit/test.h>
#include <linux/cred.h>
#include <linux/kmsg_dump.h>
#include <linux/sizes.h>

struct test_dev {
	struct device dev;
	struct iommu_domain *domain;	/* What the hardware has. NULL: none */
	bool deferred;
};

#define to_test_dev(d)	container_of(d, struct test_dev, dev)

#define TEST_PAGES	16

struct test_domain {
	struct iommu_domain domain;
	phys_addr_t phys[TEST_PAGES];	/* From 1 MiB on. 0: not mapped */
};

/* Starts anew, with zeros, in each case */
static struct {
	struct iommu_device iommu;
	struct test_dev *dev[3];
	int devs;
	struct iommu_domain *domain;	/* The one that the case attaches */
	struct iommu_domain *foreign;

	/* What the driver saw */
	int attaches, detaches, foreign_calls, maps, releases, finalizes;
	int domains, regions;		/* Allocated and not freed */
	int puts;			/* Of its fwnode */
	size_t synced;
	char pages[TEST_PAGES + 1];	/* Those mapped, a digit for the size of each */
	bool freed_in_use;

	/* What it does */
	struct {
		int call, err;
	} fail[3];			/* The call-th attach, from 1 */
	unsigned long refuse;		/* A bit for each type of domain */
	int type;			/* What def_domain_type() says */
	int probe_err;
	int map_err, map_good;		/* What fails, after that many pages */
	unsigned long pgsize_bitmap;	/* If another one than the driver's */
	bool own_cookie;
	struct fwnode_handle fwnode;
	struct iommu_group *no_group;	/* An error, for device_group() */
	bool null_group, resv;
} test_hw;

static int test_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct test_dev *tdev = to_test_dev(dev);
	int i;

	test_hw.attaches++;
	for (i = 0; i < ARRAY_SIZE(test_hw.fail); i++) {
		if (test_hw.fail[i].call == test_hw.attaches) {
			/*
			 * A driver should leave the device where it was. The
			 * core copes with one that does not.
			 */
			tdev->domain = NULL;
			return test_hw.fail[i].err;
		}
	}
	tdev->domain = domain;
	tdev->deferred = false;
	return 0;
}

static void test_detach_dev(struct iommu_domain *domain, struct device *dev)
{
	test_hw.detaches++;
	to_test_dev(dev)->domain = NULL;
}

static phys_addr_t *test_pte(struct iommu_domain *domain, unsigned long iova)
{
	return &container_of(domain, struct test_domain, domain)->phys
		[(iova - SZ_1M) / PAGE_SIZE % TEST_PAGES];
}

static int test_map_page(struct iommu_domain *domain, unsigned long iova,
			 phys_addr_t paddr, size_t size)
{
	int n = strlen(test_hw.pages);
	size_t i;

	if (test_hw.map_err && n >= test_hw.map_good)
		return test_hw.map_err;
	if (n < TEST_PAGES)
		test_hw.pages[n] = '0' + size / PAGE_SIZE;
	for (i = 0; i < size; i += PAGE_SIZE)
		*test_pte(domain, iova + i) = paddr + i;
	return 0;
}

static int test_map(struct iommu_domain *domain, unsigned long iova,
		    phys_addr_t paddr, size_t size, int prot, gfp_t gfp)
{
	test_hw.maps++;
	return test_map_page(domain, iova, paddr, size);
}

static int test_map_pages(struct iommu_domain *domain, unsigned long iova,
			  phys_addr_t paddr, size_t pgsize, size_t pgcount,
			  int prot, gfp_t gfp, size_t *mapped)
{
	int ret = 0;

	test_hw.maps++;
	for (*mapped = 0; pgcount; pgcount--, *mapped += pgsize) {
		ret = test_map_page(domain, iova + *mapped, paddr + *mapped,
				    pgsize);
		if (ret)
			break;
	}
	return ret;
}

static size_t test_unmap(struct iommu_domain *domain, unsigned long iova,
			 size_t size, struct iommu_iotlb_gather *gather)
{
	size_t i;

	for (i = 0; i < size && *test_pte(domain, iova + i); i += PAGE_SIZE)
		*test_pte(domain, iova + i) = 0;
	return i;
}

static size_t test_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			       size_t pgsize, size_t pgcount,
			       struct iommu_iotlb_gather *gather)
{
	return test_unmap(domain, iova, pgsize * pgcount, gather);
}

static void test_sync_map(struct iommu_domain *domain, unsigned long iova,
			  size_t size)
{
	test_hw.synced += size;
}

static phys_addr_t test_iova_to_phys(struct iommu_domain *domain,
				     dma_addr_t iova)
{
	return *test_pte(domain, iova);
}

static void test_domain_free(struct iommu_domain *domain)
{
	int i;

	for (i = 0; i < test_hw.devs; i++)
		if (test_hw.dev[i]->domain == domain)
			test_hw.freed_in_use = true;
	test_hw.domains--;
	kfree(container_of(domain, struct test_domain, domain));
}

static const struct iommu_domain_ops test_domain_ops = {
	.attach_dev	= test_attach_dev,
	.detach_dev	= test_detach_dev,
	.map		= test_map,
	.unmap		= test_unmap,
	.iova_to_phys	= test_iova_to_phys,
	.free		= test_domain_free,
};

static const struct iommu_domain_ops test_pages_ops = {
	.attach_dev	= test_attach_dev,
	.detach_dev	= test_detach_dev,
	.map_pages	= test_map_pages,
	.unmap_pages	= test_unmap_pages,
	.iotlb_sync_map	= test_sync_map,
	.iova_to_phys	= test_iova_to_phys,
	.free		= test_domain_free,
};

static const struct iommu_domain_ops test_no_detach_ops = {
	.attach_dev	= test_attach_dev,
	.iova_to_phys	= test_iova_to_phys,
	.free		= test_domain_free,
};

static const struct iommu_domain_ops test_no_attach_ops = {
	.free		= test_domain_free,
};

static struct iommu_domain *test_domain_alloc(unsigned int type)
{
	struct test_domain *domain;

	if (test_hw.refuse & BIT(type))
		return NULL;
	domain = kzalloc(sizeof(*domain), GFP_KERNEL);
	if (!domain)
		return NULL;
	domain->domain.pgsize_bitmap = test_hw.pgsize_bitmap;
	/* The core cannot add another one */
	if (test_hw.own_cookie)
		iommu_get_dma_cookie(&domain->domain);
	test_hw.domains++;
	return &domain->domain;
}

static struct iommu_device *test_probe_device(struct device *dev)
{
	return test_hw.probe_err ? ERR_PTR(test_hw.probe_err) : &test_hw.iommu;
}

static void test_probe_finalize(struct device *dev)
{
	test_hw.finalizes++;
}

static void test_release_device(struct device *dev)
{
	test_hw.releases++;
	to_test_dev(dev)->domain = NULL;
}

/* All devices share a group */
static struct iommu_group *test_device_group(struct device *dev)
{
	if (test_hw.null_group || test_hw.no_group)
		return test_hw.no_group;
	if (test_hw.dev[0]->dev.iommu_group)
		return iommu_group_ref_get(test_hw.dev[0]->dev.iommu_group);
	return iommu_group_alloc();
}

static bool test_is_attach_deferred(struct device *dev)
{
	return to_test_dev(dev)->deferred;
}

static int test_def_domain_type(struct device *dev)
{
	return test_hw.type;
}

static void test_free_region(struct device *dev,
			     struct iommu_resv_region *region)
{
	test_hw.regions--;
	kfree(region);
}

/* One that nobody may use, and one that the core is to map */
static void test_get_resv_regions(struct device *dev, struct list_head *head)
{
	struct iommu_resv_region *region;

	if (!test_hw.resv)
		return;
	region = iommu_alloc_resv_region(SZ_2M, PAGE_SIZE, 0,
					 IOMMU_RESV_RESERVED, GFP_KERNEL);
	if (region)
		list_add_tail(&region->list, head);
	region = iommu_alloc_resv_region(SZ_1M, PAGE_SIZE, IOMMU_READ,
					 IOMMU_RESV_DIRECT, GFP_KERNEL);
	if (!region)
		return;
	region->free = test_free_region;
	test_hw.regions++;
	list_add_tail(&region->list, head);
}

static struct iommu_ops test_ops = {
	.domain_alloc		= test_domain_alloc,
	.probe_device		= test_probe_device,
	.probe_finalize		= test_probe_finalize,
	.release_device		= test_release_device,
	.device_group		= test_device_group,
	.is_attach_deferred	= test_is_attach_deferred,
	.def_domain_type	= test_def_domain_type,
	.get_resv_regions	= test_get_resv_regions,
	.pgsize_bitmap		= PAGE_SIZE,
	.default_domain_ops	= &test_domain_ops,
};

static struct bus_type test_bus = {
	.name = "iommu-kunit",
};

/* Another driver, which would take any device */
static int test_foreign_attach_dev(struct iommu_domain *domain,
				   struct device *dev)
{
	test_hw.foreign_calls++;
	to_test_dev(dev)->domain = domain;
	return 0;
}

static const struct iommu_domain_ops test_foreign_domain_ops = {
	.attach_dev	= test_foreign_attach_dev,
	.free		= test_domain_free,
};

static struct iommu_domain *test_foreign_domain_alloc(unsigned int type)
{
	struct iommu_domain *domain = test_domain_alloc(type);

	if (domain)
		domain->ops = &test_foreign_domain_ops;
	return domain;
}

static const struct iommu_ops test_foreign_ops = {
	.domain_alloc	= test_foreign_domain_alloc,
	.pgsize_bitmap	= PAGE_SIZE,
};

static struct bus_type test_foreign_bus = {
	.name		= "iommu-kunit-foreign",
	.iommu_ops	= &test_foreign_ops,
};

static void test_dev_free(struct device *dev)
{
	kfree(to_test_dev(dev));
}

static int test_init(struct kunit *test)
{
	int ret;

	memset(&test_hw, 0, sizeof(test_hw));
	test_hw.iommu.ops = &test_ops;
	test_ops.default_domain_ops = &test_domain_ops;
	test_hw.refuse = BIT(IOMMU_DOMAIN_BLOCKED);
	test_hw.type = IOMMU_DOMAIN_IDENTITY;
	test_ops.owner = NULL;
	test_bus.iommu_ops = &test_ops;

	ret = bus_register(&test_bus);
	if (ret)
		return ret;
	ret = iommu_device_sysfs_add(&test_hw.iommu, NULL, NULL, "iommu-kunit");
	if (ret)
		bus_unregister(&test_bus);
	return ret;
}

static void test_exit(struct kunit *test)
{
	int i;

	if (!test_hw.iommu.dev)
		return;

	for (i = 0; i < test_hw.devs; i++) {
		struct device *dev = &test_hw.dev[i]->dev;

		if (dev->iommu)
			iommu_release_device(dev);
		else
			iommu_group_remove_device(dev);
	}
	if (test_hw.domain)
		iommu_domain_free(test_hw.domain);
	if (test_hw.foreign)
		iommu_domain_free(test_hw.foreign);
	KUNIT_EXPECT_EQ(test, test_hw.domains, 0);
	KUNIT_EXPECT_EQ(test, test_hw.regions, 0);
	KUNIT_EXPECT_FALSE(test, test_hw.freed_in_use);

	for (i = 0; i < test_hw.devs; i++)
		device_unregister(&test_hw.dev[i]->dev);
	iommu_device_sysfs_remove(&test_hw.iommu);
	bus_unregister(&test_bus);
}

static struct device *test_add_device(struct kunit *test)
{
	struct test_dev *tdev = kzalloc(sizeof(*tdev), GFP_KERNEL);
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, tdev);
	tdev->dev.bus = &test_bus;
	tdev->dev.release = test_dev_free;
	dev_set_name(&tdev->dev, "iommu-kunit.%d", test_hw.devs);
	ret = device_register(&tdev->dev);
	if (ret)
		put_device(&tdev->dev);
	KUNIT_ASSERT_EQ(test, ret, 0);
	test_hw.dev[test_hw.devs++] = tdev;
	return &tdev->dev;
}

/* Count the calls of attach_dev from here on, and let one of them fail */
static void test_fail(int call, int err)
{
	test_hw.attaches = 0;
	test_hw.detaches = 0;
	memset(test_hw.fail, 0, sizeof(test_hw.fail));
	test_hw.fail[0].call = call;
	test_hw.fail[0].err = err;
}

/* A group of that many devices, which has its default domain */
static struct iommu_group *test_group(struct kunit *test, int devs)
{
	while (devs--)
		KUNIT_ASSERT_EQ(test, 0,
				iommu_probe_device(test_add_device(test)));
	test_hw.domain = iommu_domain_alloc(&test_bus);
	KUNIT_ASSERT_NOT_NULL(test, test_hw.domain);
	test_fail(0, 0);
	return test_hw.dev[0]->dev.iommu_group;
}

/* The same with a driver that has no default domains */
static struct iommu_group *test_bare_group(struct kunit *test, int devs)
{
	struct iommu_group *group;

	test_hw.refuse |= BIT(IOMMU_DOMAIN_IDENTITY) | BIT(IOMMU_DOMAIN_DMA);
	group = test_group(test, devs);
	KUNIT_ASSERT_NULL(test, group->domain);
	return group;
}

static void test_expect_dev(struct kunit *test, int i,
			    struct iommu_domain *domain)
{
	KUNIT_EXPECT_PTR_EQ_MSG(test, test_hw.dev[i]->domain, domain,
				"device %d of %d", i + 1, test_hw.devs);
}

/* All devices translate through this domain, and the core knows it */
static void test_expect(struct kunit *test, struct iommu_domain *domain)
{
	int i;

	for (i = 0; i < test_hw.devs; i++) {
		struct device *dev = &test_hw.dev[i]->dev;

		test_expect_dev(test, i, domain);
		KUNIT_EXPECT_PTR_EQ(test, iommu_get_domain_for_dev(dev), domain);
	}
}

/* The device of that index has failed, and is nowhere, or blocked */
static void test_expect_others(struct kunit *test, int failed, bool blocked,
			       struct iommu_domain *domain)
{
	struct iommu_group *group = test_hw.dev[0]->dev.iommu_group;
	int i;

	for (i = 0; i < test_hw.devs; i++)
		test_expect_dev(test, i, i != failed ? domain :
					 blocked ? group->blocking_domain : NULL);
}

static void test_expect_calls(struct kunit *test, int attaches, int detaches)
{
	KUNIT_EXPECT_EQ(test, test_hw.attaches, attaches);
	KUNIT_EXPECT_EQ(test, test_hw.detaches, detaches);
}

/* Whatever happened before, a domain that fits can be attached */
static void test_expect_good(struct kunit *test, struct iommu_group *group)
{
	struct iommu_domain *core = group->owner ? group->blocking_domain :
						   group->default_domain;
	int devs = test_hw.devs;

	test_fail(0, 0);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	test_expect_calls(test, devs, 0);
	test_expect(test, test_hw.domain);
	iommu_detach_group(test_hw.domain, group);
	test_expect_calls(test, core ? 2 * devs : devs, core ? 0 : devs);
	test_expect(test, core);
}

/* How many lines with that text the kernel has printed since the last time */
static int test_printed(struct kmsg_dump_iter *iter, const char *text)
{
	char line[256];
	size_t len;
	int n = 0;

	while (kmsg_dump_get_line(iter, false, line, sizeof(line) - 1, &len)) {
		line[len] = 0;
		n += !!strstr(line, text);
	}
	return n;
}

static void test_forget_printed(struct kmsg_dump_iter *iter)
{
	kmsg_dump_rewind(iter);
	test_printed(iter, "");
}

struct test_fault {
	int devs, at, err;
};

static const struct test_fault test_faults[] = {
	{ 1, 0, -EINVAL }, { 2, 0, -EINVAL }, { 2, 1, -EINVAL },
	{ 3, 0, -EINVAL }, { 3, 1, -EINVAL }, { 3, 2, -EINVAL },
	{ 1, 0, -ENOMEM }, { 2, 0, -ENOMEM }, { 2, 1, -ENOMEM },
	{ 3, 0, -ENOMEM }, { 3, 1, -ENOMEM }, { 3, 2, -ENOMEM },
	{ 1, 0, -ENOSPC }, { 2, 0, -ENOSPC }, { 2, 1, -ENOSPC },
	{ 3, 0, -ENOSPC }, { 3, 1, -ENOSPC }, { 3, 2, -ENOSPC },
	{ 1, 0, -EBUSY }, { 2, 0, -EBUSY }, { 2, 1, -EBUSY },
	{ 3, 0, -EBUSY }, { 3, 1, -EBUSY }, { 3, 2, -EBUSY },
	{ 1, 0, -ENODEV }, { 2, 0, -ENODEV }, { 2, 1, -ENODEV },
	{ 3, 0, -ENODEV }, { 3, 1, -ENODEV }, { 3, 2, -ENODEV },
	/* Not of the contract: passed on all the same */
	{ 1, 0, -EIO }, { 2, 0, -EIO }, { 2, 1, -EIO },
	{ 3, 0, -EIO }, { 3, 1, -EIO }, { 3, 2, -EIO },
};

/* Where the errno plays no role and each case prints a warning */
static const struct test_fault test_places[] = {
	{ 1, 0, -EIO }, { 2, 0, -EIO }, { 2, 1, -EIO },
	{ 3, 0, -EIO }, { 3, 1, -EIO }, { 3, 2, -EIO },
};

static const struct test_fault test_errnos[] = {
	{ 1, 0, -EINVAL },
	{ 1, 0, -ENOMEM },
	{ 1, 0, -ENOSPC },
	{ 1, 0, -EBUSY },
	{ 1, 0, -ENODEV },
	{ 1, 0, -EIO },
};

static const struct test_fault test_sizes[] = { { 1 }, { 2 }, { 3 } };

static void test_fault_desc(const struct test_fault *f, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d devices, %pe at device %d",
		 f->devs, ERR_PTR(f->err), f->at + 1);
}

static void test_size_desc(const struct test_fault *f, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d devices", f->devs);
}

KUNIT_ARRAY_PARAM(test_fault, test_faults, test_fault_desc);
KUNIT_ARRAY_PARAM(test_place, test_places, test_fault_desc);
KUNIT_ARRAY_PARAM(test_errno, test_errnos, test_fault_desc);
KUNIT_ARRAY_PARAM(test_size, test_sizes, test_size_desc);

/*
 * iommu_attach_device(), iommu_attach_group()
 */

static void test_attach_group(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	test_expect(test, group->default_domain);
	test_expect_good(test, group);

	/* A second detach has nothing to do */
	test_fail(0, 0);
	iommu_detach_group(test_hw.domain, group);
	test_expect_calls(test, 0, 0);

	/* Somebody else's domain is not taken away */
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	test_fail(0, 0);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), -EBUSY);
	test_expect_calls(test, 0, 0);
	test_expect(test, test_hw.domain);
	iommu_detach_group(test_hw.domain, group);
	test_expect(test, group->default_domain);
}

static void test_attach_group_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	test_fail(f->at + 1, f->err);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), f->err);
	test_expect_calls(test, f->at + 1 + f->devs, 0);
	test_expect(test, group->default_domain);
	test_expect_good(test, group);
}

static void attach_claimed_fault(struct kunit *test, struct iommu_group *group)
{
	const struct test_fault *f = test->param_value;

	KUNIT_ASSERT_EQ(test, iommu_group_claim_dma_owner(group, test), 0);
	test_fail(f->at + 1, f->err);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), f->err);
	test_expect_calls(test, f->at + 1 + f->devs, 0);
	test_expect(test, group->blocking_domain);
	test_expect_good(test, group);
	iommu_group_release_dma_owner(group);
	test_expect(test, group->default_domain);
}

static void test_attach_claimed_group_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;

	attach_claimed_fault(test, test_group(test, f->devs));
}

/* Without a default domain, it is the blocking domain that they go back to */
static void test_attach_claimed_bare_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;

	attach_claimed_fault(test, test_bare_group(test, f->devs));
}

static void test_attach_bare_group(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_bare_group(test, f->devs);

	test_expect_good(test, group);
}

static void test_attach_bare_group_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_bare_group(test, f->devs);

	test_fail(f->at + 1, f->err);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), f->err);
	/* The device that failed is not the core's business */
	test_expect_calls(test, f->at + 1, f->at);
	test_expect(test, NULL);
	test_expect_good(test, group);
}

static void test_attach_device_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, 1);
	struct device *dev = &test_hw.dev[0]->dev;

	test_fail(1, f->err);
	KUNIT_EXPECT_EQ(test, iommu_attach_device(test_hw.domain, dev), f->err);
	test_expect(test, group->default_domain);

	KUNIT_EXPECT_EQ(test, iommu_attach_device(test_hw.domain, dev), 0);
	test_expect(test, test_hw.domain);
	KUNIT_EXPECT_EQ(test, iommu_attach_device(test_hw.domain, dev), -EBUSY);
	test_expect(test, test_hw.domain);
	iommu_detach_device(test_hw.domain, dev);
	test_expect(test, group->default_domain);
}

/* No domain can be attached this way, so not -EINVAL */
static void test_attach_device_shared(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 2);
	struct device *dev = &test_hw.dev[0]->dev;

	KUNIT_EXPECT_EQ(test, iommu_attach_device(test_hw.domain, dev), -EBUSY);
	test_expect_calls(test, 0, 0);
	test_expect(test, group->default_domain);
	test_expect_good(test, group);
}

static void test_attach_device_no_group(struct kunit *test)
{
	struct device *dev = test_add_device(test);

	test_hw.domain = iommu_domain_alloc(&test_bus);
	KUNIT_ASSERT_NOT_NULL(test, test_hw.domain);
	KUNIT_EXPECT_EQ(test, iommu_attach_device(test_hw.domain, dev), -ENODEV);
	iommu_detach_device(test_hw.domain, dev);
	test_expect_calls(test, 0, 0);
	test_expect(test, NULL);
}

static void test_attach_foreign(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	test_hw.foreign = iommu_domain_alloc(&test_foreign_bus);
	KUNIT_ASSERT_NOT_NULL(test, test_hw.foreign);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.foreign, group),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, test_hw.foreign_calls, 0);
	test_expect(test, group->default_domain);
	test_expect_good(test, group);
}

/* A code of the firmware, say, that the driver passes on */
static void test_attach_positive(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 2);
	struct kmsg_dump_iter iter;
	int i;

	test_forget_printed(&iter);
	for (i = 0; i < 2; i++) {
		test_fail(2, 1);
		KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group),
				-ENODEV);
		test_expect(test, group->default_domain);
	}
	/* A caller that tries again does not fill the log */
	KUNIT_EXPECT_EQ(test, test_printed(&iter, "not an errno"), 1);
	test_expect_good(test, group);
}

/* In a group, but not behind an IOMMU, as the device of an mdev */
static void test_attach_unknown(struct kunit *test)
{
	struct device *dev = test_add_device(test);
	struct iommu_group *group = iommu_group_alloc();

	KUNIT_ASSERT_FALSE(test, IS_ERR(group));
	test_hw.domain = iommu_domain_alloc(&test_bus);
	KUNIT_EXPECT_EQ(test, iommu_group_add_device(group, dev), 0);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group),
			-ENODEV);
	/* Nor when the firmware has told its IOMMU, but no driver was there */
	fwnode_init(&test_hw.fwnode, NULL);
	KUNIT_EXPECT_EQ(test, iommu_fwspec_init(dev, &test_hw.fwnode, &test_ops),
			0);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group),
			-ENODEV);
	dev_iommu_free(dev);
	test_expect_calls(test, 0, 0);
	test_expect(test, NULL);
	iommu_group_put(group);
}

static void test_attach_no_op(struct kunit *test)
{
	struct iommu_group *group;

	test_ops.default_domain_ops = &test_no_attach_ops;
	group = test_bare_group(test, 1);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group),
			-ENODEV);
	test_expect(test, NULL);
}

static void test_deferred(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_domain *domain;
	struct device *dev;

	test_add_device(test);
	dev = test_add_device(test);
	to_test_dev(dev)->deferred = true;
	KUNIT_ASSERT_EQ(test, bus_iommu_probe(&test_bus), 0);
	domain = dev->iommu_group->default_domain;
	test_expect_calls(test, 1, 0);
	test_expect_dev(test, 0, domain);
	test_expect_dev(test, 1, NULL);

	test_fail(1, f->err);
	KUNIT_EXPECT_EQ(test, iommu_deferred_attach(dev, domain), f->err);
	test_expect_dev(test, 1, NULL);
	KUNIT_EXPECT_EQ(test, iommu_deferred_attach(dev, domain), 0);
	test_expect_calls(test, 2, 0);
	test_expect(test, domain);
	KUNIT_EXPECT_EQ(test, iommu_deferred_attach(dev, domain), 0);
	test_expect_calls(test, 2, 0);

	/* Nor is one attached that joins the group */
	dev = test_add_device(test);
	to_test_dev(dev)->deferred = true;
	KUNIT_EXPECT_EQ(test, bus_iommu_probe(&test_bus), 0);
	test_expect_calls(test, 2, 0);
	test_expect_dev(test, 2, NULL);
	KUNIT_EXPECT_EQ(test, iommu_deferred_attach(dev, domain), 0);
	test_expect(test, domain);
}

/* What was not attached is not detached */
static void test_detach_deferred(struct kunit *test)
{
	struct iommu_group *group = test_bare_group(test, 1);
	struct device *dev = test_add_device(test);

	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	to_test_dev(dev)->deferred = true;
	KUNIT_EXPECT_EQ(test, iommu_probe_device(dev), 0);
	test_expect_calls(test, 1, 0);
	iommu_detach_group(test_hw.domain, group);
	test_expect_calls(test, 1, 1);
	test_expect(test, NULL);
}

/*
 * A domain that devices are supposed to be able to go to, from which the core
 * does not go back: the others follow, and those that cannot are blocked
 */
static void test_set_domain_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);
	int i, last = f->devs - 1;

	/* Of two that fail, the first one's errno */
	test_fail(f->at + 1, f->err);
	if (f->at != last) {
		test_hw.fail[1].call = last + 2;
		test_hw.fail[1].err = -EXDEV;
	}
	KUNIT_EXPECT_EQ(test, __iommu_group_set_domain(group, test_hw.domain),
			f->err);
	test_expect_calls(test, f->devs + (f->at == last ? 1 : 2), 0);
	for (i = 0; i < f->devs; i++)
		test_expect_dev(test, i, i == f->at || i == last ?
					 group->blocking_domain : test_hw.domain);
	KUNIT_EXPECT_PTR_EQ(test, group->domain, test_hw.domain);
	iommu_detach_group(test_hw.domain, group);
	test_expect(test, group->default_domain);

	/* To the blocking domain itself there is no other way */
	test_fail(f->at + 1, f->err);
	KUNIT_EXPECT_EQ(test, __iommu_group_set_domain(group, group->blocking_domain),
			f->err);
	test_expect_calls(test, f->devs, 0);
	for (i = 0; i < f->devs; i++)
		test_expect_dev(test, i, i == f->at ? NULL : group->blocking_domain);
	KUNIT_EXPECT_PTR_EQ(test, group->domain, group->default_domain);
	KUNIT_EXPECT_EQ(test, __iommu_group_set_domain(group, test_hw.domain), 0);
	test_expect(test, test_hw.domain);
	iommu_detach_group(test_hw.domain, group);
	test_expect_good(test, group);
}

/*
 * DMA ownership
 */

static void test_claim(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);
	struct device *dev = &test_hw.dev[0]->dev;

	KUNIT_ASSERT_EQ(test, iommu_group_claim_dma_owner(group, test), 0);
	test_expect_calls(test, f->devs, 0);
	KUNIT_EXPECT_EQ(test, group->blocking_domain->type,
			IOMMU_DOMAIN_UNMANAGED);
	test_expect(test, group->blocking_domain);
	test_expect_good(test, group);

	/* Neither a second owner nor a driver */
	test_fail(0, 0);
	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), -EPERM);
	KUNIT_EXPECT_EQ(test, iommu_device_use_default_domain(dev), -EBUSY);
	test_expect_calls(test, 0, 0);
	test_expect(test, group->blocking_domain);

	iommu_group_release_dma_owner(group);
	test_expect_calls(test, f->devs, 0);
	test_expect(test, group->default_domain);
	KUNIT_EXPECT_FALSE(test, iommu_group_dma_owner_claimed(group));

	/* A driver keeps owners out */
	test_fail(0, 0);
	KUNIT_EXPECT_EQ(test, iommu_device_use_default_domain(dev), 0);
	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), -EPERM);
	iommu_device_unuse_default_domain(dev);

	/* So does a domain that is not the default one */
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), -EBUSY);
	test_expect_calls(test, f->devs, 0);
	test_expect(test, test_hw.domain);
	iommu_detach_group(test_hw.domain, group);
	test_expect(test, group->default_domain);
}

static void test_claim_blocked_type(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 1);

	test_hw.refuse = 0;
	KUNIT_ASSERT_EQ(test, iommu_group_claim_dma_owner(group, test), 0);
	KUNIT_EXPECT_EQ(test, group->blocking_domain->type,
			IOMMU_DOMAIN_BLOCKED);
	test_expect(test, group->blocking_domain);
	iommu_group_release_dma_owner(group);
	test_expect(test, group->default_domain);
}

static void test_claim_no_memory(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 2);

	test_hw.refuse |= BIT(IOMMU_DOMAIN_UNMANAGED);
	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), -ENOMEM);
	KUNIT_EXPECT_FALSE(test, iommu_group_dma_owner_claimed(group));
	test_expect_calls(test, 0, 0);
	test_expect(test, group->default_domain);

	test_hw.refuse = 0;
	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), 0);
	iommu_group_release_dma_owner(group);
	test_expect_good(test, group);
}

static void test_claim_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	test_fail(f->at + 1, f->err);
	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), f->err);
	KUNIT_EXPECT_FALSE(test, iommu_group_dma_owner_claimed(group));
	test_expect_calls(test, f->at + 1 + f->devs, 0);
	test_expect(test, group->default_domain);

	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), 0);
	test_expect(test, group->blocking_domain);
	iommu_group_release_dma_owner(group);
	test_expect_good(test, group);
}

static void test_claim_bare_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_bare_group(test, f->devs);

	test_fail(f->at + 1, f->err);
	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), f->err);
	KUNIT_EXPECT_FALSE(test, iommu_group_dma_owner_claimed(group));
	test_expect_calls(test, f->at + 1, f->at);
	test_expect(test, NULL);

	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), 0);
	test_expect(test, group->blocking_domain);
	iommu_group_release_dma_owner(group);
	test_expect(test, NULL);
	test_expect_good(test, group);
}

/*
 * The default domain, changed through the file "type" of the group
 */

static ssize_t test_store_type(struct iommu_group *group, const char *type)
{
	return iommu_group_store_type(group, type, strlen(type));
}

/* A device that may have either type, identity being the one it has */
static struct iommu_group *test_type_group(struct kunit *test, int devs)
{
	struct iommu_group *group;

	if (!IS_ENABLED(CONFIG_IOMMU_DMA))
		kunit_skip(test, "needs IOMMU_DMA for a second type");
	group = test_group(test, devs);
	test_hw.type = 0;
	return group;
}

/* Refused, and nothing done */
static void test_expect_type(struct kunit *test, struct iommu_group *group,
			     const char *type, int err)
{
	struct iommu_domain *domain = group->default_domain;
	int domains = test_hw.domains;

	test_fail(0, 0);
	KUNIT_EXPECT_EQ(test, test_store_type(group, type), err);
	test_expect_calls(test, 0, 0);
	KUNIT_EXPECT_EQ(test, test_hw.domains, domains);
	KUNIT_EXPECT_PTR_EQ(test, group->default_domain, domain);
	test_expect_dev(test, 0, group->domain);
}

static void test_expect_good_type(struct kunit *test, struct iommu_group *group)
{
	struct iommu_domain *old = group->default_domain;
	int domains = test_hw.domains, finalizes = test_hw.finalizes;

	test_fail(0, 0);
	KUNIT_EXPECT_EQ(test, test_store_type(group, "DMA"), strlen("DMA"));
	test_expect_calls(test, 1, 0);
	KUNIT_EXPECT_EQ(test, test_hw.finalizes, finalizes + 1);
	KUNIT_EXPECT_EQ(test, test_hw.domains, domains);
	KUNIT_EXPECT_PTR_NE(test, group->default_domain, old);
	KUNIT_EXPECT_EQ(test, group->default_domain->type, IOMMU_DOMAIN_DMA);
	test_expect(test, group->default_domain);
	test_expect_good(test, group);
}

static void test_type(struct kunit *test)
{
	struct iommu_group *group = test_type_group(test, 1);

	test_expect_good_type(test, group);

	/* A flush queue is added to the domain that is there */
	test_fail(0, 0);
	KUNIT_EXPECT_EQ(test, test_store_type(group, "DMA-FQ"),
			strlen("DMA-FQ"));
	test_expect_calls(test, 0, 0);
	KUNIT_EXPECT_EQ(test, group->default_domain->type, IOMMU_DOMAIN_DMA_FQ);

	/* The type that the driver wants; and again, where nothing is left */
	test_hw.type = IOMMU_DOMAIN_IDENTITY;
	KUNIT_EXPECT_EQ(test, test_store_type(group, "auto"), strlen("auto"));
	test_expect_calls(test, 1, 0);
	test_expect(test, group->default_domain);
	KUNIT_EXPECT_EQ(test, group->default_domain->type,
			IOMMU_DOMAIN_IDENTITY);
	KUNIT_EXPECT_EQ(test, test_store_type(group, "auto"), strlen("auto"));
	test_expect_calls(test, 1, 0);
}

static void test_type_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_type_group(test, 1);
	struct iommu_domain *old = group->default_domain;
	int domains = test_hw.domains;

	test_fail(1, f->err);
	KUNIT_EXPECT_EQ(test, test_store_type(group, "DMA"), f->err);
	KUNIT_EXPECT_EQ(test, test_hw.domains, domains);
	KUNIT_ASSERT_PTR_EQ(test, group->default_domain, old);
	test_expect(test, old);
	test_expect_good_type(test, group);
}

static void test_type_map_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_type_group(test, 1);

	test_hw.resv = true;
	test_hw.map_err = f->err;
	test_expect_type(test, group, "DMA", f->err);
	KUNIT_EXPECT_EQ(test, test_hw.maps, 1);
	test_hw.map_err = 0;
	test_hw.maps = 0;
	test_expect_good_type(test, group);
	/* Not what nobody may use */
	KUNIT_EXPECT_EQ(test, test_hw.maps, 1);
	KUNIT_EXPECT_EQ(test, iommu_iova_to_phys(group->default_domain, SZ_1M),
			SZ_1M);
}

static void test_type_no_map(struct kunit *test)
{
	struct iommu_group *group = test_type_group(test, 1);

	test_hw.resv = true;
	test_ops.default_domain_ops = &test_no_detach_ops;
	test_expect_type(test, group, "DMA", -ENODEV);
	test_ops.default_domain_ops = &test_domain_ops;
	test_expect_good_type(test, group);
}

static void test_type_no_memory(struct kunit *test)
{
	struct iommu_group *group = test_type_group(test, 1);

	test_hw.refuse |= BIT(IOMMU_DOMAIN_DMA);
	test_expect_type(test, group, "DMA", -ENOMEM);
	test_hw.refuse = 0;
	test_expect_good_type(test, group);
}

static void test_type_no_cookie(struct kunit *test)
{
	struct iommu_group *group = test_type_group(test, 1);

	test_hw.own_cookie = true;
	test_expect_type(test, group, "DMA", -ENOMEM);
	test_hw.own_cookie = false;
	test_expect_good_type(test, group);
}

static void test_type_busy(struct kunit *test)
{
	struct iommu_group *group = test_type_group(test, 1);

	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	test_expect_type(test, group, "DMA", -EBUSY);
	iommu_detach_group(test_hw.domain, group);
	test_expect_good_type(test, group);
}

static void test_type_bound(struct kunit *test)
{
	static struct device_driver driver = {
		.name	= "iommu-kunit",
		.bus	= &test_bus,
	};
	struct iommu_group *group = test_type_group(test, 1);

	KUNIT_ASSERT_EQ(test, driver_register(&driver), 0);
	KUNIT_EXPECT_TRUE(test, device_is_bound(&test_hw.dev[0]->dev));
	test_expect_type(test, group, "DMA", -EBUSY);
	driver_unregister(&driver);
	test_expect_good_type(test, group);
}

static void test_type_mismatch(struct kunit *test)
{
	struct iommu_group *group = test_type_group(test, 1);

	test_expect_type(test, group, "no such type", -EINVAL);
	test_hw.type = IOMMU_DOMAIN_IDENTITY;
	test_expect_type(test, group, "DMA", -EINVAL);
	test_hw.type = 0;
	test_expect_good_type(test, group);
}

static void test_type_shared(struct kunit *test)
{
	struct iommu_group *group = test_type_group(test, 2);
	struct device *dev = &test_hw.dev[0]->dev;

	test_expect_type(test, group, "DMA", -EINVAL);
	/* As if the second device had come after the file's own look */
	KUNIT_EXPECT_EQ(test, iommu_change_dev_def_domain(group, dev,
							  IOMMU_DOMAIN_DMA),
			-EINVAL);
	test_expect_calls(test, 0, 0);
	test_expect(test, group->default_domain);
	test_expect_good(test, group);
}

/* As if the device had been exchanged for another one meanwhile */
static void test_type_exchanged(struct kunit *test)
{
	struct iommu_group *group = test_type_group(test, 1);

	KUNIT_EXPECT_EQ(test,
			iommu_change_dev_def_domain(group, test_add_device(test),
						    IOMMU_DOMAIN_DMA),
			-EBUSY);
	test_expect_calls(test, 0, 0);
	test_expect_dev(test, 0, group->default_domain);
}

static void test_type_bare(struct kunit *test)
{
	struct iommu_group *group = test_bare_group(test, 1);
	struct device *dev = &test_hw.dev[0]->dev;

	test_expect_type(test, group, "DMA", -EINVAL);
	KUNIT_EXPECT_EQ(test, iommu_change_dev_def_domain(group, dev,
							  IOMMU_DOMAIN_DMA),
			-EINVAL);
	test_expect_calls(test, 0, 0);
	test_expect_good(test, group);
}

static void test_type_not_capable(struct kunit *test)
{
	struct iommu_group *group = test_type_group(test, 1);
	const struct cred *old;
	struct cred *cred;

	if (!IS_ENABLED(CONFIG_MULTIUSER))
		kunit_skip(test, "needs MULTIUSER for somebody to refuse");
	cred = prepare_creds();
	KUNIT_ASSERT_NOT_NULL(test, cred);
	cap_clear(cred->cap_effective);
	old = override_creds(cred);
	test_expect_type(test, group, "DMA", -EACCES);
	revert_creds(old);
	put_cred(cred);
	test_expect_good_type(test, group);
}

/*
 * iommu_probe_device()
 */

/* The device could not be probed, nothing is left, and then it can */
static void test_expect_no_probe(struct kunit *test, struct device *dev, int err)
{
	int releases = test_hw.releases;

	KUNIT_EXPECT_EQ(test, iommu_probe_device(dev), err);
	KUNIT_EXPECT_NULL(test, dev->iommu);
	KUNIT_EXPECT_NULL(test, dev->iommu_group);
	KUNIT_EXPECT_NULL(test, to_test_dev(dev)->domain);
	KUNIT_EXPECT_LE(test, test_hw.releases, releases + 1);
}

static void test_expect_probe(struct kunit *test, struct device *dev)
{
	KUNIT_EXPECT_EQ(test, iommu_probe_device(dev), 0);
	KUNIT_ASSERT_NOT_NULL(test, dev->iommu_group);
	KUNIT_EXPECT_NOT_NULL(test, to_test_dev(dev)->domain);
	test_expect(test, dev->iommu_group->domain);
}

static void test_probe_no_iommu(struct kunit *test)
{
	struct device *dev = test_add_device(test);

	test_bus.iommu_ops = NULL;
	test_expect_no_probe(test, dev, -ENODEV);
	test_bus.iommu_ops = &test_ops;
	test_expect_probe(test, dev);
}

static void test_probe_no_module(struct kunit *test)
{
#ifdef CONFIG_MODULES
	static struct module going = {
		.state = MODULE_STATE_GOING,
	};
	struct device *dev = test_add_device(test);

	test_ops.owner = &going;
	test_expect_no_probe(test, dev, -EINVAL);
	test_ops.owner = NULL;
	test_expect_probe(test, dev);
#else
	kunit_skip(test, "needs MODULES for one that goes away");
#endif
}

static void test_probe_device_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct device *dev = test_add_device(test);

	test_hw.probe_err = f->err;
	test_expect_no_probe(test, dev, f->err);
	KUNIT_EXPECT_EQ(test, test_hw.releases, 0);
	/* As the bus does it, which cannot be refused a device */
	KUNIT_EXPECT_EQ(test, iommu_bus_notifier(NULL, BUS_NOTIFY_ADD_DEVICE,
						 dev), NOTIFY_DONE);
	KUNIT_EXPECT_NULL(test, dev->iommu);

	test_hw.probe_err = 0;
	KUNIT_EXPECT_EQ(test, iommu_bus_notifier(NULL, BUS_NOTIFY_ADD_DEVICE,
						 dev), NOTIFY_OK);
	KUNIT_ASSERT_NOT_NULL(test, dev->iommu_group);
	test_expect(test, dev->iommu_group->default_domain);
	iommu_bus_notifier(NULL, BUS_NOTIFY_REMOVED_DEVICE, dev);
	KUNIT_EXPECT_NULL(test, dev->iommu_group);
	KUNIT_EXPECT_EQ(test, test_hw.domains, 0);
}

static void test_probe_group_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct device *dev = test_add_device(test);

	test_hw.no_group = ERR_PTR(f->err);
	test_expect_no_probe(test, dev, f->err);
	KUNIT_EXPECT_EQ(test, test_hw.releases, 1);
	test_hw.no_group = NULL;
	test_expect_probe(test, dev);
}

/* The first device, when its group gets a default domain */
static void test_probe_attach_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct device *dev = test_add_device(test);

	test_fail(1, f->err);
	test_expect_no_probe(test, dev, f->err);
	test_expect_calls(test, 1, 0);
	KUNIT_EXPECT_EQ(test, test_hw.releases, 1);
	KUNIT_EXPECT_EQ(test, test_hw.domains, 0);
	test_expect_probe(test, dev);
}

/* A device that joins a group, which has its default or its blocking domain */
static void test_probe_join_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, 1);
	struct device *dev = test_add_device(test);

	test_fail(1, f->err);
	test_expect_no_probe(test, dev, f->err);
	test_expect_calls(test, 1, 0);
	test_expect_dev(test, 0, group->default_domain);

	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), 0);
	test_fail(1, f->err);
	test_expect_no_probe(test, dev, f->err);
	test_expect_dev(test, 0, group->blocking_domain);
	test_expect_probe(test, dev);
	test_expect(test, group->blocking_domain);
	iommu_group_release_dma_owner(group);
	test_expect(test, group->default_domain);
	test_expect_good(test, group);
}

/* What the firmware said of the device goes with it */
static void test_fwnode_put(struct fwnode_handle *fwnode)
{
	test_hw.puts++;
}

static void test_probe_fwspec_fault(struct kunit *test)
{
	static const struct fwnode_operations ops = { .put = test_fwnode_put };
	const struct test_fault *f = test->param_value;
	struct device *dev = test_add_device(test);

	fwnode_init(&test_hw.fwnode, &ops);
	KUNIT_ASSERT_EQ(test, iommu_fwspec_init(dev, &test_hw.fwnode, &test_ops),
			0);
	test_hw.probe_err = f->err;
	test_expect_no_probe(test, dev, f->err);
	KUNIT_EXPECT_EQ(test, test_hw.puts, 1);

	test_hw.probe_err = 0;
	KUNIT_ASSERT_EQ(test, iommu_fwspec_init(dev, &test_hw.fwnode, &test_ops),
			0);
	test_expect_probe(test, dev);
	KUNIT_EXPECT_NOT_NULL(test, dev_iommu_fwspec_get(dev));
	KUNIT_EXPECT_EQ(test, test_hw.puts, 1);
	iommu_release_device(dev);
	KUNIT_EXPECT_EQ(test, test_hw.puts, 2);
}

/* In the directory of the group, somebody else has the name of the device */
static void test_probe_name_taken(struct kunit *test)
{
	static const char * const taken[] = { "iommu-kunit.1", "iommu-kunit.1.0" };
	struct iommu_group *group = test_group(test, 1);
	struct device *dev = test_add_device(test);
	struct group_device *device;
	int i;

	for (i = 0; i < ARRAY_SIZE(taken); i++)
		KUNIT_ASSERT_EQ(test, sysfs_create_link(group->devices_kobj,
							&dev->kobj, taken[i]), 0);
	/* The name that it gets is free again after a failure */
	test_fail(1, -ENOMEM);
	test_expect_no_probe(test, dev, -ENOMEM);
	test_expect_probe(test, dev);
	device = list_last_entry(&group->devices, struct group_device, list);
	KUNIT_EXPECT_STREQ(test, device->name, "iommu-kunit.1.1");
	KUNIT_EXPECT_EQ(test, sysfs_create_link_nowarn(group->devices_kobj,
						       &dev->kobj, device->name),
			-EEXIST);
	for (i = 0; i < ARRAY_SIZE(taken); i++)
		sysfs_remove_link(group->devices_kobj, taken[i]);
	test_expect_good(test, group);
}

/* Nor can the group list it: its directory is gone */
static void test_probe_no_directory(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 1);
	struct device *dev = test_add_device(test);

	/* The directory holds the group */
	kobject_get(&group->kobj);
	kobject_del(group->devices_kobj);
	test_expect_no_probe(test, dev, -EFAULT);
	test_expect_calls(test, 0, 0);
	KUNIT_ASSERT_EQ(test, kobject_add(group->devices_kobj, &group->kobj,
					  "devices"), 0);
	kobject_put(&group->kobj);
	test_expect_probe(test, dev);
	test_expect_good(test, group);
}

/* A driver that has not got the type of domain that is wanted */
static void test_probe_fallback(struct kunit *test)
{
	struct device *dev = test_add_device(test);

	if (!IS_ENABLED(CONFIG_IOMMU_DMA))
		kunit_skip(test, "needs IOMMU_DMA for a second type");
	test_hw.refuse |= BIT(IOMMU_DOMAIN_IDENTITY);
	test_expect_probe(test, dev);
	KUNIT_EXPECT_EQ(test, dev->iommu_group->default_domain->type,
			IOMMU_DOMAIN_DMA);
}

/* Not all drivers have default domains, so that is no error */
static void test_probe_no_default(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_bare_group(test, f->devs);

	KUNIT_EXPECT_NULL(test, group->default_domain);
	KUNIT_EXPECT_EQ(test, test_hw.finalizes, f->devs);
	test_expect_calls(test, 0, 0);
	test_expect(test, NULL);
}

/* Nor is a reserved region that cannot be mapped: the device is attached */
static void test_probe_map_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;

	if (!IS_ENABLED(CONFIG_IOMMU_DMA))
		kunit_skip(test, "needs IOMMU_DMA for mappings");
	test_hw.type = IOMMU_DOMAIN_DMA;
	test_hw.resv = true;
	test_hw.map_err = f->err;
	test_expect_probe(test, test_add_device(test));
	KUNIT_EXPECT_EQ(test, test_hw.maps, 1);
}

static void test_map_refused(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 1);

	KUNIT_EXPECT_EQ(test, iommu_map(group->default_domain, SZ_1M, SZ_1M,
					PAGE_SIZE, IOMMU_READ), -EINVAL);
	KUNIT_EXPECT_EQ(test, iommu_map(test_hw.domain, SZ_1M + 1, SZ_1M,
					PAGE_SIZE, IOMMU_READ), -EINVAL);
	KUNIT_EXPECT_EQ(test, test_hw.maps, 0);
	KUNIT_EXPECT_EQ(test, iommu_map(test_hw.domain, SZ_1M, SZ_1M,
					PAGE_SIZE, IOMMU_READ), 0);
	KUNIT_EXPECT_EQ(test, test_hw.maps, 1);
}

/* A mapping in pages, and the pages of one and of four that it is to take */
struct test_mapping {
	int iova, paddr, size;
	const char *pages;
	int calls;		/* Of map_pages() */
};

static const struct test_mapping test_mappings[] = {
	{ 4, 8, 4, "4", 1 },
	{ 4, 8, 8, "44", 1 },
	/* Up to a large page, or on from it */
	{ 3, 7, 5, "14", 2 },
	{ 4, 8, 6, "411", 2 },
	{ 3, 7, 10, "1441", 3 },
	/* No room for one, or never both at the start of one */
	{ 3, 7, 4, "1111", 1 },
	{ 0, 3, 8, "11111111", 1 },
};

static void test_mapping_desc(const struct test_mapping *m, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d pages at %d to %d", m->size,
		 m->iova, m->paddr);
}

KUNIT_ARRAY_PARAM(test_mapping, test_mappings, test_mapping_desc);

static void test_expect_mapped(struct kunit *test, const struct test_mapping *m,
			       int from, int to)
{
	int i;

	for (i = 0; i < TEST_PAGES; i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    iommu_iova_to_phys(test_hw.domain,
						       SZ_1M + i * PAGE_SIZE),
				    i < from || i >= to ? 0 : SZ_1M +
				    (i - m->iova + m->paddr) * PAGE_SIZE,
				    "page %d", i);
}

static void test_expect_map(struct kunit *test,
			    const struct iommu_domain_ops *ops, bool sync)
{
	const struct test_mapping *m = test->param_value;
	unsigned long iova = SZ_1M + m->iova * PAGE_SIZE;
	phys_addr_t paddr = SZ_1M + m->paddr * PAGE_SIZE;
	size_t size = m->size * PAGE_SIZE;

	test_ops.default_domain_ops = ops;
	test_hw.pgsize_bitmap = PAGE_SIZE | 4 * PAGE_SIZE;
	test_group(test, 1);

	/* All of it or nothing */
	test_hw.map_err = -ENOMEM;
	test_hw.map_good = strlen(m->pages) - 1;
	KUNIT_EXPECT_EQ(test, iommu_map(test_hw.domain, iova, paddr, size,
					IOMMU_READ), -ENOMEM);
	test_expect_mapped(test, m, 0, 0);
	KUNIT_EXPECT_EQ(test, test_hw.synced, 0);

	test_hw.map_err = 0;
	test_hw.maps = 0;
	memset(test_hw.pages, 0, sizeof(test_hw.pages));
	KUNIT_EXPECT_EQ(test, iommu_map(test_hw.domain, iova, paddr, size,
					IOMMU_READ), 0);
	test_expect_mapped(test, m, m->iova, m->iova + m->size);
	KUNIT_EXPECT_STREQ(test, test_hw.pages, m->pages);
	KUNIT_EXPECT_EQ(test, test_hw.maps, ops->map_pages ? m->calls :
						(int)strlen(m->pages));
	KUNIT_EXPECT_EQ(test, test_hw.synced, sync ? size : 0);

	/* Not in the middle of a page, and not beyond what is mapped */
	KUNIT_EXPECT_EQ(test, iommu_unmap(test_hw.domain, iova + 1, size), 0);
	KUNIT_EXPECT_EQ(test, iommu_unmap(test_hw.domain, iova, size + 1), 0);
	test_expect_mapped(test, m, m->iova, m->iova + m->size);
	KUNIT_EXPECT_EQ(test, iommu_unmap(test_hw.domain, iova,
					  size + PAGE_SIZE), size);
	test_expect_mapped(test, m, 0, 0);
}

static void test_map_by_page(struct kunit *test)
{
	test_expect_map(test, &test_domain_ops, false);
}

static void test_map_by_pages(struct kunit *test)
{
	test_expect_map(test, &test_pages_ops, true);
}

static struct kunit_case test_cases[] = {
	KUNIT_CASE_PARAM(test_attach_group, test_size_gen_params),
	KUNIT_CASE_PARAM(test_attach_group_fault, test_fault_gen_params),
	KUNIT_CASE_PARAM(test_attach_claimed_group_fault, test_fault_gen_params),
	KUNIT_CASE_PARAM(test_attach_claimed_bare_fault, test_fault_gen_params),
	KUNIT_CASE_PARAM(test_attach_bare_group, test_size_gen_params),
	KUNIT_CASE_PARAM(test_attach_bare_group_fault, test_fault_gen_params),
	KUNIT_CASE_PARAM(test_attach_device_fault, test_errno_gen_params),
	KUNIT_CASE(test_attach_device_shared),
	KUNIT_CASE(test_attach_device_no_group),
	KUNIT_CASE_PARAM(test_attach_foreign, test_size_gen_params),
	KUNIT_CASE(test_attach_positive),
	KUNIT_CASE(test_attach_unknown),
	KUNIT_CASE(test_attach_no_op),
	KUNIT_CASE_PARAM(test_set_domain_fault, test_fault_gen_params),
	KUNIT_CASE_PARAM(test_deferred, test_errno_gen_params),
	KUNIT_CASE(test_detach_deferred),
	KUNIT_CASE_PARAM(test_claim, test_size_gen_params),
	KUNIT_CASE(test_claim_blocked_type),
	KUNIT_CASE(test_claim_no_memory),
	KUNIT_CASE_PARAM(test_claim_fault, test_fault_gen_params),
	KUNIT_CASE_PARAM(test_claim_bare_fault, test_fault_gen_params),
	KUNIT_CASE(test_type),
	KUNIT_CASE_PARAM(test_type_fault, test_errno_gen_params),
	KUNIT_CASE_PARAM(test_type_map_fault, test_errno_gen_params),
	KUNIT_CASE(test_type_no_map),
	KUNIT_CASE(test_type_no_memory),
	KUNIT_CASE(test_type_no_cookie),
	KUNIT_CASE(test_type_busy),
	KUNIT_CASE(test_type_bound),
	KUNIT_CASE(test_type_mismatch),
	KUNIT_CASE(test_type_shared),
	KUNIT_CASE(test_type_exchanged),
	KUNIT_CASE(test_type_bare),
	KUNIT_CASE(test_type_not_capable),
	KUNIT_CASE(test_probe_no_iommu),
	KUNIT_CASE(test_probe_no_module),
	KUNIT_CASE_PARAM(test_probe_device_fault, test_errno_gen_params),
	KUNIT_CASE_PARAM(test_probe_group_fault, test_errno_gen_params),
	KUNIT_CASE_PARAM(test_probe_attach_fault, test_errno_gen_params),
	KUNIT_CASE_PARAM(test_probe_join_fault, test_errno_gen_params),
	KUNIT_CASE_PARAM(test_probe_fwspec_fault, test_errno_gen_params),
	KUNIT_CASE(test_probe_name_taken),
	KUNIT_CASE(test_probe_no_directory),
	KUNIT_CASE(test_probe_fallback),
	KUNIT_CASE_PARAM(test_probe_no_default, test_size_gen_params),
	KUNIT_CASE_PARAM(test_probe_map_fault, test_errno_gen_params),
	KUNIT_CASE(test_map_refused),
	KUNIT_CASE_PARAM(test_map_by_page, test_mapping_gen_params),
	KUNIT_CASE_PARAM(test_map_by_pages, test_mapping_gen_params),
	{}
};

/*
 * What a driver must not do. In these cases the core warns, and makes the best
 * of it.
 */

/* A device cannot leave the domain. The others do: it may be freed */
/* That one device cannot be attached to a domain, nor to the blocking domain */
static void test_fail_both(int n, int call, int err)
{
	test_hw.fail[n].call = call;
	test_hw.fail[n].err = err;
	test_hw.fail[n + 1].call = call + 1;
	test_hw.fail[n + 1].err = err;
}

static void test_warn_detach_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	test_fail(0, 0);
	test_fail_both(0, f->at + 1, f->err);
	iommu_detach_group(test_hw.domain, group);
	test_expect_calls(test, f->devs + 1, 0);
	test_expect_others(test, f->at, false, group->default_domain);
	/* So that the caller can see it */
	KUNIT_EXPECT_PTR_EQ(test, group->domain, test_hw.domain);

	iommu_detach_group(test_hw.domain, group);
	test_expect(test, group->default_domain);
	test_expect_good(test, group);
}

/* A caller that does not look may free the domain */
static void test_warn_detach_blocked(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	test_fail(f->at + 1, f->err);
	iommu_detach_group(test_hw.domain, group);
	test_expect_calls(test, f->devs + 1, 0);
	KUNIT_ASSERT_NOT_NULL(test, group->blocking_domain);
	test_expect_others(test, f->at, true, group->default_domain);
	KUNIT_EXPECT_PTR_EQ(test, group->domain, group->default_domain);
	test_expect_good(test, group);
}

/* Without memory for a blocking domain it is as before */
static void test_warn_detach_no_memory(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 2);

	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	test_hw.refuse |= BIT(IOMMU_DOMAIN_UNMANAGED);
	test_fail(1, -ENOMEM);
	iommu_detach_group(test_hw.domain, group);
	test_expect_calls(test, 2, 0);
	test_expect_others(test, 0, false, group->default_domain);
	KUNIT_EXPECT_PTR_EQ(test, group->domain, test_hw.domain);
	iommu_detach_group(test_hw.domain, group);
	test_expect_good(test, group);
}

static void test_warn_release_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), 0);
	test_fail(0, 0);
	test_fail_both(0, f->at + 1, f->err);
	iommu_group_release_dma_owner(group);
	test_expect_calls(test, f->devs + 1, 0);
	test_expect_others(test, f->at, false, group->default_domain);
	KUNIT_EXPECT_PTR_EQ(test, group->domain, group->blocking_domain);
	test_expect_good(test, group);
}

/* The last device refuses the new domain, another one the old domain */
static void test_warn_way_back_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	test_fail(f->devs, -EINVAL);
	test_fail_both(1, f->devs + f->at + 1, f->err);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), -EINVAL);
	test_expect_calls(test, 2 * f->devs + 1, 0);
	test_expect_others(test, f->at, false, group->default_domain);
	KUNIT_EXPECT_NULL(test, group->domain);
	test_expect_good(test, group);
}

static void test_warn_way_back_blocked(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	test_fail(f->devs, -EINVAL);
	test_hw.fail[1].call = f->devs + f->at + 1;
	test_hw.fail[1].err = f->err;
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), -EINVAL);
	test_expect_calls(test, 2 * f->devs + 1, 0);
	test_expect_others(test, f->at, true, group->default_domain);
	KUNIT_EXPECT_PTR_EQ(test, group->domain, group->default_domain);
	test_expect_good(test, group);
}

static void test_warn_type_way_back_fault(struct kunit *test)
{
	struct iommu_group *group = test_type_group(test, 1);
	struct iommu_domain *old = group->default_domain;

	test_fail(1, -ENOMEM);
	test_hw.fail[1].call = 2;
	test_hw.fail[1].err = -EIO;
	KUNIT_EXPECT_EQ(test, test_store_type(group, "DMA"), -ENOMEM);
	test_expect_calls(test, 2, 0);
	KUNIT_EXPECT_PTR_EQ(test, group->default_domain, old);
	test_expect_dev(test, 0, NULL);
	test_expect_good_type(test, group);
}

/* Neither a default domain nor a way to be without a domain */
static void test_warn_no_detach(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct kmsg_dump_iter iter;
	struct iommu_group *group;
	int i;

	test_ops.default_domain_ops = &test_no_detach_ops;
	group = test_bare_group(test, f->devs);
	test_forget_printed(&iter);
	test_fail(f->at + 1, f->err);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), f->err);
	KUNIT_EXPECT_EQ(test, test_printed(&iter, "WARNING:"), !!f->at);
	for (i = 0; i < f->devs; i++)
		test_expect_dev(test, i, i < f->at ? test_hw.domain : NULL);
	KUNIT_EXPECT_NULL(test, group->domain);

	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	test_expect(test, test_hw.domain);
	iommu_detach_group(test_hw.domain, group);
	test_expect(test, test_hw.domain);
	KUNIT_EXPECT_EQ(test, __iommu_group_set_domain(group, NULL), -EINVAL);
	test_expect(test, test_hw.domain);
}

/* Not the only device of its group, or not the domain that it has */
static void test_warn_detach_device(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	test_fail(0, 0);
	iommu_detach_device(f->devs > 1 ? test_hw.domain : group->default_domain,
			    &test_hw.dev[0]->dev);
	test_expect_calls(test, 0, 0);
	test_expect(test, test_hw.domain);
	iommu_detach_group(test_hw.domain, group);
	test_expect_good(test, group);
}

static void test_warn_null_group(struct kunit *test)
{
	struct device *dev = test_add_device(test);

	test_hw.null_group = true;
	test_expect_no_probe(test, dev, -EINVAL);
	KUNIT_EXPECT_EQ(test, test_hw.releases, 1);
	test_hw.null_group = false;
	test_expect_probe(test, dev);
}

/* Something in sysfs has the name of the link to the group */
static void test_warn_link_exists(struct kunit *test)
{
	struct device *dev = test_add_device(test);

	KUNIT_ASSERT_EQ(test, sysfs_create_link(&dev->kobj, &dev->kobj,
						"iommu_group"), 0);
	test_expect_no_probe(test, dev, -EEXIST);
	KUNIT_EXPECT_EQ(test, test_hw.releases, 1);
	sysfs_remove_link(&dev->kobj, "iommu_group");
	test_expect_probe(test, dev);
}

static struct kunit_case test_warn_cases[] = {
	KUNIT_CASE_PARAM(test_warn_detach_fault, test_place_gen_params),
	KUNIT_CASE_PARAM(test_warn_detach_blocked, test_place_gen_params),
	KUNIT_CASE(test_warn_detach_no_memory),
	KUNIT_CASE_PARAM(test_warn_release_fault, test_place_gen_params),
	KUNIT_CASE_PARAM(test_warn_way_back_fault, test_place_gen_params),
	KUNIT_CASE_PARAM(test_warn_way_back_blocked, test_place_gen_params),
	KUNIT_CASE(test_warn_type_way_back_fault),
	KUNIT_CASE_PARAM(test_warn_no_detach, test_place_gen_params),
	KUNIT_CASE_PARAM(test_warn_detach_device, test_size_gen_params),
	KUNIT_CASE(test_warn_null_group),
	KUNIT_CASE(test_warn_link_exists),
	{}
};

static struct kunit_suite test_suite = {
	.name		= "iommu",
	.init		= test_init,
	.exit		= test_exit,
	.test_cases	= test_cases,
};

static struct kunit_suite test_warn_suite = {
	.name		= "iommu_warn",
	.init		= test_init,
	.exit		= test_exit,
	.test_cases	= test_warn_cases,
};

kunit_test_suites(&test_suite, &test_warn_suite);
