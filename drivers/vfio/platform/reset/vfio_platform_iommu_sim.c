// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO platform driver specialized for devices of the simulated IOMMU, which
 * have nothing that a reset could change.
 */

#include <linux/module.h>

#include "../vfio_platform_private.h"

static int vfio_platform_iommu_sim_reset(struct vfio_platform_device *vdev)
{
	return 0;
}

module_vfio_reset_handler("linux,iommu-sim", vfio_platform_iommu_sim_reset);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Reset support for VFIO platform devices of iommu-sim");
