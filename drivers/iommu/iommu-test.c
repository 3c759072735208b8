// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of the IOMMU core: what becomes of the devices of a group, and
 * what the caller is told, when a domain is refused by the core itself, or by
 * the driver for one of them.
 *
 * Included by iommu.c. The IOMMU is made up, on a bus of its own; test_hw and
 * its devices stand for the hardware and say what DMA would go through.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/delay.h>

#define TEST_PASID	1

struct test_dev {
	struct device dev;
	struct iommu_domain *domain;	/* What the hardware has. NULL: none */
	struct iommu_domain *pasid;	/* The same for TEST_PASID */
	bool deferred;
};

#define to_test_dev(d)	container_of(d, struct test_dev, dev)

/* Starts anew, with zeros, in each case */
static struct {
	struct iommu_device iommu, foreign;
	struct fwnode_handle fwnode, foreign_fwnode;
	struct test_dev *dev[3];
	int devs;
	struct iommu_domain *domain;	/* The one that the case attaches */

	/* What the driver saw */
	int attaches, foreign_calls;
	int domains;			/* Allocated and not freed */
	bool freed_in_use;

	/* What it does */
	struct {
		int call, err;
		int times;		/* 0 is as 1 */
		bool iopf;		/* It leaves the device in a queue */
	} fail;				/* The call-th attach, from 1 */
	unsigned int sleep;		/* ms that an attach takes */
} test_hw;

static struct iommu_fault_param test_param;

static bool test_fails(void)
{
	int n = ++test_hw.attaches - test_hw.fail.call;

	if (test_hw.sleep)
		msleep(test_hw.sleep);
	return n >= 0 && n < max(test_hw.fail.times, 1);
}

static int test_attach_dev(struct iommu_domain *domain, struct device *dev,
			   struct iommu_domain *old)
{
	/* A driver leaves the device where it was */
	if (test_fails()) {
		if (test_hw.fail.iopf)
			RCU_INIT_POINTER(dev->iommu->fault_param, &test_param);
		return test_hw.fail.err;
	}
	to_test_dev(dev)->domain = domain;
	to_test_dev(dev)->deferred = false;
	return 0;
}

static int test_set_dev_pasid(struct iommu_domain *domain, struct device *dev,
			      ioasid_t pasid, struct iommu_domain *old)
{
	if (test_fails())
		return test_hw.fail.err;
	to_test_dev(dev)->pasid = domain;
	return 0;
}

static int test_block_pasid(struct iommu_domain *domain, struct device *dev,
			    ioasid_t pasid, struct iommu_domain *old)
{
	to_test_dev(dev)->pasid = NULL;
	return 0;
}

static void test_domain_free(struct iommu_domain *domain)
{
	int i;

	for (i = 0; i < test_hw.devs; i++)
		if (test_hw.dev[i]->domain == domain)
			test_hw.freed_in_use = true;
	test_hw.domains--;
	kfree(domain);
}

static const struct iommu_domain_ops test_domain_ops = {
	.attach_dev	= test_attach_dev,
	.set_dev_pasid	= test_set_dev_pasid,
	.free		= test_domain_free,
};

static struct iommu_domain test_identity = {
	.type	= IOMMU_DOMAIN_IDENTITY,
	.ops	= &(const struct iommu_domain_ops) {
		.attach_dev	= test_attach_dev,
	},
};

static struct iommu_domain test_blocked = {
	.type	= IOMMU_DOMAIN_BLOCKED,
	.ops	= &(const struct iommu_domain_ops) {
		.attach_dev	= test_attach_dev,
		.set_dev_pasid	= test_block_pasid,
	},
};

static struct iommu_domain *test_domain_alloc(struct device *dev)
{
	struct iommu_domain *domain = kzalloc_obj(*domain);

	if (!domain)
		return ERR_PTR(-ENOMEM);
	domain->pgsize_bitmap = PAGE_SIZE;
	test_hw.domains++;
	return domain;
}

static struct iommu_device *test_probe_device(struct device *dev)
{
	return &test_hw.iommu;
}

static void test_release_device(struct device *dev)
{
	to_test_dev(dev)->domain = NULL;
}

/* All devices share a group */
static struct iommu_group *test_device_group(struct device *dev)
{
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
	return IOMMU_DOMAIN_IDENTITY;
}

static const struct iommu_ops test_ops = {
	.domain_alloc_paging	= test_domain_alloc,
	.probe_device		= test_probe_device,
	.release_device		= test_release_device,
	.device_group		= test_device_group,
	.is_attach_deferred	= test_is_attach_deferred,
	.def_domain_type	= test_def_domain_type,
	.identity_domain	= &test_identity,
	.blocked_domain		= &test_blocked,
	.default_domain_ops	= &test_domain_ops,
};

