// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of a guest that runs test programs: those that the kernel command line
 * names, lab.tests=PROGRAM[:ARGUMENT...][,PROGRAM...], one after the other from
 * /tests, and powers off. What they print goes to a virtio port, between lines
 * "# run PROGRAM" and "# exit PROGRAM STATUS"; the last line is "# end".
 *
 * Limits in seconds that programs set by alarm(), as kselftest_harness.h does,
 * are not for a slow machine: the signal never comes. The host sees what hangs.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/wait.h>
#include "guest.h"

int results = -1;

static const struct { const char *type, *where; } mounts[] = {
	{ "proc", "/proc" }, { "sysfs", "/sys" }, { "devtmpfs", "/dev" }, { "tmpfs", "/tmp" },
	{ "debugfs", "/sys/kernel/debug" }, { "configfs", "/sys/kernel/config" },
};

static void __attribute__((noreturn)) off(void)
{
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	_exit(1);
}

/* Without an end line the run counts as failed. */
static void __attribute__((noreturn)) die(const char *what)
{
	printf("# %s: %s\n", what, strerror(errno));
	off();
}

/* Modules that tests use, as mtty.ko */
static void load_modules(void)
{
	struct dirent *d;
	DIR *dir = opendir("/tests");
	char path[300];

	while (dir && (d = readdir(dir))) {
		size_t len = strlen(d->d_name);
		int fd;

		if (len < 4 || strcmp(d->d_name + len - 3, ".ko"))
			continue;
		snprintf(path, sizeof(path), "/tests/%s", d->d_name);
		fd = open(path, O_RDONLY);
		if (fd < 0 || syscall(SYS_finit_module, fd, "", 0))
			die(path);
		close(fd);
	}
	if (dir)
		closedir(dir);
}

static void test(char *spec)
{
	char *argv[32], path[300];
	int argc = 0, status;
	pid_t pid;

	for (char *arg = strtok(spec, ":"); arg && argc < 31; arg = strtok(NULL, ":"))
		argv[argc++] = arg;
	argv[argc] = NULL;
	snprintf(path, sizeof(path), "/tests/%s", argv[0]);
	printf("# run %s\n", argv[0]);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		execv(path, argv);
		printf("# %s: %s\n", path, strerror(errno));
		fflush(stdout);
		_exit(127);
	}
	if (pid < 0)
		die("fork");
	while (waitpid(pid, &status, 0) != pid)
		;
	printf("# exit %s %d\n", argv[0],
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	fflush(stdout);
	/* What a test left behind as orphans */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* What nothing points to any more, on the console; an object counts from its sixth second on */
static void find_leaks(void)
{
	static const char path[] = "/sys/kernel/debug/kmemleak";
	char line[512];
	FILE *leaks, *console;

	for (int i = 0; i < 2; i++) {
		int fd = open(path, O_WRONLY);

		if (fd < 0)
			return;
		sleep(6);
		if (write(fd, "scan", 4) != 4)
			die(path);
		close(fd);
	}
	leaks = fopen(path, "r");
	console = fopen("/dev/kmsg", "w");
	while (leaks && console && fgets(line, sizeof(line), leaks)) {
		fprintf(console, "<4>%s", line);
		fflush(console);
	}
}

int main(void)
{
	char line[4096] = "", *list, *next;
	sigset_t limits;
	FILE *f;
	int fd;

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].where, 0755);
		mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, NULL);
	}
	fd = open_port(1);
	if (dup2(fd, 1) != 1 || dup2(fd, 2) != 2)
		die("dup2");
	load_modules();
	sigemptyset(&limits);
	sigaddset(&limits, SIGALRM);
	sigprocmask(SIG_BLOCK, &limits, NULL);
	f = fopen("/proc/cmdline", "r");
	if (!f || !fgets(line, sizeof(line), f))
		die("/proc/cmdline");
	fclose(f);
	list = strstr(line, "lab.tests=");
	if (!list)
		die("no lab.tests= on the kernel command line");
	list += strlen("lab.tests=");
	list[strcspn(list, " \n")] = '\0';
	for (; list && *list; list = next) {
		next = strchr(list, ',');
		if (next)
			*next++ = '\0';
		test(list);
	}
	find_leaks();
	printf("# end\n");
	off();
}
