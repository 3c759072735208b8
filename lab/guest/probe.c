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
 *	id of the domain of the last attach of a device that succeeded; 0 if it is
 *	the core's own, a default or blocking domain; no id is given twice
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

static unsigned int last, target, error, exhausted;
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

/*
 * In the domain itself, so that it goes with it: one that iommu_attach_group() is
 * asked for has no fault handler, whose argument this is.
 */
static unsigned int id_of(struct iommu_domain *domain)
{
	return (unsigned long)domain->handler_token;
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
	atomic_t calls;
};

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
		return_now(regs, 0);
	return inject;
}

static int count_attach_group(struct kprobe *kp, struct pt_regs *regs)
{
	struct iommu_domain *domain = argument(regs, 0);

	if (!id_of(domain))
		domain->handler_token = (void *)(long)atomic_inc_return(&ids);
	return count(kp, regs);
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
	return 0;
}

static int attach_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	if (!regs_return_value(regs))
		last = *(unsigned int *)ri->data;
	return 0;
}

static struct counter alloc = {
	{ .symbol_name = "iommu_domain_alloc",
	  .pre_handler = count_alloc, .post_handler = not_optimised },
}, free = {
	{ .symbol_name = "iommu_domain_free", .pre_handler = count },
}, attach_group = {
	{ .symbol_name = "iommu_attach_group", .pre_handler = count_attach_group },
}, detach_group = {
	{ .symbol_name = "iommu_detach_group", .pre_handler = count },
}, attach_dev = {
	{ .pre_handler = count_attach, .post_handler = not_optimised },
};

static struct kretprobe attach_ret = {
	.entry_handler = attach_entry,
	.handler = attach_return,
	.data_size = sizeof(unsigned int),
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

module_param_named(domain_alloc, alloc.calls.counter, int, 0444);
module_param_named(domain_free, free.calls.counter, int, 0444);
module_param_named(attach_group, attach_group.calls.counter, int, 0444);
module_param_named(attach_dev, attach_dev.calls.counter, int, 0444);
module_param_named(detach_group, detach_group.calls.counter, int, 0444);
module_param_named(missed, attach_ret.nmissed, int, 0444);
module_param(last, uint, 0444);
module_param(target, uint, 0644);
module_param(error, uint, 0644);
module_param(exhausted, uint, 0644);
module_param_string(device, device, sizeof(device), 0644);
module_param_named(injected, injected.counter, int, 0444);
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
