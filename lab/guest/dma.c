// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that can be told to write what they know to memory. Registers are
 * reached by pread() and pwrite(): a PCI BAR cannot be mapped by a process on
 * every architecture.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include "dma.h"
#include "edu.h"

/*
 * What the devices see, from the aperture's start on. edu has 28 address bits,
 * so all that a device touches is below 256 MiB; HIGH is there to be replayed
 * where the aperture reaches so far. OUT is mapped only for a moment at a time.
 * The pages are one array in this process.
 */
enum { SOURCE, DEST, SQ, CQ, OUT, HIGH, PAGES = HIGH + 4 };
#define LOW_IOVA	0x01000000UL
#define OUT_IOVA	0x02000000UL
#define HIGH_IOVA	0x100000000UL

static unsigned char (*page)[PAGE];
static uint64_t base;

/* A device while its DMA is tried */
struct target {
	const struct kind *kind;
	const char *name;
	int fd;
	uint64_t bar, config;		/* offsets of the regions in it */
};

struct kind {
	uint32_t class;			/* 0: match id instead */
	uint32_t id;
	int region;			/* the BAR with the registers */
	void (*write)(struct target *d, uint64_t iova);	/* returns when it is done */
	bool (*written)(const unsigned char *mem);
};

static void transfer(ssize_t len, size_t size, const char *what)
{
	if (len != (ssize_t)size)
		fail(what);
}

static uint32_t config_get(struct target *d, int at, size_t size)
{
	uint32_t value = 0;

	transfer(pread(d->fd, &value, size, d->config + at), size, "read of the PCI configuration");
	return le32toh(value);
}

static uint32_t get(struct target *d, uint64_t reg, size_t size)
{
	uint32_t value = 0;

	transfer(pread(d->fd, &value, size, d->bar + reg), size, "read of a register");
	__sync_synchronize();
	return le32toh(value);
}

static void set(struct target *d, uint64_t reg, uint32_t value, size_t size)
{
	value = htole32(value);
	/* All that the device may read is in memory. */
	__sync_synchronize();
	transfer(pwrite(d->fd, &value, size, d->bar + reg), size, "write of a register");
}

static uint32_t get32(struct target *d, uint64_t reg)
{
	return get(d, reg, 4);
}

static void set32(struct target *d, uint64_t reg, uint32_t value)
{
	set(d, reg, value, 4);
}

static void set64(struct target *d, uint64_t reg, uint64_t value)
{
	set32(d, reg, value);
	set32(d, reg + 4, value >> 32);
}

static void wait_reg(struct target *d, uint64_t reg, uint32_t mask, uint32_t want)
{
	while ((get32(d, reg) & mask) != want)
		usleep(1000);
}

/* --- edu ---------------------------------------------------------------- */

static void edu_transfer(struct target *d, uint64_t src, uint64_t dst, int dir)
{
	set32(d, EDU_SRC, src);
	set32(d, EDU_DST, dst);
	set32(d, EDU_COUNT, EDU_MAX);
	set32(d, EDU_CMD, EDU_START | dir);
	wait_reg(d, EDU_CMD, EDU_START, 0);
}

static void edu_write(struct target *d, uint64_t iova)
{
	static unsigned int seed;
	unsigned int i;

	for (i = 0; i < EDU_MAX; i++)
		page[SOURCE][i] = rand_r(&seed);
	edu_transfer(d, base + LOW_IOVA + SOURCE * PAGE, EDU_BUF, 0);
	edu_transfer(d, EDU_BUF, iova, EDU_TO_RAM);
}

static bool edu_written(const unsigned char *mem)
{
	return !memcmp(mem, page[SOURCE], EDU_MAX);
}

/* --- NVMe: one Identify Controller on an admin queue that is made for it --- */

#define NVME_CC		0x14
#define NVME_CC_ON	(1 | 6 << 16 | 4 << 20)	/* enable, entries of 64 and 16 */
#define NVME_CSTS	0x1c
#define NVME_AQA	0x24
#define NVME_ASQ	0x28
#define NVME_ACQ	0x30
#define NVME_SQ_TAIL	0x1000
#define NVME_IDENTIFY	6

static void nvme_write(struct target *d, uint64_t iova)
{
	volatile __le32 *sq = (void *)page[SQ], *cq = (void *)page[CQ];

	set32(d, NVME_CC, 0);
	wait_reg(d, NVME_CSTS, 1, 0);
	memset(page[SQ], 0, PAGE);
	memset(page[CQ], 0, PAGE);
	set32(d, NVME_AQA, 1 << 16 | 1);
	set64(d, NVME_ASQ, base + LOW_IOVA + SQ * PAGE);
	set64(d, NVME_ACQ, base + LOW_IOVA + CQ * PAGE);
	set32(d, NVME_CC, NVME_CC_ON);
	wait_reg(d, NVME_CSTS, 3, 1);

	sq[0] = htole32(NVME_IDENTIFY);
	sq[6] = htole32(iova);
	sq[7] = htole32(iova >> 32);
	sq[10] = htole32(1);
	set32(d, NVME_SQ_TAIL, 1);
	while (!(le32toh(cq[3]) & 1 << 16))	/* done, well or not */
		usleep(1000);
	__sync_synchronize();
}

