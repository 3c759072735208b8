// SPDX-License-Identifier: GPL-2.0-only
/*
 * What VFIO type1 does when memory runs out. Each call is repeated with its
 * first allocation failing, its second, and so on, until none is left to fail.
 * It must answer ENOMEM and change nothing, and succeed when tried again; or it
 * can do without the memory, and must have done all of its work.
 *
 * Wants FAILSLAB, FAIL_PAGE_ALLOC, FAULT_INJECTION_DEBUG_FS and IOMMU_SIM.
 */

#include <sys/mman.h>

#include "kselftest_harness.h"
#include "sim.h"

#define SLAB		"/sys/kernel/debug/failslab"
#define PAGE_ALLOC	"/sys/kernel/debug/fail_page_alloc"
#define FAIL_NTH	"/proc/thread-self/fail-nth"

#define PAGE		4096UL
#define MAX_POINTS	1000

enum { A, B, C, D, NR_GROUPS };

/* A and B can share a domain, C and D another one; an IOMMU each */
static const struct {
	const char *dev;
	const char *name;	/* on its bus */
} groups[NR_GROUPS] = {
	[A] = { "n0/d", "n0.d" },
	[B] = { "n1/d", "n1.d" },
	[C] = { "n2/d", "n2.d" },
	[D] = { "n3/d", "n3.d" },
};

static const struct {
	unsigned long iova;
	unsigned long pages;
} maps[] = {
	{ 0x100000, 1 },
	{ 0x200000, 3 },
	{ 0x10000000, 1 },
	{ 0x20000000, 3 },	/* by the calls "map" and "unmap" */
};

#define NR_PAGES	8UL	/* of all maps */
#define EXTRA		(ARRAY_SIZE(maps) - 1)

enum call {
	JOIN, SET_IOMMU, LEAVE, CLOSE_GROUP, CLOSE_DEVICE, CLOSE_CONTAINER,
	OPEN_DEVICE, MAP, UNMAP,
};

enum { BARE = 1, NEW = 2, MSI = 4, EMULATED = 8 };

/* A group without IOMMU */
#define PINNER		"vfio-emulated-test"

struct op {
	enum call call;
	int who;
	unsigned int members;	/* before the call, who join in this order */
	unsigned int flags;	/* before VFIO_SET_IOMMU; with groups that were
				 * never in a container; of which C needs a
				 * window for its MSIs; with a group without
				 * IOMMU besides
				 */
};

struct world {
	int container;
	int device;
	int group[NR_GROUPS];
	int emulated;
	int nth;			/* FAIL_NTH */
	char *mem;
	struct sim_state start;
	/* What must be so */
	unsigned int members;
	bool type1;
	unsigned long pages;
};

FIXTURE(nth)
{
	struct world w;
};

FIXTURE_VARIANT(nth)
{
	struct op op;
};

enum { a = 1, b = 2, c = 4, d = 8 };	/* members */

FIXTURE_VARIANT_ADD(nth, set_iommu) { { SET_IOMMU, 0, a, BARE } };
FIXTURE_VARIANT_ADD(nth, set_iommu_many) { { SET_IOMMU, 0, a | b | c | d, BARE } };
FIXTURE_VARIANT_ADD(nth, join_reuse) { { JOIN, B, a } };
FIXTURE_VARIANT_ADD(nth, join_reuse_first) { { JOIN, D, a | c } };
FIXTURE_VARIANT_ADD(nth, join_reuse_last) { { JOIN, B, a | c } };
FIXTURE_VARIANT_ADD(nth, join_fresh) { { JOIN, C, a } };
FIXTURE_VARIANT_ADD(nth, join_fresh_new) { { JOIN, C, a | b, NEW } };
FIXTURE_VARIANT_ADD(nth, join_fresh_msi) { { JOIN, C, a | b, NEW | MSI } };
FIXTURE_VARIANT_ADD(nth, join_emulated) { { JOIN, C, 0, EMULATED } };
FIXTURE_VARIANT_ADD(nth, join_emulated_msi) { { JOIN, C, 0, EMULATED | NEW | MSI } };
FIXTURE_VARIANT_ADD(nth, leave_shared) { { LEAVE, B, a | b } };
FIXTURE_VARIANT_ADD(nth, leave_domain) { { LEAVE, A, a | c } };
FIXTURE_VARIANT_ADD(nth, leave_domain_first) { { LEAVE, C, a | c } };
FIXTURE_VARIANT_ADD(nth, leave_last) { { LEAVE, A, a } };
FIXTURE_VARIANT_ADD(nth, close_group) { { CLOSE_GROUP, A, a | c } };
FIXTURE_VARIANT_ADD(nth, close_group_last) { { CLOSE_GROUP, A, a } };
FIXTURE_VARIANT_ADD(nth, close_device) { { CLOSE_DEVICE, A, a | c } };
FIXTURE_VARIANT_ADD(nth, close_container) { { CLOSE_CONTAINER, 0, a | b | c | d } };
FIXTURE_VARIANT_ADD(nth, open_device) { { OPEN_DEVICE, A, a } };
FIXTURE_VARIANT_ADD(nth, map) { { MAP, 0, a | c } };
FIXTURE_VARIANT_ADD(nth, unmap) { { UNMAP, 0, a | c } };

