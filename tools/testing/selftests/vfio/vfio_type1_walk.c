// SPDX-License-Identifier: GPL-2.0-only
/*
 * A random walk through VFIO type1 on simulated IOMMUs: groups join and leave
 * containers, come and go, memory is mapped and unmapped, DMA is done, calls
 * fail. All the while a model says what must be so.
 *
 *   vfio_type1_walk [-n steps] [-s seed] [-j threads] [-p processes]
 *
 * With -j1 -p1 the same seed walks the same way.
 *
 * Each thread has some groups, a container of its own, and a window of IOVAs in
 * the container that the threads of a process share: it knows what must come of
 * each of its calls, whatever the others do meanwhile. What nobody may do
 * meanwhile is done "alone": counting, and faults that could hit others.
 */

#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kselftest.h"
#include "sim.h"

#define PAGE		4096UL
#define NR_PAGES	32		/* of memory for DMA, of each thread */
#define NR_SLOTS	12		/* where a mapping can be */
#define SLOT_PAGES	4
#define NR_GROUPS	4
#define MAX_THREADS	8
#define NR_TRACE	20

enum { OWN, SHARED, NR_CONTAINERS };

struct group {
	char inst[24], dev[2][32];	/* to the simulated IOMMUs */
	char name[32];			/* of the first device, on its bus */
	unsigned int nr_devs, family;
	bool plugged;
	int fd, dev_fd;
	int in;				/* a container, or -1 */
};

struct slot {
	unsigned int pages;		/* 0: nothing is mapped */
	unsigned int page;		/* of mem, the first one */
	bool ro;
};

struct thread {
	unsigned int nr, proc;
	unsigned long step;
	unsigned long long rand;
	int container[NR_CONTAINERS];
	bool type1[NR_CONTAINERS];	/* VFIO_SET_IOMMU was done */
	/* The last one, of a process's first thread, stays in SHARED */
	struct group group[NR_GROUPS + 1];
	struct slot slot[NR_CONTAINERS][NR_SLOTS];
	char *mem, *want;		/* what is there, and what should be */
	char trace[NR_TRACE][96];
};

/* Shared by all processes */
static struct world {
	pthread_rwlock_t lock;
	pthread_barrier_t barrier;
	bool failed;
	struct sim_state start;
	struct thread thread[MAX_THREADS];
} *world;

static unsigned long seed, steps = 3000;
static unsigned int threads = 2, processes = 2;

static void trace(struct thread *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->trace[t->step % NR_TRACE], sizeof(t->trace[0]), fmt, ap);
	va_end(ap);
}

static void fail(struct thread *t, const char *fmt, ...)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	unsigned long i = t->step < NR_TRACE ? 0 : t->step - NR_TRACE + 1;
	va_list ap;

	pthread_mutex_lock(&lock);
	world->failed = true;
	printf("# step %lu of thread %u, process %u, -n %lu -s %lu -j %u -p %u: ",
	       t->step, t->nr, t->proc, steps, seed, threads, processes);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	for (printf("\n"); i <= t->step; i++)
		printf("# %lu: %s\n", i, t->trace[i % NR_TRACE]);
	fflush(stdout);
	_exit(KSFT_FAIL);
}

static void expect(struct thread *t, int want, int got)
{
	if (want != got)
		fail(t, "expected %d, got %d", want, got);
}

static unsigned int rnd(struct thread *t, unsigned int below)
{
	t->rand ^= t->rand << 13;
	t->rand ^= t->rand >> 7;
	t->rand ^= t->rand << 17;
	return (t->rand >> 16) % below;
}

static unsigned int members(struct thread *t, int c)
{
	unsigned int i, n = 0;

	for (i = 0; i < NR_GROUPS; i++)
		n += t->group[i].in == c;
	return n;
}

static unsigned int pages(struct thread *t, int c)
{
	unsigned int i, n = 0;

	for (i = 0; i < NR_SLOTS; i++)
		n += t->slot[c][i].pages;
	return n;
}

struct sum {
	unsigned long domains, devices, mapped, pinned, locked;
};

/* One container, of one thread or of several */
static void add(struct sum *sum, struct thread *t, unsigned int nr, int c,
		bool locked)
{
	unsigned int i, n = 0, families = 0;

	for (; nr; nr--, t++) {
		for (i = 0; i <= NR_GROUPS; i++) {
			if (t->group[i].in != c || !t->type1[c])
				continue;
			families |= 1 << t->group[i].family;
			sum->devices += t->group[i].nr_devs;
		}
		n += pages(t, c);
	}
	sum->domains += __builtin_popcount(families);
	sum->mapped += __builtin_popcount(families) * n * PAGE;
	sum->pinned += n;
	sum->locked += locked ? n * PAGE / 1024 : 0;
}

