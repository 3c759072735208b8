/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Simulated IOMMUs and VFIO containers for selftests. What the IOMMUs can do is
 * in Documentation/driver-api/iommu-sim.rst. Functions return 0 or a negative
 * errno, unless they say otherwise.
 *
 * <inst> is the name of an IOMMU, <dev> is "<inst>/<device>", and a <node> is
 * either, or "." for all of them.
 */

#ifndef __SELFTEST_VFIO_SIM_H
#define __SELFTEST_VFIO_SIM_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <linux/vfio.h>

#define SIM_CONFIG	"/sys/kernel/config/iommu-sim"
#define SIM_DEBUG	"/sys/kernel/debug/iommu-sim"
#define SIM_NAME_MAX	512
#define SIM_PATH_MAX	2048
#define SIM_MAX_DOMAINS	64

/* Files */

static inline int sim_vopen(int flags, const char *fmt, va_list ap)
{
	char path[SIM_PATH_MAX];
	int fd;

	vsnprintf(path, sizeof(path), fmt, ap);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static inline int sim_write(const char *val, const char *fmt, ...)
{
	va_list ap;
	int fd, ret;

	va_start(ap, fmt);
	fd = sim_vopen(O_WRONLY, fmt, ap);
	va_end(ap);
	if (fd < 0)
		return fd;
	ret = write(fd, val, strlen(val)) < 0 ? -errno : 0;
	close(fd);
	return ret;
}

/* Reads a whole file and ends it with a 0; returns the length */
static inline int sim_read(char *buf, size_t size, const char *fmt, ...)
{
	size_t len = 0;
	ssize_t n = 0;
	va_list ap;
	int fd;

	va_start(ap, fmt);
	fd = sim_vopen(O_RDONLY, fmt, ap);
	va_end(ap);
	if (fd < 0)
		return fd;
	while (len < size - 1) {
		n = read(fd, buf + len, size - 1 - len);
		if (n <= 0)
			break;
		len += n;
	}
	n = n < 0 ? -errno : (ssize_t)len;
	close(fd);
	buf[len] = 0;
	return n;
}

/* The number that follows @name at the start of a line, or -1 */
static inline long sim_number(const char *text, const char *name)
{
	size_t len = strlen(name);
	const char *line;

	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, len) && strspn(line + len, ": \t"))
			return strtol(line + len + strspn(line + len, ": \t"),
				      NULL, 0);
	}
	return -1;
}

/* The IOMMUs and their devices */

static inline bool sim_present(void)
{
	mount("configfs", "/sys/kernel/config", "configfs", 0, NULL);
	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	return !access(SIM_CONFIG, W_OK) && !access(SIM_DEBUG, R_OK);
}

/* An attribute of an IOMMU or a device; a comma stands for a space */
static inline int sim_set(const char *node, const char *attr, const char *val)
{
	char buf[SIM_NAME_MAX], *p;

	snprintf(buf, sizeof(buf), "%s", val);
	for (p = buf; (p = strchr(p, ',')); p++)
		*p = ' ';
	return sim_write(buf, SIM_CONFIG "/%s/%s", node, attr);
}

/* The name of a device on its bus */
static inline int sim_name(const char *dev, char *buf, size_t size)
{
	int ret = sim_read(buf, size, SIM_CONFIG "/%s/name", dev);

	if (ret < 0)
		return ret;
	buf[strcspn(buf, "\n")] = 0;
	return 0;
}

/* Let VFIO's driver have it */
static inline int sim_bind(const char *dev)
{
	char name[128], driver[32], bus[16] = "platform";
	int ret;

	ret = sim_name(dev, name, sizeof(name));
	if (ret)
		return ret;
	if (strchr(name, ':'))
		strcpy(bus, "pci");
	snprintf(driver, sizeof(driver), "vfio-%s", bus);
	ret = sim_write(driver, "/sys/bus/%s/devices/%s/driver_override", bus,
			name);
	return ret ?: sim_write(name, "/sys/bus/%s/drivers/%s/bind", bus,
				driver);
}

static inline int sim_unbind(const char *dev)
{
	char name[128];
	int ret;

	ret = sim_name(dev, name, sizeof(name));
	return ret ?: sim_write(name, "/sys/bus/%s/devices/%s/driver/unbind",
				strchr(name, ':') ? "pci" : "platform", name);
}

/* Pulls a device out, or takes away an IOMMU that has none any more */
static inline int sim_rmdir(const char *node)
{
	char path[SIM_PATH_MAX];

	snprintf(path, sizeof(path), SIM_CONFIG "/%s", node);
	return rmdir(path) ? -errno : 0;
}

static inline int sim_mkdir(const char *node)
{
	char path[SIM_PATH_MAX];

	snprintf(path, sizeof(path), SIM_CONFIG "/%s", node);
	return mkdir(path, 0755) ? -errno : 0;
}

