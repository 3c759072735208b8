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

def wrong(p, c):
    f = attach.on_path(p)
    return [w for at, condition in (attach.cases(f, p) if f else []) if attach.device_alone(f, at, condition, c)
            for w in attach.finding("einval", f, at, f"returns -{c}, and does so for any domain; return -ENODEV")]


def here(p, c):
    return any(at is p for at, _ in wrong(p, c))


@r depends on report || org@
constant c = {EINVAL, ENXIO, ENOENT, EFAULT, EIO};
position p;
@@
 c@p

@depends on context@
constant c = {EINVAL, ENXIO, ENOENT, EFAULT, EIO};
position p : script:python(c) { here(p[0], c) };
@@
* c@p

@depends on patch@
constant c = {EINVAL, ENXIO, ENOENT, EFAULT, EIO};
position p : script:python(c) { here(p[0], c) };
@@
- c@p
+ ENODEV

@script:python depends on report@
p << r.p;
c << r.c;
@@
for at, text in wrong(p[0], c):
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << r.p;
c << r.c;
@@
for at, text in wrong(p[0], c):
    coccilib.org.print_todo(at, text)
