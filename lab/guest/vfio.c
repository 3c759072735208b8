// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <time.h>
#include "vfio.h"

struct group groups[MAX_GROUPS];
int ngroups;
struct group *members[MAX_GROUPS];
int nmembers;
bool join_opens;
int container;

/* Whether a device can be used */
static const void *(*known_device)(uint32_t class, uint32_t id);

/* What the machine cannot give: the host knows whether that is meant. */
static void refused(const char *call)
{
	report("{\"type\": \"refused\", \"call\": \"%s\", \"errno\": %s}", call, errno_name(errno));
	end();
}

/* Guest time in ns */
static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

/* --- Groups ------------------------------------------------------------- */

static uint32_t class_of(const char *device)
{
	return pci_config(device, PCI_CLASS_REVISION) >> 8;
}

/* vfio-pci takes a device; 0 or the errno */
static int bind(const char *device)
{
	int fd = must(open(PCI "/drivers/vfio-pci/bind", O_WRONLY), "bind");
	int err = write(fd, device, strlen(device)) < 0 ? errno : 0;

	close(fd);
	return err;
}

/* A device may get its group only when a driver probes it */
static void add_device(const char *device)
{
	const void *kind = known_device(class_of(device), pci_config(device, PCI_VENDOR_ID));
	char *sysfs = str(PCI "/devices/%s", device), *number;
	struct group *g;
	int err;

	if (!kind)
		return;
	write_file(str("%s/driver_override", sysfs), "vfio-pci");
	if (*option("lab.reset="))
		write_file(str("%s/reset_method", sysfs), option("lab.reset="));
	if (link_name(str("%s/driver", sysfs)))
		write_file(str("%s/driver/unbind", sysfs), device);
	err = bind(device);
	number = link_name(str("%s/iommu_group", sysfs));
	if (!number)
		refused("iommu_group");
	errno = err;
	if (err)
		refused("bind");

	for (g = groups; g < groups + ngroups && g->number != atoi(number); g++)
		;
	if (g == groups + ngroups) {
		if (ngroups++ == MAX_GROUPS)
			fail("too many groups");
		*g = (struct group){ .number = atoi(number), .fd = -1 };
		g->iommu = link_name(str("%s/iommu", sysfs)) ? : "";
	}
	if (g->ndevs == MAX_FUNCTIONS)
		fail("too many devices in a group");
	g->dev[g->ndevs++] = (struct device){ .name = str("%s", device), .kind = kind, .fd = -1 };
}

static void bind_all(void)
{
	ngroups = 0;
	for (char **name = names(PCI "/devices"); *name; name++)
		add_device(*name);
}

void open_group(struct group *g)
{
	char *path = str("/dev/vfio/%d", g->number);

	g->fd = must(open(path, O_RDWR | O_CLOEXEC), path);
}

/*
 * Devices behind bridges share a group where the bridges' ACS is off, and it is
 * if no IOMMU had asked for it when they were found: find them again.
 */
static bool renew_bridges(void)
{
	bool found = false;

	for (char **name = names(PCI "/devices"); *name; name++) {
		/* Those behind a bridge are gone with it */
		if (class_of(*name) >> 8 != 0x0604)
			continue;
		write_file(str(PCI "/devices/%s/remove", *name), "1");
		found = true;
	}
	if (found)
		write_file(PCI "/rescan", "1");
	return found;
}

void find_groups(const void *(*known)(uint32_t class, uint32_t id), int at_least)
{
	known_device = known;
	bind_all();
	if (renew_bridges())
		bind_all();
	errno = 0;
	if (ngroups < at_least)
		fail(str("fewer than %d groups", at_least));
	for (struct group *g = groups; g < groups + ngroups; g++)
		open_group(g);
}

void replug(struct group *g)
{
	struct group old = *g;
	int last = ngroups;

	close(g->fd);
	for (int i = 0; i < old.ndevs; i++)
		write_file(str(PCI "/devices/%s/remove", old.dev[i].name), "1");
	g->number = -1;
	write_file(PCI "/rescan", "1");
	for (int i = 0; i < old.ndevs; i++)
		add_device(old.dev[i].name);
	errno = 0;
	if (ngroups != last + 1 || groups[last].ndevs != old.ndevs)
		fail("a device came back to another group");
	*g = groups[--ngroups];
	g->best_ns = old.best_ns;
	g->best_open_ns = old.best_open_ns;
	open_group(g);
}

