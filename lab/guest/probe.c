// SPDX-License-Identifier: GPL-2.0
/*
 * Watches VFIO and the IOMMU core attach groups to domains: counts the calls,
 * tells domains apart, and makes attaching to one chosen domain fail.
 *
 * Everything goes through /sys/module/probe/parameters:
 *
 * domain_alloc, domain_free, attach_group, attach_dev, detach_group
 *	calls so far; a blocking domain does not come through
 *	iommu_domain_alloc(), so domain_alloc counts a caller's own domains
 * last
 *	id of the domain of the last attach of a device that succeeded; a domain
 *	has one id until it is freed, and no id is given twice
 * target, error
 *	attaching a device to the domain with the id in target fails with the
 *	(positive) errno in error, and the driver is not called; target 0: none
 * device
 *	the same for every domain that iommu_attach_group() is asked for, if it
 *	is the device with this PCI address; what is not an address: none
 * exhausted
 *	if not 0, iommu_domain_alloc() returns NULL, as it does without memory
 * injected
 *	how often that happened
 * missed
 *	attaches that were not seen; if not 0, last cannot be trusted
 * foreign
 *	write a PCI address (0000:00:03.0), and the group of that device is
 *	attached to a domain that another driver could have made; read what
 *	iommu_attach_group() returned, and if that driver's attach_dev was called
 */
#include <linux/iommu.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/spinlock.h>

/* Default, blocking and caller's domains that are alive at one time */
#define MAX_DOMAINS	256

static struct {
	const void *domain;
	unsigned int id;
} seen[MAX_DOMAINS];

static unsigned int ids, last, target, error, exhausted;
static unsigned long injected;
static char device[32];
/* Never a blocking domain: those the core attaches by itself */
static const void *asked;
static DEFINE_SPINLOCK(lock);

/* The entry of @domain, or a free one if @domain is NULL */
static int find(const void *domain)
{
	int i;

	for (i = 0; i < MAX_DOMAINS; i++)
		if (seen[i].domain == domain)
			return i;
	return -1;
}

static void *argument(struct pt_regs *regs, unsigned int n)
{
#ifdef CONFIG_S390
	/* What regs_get_kernel_argument() calls is not exported there */
	return (void *)regs->gprs[2 + n];
#else
	return (void *)regs_get_kernel_argument(regs, n);
#endif
}

static const void *domain_arg(struct pt_regs *regs)
{
	return argument(regs, 0);
}

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
#elif defined(CONFIG_S390)
	instruction_pointer_set(regs, regs->gprs[14]);
#else
#error "say here where this architecture keeps the return address"
#endif
}

struct counter {
	struct kprobe kp;
	unsigned long calls;
};

static int count(struct kprobe *kp, struct pt_regs *regs)
{
	struct counter *c = container_of(kp, struct counter, kp);
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	c->calls++;
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static int count_alloc(struct kprobe *kp, struct pt_regs *regs)
{
	bool inject = READ_ONCE(exhausted);

	count(kp, regs);
	if (inject)
		return_now(regs, 0);
	return inject;
}

/* A new domain at the same address is a new domain: forget the old one */
static int count_free(struct kprobe *kp, struct pt_regs *regs)
{
	unsigned long flags;
	int i;

	spin_lock_irqsave(&lock, flags);
	i = find(domain_arg(regs));
	if (i >= 0)
		seen[i].domain = NULL;
	if (asked == domain_arg(regs))
		asked = NULL;
	spin_unlock_irqrestore(&lock, flags);
	return count(kp, regs);
}

static int count_attach_group(struct kprobe *kp, struct pt_regs *regs)
{
	asked = domain_arg(regs);
	return count(kp, regs);
}

static int count_attach(struct kprobe *kp, struct pt_regs *regs)
{
	struct device *dev = argument(regs, 1);
	unsigned long flags;
	bool inject;
	int i;

	spin_lock_irqsave(&lock, flags);
	i = find(domain_arg(regs));
	inject = (i >= 0 && target && seen[i].id == target) ||
		 (asked == domain_arg(regs) &&
		  sysfs_streq(dev_name(dev), device));
	if (inject)
		injected++;
	spin_unlock_irqrestore(&lock, flags);

	count(kp, regs);
	if (inject)
		return_now(regs, -(long)error);
	return inject;
}

/*
 * A probe with a post_handler is never turned into a jump. An optimised probe
 * would ignore that return_now() moved the instruction pointer.
 */
static void not_optimised(struct kprobe *kp, struct pt_regs *regs,
			  unsigned long flags)
{
}

static int attach_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	*(const void **)ri->data = domain_arg(regs);
	return 0;
}

