/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KUnit for the attach_dev of one driver
 *
 * A test includes, in this order, the headers that the driver includes, this
 * one, and the driver's source. The calls that the driver makes then come
 * here first, so that a case can make any of them fail and see what was taken
 * and not given back. What works without the hardware stays real.
 *
 * The driver itself must not be built in besides (or the test be a module),
 * since both have its global symbols.
 */
#ifndef __IOMMU_ATTACH_TEST_H
#define __IOMMU_ATTACH_TEST_H

#include <kunit/test.h>
#include <linux/clk.h>
#include <linux/dma-mapping.h>
#include <linux/dmapool.h>
#include <linux/idr.h>
#include <linux/init.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/io-pgtable.h>
#include <linux/iommu.h>
#include <linux/lockdep.h>
#include <linux/module.h>
#include <linux/of_platform.h>
#include <linux/platform_device.h>
#include <linux/pm_runtime.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>

#include "iommu-pages.h"

/* What a driver takes and must give back */
enum held { MEM, PAGES, DMA, PGTABLE, ID, CLK, PM, IRQ, NR_HELD };

static const char * const held_names[NR_HELD] = {
	"memory", "pages", "DMA mapping", "io-pgtable", "ID", "clock", "runtime PM", "IRQ",
};

/**
 * struct attach_case - one way out of an attach
 * @name: function and condition, as the errno table has them
 * @call: the call beneath the driver that fails, or NULL
 * @nth: which call of that name during the attach fails; 0 is the first, too
 * @ret: what it returns then: an errno, or 0 for NULL
 * @setup: brings the condition about where no call does, with @undo to take it
 *	back. @domain is the one whose attach is to fail
 * @undo: see @setup; may be NULL
 * @alloc: makes the domain whose attach is to fail, for another device than the
 *	one that is attached; NULL if it is made for that one
 * @first: the device is in no domain before
 * @keeps: the new domain keeps what it was given, until it is freed
 * @loses: the driver does not keep the old domain on this way out: only what
 *	attach_dev returns is looked at, and that another domain can be attached
 * @expect: what attach_dev is to return
 */
struct attach_case {
	const char *name;
	const char *call;
	int nth;
	long ret;
	void (*setup)(struct kunit *test, struct iommu_domain *domain);
	void (*undo)(struct kunit *test, struct iommu_domain *domain);
	struct iommu_domain *(*alloc)(struct kunit *test);
	bool first;
	bool keeps;
	bool loses;
	int expect;
};

/**
 * struct attach_driver - what a test tells of its driver
 * @dev: the device to attach, as the driver's probe_device and of_xlate leave it
 * @ops: the driver's
 * @seen: what the hardware translates @dev by, as a number that differs from
 *	domain to domain. To be read from (fake) registers and tables, not from
 *	what the driver remembers
 * @leave: takes @dev off @domain for good; NULL for the driver's blocked_domain
 */
struct attach_driver {
	struct device *dev;
	const struct iommu_ops *ops;
	u64 (*seen)(struct kunit *test);
	void (*leave)(struct kunit *test, struct iommu_domain *domain);
};

static struct {
	const char *call;
	int nth;
	long ret;
	bool hit;
	int held[NR_HELD];
	int prints;
	/* Runtime PM calls them at the first get and the last put, unless that get failed */
	int (*resume)(struct device *dev);
	int (*suspend)(struct device *dev);
	bool asleep;
} attach_test;

/* Whether this call of @call is the one to fail */
static bool __maybe_unused attach_test_fails(const char *call)
{
	if (!attach_test.call || strcmp(call, attach_test.call) || --attach_test.nth)
		return false;
	attach_test.hit = true;
	return true;
}

/* From now on, the @nth call of @call returns @ret; NULL for no failure */
static void attach_test_inject(const char *call, int nth, long ret)
{
	attach_test.hit = false;
	attach_test.nth = nth;
	attach_test.ret = ret;
	attach_test.call = call;
}

/* @expr, or what the case returns in its place */
#define FAIL_OR(call, expr)							\
	(attach_test_fails(call) ? (typeof(expr))attach_test.ret : (expr))