/* --- The container ------------------------------------------------------ */

void new_container(void)
{
	container = must(open("/dev/vfio/vfio", O_RDWR), "/dev/vfio/vfio");
}

/*
 * Wait for the middle between two timer ticks: so no tick falls into what is
 * measured, or always as many, and a run repeats.
 */
static void settle(void)
{
	const long grid = 20000000, offset = 1000000;
	long at = (now() / grid + 1) * grid + offset;
	struct timespec t = { .tv_sec = at / 1000000000, .tv_nsec = at % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void close_devices(struct group *g)
{
	for (struct device *dev = g->dev; dev < g->dev + g->ndevs; dev++) {
		if (dev->fd >= 0)
			close(dev->fd);
		dev->fd = -1;
	}
}

static bool open_devices(struct group *g)
{
	for (struct device *dev = g->dev; dev < g->dev + g->ndevs; dev++) {
		dev->fd = ioctl(g->fd, VFIO_GROUP_GET_DEVICE_FD, dev->name);
		if (dev->fd < 0)
			return false;
	}
	return true;
}

struct join join(struct group *g)
{
	struct join j = { 0 };
	long start;

	count(j.cost);
	settle();
	start = now();
	if (ioctl(g->fd, VFIO_GROUP_SET_CONTAINER, &container) ||
	    (!nmembers && ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)))
		j.err = errno;
	j.ns = now() - start;
	if (join_opens && !j.err) {
		if (!open_devices(g))
			j.err = errno;
		j.ns = now() - start;
	}

	count_since(j.cost);
	if (j.err) {
		close_devices(g);
		/* Only where it is opening that failed, it is still in */
		if (join_opens)
			ioctl(g->fd, VFIO_GROUP_UNSET_CONTAINER);
		return j;
	}
	j.domain = probe_get("last");
	members[nmembers++] = g;
	return j;
}

void must_join(struct group *g)
{
	g->join = join(g);
	if (!g->join.err)
		return;
	errno = g->join.err;
	if (errno == EPERM && !nmembers)
		refused(join_opens ? "VFIO_GROUP_GET_DEVICE_FD" : "VFIO_SET_IOMMU");
	fail(nmembers ? "a group cannot join" : "the first group cannot join");
}

void leave(struct group *g)
{
	int i;

	close_devices(g);
	must(ioctl(g->fd, VFIO_GROUP_UNSET_CONTAINER), "VFIO_GROUP_UNSET_CONTAINER");
	for (i = 0; members[i] != g; i++)
		;
	memmove(members + i, members + i + 1, (--nmembers - i) * sizeof(*members));
}

void close_container(void)
{
	while (nmembers)
		leave(members[0]);
	close(container);
}

void map(uint64_t iova, void *mem, size_t size)
{
	struct vfio_iommu_type1_dma_map m = {
		.argsz = sizeof(m), .iova = iova, .size = size, .vaddr = (uintptr_t)mem,
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
	};

	must(ioctl(container, VFIO_IOMMU_MAP_DMA, &m), "VFIO_IOMMU_MAP_DMA");
}

void unmap(uint64_t iova, size_t size)
{
	struct vfio_iommu_type1_dma_unmap u = { .argsz = sizeof(u), .iova = iova, .size = size };

	must(ioctl(container, VFIO_IOMMU_UNMAP_DMA, &u), "VFIO_IOMMU_UNMAP_DMA");
	errno = 0;
	if (u.size != size)
		fail("VFIO_IOMMU_UNMAP_DMA unmapped too little");
}

uint64_t aperture(void)
{
	struct {
		struct vfio_iommu_type1_info info;
		char caps[4096];
	} all = { .info.argsz = sizeof(all) };
	struct vfio_iommu_type1_info_cap_iova_range *ranges;

	must(ioctl(container, VFIO_IOMMU_GET_INFO, &all), "VFIO_IOMMU_GET_INFO");
	for (uint32_t at = all.info.cap_offset; at; at = ranges->header.next) {
		ranges = (void *)((char *)&all + at);
		if (ranges->header.id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE)
			return ranges->iova_ranges[0].start;
	}
	fail("no IOVA range in VFIO_IOMMU_GET_INFO");
}