/* Everything that can be counted, while nobody else does anything */
static void check_all(struct thread *t)
{
	struct sum want = { }, got = { };
	struct thread *o;
	struct sim_state s;
	unsigned int i;

	for (i = 0; i < threads * processes; i++) {
		o = &world->thread[i];
		add(&want, o, 1, OWN, o->proc == t->proc);
		if (!o->nr)
			add(&want, o, threads, SHARED, o->proc == t->proc);
	}
	expect(t, 0, sim_state(&s));
	for (i = 0; i < s.nr_domains; i++) {
		got.devices += s.domain[i].devices;
		got.mapped += s.domain[i].mapped;
	}
	got.domains = s.nr_domains;
	got.pinned = s.pinned - world->start.pinned;
	got.locked = s.locked;
	if (memcmp(&got, &want, sizeof(got)))
		fail(t,
		     "domains %lu devices %lu mapped %lu pinned %lu locked %lu, not %lu %lu %lu %lu %lu",
		     got.domains, got.devices, got.mapped, got.pinned, got.locked,
		     want.domains, want.devices, want.mapped, want.pinned,
		     want.locked);
}

struct fault {
	const char *node, *call;
	int err;			/* that the caller gets to see */
};

static void arm(struct thread *t, struct fault *f, const char *node,
		const char *call, unsigned int k)
{
	static const int errnos[] = {
		ENOMEM, ENOSPC, EBUSY, ENODEV, EIO, EPERM, ENXIO
	};

	f->node = node;
	f->call = call;
	f->err = errnos[rnd(t, ARRAY_SIZE(errnos))];
	trace(t, "fail %s %s %u %d", node, call, k, f->err);
	t->step++;
	expect(t, 0, sim_fail(node, call, k, f->err, 1));
}

/* The answer that a call must have given: was the fault due? */
static int disarm(struct thread *t, struct fault *f, int want)
{
	char buf[256], *armed;

	if (!f->node)
		return want;
	if (sim_read(buf, sizeof(buf), SIM_DEBUG "/%s/fail", f->node) < 0)
		fail(t, "cannot read the faults of %s", f->node);
	armed = strstr(buf, f->call);
	expect(t, 0, sim_fail(f->node, f->call, 0, 0, 0));
	return armed ? want : -f->err;
}

/* Steps; each returns false if it makes no sense now */

static void left(struct thread *t, struct group *g)
{
	int c = g->in;

	g->in = -1;
	if (c != OWN || members(t, OWN))
		return;
	t->type1[OWN] = false;
	memset(t->slot[OWN], 0, sizeof(t->slot[OWN]));
}

static bool step_plug(struct thread *t, struct group *g, bool alone)
{
	char attrs[32];

	if (g->plugged)
		return false;
	trace(t, "plug %s", g->inst);
	/* The file of the group that is gone */
	close(g->fd);
	g->fd = -1;
	expect(t, 0, sim_del(g->inst));
	snprintf(attrs, sizeof(attrs), "family=%u", g->family);
	expect(t, 0, sim_add(g->inst, attrs, g->nr_devs > 1 ? "d0:1 d1:1" : "d0"));
	expect(t, 0, sim_name(g->dev[0], g->name, sizeof(g->name)));
	g->plugged = true;
	return true;
}

static bool step_unplug(struct thread *t, struct group *g, bool alone)
{
	unsigned int i;

	if (!g->plugged || g->dev_fd >= 0)
		return false;
	trace(t, "unplug %s from %d", g->inst, g->in);
	for (i = 0; i < g->nr_devs; i++)
		expect(t, 0, sim_rmdir(g->dev[i]));
	g->plugged = false;
	left(t, g);
	return true;
}

static bool step_group(struct thread *t, struct group *g, bool alone)
{
	trace(t, "%s group %s", g->fd < 0 ? "open" : "close", g->inst);
	if (g->fd >= 0 && rnd(t, 3))
		return false;
	if (g->fd >= 0) {
		close(g->fd);
		g->fd = -1;
		if (g->dev_fd < 0)
			left(t, g);
		return true;
	}
	if (!g->plugged)
		return false;
	g->fd = vfio_group_open(g->name);
	expect(t, g->dev_fd < 0 ? 0 : -EBUSY, g->fd < 0 ? g->fd : 0);
	return true;
}

