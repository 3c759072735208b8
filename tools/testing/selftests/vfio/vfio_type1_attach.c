// SPDX-License-Identifier: GPL-2.0-only
/*
 * How groups join and leave containers of VFIO type1: which domain they get,
 * which error they get, and that nothing else changes.
 *
 * Most of it needs simulated IOMMUs and is skipped without them. The fixture
 * "any" also takes real devices: VFIO_TEST_DEVICES="0000:01:00.0 ..." names two
 * or more that VFIO's drivers have and that are in IOMMU groups of their own.
 *
 * A container tries its domains from the newest to the oldest. Where the IOMMUs
 * a, b and c have joined, in this order and with a domain each, for a fourth one
 * c has the first one, b the middle one, a the last one.
 */

#define _GNU_SOURCE
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "kselftest_harness.h"
#include "sim.h"

#define NR_PAGES	4
#define READ_ONLY	(NR_PAGES - 1)	/* the page that is mapped so */
#define NR_GROUPS	16
#define MANY		100
#define UNSAFE		"/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"

/* Far enough from each other that every page is a call of map_pages */
#define IOVA(page)	(0x1000000UL + (page) * 0x100000UL)

/* Those of a fresh domain: where nothing is mapped, and all, one page each */
#define EMPTY		0
#define REPLAY		(EMPTY + NR_PAGES)

enum { SAME, FRESH };

struct counts {
	long attach;	/* calls of attach_dev */
	long refused;
	long alloc;	/* domains */
	long free;
	long map;	/* calls of map_pages */
};

/* A container with what should be in it */
struct world {
	int container;
	bool type1;			/* VFIO_SET_IOMMU was done */
	bool sim;
	unsigned int members;		/* groups */
	unsigned int domains;
	unsigned long pages;		/* mapped */
	unsigned long pins;		/* of them, by a device without IOMMU */
	unsigned long page_size;
	char *mem;
	unsigned char seed;
	struct counts mark;
	struct sim_state start;
	struct {
		char dev[64];
		int fd;
	} group[NR_GROUPS];

	/* Of the fixture "any" */
	char names[SIM_NAME_MAX];
	char *dev[NR_GROUPS];
	int nr;
};

/* Everything below says for which line of a test it failed */
#define AT(line) TH_LOG("in line %d", line)

static void get_counts(struct counts *c)
{
	c->attach = sim_stat(".", "attach");
	c->refused = sim_stat(".", "refused");
	c->alloc = sim_stat(".", "alloc");
	c->free = sim_stat(".", "free");
	c->map = sim_stat(".", "map");
}

/* What was counted since the last time */
static void expect_counts(struct __test_metadata *_metadata, struct world *w,
			  int line, struct counts want)
{
	struct counts now;

	if (!w->sim)
		return;
	get_counts(&now);
	EXPECT_EQ(want.attach, now.attach - w->mark.attach)
		AT(line);
	EXPECT_EQ(want.refused, now.refused - w->mark.refused)
		AT(line);
	EXPECT_EQ(want.alloc, now.alloc - w->mark.alloc)
		AT(line);
	EXPECT_EQ(want.free, now.free - w->mark.free)
		AT(line);
	EXPECT_EQ(want.map, now.map - w->mark.map)
		AT(line);
	w->mark = now;
}

/* Everything is mapped in every domain, and pinned once */
static void expect_state(struct __test_metadata *_metadata, struct world *w,
			 int line)
{
	unsigned long pages = w->domains ? w->pages : 0;
	unsigned long locked = pages ?: w->pins;
	unsigned int i, j, full = 0;
	struct sim_state now;

	ASSERT_EQ(0, sim_state(&now));
	EXPECT_EQ(pages + w->pins, now.pinned - w->start.pinned)
		AT(line);
	EXPECT_EQ(locked * w->page_size / 1024, now.locked - w->start.locked)
		AT(line);
	if (!w->sim)
		return;

	EXPECT_EQ(w->start.violations, now.violations)
		AT(line);
	for (i = 0, j = 0; i < now.nr_domains; i++) {
		if (j < w->start.nr_domains &&
		    w->start.domain[j].id == now.domain[i].id) {
			j++;
			continue;
		}
		full += now.domain[i].mapped == w->pages * w->page_size;
	}
	EXPECT_EQ(w->start.nr_domains + w->domains, now.nr_domains)
		AT(line);
	EXPECT_EQ(w->domains, full)
		AT(line);
}

static int group_fd(struct world *w, const char *dev)
{
	int i;

	for (i = 0; i < NR_GROUPS - 1 && w->group[i].dev[0]; i++)
		if (!strcmp(w->group[i].dev, dev))
			break;
	if (!w->group[i].dev[0]) {
		snprintf(w->group[i].dev, sizeof(w->group[i].dev), "%s", dev);
		w->group[i].fd = strchr(dev, '/') ? sim_group_open(dev) :
						    vfio_group_open(dev);
	}
	return w->group[i].fd;
}

static void group_close(struct world *w, const char *dev)
{
	int i;

	for (i = 0; i < NR_GROUPS; i++) {
		if (strcmp(w->group[i].dev, dev))
			continue;
		close(w->group[i].fd);
		strcpy(w->group[i].dev, "-");
	}
}

static int try_join(struct world *w, const char *dev)
{
	int ret, fd = group_fd(w, dev);

	if (fd < 0)
		return fd;
	ret = vfio_join(w->container, fd);
	if (!ret && !w->type1) {
		ret = vfio_set_iommu(w->container);
		if (ret)
			vfio_leave(fd);
		else
			w->type1 = true;
	}
	return ret;
}

/* A mapping that has been there before goes into a fresh domain, and once */
static void expect_join(struct __test_metadata *_metadata, struct world *w,
			int line, const char *dev, int fresh)
{
	int ret = try_join(w, dev);

	EXPECT_EQ(0, ret)
		AT(line);
	if (!ret) {
		w->members++;
		w->domains += fresh;
	}
	expect_state(_metadata, w, line);
}

static void expect_no_join(struct __test_metadata *_metadata, struct world *w,
			   int line, const char *dev, int err)
{
	int ret = try_join(w, dev);

	EXPECT_EQ(err, ret)
		AT(line);
	/* So that the rest of the test makes sense */
	if (!ret)
		vfio_leave(group_fd(w, dev));
	expect_state(_metadata, w, line);
}

/* @domains of them go with the group; with the last group goes all */
static void expect_leave(struct __test_metadata *_metadata, struct world *w,
			 int line, const char *dev, int domains)
{
	EXPECT_EQ(0, vfio_leave(group_fd(w, dev)))
		AT(line);
	w->domains -= domains;
	if (!--w->members) {
		w->pages = 0;
		w->type1 = false;
	}
	expect_state(_metadata, w, line);
}

static void map_page(struct __test_metadata *_metadata, struct world *w,
		     int line, unsigned int page)
{
	unsigned int prot = VFIO_DMA_MAP_FLAG_READ;

	if (page != READ_ONLY)
		prot |= VFIO_DMA_MAP_FLAG_WRITE;
	EXPECT_EQ(0, vfio_map_prot(w->container, w->mem + page * w->page_size,
				   IOVA(page), w->page_size, prot))
		AT(line);
	w->pages++;
	expect_state(_metadata, w, line);
}

static void unmap_page(struct __test_metadata *_metadata, struct world *w,
		       int line, unsigned int page)
{
	EXPECT_EQ(0, vfio_unmap(w->container, IOVA(page), w->page_size))
		AT(line);
	w->pages--;
	expect_state(_metadata, w, line);
}

static void map_pages(struct __test_metadata *_metadata, struct world *w,
		      int line)
{
	unsigned int i;

	for (i = 0; i < NR_PAGES; i++)
		map_page(_metadata, w, line, i);
}

/* What is mapped arrives, and nothing else does */
static void expect_dma(struct __test_metadata *_metadata, struct world *w,
		       int line, const char *dev)
{
	char *src = w->mem, *dst = w->mem + w->page_size;

	if (!w->sim)
		return;
	memset(src, ++w->seed, w->page_size);
	memset(dst, 0, w->page_size);
	EXPECT_EQ(0, sim_dma(dev, IOVA(1), IOVA(0), w->page_size))
		AT(line);
	EXPECT_EQ(0, memcmp(dst, src, w->page_size))
		AT(line);

	memset(dst, 0, w->page_size);
	EXPECT_EQ(-EFAULT, sim_dma(dev, IOVA(1) + w->page_size - 1, IOVA(0), 2))
		AT(line);
	EXPECT_EQ(0, dst[w->page_size - 1])
		AT(line);
	EXPECT_EQ(-EFAULT, sim_dma(dev, IOVA(READ_ONLY), IOVA(0), 1))
		AT(line);
	EXPECT_EQ(0, sim_dma(dev, IOVA(0), IOVA(READ_ONLY), 1))
		AT(line);
}

/* In no container, so in the identity domain: that does not translate */
static void expect_no_dma(struct __test_metadata *_metadata, struct world *w,
			  int line, const char *dev)
{
	if (w->sim)
		EXPECT_EQ(-EOPNOTSUPP, sim_dma(dev, IOVA(1), IOVA(0), 1))
			AT(line);
}

#define CALL(f, ...)	f(_metadata, w, __LINE__, ##__VA_ARGS__)
#define COUNTS(...)	CALL(expect_counts, (struct counts){ __VA_ARGS__ })
#define JOIN(...)	CALL(expect_join, __VA_ARGS__)
#define NO_JOIN(...)	CALL(expect_no_join, __VA_ARGS__)
#define LEAVE(...)	CALL(expect_leave, __VA_ARGS__)
#define MAP_ALL()	CALL(map_pages)
#define DMA(...)	CALL(expect_dma, __VA_ARGS__)
#define NO_DMA(...)	CALL(expect_no_dma, __VA_ARGS__)
#define STATE()		CALL(expect_state)

#define ADD(...)	ASSERT_EQ(0, sim_add(__VA_ARGS__))
#define SKIP_TEST(...)	SKIP(_exit(0), __VA_ARGS__)

static void open_world(struct __test_metadata *_metadata, struct world *w,
		       bool sim)
{
	int ret;

	w->container = vfio_container_open();
	if (w->container < 0)
		SKIP_TEST("/dev/vfio/vfio: %s", strerror(-w->container));
	if (ioctl(w->container, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1)
		SKIP_TEST("no VFIO type1");
	if (sim && !sim_present())
		SKIP_TEST("no simulated IOMMUs (CONFIG_IOMMU_SIM, configfs, debugfs, root)");
	if (sim) {
		/* What a test that died has left */
		ASSERT_EQ(0, sim_del_all());
		ret = sim_add("probe", "", "d");
		sim_del("probe");
		if (ret == -EBUSY)
			SKIP_TEST("this machine has an IOMMU that is not simulated");
		if (ret == -ENOENT)
			SKIP_TEST("no vfio-platform, or no reset of its simulated devices");
		ASSERT_EQ(0, ret);
	}

	w->sim = sim;
	w->page_size = sysconf(_SC_PAGESIZE);
	w->mem = mmap(NULL, NR_PAGES * w->page_size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)w->mem);
	ASSERT_EQ(0, sim_state(&w->start));
	get_counts(&w->mark);
}

/* However a test ended, nothing is left */
static void close_world(struct __test_metadata *_metadata, struct world *w)
{
	int i;

	/* Or the harness comes here again, for an ASSERT that is no more */
	_metadata->trigger = 0;
	for (i = 0; i < NR_GROUPS; i++)
		if (w->group[i].dev[0] && strcmp(w->group[i].dev, "-"))
			close(w->group[i].fd);
	close(w->container);
	w->domains = 0;
	w->pages = 0;
	w->pins = 0;
	expect_state(_metadata, w, __LINE__);
	if (w->sim)
		EXPECT_EQ(0, sim_del_all());
}

/* Three domains, with everything mapped */
static void three_domains(struct __test_metadata *_metadata, struct world *w)
{
	ADD("a", "family=1", "d");
	ADD("b", "family=2", "d");
	ADD("c", "family=3", "d");
	ADD("x", "family=4", "d");
	expect_join(_metadata, w, __LINE__, "a/d", FRESH);
	map_pages(_metadata, w, __LINE__);
	expect_join(_metadata, w, __LINE__, "b/d", FRESH);
	expect_join(_metadata, w, __LINE__, "c/d", FRESH);
	get_counts(&w->mark);
}

/* Devices of any kind */

FIXTURE(any) {
	struct world w;
};

FIXTURE_VARIANT(any) {
	bool sim;
};

FIXTURE_VARIANT_ADD(any, sim) { .sim = true };
FIXTURE_VARIANT_ADD(any, real) { .sim = false };

FIXTURE_SETUP(any)
{
	struct world *w = &self->w;
	const char *env = getenv("VFIO_TEST_DEVICES");
	char *p, *next;
	int fd;

	if (!variant->sim && !env)
		SKIP_TEST("VFIO_TEST_DEVICES names no devices");
	open_world(_metadata, w, variant->sim);
	if (variant->sim) {
		ADD("a", "family=1", "d");
		ADD("b", "family=1", "d");
		ADD("c", "family=2", "d");
		env = "a/d b/d c/d";
	}
	snprintf(w->names, sizeof(w->names), "%s", env);
	for (p = strtok_r(w->names, " ", &next); p && w->nr < NR_GROUPS;
	     p = strtok_r(NULL, " ", &next)) {
		w->dev[w->nr++] = p;
		fd = group_fd(w, p);
		if (fd < 0)
			SKIP_TEST("group of %s: %s", p, strerror(-fd));
	}
	if (w->nr < 2)
		SKIP_TEST("two devices are needed");
}

