/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VFIO type1 tracepoints: which domain of a container a group got, or why none
 */

#undef TRACE_SYSTEM
#define TRACE_SYSTEM vfio

#if !defined(_TRACE_VFIO_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_VFIO_H

#include <linux/tracepoint.h>

#ifndef _TRACE_VFIO_TYPE1_VERDICT
#define _TRACE_VFIO_TYPE1_VERDICT
/* What becomes of a group after a domain was looked at */
enum vfio_type1_verdict {
	VFIO_TYPE1_REUSE,	/* It is in this domain, which was there */
	VFIO_TYPE1_FRESH,	/* It is in this domain, made for it */
	VFIO_TYPE1_NEXT,	/* Does not fit: the next one, at last a fresh */
	VFIO_TYPE1_COHERENCY,	/* Not tried, does not enforce it: the next one */
	VFIO_TYPE1_MSI,		/* Not tried, other MSI window: the next one */
	VFIO_TYPE1_FAIL,	/* Error, also for user space: no other is tried */
	VFIO_TYPE1_UNDO,	/* It was in this domain, and had to leave again */
};
#endif

TRACE_DEFINE_ENUM(VFIO_TYPE1_REUSE);
TRACE_DEFINE_ENUM(VFIO_TYPE1_FRESH);
TRACE_DEFINE_ENUM(VFIO_TYPE1_NEXT);
TRACE_DEFINE_ENUM(VFIO_TYPE1_COHERENCY);
TRACE_DEFINE_ENUM(VFIO_TYPE1_MSI);
TRACE_DEFINE_ENUM(VFIO_TYPE1_FAIL);
TRACE_DEFINE_ENUM(VFIO_TYPE1_UNDO);

/*
 * A group joins a container, and a domain was looked at for it. The last event
 * of a join is reuse, fresh, fail or undo. The numbers have no units.
 *
 * container	the container, as an address: the same one, the same container
 * gid		number of the group in /sys/kernel/iommu_groups
 * index	place of the domain in the container, the newest is 0; of a
 *		domain that is not one of the container's, how many it has
 * domain	the domain, as in the events of iommu, or 0: a fresh one failed
 * error	0, or a negative errno
 * verdict	enum vfio_type1_verdict
 */
TRACE_EVENT(vfio_type1_attach,

	TP_PROTO(const void *container, int group_id, unsigned int index,
		 const void *domain, int error,
		 enum vfio_type1_verdict verdict),

	TP_ARGS(container, group_id, index, domain, error, verdict),

	TP_STRUCT__entry(
		__field(const void *, container)
		__field(int, gid)
		__field(unsigned int, index)
		__field(const void *, domain)
		__field(int, error)
		__field(int, verdict)
	),

	TP_fast_assign(
		__entry->container = container;
		__entry->gid = group_id;
		__entry->index = index;
		__entry->domain = domain;
		__entry->error = error;
		__entry->verdict = verdict;
	),

	TP_printk("container=%p groupID=%d index=%u domain=%p error=%d %s",
		  __entry->container, __entry->gid, __entry->index,
		  __entry->domain, __entry->error,
		  __print_symbolic(__entry->verdict,
				   { VFIO_TYPE1_REUSE, "reuse" },
				   { VFIO_TYPE1_FRESH, "fresh" },
				   { VFIO_TYPE1_NEXT, "next" },
				   { VFIO_TYPE1_COHERENCY, "next-coherency" },
				   { VFIO_TYPE1_MSI, "next-msi" },
				   { VFIO_TYPE1_FAIL, "fail" },
				   { VFIO_TYPE1_UNDO, "undo" })
	)
);

#endif /* _TRACE_VFIO_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH ../../drivers/vfio
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace

/* This part must be outside protection */
#include <trace/define_trace.h>
