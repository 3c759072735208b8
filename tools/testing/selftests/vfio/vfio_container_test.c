// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of several IOMMU groups in one container: they join it, leave it in
 * any order, and fail to join. Whatever happens to one of them, the others must
 * not notice. Give two or more devices of different groups, bound to vfio-pci:
 *
 *     vfio_container_test [options] segment:bus:device.function ...
 *
 * Devices that libvfio has a driver for show by DMA that mappings are there.
 * Allocations are made to fail where the kernel has FAILSLAB and
 * FAULT_INJECTION_DEBUG_FS, and debugfs is mounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/sizes.h>
#include <linux/vfio.h>

#include <libvfio.h>

#include "kselftest_harness.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define MAX_FAULTS	1000

static char **bdfs;
static int nr_bdfs;

struct container {
	struct iommu *iommu;
	struct vfio_pci_device **devices;	/* those that have joined */
	struct dma_region region;		/* mapped if it has a size */
};

FIXTURE(vfio_container_test) {
	struct container c;
};

FIXTURE_VARIANT(vfio_container_test) {
	const char *iommu_mode;
};

/* Those that have a container */
FIXTURE_VARIANT_ADD(vfio_container_test, vfio_type1_iommu) {
	.iommu_mode = MODE_VFIO_TYPE1_IOMMU,
};

FIXTURE_VARIANT_ADD(vfio_container_test, vfio_type1v2_iommu) {
	.iommu_mode = MODE_VFIO_TYPE1V2_IOMMU,
};

FIXTURE_VARIANT_ADD(vfio_container_test, iommufd_compat_type1) {
	.iommu_mode = MODE_IOMMUFD_COMPAT_TYPE1,
};

FIXTURE_VARIANT_ADD(vfio_container_test, iommufd_compat_type1v2) {
	.iommu_mode = MODE_IOMMUFD_COMPAT_TYPE1V2,
};

static bool is_iommufd(const char *iommu_mode)
{
	return strstr(iommu_mode, "iommufd");
}

static void join(struct container *c, int i)
{
	c->devices[i] = vfio_pci_device_init(bdfs[i], c->iommu);
}

static void leave(struct container *c, int i)
{
	vfio_pci_device_cleanup(c->devices[i]);
	c->devices[i] = NULL;
}

