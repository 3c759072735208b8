// SPDX-License-Identifier: GPL-2.0
static void foo_detach(struct foo_master *master)
{
	writel(0, master->foo->base + FOO_TTBR);
	master->domain = NULL;
}

static void foo_switch_to(const struct foo_domain *domain, struct foo_master *master)
{
	writel(domain->ttbr, master->foo->base + FOO_TTBR);
	master->domain = domain;
}

static int foo_program(struct foo *foo, struct foo_domain *domain)
{
	u32 val;

	writel(domain->ttbr, foo->base + FOO_TTBR);	/* order */
	return readl_poll_timeout(foo->base + FOO_STATUS, val, val & FOO_ON, 1, 100);
}

static void foo_flush(struct foo *foo)
{
	writel(1, foo->base + FOO_FLUSH);
}

static int foo_take_bank(struct foo *foo)
{
	return ida_alloc_max(&foo->banks, foo->num_banks - 1, GFP_KERNEL);
}

/* The old domain is left first */
static int foo_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);

	foo_detach(master);	/* order */
	if (foo_domain->foo != master->foo)
		return -EINVAL;
	master->domain = foo_domain;
	return 0;
}

/* Something is counted, and the way back does not count it off; a new attach of what is there undoes a detach */
static int foo_attach_counted(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	int ret;

	if (foo_domain->users > 7)
		return -EBUSY;
	foo_domain->users++;	/* order */
	ret = foo_take_bank(master->foo);
	if (ret < 0)
		goto out;
	master->bank = ret;
	ret = 0;
out:
	mutex_unlock(&master->foo->lock);
	return ret;
}

/* One of several is programmed when the next one fails */
static int foo_attach_all(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	int i, ret;

	for (i = 0; i < master->num; i++) {
		ret = foo_program(master->foos[i], foo_domain);	/* order */
		if (ret)
			return ret;
	}
	return 0;
}

/* A function has changed something, and its caller fails */
static int foo_finalise(struct foo_domain *domain, struct foo *foo)
{
	if (!foo->ready)
		return -ENODEV;
	domain->foo = foo;	/* order */
	return 0;
}

static int foo_attach_nested(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	int ret;

	if (!foo_domain->foo) {
		ret = foo_finalise(foo_domain, master->foo);
		if (ret)
			return ret;
	}
	return foo_program(master->foo, foo_domain);
}

/* Right: checks first, then what cannot fail; flushes change nothing */
static int bar_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	int bank;

	foo_flush(master->foo);
	if (foo_domain->foo != master->foo)
		return -EINVAL;
	bank = foo_take_bank(master->foo);
	if (bank < 0)
		return bank;
	foo_detach(master);
	master->bank = bank;
	master->domain = foo_domain;
	return 0;
}

/* Right: undone, by an assignment, by the opposite, in a loop */
static int bar_attach_undone(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	int i, ret;

	if (!foo_domain->foo) {
		foo_domain->foo = master->foo;
		ret = foo_take_bank(master->foo);
		if (ret < 0) {
			foo_domain->foo = NULL;
			return ret;
		}
	}
	list_add(&master->node, &foo_domain->masters);
	for (i = 0; i < master->num; i++) {
		ret = foo_enable(master->foos[i]);
		if (ret)
			goto undo;
		writel(foo_domain->ttbr, master->foos[i]->base + FOO_TTBR);
	}
	return 0;

undo:
	while (i--)
		writel(0, master->foos[i]->base + FOO_TTBR);
	list_del(&master->node);
	foo_domain->foo = NULL;
	return ret;
}

/* Once more what was done before is no way back */
static int foo_attach_identity(struct iommu_domain *domain, struct device *dev)
{
	struct foo_master *master = dev_iommu_priv_get(dev);
	int ret;

	foo_switch_to(&foo_identity, master);	/* order */
	ret = foo_program(master->foo, to_foo_domain(domain));
	if (ret)
		foo_switch_to(&foo_identity, master);
	return ret;
}

/* Right: back to the old domain */
static int bar_attach_again(struct iommu_domain *domain, struct device *dev)
{
	struct foo_master *master = dev_iommu_priv_get(dev);
	struct foo_domain *old = master->domain;
	int ret;

	foo_detach(master);
	ret = foo_program(master->foo, to_foo_domain(domain));
	if (ret)
		foo_program(master->foo, old);
	return ret;
}

/* Right: what is written to is the function's own */
static int bar_attach_own(struct iommu_domain *domain, struct device *dev)
{
	struct foo_master *master = dev_iommu_priv_get(dev);
	struct foo_cmd cmd = {}, *more;
	int ret;

	more = kzalloc(sizeof(*more), GFP_KERNEL);
	if (!more)
		return -ENOMEM;
	more->users = 1;
	cmd.users = 1;
	ret = foo_take_bank(master->foo);
	kfree(more);
	return ret < 0 ? ret : 0;
}

/* Not an attach */
static void foo_probe_finalize(struct device *dev)
{
	struct foo_master *master = dev_iommu_priv_get(dev);

	foo_detach(master);
	if (foo_program(master->foo, master->domain))
		dev_err(dev, "no\n");
}

static const struct iommu_domain_ops foo_ops[] = {
	{ .attach_dev = foo_attach_dev },
	{ .attach_dev = foo_attach_counted },
	{ .attach_dev = foo_attach_all },
	{ .attach_dev = foo_attach_nested },
	{ .attach_dev = foo_attach_identity },
	{ .attach_dev = bar_attach_dev },
	{ .attach_dev = bar_attach_undone },
	{ .attach_dev = bar_attach_again },
	{ .attach_dev = bar_attach_own },
};

static const struct iommu_ops foo_iommu_ops = {
	.probe_finalize	= foo_probe_finalize,
};