#define RESERVED	0x80000000UL	/* of A and B */
#define LOW		0x1000UL	/* not in reach of C and D */

static int add_groups(bool msi)
{
	return sim_add("n0", "reserved=0x80000000-0x8fffffff", "d") ?:
	       sim_add("n1", "reserved=0x80000000-0x8fffffff", "d") ?:
	       sim_add("n2", msi ? "family=1 aperture_start=0x100000 msi=sw,0x8000000" :
				   "family=1 aperture_start=0x100000", "d") ?:
	       sim_add("n3", "family=1 aperture_start=0x100000", "d");
}

static int do_map(struct world *w, unsigned int i)
{
	unsigned long page = 0;
	unsigned int j;
	int ret;

	for (j = 0; j < i; j++)
		page += maps[j].pages;
	ret = vfio_map(w->container, w->mem + page * PAGE, maps[i].iova,
		       maps[i].pages * PAGE);
	if (!ret)
		w->pages += maps[i].pages;
	return ret;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void left(struct world *w, unsigned int groups)
{
	w->members &= ~groups;
	if (!w->members && w->emulated < 0) {
		w->type1 = false;
		w->pages = 0;
	}
}

/* One call, or two where the first one only prepares; 0 means it is done */
static int call(struct world *w, const struct op *op)
{
	int ret = 0, i, *group = &w->group[op->who];

	switch (op->call) {
	case JOIN:
		ret = vfio_join(w->container, *group);
		break;
	case SET_IOMMU:
		ret = vfio_set_iommu(w->container);
		break;
	case LEAVE:
		ret = vfio_leave(*group);
		break;
	case CLOSE_DEVICE:
		close_fd(&w->device);
		break;
	case CLOSE_GROUP:
		close_fd(group);
		break;
	case CLOSE_CONTAINER:
		close_fd(&w->container);
		close_fd(&w->emulated);
		for (i = 0; i < NR_GROUPS; i++)
			close_fd(&w->group[i]);
		break;
	case OPEN_DEVICE:
		w->device = vfio_device_open(*group, groups[op->who].name);
		ret = w->device < 0 ? w->device : 0;
		break;
	case MAP:
		return do_map(w, EXTRA);
	case UNMAP:
		ret = vfio_unmap(w->container, maps[EXTRA].iova,
				 maps[EXTRA].pages * PAGE);
		if (!ret)
			w->pages -= maps[EXTRA].pages;
		break;
	}
	if (ret)
		return ret;

	if (op->call == JOIN)
		w->members |= 1 << op->who;
	else if (op->call == SET_IOMMU)
		w->type1 = true;
	else if (op->call == CLOSE_CONTAINER)
		left(w, ~0);
	else if (op->call < OPEN_DEVICE)
		left(w, 1 << op->who);
	return 0;
}

/* The same with the nth allocation failing; says whether there was one */
static bool call_nth(struct world *w, const struct op *op,
		     unsigned int nth, int *ret)
{
	char buf[16] = "";

	snprintf(buf, sizeof(buf), "%u", nth);
	if (pwrite(w->nth, buf, strlen(buf), 0) < 0) {
		*ret = -errno;
		return true;
	}
	*ret = call(w, op);
	if (pread(w->nth, buf, sizeof(buf) - 1, 0) <= 0)
		return false;
	pwrite(w->nth, "0", 1, 0);
	return !atoi(buf);
}

/* Everything is as @w has it */
static void check(struct __test_metadata *_metadata, struct world *w,
		  unsigned int nth, const char *when)
{
	unsigned long src = maps[0].iova, dst = maps[2].iova, mapped = 0;
	unsigned int i, families, devices = 0;
	int code = _metadata->exit_code;
	unsigned long pages;
	bool member, dma;
	struct sim_state s;
	char text[4096];
	int ret;

	_metadata->exit_code = KSFT_PASS;
	families = !!(w->members & 3) + !!(w->members & 12);
	if (!w->type1)
		families = 0;
	pages = families ? w->pages : 0;
	ASSERT_EQ(0, sim_state(&s));
	for (i = 0; i < s.nr_domains; i++) {
		mapped += s.domain[i].mapped;
		devices += s.domain[i].devices;
	}
	for (i = 0; i < w->start.nr_domains; i++)
		mapped -= w->start.domain[i].mapped;
	EXPECT_EQ(families, s.nr_domains - w->start.nr_domains);
	EXPECT_EQ(w->type1 ? __builtin_popcount(w->members) : 0, devices);
	EXPECT_EQ(families * w->pages * PAGE, mapped);
	EXPECT_EQ((long)pages, s.pinned - w->start.pinned);
	EXPECT_EQ((long)(pages * PAGE / 1024),
		  s.locked - w->start.locked);
	EXPECT_EQ(0, s.violations - w->start.violations);

	for (i = 0; i < NR_GROUPS; i++) {
		member = w->members & 1 << i;
		dma = member && w->type1 && w->pages;
		memset(w->mem, 'a' + i, PAGE);
		memset(w->mem + 4 * PAGE, 0, PAGE);
		ret = sim_dma(groups[i].dev, dst, src, PAGE);
		EXPECT_EQ(dma ? 0 : member ? -EFAULT : -EOPNOTSUPP, ret);
		EXPECT_EQ(dma, !memcmp(w->mem, w->mem + 4 * PAGE, PAGE));
	}
	if (w->type1 && w->members & (c | d))
		EXPECT_EQ(-EINVAL, vfio_map(w->container, w->mem, LOW, PAGE));
	if (w->type1 && w->members & c)
		EXPECT_EQ(0, sim_ring(groups[C].dev));
	if (w->type1 && w->members & (a | b))
		EXPECT_EQ(-EINVAL, vfio_map(w->container, w->mem, RESERVED, PAGE));
	if (_metadata->exit_code)
		TH_LOG("that was %s, allocation %u, with %s", when, nth,
		       sim_state_str(&s, text, sizeof(text)));
	else
		_metadata->exit_code = code;
}

static void build(struct __test_metadata *_metadata, struct world *w,
		  const struct op *op)
{
	struct op step = { .call = JOIN };
	unsigned int i;

	if (op->flags & NEW) {
		ASSERT_EQ(0, sim_del_all());
		ASSERT_EQ(0, add_groups(op->flags & MSI));
	}
	ASSERT_EQ(0, sim_state(&w->start));
	w->container = vfio_container_open();
	ASSERT_LE(0, w->container);
	for (i = 0; i < NR_GROUPS; i++) {
		step.who = i;
		w->group[i] = sim_group_open(groups[i].dev);
		ASSERT_LE(0, w->group[i]);
		if (op->members & 1 << i)
			ASSERT_EQ(0, call(w, &step));
	}
	if (op->flags & EMULATED) {
		w->emulated = vfio_group_open(PINNER);
		ASSERT_LE(0, w->emulated);
		ASSERT_EQ(0, vfio_join(w->container, w->emulated));
	}
	step.call = SET_IOMMU;
	if (!(op->flags & BARE))
		ASSERT_EQ(0, call(w, &step));
	for (i = 0; i < EXTRA + (op->call == UNMAP) && !(op->flags & BARE); i++)
		ASSERT_EQ(0, do_map(w, i));
	if (op->call == CLOSE_DEVICE) {
		step.call = OPEN_DEVICE;
		step.who = op->who;
		ASSERT_EQ(0, call(w, &step));
		close_fd(&w->group[op->who]);
	}
}

FIXTURE_SETUP(nth)
{
	struct world *w = &self->w;
	unsigned int i;

	if (!sim_present())
		SKIP(return, "no IOMMU_SIM");
	w->nth = open(FAIL_NTH, O_RDWR);
	if (w->nth < 0 || access(SLAB, X_OK) || access(PAGE_ALLOC, X_OK))
		SKIP(return, "no FAILSLAB, FAIL_PAGE_ALLOC or FAULT_INJECTION_DEBUG_FS");
	for (i = 0; i < 2; i++) {
		const char *dir = i ? SLAB : PAGE_ALLOC;

		ASSERT_EQ(0, sim_write("N", "%s/ignore-gfp-wait", dir));
		ASSERT_EQ(0, sim_write("0", "%s/verbose", dir));
	}
	ASSERT_EQ(0, sim_write("0", PAGE_ALLOC "/min-order"));

	w->device = -1;
	w->emulated = -1;
	w->mem = mmap(NULL, NR_PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ASSERT_NE(MAP_FAILED, w->mem);
	sim_del_all();
	ASSERT_EQ(0, add_groups(false));
}

FIXTURE_TEARDOWN(nth)
{
	EXPECT_EQ(0, sim_del_all());
}

/* Emulated, with KASAN and lockdep, it takes its time */
TEST_F_TIMEOUT(nth, points, 600)
{
	const struct op *op = &variant->op;
	unsigned int n, i, failed = 0;
	struct world *w = &self->w;
	bool fault = true;
	int ret;

	for (n = 1; fault && n < MAX_POINTS; n++) {
		build(_metadata, w, op);
		check(_metadata, w, n, "before");

		fault = call_nth(w, op, n, &ret);
		if (ret) {
			failed++;
			EXPECT_EQ(-ENOMEM, ret)
				TH_LOG("allocation %u", n);
			check(_metadata, w, n, "after the failure");
			EXPECT_EQ(0, call(w, op))
				TH_LOG("again after allocation %u", n);
		}
		check(_metadata, w, n, "after success");

		close_fd(&w->device);
		close_fd(&w->container);
		close_fd(&w->emulated);
		for (i = 0; i < NR_GROUPS; i++)
			close_fd(&w->group[i]);
		left(w, ~0);
		check(_metadata, w, n, "at the end");
	}
	TH_LOG("%u allocations, %u of them needed", n - 2, failed);
	EXPECT_FALSE(fault);
	EXPECT_LT(2, n);
}

TEST_HARNESS_MAIN
