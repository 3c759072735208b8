// SPDX-License-Identifier: GPL-2.0
static int foo_command(struct foo *foo, u32 cmd)
{
	u32 val;

	writel(cmd, foo->base + FOO_CMD);
	return readl_poll_timeout(foo->base + FOO_STATUS, val, !(val & FOO_BUSY), 1, 100);
}

#define foo_command_sync(foo, cmd)	\
	foo_command(foo, (cmd) | FOO_SYNC)

static int foo_mode(struct foo *foo)
{
	return readl(foo->base + FOO_MODE);
}

static void foo_flush(struct foo *foo)
{
	foo_command(foo, FOO_FLUSH);	/* swallowed */
}

static void foo_wait(struct foo *foo)
{
	int i;

	for (i = 0; i < 100; i++)
		if (!(readl(foo->base + FOO_STATUS) & FOO_BUSY))
			return;
	dev_err(foo->dev, "timed out\n");	/* swallowed */
}

static void foo_clocks(struct foo *foo)
{
	int ret;

	ret = clk_prepare_enable(foo->clk);	/* swallowed */
	if (ret)
		dev_err(foo->dev, "no clock: %d\n", ret);
}

static int foo_resume(struct foo *foo)
{
	int ret;

	ret = pm_runtime_resume_and_get(foo->dev);	/* swallowed */
	if (ret < 0) {
		dev_dbg(foo->dev, "asleep\n");
		return 0;
	}
	return foo_command(foo, FOO_ON);
}

static int foo_ports(struct foo *foo)
{
	int i, ret = 0;

	for (i = 0; i < foo->num_ports; i++) {
		ret = regmap_write(foo->map, i, 1);	/* swallowed */
		if (ret)
			dev_err(foo->dev, "port %d\n", i);
	}
	return ret;
}

static int foo_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	struct foo_entry *entry;

	if (foo_domain->foo != master->foo)	/* swallowed */
		return 0;

	entry = kzalloc(sizeof(*entry), GFP_KERNEL);	/* swallowed */
	entry->dev = dev;
	pm_runtime_get_sync(master->foo->dev);	/* swallowed */
	WARN_ON(foo_command(master->foo, FOO_ON));	/* swallowed */
	foo_command_sync(master->foo, FOO_FLUSH);	/* swallowed */
	foo_mode(master->foo);
	foo_flush(master->foo);
	foo_wait(master->foo);
	foo_clocks(master->foo);
	return foo_resume(master->foo) ?: foo_ports(master->foo);
}

/* Right: passed on, or replaced by the errno of what is tried next */
static int bar_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo_domain *foo_domain = to_foo_domain(domain);
	struct foo_master *master = dev_iommu_priv_get(dev);
	struct foo_entry *entry;
	int ret;

	/* It is there already */
	if (master->domain == foo_domain)
		return 0;

	entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	if (!entry)
		return -ENOMEM;
	ret = pm_runtime_resume_and_get(master->foo->dev);
	if (ret < 0)
		goto out;
	ret = foo_command(master->foo, FOO_ON);
	if (ret)
		ret = foo_command(master->foo, FOO_OFF);
	do {
		ret = regmap_write(master->foo->map, 0, 1);
	} while (ret == -EAGAIN);
	pm_runtime_put(master->foo->dev);
out:
	kfree(entry);
	return ret == -EINVAL ? -ENODEV : ret;
}

/* Not an attach */
static void foo_shutdown(struct foo *foo)
{
	foo_command(foo, FOO_OFF);
}

static const struct iommu_domain_ops foo_ops[] = {
	{ .attach_dev = foo_attach_dev },
	{ .attach_dev = bar_attach_dev },
};
