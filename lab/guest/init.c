// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of the test guest: takes every PCI device whose DMA it can prove
 * through VFIO into one container and reports what each of them cost, then
 * does it again with errnos injected, and powers off.
 *
 * Reports are JSON, one object a line, on a virtio port; the first one is
 * "hello", the last one "end". The console carries only kernel messages.
 *
 * On the kernel command line: lab.kernel=stock|patched chooses the probe
 * module; lab.do=panic|hang|silent|noend|warn goes wrong on purpose.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		4096UL
#define MAX_GROUPS	16
#define TIME_ROUNDS	5
#define TIMEOUT_MS	5000

/*
 * What the devices see. edu has 28 address bits, so all that a device touches
 * is below 256 MiB; HIGH is there to be replayed. OUT is mapped only for a
 * moment at a time. The pages are one array in this process.
 */
enum { SOURCE, DEST, SQ, CQ, OUT, HIGH, PAGES = HIGH + 4 };
#define LOW_IOVA	0x01000000UL
#define OUT_IOVA	0x02000000UL
#define HIGH_IOVA	0x100000000UL

static unsigned char (*page)[PAGE];

static const char *const counters[] = {
	"domain_alloc", "domain_free", "attach_group", "attach_dev",
	"detach_group",
};

#define COUNTERS	ARRAY_SIZE(counters)

/* One attempt to join a container */
struct join {
	int err;
	unsigned int domain;		/* id, 0: none */
	unsigned long cost[COUNTERS];
	long ns;
};

struct group {
	char *device;			/* 0000:00:03.0 */
	const struct kind *kind;
	int number;
	int fd;
	int dev;			/* -1: not open */
	volatile uint32_t *bar;
	long best_ns;
	struct join join;
};

/* A kind of device that can be told to write what it knows to memory */
struct kind {
	uint32_t class;			/* 0: match id instead */
	uint32_t id;
	bool (*write)(struct group *g, uint64_t iova);
	bool (*written)(const unsigned char *mem);
};

static struct group groups[MAX_GROUPS];
static int ngroups;
static int container;
static int results = -1;
static bool probed;			/* the probe module is loaded */

/* Nobody frees it: the guest does not live long */
static char *str(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	return s;
}

/* A report that is lost needs no message: the host misses it */
#define report(fmt, ...)	dprintf(results, fmt "\n", __VA_ARGS__)

static void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* Report what went wrong and stop: without the end line the run has failed */
static void fail(const char *what)
{
	report("{\"type\": \"error\", \"what\": \"%s\", \"errno\": \"%s\"}",
	       what, errno ? strerrorname_np(errno) : "none");
	power_off();
}

static long read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	long len = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (len < 0)
		fail(path);
	close(fd);
	buf[len] = 0;
	return len;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(path);
	close(fd);
}

static unsigned long probe_get(const char *name)
{
	char buf[32];

	read_file(str("/sys/module/probe/parameters/%s", name), buf, sizeof(buf));
	return strtoul(buf, NULL, 0);
}

static void probe_set(const char *name, unsigned int value)
{
	write_file(str("/sys/module/probe/parameters/%s", name), str("%u", value));
}

static void load_probe(const char *kernel)
{
	char *path = str("/%s/probe.ko", kernel);
	int fd;

	fd = open(path, O_RDONLY);
	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		fail(path);
	close(fd);
	probed = true;
}

/* --- DMA ---------------------------------------------------------------- */

/* Tell a device to start, when all that it may read is in memory */
static void start(struct group *g, int reg, uint32_t value)
{
	__sync_synchronize();
	g->bar[reg / 4] = value;
}

static bool poll_reg(struct group *g, int reg, uint32_t mask, uint32_t want)
{
	int ms;

	for (ms = 0; ms < TIMEOUT_MS; ms++) {
		if ((g->bar[reg / 4] & mask) == want) {
			__sync_synchronize();
			return true;
		}
		usleep(1000);
	}
	return false;
}

/* QEMU's edu: from memory to its buffer and back, 100 ms each way */
#define EDU_SRC		0x80
#define EDU_DST		0x88
#define EDU_COUNT	0x90
#define EDU_CMD		0x98
#define EDU_START	1
#define EDU_TO_RAM	2
#define EDU_BUF		0x40000
#define EDU_MAX		4095

