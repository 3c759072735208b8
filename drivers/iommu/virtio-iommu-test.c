// SPDX-License-Identifier: GPL-2.0
/*
 * KUnit for the attach of virtio-iommu.c, see attach-test.h
 *
 * A vIOMMU with a device that has two IDs and one that has a single ID, and
 * another vIOMMU with a device. The requests are handled as soon as queued.
 */
#include <linux/interval_tree.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <uapi/linux/virtio_iommu.h>

#include "attach-test.h"

static int viommu_test_add(struct scatterlist *sgs[], void *data);
static void *viommu_test_get(unsigned int *len);

#define virtqueue_add_sgs(vq, sgs, out, in, data, gfp) \
	({ (void)(vq); (void)(out); (void)(in); (void)(gfp); viommu_test_add(sgs, data); })
#define virtqueue_get_buf(vq, len)	({ (void)(vq); viommu_test_get(len); })
#define virtqueue_kick(vq)		((void)(vq))
#undef module_virtio_driver
#define module_virtio_driver(drv)	ATTACH_TEST_UNUSED(drv)
#undef pr_fmt

#include "virtio-iommu.c"

#define VIOMMU_TEST_DOMAINS		16
/* A mapping is known by the 256 MiB that it starts in. */
#define VIOMMU_TEST_SHIFT		28
/* Domain of a vIOMMU that translates nothing */
#define VIOMMU_TEST_BYPASS		7

/* The domains of the IDs, 0 for none, and the mappings of the domains */
static u32 viommu_test_id[4];
static u16 viommu_test_maps[VIOMMU_TEST_DOMAINS];
/* Whether an endpoint that is rejected has left its old domain */
static bool viommu_test_drops;
/* Whether an endpoint can leave a domain at all, or by a DETACH request */
static bool viommu_test_fixed, viommu_test_no_detach;
/* The status of all ATTACH requests but the first few, 0 for none */
static u8 viommu_test_refuse;
static int viommu_test_attaches;
/* Requests for mappings that are there, and whether there is no memory for one */
static int viommu_test_again;
static bool viommu_test_no_map;
static struct { void *data; unsigned int len; } viommu_test_queue[4];
static unsigned int viommu_test_queued;

static struct viommu_dev viommu_test[2];
static struct virtio_device viommu_test_vdev;
static struct viommu_endpoint viommu_test_ep[3];
static struct iommu_resv_region viommu_test_resv;
/* What the first device answers when it is probed */
static struct virtio_iommu_probe_resv_mem viommu_test_props[2];
static struct iommu_ops viommu_test_ops;
static struct attach_driver viommu;

static bool viommu_test_used(u32 domain)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(viommu_test_id); i++)
		if (viommu_test_id[i] == domain)
			return true;
	return false;
}

/* A domain goes with its last endpoint, and the mappings with the domain. */
static void viommu_test_leave(u32 id)
{
	u32 domain = viommu_test_id[id];

	viommu_test_id[id] = 0;
	if (!viommu_test_used(domain))
		viommu_test_maps[domain] = 0;
}

