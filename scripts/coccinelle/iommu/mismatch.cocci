// SPDX-License-Identifier: GPL-2.0-only
/// A domain and a device that do not fit together are -EINVAL. With another
/// errno callers give up instead of trying the next domain.
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
    return [w for at, condition in (attach.cases(f, p) if f else [])
            if f.name in attach.driver(f.file).returned and attach.mismatch(f, condition, c)
            and not attach.lost(f, int(at.line), condition)
            for w in attach.finding("mismatch", f, at, f"returns -{c} for a domain that does not fit the device; return -EINVAL")]


def here(p, c):
    return any(at is p for at, _ in wrong(p, c))


@r depends on report || org@
constant c = {EPERM, ENOENT, EIO, ENXIO, EAGAIN, EACCES, EFAULT, EBUSY, EEXIST, EXDEV, ENODEV, ENOSPC, ERANGE, ENOSYS, EOPNOTSUPP, EMEDIUMTYPE};
position p;
@@
 c@p

@depends on context@
constant c = {EPERM, ENOENT, EIO, ENXIO, EAGAIN, EACCES, EFAULT, EBUSY, EEXIST, EXDEV, ENODEV, ENOSPC, ERANGE, ENOSYS, EOPNOTSUPP, EMEDIUMTYPE};
position p : script:python(c) { here(p[0], c) };
@@
* c@p

@depends on patch@
constant c = {EPERM, ENOENT, EIO, ENXIO, EAGAIN, EACCES, EFAULT, EBUSY, EEXIST, EXDEV, ENODEV, ENOSPC, ERANGE, ENOSYS, EOPNOTSUPP, EMEDIUMTYPE};
position p : script:python(c) { here(p[0], c) };
@@
- c@p
+ EINVAL

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