static const struct bus_type test_bus = {
	.name = "iommu-kunit",
};

/* Another driver, which would take any device */
static int test_foreign_attach_dev(struct iommu_domain *domain,
				   struct device *dev, struct iommu_domain *old)
{
	test_hw.foreign_calls++;
	to_test_dev(dev)->domain = domain;
	return 0;
}

static int test_foreign_set_dev_pasid(struct iommu_domain *domain,
				      struct device *dev, ioasid_t pasid,
				      struct iommu_domain *old)
{
	test_hw.foreign_calls++;
	to_test_dev(dev)->pasid = domain;
	return 0;
}

static struct iommu_device *test_foreign_probe_device(struct device *dev)
{
	return &test_hw.foreign;
}

static const struct iommu_ops test_foreign_ops = {
	.probe_device	= test_foreign_probe_device,
	.release_device	= test_release_device,
	.device_group	= test_device_group,
};

static struct iommu_domain test_foreign_domain = {
	.type	= IOMMU_DOMAIN_UNMANAGED,
	.owner	= &test_foreign_ops,
	.ops	= &(const struct iommu_domain_ops) {
		.attach_dev	= test_foreign_attach_dev,
		.set_dev_pasid	= test_foreign_set_dev_pasid,
	},
};

/* What iommufd makes for a device without IOMMU */
static struct iommu_domain test_no_iommu_domain = {
	.type	= IOMMU_DOMAIN_UNMANAGED,
	.owner	= &test_foreign_ops,
	.ops	= &(const struct iommu_domain_ops) { },
};

static void test_dev_free(struct device *dev)
{
	kfree(to_test_dev(dev));
}

/* Without the notifier of the bus: the cases probe their devices */
static int test_register(struct iommu_device *iommu, const struct iommu_ops *ops,
			 struct fwnode_handle *fwnode, const char *name)
{
	int ret = iommu_device_sysfs_add(iommu, NULL, NULL, "%s", name);

	if (ret)
		return ret;
	fwnode_init(fwnode, NULL);
	iommu->fwnode = fwnode;
	iommu->ops = ops;
	iommu->max_pasids = TEST_PASID + 1;
	iommu->ready = true;
	spin_lock(&iommu_device_lock);
	list_add_tail(&iommu->list, &iommu_device_list);
	spin_unlock(&iommu_device_lock);
	return 0;
}

static void test_unregister(struct iommu_device *iommu)
{
	if (!iommu->ready)
		return;
	spin_lock(&iommu_device_lock);
	list_del(&iommu->list);
	spin_unlock(&iommu_device_lock);
	iommu_device_sysfs_remove(iommu);
}

static int test_init(struct kunit *test)
{
	int ret;

	memset(&test_hw, 0, sizeof(test_hw));
	ret = bus_register(&test_bus);
	if (ret)
		return ret;
	ret = test_register(&test_hw.iommu, &test_ops, &test_hw.fwnode,
			    "iommu-kunit");
	return ret ?: test_register(&test_hw.foreign, &test_foreign_ops,
				    &test_hw.foreign_fwnode,
				    "iommu-kunit-foreign");
}

static void test_exit(struct kunit *test)
{
	int i;

	for (i = 0; i < test_hw.devs; i++)
		iommu_release_device(&test_hw.dev[i]->dev);
	if (test_hw.domain)
		iommu_domain_free(test_hw.domain);
	KUNIT_EXPECT_EQ(test, test_hw.domains, 0);
	KUNIT_EXPECT_FALSE(test, test_hw.freed_in_use);

	for (i = 0; i < test_hw.devs; i++)
		device_unregister(&test_hw.dev[i]->dev);
	test_unregister(&test_hw.iommu);
	test_unregister(&test_hw.foreign);
	bus_unregister(&test_bus);
}

/* A device behind one of the two IOMMUs, not probed yet; or behind none */
static struct device *test_add_device(struct kunit *test,
				      struct fwnode_handle *fwnode)
{
	struct test_dev *tdev = kzalloc_obj(*tdev);
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
	if (fwnode) {
		mutex_lock(&iommu_probe_device_lock);
		ret = iommu_fwspec_init(&tdev->dev, fwnode);
		mutex_unlock(&iommu_probe_device_lock);
		KUNIT_ASSERT_EQ(test, ret, 0);
	}
	return &tdev->dev;
}

