/* SPDX-License-Identifier: GPL-2.0 */
/*
 * QEMU's edu device: it copies from memory to a buffer that it has, or back,
 * and takes 100 ms for it. It has 28 address bits.
 */
#ifndef EDU_H
#define EDU_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define EDU_ID		0x11e81234
#define EDU_SRC		0x80
#define EDU_DST		0x88
#define EDU_COUNT	0x90
#define EDU_CMD		0x98
#define EDU_START	1
#define EDU_TO_RAM	2
#define EDU_BUF		0x40000
#define EDU_MAX		4095
#define EDU_BAR		0x2000	/* as much of BAR 0 as has registers */

/* Whether the device of this folder in sysfs is one; it may be about to go */
static inline bool is_edu(const char *sysfs)
{
	char path[300];
	uint32_t id = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/config", sysfs);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	if (pread(fd, &id, sizeof(id), 0) != sizeof(id))
		id = 0;
	close(fd);
	return id == EDU_ID;
}

/* The device is told when all that it may read is in memory */
static inline void edu_copy(volatile uint32_t *bar, uint64_t src, uint64_t dst,
			    int dir)
{
	bar[EDU_SRC / 4] = src;
	bar[EDU_DST / 4] = dst;
	bar[EDU_COUNT / 4] = EDU_MAX;
	__sync_synchronize();
	bar[EDU_CMD / 4] = EDU_START | dir;
	while (bar[EDU_CMD / 4] & EDU_START)
		usleep(1000);
	__sync_synchronize();
}

#endif
