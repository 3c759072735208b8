// SPDX-License-Identifier: GPL-2.0-only
/*
 * Simulated IOMMUs, and devices behind them, for tests of the IOMMU core and
 * its users. Configured through configfs, watched and made to fail through
 * debugfs, see Documentation/driver-api/iommu-sim.rst.
 *
 * Not a module: some of what it calls is not exported. Devices are left alone
 * until an instance goes live.
 */

#define pr_fmt(fmt) "iommu-sim: " fmt

#include <linux/configfs.h>
#include <linux/debugfs.h>
#include <linux/errname.h>
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/irqdomain.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/msi.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/xarray.h>

#include "iommu-priv.h"

#define SIM_MAX_RESV	16
#define SIM_MAX_COPY	SZ_1M
#define SIM_MSI_LENGTH	SZ_1M

/* What can be made to fail; "core" are the domains that the core keeps */
enum sim_fault_kind {
	SIM_ATTACH, SIM_ATTACH_CORE, SIM_MAP, SIM_ALLOC, SIM_NR_FAULTS
};

#define SIM_ROOT_FAULTS	BIT(SIM_ALLOC)
#define SIM_DEV_FAULTS	(BIT(SIM_ATTACH) | BIT(SIM_ATTACH_CORE) | BIT(SIM_MAP))

static const char * const sim_fault_names[] = {
	[SIM_ATTACH]		= "attach",
	[SIM_ATTACH_CORE]	= "attach-core",
	[SIM_MAP]		= "map",
	[SIM_ALLOC]		= "alloc",
};

/* The first ones are kept for each instance and device, too */
enum sim_stat {
	SIM_S_ATTACH, SIM_S_ATTACH_CORE, SIM_S_REFUSED, SIM_S_DMA_OK,
	SIM_S_DMA_FAULT, SIM_NR_DEV_STATS,
	SIM_S_ALLOC = SIM_NR_DEV_STATS, SIM_S_ALLOC_FAILED, SIM_S_FREE,
	SIM_S_MAP, SIM_S_MAP_FAILED, SIM_S_UNMAP, SIM_S_LOOKUP,
	SIM_S_VIOLATION, SIM_NR_STATS
};

static const char * const sim_stat_names[] = {
	[SIM_S_ATTACH]		= "attach",
	[SIM_S_ATTACH_CORE]	= "attach-core",
	[SIM_S_REFUSED]		= "refused",
	[SIM_S_DMA_OK]		= "dma-ok",
	[SIM_S_DMA_FAULT]	= "dma-fault",
	[SIM_S_ALLOC]		= "alloc",
	[SIM_S_ALLOC_FAILED]	= "alloc-failed",
	[SIM_S_FREE]		= "free",
	[SIM_S_MAP]		= "map",
	[SIM_S_MAP_FAILED]	= "map-failed",
	[SIM_S_UNMAP]		= "unmap",
	[SIM_S_LOOKUP]		= "lookup",
	[SIM_S_VIOLATION]	= "violations",
};

struct sim_fault {
	unsigned int after;	/* 0: not armed */
	unsigned int times;
	int err;
};

/* A directory in debugfs: of the whole, of an instance, of a device */
struct sim_node {
	struct dentry *dir;
	unsigned int nr_stats;
	unsigned long faults;	/* kinds that it has */
	atomic64_t stats[SIM_NR_STATS];
	struct sim_fault fault[SIM_NR_FAULTS];
};

struct sim_msi {
	char type[4];
	u64 start;
};

struct sim_resv {
	unsigned int nr;
	struct {
		u64 start;
		u64 end;
		bool relaxable;
	} range[SIM_MAX_RESV];
};

struct sim_inst {
	struct config_group cfg;
	struct sim_node node;
	struct iommu_device iommu;
	struct list_head entry;
	struct list_head devs;
	struct mutex lock;	/* the configuration, going live and back */
	bool live;
	unsigned int nr_ids;

	u64 family;
	u64 aperture_start;
	u64 aperture_end;
	u64 page_sizes;
	u64 max_domains;
	u64 coherent;
	u64 adapt;
	u64 enforce;
	u64 intr_remap;
	struct sim_msi msi;
	struct sim_resv resv;
};

struct sim_dev {
	struct config_item cfg;
	struct sim_node node;
	struct sim_inst *inst;
	struct list_head entry;		/* in inst->devs */
	struct list_head id_entry;	/* in id->devs */
	struct platform_device *pdev;
	struct device *dev;		/* while the core knows it */
	struct iommu_group *iommu_group;
	struct sim_domain *dom;
	struct sim_id *id;
	char *name;			/* as platform device */
	char pci[16];
	int group;
	int refuse;
};

/* The id of a translating domain in one instance: what max_domains limits */
struct sim_id {
	struct list_head entry;		/* in dom->ids */
	struct sim_inst *inst;
	struct list_head devs;
};

/* The lock of @pt protects what it maps, @ids and the devices in them */
struct sim_domain {
	struct iommu_domain domain;
	struct list_head entry;
	struct xarray pt;
	u64 mapped;
	struct list_head ids;
	u64 family;
	dma_addr_t aperture_start;
	dma_addr_t aperture_end;
	unsigned int nr;
	unsigned int nr_devs;
	bool enforceable;
	bool enforced;
	bool freed;
};

struct sim_map {
	unsigned long iova;
	phys_addr_t phys;
	size_t size;
	int prot;
};

/*
 * Instances, devices, domains and who is attached where. DMA runs under it as
 * well, and under the lock of the page table: it sees one domain all along.
 */
static DEFINE_MUTEX(sim_mutex);
static LIST_HEAD(sim_insts);
static LIST_HEAD(sim_domains);
static u32 *sim_doorbell;	/* a page */
static DEFINE_SPINLOCK(sim_fault_lock);
static struct sim_node sim_root = {
	.nr_stats = SIM_NR_STATS,
	.faults = SIM_ROOT_FAULTS,
};

