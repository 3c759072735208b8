/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One container, the groups that join it, and devices that prove DMA in it. An
 * error that no test means ends the guest: without the "end" report the run has
 * failed.
 */
#ifndef GUEST_VFIO_H
#define GUEST_VFIO_H

#include "guest.h"

#define MAX_GROUPS	32
#define MAX_FUNCTIONS	8

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
	const void *kind;		/* what tells of it, a find_groups()'s known() */
	int fd;				/* -1 if it is not open */
};

struct group {
	int number;
	int fd;
	char *iommu;			/* the instance, as /sys/class/iommu names it */
	struct device dev[MAX_FUNCTIONS];
	int ndevs;
	long best_ns;
	long best_open_ns;		/* and with the devices opened, too */
	struct join join;
};

/* In the order of their first devices' names */
extern struct group groups[MAX_GROUPS];
extern int ngroups;

/*
 * Bind all devices to vfio-pci that known() returns not NULL for, and open their
 * groups, of which there must be some. Reports "refused" and ends if there are no
 * groups as no IOMMU translates.
 */
void find_groups(const void *(*known)(uint32_t class, uint32_t id), int at_least);
void open_group(struct group *g);
/* The group's devices vanish and come back; the group is found anew. */
void replug(struct group *g);

/* --- The container ------------------------------------------------------ */

/*
 * A join opens the devices of the group, too, and they stay open as long as it is
 * in. Behind iommufd a group is in no domain before that.
 */
extern bool join_opens;
/* Its file; for refused_replace() that of iommufd */
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
void map(uint64_t iova, void *mem, size_t size);
void unmap(uint64_t iova, size_t size);
/* The lowest IOVA that the container can map, 0 if that is low */
uint64_t aperture(void);

/* --- iommufd, without a container ---------------------------------------- */

/*
 * A device and another one are in a domain, and the first is to go to one that the
 * driver refuses. Reports if DMA goes on, and, @outside, does not arrive elsewhere.
 * Nobody can have the groups after that.
 */
void refused_replace(bool outside);

/* --- DMA ---------------------------------------------------------------- */

/* For find_groups() */
const void *can_dma(uint32_t class, uint32_t id);
/* Map what the devices use. It is there to be replayed, too. */
void map_pages(void);
/* Each device of the group writes what arrives, and, @outside, what must not. */
bool dma(struct group *g, bool outside);

#endif