FIXTURE_TEARDOWN(any)
{
	close_world(_metadata, &self->w);
}

/* Which of them share domains only the simulated ones let us know */
static int is_fresh(struct world *w, int i)
{
	return !i || (w->sim && i == 2);
}

static void join_all(struct __test_metadata *_metadata, struct world *w)
{
	int i;

	for (i = 0; i < w->nr; i++)
		JOIN(w->dev[i], is_fresh(w, i));
}

TEST_F(any, container_without_group)
{
	struct world *w = &self->w;

	EXPECT_EQ(-EINVAL, vfio_set_iommu(w->container));
	EXPECT_EQ(-EINVAL, vfio_map(w->container, w->mem, IOVA(0),
				    w->page_size));
	EXPECT_EQ(0, vfio_join(w->container, group_fd(w, w->dev[0])));
	EXPECT_EQ(-EINVAL, vfio_map(w->container, w->mem, IOVA(0),
				    w->page_size));
	STATE();
	EXPECT_EQ(0, vfio_set_iommu(w->container));
	EXPECT_EQ(-EINVAL, vfio_set_iommu(w->container));
	w->type1 = true;
	w->members = 1;
	w->domains = 1;
	EXPECT_EQ(-EINVAL, vfio_join(w->container, group_fd(w, w->dev[0])));
	STATE();
	LEAVE(w->dev[0], 1);
	EXPECT_EQ(-EINVAL, vfio_leave(group_fd(w, w->dev[0])));
	COUNTS(.attach = 1, .alloc = 1, .free = 1, .map = EMPTY);
}

TEST_F(any, join_then_map)
{
	struct world *w = &self->w;
	int i;

	join_all(_metadata, w);
	COUNTS(.attach = 4, .refused = 1, .alloc = 2, .map = 2 * EMPTY);
	MAP_ALL();
	COUNTS(.map = 2 * NR_PAGES);
	for (i = 0; i < w->nr; i++)
		DMA(w->dev[i]);
	for (i = 0; i < NR_PAGES; i++)
		CALL(unmap_page, i);
	for (i = 0; i < w->nr; i++)
		LEAVE(w->dev[i], i + 1 == w->nr ? w->domains :
						      w->sim && i == 1);
	COUNTS(.free = 2);
}

TEST_F(any, map_then_join)
{
	struct world *w = &self->w;
	int i;

	JOIN(w->dev[0], FRESH);
	MAP_ALL();
	COUNTS(.attach = 1, .alloc = 1, .map = EMPTY + NR_PAGES);
	for (i = 1; i < w->nr; i++)
		JOIN(w->dev[i], is_fresh(w, i));
	COUNTS(.attach = 3, .refused = 1, .alloc = 1, .map = REPLAY);
	for (i = 0; i < w->nr; i++)
		DMA(w->dev[i]);
	/* The newest first; with the last one the mappings go */
	while (i--) {
		LEAVE(w->dev[i], is_fresh(w, i));
		NO_DMA(w->dev[i]);
	}
	COUNTS(.free = 2);
}

TEST_F(any, join_then_set_iommu)
{
	struct world *w = &self->w;
	int i;

	for (i = 0; i < w->nr; i++)
		EXPECT_EQ(0, vfio_join(w->container, group_fd(w, w->dev[i])));
	COUNTS();
	STATE();
	EXPECT_EQ(0, vfio_set_iommu(w->container));
	w->type1 = true;
	w->members = w->nr;
	w->domains = w->sim ? 2 : 1;
	/* The last one is the first */
	COUNTS(.attach = 4, .refused = 1, .alloc = 2, .map = 2 * EMPTY);
	MAP_ALL();
	for (i = 0; i < w->nr; i++)
		DMA(w->dev[i]);
}

TEST_F(any, leave_and_come_back)
{
	struct world *w = &self->w;

	JOIN(w->dev[0], FRESH);
	MAP_ALL();
	LEAVE(w->dev[0], 1);
	NO_DMA(w->dev[0]);
	COUNTS(.attach = 1, .alloc = 1, .free = 1, .map = EMPTY + NR_PAGES);

	/* Another one comes to an empty container, without any mapping */
	JOIN(w->dev[1], FRESH);
	COUNTS(.attach = 1, .alloc = 1, .map = EMPTY);
	if (w->sim)
		EXPECT_EQ(-EFAULT, sim_dma(w->dev[1], IOVA(1), IOVA(0), 1));
	MAP_ALL();
	JOIN(w->dev[0], SAME);
	DMA(w->dev[0]);
	LEAVE(w->dev[1], 0);
	DMA(w->dev[0]);
	JOIN(w->dev[1], SAME);
	DMA(w->dev[1]);
	COUNTS(.attach = 2, .map = NR_PAGES);
}

/* Whatever is closed last takes everything down */
TEST_F(any, close_in_any_order)
{
	static const char * const orders[] = {
		"cgd", "cdg", "gcd", "gdc", "dcg", "dgc"
	};
	struct world *w = &self->w;
	int i, j, fd[128];
	char name[128];

	for (i = 0; i < ARRAY_SIZE(orders); i++) {
		JOIN(w->dev[0], FRESH);
		JOIN(w->dev[1], SAME);
		MAP_ALL();
		snprintf(name, sizeof(name), "%s", w->dev[0]);
		if (w->sim)
			ASSERT_EQ(0, sim_name(w->dev[0], name, sizeof(name)));
		fd['c'] = w->container;
		fd['g'] = group_fd(w, w->dev[0]);
		fd['d'] = vfio_device_open(fd['g'], name);
		ASSERT_LE(0, fd['d']);
		EXPECT_EQ(-EBUSY, vfio_leave(fd['g']));
		LEAVE(w->dev[1], 0);
		for (j = 0; j < 3; j++) {
			STATE();
			DMA(w->dev[0]);
			close(fd[(int)orders[i][j]]);
			/* A group in use is held by its device */
			if (j == 1 && orders[i][2] == 'c')
				break;
		}
		w->pages = 0;
		w->domains = 0;
		w->members = 0;
		w->type1 = false;
		STATE();
		if (j < 3)
			close(w->container);
		NO_DMA(w->dev[0]);
		strcpy(w->group[0].dev, w->dev[0]);
		w->group[0].fd = w->sim ? sim_group_open(w->dev[0]) :
					  vfio_group_open(w->dev[0]);
		ASSERT_LE(0, w->group[0].fd);
		w->container = vfio_container_open();
		ASSERT_LE(0, w->container);
		COUNTS(.attach = 2, .alloc = 1, .free = 1, .map = EMPTY + NR_PAGES);
	}
}

/* A container that has been closed while others go on */
TEST_F(any, two_containers)
{
	struct world *w = &self->w;
	int other = vfio_container_open();

	ASSERT_LE(0, other);
	JOIN(w->dev[0], FRESH);
	MAP_ALL();
	EXPECT_EQ(0, vfio_join(other, group_fd(w, w->dev[1])));
	EXPECT_EQ(-EINVAL, vfio_join(w->container, group_fd(w, w->dev[1])));
	EXPECT_EQ(0, vfio_set_iommu(other));
	COUNTS(.attach = 2, .alloc = 2, .map = 2 * EMPTY + NR_PAGES);
	if (w->sim)
		EXPECT_EQ(-EFAULT, sim_dma(w->dev[1], IOVA(1), IOVA(0), 1));
	close(other);
	group_close(w, w->dev[1]);
	COUNTS(.free = 1);
	STATE();
	DMA(w->dev[0]);
	NO_DMA(w->dev[1]);
}

/* Simulated IOMMUs; a test brings what it needs */

FIXTURE(sim) {
	struct world w;
};

FIXTURE_SETUP(sim)
{
	open_world(_metadata, &self->w, true);
}

FIXTURE_TEARDOWN(sim)
{
	close_world(_metadata, &self->w);
}

/* No domain fits */
TEST_F(sim, fallback)
{
	struct world *w = &self->w;

	three_domains(_metadata, w);
	JOIN("x/d", FRESH);
	COUNTS(.attach = 4, .refused = 3, .alloc = 1, .map = REPLAY);
	DMA("x/d");
	DMA("a/d");
	LEAVE("x/d", 1);
	COUNTS(.free = 1);
	NO_DMA("x/d");
}

/* Not even the fresh one: the caller hears it, and nothing is left */
TEST_F(sim, fresh_does_not_fit)
{
	struct world *w = &self->w;

	three_domains(_metadata, w);
	ASSERT_EQ(0, sim_refuse("x/d", EINVAL));
	NO_JOIN("x/d", -EINVAL);
	COUNTS(.attach = 4, .refused = 4, .alloc = 1, .free = 1);
	NO_DMA("x/d");
	DMA("a/d");
	ASSERT_EQ(0, sim_refuse("x/d", 0));
	JOIN("x/d", FRESH);
	DMA("x/d");
}

/* It fits all the same if it is asked again */
TEST_F(sim, soft_error)
{
	struct world *w = &self->w;
	int k;

	three_domains(_metadata, w);
	ADD("c2", "family=3", "d");
	for (k = 1; k <= 3; k++) {
		ASSERT_EQ(0, sim_fail("c2", "attach", 1, EINVAL, k));
		JOIN("c2/d", FRESH);
		COUNTS(.attach = 4, .refused = 3, .alloc = 1, .map = REPLAY);
		DMA("c2/d");
		LEAVE("c2/d", 1);
		COUNTS(.free = 1);
	}
	JOIN("c2/d", SAME);
	COUNTS(.attach = 1);
	DMA("c2/d");
}

/* Another process maps and unmaps while what is mapped is replayed */
TEST_F(sim, map_while_joining)
{
	struct world *w = &self->w;
	int i, status;
	bool *stop;
	pid_t pid;

	stop = mmap(NULL, sizeof(*stop), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, stop);
	ADD("a", "family=1", "d");
	ADD("b", "family=2", "d");
	JOIN("a/d", FRESH);
	for (i = 0; i < MANY; i++) {
		ASSERT_EQ(0, vfio_map(w->container, w->mem, IOVA(i),
				      w->page_size));
		w->pages++;
	}
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		status = 0;
		while (!__atomic_load_n(stop, __ATOMIC_RELAXED) && !status)
			status = vfio_map(w->container, w->mem, IOVA(MANY),
					  w->page_size) ?:
				 vfio_unmap(w->container, IOVA(MANY),
					    w->page_size);
		_exit(-status);
	}
	for (i = 0; i < MANY; i++) {
		EXPECT_EQ(0, vfio_join(w->container, group_fd(w, "b/d")));
		EXPECT_EQ(0, vfio_leave(group_fd(w, "b/d")));
	}
	__atomic_store_n(stop, true, __ATOMIC_RELAXED);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	STATE();
	JOIN("b/d", FRESH);
	munmap(stop, sizeof(*stop));
}

/* The caller hears why there is none */
TEST_F(sim, no_domain)
{
	struct world *w = &self->w;

	three_domains(_metadata, w);
	ASSERT_EQ(0, sim_fail(".", "alloc", 1, ENOMEM, 1));
	NO_JOIN("x/d", -ENOMEM);
	COUNTS(.attach = 3, .refused = 3);
	NO_DMA("x/d");
	ASSERT_EQ(0, sim_fail(".", "alloc", 1, ENOSPC, 1));
	NO_JOIN("x/d", -ENOSPC);
	JOIN("x/d", FRESH);
	DMA("x/d");
}

TEST_F(sim, no_domain_at_all)
{
	struct world *w = &self->w;

	ADD("x", "", "d");
	ASSERT_EQ(0, sim_fail(".", "alloc", 1, ENOMEM, 1));
	NO_JOIN("x/d", -ENOMEM);
	COUNTS();
	JOIN("x/d", FRESH);
	MAP_ALL();
	DMA("x/d");
}

/* The ids of an IOMMU run out, and come back */
TEST_F(sim, out_of_ids)
{
	struct world *w = &self->w;

	ADD("a", "family=1", "d");
	ADD("b", "family=2", "d");
	ADD("x", "family=2 max_domains=1", "d e");
	JOIN("a/d", FRESH);
	MAP_ALL();
	JOIN("b/d", FRESH);
	COUNTS(.attach = 3, .refused = 1, .alloc = 2, .map = REPLAY + REPLAY);
	JOIN("x/d", SAME);
	JOIN("x/e", SAME);
	COUNTS(.attach = 2);
	LEAVE("x/e", 0);

	/* A second domain for x */
	ASSERT_EQ(0, sim_fail("x/e", "attach", 1, EINVAL, 1));
	NO_JOIN("x/e", -ENOSPC);
	COUNTS(.attach = 3, .refused = 3, .alloc = 1, .free = 1);
	DMA("x/d");
	LEAVE("x/d", 0);
	JOIN("x/e", SAME);
	DMA("x/e");
}