static u8 viommu_test_handle(void *buf, void *in, size_t room)
{
	struct virtio_iommu_req_attach *attach = buf;
	struct virtio_iommu_req_map *map = buf;
	u32 domain = le32_to_cpu(attach->domain), id = le32_to_cpu(attach->endpoint);
	u64 start = le64_to_cpu(map->virt_start) >> VIOMMU_TEST_SHIFT;
	u64 end = le64_to_cpu(map->virt_end) >> VIOMMU_TEST_SHIFT;
	bool fails, refused, bypass;

	switch (attach->head.type) {
	case VIRTIO_IOMMU_T_ATTACH:
		if (viommu_test_fixed && viommu_test_id[id])
			return VIRTIO_IOMMU_S_UNSUPP;
		bypass = le32_to_cpu(attach->flags) & VIRTIO_IOMMU_ATTACH_F_BYPASS;
		if (bypass != (domain % 8 == VIOMMU_TEST_BYPASS))
			return VIRTIO_IOMMU_S_INVAL;
		refused = viommu_test_refuse && --viommu_test_attaches < 0;
		fails = attach_test_fails("ATTACH");
		if (!(fails || refused) || viommu_test_drops)
			viommu_test_leave(id);
		if (refused)
			return viommu_test_refuse;
		if (fails)
			return attach_test.ret;
		viommu_test_id[id] = domain;
		return VIRTIO_IOMMU_S_OK;
	case VIRTIO_IOMMU_T_DETACH:
		if (viommu_test_fixed || viommu_test_no_detach)
			return VIRTIO_IOMMU_S_UNSUPP;
		/* By the specification, and by who takes that for an endpoint */
		if (!viommu_test_id[id])
			return VIRTIO_IOMMU_S_NOENT;
		if (viommu_test_id[id] != domain)
			return VIRTIO_IOMMU_S_INVAL;
		viommu_test_leave(id);
		return VIRTIO_IOMMU_S_OK;
	case VIRTIO_IOMMU_T_MAP:
		if (attach_test_fails("MAP"))
			return attach_test.ret;
		if (!viommu_test_used(domain))
			return VIRTIO_IOMMU_S_NOENT;
		if (le64_to_cpu(map->virt_end) > U32_MAX)
			return VIRTIO_IOMMU_S_RANGE;
		if (viommu_test_no_map)
			return VIRTIO_IOMMU_S_NOMEM;
		if (viommu_test_maps[domain] & BIT(start)) {
			viommu_test_again++;
			return VIRTIO_IOMMU_S_INVAL;
		}
		viommu_test_maps[domain] |= BIT(start);
		return VIRTIO_IOMMU_S_OK;
	case VIRTIO_IOMMU_T_PROBE:
		if (room != sizeof(viommu_test_props))
			return VIRTIO_IOMMU_S_INVAL;
		memcpy(in, viommu_test_props, room);
		return VIRTIO_IOMMU_S_OK;
	case VIRTIO_IOMMU_T_UNMAP:
		if (!viommu_test_used(domain))
			return VIRTIO_IOMMU_S_NOENT;
		/* More than one mapping: permitted, but not done by everybody */
		if (hweight16(viommu_test_maps[domain] & GENMASK(end, start)) > 1)
			return VIRTIO_IOMMU_S_INVAL;
		viommu_test_maps[domain] &= ~GENMASK(end, start);
		return VIRTIO_IOMMU_S_OK;
	}
	return VIRTIO_IOMMU_S_UNSUPP;
}

static int viommu_test_add(struct scatterlist *sgs[], void *data)
{
	size_t room = sgs[1]->length - sizeof(struct virtio_iommu_req_tail);
	struct virtio_iommu_req_tail *tail = sg_virt(sgs[1]) + room;
	int ret = FAIL_OR("virtqueue_add_sgs", 0);
	unsigned int len = sgs[1]->length;

	if (ret)
		return ret;
	if (attach_test_fails("answer")) {
		/* An answer that ends before the status, or of a strange length */
		len = attach_test.ret;
		tail->status = len > room ? VIRTIO_IOMMU_S_INVAL : VIRTIO_IOMMU_S_OK;
	} else {
		tail->status = viommu_test_handle(sg_virt(sgs[0]), sg_virt(sgs[1]), room);
	}
	viommu_test_queue[viommu_test_queued].data = data;
	viommu_test_queue[viommu_test_queued++].len = len;
	return 0;
}

static void *viommu_test_get(unsigned int *len)
{
	if (!viommu_test_queued || attach_test_fails("virtqueue_get_buf"))
		return NULL;
	*len = viommu_test_queue[--viommu_test_queued].len;
	return viommu_test_queue[viommu_test_queued].data;
}

/* The domain of each ID of the first device and its mappings */
static u64 viommu_seen(struct kunit *test)
{
	u64 seen = 0;
	int i;

	for (i = 0; i < 2; i++)
		seen = seen << 32 | viommu_test_id[i] << 16 | viommu_test_maps[viommu_test_id[i]];
	return seen;
}

static void viommu_leave(struct kunit *test, struct iommu_domain *domain)
{
	viommu_detach_dev(&viommu_test_ep[0]);
	KUNIT_EXPECT_EQ(test, viommu_seen(test), 0);
}

static void viommu_other_in(struct kunit *test, struct iommu_domain *domain)
{
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, viommu_test_ep[1].dev, NULL), 0);
}

static void viommu_other_out(struct kunit *test, struct iommu_domain *domain)
{
	viommu_detach_dev(&viommu_test_ep[1]);
}

static struct iommu_domain *viommu_foreign(struct kunit *test)
{
	return attach_test_alloc_for(test, &viommu, viommu_test_ep[2].dev);
}

#define VIOMMU_REJECTS(status, err, id, n) {					\
	  .name = "viommu_attach_errno: " #status " for the " #id " ID",		\
	  .call = "ATTACH", .nth = n, .ret = VIRTIO_IOMMU_S_##status, .expect = err }
#define VIRTIO_IOMMU_S_UNKNOWN	0x55

