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
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <sys/ioctl.h>
#include "vfio.h"

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
	uint64_t bar;			/* the offset of its registers in it */
};

struct kind {
	int bar;			/* which one has the registers */
	void (*write)(struct target *d, uint64_t iova);	/* returns when it is done */
	bool (*written)(const unsigned char *mem);
};

/* All that the device may read is in memory, and then all that it wrote. */
static uint32_t get(struct target *d, uint64_t reg, ssize_t size)
{
	uint32_t value = 0;

	if (pread(d->fd, &value, size, d->bar + reg) != size)
		fail("read of a register");
	__sync_synchronize();
	return le32toh(value);
}

static void set(struct target *d, uint64_t reg, uint32_t value, ssize_t size)
{
	value = htole32(value);
	__sync_synchronize();
	if (pwrite(d->fd, &value, size, d->bar + reg) != size)
		fail("write of a register");
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
	while ((get(d, reg, 4) & mask) != want)
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

	for (int i = 0; i < EDU_MAX; i++)
		page[SOURCE][i] = rand_r(&seed);
	edu_transfer(d, base + LOW_IOVA + SOURCE * PAGE, EDU_BUF, 0);
	edu_transfer(d, EDU_BUF, iova, EDU_TO_RAM);
}

static bool edu_written(const unsigned char *mem)
{
	return !memcmp(mem, page[SOURCE], EDU_MAX);
}

/* --- NVMe: one Identify Controller on an admin queue that is made for it --- */

#define NVME_CLASS	0x010802
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
	volatile uint32_t *sq = (void *)page[SQ], *cq = (void *)page[CQ];

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

#define VIRTIO_BLK_DEVICE	0x10421af4
#define VIRTIO_BLK_SERIAL	"lab"	/* -device virtio-blk-pci,serial= */
#define VIRTIO_STATUS_UP	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER)
#define VIRTIO_STATUS_READY	(VIRTIO_STATUS_UP | VIRTIO_CONFIG_S_FEATURES_OK)
/* The used ring is page CQ; in page SQ behind the others: header of the request, its status */
#define VIRTQ_SIZE		8
#define VIRTIO_PATIENCE		1000
#define VIRTQ_HEADER		0x800
#define VIRTQ_STATUS		0x900

/* The capability that says where in BAR 4 the registers of a type begin */
static int virtio_registers(struct target *d, uint32_t type)
{
	uint32_t cap, at = pci_config(d->name, PCI_CAPABILITY_LIST) & 0xff;

	for (; at; at = cap >> 8 & 0xff) {
		cap = pci_config(d->name, at);
		if ((cap & 0xff) == PCI_CAP_ID_VNDR && cap >> 24 == type)
			return at;
	}
	fail("a virtio device without its registers");
}

static struct vring_desc desc(uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	return (struct vring_desc){ htole64(addr), htole32(len), htole16(flags), htole16(next) };
}

/* A chain of three descriptors: header, data, status */
static void virtio_request(struct vring *ring, uint64_t at, uint64_t iova)
{
	ring->desc[0] = desc(at + VIRTQ_HEADER, sizeof(struct virtio_blk_outhdr),
			     VRING_DESC_F_NEXT, 1);
	ring->desc[1] = desc(iova, VIRTIO_BLK_ID_BYTES, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, 2);
	ring->desc[2] = desc(at + VIRTQ_STATUS, 1, VRING_DESC_F_WRITE, 0);
	*(uint32_t *)(page[SQ] + VIRTQ_HEADER) = htole32(VIRTIO_BLK_T_GET_ID);
	ring->avail->idx = htole16(1);
}

