// SPDX-License-Identifier: GPL-2.0
#define _GNU_SOURCE
#include <dirent.h>
#include <stdarg.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include "guest.h"

int results = -1;

static const char *const counters[ALL_COUNTERS] = {
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

long read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	long len = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (len < 0)
		fail(path);
	close(fd);
	buf[len] = 0;
	return len;
}

void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fail(path);
	close(fd);
}

void mount_at(const char *root, const char *type, const char *dir)
{
	char *path = str("%s%s", root, dir);

	mkdir(path, 0755);
	if (mount(type, path, type, 0, NULL))
		fail(path);
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

int names(const char *path, char *name[], int max)
{
	struct dirent **list;
	int n = scandir(path, &list, NULL, alphasort), count = 0;

	for (int i = 0; i < n && count < max; i++)
		if (list[i]->d_name[0] != '.')
			name[count++] = list[i]->d_name;
	return count;
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
	int fd = open(path, O_RDONLY);

	if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
		fail(path);
	close(fd);
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
	char *name[16];
	int fd, n, port;

	for (;;) {
		n = names("/sys/class/virtio-ports", name, ARRAY_SIZE(name));
		while (n-- > 0) {
			if (sscanf(name[n], "vport%*dp%d", &port) != 1 || port != number)
				continue;
			fd = open(str("/dev/%s", name[n]), O_WRONLY | O_CLOEXEC);
			if (fd >= 0)
				return fd;
		}
		usleep(1000);
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
	char *todo = option("lab.do="), *iommus = "", *name[64];
	int n = names("/sys/class/iommu", name, ARRAY_SIZE(name));
	struct utsname uts;

	if (!strcmp(todo, "silent"))
		power_off();
	for (int i = 0; i < n; i++)
		iommus = str("%s%s%s", iommus, i ? " " : "", name[i]);
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

void end(void)
{
	errno = 0;
	if (probed && probe_get("missed"))
		fail("the probe module missed attaches");
	report("{\"type\": \"%s\"}", "end");
	power_off();
}

void load_probe(const char *path)
{
	load_module(path);
	probed = true;
}

void count(unsigned long *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		calls[i] = probed ? probe_get(counters[i]) : 0;
}

void count_since(unsigned long *calls, size_t n)
{
	unsigned long now[ALL_COUNTERS];

	count(now, n);
	for (size_t i = 0; i < n; i++)
		calls[i] = now[i] - calls[i];
}

char *calls_json(const unsigned long *calls, size_t n)
{
	char *text = "";

	for (size_t i = 0; i < n; i++)
		text = str("%s%s\"%s\": %lu", text, i ? ", " : "", counters[i], calls[i]);
	return text;
}

unsigned int last_domain(void)
{
	return probed ? probe_get("last") : 0;
}

unsigned long probe_get(const char *name)
{
	return number_in(str("/sys/module/probe/parameters/%s", name), "");
}

void probe_set(const char *name, const char *value)
{
	write_file(str("/sys/module/probe/parameters/%s", name), value);
}
