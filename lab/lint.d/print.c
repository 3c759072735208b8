// SPDX-License-Identifier: GPL-2.0
static int foo_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	struct foo *foo = master->foo;
	int ret = 0;

	if (!foo) {
		dev_err(dev, "no IOMMU\n");
		return -ENODEV;
	}
	if (WARN_ON(foo_domain->end > foo->end))	/* print */
		return -EINVAL;
	if (foo_domain->users) {
		pr_err("in use\n");	/* print */
		return -EBUSY;
	}

	mutex_lock(&foo->lock);
	if (foo_domain->foo != foo) {
		dev_err_ratelimited(dev, "%s: cannot attach to a domain on %s\n",	/* print */
				    dev_name(foo->dev), dev_name(foo_domain->foo->dev));
		ret = -EINVAL;
		goto out;
	}
	if (foo_domain->width > foo->width) {
		ret = -EINVAL;
		dev_warn(dev, "%u bits\n", foo->width);	/* print */
	} else if (foo_domain->pgsizes & ~foo->pgsizes) {
		dev_dbg(dev, "page sizes\n");
		ret = -EINVAL;
	} else {
		foo_domain->table = dma_alloc_coherent(foo->dev, SZ_16K, &foo_domain->dma, GFP_KERNEL);
		if (!foo_domain->table) {
			dev_err(dev, "no table for %s\n", dev_name(foo->dev));
			ret = -ENOMEM;
		}
	}
out:
	mutex_unlock(&foo->lock);
	if (ret)
		return ret;

	if (foo_domain->quirk && foo->old)
		dev_warn(dev, "slow\n");
	ret = foo_program(foo, foo_domain);
	if (ret)
		dev_err(dev, "broken: %d\n", ret);
	return ret;
}

/* Not an attach */
static int foo_map(struct iommu_domain *domain, struct device *dev)
{
	if (to_foo_domain(domain)->foo != dev_iommu_priv_get(dev)) {
		dev_err(dev, "no\n");
		return -EINVAL;
	}
	return 0;
}

static const struct iommu_domain_ops foo_domain_ops = {
	.attach_dev	= foo_attach_dev,
	.map_pages	= foo_map,
};