/* A container without IOMMU has nobody to undo but its own groups */
TEST_F(sim, set_iommu_fails_half_way)
{
	struct world *w = &self->w;

	ADD("a", "family=1", "d");
	ADD("b", "family=2", "d");
	EXPECT_EQ(0, vfio_join(w->container, group_fd(w, "a/d")));
	EXPECT_EQ(0, vfio_join(w->container, group_fd(w, "b/d")));
	ASSERT_EQ(0, sim_fail("a", "attach", 1, ENOSPC, 1));
	EXPECT_EQ(-ENOSPC, vfio_set_iommu(w->container));
	STATE();
	COUNTS(.attach = 2, .refused = 1, .alloc = 1, .free = 1, .map = EMPTY);
	EXPECT_EQ(0, vfio_set_iommu(w->container));
	w->domains = 2;
	MAP_ALL();
	DMA("a/d");
	DMA("b/d");
}

/* While addresses are invalid nothing can be pinned for a new domain */
TEST_F(sim, invalid_vaddr)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = VFIO_DMA_UNMAP_FLAG_VADDR,
		.iova = IOVA(0),
	};
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_VADDR,
		.iova = IOVA(0),
	};
	struct world *w = &self->w;

	three_domains(_metadata, w);
	unmap.size = w->page_size;
	map.size = w->page_size;
	map.vaddr = (unsigned long)w->mem;
	ASSERT_EQ(0, ioctl(w->container, VFIO_IOMMU_UNMAP_DMA, &unmap));
	NO_JOIN("x/d", -EBUSY);
	COUNTS();
	NO_DMA("x/d");
	ASSERT_EQ(0, ioctl(w->container, VFIO_IOMMU_MAP_DMA, &map));
	JOIN("x/d", FRESH);
	DMA("x/d");
}

/*
 * A mapping is where the device has a reserved region: it only gets a domain of
 * its own, to find out whether its driver refuses it in any case.
 */
TEST_F(sim, refused_or_reserved)
{
	struct world *w = &self->w;

	ADD("r", "family=1 reserved=0x1000000-0x10fffff", "d");
	ASSERT_EQ(0, sim_refuse("r/d", EPERM));
	NO_JOIN("r/d", -EPERM);
	three_domains(_metadata, w);
	/* What is mapped is looked at before there is a domain */
	NO_JOIN("r/d", -EINVAL);
	COUNTS(.attach = 0);
	ASSERT_EQ(0, sim_refuse("r/d", 0));
	NO_JOIN("r/d", -EINVAL);
	COUNTS(.attach = 0);
	NO_DMA("r/d");
	CALL(unmap_page, 0);
	JOIN("r/d", SAME);
}

/* VFIO takes no device whose DMA is not coherent */
TEST_F(sim, incoherent)
{
	EXPECT_EQ(-EINVAL, sim_add("x", "coherent=0", "d"));
}

/* The mappings of a fresh domain cannot all be made: it does not stay */
TEST_F(sim, replay_fails)
{
	struct world *w = &self->w;
	static const int errs[] = { ENOMEM, ENOSPC, EINVAL };
	int i, k;

	three_domains(_metadata, w);
	for (i = 0; i < ARRAY_SIZE(errs); i++) {
		for (k = EMPTY + 1; k <= REPLAY; k++) {
			ASSERT_EQ(0, sim_fail("x", "map", k, errs[i], 1));
			NO_JOIN("x/d", -errs[i]);
			COUNTS(.attach = 4, .refused = 3, .alloc = 1,
			       .free = 1, .map = k - 1);
			NO_DMA("x/d");
			DMA("a/d");
		}
	}
	JOIN("x/d", FRESH);
	COUNTS(.attach = 4, .refused = 3, .alloc = 1, .map = REPLAY);
	DMA("x/d");
}

/* Every hard errno at every position */

FIXTURE(hard) {
	struct world w;
};

FIXTURE_VARIANT(hard) {
	int err;
};

FIXTURE_VARIANT_ADD(hard, ENOMEM) { .err = ENOMEM };
FIXTURE_VARIANT_ADD(hard, ENOSPC) { .err = ENOSPC };
FIXTURE_VARIANT_ADD(hard, EBUSY) { .err = EBUSY };
FIXTURE_VARIANT_ADD(hard, ENODEV) { .err = ENODEV };
FIXTURE_VARIANT_ADD(hard, EIO) { .err = EIO };
FIXTURE_VARIANT_ADD(hard, EPERM) { .err = EPERM };
FIXTURE_VARIANT_ADD(hard, ENXIO) { .err = ENXIO };

FIXTURE_SETUP(hard)
{
	struct world *w = &self->w;

	open_world(_metadata, w, true);
	three_domains(_metadata, w);
}

FIXTURE_TEARDOWN(hard)
{
	close_world(_metadata, &self->w);
}

/* @k: 1 to 3 are the domains that are there, 4 is the fresh one */
static void refuse(struct __test_metadata *_metadata, struct world *w, int err,
		   int k)
{
	ASSERT_EQ(0, sim_fail("x", "attach", k, err, 1));
	NO_JOIN("x/d", -err);
	COUNTS(.attach = k, .refused = k, .alloc = k == 4, .free = k == 4);
	NO_DMA("x/d");
	DMA("a/d");
	DMA("b/d");
	DMA("c/d");

	/* The next try knows nothing of it */
	JOIN("x/d", FRESH);
	COUNTS(.attach = 4, .refused = 3, .alloc = 1, .map = REPLAY);
	DMA("x/d");
	LEAVE("x/d", 1);
	COUNTS(.free = 1);
}

TEST_F(hard, first)
{
	refuse(_metadata, &self->w, variant->err, 1);
}

TEST_F(hard, middle)
{
	refuse(_metadata, &self->w, variant->err, 2);
}

TEST_F(hard, last)
{
	refuse(_metadata, &self->w, variant->err, 3);
}

TEST_F(hard, fresh)
{
	refuse(_metadata, &self->w, variant->err, 4);
}

/* The container has no domain yet, the errno comes from VFIO_SET_IOMMU */
TEST_F(hard, alone)
{
	struct world *w = &self->w;

	LEAVE("a/d", 1);
	LEAVE("b/d", 1);
	LEAVE("c/d", 1);
	COUNTS(.free = 3);
	ASSERT_EQ(0, sim_fail("x", "attach", 1, variant->err, 1));
	NO_JOIN("x/d", -variant->err);
	COUNTS(.attach = 1, .refused = 1, .alloc = 1, .free = 1);
	NO_DMA("x/d");
	JOIN("x/d", FRESH);
	MAP_ALL();
	DMA("x/d");
}

TEST_F(hard, lasting)
{
	struct world *w = &self->w;

	ASSERT_EQ(0, sim_refuse("x/d", variant->err));
	NO_JOIN("x/d", -variant->err);
	NO_JOIN("x/d", -variant->err);
	COUNTS(.attach = 2, .refused = 2);
	ASSERT_EQ(0, sim_refuse("x/d", 0));
	JOIN("x/d", FRESH);
	DMA("x/d");
}

/* What the trace events say of a join */

#define TRACING		"/sys/kernel/tracing"
#define TRACE		TRACING "/instances/vfio_type1_attach"

FIXTURE(trace) {
	struct world w;
};

FIXTURE_SETUP(trace)
{
	struct world *w = &self->w;
	int ret;

	open_world(_metadata, w, true);
	mount("tracefs", TRACING, "tracefs", 0, NULL);
	if (access(TRACING "/instances", W_OK))
		SKIP_TEST("no tracefs");
	rmdir(TRACE);
	ret = mkdir(TRACE, 0755);
	/* A pointer as it is: what it is hashed with may not be there yet */
	ret = ret ?: sim_write("0", TRACE "/options/hash-ptr");
	ret = ret ?: sim_write("1", TRACE "/events/iommu/attach_device_failed/enable");
	ret = ret ?: sim_write("1", TRACE "/events/iommu/attach_device_skipped/enable");
	ret = ret ?: sim_write("1", TRACE "/events/vfio/vfio_type1_attach/enable");
	ASSERT_EQ(0, ret);
	ADD("a", "family=1", "d");
	ADD("b", "family=2", "d");
	ADD("c", "family=1", "d");
	ADD("x", "family=3", "d");
}

FIXTURE_TEARDOWN(trace)
{
	rmdir(TRACE);
	close_world(_metadata, &self->w);
}

/* P1 for the pointer that comes first, P2 for the next one, and so on */
static unsigned int pointer(unsigned long long ptr)
{
	static unsigned long long known[16];
	unsigned int i;

	for (i = 0; i < 15 && known[i] && known[i] != ptr; i++)
		;
	known[i] = ptr;
	return i + 1;
}

/*
 * The events since the last time, "<event>: <text>" each, without what is
 * before and with names for pointers; the container of the test is P1.
 */
static char *events(char *buf, size_t size)
{
	static const char * const fields[] = { "container=", "domain=" };
	static char raw[16384];
	char *line, *next, *text, *field, *end;
	unsigned long long ptr;
	size_t len = 0;
	unsigned int i;
	int fd;

	buf[0] = 0;
	if (sim_read(raw, sizeof(raw), TRACE "/trace") < 0)
		return buf;
	/* Which empties it */
	fd = open(TRACE "/trace", O_WRONLY | O_TRUNC);
	if (fd >= 0)
		close(fd);
	for (line = strtok_r(raw, "\n", &next); line;
	     line = strtok_r(NULL, "\n", &next)) {
		text = strstr(line, ": ");
		if (*line == '#' || !text)
			continue;
		for (text += 2; *text && len < size - 32;) {
			for (i = 0; i < 2; i++) {
				field = strstr(text, fields[i]);
				if (field == text)
					break;
			}
			if (i == 2) {
				buf[len++] = *text++;
				continue;
			}
			text += strlen(fields[i]);
			ptr = strtoull(text, &end, 16);
			len += sprintf(buf + len, ptr ? "%sP%u" : "%s0",
				       fields[i], ptr ? pointer(ptr) : 0);
			text = end;
		}
		buf[len++] = '\n';
		buf[len] = 0;
	}
	return buf;
}

static int group_nr(const char *dev)
{
	char name[128];

	return sim_name(dev, name, sizeof(name)) ?: vfio_group_nr(name);
}

/* @fmt has a %d for the number of the group of each device */
static void expect_events(struct __test_metadata *_metadata, struct world *w,
			  int line, const char *fmt, const char *dev)
{
	char want[4096], got[4096];
	int nr = group_nr(dev);

	snprintf(want, sizeof(want), fmt, nr, nr, nr, nr, nr, nr);
	EXPECT_STREQ(want, events(got, sizeof(got)))
		AT(line);
}

#define TYPE1		"vfio_type1_attach: container=P1 groupID=%d "
#define FAILED(dev)	"attach_device_failed: IOMMU: groupID=%d device=" dev ".d "
#define BEHIND(iommu)	"iommu=iommu-sim." iommu " probe=sim_probe_device domain="
#define BY(err)		" type=unmanaged attach=sim_attach_dev pasid=0 error=-" err "\n"
#define EVENTS(...)	CALL(expect_events, __VA_ARGS__)

/* Nothing failed: the core is silent */
TEST_F(trace, fits)
{
	struct world *w = &self->w;

	JOIN("a/d", FRESH);
	EVENTS(TYPE1 "index=0 domain=P2 error=0 fresh\n", "a/d");
	MAP_ALL();
	JOIN("c/d", SAME);
	EVENTS(TYPE1 "index=0 domain=P2 error=0 reuse\n", "c/d");
	LEAVE("c/d", 0);
	EVENTS("", "c/d");
}

/* The newest is tried first, and the fresh one comes after all */
TEST_F(trace, mismatch)
{
	struct world *w = &self->w;

	JOIN("a/d", FRESH);
	EVENTS(TYPE1 "index=0 domain=P2 error=0 fresh\n", "a/d");
	MAP_ALL();
	JOIN("b/d", FRESH);
	EVENTS(FAILED("b") BEHIND("b") "P2" BY("22")
	       TYPE1 "index=0 domain=P2 error=-22 next\n"
	       TYPE1 "index=1 domain=P3 error=0 fresh\n", "b/d");
	JOIN("x/d", FRESH);
	EVENTS(FAILED("x") BEHIND("x") "P3" BY("22")
	       TYPE1 "index=0 domain=P3 error=-22 next\n"
	       FAILED("x") BEHIND("x") "P2" BY("22")
	       TYPE1 "index=1 domain=P2 error=-22 next\n"
	       TYPE1 "index=2 domain=P4 error=0 fresh\n", "x/d");
	JOIN("c/d", SAME);
	EVENTS(FAILED("c") BEHIND("c") "P4" BY("22")
	       TYPE1 "index=0 domain=P4 error=-22 next\n"
	       FAILED("c") BEHIND("c") "P3" BY("22")
	       TYPE1 "index=1 domain=P3 error=-22 next\n"
	       TYPE1 "index=2 domain=P2 error=0 reuse\n", "c/d");
}