static bool edu_copy(struct group *g, uint64_t src, uint64_t dst, int dir)
{
	g->bar[EDU_SRC / 4] = src;
	g->bar[EDU_DST / 4] = dst;
	g->bar[EDU_COUNT / 4] = EDU_MAX;
	start(g, EDU_CMD, EDU_START | dir);
	return poll_reg(g, EDU_CMD, EDU_START, 0);
}

static bool edu_write(struct group *g, uint64_t iova)
{
	static unsigned int seed;
	unsigned int i;

	for (i = 0; i < EDU_MAX; i++)
		page[SOURCE][i] = rand_r(&seed);
	return edu_copy(g, LOW_IOVA + SOURCE * PAGE, EDU_BUF, 0) &&
	       edu_copy(g, EDU_BUF, iova, EDU_TO_RAM);
}

static bool edu_written(const unsigned char *mem)
{
	return !memcmp(mem, page[SOURCE], EDU_MAX);
}

/* NVMe: one Identify Controller on an admin queue that is made for it */
#define NVME_CC		0x14
#define NVME_CC_ON	(1 | 6 << 16 | 4 << 20)	/* enable, entries of 64 and 16 */
#define NVME_CSTS	0x1c
#define NVME_AQA	0x24
#define NVME_ASQ	0x28
#define NVME_ACQ	0x30
#define NVME_SQ_TAIL	0x1000
#define NVME_IDENTIFY	6

static bool nvme_write(struct group *g, uint64_t iova)
{
	volatile uint32_t *sq = (void *)page[SQ], *cq = (void *)page[CQ];
	int ms;

	g->bar[NVME_CC / 4] = 0;
	if (!poll_reg(g, NVME_CSTS, 1, 0))
		return false;
	memset(page[SQ], 0, PAGE);
	memset(page[CQ], 0, PAGE);
	g->bar[NVME_AQA / 4] = 1 << 16 | 1;
	g->bar[NVME_ASQ / 4] = LOW_IOVA + SQ * PAGE;
	g->bar[NVME_ASQ / 4 + 1] = 0;
	g->bar[NVME_ACQ / 4] = LOW_IOVA + CQ * PAGE;
	g->bar[NVME_ACQ / 4 + 1] = 0;
	start(g, NVME_CC, NVME_CC_ON);
	if (!poll_reg(g, NVME_CSTS, 3, 1))
		return false;

	sq[0] = NVME_IDENTIFY;
	sq[6] = iova;
	sq[7] = iova >> 32;
	sq[10] = 1;
	start(g, NVME_SQ_TAIL, 1);
	for (ms = 0; ms < TIMEOUT_MS; ms++) {
		if (cq[3] & 1 << 16) {	/* done, well or not */
			__sync_synchronize();
			return true;
		}
		usleep(1000);
	}
	return false;
}

static bool nvme_written(const unsigned char *mem)
{
	return mem[0] == 0x36 && mem[1] == 0x1b;	/* QEMU's vendor id */
}

static const struct kind kinds[] = {
	{ .id = 0x11e81234, .write = edu_write, .written = edu_written },
	{ .class = 0x010802, .write = nvme_write, .written = nvme_written },
};

static int map(uint64_t iova, void *mem, size_t size)
{
	struct vfio_iommu_type1_dma_map m = {
		.argsz = sizeof(m), .iova = iova, .size = size,
		.vaddr = (uintptr_t)mem,
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
	};

	return ioctl(container, VFIO_IOMMU_MAP_DMA, &m);
}

static int unmap(uint64_t iova, size_t size)
{
	struct vfio_iommu_type1_dma_unmap u = {
		.argsz = sizeof(u), .iova = iova, .size = size,
	};

	if (ioctl(container, VFIO_IOMMU_UNMAP_DMA, &u))
		return -1;
	errno = 0;
	return u.size == size ? 0 : -1;
}

static void open_device(struct group *g)
{
	struct vfio_region_info bar = {
		.argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX,
	};
	struct vfio_region_info config = {
		.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t cmd;

	g->dev = ioctl(g->fd, VFIO_GROUP_GET_DEVICE_FD, g->device);
	if (g->dev < 0)
		fail("VFIO_GROUP_GET_DEVICE_FD");
	if (ioctl(g->dev, VFIO_DEVICE_GET_REGION_INFO, &config) ||
	    ioctl(g->dev, VFIO_DEVICE_GET_REGION_INFO, &bar))
		fail("VFIO_DEVICE_GET_REGION_INFO");

	if (pread(g->dev, &cmd, 2, config.offset + PCI_COMMAND) != 2)
		fail("read PCI_COMMAND");
	cmd |= PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	if (pwrite(g->dev, &cmd, 2, config.offset + PCI_COMMAND) != 2)
		fail("write PCI_COMMAND");

	g->bar = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		      g->dev, bar.offset);
	if (g->bar == MAP_FAILED)
		fail("mmap of BAR 0");
}

