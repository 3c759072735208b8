// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <dirent.h>
#include <endian.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include "guest.h"

int results = -1;

static const char *const counters[COUNTERS] = {
	"domain_alloc", "domain_free", "attach_group", "attach_dev", "detach_group", "injected",
};

static bool probed;			/* the probe module is loaded */

char *str(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	return s;
}

void power_off(void)
{
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

void fail(const char *what)
{
	report("{\"type\": \"error\", \"what\": \"%s\", \"errno\": \"%s\"}",
	       what, errno ? strerrorname_np(errno) : "none");
	power_off();
}

long must(long ret, const char *what)
{
	if (ret < 0)
		fail(what);
	return ret;
}

long read_file(const char *path, char *buf, size_t size)
{
	int fd = must(open(path, O_RDONLY), path);
	long len = must(read(fd, buf, size - 1), path);

	close(fd);
	buf[len] = 0;
	return len;
}

void write_file(const char *path, const char *text)
{
	int fd = must(open(path, O_WRONLY), path);

	must(write(fd, text, strlen(text)), path);
	close(fd);
}

void mount_at(const char *root, const char *type, const char *dir)
{
	char *path = str("%s%s", root, dir);

	mkdir(path, 0755);
	must(mount(type, path, type, 0, NULL), path);
}

void *new_pages(size_t size)
{
	return (void *)must((long)mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
				       MAP_ANONYMOUS | MAP_POPULATE, -1, 0), "mmap");
}

unsigned long locked_memory(pid_t pid)
{
	char *path = str("/proc/%d/status", pid);

	return number_in(path, "VmLck:") + number_in(path, "VmPin:");
}

long number_in(const char *path, const char *word)
{
	char buf[16384], *at;

	read_file(path, buf, sizeof(buf));
	at = strstr(buf, word);
	if (!at)
		fail(str("%s in %s", word, path));
	return atol(at + strlen(word));
}

char **names(const char *path)
{
	struct dirent **list;
	int n = scandir(path, &list, NULL, alphasort), count = 0;
	char **name = calloc(n < 0 ? 1 : n + 1, sizeof(*name));

	for (int i = 0; i < n; i++)
		if (list[i]->d_name[0] != '.')
			name[count++] = list[i]->d_name;
	return name;
}

char *link_target(const char *path)
{
	char link[256];
	ssize_t len = readlink(path, link, sizeof(link) - 1);

	return len < 0 ? NULL : str("%.*s", (int)len, link);
}

char *link_name(const char *path)
{
	char *link = link_target(path);

	return link ? strrchr(link, '/') + 1 : NULL;
}

char *option(const char *name)
{
	char cmdline[2048], *value;

	read_file("/proc/cmdline", cmdline, sizeof(cmdline));
	value = strstr(cmdline, name);
	if (!value)
		return "";
	value += strlen(name);
	return strndup(value, strcspn(value, " \n"));
}

void load_module(const char *path)
{
	int fd = must(open(path, O_RDONLY), path);

	must(syscall(SYS_finit_module, fd, "", 0), path);
	close(fd);
}

uint32_t pci_config(const char *device, int at)
{
	int fd = open(str(PCI "/devices/%s/config", device), O_RDONLY);
	uint32_t value;

	if (pread(fd, &value, sizeof(value), at) != sizeof(value))
		value = 0;
	close(fd);
	return le32toh(value);
}

const char *truth(bool b)
{
	return b ? "true" : "false";
}

const char *errno_name(int err)
{
	return err ? str("\"%s\"", strerrorname_np(err)) : "0";
}

/*
 * A port of virtio-serial, which is there a moment after its bus is. The number
 * of its device depends on what else there is.
 */
int open_port(int number)
{
	int fd, port;

	for (;; usleep(1000)) {
		for (char **name = names("/sys/class/virtio-ports"); *name; name++) {
			if (sscanf(*name, "vport%*dp%d", &port) != 1 || port != number)
				continue;
			fd = open(str("/dev/%s", *name), O_WRONLY | O_CLOEXEC);
			if (fd >= 0)
				return fd;
		}
	}
}

void begin(void)
{
	mount_at("", "devtmpfs", "/dev");
	mount_at("", "proc", "/proc");
	mount_at("", "sysfs", "/sys");
	results = open_port(1);
}

void hello(void)
{
	char *todo = option("lab.do="), *iommus = "";
	struct utsname uts;

	if (!strcmp(todo, "silent"))
		power_off();
	for (char **name = names("/sys/class/iommu"); *name; name++)
		iommus = str("%s%s%s", iommus, *iommus ? " " : "", *name);
	uname(&uts);
	report("{\"type\": \"hello\", \"kernel\": \"%s\", \"release\": \"%s\", \"iommu\": \"%s\"}",
	       option("lab.kernel="), uts.release, iommus);
	if (!strcmp(todo, "hang"))
		for (;;)
			pause();
	if (!strcmp(todo, "halt"))
		reboot(RB_HALT_SYSTEM);
	if (!strcmp(todo, "noend"))
		power_off();
	if (!strcmp(todo, "warn"))
		write_file("/dev/kmsg", "<4>WARNING: CPU: 0 PID: 1 at main");
}

long probe_get(const char *name)
{
	return probed ? number_in(str("/sys/module/probe/parameters/%s", name), "") : 0;
}

void end(void)
{
	errno = 0;
	if (probe_get("missed"))
		fail("the probe module missed attaches");
	report("{\"type\": \"%s\"}", "end");
	power_off();
}

void load_probe(const char *path)
{
	load_module(path);
	probed = true;
}

void count(unsigned long calls[COUNTERS])
{
	for (int i = 0; i < COUNTERS; i++)
		calls[i] = probe_get(counters[i]);
}

void count_since(unsigned long calls[COUNTERS])
{
	for (int i = 0; i < COUNTERS; i++)
		calls[i] = probe_get(counters[i]) - calls[i];
}

char *calls_json(const unsigned long calls[COUNTERS])
{
	char *text = "";

	for (int i = 0; i < COUNTERS; i++)
		text = str("%s%s\"%s\": %lu", text, i ? ", " : "", counters[i], calls[i]);
	return text;
}

void probe_set(const char *name, const char *value)
{
	write_file(str("/sys/module/probe/parameters/%s", name), value);
}

void inject(int err, const char *what, const char *which)
{
	probe_set("error", str("%d", err));
	probe_set(what, which);
}
