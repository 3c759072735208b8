// SPDX-License-Identifier: GPL-2.0-only
/// An allocation that fails in ->attach_dev() is -ENOMEM: another errno makes
/// callers try other domains, or takes the device for broken.
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
identifier alloc =~ "alloc|_get_zeroed_page|get_free_page|kmemdup";
expression x, y;
constant c != ENOMEM;
position p;
identifier l;
@@
 x = alloc(...)
 ... when != x = y
(
 if (!x) return -c@p;
|
 if (!x) { ... return -c@p; }
|
 if (!x) { ... y = -c@p; ... }
|
 if (!x) { ... y = -c@p; ... goto l; }
)

@script:python depends on report@
p << r.p;
alloc << r.alloc;
@@
f = attach.on_path(p[0])
if f and f.name in attach.driver(f.file).returned and attach.first(p[0]):
    coccilib.report.print_report(p[0], f"ERROR: {f.name}() fails for want of memory in {alloc}(); return -ENOMEM")
