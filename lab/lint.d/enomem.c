// SPDX-License-Identifier: GPL-2.0
static struct foo_entry *foo_get_entry(struct foo *foo)
{
	struct foo_entry *entry = foo->entry;

	if (!entry) {
		entry = kzalloc(sizeof(*entry), GFP_KERNEL);
		if (!entry)
			return NULL;
	}
	return entry;
}

static int foo_tables(struct foo_domain *foo_domain)
{
	foo_domain->iop = alloc_io_pgtable_ops(FOO, &foo_domain->cfg, foo_domain);
	if (!foo_domain->iop)
		return -EINVAL;	/* enomem */
	foo_domain->pgd = iommu_alloc_pages(GFP_KERNEL);
	if (!foo_domain->pgd)
		return -ENOMEM;
	return 0;
}

static int foo_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo *foo = dev_iommu_priv_get(dev);
	struct foo_entry *entry;
	int ret;

	entry = foo_get_entry(foo);
	if (!entry) {
		dev_dbg(dev, "no entry\n");
		return -ENODEV;	/* enomem */
	}
	if (foo_entry_present(entry))
		return -EBUSY;

	ret = foo_tables(foo_domain);
	if (ret) {
		mutex_unlock(&foo->lock);
		return -ENODEV;	/* enomem */
	}

	if (devm_request_irq(dev, foo->irq, foo_irq, 0, "foo", foo))
		return -ENODEV;	/* enomem */

	ret = foo_tables(foo_domain);
	if (ret)
		return ret;
	return 0;
}

static const struct iommu_domain_ops foo_domain_ops = {
	.attach_dev	= foo_attach_dev,
};
