// SPDX-License-Identifier: GPL-2.0
static int foo_power(struct foo *foo)
{
	return pm_runtime_resume_and_get(foo->dev);	/* foreign */
}

static int foo_clocks(struct foo *foo)
{
	int ret = clk_bulk_enable(foo->num_clocks, foo->clocks);

	if (ret)
		return ret == -EINVAL ? -ENODEV : ret;
	return 0;
}

static int foo_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo *foo = dev_iommu_priv_get(dev);
	int ret;

	ret = foo_power(foo);
	if (ret < 0)
		return ret;

	ret = clk_prepare_enable(foo->clk);	/* foreign */
	if (ret) {
		dev_dbg(dev, "no clock\n");
		goto out;
	}

	ret = regmap_write(foo->map, FOO_CTRL, FOO_ON);
	if (ret) {
		ret = -ENODEV;
		goto out;
	}

	ret = devm_request_irq(dev, foo->irq, foo_irq, 0, "foo", foo);
	if (ret < 0)
		dev_dbg(dev, "no interrupt\n");

	if (reset_control_deassert(foo->reset))
		return -ENODEV;
	return foo_clocks(foo);
out:
	pm_runtime_put(foo->dev);
	return ret;
}

/* Probe may return what it likes */
static int foo_probe(struct platform_device *pdev)
{
	struct foo *foo = platform_get_drvdata(pdev);

	return clk_prepare_enable(foo->clk);
}

static const struct iommu_domain_ops foo_domain_ops = {
	.attach_dev	= foo_attach_dev,
};
