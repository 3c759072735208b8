// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hold drivers to the rules of struct iommu_domain_ops: what an attach returns,
 * and where the device is when it fails.
 *
 * The core calls in here before and after the driver. What it cannot see is not
 * judged: which page table the hardware walks, what is left in the driver, and
 * whom a domain is for that a driver allocated without the core.
 */

#define dev_fmt(fmt) "iommu attach: " fmt

#include <kunit/static_stub.h>
#include <linux/bitops.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/iommu.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "iommu-debug-attach.h"

/*
 * An attach writes tables, flushes caches and may resume the IOMMU. That takes
 * milliseconds at most, while whoever waits for the hardware in vain gives up
 * after a second (ARM_SMMU_POLL_TIMEOUT_US) or later (DMAR_OPERATION_TIMEOUT).
 * All that time group->mutex is held, and with it up the removal and the reset
 * of each device of the group, and the close of a file by a VFIO user.
 */
#define SLOW_MS		1000

/* A domain to which no device has been attached yet */
struct fresh {
	struct list_head list;
	struct iommu_domain *domain;
	struct device *dev;
};

static LIST_HEAD(fresh_domains);

/* The functions of drivers that were warned of. More will be let pass. */
static struct {
	const void *op;
	unsigned long what;
} seen[64];

/* Of both */
static DEFINE_SPINLOCK(debug_lock);

bool iommu_debug_attach_first(const void *op, enum iommu_debug_attach_what what)
{
	bool first = false;
	unsigned long flags;
	int i;

	KUNIT_STATIC_STUB_REDIRECT(iommu_debug_attach_first, op, what);

	spin_lock_irqsave(&debug_lock, flags);
	for (i = 0; i < ARRAY_SIZE(seen); i++) {
		if (seen[i].op && seen[i].op != op)
			continue;
		seen[i].op = op;
		first = !__test_and_set_bit(what, &seen[i].what);
		break;
	}
	spin_unlock_irqrestore(&debug_lock, flags);
	return first;
}

static const char *domain_name(const struct iommu_domain *domain)
{
	switch (domain->type) {
	case IOMMU_DOMAIN_BLOCKED:
		return "blocking";
	case IOMMU_DOMAIN_IDENTITY:
		return "identity";
	case IOMMU_DOMAIN_UNMANAGED:
		return "unmanaged";
	case IOMMU_DOMAIN_DMA:
	case IOMMU_DOMAIN_DMA_FQ:
		return "DMA";
	case IOMMU_DOMAIN_SVA:
		return "SVA";
	case IOMMU_DOMAIN_PLATFORM:
		return "platform";
	case IOMMU_DOMAIN_NESTED:
		return "nested";
	}
	return "unknown";
}

void iommu_debug_attach_print(const void *op, struct iommu_domain *domain,
			      struct device *dev, int ret, const char *why)
{
	KUNIT_STATIC_STUB_REDIRECT(iommu_debug_attach_print, op, domain, dev,
				   ret, why);

	dev_warn(dev, "%ps() returned %d for the %s domain %p: %s\n", op, ret,
		 domain_name(domain), domain, why);
}

static void warn(enum iommu_debug_attach_what what, const void *op,
		 struct iommu_domain *domain, struct device *dev, int ret,
		 const char *why)
{
	if (iommu_debug_attach_first(op, what))
		iommu_debug_attach_print(op, domain, dev, ret, why);
}

static void look(struct iommu_debug_attach *at, struct device *dev)
{
	struct pci_dev *pdev = dev_is_pci(dev) ? to_pci_dev(dev) : NULL;

	at->ats = pdev && pdev->ats_enabled;
	at->pri = pdev && pdev->pri_enabled;
	at->pasid = pdev && pdev->pasid_enabled;
	at->iopf = rcu_access_pointer(dev->iommu->fault_param);
}

void iommu_debug_attach_begin(struct iommu_debug_attach *was, struct device *dev)
{
	look(was, dev);
	was->start = ktime_get();
}

/* Has no device been attached to it, and is it for this one? */
static bool is_fresh(struct iommu_domain *domain, struct device *dev)
{
	unsigned long flags;
	bool found = false;
	struct fresh *f;

	spin_lock_irqsave(&debug_lock, flags);
	list_for_each_entry(f, &fresh_domains, list)
		found |= f->domain == domain && (!f->dev || f->dev == dev);
	spin_unlock_irqrestore(&debug_lock, flags);
	return found;
}

