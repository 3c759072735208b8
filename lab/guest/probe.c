// SPDX-License-Identifier: GPL-2.0
/*
 * Watches VFIO and the IOMMU core attach groups to domains: counts the calls,
 * tells domains apart, and makes attaching to one chosen domain fail.
 *
 * Everything goes through /sys/module/probe/parameters:
 *
 * domain_alloc, domain_free, attach_group, attach_dev, detach_group
 *	calls so far, of VFIO and of iommufd; a blocking domain that a driver has
 *	does not come through them, so domain_alloc counts a caller's own domains
 * last
 *	id of the domain of the last attach of a device that succeeded; 0 if it is
 *	the core's own, a default or blocking domain of the same kind; no id is
 *	given twice
 * target, error
 *	attaching a device to the domain with the id in target fails with the
 *	(positive) errno in error, and the driver is not called; target 0: none
 * device
 *	the same for every domain that iommu_attach_group() is asked for, if it
 *	is the device with this PCI address; what is not an address: none
 * exhausted
 *	if not 0, allocating a domain fails, as it does without memory
 * injected
 *	how often that happened
 * refuse, refused
 *	write FUNCTION,N,VALUE, and the Nth call of that function returns VALUE
 *	and does nothing, once; refused says how often that happened
 * missed
 *	attaches that were not seen; if not 0, last cannot be trusted
 * foreign
 *	write a PCI address (0000:00:03.0), and the group of that device is
 *	attached to a domain that another driver could have made; read what
 *	iommu_attach_group() returned, and if that driver's attach_dev was called
 *
 * HAVE_*: what this kernel's headers have, see Makefile.
 */
#include <linux/iommu.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>

static unsigned int last, target, error, exhausted, refused;
static atomic_t ids, injected;
static char device[32];

static void *argument(struct pt_regs *regs, unsigned int n)
{
#ifdef CONFIG_S390
	/* What regs_get_kernel_argument() calls is not exported there */
	return (void *)regs->gprs[2 + n];
#else
	return (void *)regs_get_kernel_argument(regs, n);
#endif
}

static struct kretprobe attach_ret;
static bool inside;			/* the driver's attach_dev */

#ifdef HAVE_iommu_paging_domain_alloc_flags
#define ALLOC		"iommu_paging_domain_alloc_flags"
#define NO_DOMAIN	(-ENOMEM)
#else
#define ALLOC		"iommu_domain_alloc"
#define NO_DOMAIN	0
#endif

#ifdef HAVE_cookie_type
/* A domain of this kernel has no room of its own for a number. */
static struct {
	const struct iommu_domain *domain;
	unsigned int id;
} known[64];
static unsigned int used;
static DEFINE_RAW_SPINLOCK(known_lock);

static unsigned int id_of(const struct iommu_domain *domain)
{
	unsigned int i, n = smp_load_acquire(&used);

	for (i = 0; i < n; i++)
		if (READ_ONCE(known[i].domain) == domain)
			return known[i].id;
	return 0;
}

/* @id 0: the domain goes */
static void set_id(const struct iommu_domain *domain, unsigned int id)
{
	const struct iommu_domain *from = id ? NULL : domain;
	unsigned long flags;
	unsigned int i;

	raw_spin_lock_irqsave(&known_lock, flags);
	for (i = 0; i < used && known[i].domain != from; i++)
		;
	if (id && i == ARRAY_SIZE(known)) {
		attach_ret.nmissed++;
	} else if (id || i < used) {
		known[i].id = id;
		smp_store_release(&known[i].domain, id ? domain : NULL);
		if (i == used)
			smp_store_release(&used, i + 1);
	}
	raw_spin_unlock_irqrestore(&known_lock, flags);
}
#else
/*
 * In the domain itself, so that it goes with it: one that iommu_attach_group() is
 * asked for has no fault handler, whose argument this is.
 */
static unsigned int id_of(struct iommu_domain *domain)
{
	return (unsigned long)domain->handler_token;
}

