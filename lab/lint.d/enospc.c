// SPDX-License-Identifier: GPL-2.0
static int foo_alloc_bank(struct foo *foo)
{
	int bank = find_first_zero_bit(foo->banks, FOO_BANKS);

	if (bank >= FOO_BANKS)
		return -ENOSPC;
	set_bit(bank, foo->banks);
	return bank;
}

static int foo_alloc_context(struct foo *foo)
{
	int ret = find_first_zero_bit(foo->contexts, FOO_CONTEXTS);

	if (ret != FOO_CONTEXTS)
		set_bit(ret, foo->contexts);
	else
		ret = -EBUSY;	/* enospc */
	return ret;
}

static int foo_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo *foo = dev_iommu_priv_get(dev);
	int ret, id;

	id = ida_alloc(&foo_ids, GFP_KERNEL);
	if (id < 0)
		return -EBUSY;	/* enospc */
	id = ida_alloc(&foo_ids, GFP_KERNEL);
	if (id < 0)
		return id;

	ret = foo_alloc_bank(foo);
	if (ret < 0)
		return -ENODEV;	/* enospc */
	ret = foo_alloc_context(foo);
	if (ret < 0)
		return ret;

	ret = xa_alloc(&foo_asids, &foo_domain->asid, foo, FOO_LIMIT, GFP_KERNEL);	/* enospc */
	if (ret)
		return ret;
	ret = xa_alloc(&foo_asids, &foo_domain->vmid, foo, FOO_LIMIT, GFP_KERNEL);
	if (ret)
		return ret == -EBUSY ? -ENOSPC : ret;
	return 0;
}

static const struct iommu_domain_ops foo_domain_ops = {
	.attach_dev	= foo_attach_dev,
};