/* Count the calls of the driver from here on, and let one of them fail */
static void test_fail(int call, int err)
{
	test_hw.attaches = 0;
	memset(&test_hw.fail, 0, sizeof(test_hw.fail));
	test_hw.fail.call = call;
	test_hw.fail.err = err;
}

/* A group of that many devices, which has its default domain */
static struct iommu_group *test_group(struct kunit *test, int devs)
{
	struct device *dev;

	while (devs--) {
		dev = test_add_device(test, &test_hw.fwnode);
		KUNIT_ASSERT_EQ(test, 0, iommu_probe_device(dev));
		dev->iommu->max_pasids = TEST_PASID + 1;
	}
	test_hw.domain = iommu_paging_domain_alloc(&test_hw.dev[0]->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, test_hw.domain);
	test_fail(0, 0);
	return test_hw.dev[0]->dev.iommu_group;
}

/* The last device of the group is another driver's, by whatever accident */
static void test_make_foreign(struct iommu_device *iommu)
{
	test_hw.dev[test_hw.devs - 1]->dev.iommu->iommu_dev = iommu;
}

/* All devices translate through this domain, and the core knows it */
static void test_expect(struct kunit *test, struct iommu_domain *domain)
{
	int i;

	for (i = 0; i < test_hw.devs; i++) {
		struct device *dev = &test_hw.dev[i]->dev;

		KUNIT_EXPECT_PTR_EQ_MSG(test, test_hw.dev[i]->domain, domain,
					"device %d of %d", i + 1, test_hw.devs);
		KUNIT_EXPECT_PTR_EQ(test, iommu_get_domain_for_dev(dev), domain);
	}
}

static void test_expect_pasid(struct kunit *test, struct iommu_domain *domain)
{
	int i;

	for (i = 0; i < test_hw.devs; i++)
		KUNIT_EXPECT_PTR_EQ_MSG(test, test_hw.dev[i]->pasid, domain,
					"device %d of %d", i + 1, test_hw.devs);
}

/* Whatever happened before, a domain that fits can be attached */
static void test_expect_good(struct kunit *test, struct iommu_group *group)
{
	test_fail(0, 0);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	KUNIT_EXPECT_EQ(test, test_hw.attaches, test_hw.devs);
	test_expect(test, test_hw.domain);
	iommu_detach_group(test_hw.domain, group);
	test_expect(test, group->owner ? &test_blocked : &test_identity);
}

struct test_fault {
	int devs, at, err;
};

static const struct test_fault test_faults[] = {
	{ 1, 0, -EINVAL }, { 2, 0, -EINVAL }, { 2, 1, -EINVAL },
	{ 3, 0, -EINVAL }, { 3, 1, -EINVAL }, { 3, 2, -EINVAL },
	{ 1, 0, -ENOMEM }, { 2, 1, -ENOMEM }, { 3, 2, -ENOMEM },
	{ 1, 0, -ENOSPC }, { 2, 1, -ENOSPC }, { 3, 2, -ENOSPC },
	{ 1, 0, -EBUSY }, { 2, 1, -EBUSY }, { 3, 2, -EBUSY },
	{ 1, 0, -ENODEV }, { 2, 1, -ENODEV }, { 3, 2, -ENODEV },
	/* Not of the contract: passed on all the same */
	{ 1, 0, -EIO }, { 2, 1, -EIO }, { 3, 2, -EIO },
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
KUNIT_ARRAY_PARAM(test_size, test_sizes, test_size_desc);

static void test_attach_group(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	test_expect(test, &test_identity);
	test_expect_good(test, group);

	/* Somebody else's domain is not taken away */
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	test_fail(0, 0);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), -EBUSY);
	KUNIT_EXPECT_EQ(test, test_hw.attaches, 0);
	test_expect(test, test_hw.domain);
	iommu_detach_group(test_hw.domain, group);
}

static void test_attach_group_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	test_fail(f->at + 1, f->err);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), f->err);
	/* The device that failed is left alone, those before it go back */
	KUNIT_EXPECT_EQ(test, test_hw.attaches, 2 * f->at + 1);
	test_expect(test, &test_identity);
	test_expect_good(test, group);
}

static void test_attach_claimed_group_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	KUNIT_ASSERT_EQ(test, iommu_group_claim_dma_owner(group, test), 0);
	test_fail(f->at + 1, f->err);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), f->err);
	test_expect(test, &test_blocked);
	test_expect_good(test, group);
	iommu_group_release_dma_owner(group);
	test_expect(test, &test_identity);
}

/* No domain can be attached this way, so not -EINVAL */
static void test_attach_device_shared(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 2);
	struct device *dev = &test_hw.dev[0]->dev;

	KUNIT_EXPECT_EQ(test, iommu_attach_device(test_hw.domain, dev), -ENODEV);
	KUNIT_EXPECT_EQ(test, test_hw.attaches, 0);
	test_expect_good(test, group);
}

