/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a static PID 1 of a guest needs: files, the kernel's command line, the
 * probe module, and reports. Reports are JSON, one object a line, on a virtio
 * port; the first one is "hello", the last one "end". The console carries only
 * kernel messages.
 */
#ifndef GUEST_H
#define GUEST_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define PAGE		4096UL

/* Where reports go. One that is lost needs no message: the host misses it. */
extern int results;
#define report(fmt, ...)	dprintf(results, fmt "\n", __VA_ARGS__)

/* Nobody frees it: the guest does not live long */
static inline char *str(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	return s;
}

static inline void __attribute__((noreturn)) power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* Report what went wrong and stop: without the end line the run has failed */
static inline void __attribute__((noreturn)) fail(const char *what)
{
	report("{\"type\": \"error\", \"what\": \"%s\", \"errno\": \"%s\"}",
	       what, errno ? strerrorname_np(errno) : "none");
	power_off();
}

static inline long read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	long len = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (len < 0)
		fail(path);
	close(fd);
	buf[len] = 0;
	return len;
}

static inline void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(path);
	close(fd);
}

static inline void mount_at(const char *root, const char *type, const char *dir)
{
	char *path = str("%s%s", root, dir);

	mkdir(path, 0755);
	if (mount(type, path, type, 0, NULL))
		fail(path);
}

/*
 * A port of virtio-serial, which is there a moment after its bus is. The number
 * of its device depends on what else there is.
 */
static inline int open_port(int number)
{
	struct dirent **list;
	int fd, n, port;

	for (;;) {
		n = scandir("/sys/class/virtio-ports", &list, NULL, NULL);
		while (n-- > 0) {
			if (sscanf(list[n]->d_name, "vport%*dp%d", &port) != 1 || port != number)
				continue;
			fd = open(str("/dev/%s", list[n]->d_name), O_WRONLY | O_CLOEXEC);
			if (fd >= 0)
				return fd;
		}
		usleep(1000);
	}
}

/* As JSON */
static inline const char *truth(bool b)
{
	return b ? "true" : "false";
}

/* As JSON: 0 or the name */
static inline const char *errno_name(int err)
{
	return err ? str("\"%s\"", strerrorname_np(err)) : "0";
}

/* What follows a name on the kernel command line */
static inline char *option(const char *name)
{
	char cmdline[2048], *value;

	read_file("/proc/cmdline", cmdline, sizeof(cmdline));
	value = strstr(cmdline, name);
	if (!value)
		return "";
	value += strlen(name);
	return strndup(value, strcspn(value, " \n"));
}

static inline unsigned long probe_get(const char *name)
{
	char buf[32];

	read_file(str("/sys/module/probe/parameters/%s", name), buf, sizeof(buf));
	return strtoul(buf, NULL, 0);
}

static inline void probe_set(const char *name, const char *value)
{
	write_file(str("/sys/module/probe/parameters/%s", name), value);
}

/* Says which kernel, and which IOMMUs there really are: dmar0 is VT-d */
static inline void hello(void)
{
	struct dirent **list;
	struct utsname uts;
	char *iommus = "";
	int n, i;

	n = scandir("/sys/class/iommu", &list, NULL, alphasort);
	for (i = 0; i < n; i++)
		if (list[i]->d_name[0] != '.')
			iommus = str("%s%s%s", iommus, *iommus ? " " : "", list[i]->d_name);
	uname(&uts);
	report("{\"type\": \"hello\", \"kernel\": \"%s\", \"release\": \"%s\", \"iommu\": \"%s\"}",
	       option("lab.kernel="), uts.release, iommus);
}

/* The last report */
static inline void __attribute__((noreturn)) end(bool probed)
{
	errno = 0;
	if (probed && probe_get("missed"))
		fail("the probe module missed attaches");
	report("{\"type\": \"%s\"}", "end");
	power_off();
}

static inline void load_probe(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		fail(path);
	close(fd);
}

#endif
