// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that iommufd has, without a container: what a replace does to them that
 * the driver refuses. Built with the headers of the kernel, as those of Debian 12
 * do not have all of it.
 */
#include "vfio.h"

#if __has_include("uapi/linux/iommufd.h")
#include <sys/ioctl.h>
#define __user
#ifndef __counted_by	/* libc6-dev-*-cross of Debian 12 does not have it */
#define __counted_by(member)
#endif
#include "uapi/linux/iommufd.h"
#include "uapi/linux/vfio.h"

static uint32_t open_device(struct device *dev)
{
	char **vfio = names(str(PCI "/devices/%s/vfio-dev", dev->name));
	struct vfio_device_bind_iommufd bind = { .argsz = sizeof(bind), .iommufd = container };
	char *path;

	errno = 0;
	if (!*vfio)
		fail("a device has no file of its own");
	path = str("/dev/vfio/devices/%s", *vfio);
	dev->fd = must(open(path, O_RDWR | O_CLOEXEC), path);
	must(ioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind), "VFIO_DEVICE_BIND_IOMMUFD");
	return bind.out_devid;
}

/* To an IOAS or a HWPT; 0 or the errno */
static int attach(struct device *dev, uint32_t pt)
{
	struct vfio_device_attach_iommufd_pt at = { .argsz = sizeof(at), .pt_id = pt };

	return ioctl(dev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &at) ? errno : 0;
}

static uint32_t new_ioas(void)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_vfio_ioas is = { .size = sizeof(is), .op = IOMMU_VFIO_IOAS_SET };

	must(ioctl(container, IOMMU_IOAS_ALLOC, &ioas), "IOMMU_IOAS_ALLOC");
	is.ioas_id = ioas.out_ioas_id;
	must(ioctl(container, IOMMU_VFIO_IOAS, &is), "IOMMU_VFIO_IOAS");
	return ioas.out_ioas_id;
}

/* A HWPT, with page faults if there is a queue for them: no device here has any */
static uint32_t new_hwpt(uint32_t dev, uint32_t ioas, uint32_t queue)
{
	struct iommu_hwpt_alloc hwpt = {
		.size = sizeof(hwpt), .flags = queue ? IOMMU_HWPT_FAULT_ID_VALID : 0,
		.dev_id = dev, .pt_id = ioas, .fault_id = queue,
	};

	must(ioctl(container, IOMMU_HWPT_ALLOC, &hwpt), "IOMMU_HWPT_ALLOC");
	return hwpt.out_hwpt_id;
}

static uint32_t new_queue(void)
{
	struct iommu_fault_alloc queue = { .size = sizeof(queue) };

	must(ioctl(container, IOMMU_FAULT_QUEUE_ALLOC, &queue), "IOMMU_FAULT_QUEUE_ALLOC");
	return queue.out_fault_id;
}

void refused_replace(bool outside)
{
	const char *refuse = option("lab.refuse=");
	struct group *g = &groups[0], *other = &groups[1];
	struct vfio_device_detach_iommufd_pt detach = { .argsz = sizeof(detach) };
	bool before, after, others, again_dma, another_dma, mended;
	uint32_t ioas, dev, refused, plain;
	int err, again, another;

	/* Who has a group open has its devices */
	for (int i = 0; i < ngroups; i++)
		close(groups[i].fd);
	container = must(open("/dev/iommu", O_RDWR), "/dev/iommu");
	ioas = new_ioas();
	dev = open_device(&g->dev[0]);
	open_device(&other->dev[0]);
	must(-attach(&g->dev[0], ioas), "the first attach");
	must(-attach(&other->dev[0], ioas), "the second attach");
	map_pages();
	before = dma(g, outside) && dma(other, outside);

	refused = new_hwpt(dev, ioas, *refuse ? 0 : new_queue());
	plain = new_hwpt(dev, ioas, 0);
	if (*refuse)
		probe_set("refuse", refuse);
	err = attach(&g->dev[0], refused);
	errno = 0;
	if (*refuse && !probe_get("refused"))
		fail("there was no such call to be refused");
	after = dma(g, outside);
	others = dma(other, outside);
	/* It is attached there, says iommufd, so this does nothing */
	again = attach(&g->dev[0], ioas);
	again_dma = dma(g, outside);
	/* That it can be mended shows that the device was blocked, and not broken */
	must(ioctl(g->dev[0].fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach), "detach");
	must(-attach(&g->dev[0], ioas), "attach after the detach");
	mended = dma(g, outside);
	/* And that one that is not refused keeps DMA going */
	another = attach(&g->dev[0], plain);
	another_dma = dma(g, outside);

	report("{\"type\": \"replace\", \"before\": %s, \"errno\": %s, \"after\": %s, \"others\": %s, "
	       "\"again\": %s, \"again_dma\": %s, \"mended\": %s, \"another\": %s, \"another_dma\": %s}",
	       truth(before), errno_name(err), truth(after), truth(others), errno_name(again),
	       truth(again_dma), truth(mended), errno_name(another), truth(another_dma));
}
#else
void refused_replace(bool outside)
{
	(void)outside;
	fail("refused_replace() without iommufd");
}
#endif