#define sim_violation(fmt, ...)						\
do {									\
	atomic64_inc(&sim_root.stats[SIM_S_VIOLATION]);			\
	pr_err("violation: " fmt "\n", ##__VA_ARGS__);			\
} while (0)

static void sim_count(enum sim_stat stat)
{
	atomic64_inc(&sim_root.stats[stat]);
}

static void sim_count_dev(struct sim_dev *sdev, enum sim_stat stat)
{
	atomic64_inc(&sdev->node.stats[stat]);
	atomic64_inc(&sdev->inst->node.stats[stat]);
	sim_count(stat);
}

/* Every node counts the call, the first one that is due says what fails it */
static void sim_inject(struct sim_node *node, enum sim_fault_kind kind,
		       int *err)
{
	struct sim_fault *fault = &node->fault[kind];
	unsigned long flags;

	spin_lock_irqsave(&sim_fault_lock, flags);
	if (fault->after && !--fault->after) {
		if (!*err)
			*err = -fault->err;
		if (--fault->times)
			fault->after = 1;
	}
	spin_unlock_irqrestore(&sim_fault_lock, flags);
}

static struct sim_domain *to_sim_domain(struct iommu_domain *domain)
{
	return container_of(domain, struct sim_domain, domain);
}

static bool sim_is_paging(struct sim_domain *dom)
{
	return dom->domain.type == IOMMU_DOMAIN_UNMANAGED;
}

/* The page table */

static bool sim_was_freed(phys_addr_t phys)
{
	unsigned long pfn = PHYS_PFN(phys);

	return pfn_valid(pfn) && !page_count(pfn_to_page(pfn));
}

static int sim_insert(struct sim_domain *dom, struct sim_map *map, gfp_t gfp)
{
	unsigned int order = ilog2(map->size) - PAGE_SHIFT;
	XA_STATE_ORDER(xas, &dom->pt, map->iova >> PAGE_SHIFT, order);
	unsigned long flags;

	do {
		xas_lock_irqsave(&xas, flags);
		if (xas_find_conflict(&xas)) {
			sim_violation("domain %u: iova 0x%lx is mapped already",
				      dom->nr, map->iova);
			xas_set_err(&xas, -EEXIST);
		} else {
			xas_store(&xas, map);
			if (!xas_error(&xas) && !(map->prot & IOMMU_MMIO))
				dom->mapped += map->size;
		}
		xas_unlock_irqrestore(&xas, flags);
	} while (xas_nomem(&xas, gfp));

	return xas_error(&xas);
}

static int sim_inject_map(struct sim_domain *dom)
{
	struct sim_dev *sdev;
	struct sim_id *id;
	unsigned long flags;
	int ret = 0;

	xa_lock_irqsave(&dom->pt, flags);
	list_for_each_entry(id, &dom->ids, entry) {
		sim_inject(&id->inst->node, SIM_MAP, &ret);
		list_for_each_entry(sdev, &id->devs, id_entry)
			sim_inject(&sdev->node, SIM_MAP, &ret);
	}
	xa_unlock_irqrestore(&dom->pt, flags);
	return ret;
}

static int sim_map_pages(struct iommu_domain *domain, unsigned long iova,
			 phys_addr_t paddr, size_t pgsize, size_t pgcount,
			 int prot, gfp_t gfp, size_t *mapped)
{
	struct sim_domain *dom = to_sim_domain(domain);
	struct sim_map *map;
	int ret;

	ret = sim_inject_map(dom);
	if (!ret && (iova < domain->geometry.aperture_start ||
		     iova + pgsize * pgcount - 1 > domain->geometry.aperture_end)) {
		sim_violation("domain %u: iova 0x%lx is outside the aperture",
			      dom->nr, iova);
		ret = -ERANGE;
	}
	for (; !ret && pgcount; pgcount--) {
		map = kmalloc_obj(*map, gfp);
		if (!map) {
			ret = -ENOMEM;
			break;
		}
		map->iova = iova;
		map->phys = paddr;
		map->size = pgsize;
		map->prot = prot;
		ret = sim_insert(dom, map, gfp);
		if (ret) {
			kfree(map);
			break;
		}
		iova += pgsize;
		paddr += pgsize;
		*mapped += pgsize;
	}
	sim_count(ret ? SIM_S_MAP_FAILED : SIM_S_MAP);
	return ret;
}

/* A large page goes as a whole: more may be unmapped than was asked for */
static size_t sim_unmap_pages(struct iommu_domain *domain, unsigned long iova,
			      size_t pgsize, size_t pgcount,
			      struct iommu_iotlb_gather *gather)
{
	struct sim_domain *dom = to_sim_domain(domain);
	size_t size = pgsize * pgcount, done = 0;
	struct sim_map *map;
	unsigned long flags;

	xa_lock_irqsave(&dom->pt, flags);
	while (done < size) {
		map = __xa_erase(&dom->pt, (iova + done) >> PAGE_SHIFT);
		/* After a part of it the core comes again for the rest */
		if (!map && done)
			break;
		if (!map || map->iova != iova + done)
			sim_violation("domain %u: unmap at iova 0x%lx, where no mapping starts",
				      dom->nr, iova + done);
		if (!map)
			break;
		if (sim_was_freed(map->phys))
			sim_violation("domain %u: the page at iova 0x%lx was freed while mapped",
				      dom->nr, map->iova);
		done = map->iova + map->size - iova;
		if (!(map->prot & IOMMU_MMIO))
			dom->mapped -= map->size;
		kfree(map);
	}
	xa_unlock_irqrestore(&dom->pt, flags);
	sim_count(SIM_S_UNMAP);
	return done;
}

static phys_addr_t sim_iova_to_phys(struct iommu_domain *domain,
				    dma_addr_t iova)
{
	struct sim_domain *dom = to_sim_domain(domain);
	phys_addr_t phys = 0;
	struct sim_map *map;
	unsigned long flags;

	xa_lock_irqsave(&dom->pt, flags);
	map = xa_load(&dom->pt, iova >> PAGE_SHIFT);
	if (map)
		phys = map->phys + (iova - map->iova);
	xa_unlock_irqrestore(&dom->pt, flags);
	sim_count(SIM_S_LOOKUP);
	return phys;
}

/* What a device reads or writes; without @buf only whether it could */
static int sim_access(struct sim_domain *dom, unsigned long iova, char *buf,
		      size_t len, int prot)
{
	struct sim_map *map;
	struct page *page;
	phys_addr_t phys;
	size_t n;

	for (; len; len -= n, iova += n) {
		map = xa_load(&dom->pt, iova >> PAGE_SHIFT);
		if (!map || !(map->prot & prot))
			return -EFAULT;
		phys = map->phys + (iova - map->iova);
		if (!pfn_valid(PHYS_PFN(phys)))
			return -EFAULT;
		page = pfn_to_page(PHYS_PFN(phys));
		if (!page_count(page)) {
			sim_violation("domain %u: DMA to a freed page at iova 0x%lx",
				      dom->nr, iova);
			return -EFAULT;
		}
		n = min_t(size_t, len, PAGE_SIZE - offset_in_page(phys));
		if (!buf)
			continue;
		if (prot == IOMMU_WRITE)
			memcpy_to_page(page, offset_in_page(phys), buf, n);
		else
			memcpy_from_page(buf, page, offset_in_page(phys), n);
		buf += n;
	}
	return 0;
}

static int sim_dma_copy(struct sim_dev *sdev, unsigned long dst,
			unsigned long src, size_t len)
{
	struct sim_domain *dom;
	int ret = -EFAULT;
	char *buf;

	if (!len || len > SIM_MAX_COPY || dst + len - 1 < dst ||
	    src + len - 1 < src)
		return -EINVAL;

	buf = kvmalloc(len, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;

	mutex_lock(&sim_mutex);
	dom = sdev->dom;
	if (!dom) {
		ret = -ENODEV;
	} else if (dom->freed) {
		sim_violation("%s: DMA through domain %u, which is freed",
			      dev_name(sdev->dev), dom->nr);
	} else if (dom->domain.type == IOMMU_DOMAIN_IDENTITY) {
		ret = -EOPNOTSUPP;
	} else if (sim_is_paging(dom)) {
		xa_lock_irq(&dom->pt);
		ret = sim_access(dom, dst, NULL, len, IOMMU_WRITE);
		if (!ret)
			ret = sim_access(dom, src, buf, len, IOMMU_READ);
		if (!ret)
			ret = sim_access(dom, dst, buf, len, IOMMU_WRITE);
		xa_unlock_irq(&dom->pt);
	}
	sim_count_dev(sdev, ret ? SIM_S_DMA_FAULT : SIM_S_DMA_OK);
	mutex_unlock(&sim_mutex);

	kvfree(buf);
	return ret;
}

/*
 * An interrupt, composed as for a device with MSIs. The page of the doorbell
 * shows whether it got there; where there is no software-managed window, its
 * own address is not translated.
 */
static int sim_ring(struct sim_dev *sdev)
{
	phys_addr_t phys = virt_to_phys(sim_doorbell);
	static DEFINE_MUTEX(lock);
	struct sim_domain *dom;
	struct msi_desc *desc;
	struct msi_msg msg;
	int ret = -ENODEV;
	u64 addr;
	u32 data;

	desc = kzalloc_obj(*desc);
	if (!desc)
		return -ENOMEM;

	mutex_lock(&lock);
	data = *sim_doorbell + 1;
	desc->dev = sdev->dev;
	if (desc->dev)
		ret = iommu_dma_prepare_msi(desc, phys);
	/* Without a window the domain need not be prepared for one */
	if (ret == -EOPNOTSUPP && sdev->inst->msi.type[0] != 's')
		ret = 0;
	if (ret)
		goto out;
	msi_msg_set_addr(desc, &msg, phys);
	addr = (u64)msg.address_hi << 32 | msg.address_lo;

	ret = -EFAULT;
	mutex_lock(&sim_mutex);
	dom = sdev->dom;
	if (addr == phys && sdev->inst->msi.type[0] != 's') {
		*sim_doorbell = data;
		ret = 0;
	} else if (dom && !dom->freed && sim_is_paging(dom)) {
		xa_lock_irq(&dom->pt);
		ret = sim_access(dom, addr, (char *)&data, sizeof(data),
				 IOMMU_WRITE);
		xa_unlock_irq(&dom->pt);
	}
	mutex_unlock(&sim_mutex);
	if (!ret && *sim_doorbell != data)
		ret = -EFAULT;
out:
	mutex_unlock(&lock);
	kfree(desc);
	return ret;
}

/* Domains */

static void sim_add_domain(struct sim_domain *dom)
{
	static unsigned int nr;

	xa_init_flags(&dom->pt, XA_FLAGS_LOCK_IRQ);
	INIT_LIST_HEAD(&dom->ids);
	mutex_lock(&sim_mutex);
	dom->nr = ++nr;
	list_add_tail(&dom->entry, &sim_domains);
	mutex_unlock(&sim_mutex);
}

static struct iommu_domain *sim_domain_alloc(struct device *dev)
{
	struct sim_dev *sdev = dev_iommu_priv_get(dev);
	struct sim_inst *inst = sdev->inst;
	struct sim_domain *dom;
	int err = 0;

	sim_inject(&sim_root, SIM_ALLOC, &err);
	dom = err ? NULL : kzalloc_obj(*dom);
	if (!dom) {
		sim_count(SIM_S_ALLOC_FAILED);
		return ERR_PTR(err ?: -ENOMEM);
	}
	dom->domain.type = IOMMU_DOMAIN_UNMANAGED;
	dom->domain.pgsize_bitmap = inst->page_sizes;
	dom->domain.geometry.aperture_start = inst->aperture_start;
	dom->domain.geometry.aperture_end = inst->aperture_end;
	dom->domain.geometry.force_aperture = true;
	dom->family = inst->family;
	dom->aperture_start = inst->aperture_start;
	dom->aperture_end = inst->aperture_end;
	dom->enforceable = inst->enforce;
	sim_add_domain(dom);
	sim_count(SIM_S_ALLOC);
	return &dom->domain;
}

static void sim_domain_destroy(struct sim_domain *dom)
{
	struct sim_map *map;
	unsigned long i;

	list_del(&dom->entry);
	xa_for_each(&dom->pt, i, map)
		kfree(map);
	xa_destroy(&dom->pt);
	kfree(dom);
}

static void sim_domain_free(struct iommu_domain *domain)
{
	struct sim_domain *dom = to_sim_domain(domain);

	mutex_lock(&sim_mutex);
	sim_count(SIM_S_FREE);
	if (dom->nr_devs) {
		sim_violation("domain %u is freed with %u devices on it",
			      dom->nr, dom->nr_devs);
		dom->freed = true;
	} else {
		sim_domain_destroy(dom);
	}
	mutex_unlock(&sim_mutex);
}

static bool sim_fits(struct sim_domain *dom, struct sim_inst *inst)
{
	return dom->family == inst->family &&
	       (inst->adapt ||
		(dom->domain.geometry.aperture_start >= inst->aperture_start &&
		 dom->domain.geometry.aperture_end <= inst->aperture_end)) &&
	       !(dom->domain.pgsize_bitmap & ~inst->page_sizes) &&
	       (inst->enforce || !dom->enforced);
}

static struct sim_id *sim_get_id(struct sim_domain *dom, struct sim_inst *inst)
{
	struct sim_id *id;

	list_for_each_entry(id, &dom->ids, entry)
		if (id->inst == inst)
			return id;

	if (inst->max_domains && inst->nr_ids >= inst->max_domains)
		return ERR_PTR(-ENOSPC);

	id = kzalloc_obj(*id);
	if (!id)
		return ERR_PTR(-ENOMEM);
	id->inst = inst;
	INIT_LIST_HEAD(&id->devs);
	return id;
}

/* As when it was made, or less if there are IOMMUs in it that adapt it */
static void sim_set_aperture(struct sim_domain *dom)
{
	dma_addr_t start = dom->aperture_start, end = dom->aperture_end;
	struct sim_id *id;

	list_for_each_entry(id, &dom->ids, entry) {
		if (!id->inst->adapt)
			continue;
		start = max_t(dma_addr_t, start, id->inst->aperture_start);
		end = min_t(dma_addr_t, end, id->inst->aperture_end);
	}
	dom->domain.geometry.aperture_start = start;
	dom->domain.geometry.aperture_end = end;
}

static void sim_leave(struct sim_dev *sdev)
{
	struct sim_domain *dom = sdev->dom;
	struct sim_id *id = sdev->id;

	if (!dom)
		return;

	if (id) {
		xa_lock_irq(&dom->pt);
		list_del(&sdev->id_entry);
		if (list_empty(&id->devs))
			list_del(&id->entry);
		else
			id = NULL;
		xa_unlock_irq(&dom->pt);
	}
	if (id) {
		id->inst->nr_ids--;
		kfree(id);
		sim_set_aperture(dom);
	}
	sdev->dom = NULL;
	sdev->id = NULL;
	if (!--dom->nr_devs && dom->freed)
		sim_domain_destroy(dom);
}

static void sim_enter(struct sim_dev *sdev, struct sim_domain *dom,
		      struct sim_id *id)
{
	struct sim_inst *inst = sdev->inst;

	sdev->dom = dom;
	sdev->id = id;
	dom->nr_devs++;
	if (!id)
		return;

	xa_lock_irq(&dom->pt);
	if (list_empty(&id->devs)) {
		list_add_tail(&id->entry, &dom->ids);
		inst->nr_ids++;
	}
	list_add_tail(&sdev->id_entry, &id->devs);
	xa_unlock_irq(&dom->pt);
	sim_set_aperture(dom);
}

static int __sim_attach(struct sim_domain *dom, struct sim_dev *sdev)
{
	enum sim_fault_kind kind;
	struct sim_id *id = NULL;
	int ret = 0;

	kind = sim_is_paging(dom) ? SIM_ATTACH : SIM_ATTACH_CORE;
	sim_inject(&sdev->node, kind, &ret);
	sim_inject(&sdev->inst->node, kind, &ret);

	if (dom->freed) {
		sim_violation("%s is attached to domain %u, which is freed",
			      dev_name(sdev->dev), dom->nr);
		return -ENODEV;
	}
	if (sim_is_paging(dom)) {
		if (!sdev->inst->live)
			return -ENODEV;
		if (sdev->refuse)
			return -sdev->refuse;
	}
	if (ret || sdev->dom == dom)
		return ret;

	if (sim_is_paging(dom)) {
		if (!sim_fits(dom, sdev->inst))
			return -EINVAL;
		/* Before the old one is given back, as hardware has to */
		id = sim_get_id(dom, sdev->inst);
		if (IS_ERR(id))
			return PTR_ERR(id);
	}
	sim_leave(sdev);
	sim_enter(sdev, dom, id);
	return 0;
}

/* An error leaves the device where it was, be that @old or not */
static int sim_attach_dev(struct iommu_domain *domain, struct device *dev,
			  struct iommu_domain *old)
{
	struct sim_domain *dom = to_sim_domain(domain);
	struct sim_dev *sdev = dev_iommu_priv_get(dev);
	int ret;

	mutex_lock(&sim_mutex);
	sim_count_dev(sdev, sim_is_paging(dom) ? SIM_S_ATTACH :
						 SIM_S_ATTACH_CORE);
	ret = __sim_attach(dom, sdev);
	if (ret)
		sim_count_dev(sdev, SIM_S_REFUSED);
	mutex_unlock(&sim_mutex);
	return ret;
}

static bool sim_enforce_cache_coherency(struct iommu_domain *domain)
{
	struct sim_domain *dom = to_sim_domain(domain);
	struct sim_id *id;
	bool ret;

	mutex_lock(&sim_mutex);
	ret = dom->enforceable;
	list_for_each_entry(id, &dom->ids, entry)
		ret &= !!id->inst->enforce;
	dom->enforced |= ret;
	mutex_unlock(&sim_mutex);
	return ret;
}

/* Devices */

/* Only says that interrupts are isolated: no device that has it sends any */
static struct irq_domain sim_msi_domain = {
	.name	= "iommu-sim",
	.flags	= IRQ_DOMAIN_FLAG_ISOLATED_MSI,
};

static const char *sim_bus_name(struct sim_dev *sdev)
{
	return sdev->pci[0] ? sdev->pci : sdev->name;
}

static struct sim_dev *sim_find(struct device *dev)
{
	struct sim_inst *inst;
	struct sim_dev *sdev;

	list_for_each_entry(inst, &sim_insts, entry) {
		if (!inst->live)
			continue;
		list_for_each_entry(sdev, &inst->devs, entry)
			if (!sdev->dev && dev_is_pci(dev) == !!sdev->pci[0] &&
			    !strcmp(dev_name(dev), sim_bus_name(sdev)))
				return sdev;
	}
	return NULL;
}

static struct iommu_device *sim_probe_device(struct device *dev)
{
	struct sim_dev *sdev;

	if (!dev_is_pci(dev) && !dev_is_platform(dev))
		return ERR_PTR(-ENODEV);

	mutex_lock(&sim_mutex);
	sdev = sim_find(dev);
	/* Its driver has not claimed the group that it is to be in */
	if (sdev && dev->driver) {
		dev_err(dev, "unbind the driver before the device is listed\n");
		sdev = NULL;
	}
	if (sdev) {
		sdev->dev = dev;
		dev_iommu_priv_set(dev, sdev);
		/* A PCI device has a domain that says what is so */
		if (!sdev->pci[0] && sdev->inst->intr_remap)
			dev_set_msi_domain(dev, &sim_msi_domain);
	}
	mutex_unlock(&sim_mutex);
	return sdev ? &sdev->inst->iommu : ERR_PTR(-ENODEV);
}

static void sim_release_device(struct device *dev)
{
	struct sim_dev *sdev = dev_iommu_priv_get(dev);

	mutex_lock(&sim_mutex);
	sim_leave(sdev);
	sdev->dev = NULL;
	sdev->iommu_group = NULL;
	mutex_unlock(&sim_mutex);
}

static struct iommu_group *sim_device_group(struct device *dev)
{
	struct sim_dev *sdev = dev_iommu_priv_get(dev), *peer;
	struct iommu_group *group = NULL;

	mutex_lock(&sim_mutex);
	list_for_each_entry(peer, &sdev->inst->devs, entry)
		if (sdev->group >= 0 && peer->group == sdev->group &&
		    peer->iommu_group)
			group = peer->iommu_group;
	group = group ? iommu_group_ref_get(group) : iommu_group_alloc();
	if (!IS_ERR(group))
		sdev->iommu_group = group;
	mutex_unlock(&sim_mutex);
	return group;
}

static void sim_add_resv(struct list_head *head, u64 start, u64 length,
			 enum iommu_resv_type type, int prot)
{
	struct iommu_resv_region *region;

	/* Nobody could be told that there is no memory */
	region = iommu_alloc_resv_region(start, length, prot, type,
					 GFP_KERNEL | __GFP_NOFAIL);
	list_add_tail(&region->list, head);
}

static void sim_get_resv_regions(struct device *dev, struct list_head *head)
{
	struct sim_dev *sdev = dev_iommu_priv_get(dev);
	struct sim_msi *msi = &sdev->inst->msi;
	struct sim_resv *resv = &sdev->inst->resv;
	int i;

	for (i = 0; i < resv->nr; i++)
		sim_add_resv(head, resv->range[i].start,
			     resv->range[i].end - resv->range[i].start + 1,
			     resv->range[i].relaxable ?
				     IOMMU_RESV_DIRECT_RELAXABLE :
				     IOMMU_RESV_RESERVED, 0);
	if (msi->type[0])
		sim_add_resv(head, msi->start, SIM_MSI_LENGTH,
			     msi->type[0] == 's' ? IOMMU_RESV_SW_MSI :
						   IOMMU_RESV_MSI,
			     IOMMU_WRITE | IOMMU_MMIO);
}

static bool sim_capable(struct device *dev, enum iommu_cap cap)
{
	struct sim_dev *sdev = dev_iommu_priv_get(dev);

	switch (cap) {
	case IOMMU_CAP_CACHE_COHERENCY:
		return sdev->inst->coherent;
	case IOMMU_CAP_ENFORCE_CACHE_COHERENCY:
		return sdev->inst->enforce;
	default:
		return false;
	}
}

static int sim_def_domain_type(struct device *dev)
{
	return IOMMU_DOMAIN_IDENTITY;
}

static const struct iommu_domain_ops sim_core_ops = {
	.attach_dev		= sim_attach_dev,
};

static struct sim_domain sim_identity = {
	.domain = { .type = IOMMU_DOMAIN_IDENTITY, .ops = &sim_core_ops },
};

static struct sim_domain sim_blocked = {
	.domain = { .type = IOMMU_DOMAIN_BLOCKED, .ops = &sim_core_ops },
};

static const struct iommu_ops sim_ops = {
	.identity_domain	= &sim_identity.domain,
	.blocked_domain		= &sim_blocked.domain,
	.capable		= sim_capable,
	.domain_alloc_paging	= sim_domain_alloc,
	.probe_device		= sim_probe_device,
	.release_device		= sim_release_device,
	.device_group		= sim_device_group,
	.get_resv_regions	= sim_get_resv_regions,
	.def_domain_type	= sim_def_domain_type,
	.owner			= THIS_MODULE,
	.default_domain_ops	= &(const struct iommu_domain_ops) {
		.attach_dev		= sim_attach_dev,
		.map_pages		= sim_map_pages,
		.unmap_pages		= sim_unmap_pages,
		.iova_to_phys		= sim_iova_to_phys,
		.enforce_cache_coherency = sim_enforce_cache_coherency,
		.free			= sim_domain_free,
	},
};

static int sim_plug(struct sim_dev *sdev)
{
	const struct property_entry props[] = {
		PROPERTY_ENTRY_STRING("compatible", "linux,iommu-sim"),
		{ }
	};
	const struct platform_device_info info = {
		.name		= sdev->name,
		.id		= PLATFORM_DEVID_NONE,
		.dma_mask	= DMA_BIT_MASK(64),
		.properties	= props,
	};
	struct platform_device *pdev;

	if (!sdev->pci[0]) {
		pdev = platform_device_register_full(&info);
		if (IS_ERR(pdev))
			return PTR_ERR(pdev);
		sdev->pdev = pdev;
	}
	if (!sdev->dev) {
		pr_err("%s: no such device, or it cannot be probed\n",
		       sim_bus_name(sdev));
		return -ENODEV;
	}
	return 0;
}

/* Waits until the driver lets go of the device, as for any hot unplug */
static void sim_unplug(struct sim_dev *sdev)
{
	struct device *dev;

	if (sdev->pdev) {
		platform_device_unregister(sdev->pdev);
		sdev->pdev = NULL;
		return;
	}
	mutex_lock(&sim_mutex);
	dev = get_device(sdev->dev);
	mutex_unlock(&sim_mutex);
	if (dev) {
		device_release_driver(dev);
		iommu_group_remove_device(dev);
		put_device(dev);
	}
}

static void sim_set_live(struct sim_inst *inst, bool live)
{
	mutex_lock(&sim_mutex);
	inst->live = live;
	mutex_unlock(&sim_mutex);
}

static void sim_stop(struct sim_inst *inst)
{
	struct sim_dev *sdev;

	sim_set_live(inst, false);
	list_for_each_entry(sdev, &inst->devs, entry)
		sim_unplug(sdev);
	iommu_device_unregister(&inst->iommu);
	iommu_device_sysfs_remove(&inst->iommu);
}

static int sim_start(struct sim_inst *inst)
{
	const struct iommu_ops *ops = iommu_ops_from_fwnode(NULL);
	struct sim_dev *sdev;
	int ret;

	if (inst->aperture_start > inst->aperture_end || !inst->page_sizes ||
	    inst->page_sizes & (PAGE_SIZE - 1))
		return -EINVAL;

	/* Where firmware names no IOMMU, the core asks the first driver only */
	if (ops && ops != &sim_ops) {
		pr_err("another IOMMU driver has the devices of this machine\n");
		return -EBUSY;
	}

	ret = iommu_device_sysfs_add(&inst->iommu, NULL, NULL, "iommu-sim.%s",
				     config_item_name(&inst->cfg.cg_item));
	if (ret)
		return ret;

	add_taint(TAINT_TEST, LOCKDEP_STILL_OK);
	sim_set_live(inst, true);
	ret = iommu_device_register(&inst->iommu, &sim_ops, NULL);
	if (ret) {
		sim_set_live(inst, false);
		iommu_device_sysfs_remove(&inst->iommu);
		return ret;
	}
	list_for_each_entry(sdev, &inst->devs, entry) {
		ret = sim_plug(sdev);
		if (ret) {
			sim_stop(inst);
			return ret;
		}
	}
	return 0;
}

/* debugfs */

#define SIM_FILE(_name)							\
static int _name##_open(struct inode *inode, struct file *file)		\
{									\
	return single_open(file, _name##_show, inode->i_private);	\
}									\
									\
static const struct file_operations _name##_fops = {			\
	.owner		= THIS_MODULE,					\
	.open		= _name##_open,					\
	.read		= seq_read,					\
	.write		= _name##_write,				\
	.llseek		= seq_lseek,					\
	.release	= single_release,				\
}

static void *sim_file_data(struct file *file)
{
	return ((struct seq_file *)file->private_data)->private;
}

/* A name or a number that has one, or 0 */
static int sim_parse_errno(const char *s, int *err)
{
	const char *name;

	for (*err = 1; *err <= MAX_ERRNO; ++*err) {
		name = errname(*err);
		if (name && sysfs_streq(s, name))
			return 0;
	}
	if (kstrtoint(s, 0, err) || *err < 0 || (*err && !errname(*err)))
		return -EINVAL;
	return 0;
}

static int sim_get_user(char *buf, size_t size, const char __user *ubuf,
			size_t count)
{
	if (count >= size)
		return -EINVAL;
	if (copy_from_user(buf, ubuf, count))
		return -EFAULT;
	buf[count] = 0;
	return 0;
}

static int sim_fail_show(struct seq_file *s, void *unused)
{
	struct sim_node *node = s->private;
	struct sim_fault fault;
	int i;

	for_each_set_bit(i, &node->faults, SIM_NR_FAULTS) {
		spin_lock_irq(&sim_fault_lock);
		fault = node->fault[i];
		spin_unlock_irq(&sim_fault_lock);
		if (!fault.after)
			continue;
		seq_printf(s, "%s %u %s %u\n", sim_fault_names[i],
			   fault.after, errname(fault.err), fault.times);
	}
	return 0;
}

static ssize_t sim_fail_write(struct file *file, const char __user *ubuf,
			      size_t count, loff_t *ppos)
{
	struct sim_node *node = sim_file_data(file);
	struct sim_fault fault = { .times = 1 };
	char buf[64], kind[16], err[16];
	int n, i;

	n = sim_get_user(buf, sizeof(buf), ubuf, count);
	if (n)
		return n;
	n = sscanf(buf, "%15s %u %15s %u", kind, &fault.after, err,
		   &fault.times);
	if (n < 2 || (fault.after && n < 3) || !fault.times)
		return -EINVAL;
	i = match_string(sim_fault_names, SIM_NR_FAULTS, kind);
	if (i < 0 || !test_bit(i, &node->faults))
		return -EINVAL;
	if (fault.after && (sim_parse_errno(err, &fault.err) || !fault.err))
		return -EINVAL;

	spin_lock_irq(&sim_fault_lock);
	node->fault[i] = fault;
	spin_unlock_irq(&sim_fault_lock);
	return count;
}

SIM_FILE(sim_fail);

static int sim_refuse_show(struct seq_file *s, void *unused)
{
	struct sim_dev *sdev = s->private;

	seq_printf(s, "%s\n", errname(READ_ONCE(sdev->refuse)) ?: "0");
	return 0;
}

static ssize_t sim_refuse_write(struct file *file, const char __user *ubuf,
				size_t count, loff_t *ppos)
{
	struct sim_dev *sdev = sim_file_data(file);
	char buf[16];
	int ret, err;

	ret = sim_get_user(buf, sizeof(buf), ubuf, count);
	if (!ret)
		ret = sim_parse_errno(buf, &err);
	if (ret)
		return ret;

	mutex_lock(&sim_mutex);
	sdev->refuse = err;
	mutex_unlock(&sim_mutex);
	return count;
}

SIM_FILE(sim_refuse);

static int sim_dma_show(struct seq_file *s, void *unused)
{
	return 0;
}

static ssize_t sim_dma_write(struct file *file, const char __user *ubuf,
			     size_t count, loff_t *ppos)
{
	unsigned long dst, src, len;
	char buf[96];
	int ret;

	ret = sim_get_user(buf, sizeof(buf), ubuf, count);
	if (ret)
		return ret;
	if (sscanf(buf, "copy %li %li %li", &dst, &src, &len) != 3)
		return -EINVAL;
	ret = sim_dma_copy(sim_file_data(file), dst, src, len);
	return ret ?: count;
}

SIM_FILE(sim_dma);

static int sim_msi_show(struct seq_file *s, void *unused)
{
	return 0;
}

static ssize_t sim_msi_write(struct file *file, const char __user *ubuf,
			     size_t count, loff_t *ppos)
{
	return sim_ring(sim_file_data(file)) ?: count;
}

SIM_FILE(sim_msi);

static int sim_stats_show(struct seq_file *s, void *unused)
{
	struct sim_node *node = s->private;
	int i;

	for (i = 0; i < node->nr_stats; i++)
		seq_printf(s, "%s %lld\n", sim_stat_names[i],
			   atomic64_read(&node->stats[i]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sim_stats);

static int sim_domains_show(struct seq_file *s, void *unused)
{
	static const char * const types[] = {
		[IOMMU_DOMAIN_BLOCKED]		= "blocked",
		[IOMMU_DOMAIN_IDENTITY]		= "identity",
		[IOMMU_DOMAIN_UNMANAGED]	= "unmanaged",
	};
	struct sim_domain *dom;
	u64 mapped;

	mutex_lock(&sim_mutex);
	list_for_each_entry(dom, &sim_domains, entry) {
		xa_lock_irq(&dom->pt);
		mapped = dom->mapped;
		xa_unlock_irq(&dom->pt);
		seq_printf(s, "id %u type %s family ", dom->nr,
			   types[dom->domain.type]);
		if (sim_is_paging(dom))
			seq_printf(s, "%llu", dom->family);
		else
			seq_putc(s, '-');
		seq_printf(s, " devices %u mapped %llu%s\n", dom->nr_devs,
			   mapped, dom->freed ? " freed" : "");
	}
	mutex_unlock(&sim_mutex);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(sim_domains);

static void sim_node_init(struct sim_node *node, const char *name,
			  struct sim_node *parent)
{
	if (parent) {
		node->nr_stats = SIM_NR_DEV_STATS;
		node->faults = SIM_DEV_FAULTS;
	}
	node->dir = debugfs_create_dir(name, parent ? parent->dir : NULL);
	debugfs_create_file("fail", 0600, node->dir, node, &sim_fail_fops);
	debugfs_create_file("stats", 0400, node->dir, node, &sim_stats_fops);
}

/* configfs */

static struct sim_inst *to_sim_inst(struct config_item *item)
{
	return container_of(to_config_group(item), struct sim_inst, cfg);
}

static struct sim_dev *to_sim_dev(struct config_item *item)
{
	return container_of(item, struct sim_dev, cfg);
}

/* The configuration is fixed while the instance is live */
static int sim_set(struct sim_inst *inst, void *to, const void *from,
		   size_t size)
{
	int ret = -EBUSY;

	mutex_lock(&inst->lock);
	if (!inst->live) {
		memcpy(to, from, size);
		ret = 0;
	}
	mutex_unlock(&inst->lock);
	return ret;
}

static int sim_store(struct sim_inst *inst, u64 *to, const char *page, u64 max)
{
	u64 val;
	int ret;

	ret = kstrtou64(page, 0, &val);
	if (!ret && val > max)
		ret = -EINVAL;
	return ret ?: sim_set(inst, to, &val, sizeof(val));
}

#define SIM_ATTR(_name, _fmt, _max)					\
static u64 *sim_inst_##_name(struct config_item *item)			\
{									\
	return (void *)to_sim_inst(item) +				\
	       offsetof(struct sim_inst, _name);			\
}									\
									\
static ssize_t sim_inst_##_name##_show(struct config_item *item,	\
				       char *page)			\
{									\
	return sysfs_emit(page, _fmt "\n", *sim_inst_##_name(item));	\
}									\
									\
static ssize_t sim_inst_##_name##_store(struct config_item *item,	\
					const char *page, size_t count)	\
{									\
	return sim_store(to_sim_inst(item), sim_inst_##_name(item),	\
			 page, _max) ?: count;				\
}

SIM_ATTR(family, "%llu", U32_MAX)
CONFIGFS_ATTR(sim_inst_, family);
SIM_ATTR(aperture_start, "0x%llx", ULONG_MAX)
CONFIGFS_ATTR(sim_inst_, aperture_start);
SIM_ATTR(aperture_end, "0x%llx", ULONG_MAX)
CONFIGFS_ATTR(sim_inst_, aperture_end);
SIM_ATTR(page_sizes, "0x%llx", ULONG_MAX)
CONFIGFS_ATTR(sim_inst_, page_sizes);
SIM_ATTR(max_domains, "%llu", U32_MAX)
CONFIGFS_ATTR(sim_inst_, max_domains);
SIM_ATTR(coherent, "%llu", 1)
CONFIGFS_ATTR(sim_inst_, coherent);
SIM_ATTR(adapt, "%llu", 1)
CONFIGFS_ATTR(sim_inst_, adapt);
SIM_ATTR(enforce, "%llu", 1)
CONFIGFS_ATTR(sim_inst_, enforce);
SIM_ATTR(intr_remap, "%llu", 1)
CONFIGFS_ATTR(sim_inst_, intr_remap);

static ssize_t sim_inst_msi_show(struct config_item *item, char *page)
{
	struct sim_msi *msi = &to_sim_inst(item)->msi;

	if (!msi->type[0])
		return sysfs_emit(page, "none\n");
	return sysfs_emit(page, "%s 0x%llx\n", msi->type, msi->start);
}

static ssize_t sim_inst_msi_store(struct config_item *item, const char *page,
				  size_t count)
{
	struct sim_inst *inst = to_sim_inst(item);
	struct sim_msi msi = { };

	if (sysfs_streq(page, "none"))
		msi.type[0] = 0;
	else if (sscanf(page, "%2s %lli", msi.type, &msi.start) != 2 ||
		 (strcmp(msi.type, "sw") && strcmp(msi.type, "hw")))
		return -EINVAL;

	return sim_set(inst, &inst->msi, &msi, sizeof(msi)) ?: count;
}
CONFIGFS_ATTR(sim_inst_, msi);

#define SIM_RELAXABLE	":relaxable"

static ssize_t sim_inst_reserved_show(struct config_item *item, char *page)
{
	struct sim_resv *resv = &to_sim_inst(item)->resv;
	int i, len = 0;

	for (i = 0; i < resv->nr; i++)
		len += sysfs_emit_at(page, len, "0x%llx-0x%llx%s\n",
				     resv->range[i].start, resv->range[i].end,
				     resv->range[i].relaxable ? SIM_RELAXABLE : "");
	return len;
}

static ssize_t sim_inst_reserved_store(struct config_item *item,
				       const char *page, size_t count)
{
	struct sim_inst *inst = to_sim_inst(item);
	struct sim_resv resv = { };
	u64 start, end;
	int used;

	for (page = skip_spaces(page); *page; page = skip_spaces(page + used)) {
		if (resv.nr == SIM_MAX_RESV ||
		    sscanf(page, "%lli-%lli%n", &start, &end, &used) != 2 ||
		    start > end)
			return -EINVAL;
		if (str_has_prefix(page + used, SIM_RELAXABLE)) {
			resv.range[resv.nr].relaxable = true;
			used += strlen(SIM_RELAXABLE);
		}
		resv.range[resv.nr].start = start;
		resv.range[resv.nr++].end = end;
	}
	return sim_set(inst, &inst->resv, &resv, sizeof(resv)) ?: count;
}
CONFIGFS_ATTR(sim_inst_, reserved);

static ssize_t sim_inst_live_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", to_sim_inst(item)->live);
}

static ssize_t sim_inst_live_store(struct config_item *item, const char *page,
				   size_t count)
{
	struct sim_inst *inst = to_sim_inst(item);
	bool live;
	int ret;

	ret = kstrtobool(page, &live);
	if (ret)
		return ret;

	mutex_lock(&inst->lock);
	if (live && !inst->live)
		ret = sim_start(inst);
	else if (!live && inst->live)
		sim_stop(inst);
	mutex_unlock(&inst->lock);
	return ret ?: count;
}
CONFIGFS_ATTR(sim_inst_, live);

static struct configfs_attribute *sim_inst_attrs[] = {
	&sim_inst_attr_family,
	&sim_inst_attr_aperture_start,
	&sim_inst_attr_aperture_end,
	&sim_inst_attr_page_sizes,
	&sim_inst_attr_max_domains,
	&sim_inst_attr_coherent,
	&sim_inst_attr_adapt,
	&sim_inst_attr_enforce,
	&sim_inst_attr_intr_remap,
	&sim_inst_attr_msi,
	&sim_inst_attr_reserved,
	&sim_inst_attr_live,
	NULL
};

static ssize_t sim_dev_name_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%s\n", sim_bus_name(to_sim_dev(item)));
}
CONFIGFS_ATTR_RO(sim_dev_, name);

static ssize_t sim_dev_pci_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%s\n", to_sim_dev(item)->pci);
}

static ssize_t sim_dev_pci_store(struct config_item *item, const char *page,
				 size_t count)
{
	struct sim_dev *sdev = to_sim_dev(item);
	char pci[sizeof(sdev->pci)] = "";

	if (!IS_ENABLED(CONFIG_PCI))
		return -ENODEV;
	if (sscanf(page, "%15s", pci) != 1 && !sysfs_streq(page, ""))
		return -EINVAL;

	return sim_set(sdev->inst, sdev->pci, pci, sizeof(pci)) ?: count;
}
CONFIGFS_ATTR(sim_dev_, pci);

static ssize_t sim_dev_group_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", to_sim_dev(item)->group);
}