/* No other domain is tried, nor after a fresh one */
TEST_F(trace, hard_error)
{
	struct world *w = &self->w;

	JOIN("a/d", FRESH);
	EVENTS(TYPE1 "index=0 domain=P2 error=0 fresh\n", "a/d");
	ASSERT_EQ(0, sim_fail("c", "attach", 1, ENOMEM, 1));
	NO_JOIN("c/d", -ENOMEM);
	EVENTS(FAILED("c") BEHIND("c") "P2" BY("12")
	       TYPE1 "index=0 domain=P2 error=-12 fail\n", "c/d");
	ASSERT_EQ(0, sim_fail("x", "attach", 2, ENOSPC, 1));
	NO_JOIN("x/d", -ENOSPC);
	EVENTS(FAILED("x") BEHIND("x") "P2" BY("22")
	       TYPE1 "index=0 domain=P2 error=-22 next\n"
	       FAILED("x") BEHIND("x") "P3" BY("28")
	       TYPE1 "index=1 domain=0 error=-28 fail\n", "x/d");
	/* Without a domain nobody is asked */
	ASSERT_EQ(0, sim_fail(".", "alloc", 1, ENOMEM, 1));
	NO_JOIN("x/d", -ENOMEM);
	EVENTS(FAILED("x") BEHIND("x") "P2" BY("22")
	       TYPE1 "index=0 domain=P2 error=-22 next\n"
	       TYPE1 "index=1 domain=0 error=-12 fail\n", "x/d");
}

/* The driver is not asked of a domain that type1 leaves out */
TEST_F(trace, left_out)
{
	struct world *w = &self->w;

	ADD("n", "family=1 enforce=0", "d");
	ADD("m", "family=1 msi=sw,0x8000000", "d");
	JOIN("n/d", FRESH);
	EVENTS(TYPE1 "index=0 domain=P2 error=0 fresh\n", "n/d");
	JOIN("a/d", FRESH);
	EVENTS(TYPE1 "index=0 domain=P2 error=0 next-coherency\n"
	       TYPE1 "index=1 domain=P3 error=0 fresh\n", "a/d");
	JOIN("m/d", FRESH);
	EVENTS(TYPE1 "index=0 domain=P3 error=0 next-msi\n"
	       TYPE1 "index=1 domain=P2 error=0 next-coherency\n"
	       TYPE1 "index=2 domain=P4 error=0 fresh\n", "m/d");
}

/* A domain that was had is not the end of it */
TEST_F(trace, undone)
{
	struct world *w = &self->w;

	JOIN("a/d", FRESH);
	MAP_ALL();
	EVENTS(TYPE1 "index=0 domain=P2 error=0 fresh\n", "a/d");
	ASSERT_EQ(0, sim_fail("b", "map", 2, ENOMEM, 1));
	NO_JOIN("b/d", -ENOMEM);
	EVENTS(FAILED("b") BEHIND("b") "P2" BY("22")
	       TYPE1 "index=0 domain=P2 error=-22 next\n"
	       TYPE1 "index=1 domain=P3 error=0 fresh\n"
	       TYPE1 "index=1 domain=P3 error=-12 undo\n", "b/d");
}

/* Reuse at every position */

FIXTURE(reuse) {
	struct world w;
};

FIXTURE_VARIANT(reuse) {
	const char *owner;
	const char *dev;
	int k;
};

FIXTURE_VARIANT_ADD(reuse, first) { "c/d", "c2/d", 1 };
FIXTURE_VARIANT_ADD(reuse, middle) { "b/d", "b2/d", 2 };
FIXTURE_VARIANT_ADD(reuse, last) { "a/d", "a2/d", 3 };

FIXTURE_SETUP(reuse)
{
	struct world *w = &self->w;

	open_world(_metadata, w, true);
	three_domains(_metadata, w);
	ADD("a2", "family=1", "d");
	ADD("b2", "family=2", "d");
	ADD("c2", "family=3", "d");
}

FIXTURE_TEARDOWN(reuse)
{
	close_world(_metadata, &self->w);
}

TEST_F(reuse, leave)
{
	struct world *w = &self->w;

	JOIN(variant->dev, SAME);
	COUNTS(.attach = variant->k, .refused = variant->k - 1);
	DMA(variant->dev);
	DMA(variant->owner);
	LEAVE(variant->dev, 0);
	COUNTS();
	NO_DMA(variant->dev);
	DMA(variant->owner);
}

/* Who brought the domain leaves first */
TEST_F(reuse, inherit)
{
	struct world *w = &self->w;

	JOIN(variant->dev, SAME);
	LEAVE(variant->owner, 0);
	NO_DMA(variant->owner);
	DMA(variant->dev);
	CALL(unmap_page, 2);
	CALL(map_page, 2);
	DMA(variant->dev);
	JOIN(variant->owner, SAME);
	LEAVE(variant->dev, 0);
	COUNTS(.attach = 2 * variant->k, .refused = 2 * (variant->k - 1),
	       .map = 3);
	LEAVE(variant->owner, 1);
	COUNTS(.free = 1);
}

/* A group of three devices, of which one refuses */

FIXTURE(devices) {
	struct world w;
};

FIXTURE_VARIANT(devices) {
	int nr;		/* which one */
	int err;
	bool fresh;	/* a fresh domain, or the one that is there */
};

FIXTURE_VARIANT_ADD(devices, 1st_soft) { 0, EINVAL, false };
FIXTURE_VARIANT_ADD(devices, 2nd_soft) { 1, EINVAL, false };
FIXTURE_VARIANT_ADD(devices, 3rd_soft) { 2, EINVAL, false };
FIXTURE_VARIANT_ADD(devices, 1st_hard) { 0, ENOMEM, false };
FIXTURE_VARIANT_ADD(devices, 2nd_hard) { 1, EIO, false };
FIXTURE_VARIANT_ADD(devices, 3rd_hard) { 2, ENOSPC, false };
FIXTURE_VARIANT_ADD(devices, 1st_soft_fresh) { 0, EINVAL, true };
FIXTURE_VARIANT_ADD(devices, 2nd_soft_fresh) { 1, EINVAL, true };
FIXTURE_VARIANT_ADD(devices, 3rd_soft_fresh) { 2, EINVAL, true };
FIXTURE_VARIANT_ADD(devices, 1st_hard_fresh) { 0, EBUSY, true };
FIXTURE_VARIANT_ADD(devices, 2nd_hard_fresh) { 1, ENODEV, true };
FIXTURE_VARIANT_ADD(devices, 3rd_hard_fresh) { 2, ENOMEM, true };

FIXTURE_SETUP(devices)
{
	struct world *w = &self->w;

	open_world(_metadata, w, true);
	ADD("a", "family=1", "d");
	ADD("x", variant->fresh ? "family=2" : "family=1", "d0:7 d1:7 d2:7");
	JOIN("a/d", FRESH);
	MAP_ALL();
	get_counts(&w->mark);
}

FIXTURE_TEARDOWN(devices)
{
	close_world(_metadata, &self->w);
}

TEST_F(devices, all_or_none)
{
	struct world *w = &self->w;
	static const char * const devs[] = { "x/d0", "x/d1", "x/d2" };
	int i, calls = variant->nr + 1;

	/* The first device has already refused what is there */
	ASSERT_EQ(0, sim_fail(devs[variant->nr], "attach",
			      variant->fresh && !variant->nr ? 2 : 1,
			      variant->err, 1));
	if (!variant->fresh && variant->err == EINVAL) {
		JOIN("x/d0", FRESH);
		COUNTS(.attach = calls + 3, .refused = 1, .alloc = 1,
		       .map = REPLAY);
		for (i = 0; i < 3; i++)
			DMA(devs[i]);
		LEAVE("x/d0", 1);
		COUNTS(.free = 1);
	} else if (variant->fresh) {
		NO_JOIN("x/d0", -variant->err);
		COUNTS(.attach = 1 + calls, .refused = 2, .alloc = 1,
		       .free = 1);
	} else {
		NO_JOIN("x/d0", -variant->err);
		COUNTS(.attach = calls, .refused = 1);
	}
	for (i = 0; i < 3; i++)
		NO_DMA(devs[i]);
	DMA("a/d");

	JOIN("x/d0", variant->fresh ? FRESH : SAME);
	for (i = 0; i < 3; i++)
		DMA(devs[i]);
	/* One is pulled out, the others stay */
	ASSERT_EQ(0, sim_rmdir("x/d1"));
	DMA("x/d0");
	DMA("x/d2");
	LEAVE("x/d0", variant->fresh);
	NO_DMA("x/d2");
}

/* Apertures and reserved regions, before and after there are mappings */

FIXTURE(iova) {
	struct world w;
};

FIXTURE_VARIANT(iova) {
	const char *first;	/* the IOMMU that is there */
	const char *second;	/* the one that joins */
	unsigned long mapped;	/* 0: nothing */
	unsigned long denied;	/* while the second one is there; 0: none */
	int join;
	int fresh;
	struct counts counts;
};

#define ABOVE	0x100000000UL	/* 4 GiB, in need of an aperture beyond */

FIXTURE_VARIANT_ADD(iova, end) {
	"family=1", "family=2 aperture_end=0xffffffff", 0, ABOVE, 0, FRESH,
	{ .attach = 2, .refused = 1, .alloc = 1, .map = EMPTY }
};

FIXTURE_VARIANT_ADD(iova, end_mapped) {
	"family=1", "family=2 aperture_end=0xffffffff", ABOVE, 0, -EINVAL, 0,
	{ .attach = 2, .refused = 1, .alloc = 1, .free = 1 }
};

/* As far as the aperture goes, and no further */
FIXTURE_VARIANT_ADD(iova, end_reached) {
	"family=1", "family=2 aperture_end=0xffffffff", 0xfffff000, ABOVE, 0,
	FRESH, { .attach = 2, .refused = 1, .alloc = 1, .map = EMPTY }
};

FIXTURE_VARIANT_ADD(iova, start_reached) {
	"family=1", "family=2 aperture_start=0x2000000", 0x2000000, 0x1000000,
	0, FRESH, { .attach = 2, .refused = 1, .alloc = 1, .map = EMPTY }
};

FIXTURE_VARIANT_ADD(iova, start) {
	"family=1", "family=2 aperture_start=0x2000000", 0, 0x1000000, 0, FRESH,
	{ .attach = 2, .refused = 1, .alloc = 1, .map = EMPTY }
};

FIXTURE_VARIANT_ADD(iova, start_mapped) {
	"family=1", "family=2 aperture_start=0x2000000", 0x1000000, 0, -EINVAL,
	0, { .attach = 2, .refused = 1, .alloc = 1, .free = 1 }
};

FIXTURE_VARIANT_ADD(iova, disjoint) {
	"family=1 aperture_end=0xffffffff",
	"family=2 aperture_start=0x100000000", 0, 0, -EINVAL, 0,
	{ .attach = 2, .refused = 1, .alloc = 1, .free = 1 }
};

/* The same family, but it cannot reach all of the domain */
FIXTURE_VARIANT_ADD(iova, too_narrow) {
	"", "aperture_end=0xffffffff", 0, ABOVE, 0, FRESH,
	{ .attach = 2, .refused = 1, .alloc = 1, .map = EMPTY }
};

FIXTURE_VARIANT_ADD(iova, too_narrow_mapped) {
	"", "aperture_end=0xffffffff", ABOVE, 0, -EINVAL, 0,
	{ .attach = 2, .refused = 1, .alloc = 1, .free = 1 }
};

/* It could do more than the domain can */
FIXTURE_VARIANT_ADD(iova, wide) {
	"aperture_end=0xffffffff", "", 0x1000000, ABOVE, 0, SAME,
	{ .attach = 1 }
};

FIXTURE_VARIANT_ADD(iova, reserved) {
	"", "reserved=0x1000000-0x1ffffff,0x3000000-0x3000fff", 0, 0x3000000,
	0, SAME, { .attach = 1 }
};

FIXTURE_VARIANT_ADD(iova, reserved_elsewhere) {
	"", "reserved=0x1000000-0x1ffffff", 0x2000000, 0x1fff000, 0, SAME,
	{ .attach = 1 }
};

FIXTURE_VARIANT_ADD(iova, reserved_fresh) {
	"family=1", "family=2 reserved=0x1000000-0x1ffffff", 0, 0x1000000, 0,
	FRESH, { .attach = 2, .refused = 1, .alloc = 1, .map = EMPTY }
};

FIXTURE_VARIANT_ADD(iova, reserved_mapped) {
	"", "reserved=0x1000000-0x1ffffff", 0x1fff000, 0, -EINVAL, 0, { 0 }
};

FIXTURE_VARIANT_ADD(iova, reserved_mapped_fresh) {
	"family=1", "family=2 reserved=0x1000000-0x1ffffff", 0x1000000, 0,
	-EINVAL, 0, { 0 }
};

/* It makes the domain narrower when it is attached */
FIXTURE_VARIANT_ADD(iova, adapts_mapped) {
	"", "adapt=1 aperture_end=0xffffffff", ABOVE, 0, -EINVAL, 0,
	{ .attach = 1 }
};

/* The other group has no such limit, and comes and goes */
FIXTURE_VARIANT_ADD(iova, first_starts_late) {
	"aperture_start=0x2000000", "reserved=0x4000000-0x4ffffff", 0x3000000,
	0x4000000, 0, SAME, { .attach = 1 }
};

/* The end of the aperture plus one is 0 */
#define WIDE		"aperture_end=0xffffffffffffffff"
#define LAST_PAGE	0xfffffffffffff000UL

FIXTURE_VARIANT_ADD(iova, last_page) {
	WIDE, WIDE, LAST_PAGE, 0, 0, SAME, { .attach = 1 }
};

FIXTURE_VARIANT_ADD(iova, last_page_fresh) {
	"family=1 " WIDE, "family=2 " WIDE, LAST_PAGE, 0, 0, FRESH,
	{ .attach = 2, .refused = 1, .alloc = 1, .map = EMPTY }
};

