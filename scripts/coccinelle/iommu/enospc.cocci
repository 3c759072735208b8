// SPDX-License-Identifier: GPL-2.0-only
/// Where ->attach_dev() runs out of IDs, context banks or the like, that is
/// -ENOSPC. The allocators' own errnos say so, but for xa_alloc()'s -EBUSY.
// Confidence: Moderate
// Comments: attach.py finds the functions that ->attach_dev() reaches.
// Options: --no-includes

virtual patch
virtual context
virtual org
virtual report

@initialize:python@
@@
import os, sys
sys.path.append(os.environ.get("srctree", ".") + "/scripts/coccinelle/iommu")
import attach

@r@
identifier alloc =~ "^(ida_|idr_|xa_alloc|find_(first|next)_zero_bit)";
expression x, y, e;
constant c != {ENOSPC, ENOMEM};
position p;
identifier l;
@@
 x = alloc(...)
 ... when != x = y
(
 if (\(x < 0\|x > e\|x >= e\|x == e\|x\)) return -c@p;
|
 if (\(x < 0\|x > e\|x >= e\|x == e\|x\)) { ... return -c@p; }
|
 if (\(x < 0\|x > e\|x >= e\|x == e\|x\)) { ... y = -c@p; ... }
|
 if (\(x < 0\|x > e\|x >= e\|x == e\|x\)) { ... y = -c@p; ... goto l; }
)

@busy@
identifier alloc =~ "^xa_alloc";
position p;
@@
alloc@p(...)

@script:python depends on report@
p << r.p;
alloc << r.alloc;
@@
f = attach.on_path(p[0])
if f and f.name in attach.driver(f.file).returned and attach.first(p[0]):
    coccilib.report.print_report(p[0], f"ERROR: {f.name}() runs out of what {alloc}() gives; return -ENOSPC")

@script:python depends on report@
p << busy.p;
alloc << busy.alloc;
@@
f = attach.on_path(p[0])
if f and attach.passed(f, p[0], alloc) and attach.first(p[0]):
    coccilib.report.print_report(p[0], f"ERROR: {f.name}() passes on -EBUSY of {alloc}() when IDs have run out; return -ENOSPC")