/* "<name>[:<group>][@<PCI address>]" */
static inline int sim_add_dev(const char *inst, char *spec, char *dev,
			      size_t size)
{
	char *pci = strchr(spec, '@'), *group = NULL;
	int ret;

	if (pci)
		*pci++ = 0;
	group = strchr(spec, ':');
	if (group)
		*group++ = 0;
	snprintf(dev, size, "%s/%s", inst, spec);
	ret = sim_mkdir(dev);
	if (!ret && group)
		ret = sim_set(dev, "group", group);
	if (!ret && pci)
		ret = sim_set(dev, "pci", pci);
	return ret;
}

/*
 * Make an IOMMU with @attrs ("<attribute>=<value> ...") and devices behind it
 * (as above, separated by spaces), all of them bound to VFIO's drivers.
 */
static inline int sim_add(const char *inst, const char *attrs,
			  const char *devs)
{
	char buf[SIM_NAME_MAX], dev[2 * SIM_NAME_MAX], *p, *next, *val;
	int ret, pass;

	ret = sim_mkdir(inst);
	snprintf(buf, sizeof(buf), "%s", attrs);
	for (p = strtok_r(buf, " ", &next); p && !ret;
	     p = strtok_r(NULL, " ", &next)) {
		val = strchr(p, '=');
		if (!val)
			return -EINVAL;
		*val++ = 0;
		ret = sim_set(inst, p, val);
	}
	for (pass = 0; pass < 2 && !ret; pass++) {
		snprintf(buf, sizeof(buf), "%s", devs);
		for (p = strtok_r(buf, " ", &next); p && !ret;
		     p = strtok_r(NULL, " ", &next)) {
			if (!pass) {
				ret = sim_add_dev(inst, p, dev, sizeof(dev));
				continue;
			}
			p[strcspn(p, ":@")] = 0;
			snprintf(dev, sizeof(dev), "%s/%s", inst, p);
			ret = sim_bind(dev);
		}
		if (!ret && !pass)
			ret = sim_set(inst, "live", "1");
	}
	return ret;
}

/* Waits for the users of its devices */
static inline int sim_del(const char *inst)
{
	char path[SIM_PATH_MAX];
	struct dirent *entry;
	int ret;
	DIR *dir;

	ret = sim_set(inst, "live", "0");
	if (ret)
		return ret;
	snprintf(path, sizeof(path), SIM_CONFIG "/%s", inst);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SIM_CONFIG "/%s/%s", inst,
			 entry->d_name);
		ret = rmdir(path) ? -errno : 0;
	}
	closedir(dir);
	return ret ?: sim_rmdir(inst);
}

static inline int sim_del_all(void)
{
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	dir = opendir(SIM_CONFIG);
	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			ret = sim_del(entry->d_name);
	closedir(dir);
	return ret;
}

/* Faults and DMA */

/*
 * Let the @k-th @call ("attach", "attach-core", "map"; of "." "alloc" and
 * "alloc-core") from now and the @times - 1 after it fail with @err. 0 for @k:
 * do not.
 */
static inline int sim_fail(const char *node, const char *call, unsigned int k,
			   int err, unsigned int times)
{
	char buf[64];

	if (k)
		snprintf(buf, sizeof(buf), "%s %u %d %u", call, k, err, times);
	else
		snprintf(buf, sizeof(buf), "%s 0", call);
	return sim_write(buf, SIM_DEBUG "/%s/fail", node);
}

/* Refuse every translating domain with @err, or with 0 no longer */
static inline int sim_refuse(const char *dev, int err)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%d", err);
	return sim_write(buf, SIM_DEBUG "/%s/refuse", dev);
}

static inline int sim_dma(const char *dev, unsigned long dst,
			  unsigned long src, unsigned long len)
{
	char buf[96];

	snprintf(buf, sizeof(buf), "copy 0x%lx 0x%lx 0x%lx", dst, src, len);
	return sim_write(buf, SIM_DEBUG "/%s/dma", dev);
}

/* -EFAULT if the interrupt does not arrive */
static inline int sim_ring(const char *dev)
{
	return sim_write("1", SIM_DEBUG "/%s/msi", dev);
}

/* What is counted, and what must not change */

/* A counter of the node's file "stats", or -1 */
static inline long sim_stat(const char *node, const char *name)
{
	char buf[1024];

	if (sim_read(buf, sizeof(buf), SIM_DEBUG "/%s/stats", node) < 0)
		return -1;
	return sim_number(buf, name);
}

struct sim_state {
	long pinned;		/* pages, in the whole machine */
	long locked;		/* kB, by this process */
	long violations;
	unsigned int nr_domains;	/* translating ones that live */
	struct {
		unsigned int id;
		unsigned int devices;
		unsigned long long mapped;
	} domain[SIM_MAX_DOMAINS];
};