FIXTURE_VARIANT_ADD(iova, last_page_reserved) {
	WIDE, WIDE " reserved=0xfffffffffff00000-0xffffffffffffffff", LAST_PAGE,
	0, -EINVAL, 0, { 0 }
};

FIXTURE_VARIANT_ADD(iova, last_page_out_of_reach) {
	"family=1 " WIDE, "family=2", LAST_PAGE, 0, -EINVAL, 0,
	{ .attach = 2, .refused = 1, .alloc = 1, .free = 1 }
};

/* The first one's holes make ranges: those outside of the aperture go whole */
FIXTURE_VARIANT_ADD(iova, below_hole) {
	"family=1 reserved=0x1000000-0x1ffffff,0x8000000-0x8ffffff",
	"family=2 aperture_start=0x2800000 aperture_end=0x6ffffff", 0x3000000,
	0x100000, 0, FRESH, { .attach = 2, .refused = 1, .alloc = 1, .map = EMPTY }
};

FIXTURE_VARIANT_ADD(iova, above_hole) {
	"family=1 reserved=0x1000000-0x1ffffff,0x8000000-0x8ffffff",
	"family=2 aperture_start=0x2800000 aperture_end=0x6ffffff", 0x3000000,
	0x9000000, 0, FRESH, { .attach = 2, .refused = 1, .alloc = 1, .map = EMPTY }
};

/* What firmware does with such a region is over when VFIO has the device */
FIXTURE_VARIANT_ADD(iova, relaxable_mapped) {
	"", "reserved=0x1000000-0x1ffffff:relaxable", 0x1fff000, 0, 0, SAME,
	{ .attach = 1 }
};

FIXTURE_VARIANT_ADD(iova, msi_mapped) {
	"", "msi=hw,0x1000000", 0x1000000, 0, -EINVAL, 0, { 0 }
};

FIXTURE_VARIANT_ADD(iova, sw_msi_mapped) {
	"", "msi=sw,0x1000000", 0x10ff000, 0, -EINVAL, 0, { 0 }
};

/* Nothing is left to map: seen after the group was attached */
FIXTURE_VARIANT_ADD(iova, all_reserved) {
	"", "reserved=0-0xffffffffffff", 0, 0, -EINVAL, 0, { .attach = 1 }
};

FIXTURE_VARIANT_ADD(iova, all_reserved_fresh) {
	"family=1", "family=2 reserved=0-0xffffffffffff", 0, 0, -EINVAL, 0,
	{ .attach = 2, .refused = 1, .alloc = 1, .free = 1 }
};

FIXTURE_SETUP(iova)
{
	struct world *w = &self->w;

	open_world(_metadata, w, true);
	ADD("a", variant->first, "d e");
	ADD("x", variant->second, "d");
	JOIN("a/d", FRESH);
}

FIXTURE_TEARDOWN(iova)
{
	close_world(_metadata, &self->w);
}

static int map_at(struct world *w, unsigned long iova)
{
	int ret = vfio_map(w->container, w->mem, iova, w->page_size);

	w->pages += !ret;
	return ret;
}

TEST_F(iova, join)
{
	struct world *w = &self->w;
	int i;

	if (variant->mapped)
		ASSERT_EQ(0, map_at(w, variant->mapped));
	get_counts(&w->mark);
	/* The second time as the first: nothing stays behind */
	for (i = 0; i < 2; i++) {
		struct counts want = variant->counts;

		if (variant->fresh && variant->mapped)
			want.map++;
		if (variant->join)
			NO_JOIN("x/d", variant->join);
		else
			JOIN("x/d", variant->fresh);
		CALL(expect_counts, want);
		if (variant->denied)
			EXPECT_EQ(-EINVAL, map_at(w, variant->denied));
		STATE();
		if (!variant->join)
			LEAVE("x/d", variant->fresh);
		COUNTS(.free = variant->fresh);
		NO_DMA("x/d");
	}
	/* What was denied may be mapped again, unless the first one denies it */
	if (variant->denied)
		EXPECT_EQ(variant->fresh || strstr(variant->second, "reserved") ?
			  0 : -EINVAL, map_at(w, variant->denied));
	/* The first one's own limit stays */
	EXPECT_EQ(strstr(variant->first, WIDE) ? 0 : -EINVAL,
		  map_at(w, 1UL << 48));
	if (strstr(variant->first, "aperture_start"))
		EXPECT_EQ(-EINVAL, map_at(w, 0x1000000));
	STATE();
	JOIN("a/e", SAME);
	LEAVE("a/d", 0);
	STATE();
}

static long unmap_all(struct world *w)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.flags = VFIO_DMA_UNMAP_FLAG_ALL,
	};

	if (ioctl(w->container, VFIO_IOMMU_UNMAP_DMA, &unmap))
		return -errno;
	return unmap.size;
}

/* Mappings that end where the address space does, of a page and of more */
TEST_F(sim, last_page)
{
	struct world *w = &self->w;
	unsigned long iova;
	int n;

	ADD("a", "family=1 " WIDE, "d");
	ADD("b", "family=2 " WIDE, "d");
	JOIN("a/d", FRESH);
	MAP_ALL();
	for (n = 1; n <= NR_PAGES; n++) {
		unsigned long size = n * w->page_size;

		iova = -size;
		ASSERT_EQ(0, vfio_map(w->container, w->mem, iova, size));
		w->pages += n;
		STATE();
		EXPECT_EQ(-EEXIST, vfio_map(w->container, w->mem, iova, size));
		EXPECT_EQ(-EEXIST, map_at(w, LAST_PAGE));
		JOIN("b/d", FRESH);
		memset(w->mem, ++w->seed, size);
		memset(w->mem + w->page_size, 0, w->page_size);
		EXPECT_EQ(0, sim_dma("b/d", IOVA(1), iova, w->page_size));
		EXPECT_EQ(0, memcmp(w->mem + w->page_size, w->mem,
				    w->page_size));
		/* All of it or nothing */
		if (n > 1) {
			EXPECT_EQ(-EINVAL, vfio_unmap(w->container, LAST_PAGE,
						      w->page_size));
			EXPECT_EQ(-EINVAL, vfio_unmap(w->container, iova,
						      size - w->page_size));
		}
		EXPECT_EQ(0, vfio_unmap(w->container, iova, size));
		w->pages -= n;
		STATE();
		EXPECT_EQ(-EFAULT, sim_dma("a/d", IOVA(1), LAST_PAGE, 1));
		EXPECT_EQ(-EFAULT, sim_dma("b/d", IOVA(1), LAST_PAGE, 1));
		LEAVE("b/d", 1);
	}
	ASSERT_EQ(0, map_at(w, LAST_PAGE));
	JOIN("b/d", FRESH);
	EXPECT_EQ((NR_PAGES + 1) * w->page_size, unmap_all(w));
	w->pages = 0;
	STATE();
	ASSERT_EQ(0, map_at(w, LAST_PAGE));
	LEAVE("a/d", 1);
	LEAVE("b/d", 1);
}

/* Regions of groups that share them stay until the last one leaves */
TEST_F(sim, reserved_twice)
{
	struct world *w = &self->w;

	ADD("a", "family=1", "d");
	ADD("x", "family=1 reserved=0x1000000-0x1ffffff", "d e");
	ADD("y", "family=2 aperture_end=0x3ffffff", "d");
	JOIN("a/d", FRESH);
	JOIN("x/d", SAME);
	JOIN("x/e", SAME);
	JOIN("y/d", FRESH);
	EXPECT_EQ(-EINVAL, map_at(w, 0x1000000));
	LEAVE("x/d", 0);
	EXPECT_EQ(-EINVAL, map_at(w, 0x1000000));
	EXPECT_EQ(-EINVAL, map_at(w, 0x4000000));
	LEAVE("y/d", 1);
	EXPECT_EQ(0, map_at(w, 0x4000000));
	EXPECT_EQ(-EINVAL, map_at(w, 0x1000000));
	LEAVE("x/e", 0);
	EXPECT_EQ(0, map_at(w, 0x1000000));
	STATE();
	NO_JOIN("x/d", -EINVAL);
	STATE();
}

/* A domain that enforces coherency, and an IOMMU that cannot */

FIXTURE(coherency) {
	struct world w;
};

FIXTURE_VARIANT(coherency) {
	const char *first;
	const char *second;
	int fresh;
	int refused;
	int enforced[3];	/* VFIO_DMA_CC_IOMMU: first, both, second */
};

FIXTURE_VARIANT_ADD(coherency, both) {
	"enforce=1", "enforce=1", SAME, 0, { 1, 1, 1 }
};

FIXTURE_VARIANT_ADD(coherency, first) {
	"enforce=1", "enforce=0", FRESH, 1, { 1, 0, 0 }
};

/* A domain that does not enforce it is not even asked */
FIXTURE_VARIANT_ADD(coherency, second) {
	"enforce=0", "enforce=1", FRESH, 0, { 0, 0, 1 }
};

FIXTURE_VARIANT_ADD(coherency, none) {
	"enforce=0", "enforce=0", SAME, 0, { 0, 0, 0 }
};

FIXTURE_SETUP(coherency)
{
	struct world *w = &self->w;

	open_world(_metadata, w, true);
	ADD("a", variant->first, "d e");
	ADD("x", variant->second, "d e");
	JOIN("a/d", FRESH);
	MAP_ALL();
	get_counts(&w->mark);
}

FIXTURE_TEARDOWN(coherency)
{
	close_world(_metadata, &self->w);
}

static int enforced(struct world *w)
{
	return ioctl(w->container, VFIO_CHECK_EXTENSION, VFIO_DMA_CC_IOMMU);
}

TEST_F(coherency, mix)
{
	struct world *w = &self->w;
	int fresh = variant->fresh;
	/* The domain of x is tried first, and enforces what a cannot */
	int older = fresh && !variant->refused;

	EXPECT_EQ(variant->enforced[0], enforced(w));
	JOIN("x/d", fresh);
	COUNTS(.attach = 1 + variant->refused, .refused = variant->refused,
	       .alloc = fresh, .map = fresh * REPLAY);
	EXPECT_EQ(variant->enforced[1], enforced(w));
	DMA("a/d");
	DMA("x/d");
	JOIN("a/e", SAME);
	JOIN("x/e", SAME);
	COUNTS(.attach = 2 + older, .refused = older);
	LEAVE("a/e", 0);
	LEAVE("x/e", 0);
	LEAVE("a/d", fresh);
	EXPECT_EQ(variant->enforced[2], enforced(w));
	DMA("x/d");
}

/*
 * Orders in which groups join and leave whose IOMMUs can enforce coherency (n,
 * m) or not (i). In none of them there is less of it than if each group were
 * tried with a fresh domain first.
 */

FIXTURE(order) {
	struct world w;
};

FIXTURE_VARIANT(order) {
	struct {
		const char *dev;	/* "-..." leaves */
		int domain;		/* one that comes or goes */
		int enforced;		/* all domains of the container */
	} step[8];
};

FIXTURE_VARIANT_ADD(order, i_n) { {
	{ "i/d", 1, 0 }, { "n/d", 1, 0 }, { "-n/d", 1, 0 },
} };

FIXTURE_VARIANT_ADD(order, n_i) { {
	{ "n/d", 1, 1 }, { "i/d", 1, 0 }, { "-n/d", 1, 0 },
} };

FIXTURE_VARIANT_ADD(order, i_n_and_i_leaves) { {
	{ "i/d", 1, 0 }, { "n/d", 1, 0 }, { "-i/d", 1, 1 }, { "i/d", 1, 0 },
} };

FIXTURE_VARIANT_ADD(order, n_i_and_i_leaves) { {
	{ "n/d", 1, 1 }, { "i/d", 1, 0 }, { "-i/d", 1, 1 },
} };

/* The third one goes where the second one is, or the first one */
FIXTURE_VARIANT_ADD(order, i_n_m) { {
	{ "i/d", 1, 0 }, { "n/d", 1, 0 }, { "m/d", 0, 0 }, { "-n/d", 0, 0 },
	{ "-i/d", 1, 1 },
} };

FIXTURE_VARIANT_ADD(order, n_i_m) { {
	{ "n/d", 1, 1 }, { "i/d", 1, 0 }, { "m/d", 0, 0 }, { "-n/d", 0, 0 },
	{ "-i/d", 1, 1 },
} };

FIXTURE_VARIANT_ADD(order, n_m_i_and_all_but_m) { {
	{ "n/d", 1, 1 }, { "m/d", 0, 1 }, { "i/d", 1, 0 }, { "j/d", 0, 0 },
	{ "-n/d", 0, 0 }, { "-i/d", 0, 0 }, { "-j/d", 1, 1 },
} };

FIXTURE_SETUP(order)
{
	struct world *w = &self->w;

	open_world(_metadata, w, true);
	ADD("i", "enforce=0", "d");
	ADD("j", "enforce=0", "d");
	ADD("n", "enforce=1", "d");
	ADD("m", "enforce=1", "d");
}

FIXTURE_TEARDOWN(order)
{
	close_world(_metadata, &self->w);
}

