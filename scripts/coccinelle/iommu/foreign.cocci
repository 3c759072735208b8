// SPDX-License-Identifier: GPL-2.0-only
/// Runtime PM, clocks, interrupts, firmware and other parts of the kernel
/// return -EINVAL for reasons of their own. Passed on by ->attach_dev(), it
/// says that domain and device do not fit together.
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
identifier g;
position p;
@@
 g@p(...)

@script:python depends on report@
p << r.p;
g << r.g;
@@
f = attach.on_path(p[0])
if f and attach.foreign(g) and attach.passed(f, p[0], g) and attach.first(p[0]):
    coccilib.report.print_report(p[0], f"ERROR: {f.name}() passes on what {g}() returns, -EINVAL too; return -ENODEV in its place")