static ssize_t sim_dev_group_store(struct config_item *item, const char *page,
				   size_t count)
{
	struct sim_dev *sdev = to_sim_dev(item);
	int ret, val;

	ret = kstrtoint(page, 0, &val);
	if (!ret)
		ret = sim_set(sdev->inst, &sdev->group, &val, sizeof(val));
	return ret ?: count;
}
CONFIGFS_ATTR(sim_dev_, group);

static struct configfs_attribute *sim_dev_attrs[] = {
	&sim_dev_attr_name,
	&sim_dev_attr_pci,
	&sim_dev_attr_group,
	NULL
};

static void sim_dev_release(struct config_item *item)
{
	kfree(to_sim_dev(item)->name);
	kfree(to_sim_dev(item));
}

static const struct configfs_item_operations sim_dev_item_ops = {
	.release = sim_dev_release,
};

static const struct config_item_type sim_dev_type = {
	.ct_owner	= THIS_MODULE,
	.ct_item_ops	= &sim_dev_item_ops,
	.ct_attrs	= sim_dev_attrs,
};

static struct config_item *sim_make_dev(struct config_group *group,
					const char *name)
{
	struct sim_inst *inst = to_sim_inst(&group->cg_item);
	struct sim_dev *sdev;
	int ret = -ENOMEM;

	sdev = kzalloc_obj(*sdev);
	if (!sdev)
		return ERR_PTR(-ENOMEM);
	sdev->name = kasprintf(GFP_KERNEL, "%s.%s",
			       config_item_name(&group->cg_item), name);
	if (!sdev->name)
		goto err_free;
	sdev->inst = inst;
	sdev->group = -1;

	mutex_lock(&inst->lock);
	ret = inst->live ? -EBUSY : 0;
	if (!ret) {
		mutex_lock(&sim_mutex);
		list_add_tail(&sdev->entry, &inst->devs);
		mutex_unlock(&sim_mutex);
	}
	mutex_unlock(&inst->lock);
	if (ret)
		goto err_free;

	config_item_init_type_name(&sdev->cfg, name, &sim_dev_type);
	sim_node_init(&sdev->node, name, &inst->node);
	debugfs_create_file("dma", 0200, sdev->node.dir, sdev, &sim_dma_fops);
	debugfs_create_file("msi", 0200, sdev->node.dir, sdev, &sim_msi_fops);
	debugfs_create_file("refuse", 0600, sdev->node.dir, sdev,
			    &sim_refuse_fops);
	return &sdev->cfg;

err_free:
	kfree(sdev->name);
	kfree(sdev);
	return ERR_PTR(ret);
}