TEST_F(order, coherency)
{
	struct world *w = &self->w;
	int i, join;

	for (i = 0; i < 8 && variant->step[i].dev; i++) {
		const char *dev = variant->step[i].dev;

		join = *dev != '-';
		if (join)
			JOIN(dev, variant->step[i].domain);
		else
			LEAVE(dev + 1, variant->step[i].domain);
		if (!i)
			MAP_ALL();
		EXPECT_EQ(variant->step[i].enforced, enforced(w))
			TH_LOG("after step %d", i);
		if (join)
			DMA(dev);
		else
			NO_DMA(dev + 1);
	}
}

/* Software-managed MSI windows: the cookie is there from the start, or never */

FIXTURE(msi) {
	struct world w;
};

FIXTURE_VARIANT(msi) {
	const char *first;
	const char *second;
	int fresh;
	unsigned long window;	/* of the second one, or 0 */
};

FIXTURE_VARIANT_ADD(msi, none_none) { "", "", SAME };
FIXTURE_VARIANT_ADD(msi, none_sw) { "", "msi=sw,0x8000000", FRESH, 0x8000000 };
FIXTURE_VARIANT_ADD(msi, none_hw) { "", "msi=hw,0xfee00000", SAME };
FIXTURE_VARIANT_ADD(msi, sw_none) { "msi=sw,0x8000000", "", FRESH };
FIXTURE_VARIANT_ADD(msi, sw_sw) {
	"msi=sw,0x8000000", "msi=sw,0x8000000", SAME, 0x8000000
};

FIXTURE_VARIANT_ADD(msi, sw_elsewhere) {
	"msi=sw,0x8000000", "msi=sw,0x9000000", FRESH, 0x9000000
};

FIXTURE_VARIANT_ADD(msi, sw_hw) {
	"msi=sw,0x8000000", "msi=hw,0xfee00000", FRESH
};

FIXTURE_VARIANT_ADD(msi, hw_sw) {
	"msi=hw,0xfee00000", "msi=sw,0x8000000", FRESH, 0x8000000
};

FIXTURE_SETUP(msi)
{
	struct world *w = &self->w;

	open_world(_metadata, w, true);
	ADD("a", variant->first, "d e");
	ADD("x", variant->second, "d e");
	JOIN("a/d", FRESH);
	MAP_ALL();
	get_counts(&w->mark);
}

FIXTURE_TEARDOWN(msi)
{
	close_world(_metadata, &self->w);
}

/* A domain with another window is not even asked */
TEST_F(msi, join)
{
	struct world *w = &self->w;
	int fresh = variant->fresh;

	EXPECT_EQ(0, sim_ring("a/d"));
	get_counts(&w->mark);
	JOIN("x/d", fresh);
	COUNTS(.attach = 1, .alloc = fresh, .map = fresh * REPLAY);
	DMA("x/d");
	JOIN("x/e", SAME);
	JOIN("a/e", SAME);
	COUNTS(.attach = 2);
	DMA("x/e");
	DMA("a/d");
	EXPECT_EQ(0, sim_ring("x/d"));
	EXPECT_EQ(0, sim_ring("a/e"));
	EXPECT_EQ(0, sim_ring("x/e"));
	/* The doorbell is where the window is, to be written only */
	if (variant->window) {
		EXPECT_EQ(0, sim_dma("x/d", variant->window, IOVA(0), 4));
		EXPECT_EQ(-EFAULT, sim_dma("x/d", IOVA(1), variant->window, 4));
	}
	LEAVE("a/e", 0);
	LEAVE("a/d", fresh);
	/* The window of the first one is free, unless the second one has it */
	EXPECT_EQ(variant->window == 0x8000000 ? -EINVAL : 0,
		  vfio_map(w->container, w->mem, 0x8000000, w->page_size));
	w->pages += variant->window != 0x8000000;
	STATE();
	DMA("x/d");
	EXPECT_EQ(0, sim_ring("x/e"));
	EXPECT_EQ(0, sim_ring("x/d"));
	if (variant->window != 0x8000000)
		EXPECT_EQ(0, sim_dma("x/d", IOVA(1), 0x8000000, 4));
}

/* The one with the cookie is behind one without */
TEST_F(sim, msi_in_the_last)
{
	struct world *w = &self->w;

	ADD("a", "family=1 msi=sw,0x8000000", "d e");
	ADD("b", "family=2", "d");
	JOIN("a/d", FRESH);
	MAP_ALL();
	JOIN("b/d", FRESH);
	COUNTS(.attach = 2, .alloc = 2, .map = 2 * REPLAY);
	JOIN("a/e", SAME);
	COUNTS(.attach = 1);
	DMA("a/e");
	EXPECT_EQ(0, sim_ring("a/e"));
	EXPECT_EQ(0, sim_ring("b/d"));
}

/* A group whose interrupts are not isolated */

FIXTURE(unsafe) {
	struct world w;
	char old[8];
};

FIXTURE_SETUP(unsafe)
{
	open_world(_metadata, &self->w, true);
	ASSERT_LT(0, sim_read(self->old, sizeof(self->old), UNSAFE));
	ASSERT_EQ(0, sim_write("N", UNSAFE));
	ADD("a", "", "d");
	ADD("x", "intr_remap=0", "d");
	ADD("y", "family=1 intr_remap=0", "d");
	ADD("z", "intr_remap=0 reserved=0x1000000-0x10fffff", "d");
}

FIXTURE_TEARDOWN(unsafe)
{
	EXPECT_EQ(0, sim_write(self->old, UNSAFE));
	close_world(_metadata, &self->w);
}

TEST_F(unsafe, interrupts)
{
	struct world *w = &self->w;

	NO_JOIN("x/d", -EPERM);
	COUNTS();
	JOIN("a/d", FRESH);
	MAP_ALL();
	get_counts(&w->mark);
	NO_JOIN("x/d", -EPERM);
	NO_JOIN("y/d", -EPERM);
	/* Before all that needs a domain */
	NO_JOIN("z/d", -EPERM);
	COUNTS();
	NO_DMA("x/d");
	ASSERT_EQ(0, sim_write("Y", UNSAFE));
	NO_JOIN("z/d", -EINVAL);
	get_counts(&w->mark);
	JOIN("x/d", SAME);
	JOIN("y/d", FRESH);
	COUNTS(.attach = 3, .refused = 1, .alloc = 1, .map = REPLAY);
	DMA("x/d");
	DMA("y/d");
	/* Who is in may stay */
	ASSERT_EQ(0, sim_write("N", UNSAFE));
	DMA("x/d");
	LEAVE("x/d", 0);
	NO_JOIN("x/d", -EPERM);
}

/* NR_PAGES times the same page, so that nothing is contiguous */
static char *one_page(struct __test_metadata *_metadata, struct world *w)
{
	char *area, *page;
	int i;

	page = mmap(NULL, w->page_size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	area = mmap(NULL, NR_PAGES * w->page_size, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)page);
	ASSERT_NE(MAP_FAILED, (void *)area);
	for (i = 0; i < NR_PAGES; i++)
		ASSERT_NE(MAP_FAILED,
			  mremap(page, 0, w->page_size,
				 MREMAP_MAYMOVE | MREMAP_FIXED,
				 area + i * w->page_size));
	return area;
}

/* One mapping of many calls: what was made of it goes, and no more */
TEST_F(sim, replay_fails_inside)
{
	struct world *w = &self->w;
	char *area = one_page(_metadata, w);
	int k;

	ADD("a", "family=1", "d");
	ADD("x", "family=2", "d");
	JOIN("a/d", FRESH);
	ASSERT_EQ(0, vfio_map(w->container, w->mem, IOVA(0), w->page_size));
	ASSERT_EQ(0, vfio_map(w->container, area, IOVA(1),
			      NR_PAGES * w->page_size));
	w->pages = 1 + NR_PAGES;
	STATE();
	get_counts(&w->mark);
	for (k = EMPTY + 1; k <= EMPTY + 1 + NR_PAGES; k++) {
		ASSERT_EQ(0, sim_fail("x", "map", k, ENOMEM, 1));
		NO_JOIN("x/d", -ENOMEM);
		COUNTS(.attach = 2, .refused = 1, .alloc = 1, .free = 1,
		       .map = k - 1);
	}
	JOIN("x/d", FRESH);
	COUNTS(.attach = 2, .refused = 1, .alloc = 1,
	       .map = EMPTY + 1 + NR_PAGES);
}

/* The first version of the interface unmaps what the first address is in */
TEST_F(sim, version_1)
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap) };
	struct world *w = &self->w;
	unsigned long size = NR_PAGES * w->page_size;

	ADD("a", "family=1 " WIDE, "d");
	ADD("b", "family=1 " WIDE, "d");
	ADD("x", "family=2 " WIDE, "d");
	EXPECT_EQ(0, vfio_join(w->container, group_fd(w, "a/d")));
	ASSERT_EQ(0, ioctl(w->container, VFIO_SET_IOMMU, VFIO_TYPE1_IOMMU));
	w->type1 = true;
	w->members = 1;
	w->domains = 1;
	MAP_ALL();
	ASSERT_EQ(0, vfio_map(w->container, w->mem, -size, size));
	w->pages += NR_PAGES;
	JOIN("b/d", SAME);
	JOIN("x/d", FRESH);
	DMA("x/d");
	/* Not from its middle */
	unmap.iova = LAST_PAGE;
	unmap.size = w->page_size;
	ASSERT_EQ(0, ioctl(w->container, VFIO_IOMMU_UNMAP_DMA, &unmap));
	EXPECT_EQ(0, unmap.size);
	STATE();
	unmap.iova = -size;
	unmap.size = w->page_size;
	ASSERT_EQ(0, ioctl(w->container, VFIO_IOMMU_UNMAP_DMA, &unmap));
	EXPECT_EQ(size, unmap.size);
	w->pages -= NR_PAGES;
	STATE();
	LEAVE("a/d", 0);
	LEAVE("x/d", 1);
	DMA("b/d");
	LEAVE("b/d", 1);
}

/* Hot removal */

FIXTURE(unplug) {
	struct world w;
};

FIXTURE_VARIANT(unplug) {
	int (*unplug)(const char *dev);
	int fresh;
	bool comes_back;
};

static int power_off(const char *dev)
{
	char inst[64];

	snprintf(inst, sizeof(inst), "%.*s", (int)strcspn(dev, "/"), dev);
	return sim_set(inst, "live", "0");
}

FIXTURE_VARIANT_ADD(unplug, rmdir) { sim_rmdir, FRESH };
FIXTURE_VARIANT_ADD(unplug, rmdir_shared) { sim_rmdir, SAME };
FIXTURE_VARIANT_ADD(unplug, power_off) { power_off, FRESH };
FIXTURE_VARIANT_ADD(unplug, power_off_shared) { power_off, SAME };
FIXTURE_VARIANT_ADD(unplug, unbind) { sim_unbind, FRESH, true };
FIXTURE_VARIANT_ADD(unplug, unbind_shared) { sim_unbind, SAME, true };

FIXTURE_SETUP(unplug)
{
	struct world *w = &self->w;

	open_world(_metadata, w, true);
	ADD("a", "family=1", "d");
	ADD("x", variant->fresh ? "family=2" : "family=1", "d e");
	JOIN("a/d", FRESH);
	MAP_ALL();
	JOIN("x/d", variant->fresh);
	get_counts(&w->mark);
}

FIXTURE_TEARDOWN(unplug)
{
	close_world(_metadata, &self->w);
}

static void expect_gone(struct __test_metadata *_metadata, struct world *w,
			int fresh)
{
	w->members--;
	w->domains -= fresh;
	STATE();
	COUNTS(.free = fresh);
	EXPECT_EQ(-ENODEV, try_join(w, "x/d"));
	DMA("a/d");
}

/* The group leaves the container with its device */
TEST_F(unplug, in_container)
{
	struct world *w = &self->w;

	ASSERT_EQ(0, variant->unplug("x/d"));
	expect_gone(_metadata, w, variant->fresh);
	if (variant->comes_back) {
		group_close(w, "x/d");
		ASSERT_EQ(0, sim_bind("x/d"));
		JOIN("x/d", variant->fresh);
		DMA("x/d");
	}
}

/* The device is in use: all goes on until it is closed */
TEST_F(unplug, in_use)
{
	char name[64], path[64], stat[256];
	struct world *w = &self->w;
	int fd, status;
	pid_t pid;

	ASSERT_EQ(0, sim_name("x/d", name, sizeof(name)));
	fd = vfio_device_open(group_fd(w, "x/d"), name);
	ASSERT_LE(0, fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(fd);
		_exit(-variant->unplug("x/d"));
	}
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	do {
		sched_yield();
		ASSERT_LT(0, sim_read(stat, sizeof(stat), path));
	} while (!strchr("SDZ", *(strrchr(stat, ')') + 2)));

	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	STATE();
	DMA("x/d");
	DMA("a/d");
	COUNTS();
	if (variant->unplug == power_off) {
		NO_JOIN("x/e", -ENODEV);
		COUNTS(.attach = 1, .refused = 1);
	}
	EXPECT_EQ(-EBUSY, vfio_leave(group_fd(w, "x/d")));
	close(fd);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	expect_gone(_metadata, w, variant->fresh);
}

/* The only group of the container */
TEST_F(unplug, last)
{
	struct world *w = &self->w;

	LEAVE("a/d", !variant->fresh ? 0 : 1);
	ASSERT_EQ(0, variant->unplug("x/d"));
	w->members = 0;
	w->domains = 0;
	w->pages = 0;
	w->type1 = false;
	STATE();
	JOIN("a/d", FRESH);
	MAP_ALL();
	DMA("a/d");
}

