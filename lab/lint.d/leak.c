// SPDX-License-Identifier: GPL-2.0
static int foo_get(struct foo *foo)
{
	return pm_runtime_resume_and_get(foo->dev);
}

static void foo_put(struct foo *foo)
{
	pm_runtime_put(foo->dev);
}

static int foo_program(struct foo *foo, struct foo_domain *domain)
{
	if (!foo->ready)
		return -ENODEV;
	writel(domain->ttbr, foo->base + FOO_TTBR);
	return 0;
}

/* A page table that is lost */
static int foo_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	struct io_pgtable_ops *ops;
	int ret;

	ops = alloc_io_pgtable_ops(ARM_V7S, &foo_domain->cfg, foo_domain);	/* leak */
	if (!ops)
		return -ENOMEM;
	ret = foo_program(master->foo, foo_domain);
	if (ret)
		return ret;
	foo_domain->ops = ops;
	return 0;
}

/* A clock that stays on, by a goto that skips its release */
static int foo_attach_clock(struct iommu_domain *domain, struct device *dev)
{
	struct foo_master *master = dev_iommu_priv_get(dev);
	int ret;

	mutex_lock(&master->foo->lock);
	ret = clk_prepare_enable(master->foo->clk);	/* leak */
	if (ret)
		goto out;
	ret = foo_program(master->foo, to_foo_domain(domain));
	if (ret)
		goto out;
	clk_disable_unprepare(master->foo->clk);
out:
	mutex_unlock(&master->foo->lock);
	return ret;
}

/* A reference that a function of the driver takes; a usage count that is up although the resume has failed */
static int foo_attach_pm(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	int ret;

	ret = foo_get(master->foo);	/* leak */
	if (ret)
		return ret;
	if (foo_domain->foo != master->foo)
		return -EINVAL;
	ret = foo_program(master->foo, foo_domain);
	foo_put(master->foo);
	return ret;
}

static int foo_attach_sync(struct iommu_domain *domain, struct device *dev)
{
	struct foo_master *master = dev_iommu_priv_get(dev);
	int ret;

	ret = pm_runtime_get_sync(master->foo->dev);	/* leak */
	if (ret < 0)
		return ret;
	ret = foo_program(master->foo, to_foo_domain(domain));
	pm_runtime_put(master->foo->dev);
	return ret;
}

/* A lock */
static int foo_attach_lock(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);

	mutex_lock(&foo_domain->lock);	/* leak */
	if (foo_domain->foo != master->foo)
		return -EINVAL;
	mutex_unlock(&foo_domain->lock);
	return 0;
}

static int foo_attach_held(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);

	spin_lock(&foo_domain->lock);	/* leak */
	if (foo_domain->users++)
		return 0;
	spin_unlock(&foo_domain->lock);
	return 0;
}

/* Right: all given back, in the other order */
static int bar_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	struct io_pgtable_ops *ops;
	int ret;

	mutex_lock(&foo_domain->lock);
	ret = foo_get(master->foo);
	if (ret)
		goto out_unlock;
	ret = clk_prepare_enable(master->foo->clk);
	if (ret)
		goto out_put;
	ops = alloc_io_pgtable_ops(ARM_V7S, &foo_domain->cfg, foo_domain);
	if (!ops) {
		ret = -ENOMEM;
		goto out_clk;
	}
	ret = foo_program(master->foo, foo_domain);
	if (ret)
		goto out_free;
	foo_domain->ops = ops;
	goto out_clk;

out_free:
	free_io_pgtable_ops(ops);
out_clk:
	clk_disable_unprepare(master->foo->clk);
out_put:
	foo_put(master->foo);
out_unlock:
	mutex_unlock(&foo_domain->lock);
	return ret;
}

/* Right: others have it now */
static int bar_attach_listed(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	struct foo_entry *entry;

	entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	if (!entry)
		return -ENOMEM;
	list_add(&entry->node, &foo_domain->entries);
	return foo_program(master->foo, foo_domain);
}

static const struct iommu_domain_ops foo_ops[] = {
	{ .attach_dev = foo_attach_dev },
	{ .attach_dev = foo_attach_clock },
	{ .attach_dev = foo_attach_pm },
	{ .attach_dev = foo_attach_sync },
	{ .attach_dev = foo_attach_lock },
	{ .attach_dev = foo_attach_held },
	{ .attach_dev = bar_attach_dev },
	{ .attach_dev = bar_attach_listed },
};