static void close_device(struct group *g)
{
	if (g->dev < 0)
		return;
	munmap((void *)g->bar, 2 * PAGE);
	close(g->dev);
	g->dev = -1;
}

static bool no_dma(struct group *g, const char *why)
{
	report("{\"type\": \"note\", \"what\": \"%s: %s\"}", g->device, why);
	return false;
}

/*
 * The device writes through the mapping and it arrives; it writes to a page
 * mapped this moment and it arrives; it writes there again after the unmap,
 * and nothing arrives, although the page is still there.
 */
static bool dma(struct group *g)
{
	unsigned char *mem = page[OUT];
	bool arrived;
	size_t i;

	if (g->dev < 0)
		open_device(g);

	memset(page[DEST], 0xaa, PAGE);
	if (!g->kind->write(g, LOW_IOVA + DEST * PAGE) ||
	    !g->kind->written(page[DEST]))
		return no_dma(g, "nothing arrived through the mapping");

	memset(mem, 0xaa, PAGE);
	if (map(OUT_IOVA, mem, PAGE))
		fail("VFIO_IOMMU_MAP_DMA");
	arrived = g->kind->write(g, OUT_IOVA) && g->kind->written(mem);
	if (unmap(OUT_IOVA, PAGE))
		fail("VFIO_IOMMU_UNMAP_DMA");
	if (!arrived)
		return no_dma(g, "nothing arrived through a new mapping");

	memset(mem, 0xaa, PAGE);
	if (!g->kind->write(g, OUT_IOVA))
		return no_dma(g, "the device does not finish a write outside");
	for (i = 0; i < PAGE; i++)
		if (mem[i] != 0xaa)
			return no_dma(g, "a write outside arrived");
	return true;
}

/* --- Containers --------------------------------------------------------- */

static int by_device(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->device,
		      ((const struct group *)b)->device);
}

static void find_groups(void)
{
	char link[256], buf[32], *path;
	struct dirent *d;
	struct group *g;
	uint32_t class, id;
	DIR *dir;
	size_t i;

	dir = opendir("/sys/bus/pci/devices");
	if (!dir)
		fail("/sys/bus/pci/devices");
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		path = str("/sys/bus/pci/devices/%s", d->d_name);
		read_file(str("%s/class", path), buf, sizeof(buf));
		class = strtoul(buf, NULL, 0);
		read_file(str("%s/config", path), buf, 5);
		memcpy(&id, buf, 4);

		for (i = 0; i < ARRAY_SIZE(kinds); i++)
			if (kinds[i].class ? kinds[i].class == class :
					     kinds[i].id == id)
				break;
		if (i == ARRAY_SIZE(kinds))
			continue;
		if (ngroups == MAX_GROUPS)
			fail("too many devices");
		g = &groups[ngroups++];
		g->kind = &kinds[i];
		g->device = str("%s", d->d_name);
	}
	closedir(dir);
	if (ngroups < 2)
		fail("fewer than two test devices");

	/* readdir() has no order; a device's address has */
	qsort(groups, ngroups, sizeof(*groups), by_device);

	for (g = groups; g < groups + ngroups; g++) {
		ssize_t len;

		g->dev = -1;
		path = str("/sys/bus/pci/devices/%s/driver_override", g->device);
		write_file(path, "vfio-pci");
		write_file("/sys/bus/pci/drivers_probe", g->device);

		path = str("/sys/bus/pci/devices/%s/iommu_group", g->device);
		len = readlink(path, link, sizeof(link) - 1);
		if (len < 0)
			fail(path);
		link[len] = 0;
		g->number = atoi(strrchr(link, '/') + 1);
		path = str("/dev/vfio/%d", g->number);
		g->fd = open(path, O_RDWR);
		if (g->fd < 0)
			fail(path);
	}
}

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static struct join join(struct group *g, bool first)
{
	unsigned long before[COUNTERS] = { 0 };
	struct join j = { 0 };
	size_t i;
	long start;

	for (i = 0; probed && i < COUNTERS; i++)
		before[i] = probe_get(counters[i]);

	start = now();
	if (ioctl(g->fd, VFIO_GROUP_SET_CONTAINER, &container) ||
	    (first && ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)))
		j.err = errno;
	j.ns = now() - start;

	for (i = 0; probed && i < COUNTERS; i++)
		j.cost[i] = probe_get(counters[i]) - before[i];
	if (probed && !j.err)
		j.domain = probe_get("last");
	return j;
}