static const struct attach_case viommu_cases[] = {
	{ .name = "viommu_attach_dev: the domain is on another vIOMMU",
	  .alloc = viommu_foreign, .expect = -EINVAL },
	{ .name = "viommu_attach_errno: UNSUPP while the domain has an endpoint",
	  .setup = viommu_other_in, .undo = viommu_other_out, .call = "ATTACH",
	  .ret = VIRTIO_IOMMU_S_UNSUPP, .expect = -EINVAL },
	{ .name = "viommu_attach_errno: UNSUPP for the second ID while it has",
	  .setup = viommu_other_in, .undo = viommu_other_out, .call = "ATTACH", .nth = 2,
	  .ret = VIRTIO_IOMMU_S_UNSUPP, .expect = -EINVAL },
	{ .name = "viommu_attach_errno: INVAL while the domain has an endpoint",
	  .setup = viommu_other_in, .undo = viommu_other_out, .call = "ATTACH",
	  .ret = VIRTIO_IOMMU_S_INVAL, .expect = -ENODEV },
	{ .name = "viommu_attach_errno: NOMEM while the domain has an endpoint",
	  .setup = viommu_other_in, .undo = viommu_other_out, .call = "ATTACH",
	  .ret = VIRTIO_IOMMU_S_NOMEM, .expect = -ENOMEM },
	VIOMMU_REJECTS(UNSUPP, -ENOSYS, first, 0),
	VIOMMU_REJECTS(UNSUPP, -ENOSYS, second, 2),
	VIOMMU_REJECTS(INVAL, -ENODEV, first, 0),
	VIOMMU_REJECTS(INVAL, -ENODEV, second, 2),
	VIOMMU_REJECTS(RANGE, -ERANGE, first, 0),
	VIOMMU_REJECTS(RANGE, -ERANGE, second, 2),
	VIOMMU_REJECTS(NOENT, -ENOENT, first, 0),
	VIOMMU_REJECTS(NOENT, -ENOENT, second, 2),
	VIOMMU_REJECTS(FAULT, -EFAULT, first, 0),
	VIOMMU_REJECTS(FAULT, -EFAULT, second, 2),
	VIOMMU_REJECTS(NOMEM, -ENOMEM, first, 0),
	VIOMMU_REJECTS(NOMEM, -ENOMEM, second, 2),
	VIOMMU_REJECTS(IOERR, -EIO, first, 0),
	VIOMMU_REJECTS(IOERR, -EIO, second, 2),
	VIOMMU_REJECTS(DEVERR, -EIO, first, 0),
	VIOMMU_REJECTS(DEVERR, -EIO, second, 2),
	VIOMMU_REJECTS(UNKNOWN, -EIO, first, 0),
	VIOMMU_REJECTS(UNKNOWN, -EIO, second, 2),
	{ .name = "__viommu_add_req: no memory for the first ATTACH request",
	  .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "__viommu_add_req: no memory for the second ATTACH request",
	  .call = "kzalloc", .nth = 2, .expect = -ENOMEM },
	{ .name = "__viommu_add_req: no memory in the virtqueue",
	  .call = "virtqueue_add_sgs", .nth = 2, .ret = -ENOMEM, .expect = -ENOMEM },
	{ .name = "__viommu_add_req: a broken virtqueue", .call = "virtqueue_add_sgs",
	  .nth = 2, .ret = -EIO, .expect = -EIO },
	{ .name = "__viommu_add_req: the virtqueue is full", .call = "virtqueue_add_sgs",
	  .nth = 2, .ret = -ENOSPC },
	{ .name = "__viommu_sync_req: no answer", .call = "answer", .nth = 2,
	  .expect = -EIO },
	{ .name = "__viommu_sync_req: an answer of another length", .call = "answer", .nth = 2,
	  .ret = 2, .expect = -ENODEV },
	{ .name = "__viommu_sync_req: an answer that is late", .call = "virtqueue_get_buf",
	  .nth = 2 },
	{ .name = "viommu_replay_mappings: INVAL for the second mapping", .call = "MAP",
	  .nth = 2, .ret = VIRTIO_IOMMU_S_INVAL, .expect = -ENODEV },
	{ .name = "viommu_replay_mappings: NOMEM for the second mapping", .call = "MAP",
	  .nth = 2, .ret = VIRTIO_IOMMU_S_NOMEM, .expect = -ENOMEM },
	{ .name = "viommu_replay_mappings: no memory for the request", .call = "kzalloc",
	  .nth = 3, .expect = -ENOMEM },
	{ .name = "viommu_attach_dev: success", },
};

KUNIT_ARRAY_PARAM(viommu, viommu_cases, attach_case_desc);

static void viommu_attach(struct kunit *test)
{
	attach_check(test, &viommu, test->param_value);
}