/* For what returns a pointer or an errno pointer; counted if there is one */
#define TAKE(what, call, expr) ({						\
	typeof(expr) __taken = FAIL_OR(call, expr);				\
	attach_test.held[what] += !IS_ERR_OR_NULL((const void *)__taken);	\
	__taken; })
/* For what returns an errno; counted if it does not */
#define TAKE_ERR(what, call, expr) ({						\
	int __err = FAIL_OR(call, expr);					\
	attach_test.held[what] += __err >= 0;					\
	__err; })
/* @p goes back, if it is anything */
#define GIVE(what, p) ({							\
	const void *__gone = (const void *)(p);					\
	attach_test.held[what] -= !IS_ERR_OR_NULL(__gone); })

static int __maybe_unused attach_test_pm_get(struct device *dev, const char *call, bool keep)
{
	int ret = 0;

	attach_test.held[PM]++;
	if (attach_test_fails(call))
		ret = attach_test.ret;
	else if (attach_test.held[PM] == 1 && attach_test.resume)
		ret = attach_test.resume(dev);
	if (attach_test.held[PM] == 1)
		attach_test.asleep = ret < 0;
	if (ret < 0 && !keep)
		attach_test.held[PM]--;
	return ret;
}

static int __maybe_unused attach_test_pm_put(struct device *dev)
{
	if (!--attach_test.held[PM] && attach_test.suspend && !attach_test.asleep)
		return attach_test.suspend(dev);
	return 0;
}

static void attach_test_same(struct kunit *test, const int *held, const char *when)
{
	int i;

	for (i = 0; i < NR_HELD; i++)
		KUNIT_EXPECT_EQ_MSG(test, attach_test.held[i], held[i], "%s %s",
				    held_names[i], when);
}

/* What the core adds to a domain that comes from one of the driver's functions */
static struct iommu_domain *attach_test_domain(struct kunit *test, struct attach_driver *drv,
					       unsigned int type, struct iommu_domain *domain)
{
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, domain);
	domain->type = type;
	domain->owner = drv->ops;
	if (!domain->ops)
		domain->ops = drv->ops->default_domain_ops;
	return domain;
}

/* A domain made for a device, of which @drv may have others than the one that is attached */
static struct iommu_domain *attach_test_alloc_for(struct kunit *test, struct attach_driver *drv,
						  struct device *dev)
{
	return attach_test_domain(test, drv, IOMMU_DOMAIN_UNMANAGED, drv->ops->domain_alloc_paging ?
				  drv->ops->domain_alloc_paging(dev) :
				  drv->ops->domain_alloc_paging_flags(dev, 0, NULL));
}

static struct iommu_domain *attach_test_alloc(struct kunit *test, struct attach_driver *drv)
{
	return attach_test_alloc_for(test, drv, drv->dev);
}

/**
 * attach_check() - one case, from the attach that fails to the one that works
 * @test: the running test
 * @drv: what is attached
 * @c: the case
 *
 * The device is in a domain, and its attach to another one fails. Holds the
 * driver to the contract: the errno, no message on a soft path, the device
 * where it was, nothing kept, no lock held; then a second try works (with a
 * fresh domain if that one does not fit), and with the domains goes all that
 * was taken for them. Nobody attaches the old domain again: the core does not.
 */