static void sim_drop_dev(struct config_group *group, struct config_item *item)
{
	struct sim_dev *sdev = to_sim_dev(item);

	mutex_lock(&sdev->inst->lock);
	sim_unplug(sdev);
	mutex_lock(&sim_mutex);
	list_del(&sdev->entry);
	mutex_unlock(&sim_mutex);
	mutex_unlock(&sdev->inst->lock);
	debugfs_remove(sdev->node.dir);
	config_item_put(item);
}

static const struct configfs_group_operations sim_inst_group_ops = {
	.make_item = sim_make_dev,
	.drop_item = sim_drop_dev,
};

static void sim_inst_release(struct config_item *item)
{
	kfree(to_sim_inst(item));
}

static const struct configfs_item_operations sim_inst_item_ops = {
	.release = sim_inst_release,
};

static const struct config_item_type sim_inst_type = {
	.ct_owner	= THIS_MODULE,
	.ct_item_ops	= &sim_inst_item_ops,
	.ct_group_ops	= &sim_inst_group_ops,
	.ct_attrs	= sim_inst_attrs,
};

static struct config_group *sim_make_inst(struct config_group *group,
					  const char *name)
{
	struct sim_inst *inst;

	inst = kzalloc_obj(*inst);
	if (!inst)
		return ERR_PTR(-ENOMEM);
	mutex_init(&inst->lock);
	INIT_LIST_HEAD(&inst->devs);
	inst->aperture_end = min_t(u64, DMA_BIT_MASK(48), ULONG_MAX);
	inst->page_sizes = PAGE_SIZE | SZ_2M | SZ_1G;
	inst->coherent = true;
	inst->enforce = true;
	inst->intr_remap = true;
	config_group_init_type_name(&inst->cfg, name, &sim_inst_type);
	sim_node_init(&inst->node, name, &sim_root);
	mutex_lock(&sim_mutex);
	list_add_tail(&inst->entry, &sim_insts);
	mutex_unlock(&sim_mutex);
	return &inst->cfg;
}