/* The specification leaves open when the device takes an ID off its old domain. */
static void viommu_attach_drops(struct kunit *test)
{
	viommu_test_drops = true;
	viommu_attach(test);
}

/* A device without old domain must be in none after a failure. */
static void viommu_attach_new(struct kunit *test)
{
	struct attach_case c = *(const struct attach_case *)test->param_value;

	c.first = true;
	attach_check(test, &viommu, &c);
}

static struct iommu_domain *viommu_test_mapped(struct kunit *test, struct device *dev)
{
	struct iommu_domain *domain;

	viommu_test_ops.domain_alloc_paging = viommu_ops.domain_alloc_paging;
	domain = attach_test_alloc(test, &viommu);
	KUNIT_ASSERT_EQ(test, domain->ops->attach_dev(domain, dev, NULL), 0);
	KUNIT_ASSERT_EQ(test, domain->ops->map_pages(domain, 0, 0, PAGE_SIZE, 1, IOMMU_READ,
						     GFP_KERNEL, NULL), 0);
	return domain;
}

static int viommu_test_reject(struct iommu_domain *domain, int nth)
{
	int ret;

	attach_test.nth = nth;
	attach_test.ret = VIRTIO_IOMMU_S_NOMEM;
	attach_test.call = "ATTACH";
	ret = domain->ops->attach_dev(domain, viommu.dev, NULL);
	attach_test.call = NULL;
	return ret;
}

/* An endpoint that stays is counted on: else a later mapping does not get to the device. */
static void viommu_count(struct kunit *test)
{
	struct iommu_domain *old = viommu_test_mapped(test, viommu.dev);
	struct iommu_domain *domain = attach_test_alloc(test, &viommu);
	int i;

	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, viommu_test_reject(domain, 1), -ENOMEM);
		/* Each time, as a count that is too low soon wraps */
		KUNIT_EXPECT_EQ(test, old->ops->map_pages(old, SZ_256M * (i + 1), 0, PAGE_SIZE, 1,
							  IOMMU_READ, GFP_KERNEL, NULL), 0);
		KUNIT_EXPECT_EQ(test, viommu_test_maps[viommu_test_id[0]], GENMASK(i + 1, 0));
	}
	viommu_leave(test, old);
	old->ops->free(old);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[MEM], 0);
}

/* The mappings of a domain are its other endpoints', too. */
static void viommu_shared(struct kunit *test)
{
	struct iommu_domain *old = viommu_test_mapped(test, viommu.dev);
	struct iommu_domain *domain = attach_test_alloc(test, &viommu);

	viommu_other_in(test, old);
	KUNIT_EXPECT_EQ(test, viommu_test_reject(domain, 2), -ENOMEM);
	KUNIT_EXPECT_EQ(test, viommu_test_maps[viommu_test_id[2]], 1);
	KUNIT_EXPECT_EQ(test, viommu_test_id[0], viommu_test_id[2]);
	KUNIT_EXPECT_EQ(test, viommu_test_id[1], viommu_test_id[2]);
	KUNIT_EXPECT_EQ(test, viommu_test_again, 0);
	viommu_other_out(test, old);
	viommu_leave(test, old);
	old->ops->free(old);
	domain->ops->free(domain);
}

/* The second device of a group is rejected, and was the last one in the old domain. */
static void viommu_group(struct kunit *test)
{
	struct iommu_domain *old = viommu_test_mapped(test, viommu.dev);
	struct iommu_domain *domain = attach_test_alloc(test, &viommu);
	struct device *other = viommu_test_ep[1].dev;
	u64 seen = viommu_seen(test);

	viommu_other_in(test, old);
	viommu_other_in(test, domain);
	viommu_test_drops = true;
	KUNIT_EXPECT_EQ(test, viommu_test_reject(domain, 2), -ENOMEM);
	KUNIT_EXPECT_EQ(test, viommu_seen(test), seen);
	/* What the core does then */
	KUNIT_EXPECT_EQ(test, old->ops->attach_dev(old, other, NULL), 0);
	KUNIT_EXPECT_EQ(test, viommu_seen(test), seen);
	KUNIT_EXPECT_EQ(test, viommu_test_id[2], viommu_test_id[0]);
	viommu_other_out(test, old);
	viommu_leave(test, old);
	old->ops->free(old);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], 0);
}