/* The first 2 MiB of what is mapped are for the driver, if there is one */
static void map(struct container *c)
{
	struct iova_allocator *allocator = iova_allocator_init(c->iommu);
	struct dma_region *region = &c->region;

	region->size = SZ_64M;
	region->vaddr = mmap(NULL, region->size, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	VFIO_ASSERT_NE(region->vaddr, MAP_FAILED);
	/* Large pages take next to no page tables, which fail_nth counts */
	madvise(region->vaddr, region->size, MADV_NOHUGEPAGE);
	region->iova = iova_allocator_alloc(allocator, region->size);
	iommu_map(c->iommu, region);
	iova_allocator_cleanup(allocator);
}

static void unmap(struct container *c)
{
	struct dma_region *region = &c->region;
	u64 unmapped;

	VFIO_ASSERT_EQ(__iommu_unmap(c->iommu, region, &unmapped), 0);
	VFIO_ASSERT_EQ(unmapped, region->size);
	VFIO_ASSERT_EQ(munmap(region->vaddr, region->size), 0);
	region->size = 0;
}

static void check_device(struct container *c, int i)
{
	struct vfio_pci_device *device = c->devices[i];
	struct vfio_pci_driver *driver = &device->driver;
	struct dma_region *region = &c->region;
	char *src = region->vaddr + SZ_2M, *dst;
	u64 size;

	/* It answers: this register is its own, not one that vfio-pci emulates */
	VFIO_ASSERT_NE(vfio_pci_config_readl(device, PCI_CLASS_REVISION), ~0U);

	if (!driver->ops || !region->size)
		return;

	driver->region = *region;
	driver->region.size = SZ_2M;
	vfio_pci_driver_init(device);
	size = min_t(u64, driver->max_memcpy_size, SZ_4K);
	dst = src + size;
	memset(src, i + 1, size);
	memset(dst, 0, size);
	VFIO_ASSERT_EQ(vfio_pci_driver_memcpy(device, to_iova(device, src),
					      to_iova(device, dst), size), 0);
	VFIO_ASSERT_EQ(memcmp(src, dst, size), 0);
	vfio_pci_driver_remove(device);
}

static void check(struct container *c)
{
	int i;

	for (i = 0; i < nr_bdfs; i++)
		if (c->devices[i])
			check_device(c, i);
}

FIXTURE_SETUP(vfio_container_test)
{
	if (access(is_iommufd(variant->iommu_mode) ? "/dev/iommu" : "/dev/vfio/vfio", F_OK))
		SKIP(return, "the kernel has no %s", variant->iommu_mode);

	self->c.iommu = iommu_init(variant->iommu_mode);
	self->c.devices = calloc_assert(nr_bdfs, sizeof(self->c.devices[0]));
}

FIXTURE_TEARDOWN(vfio_container_test)
{
	int i;

	if (self->c.region.size)
		unmap(&self->c);
	for (i = 0; i < nr_bdfs; i++)
		if (self->c.devices[i])
			leave(&self->c, i);
	free(self->c.devices);
	iommu_cleanup(self->c.iommu);
}

TEST_F(vfio_container_test, join_then_map)
{
	int i;

	for (i = 0; i < nr_bdfs; i++)
		join(&self->c, i);
	map(&self->c);
	check(&self->c);
}

TEST_F(vfio_container_test, map_then_join)
{
	int i;

	join(&self->c, 0);
	map(&self->c);
	for (i = 1; i < nr_bdfs; i++) {
		join(&self->c, i);
		check(&self->c);
	}
}

/* What is mapped stays as long as there is anyone left, whoever came first */
TEST_F(vfio_container_test, leave_in_order)
{
	int i;

	for (i = 0; i < nr_bdfs; i++)
		join(&self->c, i);
	map(&self->c);
	for (i = 0; i < nr_bdfs - 1; i++) {
		leave(&self->c, i);
		check(&self->c);
	}
}

TEST_F(vfio_container_test, leave_and_return)
{
	int i;

	for (i = 0; i < nr_bdfs; i++)
		join(&self->c, i);
	map(&self->c);
	for (i = 0; i < nr_bdfs; i++) {
		leave(&self->c, i);
		check(&self->c);
		join(&self->c, i);
		check(&self->c);
	}
}

TEST_F(vfio_container_test, unmap_all_leave_and_return)
{
	int i, round;

	for (round = 0; round < 2; round++) {
		for (i = 0; i < nr_bdfs; i++)
			join(&self->c, i);
		map(&self->c);
		check(&self->c);
		unmap(&self->c);
		for (i = nr_bdfs - 1; i >= 0; i--)
			leave(&self->c, i);
	}
}

/* A group is in one container at most */
TEST_F(vfio_container_test, no_second_container)
{
	struct iommu *other = iommu_init(variant->iommu_mode);

	join(&self->c, 0);
	map(&self->c);
	join(&self->c, 1);
	EXPECT_EQ(-1, ioctl(self->c.devices[1]->group_fd, VFIO_GROUP_SET_CONTAINER,
			    &other->container_fd));
	EXPECT_EQ(EINVAL, errno);
	check(&self->c);
	iommu_cleanup(other);
	check(&self->c);
}

static void write_file(const char *path, const char *val)
{
	int fd = open(path, O_WRONLY);

	VFIO_ASSERT_GE(fd, 0, "open(%s) failed\n", path);
	VFIO_ASSERT_EQ(write(fd, val, strlen(val)), strlen(val));
	VFIO_ASSERT_EQ(close(fd), 0);
}

/* In page tables of all IOMMUs, or 0 where nobody counts them */
static long iommu_pages(void)
{
	FILE *file = fopen("/proc/vmstat", "r");
	long value, pages = 0;
	char name[64];

	VFIO_ASSERT_NOT_NULL(file);
	/* Add up what the CPUs have counted */
	if (!access("/proc/sys/vm/stat_refresh", W_OK))
		write_file("/proc/sys/vm/stat_refresh", "1");
	while (fscanf(file, "%63s %ld", name, &value) == 2)
		if (!strcmp(name, "nr_iommu_pages"))
			pages = value;
	fclose(file);
	return pages;
}

/*
 * Join and leave again, with the nth allocation of the call failing if there are
 * so many, which is told by *failed; *pages are those of page tables meanwhile.
 * Returns 0 or a negative errno.
 */
static int try_join(struct iommu *iommu, const char *bdf, int nth, bool *failed,
		    long *pages)
{
	char path[32], buf[16];
	int group, fd, ret;
	ssize_t len;

	snprintf_assert(path, sizeof(path), "/dev/vfio/%d",
			sysfs_iommu_group_get(bdf));
	group = open(path, O_RDWR);
	VFIO_ASSERT_GE(group, 0, "open(%s) failed\n", path);
	fd = open(FAIL_NTH, O_RDWR);
	VFIO_ASSERT_GE(fd, 0, "open(%s) failed\n", FAIL_NTH);

	snprintf_assert(buf, sizeof(buf), "%d", nth);
	VFIO_ASSERT_EQ(write(fd, buf, strlen(buf)), strlen(buf));
	ret = ioctl(group, VFIO_GROUP_SET_CONTAINER, &iommu->container_fd);
	if (ret)
		ret = -errno;
	len = pread(fd, buf, sizeof(buf) - 1, 0);
	VFIO_ASSERT_GT(len, 0);
	buf[len] = 0;
	*failed = !atoi(buf);
	VFIO_ASSERT_EQ(pwrite(fd, "0", 1, 0), 1);
	*pages = iommu_pages();

	VFIO_ASSERT_EQ(close(fd), 0);
	VFIO_ASSERT_EQ(close(group), 0);
	return ret;
}

/*
 * A device that does not get the memory for joining is told so, or can do
 * without; the one that is there does not notice, and the next attempt works.
 * Nor is the error hidden behind a second copy of all that is mapped.
 */
TEST_F_TIMEOUT(vfio_container_test, fail_nth, 300)
{
	struct container *c = &self->c;
	long none, tables, joined, pages;
	bool failed = true;
	int nth, ret;

	/* All that PCI does then would fail, too, and may not be up to it */
	if (is_iommufd(variant->iommu_mode))
		SKIP(return, "devices join when they are opened");
	if (access(FAILSLAB, W_OK) || access(FAIL_NTH, W_OK))
		SKIP(return, "no fault injection");
	write_file(FAILSLAB "ignore-gfp-wait", "N");
	write_file(FAILSLAB "verbose", "0");

	none = iommu_pages();
	join(c, 0);
	map(c);
	tables = iommu_pages() - none;
	join(c, 1);
	joined = iommu_pages();
	leave(c, 1);
	for (nth = 1; failed; nth++) {
		ASSERT_LE(nth, MAX_FAULTS);
		ret = try_join(c->iommu, bdfs[1], nth, &failed, &pages);
		/* An IOMMU driver may take it for a lack of domain IDs */
		if (!failed || (ret != -ENOMEM && ret != -ENOSPC))
			ASSERT_EQ(0, ret);
		/* Others may use a page or two for theirs */
		if (!ret && tables > 0)
			ASSERT_LE(pages, joined + tables / 2);
		check(c);
		join(c, 1);
		check(c);
		leave(c, 1);
	}
	/* There was something that could fail */
	ASSERT_GT(nth, 2);
}

int main(int argc, char *argv[])
{
	int i, j;

	bdfs = vfio_selftests_get_bdfs(&argc, argv, &nr_bdfs);
	for (i = 0; i < nr_bdfs; i++)
		for (j = 0; j < i; j++)
			if (sysfs_iommu_group_get(bdfs[i]) ==
			    sysfs_iommu_group_get(bdfs[j])) {
				fprintf(stderr, "%s and %s are in one group, skipping test.\n",
					bdfs[i], bdfs[j]);
				return KSFT_SKIP;
			}
	if (nr_bdfs < 2) {
		fprintf(stderr, "Two devices or more are needed, skipping test.\n");
		return KSFT_SKIP;
	}

	return test_harness_run(argc, argv);
}
