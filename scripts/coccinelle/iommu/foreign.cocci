// SPDX-License-Identifier: GPL-2.0-only
/// Runtime PM, clocks, interrupts, firmware and other parts of the kernel
/// return -EINVAL for reasons of their own. Passed on by ->attach_dev(), it
/// says that domain and device do not fit together.
// Confidence: Moderate
// Comments: attach.py finds the functions that ->attach_dev() reaches.
// Options: --no-includes

virtual context
virtual org
virtual report

@initialize:python@
@@
import os, sys
sys.path.append(os.environ.get("srctree", ".") + "/scripts/coccinelle/iommu")
import attach

def wrong(p, g):
    f = attach.on_path(p)
    if not f or not attach.foreign(g) or not attach.passed(f, p, g):
        return []
    return attach.finding("foreign", f, p, f"passes on what {g}() returns, -EINVAL too; return -ENODEV in its place")


@r depends on report || org@
identifier g;
position p;
@@
 g@p(...)

@depends on context@
identifier g;
position p : script:python(g) { bool(wrong(p[0], g)) };
@@
* g@p(...)

@script:python depends on report@
p << r.p;
g << r.g;
@@
for at, text in wrong(p[0], g):
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << r.p;
g << r.g;
@@
for at, text in wrong(p[0], g):
    coccilib.org.print_todo(at, text)
