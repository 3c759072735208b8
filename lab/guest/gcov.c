// SPDX-License-Identifier: GPL-2.0
/*
 * Prints what gcov has counted in this kernel: for each object "# gcov SIZE PATH"
 * and the file in hexadecimal, and "# gcov end" after the last. It is a program
 * of the guest with the selftests; as PID 1 it follows the KUnit tests, which
 * the kernel runs before it, and then ends the machine.
 */
#define _GNU_SOURCE
#include <ftw.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <termios.h>
#include "guest.h"

#define GCOV "/sys/kernel/debug/gcov"

static int print(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	static unsigned char data[1 << 20];
	size_t len;
	FILE *f;

	(void)st, (void)ftw;
	if (type != FTW_F || !strstr(path, ".gcda"))
		return 0;
	f = fopen(path, "r");
	if (!f)
		return 1;
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	printf("# gcov %zu %s\n", len, path + strlen(GCOV));
	/* Short lines: some consoles cut what is longer than a screen is wide. */
	for (size_t i = 0; i < len; i++)
		printf("%02x%s", data[i], i % 32 == 31 || i + 1 == len ? "\n" : "");
	return 0;
}

int main(void)
{
	int err;

	if (getpid() == 1) {
		mount_at("", "sysfs", "/sys");
		mount_at("", "debugfs", "/sys/kernel/debug");
		/* SYSLOG_ACTION_CONSOLE_OFF: no message of the kernel inside a line */
		klogctl(6, NULL, 0);
	}
	err = nftw(GCOV, print, 16, FTW_PHYS);
	if (!err)
		printf("# gcov end\n");
	fflush(stdout);
	if (getpid() == 1) {
		tcdrain(1);
		reboot(RB_AUTOBOOT);
	}
	return !!err;
}
