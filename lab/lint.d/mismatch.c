// SPDX-License-Identifier: GPL-2.0
static int foo_enable_faults(struct device *dev)
{
	struct foo_master *master = dev_iommu_priv_get(dev);

	if (!master->pri)
		return -ENODEV;	/* mismatch */
	return 0;
}

static int foo_faults(struct iommu_domain *domain, struct device *dev)
{
	if (!domain->iopf_handler)
		return 0;
	return foo_enable_faults(dev);
}

static int foo_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	struct foo *foo = master->foo;
	int ret;

	ret = foo_faults(domain, dev);
	if (ret)
		return ret;
	if (foo_domain->foo && foo_domain->foo != foo)
		return -EXDEV;	/* mismatch */
	if (foo_domain->snoop && !foo_snoops(foo))
		return -EOPNOTSUPP;	/* mismatch */
	if (!foo_fits(foo, foo_domain->levels))
		return -ENODEV;	/* mismatch */
	if (foo_domain->owner)
		return -EBUSY;	/* mismatch */

	mutex_lock(&foo->lock);
	if (foo->dead) {
		ret = -ENODEV;
	} else if (foo_domain->width > foo->width) {
		ret = -ERANGE;	/* mismatch */
	} else if (foo_domain->pgsizes & ~foo->pgsizes) {
		ret = -EINVAL;
	} else {
		ret = foo_program(foo, foo_domain);
		if (ret == -EINVAL)
			ret = -ENODEV;
	}
	mutex_unlock(&foo->lock);
	return ret;
}

/* Not an attach: another errno is its business */
static int foo_map(struct iommu_domain *domain, struct device *dev)
{
	if (to_foo_domain(domain)->foo != dev_iommu_priv_get(dev))
		return -EXDEV;
	return 0;
}

static const struct iommu_domain_ops foo_domain_ops = {
	.attach_dev	= foo_attach_dev,
	.map_pages	= foo_map,
};
