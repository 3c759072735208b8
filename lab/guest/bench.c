// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of the guest that measures what joining a container costs, by the number
 * of groups, of mapped memory, and, on simulated IOMMUs (lab.sim=1), of IOMMUs
 * that do not share domains. Time is measured before the probe module is loaded,
 * calls after it: so the same is done twice. With lab.open=1 on the kernel command
 * line a join is also measured until the devices are open.
 */
#define _GNU_SOURCE
#include "vfio.h"

#define MIB		(1UL << 20)
#define MAX_MIB		1024
/* Behind the window of SMMUv3's MSIs and what x86 and arm64 reserve below 4 GiB */
#define IOVA		(8UL << 30)
/* zPCI's aperture ends where 4 GiB and the size of memory do */
#define IOVA_ZPCI	(4UL << 30)
#define MAX_JOINING	16
#define SIM		"/sys/kernel/config/iommu-sim"
#define SIM_GROUPS	32

static const unsigned int sizes[] = { 0, 64, MAX_MIB };
static char *memory;
static const char *measured = "ns";	/* or NULL: calls are counted */

static void map_memory(unsigned long mib)
{
	if (mib)
		map(aperture() >= IOVA_ZPCI ? IOVA_ZPCI : IOVA, memory, mib * MIB);
}

/* ns only without the probe's own time in it, the calls only with the probe */
static void report_join(const char *what, int iommus, int n, unsigned long mib,
			const struct join *j)
{
	report("{\"type\": \"%s\", \"iommus\": %d, \"groups\": %d, \"mapped_mib\": %lu, %s}",
	       what, iommus, n, mib,
	       measured ? str("\"%s\": %ld", measured, j->ns) : calls_json(j->cost));
}

/*
 * All groups join one after the other, the memory being mapped when the first one
 * is in. The first round allocates what a group keeps, as its blocking domain.
 */
static void measure_joins(const char *what, int iommus, int n, unsigned long mib)
{
	for (int round = 0; round < 2; round++) {
		new_container();
		for (int i = 0; i < n; i++) {
			must_join(&groups[i]);
			if (!i)
				map_memory(mib);
			if (round)
				report_join(what, iommus, i + 1, mib, &groups[i].join);
		}
		close_container();
	}
}

/* Pages in use, as the difference of two calls: allocated less freed */
static long pages_used(void)
{
	long used = -number_in("/proc/vmstat", "pgfree ");
	char buf[16384], *line;

	read_file("/proc/vmstat", buf, sizeof(buf));
	for (line = strstr(buf, "pgalloc_"); line; line = strstr(line + 1, "pgalloc_"))
		used += atol(strchr(line, ' '));
	return used;
}

/*
 * The second group joins while attaching to the first one's domain fails; the
 * second time counts.
 */
static void measure_error(unsigned long mib)
{
	struct join j;
	long pages;

	for (int round = 0; round < 2; round++) {
		new_container();
		must_join(&groups[0]);
		map_memory(mib);
		inject(ENOMEM, "target", str("%u", groups[0].join.domain));
		usleep(100000);		/* What is freed late is free now. */
		pages = pages_used();
		j = join(&groups[1]);
		pages = pages_used() - pages;
		probe_set("target", "0");
		close_container();
	}
	report("{\"type\": \"hard-error\", \"iommus\": 1, \"groups\": 2, \"mapped_mib\": %lu, %s, "
	       "\"errno\": %s, \"ns\": %ld, \"kib\": %ld}",
	       mib, calls_json(j.cost), errno_name(j.err), j.ns, pages * (long)PAGE / 1024);
}

/* --- Simulated IOMMUs (Documentation/driver-api/iommu-sim.rst) ---------------- */

static void sim_device(int iommu, int n)
{
	char *name = str("i%d.d%d", iommu, n), *sysfs = str("/sys/bus/platform/devices/%s", name);
	struct group *g = &groups[ngroups++];

	write_file(str("%s/driver_override", sysfs), "vfio-platform");
	write_file("/sys/bus/platform/drivers/vfio-platform/bind", name);
	*g = (struct group){ .ndevs = 1, .dev[0] = { .name = name, .fd = -1 } };
	g->number = atoi(link_name(str("%s/iommu_group", sysfs)) ? : "-1");
	open_group(g);
}

/* n groups, which are behind the IOMMUs in turn */
static void sim_begin(int iommus, int n)
{
	for (int i = 0; i < iommus; i++) {
		must(mkdir(str(SIM "/i%d", i), 0755), SIM);
		write_file(str(SIM "/i%d/family", i), str("%d", i));
	}
	for (int i = 0; i < n; i++)
		must(mkdir(str(SIM "/i%d/d%d", i % iommus, i), 0755), SIM);
	for (int i = 0; i < iommus; i++)
		write_file(str(SIM "/i%d/live", i), "1");
	for (int i = 0; i < n; i++)
		sim_device(i % iommus, i);
}

static void sim_end(int iommus)
{
	for (int i = 0; i < ngroups; i++) {
		close(groups[i].fd);
		must(rmdir(str(SIM "/i%d/d%d", i % iommus, i)), "rmdir of a simulated device");
	}
	for (int i = 0; i < iommus; i++)
		must(rmdir(str(SIM "/i%d", i)), "rmdir of a simulated IOMMU");
	ngroups = 0;
}

/* --- */

static void measure_sim(void)
{
	static const int iommus[] = { 1, 2, 4, 8, 16 };

	for (size_t k = 0; k < ARRAY_SIZE(iommus); k++) {
		sim_begin(iommus[k], SIM_GROUPS);
		for (size_t i = 0; i < 2; i++)
			measure_joins("growth", iommus[k], SIM_GROUPS, sizes[i]);
		sim_end(iommus[k]);
	}
}

static void measure(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		measure_joins("join", 1, ngroups < MAX_JOINING ? ngroups : MAX_JOINING, sizes[i]);
}

int main(void)
{
	bool sim;

	begin();
	hello();
	join_opens = !strcmp(option("lab.kernel="), "iommufd");
	sim = *option("lab.sim=");
	memory = new_pages(MAX_MIB * MIB);
	if (sim) {
		mount_at("", "configfs", "/sys/kernel/config");
		measure_sim();
		sim_begin(1, MAX_JOINING);
	} else {
		find_groups(can_dma, 2);
	}
	measure();
	if (*option("lab.open=")) {
		join_opens = true;
		measured = "open_ns";
		measure();
		join_opens = false;
	}
	load_probe(str("/%s/probe.ko", option("lab.kernel=")));
	measured = NULL;
	measure();
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		measure_error(sizes[i]);
	if (sim) {
		sim_end(1);
		measure_sim();
	}
	end();
}