static void set_id(struct iommu_domain *domain, unsigned int id)
{
	if (id)
		domain->handler_token = (void *)(unsigned long)id;
}
#endif

/* Leave a function at its first instruction. */
static void return_now(struct pt_regs *regs, long ret)
{
	regs_set_return_value(regs, ret);
#ifdef CONFIG_X86_64
	/* The return address is on top of the stack */
	instruction_pointer_set(regs, *(unsigned long *)regs->sp);
	regs->sp += sizeof(unsigned long);
#elif defined(CONFIG_ARM64)
	instruction_pointer_set(regs, regs->regs[30]);
#elif defined(CONFIG_RISCV)
	instruction_pointer_set(regs, regs->ra);
#elif defined(CONFIG_S390)
	instruction_pointer_set(regs, regs->gprs[14]);
#else
#error "say here where this architecture keeps the return address"
#endif
}

/* A parameter counts the calls of all functions that are counted by its name. */
struct counter {
	struct kprobe kp;
	atomic_t calls;
	const char *name;
	void *function;			/* if it has no symbol */
};

static struct counter counters[16];
static unsigned int ncounters;

static int count(struct kprobe *kp, struct pt_regs *regs)
{
	atomic_inc(&container_of(kp, struct counter, kp)->calls);
	return 0;
}

static int count_alloc(struct kprobe *kp, struct pt_regs *regs)
{
	bool inject = READ_ONCE(exhausted);

	count(kp, regs);
	if (inject)
		return_now(regs, NO_DOMAIN);
	return inject;
}

static int count_free(struct kprobe *kp, struct pt_regs *regs)
{
	set_id(argument(regs, 0), 0);
	return count(kp, regs);
}

static int attach_group_to(struct iommu_domain *domain, struct kprobe *kp, struct pt_regs *regs)
{
	if (!id_of(domain))
		set_id(domain, atomic_inc_return(&ids));
	return count(kp, regs);
}

static int count_attach_group(struct kprobe *kp, struct pt_regs *regs)
{
	return attach_group_to(argument(regs, 0), kp, regs);
}

/* A driver may block a device by its own blocking domain, which is no call of the core */
static int __maybe_unused count_core(struct kprobe *kp, struct pt_regs *regs)
{
	return inside ? 0 : count(kp, regs);
}

static int count_attach(struct kprobe *kp, struct pt_regs *regs)
{
	unsigned int id = id_of(argument(regs, 0));
	struct device *dev = argument(regs, 1);
	bool inject = id && (id == target || sysfs_streq(dev_name(dev), device));

	count(kp, regs);
	if (inject) {
		atomic_inc(&injected);
		return_now(regs, -(long)error);
	}
	return inject;
}

/*
 * A probe with a post_handler is never turned into a jump. An optimised probe
 * would ignore that return_now() moved the instruction pointer.
 */
static void not_optimised(struct kprobe *kp, struct pt_regs *regs, unsigned long flags)
{
}

static int attach_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	*(unsigned int *)ri->data = id_of(argument(regs, 0));
	inside = true;
	return 0;
}

static int attach_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	inside = false;
	if (!regs_return_value(regs))
		last = *(unsigned int *)ri->data;
	return 0;
}

/* What iommufd calls: there the domain is the second argument. */
static int __maybe_unused count_replace(struct kprobe *kp, struct pt_regs *regs)
{
	return attach_group_to(argument(regs, 1), kp, regs);
}

static struct kretprobe attach_ret = {
	.entry_handler = attach_entry,
	.handler = attach_return,
	.data_size = sizeof(unsigned int),
};

/* A call beneath the driver, of which one does nothing but return this */
static char refuse_name[64];
static long refuse_value;
static int refuse_nth;

static int refuse_call(struct kprobe *kp, struct pt_regs *regs)
{
	if (!refuse_nth || --refuse_nth)
		return 0;
	refused++;
	return_now(regs, refuse_value);
	return 1;
}

static struct kprobe refuse = { .pre_handler = refuse_call, .post_handler = not_optimised };