static bool nvme_written(const unsigned char *mem)
{
	return mem[0] == 0x36 && mem[1] == 0x1b;	/* QEMU's vendor id */
}

/* --- virtio-blk: its serial number, by one request on a queue made for it --- */

#define VIRTIO_STATUS_UP	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)
#define VIRTIO_STATUS_READY	(VIRTIO_STATUS_UP | VIRTIO_CONFIG_S_FEATURES_OK)
#define VIRTIO_BLK_GET_ID	8
#define VIRTIO_BLK_SERIAL	"lab"	/* -device virtio-blk-pci,serial= */
/* In page SQ behind the descriptors: driver area, header of the request, its status */
#define VIRTQ_SIZE		8
#define VIRTQ_DRIVER		0x400
#define VIRTQ_HEADER		0x800
#define VIRTQ_STATUS		0x900

struct virtq_desc {
	__le64 addr;
	__le32 len;
	__le16 flags;			/* 1: another follows, 2: the device writes */
	__le16 next;
};

/* Where in BAR 4 the registers of a type begin; @at is the capability. */
static uint32_t virtio_registers(struct target *d, int type, int *at)
{
	for (*at = config_get(d, PCI_CAPABILITY_LIST, 1); *at; *at = config_get(d, *at + 1, 1))
		if (config_get(d, *at, 1) == PCI_CAP_ID_VNDR &&
		    config_get(d, *at + 3, 1) == (uint32_t)type)
			return config_get(d, *at + 8, 4);
	fail("a virtio device without its registers");
	return 0;
}

static void virtio_queue(struct target *d, uint32_t common)
{
	uint64_t at = base + LOW_IOVA + SQ * PAGE;

	set(d, common + VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	set(d, common + VIRTIO_PCI_COMMON_Q_SIZE, VIRTQ_SIZE, 2);
	set64(d, common + VIRTIO_PCI_COMMON_Q_DESCLO, at);
	set64(d, common + VIRTIO_PCI_COMMON_Q_AVAILLO, at + VIRTQ_DRIVER);
	set64(d, common + VIRTIO_PCI_COMMON_Q_USEDLO, base + LOW_IOVA + CQ * PAGE);
	set(d, common + VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
}

/* A chain of three descriptors: header, data, status */
static void virtio_request(uint64_t iova)
{
	uint64_t at = base + LOW_IOVA + SQ * PAGE;
	struct virtq_desc *desc = (void *)page[SQ];

	desc[0] = (struct virtq_desc){
		htole64(at + VIRTQ_HEADER), htole32(16), htole16(1), htole16(1),
	};
	desc[1] = (struct virtq_desc){ htole64(iova), htole32(20), htole16(3), htole16(2) };
	desc[2] = (struct virtq_desc){ htole64(at + VIRTQ_STATUS), htole32(1), htole16(2), 0 };
	*(__le32 *)(page[SQ] + VIRTQ_HEADER) = htole32(VIRTIO_BLK_GET_ID);
	*(__le16 *)(page[SQ] + VIRTQ_DRIVER + 2) = htole16(1);
}

static void virtio_write(struct target *d, uint64_t iova)
{
	volatile __le16 *used = (void *)page[CQ];
	uint32_t common, notify, multiplier;
	int at;

	common = virtio_registers(d, VIRTIO_PCI_CAP_COMMON_CFG, &at);
	notify = virtio_registers(d, VIRTIO_PCI_CAP_NOTIFY_CFG, &at);
	multiplier = config_get(d, at + 16, 4);

	memset(page[SQ], 0, PAGE);
	memset(page[CQ], 0, PAGE);
	set(d, common + VIRTIO_PCI_COMMON_STATUS, 0, 1);
	set(d, common + VIRTIO_PCI_COMMON_STATUS, VIRTIO_STATUS_UP, 1);
	set32(d, common + VIRTIO_PCI_COMMON_GFSELECT, 1);
	set32(d, common + VIRTIO_PCI_COMMON_GF, 1 << (VIRTIO_F_VERSION_1 - 32) |
	      1 << (VIRTIO_F_ACCESS_PLATFORM - 32));
	set(d, common + VIRTIO_PCI_COMMON_STATUS, VIRTIO_STATUS_READY, 1);
	virtio_queue(d, common);
	notify += multiplier * get(d, common + VIRTIO_PCI_COMMON_Q_NOFF, 2);
	set(d, common + VIRTIO_PCI_COMMON_STATUS,
	    VIRTIO_STATUS_READY | VIRTIO_CONFIG_S_DRIVER_OK, 1);

	virtio_request(iova);
	set(d, notify, 0, 2);
	/* A device that cannot reach what it is to write asks for a reset. */
	while (le16toh(used[1]) != 1 &&
	       !(get(d, common + VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET))
		usleep(1000);
	__sync_synchronize();
}

static bool virtio_written(const unsigned char *mem)
{
	return !memcmp(mem, VIRTIO_BLK_SERIAL, sizeof(VIRTIO_BLK_SERIAL));
}

static const struct kind kinds[] = {
	{ .id = EDU_ID, .write = edu_write, .written = edu_written },
	{ .class = 0x010802, .write = nvme_write, .written = nvme_written },
	{ .id = 0x10421af4, .region = 4, .write = virtio_write, .written = virtio_written },
};

const void *can_dma(uint32_t class, uint32_t id)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].class ? kinds[i].class == class : kinds[i].id == id)
			return &kinds[i];
	return NULL;
}

