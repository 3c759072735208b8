// SPDX-License-Identifier: GPL-2.0-only
/// -EINVAL from ->attach_dev() says that domain and device do not fit
/// together, and another domain is tried. What depends on the device or its
/// IOMMU alone fails with any domain. That is -ENODEV.
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
expression x;
constant c = {EINVAL, ENXIO, ENOENT, EFAULT, EIO};
position p;
@@
(
 return -c@p;
|
 x = -c@p;
)

@script:python depends on report@
p << r.p;
c << r.c;
@@
f = attach.on_path(p[0])
for at, condition in attach.cases(f, p[0]) if f else []:
    if attach.device_alone(f, at, condition):
        coccilib.report.print_report(at, f"ERROR: {f.name}() returns -{c}, and does so for any domain; return -ENODEV")
