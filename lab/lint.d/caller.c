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

/* An errno that can be positive becomes a pointer that IS_ERR() takes for a domain */
static struct foo_domain *foo_get(struct foo *foo)
{
	int ret;

	ret = iommu_attach_group(foo->domain, foo->group);	/* caller */
	if (ret)
		goto err;
	return foo->first;

err:
	foo_put(foo);
	return ERR_PTR(ret);
}

static void foo_set(struct foo *foo, struct foo_domain *new)
{
	int ret;

	ret = iommu_attach_device(foo->domain, foo->dev);	/* caller */
	if (ret)
		new = ERR_PTR(ret);
	foo_publish(foo, new);
}

static void *foo_get_now(struct foo *foo)
{
	return ERR_PTR(iommu_attach_device(foo->domain, foo->dev));	/* caller */
}

/* It is no pointer at all */
static int foo_taken(struct foo *foo)
{
	struct foo_domain *domain;
	void *res;
	int ret;

	domain = iommu_attach_device(foo->domain, foo->dev);	/* caller */
	if (IS_ERR(domain))
		return PTR_ERR(domain);
	ret = iommu_attach_group(foo->domain, foo->group);	/* caller */
	if (IS_ERR_OR_NULL(ret))
		return ret;
	res = (void *)(long)iommu_attach_group(foo->domain, foo->group);	/* caller */
	return foo_use(foo, res);
}

/* Right: none but a negative errno becomes a pointer */
static struct foo_domain *bar_get(struct foo *foo)
{
	int ret;

	ret = iommu_attach_group(foo->domain, foo->group);
	if (ret < 0)
		return ERR_PTR(ret);
	ret = foo_count(foo);
	if (ret)
		return ERR_PTR(ret);
	ret = iommu_attach_device(foo->domain, foo->dev);
	if (ret)
		return ERR_PTR(-EIO);
	return foo->first;
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