/* When the way back begins, the old domain may be gone, or its mappings may be there. */
static void viommu_single(struct kunit *test)
{
	struct iommu_domain *old, *domain;
	int num_ids, i;
	u64 seen;

	for (num_ids = 1; num_ids <= 2; num_ids++) {
		dev_iommu_fwspec_get(viommu.dev)->num_ids = num_ids;
		old = viommu_test_mapped(test, viommu.dev);
		domain = attach_test_alloc(test, &viommu);
		seen = viommu_seen(test);
		attach_test.prints = 0;
		for (i = 0; i < 2; i++) {
			viommu_test_drops = i;
			KUNIT_EXPECT_EQ(test, viommu_test_reject(domain, num_ids), -ENOMEM);
			KUNIT_EXPECT_EQ(test, viommu_seen(test), seen);
			KUNIT_EXPECT_EQ(test, attach_test.prints, 0);
		}
		viommu_leave(test, old);
		old->ops->free(old);
		domain->ops->free(domain);
	}
}

static void viommu_fix(struct kunit *test, struct iommu_domain *domain)
{
	viommu_test_fixed = true;
}

static void viommu_fix_other_in(struct kunit *test, struct iommu_domain *domain)
{
	viommu_other_in(test, domain);
	viommu_test_fixed = true;
}

static void viommu_unfix(struct kunit *test, struct iommu_domain *domain)
{
	viommu_test_fixed = false;
	if (viommu_test_ep[1].vdomain)
		viommu_other_out(test, domain);
}

/*
 * A device that cannot detach rejects all of an endpoint that is attached, be it
 * to the domain that it is in. So the endpoint has not left it.
 */
static const struct attach_case viommu_fixed_cases[] = {
	{ .name = "viommu_go_back: the device cannot detach the endpoint",
	  .setup = viommu_fix, .undo = viommu_unfix, .expect = -ENOSYS },
	{ .name = "viommu_go_back: nor put it to another one",
	  .setup = viommu_fix_other_in, .undo = viommu_unfix, .expect = -EINVAL },
};

KUNIT_ARRAY_PARAM(viommu_fixed, viommu_fixed_cases, attach_case_desc);

static void viommu_fixed(struct kunit *test)
{
	int num_ids;

	for (num_ids = 1; num_ids <= 2; num_ids++) {
		dev_iommu_fwspec_get(viommu.dev)->num_ids = num_ids;
		viommu_attach(test);
	}
}

/* The way back fails: what is in the old domain stays, as in none it may bypass the IOMMU. */
static void viommu_lost(struct kunit *test)
{
	struct iommu_domain *old = viommu_test_mapped(test, viommu.dev), *domain;
	u64 seen = viommu_seen(test);
	u32 id = viommu_test_id[1];
	int moved;

	viommu_test_drops = true;
	for (moved = 0; moved < 2; moved++) {
		domain = attach_test_alloc(test, &viommu);
		viommu_test_refuse = VIRTIO_IOMMU_S_NOMEM;
		viommu_test_attaches = moved;
		attach_test.prints = 0;
		KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, viommu.dev, NULL), -ENOMEM);
		KUNIT_EXPECT_EQ(test, viommu_test_id[0], 0);
		KUNIT_EXPECT_EQ(test, viommu_test_id[1], moved ? 0 : id);
		KUNIT_EXPECT_EQ(test, old->ops->attach_dev(old, viommu.dev, NULL), -ENOMEM);
		KUNIT_EXPECT_EQ(test, viommu_test_id[0], 0);
		/* Nobody is left in what the caller frees now. */
		domain->ops->free(domain);
		KUNIT_EXPECT_EQ(test, attach_test.held[ID], 1);

		/* Until somebody takes it out and puts it in again */
		viommu_test_refuse = 0;
		viommu_leave(test, old);
		KUNIT_EXPECT_EQ(test, old->ops->attach_dev(old, viommu.dev, NULL), 0);
		KUNIT_EXPECT_EQ(test, viommu_seen(test), seen);
		KUNIT_EXPECT_EQ(test, attach_test.prints, 1);
	}
	KUNIT_EXPECT_EQ(test, old->ops->map_pages(old, SZ_256M, 0, PAGE_SIZE, 1, IOMMU_READ,
						  GFP_KERNEL, NULL), 0);
	KUNIT_EXPECT_EQ(test, viommu_test_maps[viommu_test_id[0]], 3);
	viommu_leave(test, old);
	old->ops->free(old);
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], 0);
	KUNIT_EXPECT_EQ(test, attach_test.held[MEM], 0);
}

