// SPDX-License-Identifier: GPL-2.0-only
/// An allocation that fails in ->attach_dev() is -ENOMEM. Another errno makes
/// callers try other domains, or give up a device that works.
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

def wrong(p, g="it"):
    f = attach.on_path(p)
    if not f or f.name not in attach.driver(f.file).checked:
        return []
    return attach.finding("enomem", f, p, f"says otherwise when {g}() has no memory; return -ENOMEM")


@r@
identifier g =~ "alloc|get_zeroed_page|get_free_page|kmemdup";
identifier l;
constant c != ENOMEM;
expression x, y;
position p : script:python() { bool(wrong(p[0])) };
@@
 x = g(...)
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

@depends on context@
constant r.c;
position r.p;
@@
* c@p

@depends on patch@
constant r.c;
position r.p;
@@
- c@p
+ ENOMEM

@script:python depends on report@
p << r.p;
g << r.g;
@@
for at, text in wrong(p[0], g) if attach.first(p[0]) else []:
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << r.p;
g << r.g;
@@
for at, text in wrong(p[0], g) if attach.first(p[0]) else []:
    coccilib.org.print_todo(at, text)