static bool step_device(struct thread *t, struct group *g, bool alone)
{
	trace(t, "%s device of %s", g->dev_fd < 0 ? "open" : "close", g->inst);
	if (g->dev_fd >= 0) {
		close(g->dev_fd);
		g->dev_fd = -1;
		if (g->fd < 0)
			left(t, g);
		return true;
	}
	if (g->fd < 0 || !g->plugged)
		return false;
	g->dev_fd = vfio_device_open(g->fd, g->name);
	expect(t, g->in >= 0 && t->type1[g->in] ? 0 : -EINVAL,
	       g->dev_fd < 0 ? g->dev_fd : 0);
	return true;
}

static bool step_container(struct thread *t, struct group *g, bool alone)
{
	trace(t, "container %d", t->container[OWN]);
	if (t->container[OWN] >= 0) {
		close(t->container[OWN]);
		t->container[OWN] = -1;
	} else if (!members(t, OWN)) {
		t->container[OWN] = vfio_container_open();
		expect(t, true, t->container[OWN] >= 0);
	}
	return true;
}

static bool step_join(struct thread *t, struct group *g, bool alone)
{
	int want = 0, ret, c = rnd(t, NR_CONTAINERS);
	struct fault f = { };

	if (g->fd < 0 || t->container[c] < 0)
		return false;
	if (g->in >= 0)
		want = -EINVAL;
	else if (!g->plugged)
		want = -ENODEV;
	else if (t->type1[c] && !rnd(t, 4))
		arm(t, &f, g->dev[rnd(t, g->nr_devs)], "attach", 1);
	else if (t->type1[c] && alone && !rnd(t, 3))
		arm(t, &f, ".", "alloc", 1);
	else if (t->type1[c] && alone && pages(t, c))
		arm(t, &f, g->dev[0], "map", 1 + rnd(t, (pages(t, c) + 3) / 4));
	trace(t, "join %s to %d", g->inst, c);
	ret = vfio_join(t->container[c], g->fd);
	expect(t, disarm(t, &f, want), ret);
	if (!ret)
		g->in = c;
	return true;
}

static bool step_leave(struct thread *t, struct group *g, bool alone)
{
	int want = g->in < 0 ? -EINVAL : g->dev_fd < 0 ? 0 : -EBUSY;

	if (g->fd < 0)
		return false;
	trace(t, "leave %s from %d", g->inst, g->in);
	expect(t, want, vfio_leave(g->fd));
	if (!want)
		left(t, g);
	return true;
}

static bool step_set_iommu(struct thread *t, struct group *g, bool alone)
{
	struct fault f = { };
	int want = 0, ret;

	if (t->container[OWN] < 0)
		return false;
	if (!members(t, OWN) || t->type1[OWN])
		want = -EINVAL;
	else if (g->in == OWN && !rnd(t, 3))
		arm(t, &f, g->dev[0], "attach", 1);
	trace(t, "set iommu");
	ret = vfio_set_iommu(t->container[OWN]);
	expect(t, disarm(t, &f, want), ret);
	t->type1[OWN] |= !ret;
	return true;
}

/* Threads that share a container each have a window of it */
static unsigned long slot_iova(struct thread *t, unsigned int slot)
{
	return t->nr * 0x10000000UL + (slot + 1) * SLOT_PAGES * PAGE;
}

static bool step_map(struct thread *t, struct group *g, bool alone)
{
	int want = 0, ret, c = rnd(t, NR_CONTAINERS), slot = rnd(t, NR_SLOTS);
	struct slot *s = &t->slot[c][slot], new;
	struct fault f = { };

	if (t->container[c] < 0)
		return false;
	new.pages = 1 + rnd(t, SLOT_PAGES);
	new.page = rnd(t, NR_PAGES - SLOT_PAGES);
	new.ro = !rnd(t, 4);
	if (!t->type1[c])
		want = -EINVAL;
	else if (s->pages)
		want = -EEXIST;
	else if (alone && g->in == c)
		arm(t, &f, g->dev[0], "map", 1);
	trace(t, "map %d %d: %u pages from %u%s", c, slot, new.pages, new.page,
	      new.ro ? ", read-only" : "");
	ret = vfio_map_prot(t->container[c], t->mem + new.page * PAGE,
			    slot_iova(t, slot), new.pages * PAGE,
			    VFIO_DMA_MAP_FLAG_READ |
			    (new.ro ? 0 : VFIO_DMA_MAP_FLAG_WRITE));
	expect(t, disarm(t, &f, want), ret);
	if (!ret)
		*s = new;
	return true;
}

