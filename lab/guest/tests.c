// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of a guest that runs test programs: those that the kernel command line
 * names, lab.tests=PROGRAM[:ARGUMENT...][,PROGRAM...], one after the other from
 * /tests, and powers off. A + in an argument stands for a colon. What they print
 * goes to a virtio port, between lines "# run PROGRAM" and "# exit PROGRAM
 * STATUS"; the last line is "# end". With lab.trace=1, what the trace events for
 * attaches said meanwhile comes before the latter, as "# trace LINE".
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
	for (char **name = names("/tests"); *name; name++)
		if (strstr(*name, ".ko"))
			load_module(str("/tests/%s", *name));
}

#define TRACING "/sys/kernel/tracing"

static void start_trace(void)
{
	static const char *const events[] = {
		"iommu/attach_device_failed", "iommu/attach_device_skipped", "vfio/vfio_type1_attach",
	};

	mount_at("", "tracefs", TRACING);
	for (unsigned int i = 0; i < 3; i++)
		write_file(str(TRACING "/events/%s/enable", events[i]), "1");
}

static void report_trace(void)
{
	FILE *trace = fopen(TRACING "/trace", "r");
	char line[1024];

	while (trace && fgets(line, sizeof(line), trace))
		if (*line != '#')
			report("# trace %.*s", (int)strcspn(line, "\n"), line);
	if (trace)
		fclose(trace);
	trace = fopen(TRACING "/trace", "w");	/* Opening it so empties it */
	if (trace)
		fclose(trace);
}

static void test(char *spec)
{
	char *argv[32], *path;
	int argc = 0, status;
	pid_t pid;

	for (char *arg = strtok(spec, ":"); arg && argc < 31; arg = strtok(NULL, ":")) {
		argv[argc++] = arg;
		for (char *plus = arg; (plus = strchr(plus, '+'));)
			*plus = ':';
	}
	argv[argc] = NULL;
	path = str("/tests/%s", argv[0]);
	report("# run %s", argv[0]);
	pid = fork();
	if (!pid) {
		execv(path, argv);
		report("# %s: %s", path, strerror(errno));
		_exit(127);
	}
	must(pid, "fork");
	while (waitpid(pid, &status, 0) != pid)
		;
	if (*option("lab.trace="))
		report_trace();
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
	FILE *leaks;

	if (access(path, F_OK))
		return;
	for (int i = 0; i < 2; i++) {
		sleep(6);
		write_file(path, "scan");
	}
	leaks = fopen(path, "r");
	while (leaks && fgets(line, sizeof(line), leaks))
		write_file("/dev/kmsg", str("<4>%s", line));
}

int main(void)
{
	char *list, *spec;
	sigset_t limits;

	begin();
	mount_at("", "tmpfs", "/tmp");
	mount_at("", "debugfs", "/sys/kernel/debug");
	if (!access("/sys/kernel/config", F_OK))
		mount_at("", "configfs", "/sys/kernel/config");
	must(dup2(results, 1), "dup2");
	must(dup2(results, 2), "dup2");
	load_modules();
	if (*option("lab.trace="))
		start_trace();
	sigemptyset(&limits);
	sigaddset(&limits, SIGALRM);
	sigprocmask(SIG_BLOCK, &limits, NULL);
	list = option("lab.tests=");
	while ((spec = strsep(&list, ",")))
		if (*spec)
			test(spec);
	find_leaks();
	report("%s", "# end");
	power_off();
}
