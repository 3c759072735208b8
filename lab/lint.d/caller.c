// SPDX-License-Identifier: GPL-2.0
static int foo_join(struct foo *foo, struct iommu_group *group)
{
	struct foo_domain *d;

	list_for_each_entry(d, &foo->domains, next) {
		if (!iommu_attach_group(d->domain, group))	/* caller */
			return 0;
	}
	return foo_fresh(foo, group);
}

static int foo_join_pasid(struct foo *foo, struct device *dev)
{
	struct foo_domain *d;
	int ret = -ENODEV;

	list_for_each_entry(d, &foo->domains, next) {
		ret = iommu_attach_device_pasid(d->domain, dev, 1, NULL);	/* caller */
		if (!ret)
			break;
	}
	return ret;
}

static void foo_restore(struct foo *foo)
{
	iommu_attach_device(foo->domain, foo->dev);	/* caller */
	WARN_ON(iommu_replace_group_handle(foo->group, foo->domain, NULL));	/* caller */
}

static int foo_start(struct foo *foo)
{
	int ret;

	ret = iommu_attach_device(foo->domain, foo->dev);	/* caller */
	if (ret) {
		dev_err(foo->dev, "no\n");
		return 0;
	}
	return foo_run(foo);
}

/* Right: told apart */
static int bar_join(struct foo *foo, struct iommu_group *group)
{
	struct foo_domain *d;
	int ret;

	list_for_each_entry(d, &foo->domains, next) {
		ret = iommu_attach_group(d->domain, group);
		if (!ret)
			return 0;
		if (ret != -EINVAL)
			return ret;
	}
	return foo_fresh(foo, group);
}

/* Right: several devices, one domain */
static int bar_all(struct foo *foo)
{
	struct foo_master *m;
	int ret;

	list_for_each_entry(m, &foo->masters, next) {
		ret = iommu_attach_device(foo->domain, m->dev);
		if (ret)
			return ret;
	}
	return 0;
}

/* Right: it goes on without IOMMU, and says so */
static void bar_probe(struct foo *foo)
{
	foo->domain = iommu_paging_domain_alloc(foo->dev);
	if (iommu_attach_device(foo->domain, foo->dev)) {
		iommu_domain_free(foo->domain);
		foo->domain = NULL;
	}
}