/* In a group, but not behind an IOMMU; and then there is only the group */
static void test_attach_no_iommu(struct kunit *test)
{
	struct device *dev = test_add_device(test, NULL);
	struct iommu_group *group = iommu_group_alloc();

	KUNIT_ASSERT_FALSE(test, IS_ERR(group));
	KUNIT_ASSERT_EQ(test, iommu_group_add_device(group, dev), 0);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(&test_foreign_domain, group),
			-ENODEV);
	iommu_group_remove_device(dev);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(&test_foreign_domain, group),
			-ENODEV);
	KUNIT_EXPECT_EQ(test, test_hw.foreign_calls, 0);
	iommu_group_put(group);
}

static void test_attach_foreign(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	KUNIT_EXPECT_EQ(test, iommu_attach_group(&test_foreign_domain, group),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, test_hw.foreign_calls, 0);
	test_expect(test, &test_identity);
	test_expect_good(test, group);
}

/* iommufd has a device replace its domain by one of another driver */
static void test_replace_foreign(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);
	struct iommu_attach_handle handle = {};

	KUNIT_ASSERT_EQ(test, iommu_replace_group_handle(group, test_hw.domain,
							 &handle), 0);
	KUNIT_EXPECT_EQ(test, iommu_replace_group_handle(group, &test_foreign_domain,
							 &handle), -EINVAL);
	KUNIT_EXPECT_EQ(test, test_hw.foreign_calls, 0);
	test_expect(test, test_hw.domain);
	/* -EINVAL goes on to the next, as in a first attach */
	KUNIT_EXPECT_EQ(test, iommu_replace_group_handle(group, &test_no_iommu_domain,
							 &handle), -EINVAL);
	test_expect(test, test_hw.domain);
	iommu_detach_group_handle(test_hw.domain, group);
	test_expect(test, &test_identity);
	test_expect_good(test, group);
}

/* The domain is of the driver of all devices but the last */
static void test_attach_mixed(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 3);

	test_make_foreign(&test_hw.foreign);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), -EINVAL);
	KUNIT_EXPECT_EQ(test, test_hw.attaches, 4);
	test_expect(test, &test_identity);
	test_make_foreign(&test_hw.iommu);
	test_expect_good(test, group);
}

/* A group has a domain of another driver than that of the device that joins */
static void test_join_foreign(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 1);
	struct device *dev = test_add_device(test, &test_hw.foreign_fwnode);

	KUNIT_EXPECT_EQ(test, iommu_probe_device(dev), -EINVAL);
	KUNIT_EXPECT_NULL(test, dev->iommu_group);
	KUNIT_EXPECT_NULL(test, test_hw.dev[1]->domain);
	test_hw.devs--;
	device_unregister(dev);
	test_expect_good(test, group);
}

static void test_deferred_foreign(struct kunit *test)
{
	struct device *dev = test_add_device(test, &test_hw.fwnode);

	to_test_dev(dev)->deferred = true;
	KUNIT_ASSERT_EQ(test, iommu_probe_device(dev), 0);
	KUNIT_EXPECT_NULL(test, to_test_dev(dev)->domain);
	KUNIT_EXPECT_EQ(test, iommu_deferred_attach(dev, &test_foreign_domain),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, test_hw.foreign_calls, 0);
	KUNIT_EXPECT_EQ(test, iommu_deferred_attach(dev, &test_identity), 0);
	test_expect(test, &test_identity);
}

static void test_pasid(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 3);
	struct device *dev = &test_hw.dev[0]->dev;

	KUNIT_EXPECT_EQ(test, iommu_attach_device_pasid(&test_foreign_domain, dev,
							TEST_PASID, NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, test_hw.foreign_calls, 0);
	test_fail(3, -ENOSPC);
	KUNIT_EXPECT_EQ(test, iommu_attach_device_pasid(test_hw.domain, dev, TEST_PASID,
							NULL), -ENOSPC);
	test_expect_pasid(test, NULL);
	KUNIT_EXPECT_EQ(test, iommu_attach_device_pasid(test_hw.domain, dev, TEST_PASID,
							NULL), 0);
	test_expect_pasid(test, test_hw.domain);
	iommu_detach_device_pasid(test_hw.domain, dev, TEST_PASID);
	test_expect_pasid(test, NULL);
	test_expect_good(test, group);
}