static int refuse_set(const char *val, const struct kernel_param *kp)
{
	/* Once is enough: what is refused is refused at the end */
	if (refuse.symbol_name)
		return -EBUSY;
	if (sscanf(val, "%63[^,],%d,%ld", refuse_name, &refuse_nth, &refuse_value) != 3)
		return -EINVAL;
	refuse.symbol_name = refuse_name;
	return register_kprobe(&refuse);
}

static const struct kernel_param_ops refuse_param = { .set = refuse_set };

/* Stands for another driver: it must never see a device that is not its own */
static bool foreign_called;
static int foreign_ret;

#ifdef HAVE_detach_dev
static int foreign_attach_dev(struct iommu_domain *domain, struct device *dev)
#else
static int foreign_attach_dev(struct iommu_domain *domain, struct device *dev,
			      struct iommu_domain *old)
#endif
{
	foreign_called = true;
	return 0;
}

#ifdef HAVE_detach_dev
/* What the core calls instead of attaching a default domain where there is none */
static void foreign_detach_dev(struct iommu_domain *domain, struct device *dev)
{
}
#endif

static const struct iommu_domain_ops foreign_ops = {
	.attach_dev = foreign_attach_dev,
#ifdef HAVE_detach_dev
	.detach_dev = foreign_detach_dev,
#endif
};

static int foreign_set(const char *val, const struct kernel_param *kp)
{
	static struct iommu_domain domain = {
		.type = IOMMU_DOMAIN_UNMANAGED, .ops = &foreign_ops,
	};
	struct iommu_group *group;
	struct device *dev;
	char name[32];

	strscpy(name, val, sizeof(name));
	dev = bus_find_device_by_name(&pci_bus_type, NULL, strim(name));
	group = dev ? iommu_group_get(dev) : NULL;
	put_device(dev);
	if (!group)
		return -ENODEV;

	foreign_called = false;
	foreign_ret = iommu_attach_group(&domain, group);
	if (!foreign_ret)
		iommu_detach_group(&domain, group);
	iommu_group_put(group);
	return 0;
}

static int foreign_get(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%d %d\n", foreign_ret, foreign_called);
}

static const struct kernel_param_ops foreign_param = {
	.set = foreign_set, .get = foreign_get,
};

static int calls_get(char *buf, const struct kernel_param *kp)
{
	unsigned int i;
	int calls = 0;

	for (i = 0; i < ncounters; i++)
		if (!strcmp(counters[i].name, kp->name))
			calls += atomic_read(&counters[i].calls);
	return sysfs_emit(buf, "%d\n", calls);
}

static const struct kernel_param_ops calls_param = { .get = calls_get };

module_param_cb(domain_alloc, &calls_param, NULL, 0444);
module_param_cb(domain_free, &calls_param, NULL, 0444);
module_param_cb(attach_group, &calls_param, NULL, 0444);
module_param_cb(attach_dev, &calls_param, NULL, 0444);
module_param_cb(detach_group, &calls_param, NULL, 0444);
module_param_named(missed, attach_ret.nmissed, int, 0444);
module_param(last, uint, 0444);
module_param(target, uint, 0644);
module_param(error, uint, 0644);
module_param(exhausted, uint, 0644);
module_param_string(device, device, sizeof(device), 0644);
module_param_named(injected, injected.counter, int, 0444);
module_param_cb(foreign, &foreign_param, NULL, 0644);
module_param_cb(refuse, &refuse_param, NULL, 0200);
module_param(refused, uint, 0444);

/* Count the calls of a function, by its symbol or address; one that is not there is an error. */
static int watch(const char *name, const char *symbol, void *addr, kprobe_pre_handler_t handler)
{
	struct counter *c = &counters[ncounters];
	unsigned int i;
	int ret;

	for (i = 0; addr && i < ncounters; i++)
		if (counters[i].function == addr)
			return 0;
	if (ncounters == ARRAY_SIZE(counters))
		return -ENOSPC;
	c->name = name;
	c->function = addr;
	c->kp.symbol_name = symbol;
	c->kp.addr = addr;
	c->kp.pre_handler = handler;
	if (handler == count_alloc || handler == count_attach)
		c->kp.post_handler = not_optimised;
	ret = register_kprobe(&c->kp);
	if (!ret)
		ncounters++;
	return ret;
}

