// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of the guest's guest: again and again it looks which edu devices there
 * are, has all of them copy a page of random bytes to another page, and says on
 * a virtio port which did. A round is a line: "round N" and the address of each
 * device, with a "!" before it if nothing arrived.
 *
 * On the kernel command line: lab.do=panic|stuck goes wrong on purpose.
 */
#define _GNU_SOURCE
#include <linux/pci_regs.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "guest.h"

#define MAX_DEVICES	8
#define EDU_BAR		0x2000	/* as much of BAR 0 as has registers */

/* What a device is to be told: without a vIOMMU that is the physical address */
static uint64_t physical(const unsigned char *mem)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0 || pread(fd, &entry, 8, (uintptr_t)mem / PAGE * 8) != 8)
		fail("/proc/self/pagemap");
	close(fd);
	return (entry & ((1ULL << 55) - 1)) * PAGE;
}

/* The device is told when all that it may read is in memory */
static void edu_copy(volatile uint32_t *bar, uint64_t src, uint64_t dst, int dir)
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

static bool dma(const char *device)
{
	unsigned char *mem = new_pages(2 * PAGE);
	uint16_t cmd = PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	unsigned int seed = getpid();
	volatile uint32_t *bar;
	int fd;

	fd = open(str(PCI "/devices/%s/config", device), O_RDWR);
	if (pwrite(fd, &cmd, 2, PCI_COMMAND) != 2)
		return false;
	fd = open(str(PCI "/devices/%s/resource0", device), O_RDWR);
	bar = mmap(NULL, EDU_BAR, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED)
		return false;

	for (int i = 0; i < EDU_MAX; i++)
		mem[i] = rand_r(&seed);
	edu_copy(bar, physical(mem), EDU_BUF, 0);
	edu_copy(bar, EDU_BUF, physical(mem + PAGE), EDU_TO_RAM);
	return !memcmp(mem, mem + PAGE, EDU_MAX);
}

/*
 * All devices at once, each in a process of its own: one whose device is taken
 * away dies of it, and no other.
 */
static void play(int n)
{
	struct { char *name; pid_t pid; } device[MAX_DEVICES];
	char *line = str("round %d:", n);
	int devices = 0, status;

	for (char **name = names(PCI "/devices"); *name && devices < MAX_DEVICES; name++) {
		if (pci_config(*name, PCI_VENDOR_ID) != EDU_ID)
			continue;
		device[devices].name = *name;
		device[devices].pid = fork();
		if (!device[devices].pid)
			_exit(!dma(*name));
		devices++;
	}
	for (int i = 0; i < devices; i++) {
		must(waitpid(device[i].pid, &status, 0), "waitpid");
		line = str("%s %s%s", line, status ? "!" : "", device[i].name);
	}
	report("%s", line);
}

int main(void)
{
	begin();
	/* The host sees by it that it sees the console */
	write_file("/dev/kmsg", "<4>nested: up");
	if (!strcmp(option("lab.do="), "panic"))
		return 1;		/* the kernel does not like that */
	if (!strcmp(option("lab.do="), "stuck"))
		for (;;)
			pause();
	/* It runs for a minute or so: what str() and names() took may stay */
	for (int n = 1;; n++, usleep(100000))
		play(n);
}