static void attach_check(struct kunit *test, struct attach_driver *drv,
			 const struct attach_case *c)
{
	struct iommu_domain *old, *domain, *fresh, *blocked = drv->ops->blocked_domain;
	int start[NR_HELD], held[NR_HELD], depth;
	struct device *dev = drv->dev;
	u64 seen;

	memcpy(start, attach_test.held, sizeof(start));
	old = attach_test_alloc(test, drv);
	domain = c->alloc ? c->alloc(test) : attach_test_alloc(test, drv);
	fresh = attach_test_alloc(test, drv);
	if (!c->first)
		KUNIT_ASSERT_EQ(test, old->ops->attach_dev(old, dev, blocked), 0);
	if (c->setup)
		c->setup(test, domain);

	seen = drv->seen(test);
	memcpy(held, attach_test.held, sizeof(held));
	depth = lockdep_depth(current);
	attach_test.prints = 0;
	attach_test_inject(c->call, c->nth ?: 1, c->ret);
	KUNIT_EXPECT_EQ(test, domain->ops->attach_dev(domain, dev, c->first ? blocked : old),
			c->expect);
	attach_test.call = NULL;

	KUNIT_EXPECT_TRUE_MSG(test, !c->call || attach_test.hit, "%s() was not called", c->call);
	KUNIT_EXPECT_EQ_MSG(test, lockdep_depth(current), depth, "a lock is held");
	if (c->expect == -EINVAL)
		KUNIT_EXPECT_EQ_MSG(test, attach_test.prints, 0, "messages on a soft path");
	if (c->expect && !c->loses)
		KUNIT_EXPECT_EQ_MSG(test, drv->seen(test), seen, "the device was moved");
	if (c->expect && !c->keeps && !c->loses)
		attach_test_same(test, held, "after the failed attach");
	if (!c->expect)
		KUNIT_EXPECT_NE_MSG(test, drv->seen(test), seen, "nothing was attached");

	if (c->undo)
		c->undo(test, domain);
	if (c->expect == -EINVAL || c->loses)
		swap(domain, fresh);
	if (c->expect)
		KUNIT_EXPECT_EQ_MSG(test, domain->ops->attach_dev(domain, dev,
								  c->first ? blocked : old),
				    0, "at the second try");
	KUNIT_EXPECT_NE_MSG(test, drv->seen(test), seen, "the second try attached nothing");

	if (drv->leave)
		drv->leave(test, domain);
	else
		KUNIT_EXPECT_EQ(test, blocked->ops->attach_dev(blocked, dev, domain), 0);
	fresh->ops->free(fresh);
	domain->ops->free(domain);
	old->ops->free(old);
	attach_test_same(test, start, "after all domains are freed");
}

/**
 * attach_test_device() - a device for a driver to attach, or for an IOMMU to be
 * @test: the running test
 * @name: what to call it
 *
 * Return: a platform device without driver that does DMA with 32 bits and has
 * room for what the core and the driver keep with a device. Goes at the end by
 * attach_test_remove().
 */
static struct device __maybe_unused *attach_test_device(struct kunit *test, const char *name)
{
	const struct platform_device_info info = {
		.name = name, .id = PLATFORM_DEVID_AUTO, .dma_mask = DMA_BIT_MASK(32),
	};
	struct platform_device *pdev = platform_device_register_full(&info);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev);
	pdev->dev.iommu = kzalloc_obj(*pdev->dev.iommu);
	KUNIT_ASSERT_NOT_NULL(test, pdev->dev.iommu);
	mutex_init(&pdev->dev.iommu->lock);
	return &pdev->dev;
}

static void __maybe_unused attach_test_remove(struct device *dev)
{
	kfree(dev->iommu);
	dev->iommu = NULL;
	platform_device_unregister(to_platform_device(dev));
}

static void __maybe_unused attach_case_desc(const struct attach_case *c, char *desc)
{
	strscpy(desc, c->name, KUNIT_PARAM_DESC_SIZE);
}

/* Nothing probes by itself. */
#undef MODULE_DEVICE_TABLE
#undef builtin_platform_driver
#undef builtin_platform_driver_probe
#undef module_platform_driver
#undef arch_initcall
#undef core_initcall
#undef device_initcall
#undef module_init
#undef subsys_initcall
#define MODULE_DEVICE_TABLE(type, name)
#define ATTACH_TEST_UNUSED(sym) \
	static const void * const __maybe_unused __UNIQUE_ID(unused) = &(sym)
#define builtin_platform_driver(drv)		ATTACH_TEST_UNUSED(drv)
#define builtin_platform_driver_probe(drv, fn)					\
	static __maybe_unused const void * const __UNIQUE_ID(unused)[] = { &(drv), &(fn) }