/* So does all of it, if only a mapping is missing there. */
static void viommu_lost_mapping(struct kunit *test)
{
	struct iommu_domain *old = viommu_test_mapped(test, viommu.dev);
	struct iommu_domain *domain = attach_test_alloc(test, &viommu);
	u64 seen = viommu_seen(test);

	viommu_test_drops = true;
	viommu_test_no_map = true;
	attach_test.prints = 0;
	KUNIT_EXPECT_EQ(test, viommu_test_reject(domain, 2), -ENOMEM);
	KUNIT_EXPECT_EQ(test, attach_test.prints, 1);
	/* As before, without the mapping */
	KUNIT_EXPECT_EQ(test, viommu_seen(test), seen & ~0x100000001ULL);
	domain->ops->free(domain);

	viommu_test_no_map = false;
	viommu_leave(test, old);
	KUNIT_EXPECT_EQ(test, old->ops->attach_dev(old, viommu.dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, viommu_seen(test), seen);
	viommu_leave(test, old);
	old->ops->free(old);
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], 0);
}

/* The endpoint is in the new domain when that fails, and must not stay. */
static void viommu_lost_late(struct kunit *test)
{
	struct iommu_domain *old = viommu_test_mapped(test, viommu.dev);
	struct iommu_domain *domain = attach_test_alloc(test, &viommu);
	u64 seen = viommu_seen(test);

	KUNIT_ASSERT_EQ(test, domain->ops->map_pages(domain, 0, 0, PAGE_SIZE, 1, 0, GFP_KERNEL,
						     NULL), 0);
	viommu_test_refuse = VIRTIO_IOMMU_S_NOMEM;
	viommu_test_attaches = 2;
	attach_test_inject("MAP", 1, VIRTIO_IOMMU_S_IOERR);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, viommu.dev, NULL), -EIO);
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	KUNIT_EXPECT_EQ(test, viommu_seen(test), 0);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], 1);

	/* A domain of its own will do, too */
	viommu_test_refuse = 0;
	domain = attach_test_alloc(test, &viommu);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, viommu.dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, old->ops->attach_dev(old, viommu.dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, viommu_seen(test), seen);
	viommu_leave(test, old);
	domain->ops->free(domain);
	old->ops->free(old);
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], 0);
}

/* Nor can it be taken out: nobody else may get the ID. */
static void viommu_lost_in(struct kunit *test)
{
	struct iommu_domain *old = viommu_test_mapped(test, viommu.dev);
	struct iommu_domain *domain = attach_test_alloc(test, &viommu);
	u64 seen = viommu_seen(test);

	viommu_test_refuse = VIRTIO_IOMMU_S_NOMEM;
	viommu_test_attaches = 1;
	viommu_test_no_detach = true;
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, viommu.dev, NULL), -ENOMEM);
	KUNIT_EXPECT_NE(test, viommu_test_id[0], viommu_test_id[1]);
	KUNIT_EXPECT_NE(test, viommu_test_id[0], 0);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], 2);

	viommu_test_refuse = 0;
	viommu_test_no_detach = false;
	KUNIT_EXPECT_EQ(test, old->ops->attach_dev(old, viommu.dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, viommu_seen(test), seen);
	viommu_leave(test, old);
	old->ops->free(old);
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], 1);
}

/* An endpoint that cannot leave sees nothing that is unmapped, or is another domain's. */
static void viommu_stuck(struct kunit *test)
{
	struct iommu_domain *domain = viommu_test_mapped(test, viommu.dev);
	u32 id = viommu_test_id[0];

	viommu_test_fixed = true;
	attach_test.prints = 0;
	viommu_detach_dev(&viommu_test_ep[0]);
	KUNIT_EXPECT_EQ(test, attach_test.prints, 2);
	KUNIT_EXPECT_EQ(test, viommu_test_id[0], id);
	KUNIT_EXPECT_EQ(test, domain->ops->unmap_pages(domain, 0, PAGE_SIZE, 1, NULL), PAGE_SIZE);
	domain->ops->iotlb_sync(domain, NULL);
	KUNIT_EXPECT_EQ(test, viommu_test_maps[id], 0);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], 1);
}

/* Nor does one keep a domain that the device has forgotten, as when it is unplugged. */
static void viommu_gone(struct kunit *test)
{
	struct iommu_domain *domain = viommu_test_mapped(test, viommu.dev);

	viommu_test_leave(0);
	viommu_test_leave(1);
	attach_test.prints = 0;
	viommu_detach_dev(&viommu_test_ep[0]);
	KUNIT_EXPECT_EQ(test, attach_test.prints, 0);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], 0);
}

/* A caller who cannot be told of a failure frees the domain that the endpoint is in. */
static void viommu_freed(struct kunit *test)
{
	struct iommu_domain *old = viommu_test_mapped(test, viommu.dev);
	struct iommu_domain *domain = attach_test_alloc(test, &viommu);
	struct viommu_domain *kept = viommu_test_ep[0].vdomain;

	KUNIT_EXPECT_EQ(test, viommu_test_reject(domain, 1), -ENOMEM);
	old->ops->free(old);
	/* Neither the ID nor what the endpoint refers to */
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], 2);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, viommu.dev, NULL), 0);
	KUNIT_EXPECT_EQ(test, kept->nr_endpoints, 0);
	viommu_leave(test, domain);
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], 1);
}