/* The caller's device is of the domain's driver, another one of the group is not */
static void test_pasid_mixed(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 3);
	struct device *dev = &test_hw.dev[0]->dev;

	test_make_foreign(&test_hw.foreign);
	KUNIT_EXPECT_EQ(test, iommu_attach_device_pasid(test_hw.domain, dev, TEST_PASID,
							NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, test_hw.attaches, 2);
	test_expect_pasid(test, NULL);
	test_make_foreign(&test_hw.iommu);
	test_expect_good(test, group);
}

/* The same when the PASID has a domain, to which the others go back */
static void test_pasid_replace_mixed(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 3);
	struct device *dev = &test_hw.dev[0]->dev;
	struct iommu_attach_handle handle = {}, other = {};
	struct iommu_domain *domain = iommu_paging_domain_alloc(dev);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	KUNIT_ASSERT_EQ(test, iommu_attach_device_pasid(test_hw.domain, dev, TEST_PASID,
							&handle), 0);
	test_make_foreign(&test_hw.foreign);
	KUNIT_EXPECT_EQ(test, iommu_replace_device_pasid(domain, dev, TEST_PASID, &other),
			-EINVAL);
	test_expect_pasid(test, test_hw.domain);
	test_make_foreign(&test_hw.iommu);
	KUNIT_EXPECT_EQ(test, iommu_replace_device_pasid(domain, dev, TEST_PASID, &other),
			0);
	test_expect_pasid(test, domain);
	iommu_detach_device_pasid(domain, dev, TEST_PASID);
	iommu_domain_free(domain);
	test_expect_good(test, group);
}

/* A code of the firmware, say, that the driver passes on */
static void test_attach_positive(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);

	kunit_warning_suppress(test) {
		test_fail(f->devs, 1);
		KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group),
				-ENODEV);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	test_expect(test, &test_identity);
	test_expect_good(test, group);
}

static void test_pasid_positive(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 2);

	kunit_warning_suppress(test) {
		test_fail(2, 1);
		KUNIT_EXPECT_EQ(test, iommu_attach_device_pasid(test_hw.domain,
								&test_hw.dev[0]->dev,
								TEST_PASID, NULL),
				-ENODEV);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	test_expect_pasid(test, NULL);
	test_expect_good(test, group);
}

/* The caller frees the domain next: a device that cannot go back is blocked */
static void test_detach_fault(struct kunit *test)
{
	const struct test_fault *f = test->param_value;
	struct iommu_group *group = test_group(test, f->devs);
	int i;

	KUNIT_ASSERT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	kunit_warning_suppress(test) {
		test_fail(f->at + 1, f->err);
		iommu_detach_group(test_hw.domain, group);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	for (i = 0; i < f->devs; i++)
		KUNIT_EXPECT_PTR_EQ(test, test_hw.dev[i]->domain,
				    i == f->at ? &test_blocked : &test_identity);
}

/* But not if the firmware has asked for a 1:1 mapping */
static void test_detach_direct(struct kunit *test)
{
	struct iommu_group *group = test_group(test, 1);

	KUNIT_ASSERT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	test_hw.dev[0]->dev.iommu->require_direct = 1;
	kunit_warning_suppress(test) {
		test_fail(1, -ENOMEM);
		iommu_detach_group(test_hw.domain, group);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
	KUNIT_EXPECT_PTR_EQ(test, test_hw.dev[0]->domain, test_hw.domain);
	test_hw.dev[0]->domain = NULL;
}

/* Nor where no domain is left: what the firmware has set up stays */
static void test_probe_fault(struct kunit *test)
{
	struct device *dev = test_add_device(test, &test_hw.fwnode);

	kunit_warning_suppress(test) {
		test_fail(1, -ENOMEM);
		KUNIT_EXPECT_EQ(test, iommu_probe_device(dev), -ENOMEM);
		KUNIT_EXPECT_EQ(test, test_hw.attaches, 1);
	}
}

/* A device that is in no domain yet is still not, after another one was refused */
static void test_deferred_refused(struct kunit *test)
{
	struct device *dev = test_add_device(test, &test_hw.fwnode);

	to_test_dev(dev)->deferred = true;
	KUNIT_ASSERT_EQ(test, iommu_probe_device(dev), 0);
	test_hw.domain = iommu_paging_domain_alloc(dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, test_hw.domain);
	test_fail(1, -ENOMEM);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, dev->iommu_group), -ENOMEM);
	KUNIT_EXPECT_PTR_EQ(test, to_test_dev(dev)->domain, NULL);
	KUNIT_EXPECT_EQ(test, iommu_deferred_attach(dev, &test_identity), 0);
	test_expect(test, &test_identity);
	test_expect_good(test, dev->iommu_group);
}