static void virtio_write(struct target *d, uint64_t iova)
{
	int common = pci_config(d->name, virtio_registers(d, VIRTIO_PCI_CAP_COMMON_CFG) + 8);
	int notify = virtio_registers(d, VIRTIO_PCI_CAP_NOTIFY_CFG);
	uint64_t bell, at = base + LOW_IOVA + SQ * PAGE;
	struct vring ring;

	memset(page[SQ], 0, PAGE);
	memset(page[CQ], 0, PAGE);
	vring_init(&ring, VIRTQ_SIZE, page[SQ], PAGE);
	set(d, common + VIRTIO_PCI_COMMON_STATUS, 0, 1);
	set(d, common + VIRTIO_PCI_COMMON_STATUS, VIRTIO_STATUS_UP, 1);
	set32(d, common + VIRTIO_PCI_COMMON_GFSELECT, 1);
	set32(d, common + VIRTIO_PCI_COMMON_GF, 1 << (VIRTIO_F_VERSION_1 - 32) |
	      1 << (VIRTIO_F_ACCESS_PLATFORM - 32));
	set(d, common + VIRTIO_PCI_COMMON_STATUS, VIRTIO_STATUS_READY, 1);
	set(d, common + VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	set(d, common + VIRTIO_PCI_COMMON_Q_SIZE, VIRTQ_SIZE, 2);
	set64(d, common + VIRTIO_PCI_COMMON_Q_DESCLO, at);
	set64(d, common + VIRTIO_PCI_COMMON_Q_AVAILLO, at + ((void *)ring.avail - (void *)ring.desc));
	set64(d, common + VIRTIO_PCI_COMMON_Q_USEDLO, base + LOW_IOVA + CQ * PAGE);
	set(d, common + VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	bell = pci_config(d->name, notify + 8) + pci_config(d->name, notify + 16) *
	       get(d, common + VIRTIO_PCI_COMMON_Q_NOFF, 2);
	set(d, common + VIRTIO_PCI_COMMON_STATUS,
	    VIRTIO_STATUS_READY | VIRTIO_CONFIG_S_DRIVER_OK, 1);

	/*
	 * From here on QEMU may look into the queue (virtio_device_start_ioeventfd_impl()
	 * kicks it once), and a zPCI function that wrote outside reads as ones.
	 */
	virtio_request(&ring, at, iova);
	set(d, bell, 0, 2);
	/*
	 * A device that cannot reach what it is to write asks for a reset. One that
	 * cannot reach its queue sees nothing to do, and says nothing. Without KVM
	 * QEMU does what there is to do before the write to the bell returns.
	 */
	for (int i = 0; i < VIRTIO_PATIENCE &&
	     le16toh(*(volatile uint16_t *)&ring.used->idx) != 1 &&
	     !(get(d, common + VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET); i++)
		usleep(1000);
	__sync_synchronize();
}

static bool virtio_written(const unsigned char *mem)
{
	return !memcmp(mem, VIRTIO_BLK_SERIAL, sizeof(VIRTIO_BLK_SERIAL));
}

const void *can_dma(uint32_t class, uint32_t id)
{
	static const struct kind edu = { 0, edu_write, edu_written };
	static const struct kind nvme = { 0, nvme_write, nvme_written };
	static const struct kind virtio = { 4, virtio_write, virtio_written };

	return id == EDU_ID ? &edu : id == VIRTIO_BLK_DEVICE ? &virtio :
	       class == NVME_CLASS ? &nvme : NULL;
}

/* --- */

static uint64_t region(int device, int index)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	must(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &info), "VFIO_DEVICE_GET_REGION_INFO");
	return info.offset;
}

static struct target open_device(struct group *g, struct device *dev)
{
	struct target d = { .kind = dev->kind, .name = dev->name };
	/* Nobody serves their interrupt, and another device may have the same line */
	uint16_t cmd = htole16(PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);

	d.fd = dev->fd >= 0 ? must(dup(dev->fd), "dup") :
	       must(ioctl(g->fd, VFIO_GROUP_GET_DEVICE_FD, d.name), "VFIO_GROUP_GET_DEVICE_FD");
	d.bar = region(d.fd, VFIO_PCI_BAR0_REGION_INDEX + d.kind->bar);
	must(pwrite(d.fd, &cmd, 2, region(d.fd, VFIO_PCI_CONFIG_REGION_INDEX) + PCI_COMMAND),
	     "write of PCI_COMMAND");
	return d;
}

void map_pages(void)
{
	if (!page)
		page = new_pages(PAGES * PAGE);
	base = aperture();
	if (base < LOW_IOVA)
		base = 0;
	map(base + LOW_IOVA, page[SOURCE], OUT * PAGE);
	if (!base)
		map(HIGH_IOVA, page[HIGH], (PAGES - HIGH) * PAGE);
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
	map(base + OUT_IOVA, page[OUT], PAGE);
	d->kind->write(d, base + OUT_IOVA);
	arrived = d->kind->written(page[OUT]);
	unmap(base + OUT_IOVA, PAGE);
	return arrived || no_dma(d, "nothing arrived through a new mapping");
}

/* It writes there again after the unmap, and nothing arrives, although the page is still there. */
static bool stays_inside(struct target *d)
{
	memset(page[OUT], 0xaa, PAGE);
	d->kind->write(d, base + OUT_IOVA);
	for (size_t i = 0; i < PAGE; i++)
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
		unmap(base + LOW_IOVA, OUT * PAGE);
		map(base + LOW_IOVA, page[SOURCE], OUT * PAGE);
	}
	good = arrives(&d) && (!outside || stays_inside(&d));
	close(d.fd);
	return good;
}

bool dma(struct group *g, bool outside)
{
	bool good = true;

	for (int i = 0; i < g->ndevs; i++)
		good = device_dma(g, &g->dev[i], outside) && good;
	return good;
}