static bool step_unmap(struct thread *t, struct group *g, bool alone)
{
	int c = rnd(t, NR_CONTAINERS), slot = rnd(t, NR_SLOTS);
	struct slot *s = &t->slot[c][slot];

	if (t->container[c] < 0 || !s->pages)
		return false;
	trace(t, "unmap %d %d", c, slot);
	expect(t, 0, vfio_unmap(t->container[c], slot_iova(t, slot),
				s->pages * PAGE));
	s->pages = 0;
	return true;
}

/* What DMA would read or write, as @t wants it to be; or NULL */
static char *target(struct thread *t, int c, unsigned long off, bool write)
{
	struct slot *s = &t->slot[c][off / (SLOT_PAGES * PAGE)];

	off %= SLOT_PAGES * PAGE;
	if (off / PAGE >= s->pages || (write && s->ro))
		return NULL;
	return t->want + s->page * PAGE + off;
}

/* More often than not in a slot that is mapped, in its first page */
static unsigned long random_place(struct thread *t, int c)
{
	unsigned int slot, i = 0;

	do
		slot = rnd(t, NR_SLOTS);
	while (i++ < 8 && c >= 0 && !t->slot[c][slot].pages);
	return slot * SLOT_PAGES * PAGE + rnd(t, PAGE);
}

static bool step_dma(struct thread *t, struct group *g, bool alone)
{
	unsigned long len = 1 + rnd(t, PAGE), i, src, dst;
	const char *dev = g->dev[rnd(t, g->nr_devs)];
	int want, c = g->in;
	char buf[PAGE];

	if (!g->plugged || (c < 0 && rnd(t, 8)))
		return false;
	src = random_place(t, c);
	dst = random_place(t, c);
	i = rnd(t, NR_PAGES);
	memset(t->mem + i * PAGE, t->step, PAGE);
	memset(t->want + i * PAGE, t->step, PAGE);

	want = c < 0 ? -EOPNOTSUPP : t->type1[c] ? 0 : -EFAULT;
	for (i = 0; i < len && !want; i++) {
		if (target(t, c, src + i, false) && target(t, c, dst + i, true))
			buf[i] = *target(t, c, src + i, false);
		else
			want = -EFAULT;
	}
	for (i = 0; i < len && !want; i++)
		*target(t, c, dst + i, true) = buf[i];
	trace(t, "dma %s in %d: %lu bytes, 0x%lx to 0x%lx", dev, c, len, src, dst);
	expect(t, want, sim_dma(dev, slot_iova(t, 0) + dst,
				slot_iova(t, 0) + src, len));
	return true;
}

static const struct {
	bool (*step)(struct thread *t, struct group *g, bool alone);
	unsigned int weight;
	bool alone;
} kinds[] = {
	{ step_dma, 25 }, { step_map, 15 }, { step_unmap, 8 }, { step_join, 15 },
	{ step_leave, 5 }, { step_group, 7 }, { step_device, 5 },
	{ step_unplug, 2 }, { step_container, 1 }, { step_set_iommu, 5 },
	{ step_join, 5, true }, { step_map, 3, true },
	{ step_plug, 4, true },		/* the core probes whole buses then */
};

static void *walk(void *arg)
{
	struct thread *t = arg;
	unsigned int i, n;
	bool done;

	while (t->step < steps / threads / processes && !world->failed) {
		n = rnd(t, 100);
		for (i = 0; n >= kinds[i].weight; i++)
			n -= kinds[i].weight;
		if (kinds[i].alone)
			pthread_rwlock_wrlock(&world->lock);
		else
			pthread_rwlock_rdlock(&world->lock);
		done = kinds[i].step(t, &t->group[rnd(t, NR_GROUPS)],
				     kinds[i].alone);
		if (memcmp(t->mem, t->want, NR_PAGES * PAGE))
			fail(t, "DMA went to the wrong place");
		expect(t, world->start.violations, sim_stat(".", "violations"));
		pthread_rwlock_unlock(&world->lock);

		if (done && (threads * processes == 1 || !rnd(t, 16))) {
			pthread_rwlock_wrlock(&world->lock);
			check_all(t);
			pthread_rwlock_unlock(&world->lock);
		}
		t->step += done;
	}
	return NULL;
}

