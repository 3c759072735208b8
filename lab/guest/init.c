// SPDX-License-Identifier: GPL-2.0
/*
 * PID 1 of the test guest: takes every PCI device whose DMA it can prove
 * through VFIO into one container and reports what each group cost, in
 * different orders, after a device had left, with errnos injected, and powers
 * off.
 *
 * On the kernel command line: lab.kernel=stock|patched|iommufd chooses the probe
 * module; lab.do=panic|hang|halt|silent|noend|warn goes wrong on purpose;
 * lab.remap=1 is for devices that do not see mappings from before the attach;
 * lab.replug=1 for those that a write outside shuts out until they are replugged,
 * so that only one of them makes one; lab.reset=METHOD chooses how VFIO resets;
 * lab.open=1 also measures a join until the devices are open; lab.replace=1 has
 * the driver refuse a replace of a domain, and lab.refuse=FUNCTION,N,VALUE by what a
 * call beneath it returns.
 */
#define _GNU_SOURCE
#include "vfio.h"

#define TIME_ROUNDS	5

/* A domain is reused if a group that joined before is in it. */
static const char *domain_name(const struct join *j, int earlier)
{
	if (j->err)
		return "null";
	for (int i = 0; i < earlier; i++)
		if (members[i]->join.domain == j->domain)
			return "\"reused\"";
	return "\"fresh\"";
}

/* extra: more members, for a join with an injected error */
static void report_join(const char *what, const struct group *g, int earlier,
			const struct join *j, long ns, bool dma_ok, const char *extra)
{
	report("{\"type\": \"group\", \"case\": \"%s\", \"device\": \"%s\", \"group\": %d, "
	       "\"devices\": %d, \"iommu\": \"%s\", \"domain\": %s, %s, \"ns\": %ld, \"dma\": %s, "
	       "\"errno\": %s%s}",
	       what, g->dev[0].name, g->number, g->ndevs, g->iommu, domain_name(j, earlier),
	       calls_json(j->cost), ns, truth(dma_ok), errno_name(j->err), extra);
}

/* A device that wrote outside is of no use any more until it was unplugged. */
static bool last_write(void)
{
	return *option("lab.replug=");
}

/* DMA arrives, and does not outside */
static bool proven(struct group *g)
{
	return dma(g, !last_write());
}

/* A new container with one group in it, and mappings to be replayed */
static void open_with(struct group *g)
{
	new_container();
	must_join(g);
	map_pages();
}

static void join_all(void)
{
	open_with(&groups[0]);
	for (int i = 1; i < ngroups; i++)
		must_join(&groups[i]);
}

/*
 * Time is measured before the module is loaded: its breakpoints cost more than
 * the work between them. The first round also allocates what a group keeps,
 * as its blocking domain; the best round is the one nothing else got into.
 */
static void measure_time(void)
{
	for (int round = 0; round < TIME_ROUNDS; round++) {
		join_all();
		for (struct group *g = groups; g < groups + ngroups; g++)
			if (!round || g->join.ns < g->best_ns)
				g->best_ns = g->join.ns;
		close_container();
	}
}

/* The same until all devices of a group are open, which every user does next */
static void measure_open(void)
{
	bool opens = join_opens;

	if (!*option("lab.open="))
		return;
	join_opens = true;
	for (int round = 0; round < TIME_ROUNDS; round++) {
		join_all();
		for (struct group *g = groups; g < groups + ngroups; g++)
			if (!round || g->join.ns < g->best_open_ns)
				g->best_open_ns = g->join.ns;
		close_container();
	}
	join_opens = opens;
}

static void measure_cost(void)
{
	struct group *g, *last = &groups[ngroups - 1];

	/* Every group is in before the first DMA: so all see what was replayed */
	join_all();
	for (g = groups; g < groups + ngroups; g++)
		report_join("join", g, g - groups, &g->join, g->best_ns,
			    proven(g) && (g < last || dma(g, true)), !*option("lab.open=") ? "" :
			    str(", \"open_ns\": %ld", g->best_open_ns));
	close_container();
	if (last_write())
		replug(last);
}