/* The status comes behind the properties. */
static void viommu_probe_short(struct kunit *test)
{
	viommu_test[0].probe_size = sizeof(viommu_test_props);
	attach_test_inject("answer", 1, sizeof(viommu_test_props));
	KUNIT_EXPECT_EQ(test, viommu_probe_endpoint(&viommu_test[0], viommu.dev), -EIO);
	KUNIT_EXPECT_TRUE(test, attach_test.hit);
	attach_test.call = NULL;
	KUNIT_EXPECT_EQ(test, viommu_probe_endpoint(&viommu_test[0], viommu.dev), 0);
}

/* An identity domain spares what the device has reserved, if that is in its reach at all. */
static void viommu_reserved(struct kunit *test)
{
	static const u64 starts[] = { SZ_4G * 2, SZ_2G };
	struct viommu_endpoint *ep = &viommu_test_ep[0];
	struct virtio_iommu_probe_resv_mem *mem;
	struct iommu_domain *domain;
	int i;

	list_del(&viommu_test_resv.list);
	for (i = 0; i < ARRAY_SIZE(starts); i++) {
		mem = &viommu_test_props[i];
		mem->head.type = cpu_to_le16(VIRTIO_IOMMU_PROBE_T_RESV_MEM);
		mem->head.length = cpu_to_le16(sizeof(*mem) - sizeof(mem->head));
		mem->start = cpu_to_le64(starts[i]);
		mem->end = cpu_to_le64(starts[i] + SZ_256M - 1);
	}
	viommu_test[0].probe_size = sizeof(viommu_test_props);
	KUNIT_EXPECT_EQ(test, viommu_probe_endpoint(&viommu_test[0], ep->dev), 0);
	KUNIT_EXPECT_EQ(test, viommu_test_queued, 0);

	domain = attach_test_alloc(test, &viommu);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, ep->dev, NULL), 0);
	/* From 0 to 2 GiB, and 256 MiB later on */
	KUNIT_EXPECT_EQ(test, viommu_test_maps[viommu_test_id[0]], BIT(0) | BIT(9));
	KUNIT_EXPECT_EQ(test, viommu_test_id[0], viommu_test_id[1]);
	viommu_leave(test, domain);
	domain->ops->free(domain);
	iommu_put_resv_regions(ep->dev, &ep->resv_regions);
	KUNIT_EXPECT_EQ(test, attach_test.held[MEM], 0);
}

static int viommu_test_init(struct kunit *test)
{
	int i;

	memset(viommu_test, 0, sizeof(viommu_test));
	memset(viommu_test_ep, 0, sizeof(viommu_test_ep));
	memset(viommu_test_id, 0, sizeof(viommu_test_id));
	memset(viommu_test_maps, 0, sizeof(viommu_test_maps));
	memset(attach_test.held, 0, sizeof(attach_test.held));
	memset(viommu_test_props, 0, sizeof(viommu_test_props));
	viommu_test_drops = false;
	viommu_test_fixed = false;
	viommu_test_no_detach = false;
	viommu_test_refuse = 0;
	viommu_test_again = 0;
	viommu_test_no_map = false;
	viommu_test_vdev.features = 0;
	viommu_test_vdev.dev.driver = &virtio_iommu_drv.driver;
	viommu_test_ops = viommu_ops;
	/* As those have mappings: two of them, see below */
	viommu_test_ops.domain_alloc_paging = viommu_domain_alloc_identity;
	for (i = 0; i < 2; i++) {
		struct viommu_dev *dev = &viommu_test[i];

		dev->vdev = &viommu_test_vdev;
		spin_lock_init(&dev->request_lock);
		INIT_LIST_HEAD(&dev->requests);
		ida_init(&dev->domain_ids);
		dev->pgsize_bitmap = PAGE_SIZE;
		dev->map_flags = VIRTIO_IOMMU_MAP_F_READ | VIRTIO_IOMMU_MAP_F_WRITE;
		/* No domain is 0: that says none. */
		dev->first_domain = i * 8 + 1;
		dev->last_domain = i * 8 + VIOMMU_TEST_BYPASS - 1;
		dev->identity_domain_id = i * 8 + VIOMMU_TEST_BYPASS;
		dev->geometry.aperture_end = U32_MAX;
		dev->geometry.force_aperture = true;
	}
	/* Splits the identity mapping in two */
	viommu_test_resv.start = SZ_1G;
	viommu_test_resv.length = SZ_256M;
	for (i = 0; i < 3; i++) {
		struct viommu_endpoint *ep = &viommu_test_ep[i];
		struct iommu_fwspec *fwspec = kunit_kzalloc(test, struct_size(fwspec, ids, 2),
							    GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, fwspec);
		fwspec->num_ids = i ? 1 : 2;
		fwspec->ids[0] = i ? i + 1 : 0;
		fwspec->ids[1] = 1;
		ep->viommu = &viommu_test[i / 2];
		INIT_LIST_HEAD(&ep->resv_regions);
		ep->dev = attach_test_device(test, "viommu-client");
		dev_iommu_fwspec_set(ep->dev, fwspec);
		ep->dev->iommu->priv = ep;
		ep->viommu->dev = ep->dev;
	}
	list_add(&viommu_test_resv.list, &viommu_test_ep[0].resv_regions);
	viommu.ops = &viommu_test_ops;
	viommu.seen = viommu_seen;
	viommu.leave = viommu_leave;
	viommu.dev = viommu_test_ep[0].dev;
	return 0;
}

