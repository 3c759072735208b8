/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a static PID 1 of a guest needs: files, the kernel's command line, the
 * probe module, and reports. Reports are JSON, one object a line, on a virtio
 * port; the first one is "hello", the last one "end". The console carries only
 * kernel messages.
 *
 * Nothing here gives up after some time: what is slow for one machine is not for
 * another. The host sees when nothing comes of it (lab/progress.py).
 */
#ifndef GUEST_H
#define GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		4096UL
#define PCI		"/sys/bus/pci"

/* Where reports go. One that is lost needs no message: the host misses it. */
extern int results;
#define report(fmt, ...)	dprintf(results, fmt "\n", __VA_ARGS__)

/* Nobody frees it: the guest does not live long */
char *str(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void power_off(void) __attribute__((noreturn));
/* Report what went wrong and stop: without the end line the run has failed */
void fail(const char *what) __attribute__((noreturn));
/* What a call returned; fail() if that is an error */
long must(long ret, const char *what);

long read_file(const char *path, char *buf, size_t size);
void write_file(const char *path, const char *text);
void mount_at(const char *root, const char *type, const char *dir);
void *new_pages(size_t size);
/* What VFIO has charged to a process, in KiB */
unsigned long locked_memory(pid_t pid);
/* The number behind a word in a file */
long number_in(const char *path, const char *word);
/* The names in a directory, sorted, but for the hidden ones, and NULL; none if it is not there */
char **names(const char *path);
/* What a link points to, and the last part of that; NULL: it is none */
char *link_target(const char *path);
char *link_name(const char *path);
/* What follows a name on the kernel command line */
char *option(const char *name);
void load_module(const char *path);
/* 32 bits of a device's configuration space; 0: it is about to go */
uint32_t pci_config(const char *device, int at);

/* As JSON; of an errno 0 or the name */
const char *truth(bool b);
const char *errno_name(int err);

/* /dev, /proc, /sys, and the port for results */
void begin(void);
int open_port(int number);
/* Says which kernel, and which IOMMUs there are: dmar0 is VT-d. Goes wrong here if it is to. */
void hello(void);
/* The last report */
void end(void) __attribute__((noreturn));

/* --- The probe module: calls of the IOMMU core, counted --------------------- */

/* domain_alloc, domain_free, attach_group, attach_dev, detach_group, injected */
#define COUNTERS	6

void load_probe(const char *path);
/* Nothing is counted before the module is loaded. */
void count(unsigned long calls[COUNTERS]);
/* The difference to an earlier count() */
void count_since(unsigned long calls[COUNTERS]);
/* As JSON: "domain_alloc": 1, ... */
char *calls_json(const unsigned long calls[COUNTERS]);
/* A parameter; 0 before the module is loaded */
long probe_get(const char *name);
void probe_set(const char *name, const char *value);
/* From now on attaches of a "target" (domain) or "device" fail with an errno */
void inject(int err, const char *what, const char *which);

/*
 * QEMU's edu device: it copies from memory to a buffer that it has, or back,
 * and takes 100 ms for it. It has 28 address bits.
 */
#define EDU_ID		0x11e81234
#define EDU_SRC		0x80
#define EDU_DST		0x88
#define EDU_COUNT	0x90
#define EDU_CMD		0x98
#define EDU_START	1
#define EDU_TO_RAM	2
#define EDU_BUF		0x40000
#define EDU_MAX		4095

#endif