/*
 * The compiler is free to inline all of the core between iommu_attach_group()
 * and the driver's attach_dev, and does. The driver's function it cannot, and
 * a domain knows its address whatever the driver is called.
 */
static int watch_attach(const struct iommu_domain *domain, kprobe_pre_handler_t handler)
{
	return domain ? watch("attach_dev", NULL, domain->ops->attach_dev, handler) : 0;
}

#ifdef HAVE_iommu_paging_domain_alloc_flags
static int new_domain_for(struct device *dev, void *domain)
{
	struct iommu_domain *new = iommu_paging_domain_alloc(dev);

	if (IS_ERR(new))
		return 0;
	*(struct iommu_domain **)domain = new;
	return 1;
}

/*
 * A domain as VFIO makes them, for the first device that is behind an IOMMU; behind
 * a simulated one they are platform devices.
 */
static struct iommu_domain *new_domain(void)
{
	struct iommu_domain *domain = NULL;

	if (!bus_for_each_dev(&pci_bus_type, NULL, &domain, new_domain_for))
		bus_for_each_dev(&platform_bus_type, NULL, &domain, new_domain_for);
	return domain;
}

/* Domains that a driver has, of which none is allocated, and what iommufd calls */
static int watch_more(const struct iommu_domain *domain)
{
	const struct iommu_ops *ops = domain->owner;
	int ret = watch_attach(ops->blocked_domain, count_core) ?:
		  watch_attach(ops->identity_domain, count_core) ?:
		  watch_attach(ops->release_domain, count_core) ?:
		  watch_attach(ops->default_domain, count_core);

	if (ret || !IS_ENABLED(CONFIG_IOMMUFD))
		return ret;
	/* It asks the driver itself for a domain if that takes flags, and else the core. */
	if (ops->domain_alloc_paging_flags)
		ret = watch("domain_alloc", "iommufd_hwpt_paging_alloc", NULL, count_alloc);
	return ret ?:
	       watch("attach_group", "iommu_attach_group_handle", NULL, count_attach_group) ?:
	       watch("attach_group", "iommu_replace_group_handle", NULL, count_replace) ?:
	       watch("detach_group", "iommu_detach_group_handle", NULL, count);
}
#else
static struct iommu_domain *new_domain(void)
{
	return iommu_domain_alloc(&pci_bus_type);
}

static int watch_more(const struct iommu_domain *domain)
{
	return 0;
}
#endif

static void stop(void)
{
	while (ncounters)
		unregister_kprobe(&counters[--ncounters].kp);
	unregister_kretprobe(&attach_ret);
	if (refuse.addr)
		unregister_kprobe(&refuse);
}

static int __init probe_init(void)
{
	struct iommu_domain *domain = new_domain(), copy;
	int ret;

	if (!domain)
		return -ENODEV;
	copy = *domain;
	iommu_domain_free(domain);

	attach_ret.kp.addr = (void *)copy.ops->attach_dev;
	ret = register_kretprobe(&attach_ret);
	if (ret)
		return ret;

	ret = watch("domain_alloc", ALLOC, NULL, count_alloc) ?:
	      watch("domain_free", "iommu_domain_free", NULL, count_free) ?:
	      watch("attach_group", "iommu_attach_group", NULL, count_attach_group) ?:
	      watch("detach_group", "iommu_detach_group", NULL, count) ?:
	      watch_attach(&copy, count_attach) ?: watch_more(&copy);
	if (ret)
		stop();
	return ret;
}

module_init(probe_init);
module_exit(stop);
MODULE_DESCRIPTION("Counts and fails attaches of devices to IOMMU domains");
MODULE_LICENSE("GPL");