static void check_errno(const void *op, struct iommu_domain *domain,
			struct device *dev, int ret)
{
	if (ret > 0)
		warn(IOMMU_DEBUG_ATTACH_POSITIVE, op, domain, dev, ret,
		     "not an errno");
	else if (ret != -EINVAL && ret != -ENOMEM && ret != -ENOSPC &&
		 ret != -EBUSY && ret != -ENODEV)
		warn(IOMMU_DEBUG_ATTACH_ERRNO, op, domain, dev, ret,
		     "not an errno of struct iommu_domain_ops");

	if (domain->type == IOMMU_DOMAIN_BLOCKED)
		iommu_debug_attach_must(op, domain, dev, ret);
	/* One that reports page faults is made for a device, and then changed */
	else if (ret == -EINVAL && op == domain->ops->attach_dev &&
		 !domain->iopf_handler && is_fresh(domain, dev))
		warn(IOMMU_DEBUG_ATTACH_FRESH, op, domain, dev, ret,
		     "newly allocated for this device");
}

static void check_state(const struct iommu_debug_attach *was, const void *op,
			struct iommu_domain *domain, struct device *dev, int ret)
{
	struct iommu_debug_attach is;

	look(&is, dev);
	if (is.ats != was->ats)
		warn(IOMMU_DEBUG_ATTACH_ATS, op, domain, dev, ret,
		     is.ats ? "ATS was left enabled" : "ATS was left disabled");
	if (is.pri != was->pri)
		warn(IOMMU_DEBUG_ATTACH_PRI, op, domain, dev, ret,
		     is.pri ? "PRI was left enabled" : "PRI was left disabled");
	if (is.pasid != was->pasid)
		warn(IOMMU_DEBUG_ATTACH_PASID, op, domain, dev, ret,
		     is.pasid ? "PASID was left enabled" :
				"PASID was left disabled");
	if (is.iopf != was->iopf)
		warn(IOMMU_DEBUG_ATTACH_IOPF, op, domain, dev, ret,
		     is.iopf ? "the device was left in a page request queue" :
			       "the device was taken off its page request queue");
}

void iommu_debug_attach_end(const struct iommu_debug_attach *was, const void *op,
			    struct iommu_domain *domain, struct device *dev,
			    int ret)
{
	s64 ms = ktime_ms_delta(ktime_get(), was->start);
	char why[64];

	if (ms >= SLOW_MS) {
		snprintf(why, sizeof(why), "%lld ms under group->mutex", ms);
		warn(IOMMU_DEBUG_ATTACH_SLOW, op, domain, dev, ret, why);
	}
	if (ret) {
		check_errno(op, domain, dev, ret);
		check_state(was, op, domain, dev, ret);
	} else {
		iommu_debug_attach_free(domain);
	}
}

void iommu_debug_attach_must(const void *op, struct iommu_domain *domain,
			     struct device *dev, int ret)
{
	warn(IOMMU_DEBUG_ATTACH_MUST, op, domain, dev, ret,
	     "one that must always attach");
}

static void forget(const struct iommu_domain *domain, const struct device *dev)
{
	struct fresh *f, *next;
	unsigned long flags;
	LIST_HEAD(old);

	spin_lock_irqsave(&debug_lock, flags);
	list_for_each_entry_safe(f, next, &fresh_domains, list)
		if (f->domain == domain || (dev && f->dev == dev))
			list_move(&f->list, &old);
	spin_unlock_irqrestore(&debug_lock, flags);
	list_for_each_entry_safe(f, next, &old, list)
		kfree(f);
}

void iommu_debug_attach_alloc(struct iommu_domain *domain, struct device *dev)
{
	struct fresh *f = kmalloc(sizeof(*f), GFP_KERNEL | __GFP_NOWARN);
	unsigned long flags;

	forget(domain, NULL);
	if (!f)
		return;
	f->domain = domain;
	f->dev = dev;
	spin_lock_irqsave(&debug_lock, flags);
	list_add(&f->list, &fresh_domains);
	spin_unlock_irqrestore(&debug_lock, flags);
}

/* Also called when it is not fresh any more */
void iommu_debug_attach_free(struct iommu_domain *domain)
{
	forget(domain, NULL);
}

/* Another device may get the same address */
void iommu_debug_attach_release(struct device *dev)
{
	forget(NULL, dev);
}