#ifdef CONFIG_IOMMU_DEBUG_ATTACH
/* What the option has said since the last look, once for each time */
static struct {
	int times;
	const void *op;
	struct iommu_domain *domain;
	struct device *dev;
	int ret;
	char why[64];
} test_told;

static bool test_debug_first(const void *op, enum iommu_debug_attach_what what)
{
	return true;
}

static void test_debug_print(const void *op, struct iommu_domain *domain,
			     struct device *dev, int ret, const char *why)
{
	test_told.times++;
	test_told.op = op;
	test_told.domain = domain;
	test_told.dev = dev;
	test_told.ret = ret;
	strscpy(test_told.why, why);
}

static struct iommu_group *test_debug_group(struct kunit *test, int devs)
{
	struct iommu_group *group = test_group(test, devs);

	memset(&test_told, 0, sizeof(test_told));
	kunit_activate_static_stub(test, iommu_debug_attach_first,
				   test_debug_first);
	kunit_activate_static_stub(test, iommu_debug_attach_print,
				   test_debug_print);
	return group;
}

static void test_expect_silent(struct kunit *test)
{
	KUNIT_EXPECT_EQ_MSG(test, test_told.times, 0, "%s", test_told.why);
	memset(&test_told, 0, sizeof(test_told));
}

/* It was told of the device and the function, and of nothing else. NULL: of any */
static void test_expect_told(struct kunit *test, struct test_dev *tdev,
			     struct iommu_domain *domain, const void *op,
			     int ret, const char *why)
{
	KUNIT_EXPECT_EQ(test, test_told.times, 1);
	KUNIT_EXPECT_PTR_EQ(test, test_told.dev, &tdev->dev);
	KUNIT_EXPECT_PTR_EQ(test, test_told.domain, domain);
	KUNIT_EXPECT_PTR_EQ(test, test_told.op, op);
	KUNIT_EXPECT_EQ(test, test_told.ret, ret);
	KUNIT_EXPECT_STREQ(test, test_told.why, why);
	memset(&test_told, 0, sizeof(test_told));
}

/* The errnos of the contract, where they may be */
static void test_debug_silent(struct kunit *test)
{
	static const int errnos[] = { -EINVAL, -ENOMEM, -ENOSPC, -EBUSY, -ENODEV };
	struct iommu_group *group = test_debug_group(test, 2);
	struct device *dev = &test_hw.dev[0]->dev;
	int i;

	test_expect_good(test, group);
	for (i = 0; i < ARRAY_SIZE(errnos); i++) {
		test_fail(1, errnos[i]);
		KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group),
				errnos[i]);
		test_fail(1, errnos[i]);
		KUNIT_EXPECT_EQ(test, iommu_attach_device_pasid(test_hw.domain, dev,
								TEST_PASID, NULL),
				errnos[i]);
	}
	test_fail(0, 0);
	test_hw.sleep = 500;
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	iommu_detach_group(test_hw.domain, group);
	test_expect_silent(test);
}

static void test_debug_errno(struct kunit *test)
{
	struct iommu_group *group = test_debug_group(test, 2);

	test_fail(2, -EXDEV);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), -EXDEV);
	test_expect_told(test, test_hw.dev[1], test_hw.domain, test_attach_dev,
			 -EXDEV, "not an errno of struct iommu_domain_ops");
	test_fail(1, -EIO);
	KUNIT_EXPECT_EQ(test, iommu_attach_device_pasid(test_hw.domain,
							&test_hw.dev[0]->dev,
							TEST_PASID, NULL), -EIO);
	test_expect_told(test, test_hw.dev[0], test_hw.domain, test_set_dev_pasid,
			 -EIO, "not an errno of struct iommu_domain_ops");
}

static void test_debug_positive(struct kunit *test)
{
	struct iommu_group *group = test_debug_group(test, 1);

	kunit_warning_suppress(test) {
		test_fail(1, 2);
		KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group),
				-ENODEV);
	}
	test_expect_told(test, test_hw.dev[0], test_hw.domain, test_attach_dev, 2,
			 "not an errno");
}

