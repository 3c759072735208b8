// SPDX-License-Identifier: GPL-2.0-only
/// IDs, context banks and the like that run out in ->attach_dev() are -ENOSPC.
/// Another errno makes callers try other domains, or give up a device that
/// works. xa_alloc() says -EBUSY then.
// Confidence: Moderate
// Comments: attach.py finds the functions that ->attach_dev() reaches.
// Options: --no-includes

virtual patch
virtual context
virtual org
virtual report

@initialize:python@
@@
import os, re, sys
sys.path.append(os.environ.get("srctree", ".") + "/scripts/coccinelle/iommu")
import attach

def wrong(p, c):
    f = attach.on_path(p)
    if c == "ENOSPC":
        return [w for at, condition in (attach.cases(f, p) if f else []) for g, _ in attach.lost(f, int(at.line), condition)
                if re.match("ida_|idr_", g)
                for w in attach.finding("enospc", f, at, f"returns -ENOSPC where {g}() may have no memory; return its errno")][:1]
    return [w for at, condition in (attach.cases(f, p) if f else []) for g, errno in attach.lost(f, int(at.line), condition)
            if errno == "ENOSPC" and c != "ENOSPC"
            for w in attach.finding("enospc", f, at, f"returns -{c} where {g}() has run out; return -ENOSPC")][:1]


def here(p, c):
    return any(at is p for at, _ in wrong(p, c))


def busy(p, g):
    f = attach.on_path(p)
    return attach.finding("enospc", f, p, f"passes on -EBUSY when {g}() has no more; return -ENOSPC") if f and attach.passed(f, p, g) else []


@r depends on report || org@
constant c = {EPERM, ENOENT, EIO, ENXIO, EAGAIN, EACCES, EFAULT, EBUSY, EEXIST, EXDEV, ENODEV, ENOMEM, ENOSPC, ERANGE, ENOSYS, EOPNOTSUPP, EINVAL};
position p;
@@
 c@p

@depends on context@
constant c = {EPERM, ENOENT, EIO, ENXIO, EAGAIN, EACCES, EFAULT, EBUSY, EEXIST, EXDEV, ENODEV, ENOMEM, ENOSPC, ERANGE, ENOSYS, EOPNOTSUPP, EINVAL};
position p : script:python(c) { here(p[0], c) };
@@
* c@p

@depends on patch@
constant c = {EPERM, ENOENT, EIO, ENXIO, EAGAIN, EACCES, EFAULT, EBUSY, EEXIST, EXDEV, ENODEV, ENOMEM, ENOSPC, ERANGE, ENOSYS, EOPNOTSUPP, EINVAL};
position p : script:python(c) { here(p[0], c) };
@@
- c@p
+ ENOSPC

@busy depends on report || org@
identifier g =~ "^xa_alloc";
position p : script:python(g) { bool(busy(p[0], g)) };
@@
 g@p(...)

@depends on context@
identifier g =~ "^xa_alloc";
position p : script:python(g) { bool(busy(p[0], g)) };
@@
* g@p(...)

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

@script:python depends on report@
p << busy.p;
g << busy.g;
@@
for at, text in busy(p[0], g):
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << busy.p;
g << busy.g;
@@
for at, text in busy(p[0], g):
    coccilib.org.print_todo(at, text)