/* --- */

static uint64_t region(struct target *d, int index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &info))
		fail("VFIO_DEVICE_GET_REGION_INFO");
	return info.offset;
}

static struct target open_device(struct group *g, struct device *dev)
{
	struct target d = { .kind = dev->kind, .name = dev->name };
	uint16_t cmd;

	d.fd = ioctl(g->fd, VFIO_GROUP_GET_DEVICE_FD, d.name);
	if (d.fd < 0)
		fail("VFIO_GROUP_GET_DEVICE_FD");
	d.config = region(&d, VFIO_PCI_CONFIG_REGION_INDEX);
	d.bar = region(&d, VFIO_PCI_BAR0_REGION_INDEX + d.kind->region);

	cmd = htole16(config_get(&d, PCI_COMMAND, 2) | PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
	transfer(pwrite(d.fd, &cmd, 2, d.config + PCI_COMMAND), 2, "write of PCI_COMMAND");
	return d;
}

static void map_low(void)
{
	if (map(base + LOW_IOVA, page[SOURCE], OUT * PAGE))
		fail("VFIO_IOMMU_MAP_DMA");
}

void map_pages(void)
{
	if (!page)
		page = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (page == MAP_FAILED)
		fail("mmap");
	base = aperture();
	if (base < LOW_IOVA)
		base = 0;
	map_low();
	if (!base && map(HIGH_IOVA, page[HIGH], (PAGES - HIGH) * PAGE))
		fail("VFIO_IOMMU_MAP_DMA");
}

static bool no_dma(struct target *d, const char *why)
{
	report("{\"type\": \"note\", \"what\": \"%s: %s\"}", d->name, why);
	return false;
}

/*
 * The device writes through the mapping and it arrives; it writes to a page
 * mapped this moment and it arrives.
 */
static bool arrives(struct target *d)
{
	bool arrived;

	memset(page[DEST], 0xaa, PAGE);
	d->kind->write(d, base + LOW_IOVA + DEST * PAGE);
	if (!d->kind->written(page[DEST]))
		return no_dma(d, "nothing arrived through the mapping");

	memset(page[OUT], 0xaa, PAGE);
	if (map(base + OUT_IOVA, page[OUT], PAGE))
		fail("VFIO_IOMMU_MAP_DMA");
	d->kind->write(d, base + OUT_IOVA);
	arrived = d->kind->written(page[OUT]);
	if (unmap(base + OUT_IOVA, PAGE))
		fail("VFIO_IOMMU_UNMAP_DMA");
	return arrived || no_dma(d, "nothing arrived through a new mapping");
}

/* It writes there again after the unmap, and nothing arrives, although the page is still there. */
static bool stays_inside(struct target *d)
{
	size_t i;

	memset(page[OUT], 0xaa, PAGE);
	d->kind->write(d, base + OUT_IOVA);
	for (i = 0; i < PAGE; i++)
		if (page[OUT][i] != 0xaa)
			return no_dma(d, "a write outside arrived");
	return true;
}

static bool device_dma(struct group *g, struct device *dev, bool outside)
{
	struct target d = open_device(g, dev);
	bool good;

	/*
	 * QEMU's zPCI learns of a mapping only by the instruction that follows
	 * it, and forgets all at a reset (RPCIT; hw/s390x/s390-pci-inst.c): there
	 * a replayed mapping proves nothing.
	 */
	if (*option("lab.remap=")) {
		if (unmap(base + LOW_IOVA, OUT * PAGE))
			fail("VFIO_IOMMU_UNMAP_DMA");
		map_low();
	}
	good = arrives(&d) && (!outside || stays_inside(&d));
	close(d.fd);
	return good;
}

bool dma(struct group *g, bool outside)
{
	bool good = true;
	int i;

	for (i = 0; i < g->ndevs; i++)
		good = device_dma(g, &g->dev[i], outside) && good;
	return good;
}