static int process(unsigned int p)
{
	struct thread *all = &world->thread[p * threads], *t;
	int shared = vfio_container_open();
	pthread_t ids[MAX_THREADS];
	struct group *g;
	unsigned int i, j;

	pthread_rwlock_wrlock(&world->lock);
	for (t = all, i = 0; i < threads; i++, t++) {
		t->nr = i;
		t->proc = p;
		t->rand = (seed + 1) * 0x9e3779b97f4a7c15ULL + p * threads + i;
		t->container[OWN] = vfio_container_open();
		t->container[SHARED] = shared;
		t->type1[SHARED] = true;
		t->want = calloc(NR_PAGES, PAGE);
		t->mem = mmap(NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		for (j = 0; j <= NR_GROUPS; j++) {
			g = &t->group[j];
			g->fd = -1;
			g->dev_fd = -1;
			g->in = -1;
			if (i && j == NR_GROUPS)
				break;
			g->nr_devs = 1 + (j == 1);
			g->family = j % 3;
			sprintf(g->inst, "w%u-%u-%u", p, i, j);
			sprintf(g->dev[0], "w%u-%u-%u/d0", p, i, j);
			sprintf(g->dev[1], "w%u-%u-%u/d1", p, i, j);
			expect(t, 0, sim_mkdir(g->inst));
			step_plug(t, g, true);
		}
	}
	g = &all->group[NR_GROUPS];
	step_group(all, g, true);
	expect(all, 0, vfio_join(shared, g->fd));
	expect(all, 0, vfio_set_iommu(shared));
	g->in = SHARED;
	pthread_rwlock_unlock(&world->lock);

	pthread_barrier_wait(&world->barrier);
	for (i = 0; i < threads; i++)
		pthread_create(&ids[i], NULL, walk, &all[i]);
	for (i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	/* The rest is up to exit and to the first process */
	pthread_barrier_wait(&world->barrier);
	return 0;
}

int main(int argc, char **argv)
{
	static char stats[1024];
	pthread_rwlockattr_t rwlock;
	pthread_barrierattr_t barrier;
	pid_t pids[MAX_THREADS];
	struct sim_state end;
	unsigned int i;
	int opt, status;

	seed = time(NULL);
	while ((opt = getopt(argc, argv, "n:s:j:p:")) > 0) {
		if (opt == 'n')
			steps = strtoul(optarg, NULL, 0);
		else if (opt == 's')
			seed = strtoul(optarg, NULL, 0);
		else if (opt == 'j')
			threads = atoi(optarg);
		else if (opt == 'p')
			processes = atoi(optarg);
	}
	ksft_print_header();
	ksft_set_plan(1);
	if (!threads || threads > MAX_THREADS || !processes ||
	    processes > MAX_THREADS / threads)
		ksft_exit_fail_msg("-j times -p is at most %u\n", MAX_THREADS);
	if (!sim_present())
		ksft_exit_skip("no IOMMU_SIM\n");
	ksft_print_msg("-n %lu -s %lu -j %u -p %u\n", steps, seed, threads,
		       processes);
	fflush(stdout);

	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_rwlockattr_init(&rwlock);
	pthread_rwlockattr_setpshared(&rwlock, PTHREAD_PROCESS_SHARED);
	/* Or who wants to be alone waits for ever */
	opt = PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
	pthread_rwlockattr_setkind_np(&rwlock, opt);
	pthread_rwlock_init(&world->lock, &rwlock);
	pthread_barrierattr_init(&barrier);
	pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(&world->barrier, &barrier, processes);
	sim_del_all();
	sim_state(&world->start);

	for (i = 0; i < processes; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(process(i));
	}
	while (wait(&status) > 0) {
		if (!status)
			continue;
		world->failed = true;
		/* The others may wait for the one that failed */
		for (i = 0; i < processes; i++)
			kill(pids[i], SIGKILL);
	}
	expect(world->thread, 0, sim_del_all());
	expect(world->thread, 0, sim_state(&end));
	end.locked = world->start.locked;
	sim_read(stats, sizeof(stats), SIM_DEBUG "/stats");
	for (i = 0; stats[i]; i++)
		if (stats[i] == '\n')
			stats[i] = ' ';
	ksft_print_msg("%s\n", stats);
	ksft_test_result(!world->failed && sim_number(stats, "attach") > 0 &&
			 !memcmp(&end, &world->start, sizeof(end)), "walk\n");
	if (ksft_get_fail_cnt())
		ksft_exit_fail();
	ksft_exit_pass();
}
