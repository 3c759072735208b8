// SPDX-License-Identifier: GPL-2.0-only
/// IDs, context banks and the like that run out in ->attach_dev() are -ENOSPC.
/// Another errno makes callers try other domains, or give up a device.
/// xa_alloc() says -EBUSY then.
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

def wrong(p, text="", call=None):
    f = attach.on_path(p)
    if not f or (not attach.passed(f, p, call) if call else f.name not in attach.driver(f.file).returned):
        return []
    return attach.finding("enospc", f, p, text + "; return -ENOSPC")


@r@
identifier g =~ "alloc|get_zeroed_page|get_free_page|kmemdup";
identifier l;
constant c != ENOSPC;
expression x, y, e;
position p : script:python() { bool(wrong(p[0])) };
@@
 x = g(...)
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
identifier g =~ "^xa_alloc";
position p : script:python(g) { bool(wrong(p[0], call=g)) };
@@
 g@p(...)

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
+ ENOSPC

@script:python depends on report@
p << r.p;
g << r.g;
@@
for at, text in wrong(p[0], f"says otherwise when {g}() has no more") if attach.first(p[0]) else []:
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << r.p;
g << r.g;
@@
for at, text in wrong(p[0], f"says otherwise when {g}() has no more") if attach.first(p[0]) else []:
    coccilib.org.print_todo(at, text)

@depends on context@
identifier busy.g;
position busy.p;
@@
* g@p(...)

@script:python depends on report@
p << busy.p;
g << busy.g;
@@
for at, text in wrong(p[0], f"passes on -EBUSY when {g}() has no more", g):
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << busy.p;
g << busy.g;
@@
for at, text in wrong(p[0], f"passes on -EBUSY when {g}() has no more", g):
    coccilib.org.print_todo(at, text)
