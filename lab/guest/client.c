// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of a guest in which QEMU is the user of VFIO: the host's QEMU, from the
 * host's files, runs a virtual machine that has two edu devices and is given a
 * third while it runs, in good and in bad times. Reports what each step cost in
 * the IOMMU core, what QEMU said, and which devices did DMA after it.
 *
 * On the kernel command line: lab.qemu=PATH is that QEMU; lab.client=iommufd has
 * it use iommufd, and no container; lab.do=hang|warn goes wrong on purpose.
 */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "vfio.h"

#define HOST		"/host"
/* A device that comes, or goes, is noticed some rounds later */
#define MAX_ROUNDS	40

/* Of the host's devices, which are a group each */
enum { FIRST, SECOND, THIRD };
/* Where one is in the virtual machine */
#define SLOT		4

static pid_t qemu;
static FILE *monitor;			/* QMP */
static FILE *rounds;			/* what the virtual machine says */
static bool deleted;			/* a device, says QMP */
static bool running;			/* the virtual machine */
static bool iommufd;			/* and no container */
static int present;			/* devices that QEMU took */
static unsigned long calls[COUNTERS];	/* before a step, then in it */

/* --- What is there before QEMU ------------------------------------------- */

static void share_host(void)
{
	mkdir(HOST, 0755);
	must(mount("host", HOST, "9p", MS_RDONLY,
		   "trans=virtio,version=9p2000.L,cache=loose,msize=262144"),
	     "the host's files cannot be mounted");
	mount_at(HOST, "devtmpfs", "/dev");
	mount_at(HOST, "proc", "/proc");
	mount_at(HOST, "sysfs", "/sys");
	mount_at(HOST, "tmpfs", "/tmp");
	mkdir(HOST "/tmp/nested", 0755);
	must(mount("/nested", HOST "/tmp/nested", NULL, MS_BIND, NULL),
	     "/nested cannot be mounted");
}

/* QEMU is to open the groups. */
static void find_devices(void)
{
	find_groups(can_dma, 3);
	for (int i = 0; i < ngroups; i++)
		close(groups[i].fd);
}

static const char *host_name(int device)
{
	return groups[device].dev[0].name;
}

/* --- QEMU ---------------------------------------------------------------- */

/*
 * A moment of waiting for something; QEMU must be there. The host sees when
 * nothing comes of it.
 */
static void wait_for(const char *what)
{
	int status;

	errno = 0;
	if (waitpid(qemu, &status, WNOHANG) == qemu)
		fail(str("QEMU ended (wait status 0x%x) before %s", status, what));
	usleep(10000);
}