/* Works without simulated IOMMUs, too: then nothing is known of domains */
static inline int sim_state(struct sim_state *s)
{
	static char buf[65536];
	unsigned int n = 0, devices, id;
	unsigned long long mapped;
	char *line, *next;
	int ret;

	memset(s, 0, sizeof(*s));
	/* Fold the per-CPU counters; not there without SMP */
	sim_write("1", "/proc/sys/vm/stat_refresh");
	ret = sim_read(buf, sizeof(buf), "/proc/vmstat");
	if (ret < 0)
		return ret;
	s->pinned = sim_number(buf, "nr_foll_pin_acquired") -
		    sim_number(buf, "nr_foll_pin_released");
	ret = sim_read(buf, sizeof(buf), "/proc/self/status");
	if (ret < 0)
		return ret;
	s->locked = sim_number(buf, "VmLck") + sim_number(buf, "VmPin");
	if (access(SIM_DEBUG, R_OK))
		return 0;

	s->violations = sim_stat(".", "violations");
	ret = sim_read(buf, sizeof(buf), SIM_DEBUG "/domains");
	if (ret < 0)
		return ret;
	for (line = strtok_r(buf, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next)) {
		if (sscanf(line,
			   "id %u type unmanaged family %*s devices %u mapped %llu",
			   &id, &devices, &mapped) != 3)
			continue;
		if (n == SIM_MAX_DOMAINS)
			return -E2BIG;
		s->domain[n].id = id;
		s->domain[n].devices = devices;
		s->domain[n++].mapped = mapped;
	}
	s->nr_domains = n;
	return 0;
}

/* In words, to be compared or printed */
static inline char *sim_state_str(const struct sim_state *s, char *buf,
				  size_t size)
{
	size_t len;
	unsigned int i;

	len = snprintf(buf, size, "pinned %ld locked %ld violations %ld",
		       s->pinned, s->locked, s->violations);
	for (i = 0; i < s->nr_domains && len < size; i++)
		len += snprintf(buf + len, size - len,
				"; domain %u devices %u mapped %llu",
				s->domain[i].id, s->domain[i].devices,
				s->domain[i].mapped);
	return buf;
}

/* VFIO, for real devices as well */

/* The number of the IOMMU group of a device by its name on the bus */
static inline int vfio_group_nr(const char *name)
{
	static const char * const buses[] = {
		"platform", "pci", "mdev", NULL
	};
	char path[SIM_PATH_MAX], link[SIM_PATH_MAX];
	unsigned int i;
	ssize_t n;

	for (i = 0; buses[i]; i++) {
		snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/iommu_group",
			 buses[i], name);
		n = readlink(path, link, sizeof(link) - 1);
		if (n > 0) {
			link[n] = 0;
			return atoi(strrchr(link, '/') + 1);
		}
	}
	return -ENODEV;
}

/* Returns the file */
static inline int vfio_group_open(const char *name)
{
	char path[SIM_PATH_MAX];
	int fd, nr = vfio_group_nr(name);

	if (nr < 0)
		return nr;
	snprintf(path, sizeof(path), "/dev/vfio/%d", nr);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Of a device of a simulated IOMMU; returns the file */
static inline int sim_group_open(const char *dev)
{
	char name[128];
	int ret = sim_name(dev, name, sizeof(name));

	return ret ?: vfio_group_open(name);
}

static inline int vfio_container_open(void)
{
	int fd = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static inline int vfio_join(int container, int group)
{
	return ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ? -errno : 0;
}

static inline int vfio_leave(int group)
{
	return ioctl(group, VFIO_GROUP_UNSET_CONTAINER) ? -errno : 0;
}

static inline int vfio_set_iommu(int container)
{
	return ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) ? -errno : 0;
}

/* Returns the file */
static inline int vfio_device_open(int group, const char *name)
{
	int fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);

	return fd < 0 ? -errno : fd;
}

static inline int vfio_map_prot(int container, void *vaddr, unsigned long iova,
				unsigned long size, unsigned int prot)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = prot,
		.vaddr = (unsigned long)vaddr,
		.iova = iova,
		.size = size,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &map) ? -errno : 0;
}

static inline int vfio_map(int container, void *vaddr, unsigned long iova,
			   unsigned long size)
{
	return vfio_map_prot(container, vaddr, iova, size,
			     VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE);
}

/* -ENOENT if not all of it was mapped */
static inline int vfio_unmap(int container, unsigned long iova,
			     unsigned long size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = size,
	};

	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		return -errno;
	return unmap.size == size ? 0 : -ENOENT;
}

#endif /* __SELFTEST_VFIO_SIM_H */
