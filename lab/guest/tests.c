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

/* Modules that tests use, as mtty.ko */
static void load_modules(void)
{
	char *name[64];
	int n = names("/tests", name, ARRAY_SIZE(name));

	while (n-- > 0)
		if (strstr(name[n], ".ko"))
			load_module(str("/tests/%s", name[n]));
}

static void test(char *spec)
{
	char *argv[32], *path;
	int argc = 0, status;
	pid_t pid;

	for (char *arg = strtok(spec, ":"); arg && argc < 31; arg = strtok(NULL, ":"))
		argv[argc++] = arg;
	argv[argc] = NULL;
	path = str("/tests/%s", argv[0]);
	report("# run %s", argv[0]);
	pid = fork();
	if (!pid) {
		execv(path, argv);
		report("# %s: %s", path, strerror(errno));
		_exit(127);
	}
	if (pid < 0)
		fail("fork");
	while (waitpid(pid, &status, 0) != pid)
		;
	report("# exit %s %d", argv[0],
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
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
			fail(path);
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
	char *list, *next;
	sigset_t limits;

	begin();
	mount_at("", "tmpfs", "/tmp");
	mount_at("", "debugfs", "/sys/kernel/debug");
	mount_at("", "configfs", "/sys/kernel/config");
	if (dup2(results, 1) != 1 || dup2(results, 2) != 2)
		fail("dup2");
	load_modules();
	sigemptyset(&limits);
	sigaddset(&limits, SIGALRM);
	sigprocmask(SIG_BLOCK, &limits, NULL);
	for (list = option("lab.tests="); list && *list; list = next) {
		next = strchr(list, ',');
		if (next)
			*next++ = '\0';
		test(list);
	}
	find_leaks();
	report("%s", "# end");
	power_off();
}