/* A new container with the first group in it, and mappings to be replayed */
static struct join open_container(void)
{
	struct join j;

	container = open("/dev/vfio/vfio", O_RDWR);
	if (container < 0)
		fail("/dev/vfio/vfio");
	j = join(&groups[0], true);
	if (j.err) {
		errno = j.err;
		fail("the first group cannot join");
	}
	if (map(LOW_IOVA, page[SOURCE], OUT * PAGE) ||
	    map(HIGH_IOVA, page[HIGH], (PAGES - HIGH) * PAGE))
		fail("VFIO_IOMMU_MAP_DMA");
	return j;
}

/* Only the first n groups are in it */
static void close_container(int n)
{
	int i;

	for (i = 0; i < n; i++) {
		close_device(&groups[i]);
		if (ioctl(groups[i].fd, VFIO_GROUP_UNSET_CONTAINER))
			fail("VFIO_GROUP_UNSET_CONTAINER");
	}
	close(container);
}

/* How much memory VFIO has charged to this process, in KiB */
static unsigned long locked_memory(void)
{
	char buf[4096], *lck, *pin;

	read_file("/proc/self/status", buf, sizeof(buf));
	lck = strstr(buf, "VmLck:");
	pin = strstr(buf, "VmPin:");
	if (!lck || !pin)
		fail("VmLck and VmPin in /proc/self/status");
	return strtoul(lck + 6, NULL, 10) + strtoul(pin + 6, NULL, 10);
}

static const char *boolean(bool b)
{
	return b ? "true" : "false";
}

/* A domain is reused if a group that joined before g is in it */
static const char *domain_name(const struct join *j, int earlier)
{
	int i;

	if (j->err)
		return "null";
	for (i = 0; i < earlier; i++)
		if (groups[i].join.domain == j->domain)
			return "\"reused\"";
	return "\"fresh\"";
}

static const char *errno_name(int err)
{
	return err ? str("\"%s\"", strerrorname_np(err)) : "0";
}

/* extra: more members, for a join with an injected error */
static void report_join(int n, const struct join *j, long ns, bool dma_ok,
			const char *extra)
{
	char *cost = "";
	size_t i;

	for (i = 0; i < COUNTERS; i++)
		cost = str("%s\"%s\": %lu, ", cost, counters[i], j->cost[i]);
	report("{\"type\": \"group\", \"device\": \"%s\", \"group\": %d, \"domain\": %s, "
	       "%s\"ns\": %ld, \"dma\": %s, \"errno\": %s, %s}",
	       groups[n].device, groups[n].number, domain_name(j, n), cost, ns,
	       boolean(dma_ok), errno_name(j->err), extra);
}

static void join_all(void)
{
	struct group *g;
	int i;

	groups[0].join = open_container();
	for (i = 1; i < ngroups; i++) {
		g = &groups[i];
		g->join = join(g, false);
		if (g->join.err) {
			errno = g->join.err;
			fail("a group cannot join");
		}
	}
}

/*
 * Time is measured before the module is loaded: its breakpoints cost more than
 * the work between them. The first round also allocates what a group keeps,
 * as its blocking domain; the best round is the one nothing else got into.
 */
static void measure_time(void)
{
	int round, i;

	for (round = 0; round < TIME_ROUNDS; round++) {
		join_all();
		for (i = 0; i < ngroups; i++)
			if (!round || groups[i].join.ns < groups[i].best_ns)
				groups[i].best_ns = groups[i].join.ns;
		close_container(ngroups);
	}
}

static void measure_cost(void)
{
	int i;

	/* Every group is in before the first DMA: so all see what was replayed */
	join_all();
	for (i = 0; i < ngroups; i++)
		report_join(i, &groups[i].join, groups[i].best_ns, dma(&groups[i]),
			    "\"inject\": null");
	close_container(ngroups);
}