static void sim_drop_inst(struct config_group *group, struct config_item *item)
{
	struct sim_inst *inst = to_sim_inst(item);

	mutex_lock(&inst->lock);
	if (inst->live)
		sim_stop(inst);
	mutex_unlock(&inst->lock);
	mutex_lock(&sim_mutex);
	list_del(&inst->entry);
	mutex_unlock(&sim_mutex);
	debugfs_remove(inst->node.dir);
	config_item_put(item);
}

static const struct configfs_group_operations sim_group_ops = {
	.make_group = sim_make_inst,
	.drop_item = sim_drop_inst,
};

static const struct config_item_type sim_type = {
	.ct_owner	= THIS_MODULE,
	.ct_group_ops	= &sim_group_ops,
};

static struct configfs_subsystem sim_subsys = {
	.su_group.cg_item = {
		.ci_namebuf	= "iommu-sim",
		.ci_type	= &sim_type,
	},
};

static int __init sim_init(void)
{
	sim_doorbell = (u32 *)get_zeroed_page(GFP_KERNEL);
	if (!sim_doorbell)
		return -ENOMEM;
	sim_add_domain(&sim_identity);
	sim_add_domain(&sim_blocked);
	config_group_init(&sim_subsys.su_group);
	mutex_init(&sim_subsys.su_mutex);
	sim_node_init(&sim_root, "iommu-sim", NULL);
	debugfs_create_file("domains", 0400, sim_root.dir, NULL,
			    &sim_domains_fops);
	return configfs_register_subsystem(&sim_subsys);
}
device_initcall(sim_init);
