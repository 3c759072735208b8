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

/* The domains of the IDs, 0 for none, and the mappings of the domains */
static u32 viommu_test_id[4];
static u16 viommu_test_maps[VIOMMU_TEST_DOMAINS];
static struct { void *data; unsigned int len; } viommu_test_queue[4];
static unsigned int viommu_test_queued;

static struct viommu_dev viommu_test[2];
static struct virtio_device viommu_test_vdev;
static struct viommu_endpoint viommu_test_ep[3];
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

static u8 viommu_test_handle(void *buf)
{
	struct virtio_iommu_req_attach *attach = buf;
	struct virtio_iommu_req_map *map = buf;
	u32 domain = le32_to_cpu(attach->domain), id = le32_to_cpu(attach->endpoint);
	u64 start = le64_to_cpu(map->virt_start) >> VIOMMU_TEST_SHIFT;
	u64 end = le64_to_cpu(map->virt_end) >> VIOMMU_TEST_SHIFT;

	switch (attach->head.type) {
	case VIRTIO_IOMMU_T_ATTACH:
		/* An endpoint that is rejected has not left its old domain */
		if (attach_test_fails("ATTACH"))
			return attach_test.ret;
		viommu_test_leave(id);
		viommu_test_id[id] = domain;
		return VIRTIO_IOMMU_S_OK;
	case VIRTIO_IOMMU_T_DETACH:
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
		if (viommu_test_maps[domain] & BIT(start))
			return VIRTIO_IOMMU_S_INVAL;
		viommu_test_maps[domain] |= BIT(start);
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
	struct virtio_iommu_req_tail *tail = sg_virt(sgs[1]);
	int ret = FAIL_OR("virtqueue_add_sgs", 0);

	if (ret)
		return ret;
	tail->status = viommu_test_handle(sg_virt(sgs[0]));
	viommu_test_queue[viommu_test_queued].data = data;
	viommu_test_queue[viommu_test_queued++].len = sgs[1]->length;
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

/* Made, and then mapped, before there is an endpoint: an attach replays that. */
static void viommu_map_two(struct kunit *test, struct iommu_domain *domain)
{
	int i;

	for (i = 0; i < 2; i++)
		KUNIT_ASSERT_EQ(test, domain->ops->map_pages(domain, i * SZ_256M, 0, PAGE_SIZE, 1,
							     IOMMU_READ, GFP_KERNEL, NULL), 0);
}

#define VIOMMU_REJECTS_FIRST(status, err) {					\
	.name = "viommu_attach_errno: " #status " for the first ID",		\
	.call = "ATTACH", .ret = VIRTIO_IOMMU_S_##status, .expect = err }
/* The first ID is in the new domain then, and stays there */
#define VIOMMU_REJECTS(status, err) {						\
	.name = "viommu_attach_errno: " #status " for the second ID",		\
	.call = "ATTACH", .nth = 2, .ret = VIRTIO_IOMMU_S_##status,		\
	.loses = true, .expect = err }
#define VIRTIO_IOMMU_S_UNKNOWN	0x55

static const struct attach_case viommu_cases[] = {
	{ .name = "viommu_attach_dev: the domain is on another vIOMMU",
	  .alloc = viommu_foreign, .expect = -EINVAL },
	{ .name = "viommu_attach_errno: UNSUPP while the domain has an endpoint",
	  .setup = viommu_other_in, .undo = viommu_other_out, .call = "ATTACH",
	  .ret = VIRTIO_IOMMU_S_UNSUPP, .expect = -EINVAL },
	{ .name = "viommu_attach_errno: UNSUPP for the second ID while it has",
	  .setup = viommu_other_in, .undo = viommu_other_out, .call = "ATTACH", .nth = 2,
	  .ret = VIRTIO_IOMMU_S_UNSUPP, .loses = true, .expect = -EINVAL },
	{ .name = "viommu_attach_errno: INVAL while the domain has an endpoint",
	  .setup = viommu_other_in, .undo = viommu_other_out, .call = "ATTACH",
	  .ret = VIRTIO_IOMMU_S_INVAL, .expect = -ENODEV },
	{ .name = "viommu_attach_errno: NOMEM while the domain has an endpoint",
	  .setup = viommu_other_in, .undo = viommu_other_out, .call = "ATTACH",
	  .ret = VIRTIO_IOMMU_S_NOMEM, .expect = -ENOMEM },
	VIOMMU_REJECTS_FIRST(UNSUPP, -ENOSYS),
	VIOMMU_REJECTS(UNSUPP, -ENOSYS),
	VIOMMU_REJECTS_FIRST(INVAL, -ENODEV),
	VIOMMU_REJECTS(INVAL, -ENODEV),
	VIOMMU_REJECTS_FIRST(RANGE, -ERANGE),
	VIOMMU_REJECTS(RANGE, -ERANGE),
	VIOMMU_REJECTS_FIRST(NOENT, -ENOENT),
	VIOMMU_REJECTS(NOENT, -ENOENT),
	VIOMMU_REJECTS_FIRST(FAULT, -EFAULT),
	VIOMMU_REJECTS(FAULT, -EFAULT),
	VIOMMU_REJECTS_FIRST(NOMEM, -ENOMEM),
	VIOMMU_REJECTS(NOMEM, -ENOMEM),
	VIOMMU_REJECTS_FIRST(IOERR, -EIO),
	VIOMMU_REJECTS(IOERR, -EIO),
	VIOMMU_REJECTS_FIRST(DEVERR, -EIO),
	VIOMMU_REJECTS(DEVERR, -EIO),
	VIOMMU_REJECTS_FIRST(UNKNOWN, -EIO),
	VIOMMU_REJECTS(UNKNOWN, -EIO),
	{ .name = "__viommu_add_req: no memory for the first ATTACH request",
	  .call = "kzalloc", .expect = -ENOMEM },
	{ .name = "__viommu_add_req: no memory for the second ATTACH request",
	  .call = "kzalloc", .nth = 2, .loses = true, .expect = -ENOMEM },
	{ .name = "__viommu_add_req: no memory in the virtqueue",
	  .call = "virtqueue_add_sgs", .ret = -ENOMEM, .expect = -ENOMEM },
	{ .name = "__viommu_add_req: a broken virtqueue", .call = "virtqueue_add_sgs",
	  .ret = -EIO, .expect = -EIO },
	{ .name = "__viommu_add_req: the virtqueue is full", .call = "virtqueue_add_sgs",
	  .nth = 2, .ret = -ENOSPC },
	{ .name = "__viommu_sync_req: an answer that is late", .call = "virtqueue_get_buf",
	  .nth = 2 },
	{ .name = "viommu_replay_mappings: NOMEM for the second mapping", .call = "MAP",
	  .setup = viommu_map_two, .nth = 2, .ret = VIRTIO_IOMMU_S_NOMEM, .loses = true,
	  .expect = -ENOMEM },
	{ .name = "viommu_replay_mappings: success", .setup = viommu_map_two },
	{ .name = "viommu_attach_dev: success", },
};

KUNIT_ARRAY_PARAM(viommu, viommu_cases, attach_case_desc);

static void viommu_attach(struct kunit *test)
{
	attach_check(test, &viommu, test->param_value);
}

/* A device without old domain must be in none after a failure. */
static void viommu_attach_new(struct kunit *test)
{
	struct attach_case c = *(const struct attach_case *)test->param_value;

	c.first = true;
	attach_check(test, &viommu, &c);
}

static int viommu_test_init(struct kunit *test)
{
	int i;

	memset(viommu_test, 0, sizeof(viommu_test));
	memset(viommu_test_ep, 0, sizeof(viommu_test_ep));
	memset(viommu_test_id, 0, sizeof(viommu_test_id));
	memset(viommu_test_maps, 0, sizeof(viommu_test_maps));
	memset(attach_test.held, 0, sizeof(attach_test.held));
	viommu_test_queued = 0;
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
		dev->last_domain = i * 8 + 7;
		dev->geometry.aperture_end = U32_MAX;
		dev->geometry.force_aperture = true;
	}
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
	viommu.ops = &viommu_ops;
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

static struct kunit_case viommu_kunit[] = {
	KUNIT_CASE_PARAM(viommu_attach, viommu_gen_params),
	KUNIT_CASE_PARAM(viommu_attach_new, viommu_gen_params),
	{}
};

static struct kunit_suite viommu_suite = {
	.name = "virtio-iommu", .init = viommu_test_init, .exit = viommu_test_exit,
	.test_cases = viommu_kunit,
};

kunit_test_suite(viommu_suite);