/*
 * The second group joins while attaching to the first one's domain fails.
 * Joined or not, the container must be as good as before, and where the join
 * failed, it must succeed when nothing is injected any more.
 */
static void inject(int err)
{
	unsigned long locked, injected;
	bool dma_ok = false, retry_dma = false, unharmed;
	struct join j, retry = { .err = 1 };
	char *extra;

	groups[0].join = open_container();
	locked = locked_memory();
	injected = probe_get("injected");

	probe_set("error", err);
	probe_set("target", groups[0].join.domain);
	j = join(&groups[1], false);
	probe_set("target", 0);
	injected = probe_get("injected") - injected;

	unharmed = locked_memory() == locked && dma(&groups[0]) &&
		   locked_memory() == locked;
	if (!j.err) {
		dma_ok = dma(&groups[1]);
	} else {
		retry = join(&groups[1], false);
		retry_dma = !retry.err && dma(&groups[1]);
	}

	extra = str("\"inject\": \"%s\", \"injected\": %lu, \"unharmed\": %s, "
		"\"retry\": %s, \"retry_dma\": %s", strerrorname_np(err),
		injected, boolean(unharmed), domain_name(&retry, 1),
		boolean(retry_dma));
	report_join(1, &j, j.ns, dma_ok, extra);
	close_container(j.err && retry.err ? 1 : 2);
}

/* A domain of another driver, while no container has the group */
static void foreign_domain(void)
{
	int ret, called;
	char buf[32];

	write_file("/sys/module/probe/parameters/foreign", groups[0].device);
	read_file("/sys/module/probe/parameters/foreign", buf, sizeof(buf));
	if (sscanf(buf, "%d %d", &ret, &called) != 2)
		fail("what the probe says of the foreign domain");
	report("{\"type\": \"foreign\", \"errno\": %s, \"called\": %s}",
	       errno_name(-ret), boolean(called));
}

/* --- */

static char *option(char *cmdline, const char *name)
{
	char *value = strstr(cmdline, name);

	if (!value)
		return "";
	value += strlen(name);
	return strndup(value, strcspn(value, " \n"));
}

int main(void)
{
	char cmdline[2048], *kernel, *todo, *iommu = "";
	struct utsname uts;
	struct dirent *d;
	DIR *dir;
	int ms;

	mkdir("/dev", 0755);
	mkdir("/proc", 0555);
	mkdir("/sys", 0555);
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) ||
	    mount("proc", "/proc", "proc", 0, NULL) ||
	    mount("sys", "/sys", "sysfs", 0, NULL))
		power_off();

	/* The port is there a moment after its bus is */
	for (ms = 0; ms < TIMEOUT_MS && results < 0; ms++) {
		results = open("/dev/vport0p1", O_WRONLY);
		if (results < 0)
			usleep(1000);
	}
	read_file("/proc/cmdline", cmdline, sizeof(cmdline));
	kernel = option(cmdline, "lab.kernel=");
	todo = option(cmdline, "lab.do=");

	if (!strcmp(todo, "panic"))
		return 1;		/* the kernel does not like that */
	if (!strcmp(todo, "silent"))
		power_off();

	/* Which IOMMU it really is: dmar0 is VT-d */
	dir = opendir("/sys/class/iommu");
	while (dir && (d = readdir(dir)))
		if (d->d_name[0] != '.')
			iommu = str("%s", d->d_name);
	uname(&uts);
	report("{\"type\": \"hello\", \"kernel\": \"%s\", \"release\": \"%s\", \"iommu\": \"%s\"}",
	       kernel, uts.release, iommu);

	if (!strcmp(todo, "hang"))
		for (;;)
			pause();
	if (!strcmp(todo, "noend"))
		power_off();
	if (!strcmp(todo, "warn"))
		write_file("/dev/kmsg", "<4>WARNING: CPU: 0 PID: 1 at init.c:1 main");

	page = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED)
		fail("mmap");

	find_groups();
	measure_time();
	load_probe(kernel);
	measure_cost();
	inject(EINVAL);
	inject(ENOMEM);
	inject(ENODEV);
	foreign_domain();

	errno = 0;
	if (probe_get("missed"))
		fail("the probe module missed attaches");
	report("{\"type\": \"%s\"}", "end");
	power_off();
}