/* What the kernel has allocated in small pieces; 0 if that is not told */
static long kernel_objects(void)
{
	DIR *dir = opendir("/sys/kernel/slab");
	struct dirent *entry;
	char buf[256];
	long n = 0;

	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, "kmalloc-", 8))
			continue;
		/* Without those that are free, but held ready */
		sim_write("1", "/sys/kernel/slab/%s/shrink", entry->d_name);
		if (sim_read(buf, sizeof(buf), "/sys/kernel/slab/%s/objects",
			     entry->d_name) > 0)
			n += strtol(buf, NULL, 10);
	}
	if (dir)
		closedir(dir);
	return n;
}

/* No join and no leave loses memory, be there a domain, a fresh one, or none */
TEST_F(sim, no_leak)
{
	static const char * const devs[] = { "a2/d", "b/d" };
	static const int errs[] = { ENOMEM, EINVAL };
	struct world *w = &self->w;
	long before = 0;
	int i, j;

	ADD("a", "family=1 reserved=0x8000000-0x8ffffff", "d");
	ADD("a2", "family=1", "d");
	ADD("b", "family=2 reserved=0x9000000-0x9ffffff", "d");
	ADD("x", "family=3 reserved=0xa000000-0xaffffff", "d");
	JOIN("a/d", FRESH);
	for (i = 0; i <= 2 * MANY; i++) {
		for (j = 0; j < ARRAY_SIZE(devs); j++) {
			ASSERT_EQ(0, vfio_join(w->container, group_fd(w, devs[j])));
			ASSERT_EQ(0, vfio_leave(group_fd(w, devs[j])));
		}
		/* By the domain that is there, by a fresh one, for want of one */
		for (j = 0; j < ARRAY_SIZE(errs); j++) {
			ASSERT_EQ(0, sim_refuse("x/d", errs[j]));
			ASSERT_EQ(-errs[j], vfio_join(w->container, group_fd(w, "x/d")));
		}
		ASSERT_EQ(0, sim_fail(".", "alloc", 1, ENOMEM, 1));
		ASSERT_EQ(-ENOMEM, vfio_join(w->container, group_fd(w, "x/d")));
		if (!i)
			before = kernel_objects();
	}
	if (!before)
		SKIP(return, "the kernel does not count its objects (SLUB_DEBUG)");
	EXPECT_GT(MANY, kernel_objects() - before);
}

/* A group without IOMMU beside real ones: it keeps mappings, but pins nothing */

#define MTTY		"/sys/class/mdev_bus/mtty/mdev_supported_types/mtty-1/create"
#define MDEV		"83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"

FIXTURE(emulated) {
	struct world w;
};

FIXTURE_SETUP(emulated)
{
	open_world(_metadata, &self->w, true);
	if (access(MTTY, W_OK))
		SKIP_TEST("no mediated device (samples/vfio-mdev/mtty.ko)");
	sim_write("1", "/sys/bus/mdev/devices/" MDEV "/remove");
	ASSERT_EQ(0, sim_write(MDEV, MTTY));
	ADD("a", "family=1", "d");
	ADD("x", "family=2", "d");
}

FIXTURE_TEARDOWN(emulated)
{
	close_world(_metadata, &self->w);
	EXPECT_EQ(0, sim_write("1", "/sys/bus/mdev/devices/" MDEV "/remove"));
}

TEST_F(emulated, first)
{
	struct world *w = &self->w;

	JOIN(MDEV, SAME);
	MAP_ALL();
	COUNTS();
	JOIN("a/d", FRESH);
	COUNTS(.attach = 1, .alloc = 1, .map = REPLAY);
	DMA("a/d");
	JOIN("x/d", FRESH);
	COUNTS(.attach = 2, .refused = 1, .alloc = 1, .map = REPLAY);
	DMA("x/d");
	/* Nothing is pinned without a domain, and the mappings stay */
	LEAVE("a/d", 1);
	LEAVE("x/d", 1);
	COUNTS(.free = 2);
	JOIN("x/d", FRESH);
	COUNTS(.attach = 1, .alloc = 1, .map = REPLAY);
	DMA("x/d");
	LEAVE(MDEV, 0);
	DMA("x/d");
	LEAVE("x/d", 1);
	COUNTS(.free = 1);
}

TEST_F(emulated, second)
{
	struct world *w = &self->w;
	int i;

	JOIN("a/d", FRESH);
	MAP_ALL();
	get_counts(&w->mark);
	JOIN(MDEV, SAME);
	EXPECT_EQ(-EINVAL, vfio_join(w->container,
				     group_fd(w, MDEV)));
	COUNTS();
	DMA("a/d");
	LEAVE("a/d", 1);
	COUNTS(.free = 1);
	for (i = 0; i < NR_PAGES; i++)
		CALL(unmap_page, i);
	JOIN("a/d", FRESH);
	MAP_ALL();
	DMA("a/d");
	/* With the last group the mappings go, whatever it is */
	LEAVE("a/d", 1);
	LEAVE(MDEV, 0);
	JOIN("a/d", FRESH);
	EXPECT_EQ(-EFAULT, sim_dma("a/d", IOVA(1), IOVA(0), 1));
}

/* What the fresh domain has pinned is not lost when it goes */
TEST_F(emulated, replay_fails)
{
	struct world *w = &self->w;
	int k;

	JOIN(MDEV, SAME);
	MAP_ALL();
	for (k = EMPTY + 1; k <= REPLAY; k++) {
		ASSERT_EQ(0, sim_fail("a", "map", k, ENOSPC, 1));
		NO_JOIN("a/d", -ENOSPC);
		COUNTS(.attach = 1, .alloc = 1, .free = 1, .map = k - 1);
	}
	ASSERT_EQ(0, sim_fail("a", "attach", 1, EINVAL, 1));
	NO_JOIN("a/d", -EINVAL);
	COUNTS(.attach = 1, .refused = 1, .alloc = 1, .free = 1);
	JOIN("a/d", FRESH);
	DMA("a/d");
}

/* Nor where the address space ends */
TEST_F(emulated, replay_fails_at_the_end)
{
	struct world *w = &self->w;
	char *area = one_page(_metadata, w);
	int k;

	ADD("w", "family=3 " WIDE, "d");
	JOIN(MDEV, SAME);
	ASSERT_EQ(0, vfio_map(w->container, area, -NR_PAGES * w->page_size,
			      NR_PAGES * w->page_size));
	w->pages = NR_PAGES;
	for (k = EMPTY + 1; k <= EMPTY + NR_PAGES; k++) {
		ASSERT_EQ(0, sim_fail("w", "map", k, ENOMEM, 1));
		NO_JOIN("w/d", -ENOMEM);
	}
	JOIN("w/d", FRESH);
	LEAVE("w/d", 1);
}

/* Nor what it has pinned, but not mapped yet */
TEST_F(emulated, replay_fails_inside)
{
	struct world *w = &self->w;
	char *area = one_page(_metadata, w);
	int k;

	JOIN(MDEV, SAME);
	ASSERT_EQ(0, vfio_map(w->container, area, IOVA(0),
			      NR_PAGES * w->page_size));
	w->pages = NR_PAGES;
	for (k = EMPTY + 1; k <= EMPTY + NR_PAGES; k++) {
		ASSERT_EQ(0, sim_fail("a", "map", k, ENOMEM, 1));
		NO_JOIN("a/d", -ENOMEM);
		COUNTS(.attach = 1, .alloc = 1, .free = 1, .map = k - 1);
	}
	JOIN("a/d", FRESH);
	COUNTS(.attach = 1, .alloc = 1, .map = EMPTY + NR_PAGES);
}

/* What is mapped counts before there is a domain */
TEST_F(emulated, reserved)
{
	struct world *w = &self->w;

	ADD("r", "family=3 reserved=0x1000000-0x10fffff", "d");
	JOIN(MDEV, SAME);
	MAP_ALL();
	NO_JOIN("r/d", -EINVAL);
	NO_DMA("r/d");
	CALL(unmap_page, 0);
	JOIN("r/d", FRESH);
	LEAVE("r/d", 1);
}

#define HUGE_PAGE	0x200000UL

/* Memory that is contiguous, where the kernel has huge pages and finds one */
static char *huge_page(struct __test_metadata *_metadata)
{
	char *area = mmap(NULL, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/sys/vm/compact_memory", O_WRONLY);

	ASSERT_NE(MAP_FAILED, (void *)area);
	if (fd >= 0) {
		write(fd, "1", 1);
		close(fd);
	}
	area += -(unsigned long)area % HUGE_PAGE;
	madvise(area, HUGE_PAGE, MADV_HUGEPAGE);
	memset(area, 1, HUGE_PAGE);
	return area;
}

/* Page frame behind @p, or 0: Documentation/admin-guide/mm/pagemap.rst */
static __u64 frame(struct world *w, char *p)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);
	__u64 entry = 0;

	if (fd >= 0) {
		pread(fd, &entry, sizeof(entry),
		      (unsigned long)p / w->page_size * sizeof(entry));
		close(fd);
	}
	return entry & ((1ULL << 55) - 1);
}

/* Where in a huge page's worth of memory the frames of @n pages are in a row */
static char *contiguous(struct world *w, char *area, int n)
{
	char *first = area, *p;

	for (p = area + w->page_size; p < area + HUGE_PAGE; p += w->page_size) {
		if (frame(w, p) != frame(w, p - w->page_size) + 1)
			first = p;
		else if (p == first + (n - 1) * w->page_size)
			return first;
	}
	return NULL;
}

/* Nor what it has pinned and mapped in large pieces */
TEST_F(emulated, replay_fails_behind)
{
	struct world *w = &self->w;
	char *area = huge_page(_metadata);
	long calls, lookups;

	JOIN(MDEV, SAME);
	ASSERT_EQ(0, vfio_map(w->container, area, HUGE_PAGE, HUGE_PAGE));
	/* Where nothing is mapped, no page is looked for */
	lookups = sim_stat(".", "lookup");
	ASSERT_EQ(0, sim_fail("a", "map", EMPTY + 1, ENOMEM, 1));
	NO_JOIN("a/d", -ENOMEM);
	EXPECT_GE(1, sim_stat(".", "lookup") - lookups);
	ASSERT_EQ(0, vfio_map(w->container, w->mem, IOVA(8), w->page_size));
	w->pages = HUGE_PAGE / w->page_size + 1;
	get_counts(&w->mark);
	JOIN("a/d", FRESH);
	calls = sim_stat(".", "map") - w->mark.map;
	LEAVE("a/d", 1);
	ASSERT_EQ(0, sim_fail("a", "map", calls, ENOMEM, 1));
	NO_JOIN("a/d", -ENOMEM);
	JOIN("a/d", FRESH);
	LEAVE("a/d", 1);
}

/* What is contiguous is mapped and unmapped in large pieces, at the end, too */
TEST_F(sim, last_page_is_huge)
{
	struct world *w = &self->w;
	char *area = huge_page(_metadata);
	long map[2], unmap[2];
	char attrs[80];
	int i;

	/* Small pages only, so that a piece is what one call is for */
	for (i = 0; i < 2; i++) {
		snprintf(attrs, sizeof(attrs), "family=%d page_sizes=0x%lx " WIDE,
			 i, w->page_size);
		ADD(i ? "b" : "a", attrs, "d");
	}
	JOIN("a/d", FRESH);
	for (i = 0; i < 2; i++) {
		unsigned long iova = i ? -HUGE_PAGE : HUGE_PAGE;

		ASSERT_EQ(0, vfio_map(w->container, area, iova, HUGE_PAGE));
		w->pages = HUGE_PAGE / w->page_size;
		map[i] = -sim_stat(".", "map");
		JOIN("b/d", FRESH);
		map[i] += sim_stat(".", "map");
		unmap[i] = -sim_stat(".", "unmap");
		ASSERT_EQ(0, vfio_unmap(w->container, iova, HUGE_PAGE));
		unmap[i] += sim_stat(".", "unmap");
		w->pages = 0;
		LEAVE("b/d", 1);
	}
	EXPECT_EQ(map[0], map[1]);
	EXPECT_EQ(unmap[0], unmap[1]);
}

/* Mappings side by side go one by one, though their memory is contiguous */
TEST_F(sim, neighbours)
{
	static const int order[] = { 1, 0, 2 };
	struct world *w = &self->w;
	char *area = contiguous(w, huge_page(_metadata), ARRAY_SIZE(order));
	unsigned long size = w->page_size;
	int i;

	if (!area)
		SKIP(return, "the kernel has no contiguous memory");
	ADD("a", "", "d");
	JOIN("a/d", FRESH);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		EXPECT_EQ(0, vfio_map(w->container, area + order[i] * size,
				      IOVA(0) + order[i] * size, size));
		w->pages++;
		STATE();
	}
	/* What is to be unmapped is beside them */
	EXPECT_EQ(-ENOENT, vfio_unmap(w->container, IOVA(0) - size, size));
	EXPECT_EQ(-ENOENT, vfio_unmap(w->container, IOVA(0) + 3 * size, size));
	STATE();
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		EXPECT_EQ(0, vfio_unmap(w->container, IOVA(0) + i * size, size));
		w->pages--;
		STATE();
	}
}

