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

#include "edu.h"
#include "guest.h"

#define MAX_DEVICES	8

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

static bool dma(const char *sysfs)
{
	unsigned char *mem;
	volatile uint32_t *bar;
	unsigned int seed = getpid(), i;
	uint16_t cmd;
	int fd;

	fd = open(str("%s/config", sysfs), O_RDWR);
	if (fd < 0 || pread(fd, &cmd, 2, PCI_COMMAND) != 2)
		return false;
	cmd |= PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	if (pwrite(fd, &cmd, 2, PCI_COMMAND) != 2)
		return false;

	fd = open(str("%s/resource0", sysfs), O_RDWR);
	bar = mmap(NULL, EDU_BAR, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	mem = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (bar == MAP_FAILED || mem == MAP_FAILED)
		return false;

	for (i = 0; i < EDU_MAX; i++)
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
	char *sysfs, *line = str("round %d:", n), *name[64];
	int devices = 0, status, i;

	n = names(PCI "/devices", name, ARRAY_SIZE(name));
	for (i = 0; i < n && devices < MAX_DEVICES; i++) {
		sysfs = str(PCI "/devices/%s", name[i]);
		if (!is_edu(sysfs))
			continue;
		device[devices].name = name[i];
		device[devices].pid = fork();
		if (!device[devices].pid)
			_exit(!dma(sysfs));
		devices++;
	}
	for (i = 0; i < devices; i++) {
		if (waitpid(device[i].pid, &status, 0) < 0)
			fail("waitpid");
		line = str("%s %s%s", line, status ? "!" : "", device[i].name);
	}
	report("%s", line);
}

int main(void)
{
	int n;

	begin();
	/* The host sees by it that it sees the console */
	write_file("/dev/kmsg", "<4>nested: up");
	if (!strcmp(option("lab.do="), "panic"))
		return 1;		/* the kernel does not like that */
	if (!strcmp(option("lab.do="), "stuck"))
		for (;;)
			pause();
	for (n = 1;; n++) {
		/* It runs for a minute or so: what str() and names() took may stay */
		play(n);
		usleep(100000);
	}
}