static int attach_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	const void *domain = *(const void **)ri->data;
	unsigned long flags;
	int i;

	if (regs_return_value(regs))
		return 0;

	spin_lock_irqsave(&lock, flags);
	i = find(domain);
	if (i < 0) {
		i = find(NULL);
		if (!WARN_ON_ONCE(i < 0)) {
			seen[i].domain = domain;
			seen[i].id = ++ids;
		}
	}
	last = i < 0 ? 0 : seen[i].id;
	spin_unlock_irqrestore(&lock, flags);
	return 0;
}

static struct counter alloc = {
	.kp = { .symbol_name = "iommu_domain_alloc",
		.pre_handler = count_alloc, .post_handler = not_optimised },
};

static struct counter free = {
	.kp = { .symbol_name = "iommu_domain_free", .pre_handler = count_free },
};

static struct counter attach_group = {
	.kp = { .symbol_name = "iommu_attach_group",
		.pre_handler = count_attach_group },
};

static struct counter detach_group = {
	.kp = { .symbol_name = "iommu_detach_group", .pre_handler = count },
};

static struct counter attach_dev = {
	.kp = { .pre_handler = count_attach, .post_handler = not_optimised },
};

static struct kretprobe attach_ret = {
	.entry_handler = attach_entry,
	.handler = attach_return,
	.data_size = sizeof(void *),
};

/* Stands for another driver: it must never see a device that is not its own */
static bool foreign_called;
static int foreign_ret;

static int foreign_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	foreign_called = true;
	return 0;
}

/* What the core calls instead of attaching a default domain where there is none */
static void foreign_detach_dev(struct iommu_domain *domain, struct device *dev)
{
}

static const struct iommu_domain_ops foreign_ops = {
	.attach_dev = foreign_attach_dev,
	.detach_dev = foreign_detach_dev,
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

static struct kprobe *probes[] = {
	&alloc.kp, &free.kp, &attach_group.kp, &detach_group.kp, &attach_dev.kp,
};

module_param_named(domain_alloc, alloc.calls, ulong, 0444);
module_param_named(domain_free, free.calls, ulong, 0444);
module_param_named(attach_group, attach_group.calls, ulong, 0444);
module_param_named(attach_dev, attach_dev.calls, ulong, 0444);
module_param_named(detach_group, detach_group.calls, ulong, 0444);
module_param_named(missed, attach_ret.nmissed, int, 0444);
module_param(last, uint, 0444);
module_param(target, uint, 0644);
module_param(error, uint, 0644);
module_param(exhausted, uint, 0644);
module_param_string(device, device, sizeof(device), 0644);
module_param(injected, ulong, 0444);
module_param_cb(foreign, &foreign_param, NULL, 0644);

/*
 * The compiler is free to inline all of the core between iommu_attach_group()
 * and the driver's attach_dev, and does. The driver's function it cannot, and
 * a domain knows its address whatever the driver is called.
 */
static void *attach_address(void)
{
	struct iommu_domain *domain = iommu_domain_alloc(&pci_bus_type);
	void *addr;

	if (!domain)
		return NULL;
	addr = domain->ops->attach_dev;
	iommu_domain_free(domain);
	return addr;
}

static int __init probe_init(void)
{
	void *addr = attach_address();
	int ret;

	if (!addr)
		return -ENODEV;
	attach_dev.kp.addr = addr;
	attach_ret.kp.addr = addr;

	ret = register_kretprobe(&attach_ret);
	if (ret)
		return ret;

	ret = register_kprobes(probes, ARRAY_SIZE(probes));
	if (ret)
		unregister_kretprobe(&attach_ret);
	return ret;
}

static void __exit probe_exit(void)
{
	unregister_kprobes(probes, ARRAY_SIZE(probes));
	unregister_kretprobe(&attach_ret);
}

module_init(probe_init);
module_exit(probe_exit);
MODULE_DESCRIPTION("Counts and fails attaches of devices to IOMMU domains");
MODULE_LICENSE("GPL");
