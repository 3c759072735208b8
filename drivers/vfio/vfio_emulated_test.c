// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VFIO device without IOMMU for tests, "vfio-emulated-test" on the platform
 * bus. Write an IOVA, of 8 bytes, at offset 0 to pin the page that is mapped
 * there, and at offset 8 to unpin it. One that is pinned twice is unpinned twice.
 */

#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

struct emulated {
	struct vfio_device vdev;
	struct mutex lock;	/* of pins */
	struct list_head pins;
};

struct emulated_pin {
	struct list_head entry;
	u64 iova;
};

static struct platform_device *emulated_pdev;

static struct emulated *to_emulated(struct vfio_device *vdev)
{
	return container_of(vdev, struct emulated, vdev);
}

static int emulated_init(struct vfio_device *vdev)
{
	struct emulated *emu = to_emulated(vdev);

	mutex_init(&emu->lock);
	INIT_LIST_HEAD(&emu->pins);
	return 0;
}

static int emulated_pin(struct emulated *emu, u64 iova)
{
	struct emulated_pin *pin;
	struct page *page;
	int ret;

	pin = kzalloc_obj(*pin);
	if (!pin)
		return -ENOMEM;

	ret = vfio_pin_pages(&emu->vdev, iova, 1, IOMMU_READ | IOMMU_WRITE,
			     &page);
	if (ret != 1) {
		kfree(pin);
		return ret;
	}
	pin->iova = iova;
	list_add(&pin->entry, &emu->pins);
	return 0;
}

static void emulated_unpin(struct emulated *emu, struct emulated_pin *pin)
{
	vfio_unpin_pages(&emu->vdev, pin->iova, 1);
	list_del(&pin->entry);
	kfree(pin);
}

static ssize_t emulated_write(struct vfio_device *vdev, const char __user *buf,
			      size_t count, loff_t *ppos)
{
	struct emulated *emu = to_emulated(vdev);
	struct emulated_pin *pin;
	int ret = -ENOENT;
	u64 iova;

	if (count != sizeof(iova))
		return -EINVAL;
	if (copy_from_user(&iova, buf, sizeof(iova)))
		return -EFAULT;

	mutex_lock(&emu->lock);
	if (!*ppos) {
		ret = emulated_pin(emu, iova);
	} else {
		list_for_each_entry(pin, &emu->pins, entry) {
			if (pin->iova == iova) {
				emulated_unpin(emu, pin);
				ret = 0;
				break;
			}
		}
	}
	mutex_unlock(&emu->lock);
	return ret ?: count;
}

static void emulated_dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	struct emulated *emu = to_emulated(vdev);
	struct emulated_pin *pin, *next;

	mutex_lock(&emu->lock);
	list_for_each_entry_safe(pin, next, &emu->pins, entry)
		if (pin->iova >= iova && pin->iova - iova < length)
			emulated_unpin(emu, pin);
	mutex_unlock(&emu->lock);
}

static void emulated_close(struct vfio_device *vdev)
{
	emulated_dma_unmap(vdev, 0, U64_MAX);
}

static const struct vfio_device_ops emulated_ops = {
	.name		= "vfio-emulated-test",
	.init		= emulated_init,
	.close_device	= emulated_close,
	.write		= emulated_write,
	.dma_unmap	= emulated_dma_unmap,
	.bind_iommufd	= vfio_iommufd_emulated_bind,
	.unbind_iommufd	= vfio_iommufd_emulated_unbind,
	.attach_ioas	= vfio_iommufd_emulated_attach_ioas,
	.detach_ioas	= vfio_iommufd_emulated_detach_ioas,
};

static int emulated_probe(struct platform_device *pdev)
{
	struct emulated *emu;
	int ret;

	emu = vfio_alloc_device(emulated, vdev, &pdev->dev, &emulated_ops);
	if (IS_ERR(emu))
		return PTR_ERR(emu);
	ret = vfio_register_emulated_iommu_dev(&emu->vdev);
	if (ret) {
		vfio_put_device(&emu->vdev);
		return ret;
	}
	platform_set_drvdata(pdev, emu);
	return 0;
}

static void emulated_remove(struct platform_device *pdev)
{
	struct emulated *emu = platform_get_drvdata(pdev);

	vfio_unregister_group_dev(&emu->vdev);
	vfio_put_device(&emu->vdev);
}

static struct platform_driver emulated_driver = {
	.probe	= emulated_probe,
	.remove	= emulated_remove,
	.driver	= {
		.name = "vfio-emulated-test",
	},
};

static int __init emulated_start(void)
{
	int ret;

	ret = platform_driver_register(&emulated_driver);
	if (ret)
		return ret;
	emulated_pdev = platform_device_register_simple("vfio-emulated-test",
							PLATFORM_DEVID_NONE,
							NULL, 0);
	if (IS_ERR(emulated_pdev)) {
		platform_driver_unregister(&emulated_driver);
		return PTR_ERR(emulated_pdev);
	}
	return 0;
}
module_init(emulated_start);

static void __exit emulated_end(void)
{
	platform_device_unregister(emulated_pdev);
	platform_driver_unregister(&emulated_driver);
}
module_exit(emulated_end);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A VFIO device without IOMMU for tests");