/* The domain was allocated for the first device. It is new until one is in it */
static void test_debug_fresh(struct kunit *test)
{
	struct iommu_group *group = test_debug_group(test, 2);
	struct device *dev = &test_hw.dev[0]->dev;
	struct iommu_domain *domain;

	test_fail(1, -EINVAL);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), -EINVAL);
	test_expect_told(test, test_hw.dev[0], test_hw.domain, test_attach_dev,
			 -EINVAL, "newly allocated for this device");

	/* Not for a PASID, nor with what it may not have been made for */
	test_fail(1, -EINVAL);
	KUNIT_EXPECT_EQ(test, iommu_attach_device_pasid(test_hw.domain, dev,
							TEST_PASID, NULL), -EINVAL);
	test_expect_silent(test);
	test_hw.domain->iopf_handler = ERR_PTR(-EINVAL);
	test_fail(1, -EINVAL);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), -EINVAL);
	test_expect_silent(test);
	test_hw.domain->iopf_handler = NULL;

	/* The first device takes it, the second one refuses */
	test_fail(2, -EINVAL);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), -EINVAL);
	test_fail(1, -EINVAL);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), -EINVAL);
	test_expect_silent(test);

	/* For the second device, and when that is no more */
	domain = iommu_paging_domain_alloc(&test_hw.dev[1]->dev);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	test_fail(1, -EINVAL);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(domain, group), -EINVAL);
	test_expect_silent(test);
	iommu_debug_attach_alloc(domain, dev);
	test_fail(1, -EINVAL);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(domain, group), -EINVAL);
	test_expect_told(test, test_hw.dev[0], domain, test_attach_dev, -EINVAL,
			 "newly allocated for this device");
	iommu_debug_attach_release(dev);
	test_fail(1, -EINVAL);
	KUNIT_EXPECT_EQ(test, iommu_attach_group(domain, group), -EINVAL);
	test_expect_silent(test);
	iommu_domain_free(domain);
}

static void test_debug_blocking(struct kunit *test)
{
	struct iommu_group *group = test_debug_group(test, 1);

	test_fail(1, -ENODEV);
	KUNIT_EXPECT_EQ(test, iommu_group_claim_dma_owner(group, test), -ENODEV);
	test_expect_told(test, test_hw.dev[0], &test_blocked, test_attach_dev,
			 -ENODEV, "one that must always attach");
}

/* A default domain, and one that a device has left a moment ago */
static void test_debug_good(struct kunit *test)
{
	struct iommu_group *group = test_debug_group(test, 2);
	struct iommu_attach_handle handle = {}, other = {};
	struct device *dev = &test_hw.dev[0]->dev;
	struct iommu_domain *domain = iommu_paging_domain_alloc(dev);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
		test_fail(2, -ENOMEM);
		iommu_detach_group(test_hw.domain, group);
		test_expect_told(test, test_hw.dev[1], &test_identity,
				 test_attach_dev, -ENOMEM,
				 "one that must always attach");

		KUNIT_ASSERT_EQ(test, iommu_attach_device_pasid(test_hw.domain, dev,
								TEST_PASID, &handle),
				0);
		test_fail(2, -ENOMEM);
		test_hw.fail.times = 2;
		KUNIT_EXPECT_EQ(test, iommu_replace_device_pasid(domain, dev,
								 TEST_PASID, &other),
				-ENOMEM);
		test_expect_told(test, test_hw.dev[0], test_hw.domain,
				 test_set_dev_pasid, -ENOMEM,
				 "one that must always attach");
	}
	test_fail(0, 0);
	iommu_detach_device_pasid(test_hw.domain, dev, TEST_PASID);
	iommu_domain_free(domain);
}

static void test_debug_iopf(struct kunit *test)
{
	struct iommu_group *group = test_debug_group(test, 1);
	struct dev_iommu *iommu = test_hw.dev[0]->dev.iommu;

	test_fail(1, -ENOMEM);
	test_hw.fail.iopf = true;
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), -ENOMEM);
	test_expect_told(test, test_hw.dev[0], test_hw.domain, test_attach_dev,
			 -ENOMEM, "the device was left in a page request queue");
	RCU_INIT_POINTER(iommu->fault_param, NULL);
}

#ifdef CONFIG_PCI
static const char * const test_pci_state[] = { "ATS", "PRI", "PASID" };

static void test_pci_set(struct pci_dev *pdev, int state, bool on)
{
	pdev->ats_enabled = state == 0 && on;
	pdev->pri_enabled = state == 1 && on;
	pdev->pasid_enabled = state == 2 && on;
}

