// SPDX-License-Identifier: GPL-2.0
/* What the rule must find has its name beside it, what it must leave alone has not. */
static int foo_check(struct foo *foo, struct iommu_domain *domain)
{
	/* A function that compares domain and IOMMU, feature by feature */
	if (domain->geometry.aperture_end > foo->end)
		return -EINVAL;
	if (domain->pgsize_bitmap & ~foo->pgsizes)
		return -EINVAL;
	if (!foo->on)
		return -EINVAL;
	return 0;
}

static int foo_find(struct foo_master *master)
{
	int i;

	for (i = 0; i < master->num; i++)
		if (master->ids[i])
			return i;
	return -ENXIO;	/* einval */
}

static int foo_finalise(struct foo_domain *foo_domain, struct foo *foo)
{
	switch (foo->version) {
	case 1:
		foo_domain->fmt = FOO_V1;
		break;
	default:
		return -EINVAL;	/* einval */
	}
	foo_domain->foo = foo;
	return 0;
}

static int foo_status(struct foo_answer *answer)
{
	switch (answer->status) {
	case FOO_OK:
		return 0;
	case FOO_INVAL:
		return -EINVAL;	/* einval */
	case FOO_GONE:
		return -ENOENT;
	}
	return -EIO;
}

static int foo_stop(struct foo *foo)
{
	if (!foo->on)
		return -EINVAL;		/* nobody looks at it */
	return 0;
}

static int foo_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	struct foo *foo;
	int ret;

	if (!master)
		return -EINVAL;	/* einval */

	foo = master->foo;
	if (foo->broken) {
		dev_dbg(dev, "broken\n");
		ret = -ENOENT;	/* einval */
		goto out;
	} else if (foo_domain->pgsizes & ~foo->pgsizes) {
		ret = -EINVAL;
		goto out;
	}

	if (!foo_domain->foo) {
		ret = foo_finalise(foo_domain, foo);
		if (ret)
			return ret;
	} else if (foo_domain->foo != foo) {
		return -EINVAL;
	}

	ret = foo_find(master);
	if (ret < 0)
		return ret;

	ret = foo_check(foo, domain);
	if (ret)
		return ret;

	foo_stop(foo);
	ret = -EINVAL;
	if (!foo_ready(foo))	/* einval */
		goto out;
	if (domain->pgsize_bitmap != foo->pgsizes)
		goto out;

	ret = foo_status(foo->answer);
	if (ret == -EINVAL)
		ret = -ENODEV;
out:
	return ret;
}

static int foo_set_dev_pasid(struct iommu_domain *domain, struct device *dev, u32 pasid)
{
	struct foo_master *master = dev_iommu_priv_get(dev);
	int ret = -EINVAL;

	if (!foo_ready(master->foo))	/* einval */
		return ret;
	if (domain->pgsize_bitmap != master->foo->pgsizes)
		return ret;
	return foo_find(master);
}

static int foo_identity_attach(struct iommu_domain *domain, struct device *dev)
{
	struct foo_master *master = dev_iommu_priv_get(dev);

	if (!master->foo->bypass)
		return -EINVAL;		/* that it has no identity domain is no fault */
	return 0;
}

static int foo_power_attach(struct generic_pm_domain *domain, struct device *dev)
{
	if (!dev->of_node)
		return -EINVAL;
	return 0;
}

static struct iommu_domain_ops foo_identity_ops = {
	.attach_dev	= foo_identity_attach,
};

static const struct iommu_ops foo_ops = {
	.domain_alloc	= foo_domain_alloc,
	.default_domain_ops = &(const struct iommu_domain_ops) {
		.attach_dev	= foo_attach_dev,
		.set_dev_pasid	= foo_set_dev_pasid,
	},
};

static struct generic_pm_domain foo_pm_domain = {
	.attach_dev	= foo_power_attach,
};
