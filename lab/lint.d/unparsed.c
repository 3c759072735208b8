// SPDX-License-Identifier: GPL-2.0
/* A macro hides a loop, and spatch takes its break for one outside of any */
static int foo_attach_dev(struct iommu_domain *domain, struct device *dev)
{							/* unparsed */
	struct foo *foo = dev_iommu_priv_get(dev);
	int i = foo->num;

	for_each_active_foo(foo->foos,
			    foo->num, i, dev)
		break;
	if (i == foo->num)
		return -EINVAL;
	return 0;
}

/* Right: it is parsed */
static int bar_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo *foo = dev_iommu_priv_get(dev);

	return foo_program(foo, to_foo_domain(domain));
}

static const struct iommu_domain_ops foo_ops[] = {
	{ .attach_dev = foo_attach_dev },
	{ .attach_dev = bar_attach_dev },
};
