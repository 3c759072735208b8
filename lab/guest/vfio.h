/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One container and the groups that join it, devices that prove DMA. An error
 * that no test means ends the guest: without the "end" report the run has failed.
 */
#include <linux/types.h>
#include "guest.h"

#define MAX_GROUPS	32
#define MAX_FUNCTIONS	8

/* Mounts, the port for results, hello() */
void begin(void);
/* end(), after a look at the probe if it is loaded */
void finish(void) __attribute__((noreturn));
/* Guest time in ns */
long now(void);

/* --- Calls of the IOMMU core, counted by the probe module ------------------- */

/* "domain_alloc", "domain_free", "attach_group", "attach_dev", "detach_group" */
#define COUNTERS	5
extern const char *const counters[COUNTERS];

/* The one of this kernel */
void count_calls(void);

/* --- Groups ------------------------------------------------------------- */

/* One attempt to join the container */
struct join {
	int err;
	unsigned int domain;		/* id, 0: none */
	unsigned long cost[COUNTERS];
	long ns;
};

struct device {
	char *name;			/* 0000:00:03.0 */
	const struct kind *kind;
	int fd;				/* while its DMA is tried */
	uint64_t bar, config;		/* offsets of the regions in it */
};

struct group {
	int number;
	int fd;
	char *iommu;			/* the instance, as /sys/class/iommu names it */
	struct device dev[MAX_FUNCTIONS];
	int ndevs;
	long best_ns;
	struct join join;
};

/* In the order of their first devices' names */
extern struct group groups[MAX_GROUPS];
extern int ngroups;

/*
 * Bind all devices of a known kind to vfio-pci and open their groups. Reports
 * "refused" and ends if there are no groups as no IOMMU translates.
 */
void find_groups(void);
void open_group(struct group *g);
/* The group's devices vanish and come back; the group is found anew. */
void replug(struct group *g);

/* --- The container ------------------------------------------------------ */

extern int container;
/* The groups in it, in the order in which they joined */
extern struct group *members[MAX_GROUPS];
extern int nmembers;

void new_container(void);
/* The first group sets the IOMMU, too. */
struct join join(struct group *g);
/* As join(), for a group that must not fail */
void must_join(struct group *g);
void leave(struct group *g);
void close_container(void);
int map(uint64_t iova, void *mem, size_t size);
int unmap(uint64_t iova, size_t size);
/* What VFIO has charged to this process, in KiB */
unsigned long locked_memory(void);
/* The lowest IOVA that the container can map, 0 if that is low */
uint64_t aperture(void);

/* --- DMA ---------------------------------------------------------------- */

/* Map what the devices use. It is there to be replayed, too. */
void map_pages(void);
/* Each device of the group writes what arrives, and, @outside, what must not. */
bool dma(struct group *g, bool outside);
const struct kind *kind_of(uint32_t class, uint32_t id);