static void viommu_test_exit(struct kunit *test)
{
	int i;

	for (i = 0; i < 3; i++)
		attach_test_remove(viommu_test_ep[i].dev);
	for (i = 0; i < 2; i++)
		ida_destroy(&viommu_test[i].domain_ids);
}

/* The domain that is no domain of the device's own, but a static of the driver */
static void viommu_identity(struct kunit *test)
{
	struct iommu_domain *domain = attach_test_alloc(test, &viommu), *identity;
	static const u8 status[] = { VIRTIO_IOMMU_S_NOMEM, VIRTIO_IOMMU_S_INVAL };
	struct iommu_domain *from, *to;
	int i, nth;
	u64 seen;

	viommu_test_vdev.features = BIT_ULL(VIRTIO_IOMMU_F_BYPASS_CONFIG);
	identity = viommu_domain_alloc_identity(viommu.dev);
	KUNIT_ASSERT_PTR_EQ(test, identity, &viommu_identity_domain.domain);
	for (i = 0; i < 8; i++) {
		from = i & 1 ? identity : domain;
		to = i & 1 ? domain : identity;
		viommu_test_drops = i & 2;
		KUNIT_ASSERT_EQ(test, from->ops->attach_dev(from, viommu.dev, NULL), 0);
		seen = viommu_seen(test);
		for (nth = 1; nth <= 2; nth++) {
			attach_test_inject("ATTACH", nth, status[i / 4]);
			KUNIT_EXPECT_EQ(test, to->ops->attach_dev(to, viommu.dev, from),
					i / 4 ? -ENODEV : -ENOMEM);
			KUNIT_EXPECT_TRUE(test, attach_test.hit);
			attach_test.call = NULL;
			KUNIT_EXPECT_EQ(test, viommu_seen(test), seen);
		}
		KUNIT_EXPECT_EQ(test, to->ops->attach_dev(to, viommu.dev, from), 0);
		KUNIT_EXPECT_NE(test, viommu_seen(test), seen);
		viommu_leave(test, to);
	}
	domain->ops->free(domain);
	KUNIT_EXPECT_EQ(test, attach_test.held[ID], 0);
}

static struct kunit_case viommu_kunit[] = {
	KUNIT_CASE_PARAM(viommu_attach, viommu_gen_params),
	KUNIT_CASE_PARAM(viommu_attach_drops, viommu_gen_params),
	KUNIT_CASE_PARAM(viommu_attach_new, viommu_gen_params),
	KUNIT_CASE(viommu_count),
	KUNIT_CASE(viommu_shared),
	KUNIT_CASE(viommu_group),
	KUNIT_CASE(viommu_single),
	KUNIT_CASE_PARAM(viommu_fixed, viommu_fixed_gen_params),
	KUNIT_CASE(viommu_lost),
	KUNIT_CASE(viommu_lost_mapping),
	KUNIT_CASE(viommu_lost_late),
	KUNIT_CASE(viommu_lost_in),
	KUNIT_CASE(viommu_stuck),
	KUNIT_CASE(viommu_gone),
	KUNIT_CASE(viommu_freed),
	KUNIT_CASE(viommu_reserved),
	KUNIT_CASE(viommu_probe_short),
	KUNIT_CASE(viommu_identity),
	{}
};

static struct kunit_suite viommu_suite = {
	.name = "virtio-iommu", .init = viommu_test_init, .exit = viommu_test_exit,
	.test_cases = viommu_kunit,
};

kunit_test_suite(viommu_suite);