/* The virtual machine boots the same kernel with the same command line */
static void exec_qemu(void)
{
	char cmdline[2048];
	char *argv[] = {
		option("lab.qemu="),
		"-M", "pc", "-accel", "tcg", "-m", "128", "-nodefaults",
		"-display", "none", "-no-reboot", "-S",
		"-kernel", "/tmp/nested/vmlinux",
		"-initrd", "/tmp/nested/initramfs",
		"-append", cmdline,
		/* A port that is open: one at a time can have it open, and nobody truncate it */
		"-add-fd", str("set=1,fd=%d", dup(open_port(2))),
		"-chardev", "file,id=console,path=/dev/fdset/1,append=on",
		"-serial", "chardev:console",
		"-chardev", "file,id=rounds,path=/tmp/rounds",
		"-device", "virtio-serial-pci,addr=3",
		"-device", "virtserialport,chardev=rounds",
		"-qmp", "unix:/tmp/qmp,server=on,wait=off",
		"-device", str("vfio-pci,host=%s,addr=%d%s", host_name(FIRST), SLOT + FIRST,
			       iommufd ? ",iommufd=iommufd0" : ""),
		iommufd ? "-object" : NULL, "iommufd,id=iommufd0",
		NULL
	};
	int messages = open_port(3);

	read_file("/proc/cmdline", cmdline, sizeof(cmdline));
	cmdline[strcspn(cmdline, "\n")] = 0;
	if (chroot(HOST) || chdir("/") || dup2(messages, 1) < 0 || dup2(messages, 2) < 0)
		fail("chroot");
	/* It may be a script, which this kernel does not know */
	execvp(argv[0], argv);
	dprintf(messages, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* A line that QMP says: an answer, or an event */
static char *hear(void)
{
	static char *line;
	static size_t size;

	errno = 0;
	must(getline(&line, &size, monitor), "QEMU says nothing more through QMP");
	if (strstr(line, "\"DEVICE_DELETED\"") && strstr(line, "\"device\""))
		deleted = true;
	return line;
}

/* Have QEMU do something; return its error message, as it stands in JSON */
static const char *tell(const char *command)
{
	static const char desc[] = "\"desc\": \"";
	char *line, *text;

	dprintf(fileno(monitor), "%s\n", command);
	do {
		line = hear();
		text = strstr(line, desc);
		if (strstr(line, "\"error\"") && text) {
			text += strlen(desc);
			return strndup(text, strstr(text, "\"}") - text);
		}
	} while (!strstr(line, "\"return\""));
	return "";
}

/* Its first device is on the command line; the machine does not run yet */
static void start_qemu(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = HOST "/tmp/qmp" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	qemu = fork();
	if (!qemu)
		exec_qemu();
	while (connect(fd, (void *)&addr, sizeof(addr)))
		wait_for("QMP is there");
	monitor = fdopen(fd, "r");
	/* The answer comes when the devices of the command line are there */
	if (*tell("{'execute': 'qmp_capabilities'}"))
		fail("qmp_capabilities");
}

/* How many files QEMU has open whose path ends in this, but for a number */
static int open_files(const char *end)
{
	char *folder = str("/proc/%d/fd", qemu), *file;
	int count = 0;

	for (char **fd = names(folder); *fd; fd++) {
		file = link_target(str("%s/%s", folder, *fd));
		file = file ? strstr(file, end) : NULL;
		count += file && !file[strlen(end) + strspn(file + strlen(end), "0123456789")];
	}
	return count;
}

/* --- The virtual machine ------------------------------------------------- */

/* The next round that it has told of; NULL if there is none yet */
static char *told_round(void)
{
	static char *line;
	static size_t size;
	long start = ftell(rounds);
	ssize_t len = getline(&line, &size, rounds);

	if (len <= 0 || line[len - 1] != '\n') {
		fseek(rounds, start, SEEK_SET);
		return NULL;
	}
	line[len - 1] = 0;
	if (strncmp(line, "round ", 6)) {
		report("%s", line);	/* it failed, and says why */
		power_off();
	}
	return strchr(line, ':') + 1;
}

static char *next_round(void)
{
	char *line;

	while (!(line = told_round()))
		wait_for("the virtual machine goes on");
	return line;
}

/*
 * Which devices do DMA, in a round that began after this call: the one whose
 * line comes next may have begun before. Waits until all that are present do.
 */
static const char *at_work(void)
{
	int round, count;
	char *line, *c;

	while (told_round())
		;
	next_round();
	for (round = 0; round < MAX_ROUNDS; round++) {
		line = next_round();
		for (count = 0, c = line; *c; c++)
			count += *c == ' ';
		if (count == present && !strchr(line, '!'))
			break;
	}
	return line + (*line == ' ');
}

/* --- Steps --------------------------------------------------------------- */

static void done(const char *what, const char *said)
{
	/* What the virtual machine does next costs nothing here */
	count_since(calls);
	report("{\"type\": \"step\", \"step\": \"%s\", %s, \"containers\": %d, "
	       "\"locked\": %lu, \"said\": \"%s\", \"dma\": \"%s\"}", what, calls_json(calls),
	       open_files(iommufd ? "/dev/iommu" : "/vfio/vfio"), locked_memory(qemu), said, running ? at_work() : "");
}

static void add(const char *what, int device)
{
	const char *said;

	count(calls);
	said = tell(str("{'execute': 'device_add', 'arguments': {"
			"'driver': 'vfio-pci', 'host': '%s', 'id': 'dev%d', 'addr': '%d'%s}}",
			host_name(device), device, SLOT + device,
			iommufd ? ", 'iommufd': 'iommufd0'" : ""));
	present += !*said;
	done(what, said);
}

/* The virtual machine lets go of it first; QEMU closes its group, or device, last */
static void del(const char *what, int device)
{
	const char *said;

	count(calls);
	deleted = false;
	said = tell(str("{'execute': 'device_del', 'arguments': {'id': 'dev%d'}}", device));
	while (!*said && !deleted)
		hear();
	present -= !*said;
	while (!*said && open_files(iommufd ? "/vfio/devices/vfio" : "/vfio/") > present)
		wait_for("the device is closed");
	done(what, said);
}

/* A device that no domain will do for: the machine must not notice */
static void add_broken(const char *what, int err)
{
	inject(err, "device", host_name(THIRD));
	add(what, THIRD);
	probe_set("device", "none");
}

static void steps(void)
{
	char *domain;

	count(calls);
	start_qemu();
	present = 1;
	done("start", "");
	add("second", SECOND);
	domain = str("%ld", probe_get("last"));

	count(calls);
	rounds = fopen(HOST "/tmp/rounds", "r");
	if (!rounds || *tell("{'execute': 'cont'}"))
		fail("cont");
	running = true;
	done("run", "");

	add("plug", THIRD);
	del("unplug", THIRD);
	add("plug again", THIRD);
	del("unplug again", THIRD);

	/* The domain that is there does not take it */
	inject(ENOMEM, "target", domain);
	add("reuse ENOMEM", THIRD);
	probe_set("target", "0");
	del("unplug after", THIRD);

	add_broken("broken ENODEV", ENODEV);
	add_broken("broken ENOMEM", ENOMEM);
	add("mended", THIRD);
	del("unplug at last", THIRD);

	/* Who needs no domain does not notice that there is none to be had */
	probe_set("exhausted", "1");
	add("no domain", THIRD);
	probe_set("exhausted", "0");
}

static void stop_qemu(void)
{
	int status;

	if (*tell("{'execute': 'quit'}"))
		fail("quit");
	if (waitpid(qemu, &status, 0) != qemu || status)
		fail("QEMU did not end well");
}

int main(void)
{
	begin();
	hello();
	iommufd = !strcmp(option("lab.client="), "iommufd");
	share_host();
	find_devices();
	load_probe("/probe.ko");
	steps();
	stop_qemu();
	end();
}