static unsigned long page_sizes(struct world *w)
{
	struct vfio_iommu_type1_info info = { .argsz = sizeof(info) };

	return ioctl(w->container, VFIO_IOMMU_GET_INFO, &info) ?
	       0 : info.iova_pgsizes;
}

/* Those that all domains have, as long as these are there */
TEST_F(sim, page_sizes)
{
	struct world *w = &self->w;
	char attrs[64];

	snprintf(attrs, sizeof(attrs), "family=1 page_sizes=0x%lx",
		 w->page_size | HUGE_PAGE);
	ADD("a", attrs, "d");
	snprintf(attrs, sizeof(attrs), "family=2 page_sizes=0x%lx",
		 w->page_size);
	ADD("b", attrs, "d");
	JOIN("a/d", FRESH);
	EXPECT_EQ(w->page_size | HUGE_PAGE, page_sizes(w));
	JOIN("b/d", FRESH);
	EXPECT_EQ(w->page_size, page_sizes(w));
	LEAVE("b/d", 1);
	EXPECT_EQ(w->page_size | HUGE_PAGE, page_sizes(w));
}

/* As AMD's, it takes any size: what is unmapped is more than was asked for */
TEST_F(sim, any_page_size)
{
	struct world *w = &self->w;
	char *area = huge_page(_metadata);
	char attrs[64];

	snprintf(attrs, sizeof(attrs), "family=9 page_sizes=0x%lx", -w->page_size);
	ADD("a", "family=1", "d");
	ADD("s", attrs, "d");
	JOIN("a/d", FRESH);
	ASSERT_EQ(0, vfio_map(w->container, area, HUGE_PAGE, HUGE_PAGE));
	w->pages = HUGE_PAGE / w->page_size;
	JOIN("s/d", FRESH);
	MAP_ALL();
	DMA("s/d");
	ASSERT_EQ(0, vfio_unmap(w->container, HUGE_PAGE, HUGE_PAGE));
	w->pages -= HUGE_PAGE / w->page_size;
	STATE();
	LEAVE("a/d", 1);
	DMA("s/d");
	LEAVE("s/d", 1);
}

/* No page may be locked beyond the limit, not even for a while */
TEST_F(emulated, memlock_limit)
{
	struct world *w = &self->w;
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct cap[2];
	struct rlimit limit;

	JOIN(MDEV, SAME);
	ASSERT_EQ(0, getrlimit(RLIMIT_MEMLOCK, &limit));
	limit.rlim_cur = 2 * w->page_size;
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	ASSERT_EQ(0, syscall(SYS_capget, &head, cap));
	cap[0].effective &= ~(1U << CAP_IPC_LOCK);
	ASSERT_EQ(0, syscall(SYS_capset, &head, cap));
	MAP_ALL();
	NO_JOIN("a/d", -ENOMEM);
	COUNTS(.attach = 1, .alloc = 1, .free = 1, .map = EMPTY + 2);
	NO_DMA("a/d");
	limit.rlim_cur = NR_PAGES * w->page_size;
	ASSERT_EQ(0, setrlimit(RLIMIT_MEMLOCK, &limit));
	JOIN("a/d", FRESH);
	DMA("a/d");
}

/* Pages that a device without IOMMU has pinned beside those of the domains */

#define PINNER		"vfio-emulated-test"

FIXTURE(pins) {
	struct world w;
	int fd;
};

FIXTURE_SETUP(pins)
{
	struct world *w = &self->w;

	open_world(_metadata, w, true);
	if (vfio_group_nr(PINNER) < 0)
		SKIP_TEST("no device that pins pages (CONFIG_VFIO_EMULATED_TEST)");
	ADD("a", "family=1", "d");
	ADD("b", "family=2", "d");
	JOIN(PINNER, SAME);
	self->fd = vfio_device_open(group_fd(w, PINNER), PINNER);
	ASSERT_LE(0, self->fd);
	MAP_ALL();
	get_counts(&w->mark);
}

FIXTURE_TEARDOWN(pins)
{
	close(self->fd);
	close_world(_metadata, &self->w);
}

static void pin_page(struct __test_metadata *_metadata, struct world *w,
		     int line, int fd, unsigned int page, bool pin)
{
	unsigned long long iova = IOVA(page);

	EXPECT_EQ(sizeof(iova), pwrite(fd, &iova, sizeof(iova), pin ? 0 : 8))
		AT(line);
	w->pins += pin ? 1 : -1;
	expect_state(_metadata, w, line);
}

#define PIN(page)	CALL(pin_page, self->fd, page, true)
#define UNPIN(page)	CALL(pin_page, self->fd, page, false)

/* They are pinned once more, and charged once */
TEST_F(pins, real_groups_come_and_go)
{
	struct world *w = &self->w;

	PIN(1);
	PIN(2);
	JOIN("a/d", FRESH);
	DMA("a/d");
	JOIN("b/d", FRESH);
	UNPIN(2);
	PIN(0);
	LEAVE("a/d", 1);
	DMA("b/d");
	LEAVE("b/d", 1);
	UNPIN(1);
	PIN(2);
	JOIN("a/d", FRESH);
	UNPIN(0);
	UNPIN(2);
	LEAVE("a/d", 1);
}

TEST_F(pins, replay_fails)
{
	struct world *w = &self->w;
	int k;

	PIN(0);
	PIN(2);
	for (k = EMPTY + 1; k <= REPLAY; k++) {
		ASSERT_EQ(0, sim_fail("a", "map", k, ENOMEM, 1));
		NO_JOIN("a/d", -ENOMEM);
	}
	JOIN("a/d", FRESH);
	DMA("a/d");
}

/* With the mapping the device lets go of its page */
TEST_F(pins, unmap)
{
	struct world *w = &self->w;
	unsigned long long iova;

	PIN(1);
	w->pins = 0;
	CALL(unmap_page, 1);
	CALL(map_page, 1);
	JOIN("a/d", FRESH);
	PIN(1);
	PIN(2);
	w->pins = 1;
	CALL(unmap_page, 1);
	CALL(map_page, 1);
	DMA("a/d");
	w->pins = 0;
	EXPECT_EQ(NR_PAGES * w->page_size, unmap_all(w));
	w->pages = 0;
	STATE();
	/* Also of the last one of a mapping */
	ASSERT_EQ(0, vfio_map(w->container, w->mem, IOVA(0),
			      NR_PAGES * w->page_size));
	iova = IOVA(0) + (NR_PAGES - 1) * w->page_size;
	EXPECT_EQ(sizeof(iova), pwrite(self->fd, &iova, sizeof(iova), 0));
	EXPECT_EQ(0, vfio_unmap(w->container, IOVA(0),
				NR_PAGES * w->page_size));
	STATE();
}

/* Dirty tracking while groups come and go */

static int dirty(struct world *w, unsigned int flag)
{
	struct vfio_iommu_type1_dirty_bitmap dirty = {
		.argsz = sizeof(dirty),
		.flags = flag,
	};

	return ioctl(w->container, VFIO_IOMMU_DIRTY_PAGES, &dirty) ? -errno : 0;
}

/* The number of dirty pages of a mapping */
static int dirty_pages(struct world *w, unsigned long iova, unsigned long size,
		       unsigned long page_size)
{
	struct vfio_iommu_type1_dirty_bitmap_get *get;
	struct vfio_iommu_type1_dirty_bitmap *dirty;
	char buf[sizeof(*dirty) + sizeof(*get)];
	__u64 bits[64] = { };
	int i, n = 0;

	memset(buf, 0, sizeof(buf));
	dirty = (void *)buf;
	dirty->argsz = sizeof(buf);
	dirty->flags = VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP;
	get = (void *)dirty->data;
	get->iova = iova;
	get->size = size;
	get->bitmap.pgsize = page_size;
	get->bitmap.size = sizeof(bits);
	get->bitmap.data = bits;
	if (ioctl(w->container, VFIO_IOMMU_DIRTY_PAGES, dirty))
		return -errno;
	for (i = 0; i < 64; i++)
		n += __builtin_popcountll(bits[i]);
	return n;
}

#define DIRTY()		dirty_pages(w, IOVA(0), IOVA(NR_PAGES) - IOVA(0), \
				    w->page_size)

/* Real groups dirty everything, however many there are */
TEST_F(sim, dirty)
{
	struct world *w = &self->w;

	three_domains(_metadata, w);
	ADD("c2", "family=3", "d");
	EXPECT_EQ(-EINVAL, DIRTY());
	ASSERT_EQ(0, dirty(w, VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	EXPECT_EQ(NR_PAGES, DIRTY());
	JOIN("x/d", FRESH);
	JOIN("c2/d", SAME);
	EXPECT_EQ(NR_PAGES, DIRTY());
	EXPECT_EQ(NR_PAGES, DIRTY());
	LEAVE("x/d", 1);
	LEAVE("c/d", 0);
	ASSERT_EQ(0, sim_refuse("x/d", ENOMEM));
	NO_JOIN("x/d", -ENOMEM);
	EXPECT_EQ(NR_PAGES, DIRTY());
	CALL(unmap_page, 2);
	EXPECT_EQ(NR_PAGES - 1, DIRTY());
	CALL(map_page, 2);
	EXPECT_EQ(NR_PAGES, DIRTY());
	ASSERT_EQ(0, dirty(w, VFIO_IOMMU_DIRTY_PAGES_FLAG_STOP));
	EXPECT_EQ(-EINVAL, DIRTY());
	DMA("c2/d");
}

/* A bitmap that ends where the address space does */
TEST_F(sim, dirty_last_page)
{
	struct world *w = &self->w;

	ADD("a", WIDE, "d");
	JOIN("a/d", FRESH);
	ASSERT_EQ(0, vfio_map(w->container, w->mem, -2 * w->page_size,
			      2 * w->page_size));
	w->pages = 2;
	ASSERT_EQ(0, dirty(w, VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	EXPECT_EQ(2, dirty_pages(w, -2 * w->page_size, 2 * w->page_size,
				 w->page_size));
	EXPECT_EQ(2, dirty_pages(w, -64 * w->page_size, 64 * w->page_size,
				 w->page_size));
	EXPECT_EQ(-EINVAL, dirty_pages(w, LAST_PAGE, w->page_size,
				       w->page_size));
	EXPECT_EQ(-EOVERFLOW, dirty_pages(w, LAST_PAGE, 2 * w->page_size,
					  w->page_size));
}

/* Also where it has inherited the domain */
TEST_F(emulated, dirty_shared)
{
	struct world *w = &self->w;

	ADD("b", "family=1", "d");
	JOIN("a/d", FRESH);
	JOIN(MDEV, SAME);
	MAP_ALL();
	ASSERT_EQ(0, dirty(w, VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	JOIN("b/d", SAME);
	LEAVE("a/d", 0);
	EXPECT_EQ(NR_PAGES, DIRTY());
	EXPECT_EQ(NR_PAGES, DIRTY());
	JOIN("a/d", SAME);
	LEAVE("b/d", 0);
	LEAVE("a/d", 1);
	EXPECT_EQ(NR_PAGES, DIRTY());
	EXPECT_EQ(0, DIRTY());
	/* Who leaves without having made anything dirty changes nothing */
	JOIN("a/d", FRESH);
	LEAVE(MDEV, 0);
	EXPECT_EQ(NR_PAGES, DIRTY());
	EXPECT_EQ(NR_PAGES, DIRTY());
}

/* When the last real group has left, its dirt is seen once more */
TEST_F(emulated, dirty)
{
	struct world *w = &self->w;

	JOIN("a/d", FRESH);
	JOIN(MDEV, SAME);
	MAP_ALL();
	ASSERT_EQ(0, dirty(w, VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	EXPECT_EQ(NR_PAGES, DIRTY());
	EXPECT_EQ(NR_PAGES, DIRTY());
	LEAVE("a/d", 1);
	EXPECT_EQ(NR_PAGES, DIRTY());
	EXPECT_EQ(0, DIRTY());
	ASSERT_EQ(0, sim_refuse("a/d", ENOMEM));
	NO_JOIN("a/d", -ENOMEM);
	EXPECT_EQ(0, DIRTY());
	JOIN("x/d", FRESH);
	EXPECT_EQ(NR_PAGES, DIRTY());
	LEAVE(MDEV, 0);
	EXPECT_EQ(NR_PAGES, DIRTY());
	DMA("x/d");
}

/* What is pinned counts as dirty, as long as it is */
TEST_F(pins, dirty)
{
	struct world *w = &self->w;

	PIN(1);
	ASSERT_EQ(0, dirty(w, VFIO_IOMMU_DIRTY_PAGES_FLAG_START));
	EXPECT_EQ(1, DIRTY());
	EXPECT_EQ(1, DIRTY());
	PIN(0);
	EXPECT_EQ(2, DIRTY());
	UNPIN(1);
	EXPECT_EQ(2, DIRTY());
	EXPECT_EQ(1, DIRTY());
	JOIN("a/d", FRESH);
	EXPECT_EQ(NR_PAGES, DIRTY());
	LEAVE("a/d", 1);
	EXPECT_EQ(NR_PAGES, DIRTY());
	EXPECT_EQ(1, DIRTY());
	UNPIN(0);
	EXPECT_EQ(1, DIRTY());
	EXPECT_EQ(0, DIRTY());
}

TEST_HARNESS_MAIN