/* Three groups, two of one IOMMU and the last one, in each order */
static void orders(void)
{
	static const int order[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	struct group *three[] = { &groups[0], &groups[1], &groups[ngroups - 1] };

	for (size_t n = 0; n < ARRAY_SIZE(order); n++) {
		unsigned long cost[COUNTERS] = { 0 };
		char *devices = "";
		bool dma_ok = true;
		int domains = 0;

		open_with(three[order[n][0]]);
		must_join(three[order[n][1]]);
		must_join(three[order[n][2]]);
		for (int i = 0; i < 3; i++) {
			domains += !strcmp(domain_name(&members[i]->join, i), "\"fresh\"");
			devices = str("%s%s%s", devices, i ? " " : "", members[i]->dev[0].name);
			for (int c = 0; c < COUNTERS; c++)
				cost[c] += members[i]->join.cost[c];
			dma_ok = proven(members[i]) && dma_ok;
		}
		report("{\"type\": \"order\", \"devices\": \"%s\", \"domains\": %d, \"dma\": %s, "
		       "%s}", devices, domains, truth(dma_ok), calls_json(cost));
		close_container();
	}
}

/* The second group leaves, is unplugged, comes back and joins again. */
static void leave_and_return(void)
{
	struct group *g = &groups[1];
	bool others;

	open_with(&groups[0]);
	must_join(g);
	if (!proven(g))
		return;			/* the missing row tells */
	leave(g);
	replug(g);
	others = proven(&groups[0]);
	must_join(g);
	report_join("back", g, 1, &g->join, g->join.ns, proven(g),
		    str(", \"others\": %s", truth(others && proven(&groups[0]))));
	close_container();
}

/*
 * The second group joins while attaching to the first one's domain fails.
 * Joined or not, the container must be as good as before, and where the join
 * failed, it must succeed when nothing is injected any more.
 */
static void join_injected(int err)
{
	struct group *first = &groups[0], *g = &groups[1];
	bool dma_ok = false, retry_dma = false, unharmed;
	struct join j, retry = { .err = 1 };
	unsigned long locked;

	open_with(first);
	locked = locked_memory(getpid());
	inject(err, "target", str("%u", first->join.domain));
	j = join(g);
	probe_set("target", "0");

	unharmed = locked_memory(getpid()) == locked && proven(first) &&
		   locked_memory(getpid()) == locked;
	if (!j.err) {
		dma_ok = proven(g);
	} else {
		retry = join(g);
		retry_dma = !retry.err && proven(g);
	}
	report_join(strerrorname_np(err), g, 1, &j, j.ns, dma_ok,
		    str(", \"unharmed\": %s, \"retry\": %s, \"retry_dma\": %s",
			truth(unharmed), domain_name(&retry, 1), truth(retry_dma)));
	close_container();
}

/* A domain of another driver, while no container has the group */
static void foreign_domain(void)
{
	int ret, called;
	char buf[32];

	probe_set("foreign", groups[0].dev[0].name);
	read_file("/sys/module/probe/parameters/foreign", buf, sizeof(buf));
	if (sscanf(buf, "%d %d", &ret, &called) != 2)
		fail("what the probe says of the foreign domain");
	report("{\"type\": \"foreign\", \"errno\": %s, \"called\": %s}",
	       errno_name(-ret), truth(called));
}

int main(void)
{
	begin();
	hello();
	if (!strcmp(option("lab.do="), "panic"))
		return 1;		/* the kernel does not like that */
	join_opens = !strcmp(option("lab.kernel="), "iommufd");
	find_groups(can_dma, 3);
	measure_time();
	measure_open();
	load_probe(str("/%s/probe.ko", option("lab.kernel=")));
	measure_cost();
	orders();
	leave_and_return();
	join_injected(EINVAL);
	join_injected(ENOMEM);
	join_injected(ENODEV);
	foreign_domain();
	if (*option("lab.replace="))
		refused_replace(!last_write());
	end();
}