#define module_platform_driver(drv)		ATTACH_TEST_UNUSED(drv)
#define arch_initcall(fn)			ATTACH_TEST_UNUSED(fn)
#define core_initcall(fn)			ATTACH_TEST_UNUSED(fn)
#define device_initcall(fn)			ATTACH_TEST_UNUSED(fn)
#define module_init(fn)				ATTACH_TEST_UNUSED(fn)
#define subsys_initcall(fn)			ATTACH_TEST_UNUSED(fn)

/* What a soft path must not do */
#define ATTACH_TEST_PRINTS(print, ...) do {					\
	attach_test.prints++;							\
	print(__VA_ARGS__);							\
} while (0)
#undef dev_err
#undef dev_err_ratelimited
#undef dev_warn
#undef dev_warn_ratelimited
#undef pr_err
#undef pr_warn
#define dev_err(...)			ATTACH_TEST_PRINTS(_dev_err, __VA_ARGS__)
#define dev_err_ratelimited(...)	ATTACH_TEST_PRINTS(_dev_err, __VA_ARGS__)
#define dev_warn(...)			ATTACH_TEST_PRINTS(_dev_warn, __VA_ARGS__)
#define dev_warn_ratelimited(...)	ATTACH_TEST_PRINTS(_dev_warn, __VA_ARGS__)
#define pr_err(...)			ATTACH_TEST_PRINTS(pr_info, __VA_ARGS__)
#define pr_warn(...)			ATTACH_TEST_PRINTS(pr_info, __VA_ARGS__)

/* The core wants it to be called under a lock of its own. */
#define dev_iommu_priv_set(dev, p)	((dev)->iommu->priv = (p))

/* Memory: the case names the call as the driver does. */
#undef kmalloc
#undef kzalloc
#undef kcalloc
#undef kfree
#undef get_zeroed_page
#undef __get_free_pages
#undef kmem_cache_zalloc
#undef kmem_cache_alloc
#define kmalloc(...)		TAKE(MEM, "kmalloc", kmalloc_noprof(__VA_ARGS__))
#define kzalloc(...)		TAKE(MEM, "kzalloc", kzalloc_noprof(__VA_ARGS__))
#define kcalloc(n, size, gfp) \
	TAKE(MEM, "kcalloc", kmalloc_array_noprof(n, size, (gfp) | __GFP_ZERO))
#define kmem_cache_alloc(...)	TAKE(MEM, "kmem_cache_alloc", kmem_cache_alloc_noprof(__VA_ARGS__))
#define kmem_cache_zalloc(c, gfp) \
	TAKE(MEM, "kmem_cache_zalloc", kmem_cache_alloc_noprof(c, (gfp) | __GFP_ZERO))
#define kfree(p)		({ const void *__p = (p); GIVE(MEM, __p); kfree(__p); })
#define kmem_cache_free(c, p)	({ void *__p = (p); GIVE(MEM, __p); kmem_cache_free(c, __p); })
#define __get_free_pages(...)	TAKE(PAGES, "__get_free_pages", get_free_pages_noprof(__VA_ARGS__))
#define get_zeroed_page(...)	TAKE(PAGES, "get_zeroed_page", get_zeroed_page_noprof(__VA_ARGS__))
#define free_pages(p, order) ({							\
	unsigned long __p = (p);						\
	GIVE(PAGES, __p);							\
	free_pages(__p, order); })
#undef free_page
#define free_page(p)		free_pages(p, 0)
#define iommu_alloc_pages_node_sz(...) \
	TAKE(PAGES, "iommu_alloc_pages_node_sz", iommu_alloc_pages_node_sz(__VA_ARGS__))
#define iommu_alloc_pages_sz(...) \
	TAKE(PAGES, "iommu_alloc_pages_sz", iommu_alloc_pages_sz(__VA_ARGS__))
#define iommu_free_pages(p) ({							\
	void *__p = (p);							\
	GIVE(PAGES, __p);							\
	iommu_free_pages(__p); })
#undef dma_map_single
#undef dma_unmap_single
#define dma_map_single(dev, p, size, dir) ({					\
	dma_addr_t __dma = FAIL_OR("dma_map_single",				\
				   dma_map_single_attrs(dev, p, size, dir, 0));	\
	attach_test.held[DMA] += __dma != DMA_MAPPING_ERROR;			\
	__dma; })
