/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CONFIG_IOMMU_DEBUG_ATTACH: hold drivers to struct iommu_domain_ops
 */
#ifndef __IOMMU_DEBUG_ATTACH_H
#define __IOMMU_DEBUG_ATTACH_H

#include <linux/ktime.h>
#include <linux/types.h>

struct device;
struct iommu_domain;

#ifdef CONFIG_IOMMU_DEBUG_ATTACH

/* What the core can see of a device, before a driver is called */
struct iommu_debug_attach {
	ktime_t start;
	bool ats, pri, pasid, iopf;
};

enum iommu_debug_attach_what {
	IOMMU_DEBUG_ATTACH_ERRNO,
	IOMMU_DEBUG_ATTACH_POSITIVE,
	IOMMU_DEBUG_ATTACH_FRESH,
	IOMMU_DEBUG_ATTACH_MUST,
	IOMMU_DEBUG_ATTACH_ATS,
	IOMMU_DEBUG_ATTACH_PRI,
	IOMMU_DEBUG_ATTACH_PASID,
	IOMMU_DEBUG_ATTACH_IOPF,
	IOMMU_DEBUG_ATTACH_SLOW,
};

/* Around each call of a driver's attach_dev or set_dev_pasid, which op is */
void iommu_debug_attach_begin(struct iommu_debug_attach *was, struct device *dev);
void iommu_debug_attach_end(const struct iommu_debug_attach *was, const void *op,
			    struct iommu_domain *domain, struct device *dev,
			    int ret);

/* It failed, and the caller knows that this domain was good before */
void iommu_debug_attach_must(const void *op, struct iommu_domain *domain,
			     struct device *dev, int ret);

/* A paging domain comes and goes. dev: for which; NULL: for any that tries */
void iommu_debug_attach_alloc(struct iommu_domain *domain, struct device *dev);
void iommu_debug_attach_free(struct iommu_domain *domain);
void iommu_debug_attach_release(struct device *dev);

/* For KUnit to take the place of */
bool iommu_debug_attach_first(const void *op, enum iommu_debug_attach_what what);
void iommu_debug_attach_print(const void *op, struct iommu_domain *domain,
			      struct device *dev, int ret, const char *why);

#else

struct iommu_debug_attach {
};

static inline void iommu_debug_attach_begin(struct iommu_debug_attach *was,
					    struct device *dev)
{
}

static inline void iommu_debug_attach_end(const struct iommu_debug_attach *was,
					  const void *op,
					  struct iommu_domain *domain,
					  struct device *dev, int ret)
{
}

static inline void iommu_debug_attach_must(const void *op,
					   struct iommu_domain *domain,
					   struct device *dev, int ret)
{
}

static inline void iommu_debug_attach_alloc(struct iommu_domain *domain,
					    struct device *dev)
{
}

static inline void iommu_debug_attach_free(struct iommu_domain *domain)
{
}

static inline void iommu_debug_attach_release(struct device *dev)
{
}

#endif /* CONFIG_IOMMU_DEBUG_ATTACH */

#endif /* __IOMMU_DEBUG_ATTACH_H */