/* What PCI devices have besides; this one has nothing else */
static void test_debug_pci(struct kunit *test)
{
	struct dev_iommu iommu = {};
	struct pci_dev *pdev;
	int i;

	test_debug_group(test, 1);
	pdev = kunit_kzalloc(test, sizeof(*pdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pdev);
	pdev->dev.bus = &pci_bus_type;
	pdev->dev.iommu = &iommu;

	/* From off or on to off or on, by a failure or a success */
	for (i = 0; i < 8 * ARRAY_SIZE(test_pci_state); i++) {
		bool before = i & 1, after = i & 2;
		int ret = i & 4 ? -ENOMEM : 0;
		struct iommu_debug_attach was;
		char why[32];

		test_pci_set(pdev, i / 8, before);
		iommu_debug_attach_begin(&was, &pdev->dev);
		test_pci_set(pdev, i / 8, after);
		iommu_debug_attach_end(&was, test_attach_dev, test_hw.domain,
				       &pdev->dev, ret);
		snprintf(why, sizeof(why), "%s was left %s",
			 test_pci_state[i / 8], after ? "enabled" : "disabled");
		KUNIT_EXPECT_EQ(test, test_told.times, ret && before != after);
		if (ret && before != after)
			KUNIT_EXPECT_STREQ(test, test_told.why, why);
		memset(&test_told, 0, sizeof(test_told));
	}
}
#endif

static void test_debug_slow(struct kunit *test)
{
	struct iommu_group *group = test_debug_group(test, 1);

	test_hw.sleep = 1000;
	KUNIT_EXPECT_EQ(test, iommu_attach_group(test_hw.domain, group), 0);
	test_hw.sleep = 0;
	KUNIT_EXPECT_EQ(test, test_told.times, 1);
	KUNIT_EXPECT_PTR_EQ(test, test_told.op, (const void *)test_attach_dev);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(test_told.why,
					       " ms under group->mutex"),
				  "%s", test_told.why);
	memset(&test_told, 0, sizeof(test_told));
	iommu_detach_group(test_hw.domain, group);
	test_expect_silent(test);
}

/* Each function is told of once for each thing */
static void test_debug_once(struct kunit *test)
{
	test_debug_group(test, 1);
	kunit_deactivate_static_stub(test, iommu_debug_attach_first);

	KUNIT_EXPECT_TRUE(test, iommu_debug_attach_first(test_debug_once,
							 IOMMU_DEBUG_ATTACH_ERRNO));
	KUNIT_EXPECT_TRUE(test, iommu_debug_attach_first(test_debug_once,
							 IOMMU_DEBUG_ATTACH_MUST));
	iommu_debug_attach_must(test_debug_once, test_hw.domain,
				&test_hw.dev[0]->dev, -EIO);
	test_expect_silent(test);
	iommu_debug_attach_must(test_debug_slow, test_hw.domain,
				&test_hw.dev[0]->dev, -EIO);
	test_expect_told(test, test_hw.dev[0], test_hw.domain, test_debug_slow,
			 -EIO, "one that must always attach");
}
#endif

static struct kunit_case test_cases[] = {
	KUNIT_CASE_PARAM(test_attach_group, test_size_gen_params),
	KUNIT_CASE_PARAM(test_attach_group_fault, test_fault_gen_params),
	KUNIT_CASE_PARAM(test_attach_claimed_group_fault, test_fault_gen_params),
	KUNIT_CASE(test_attach_device_shared),
	KUNIT_CASE(test_attach_no_iommu),
	KUNIT_CASE_PARAM(test_attach_foreign, test_size_gen_params),
	KUNIT_CASE_PARAM(test_replace_foreign, test_size_gen_params),
	KUNIT_CASE(test_attach_mixed),
	KUNIT_CASE(test_join_foreign),
	KUNIT_CASE(test_deferred_foreign),
	KUNIT_CASE(test_pasid),
	KUNIT_CASE(test_pasid_mixed),
	KUNIT_CASE(test_pasid_replace_mixed),
	KUNIT_CASE_PARAM(test_attach_positive, test_size_gen_params),
	KUNIT_CASE(test_pasid_positive),
	KUNIT_CASE_PARAM(test_detach_fault, test_fault_gen_params),
	KUNIT_CASE(test_detach_direct),
	KUNIT_CASE(test_probe_fault),
	KUNIT_CASE(test_deferred_refused),
#ifdef CONFIG_IOMMU_DEBUG_ATTACH
	KUNIT_CASE(test_debug_silent),
	KUNIT_CASE(test_debug_errno),
	KUNIT_CASE(test_debug_positive),
	KUNIT_CASE(test_debug_fresh),
	KUNIT_CASE(test_debug_blocking),
	KUNIT_CASE(test_debug_good),
	KUNIT_CASE(test_debug_iopf),
#ifdef CONFIG_PCI
	KUNIT_CASE(test_debug_pci),
#endif
	KUNIT_CASE(test_debug_slow),
	KUNIT_CASE(test_debug_once),
#endif
	{}
};

static struct kunit_suite test_suite = {
	.name		= "iommu",
	.init		= test_init,
	.exit		= test_exit,
	.test_cases	= test_cases,
};

kunit_test_suite(test_suite);