#define dma_unmap_single(dev, p, size, dir) ({					\
	attach_test.held[DMA]--;						\
	dma_unmap_single_attrs(dev, p, size, dir, 0); })
#define dma_mapping_error(dev, p) ({						\
	dma_addr_t __dma = (p);							\
	__dma == DMA_MAPPING_ERROR ? -ENOMEM : dma_mapping_error(dev, __dma); })
#define dma_alloc_coherent(...)	TAKE(DMA, "dma_alloc_coherent", dma_alloc_coherent(__VA_ARGS__))
#define dma_free_coherent(dev, size, p, dma) ({					\
	void *__p = (p);							\
	GIVE(DMA, __p);								\
	dma_free_coherent(dev, size, __p, dma); })
#define dma_pool_alloc(...)	TAKE(DMA, "dma_pool_alloc", dma_pool_alloc(__VA_ARGS__))
#define dma_pool_free(pool, p, dma) ({						\
	void *__p = (p);							\
	GIVE(DMA, __p);								\
	dma_pool_free(pool, __p, dma); })
#define alloc_io_pgtable_ops(...) \
	TAKE(PGTABLE, "alloc_io_pgtable_ops", alloc_io_pgtable_ops(__VA_ARGS__))
#define free_io_pgtable_ops(p) ({						\
	struct io_pgtable_ops *__p = (p);					\
	GIVE(PGTABLE, __p);							\
	free_io_pgtable_ops(__p); })
#undef ida_alloc_range
#define ida_alloc_range(...)	TAKE_ERR(ID, "ida_alloc_range", ida_alloc_range(__VA_ARGS__))
#define ida_free(...)		({ attach_test.held[ID]--; ida_free(__VA_ARGS__); })

/* What needs hardware: a success, unless the case says otherwise. */
#define clk_prepare_enable(c)	TAKE_ERR(CLK, "clk_prepare_enable", ((void)(c), 0))
#define clk_disable_unprepare(c) ({ (void)(c); attach_test.held[CLK]--; })
#define clk_enable(c)		TAKE_ERR(CLK, "clk_enable", ((void)(c), 0))
#define clk_disable(c)		({ (void)(c); attach_test.held[CLK]--; })
#define clk_bulk_enable(n, c)	TAKE_ERR(CLK, "clk_bulk_enable", ((void)(n), (void)(c), 0))
#define clk_bulk_disable(n, c)	({ (void)(n); (void)(c); attach_test.held[CLK]--; })
#define pm_runtime_enabled(...)	true
#define pm_runtime_active(...)	(attach_test.held[PM] > 0)
#define pm_runtime_get_sync(d)	attach_test_pm_get(d, "pm_runtime_get_sync", true)
#define pm_runtime_resume_and_get(d) \
	attach_test_pm_get(d, "pm_runtime_resume_and_get", false)
#define pm_runtime_get_if_in_use(...) \
	FAIL_OR("pm_runtime_get_if_in_use", attach_test.held[PM] ? (attach_test.held[PM]++, 1) : 0)
#define pm_runtime_put(d)		attach_test_pm_put(d)
#define pm_runtime_put_sync(d)		attach_test_pm_put(d)
#define pm_runtime_put_autosuspend(d)	attach_test_pm_put(d)
#define pm_runtime_put_noidle(d)	({ (void)(d); attach_test.held[PM]--; })
#define request_irq(irq, fn, ...)	TAKE_ERR(IRQ, "request_irq", ((void)(irq), (void)(fn), 0))
#define devm_request_irq(dev, irq, fn, ...) \
	TAKE_ERR(IRQ, "devm_request_irq", ((void)(dev), (void)(irq), (void)(fn), 0))
#define free_irq(irq, p)	({ attach_test.held[IRQ]--; (void)(irq); (const void *)(p); })
#define devm_free_irq(d, irq, p) ({ attach_test.held[IRQ]--; (void)(d); (void)(irq); (void)(p); })

#endif
