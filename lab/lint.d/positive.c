// SPDX-License-Identifier: GPL-2.0
static int foo_secure(struct foo *foo, struct foo_context *ctx)
{
	int ret;

	ret = qcom_scm_restore_sec_cfg(foo->sec_id, ctx->asid);	/* positive */
	if (ret)
		return ret;
	ret = qcom_scm_restore_sec_cfg(foo->sec_id, ctx->asid);
	if (ret < 0)
		return -ENODEV;
	return 0;
}

static int foo_firmware(struct foo *foo, bool enable)
{
	struct arm_smccc_res res;
	int ret;

	arm_smccc_smc(FOO_CONTROL, enable, 0, 0, 0, 0, 0, 0, &res);
	ret = res.a0;	/* positive */
	return ret;
}

static int foo_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	struct foo *foo = dev_iommu_priv_get(dev);
	int ret;

	ret = pm_runtime_get_sync(foo->dev);
	if (ret < 0)
		return ret;

	ret = foo_secure(foo, foo->ctx);
	if (ret)
		return ret;
	return foo_firmware(foo, true);
}

static const struct iommu_domain_ops foo_domain_ops = {
	.attach_dev	= foo_attach_dev,
};
