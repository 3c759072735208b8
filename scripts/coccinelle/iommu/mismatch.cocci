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

@r@
expression x;
constant c != {EINVAL, ENOMEM};
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
for at, condition in attach.cases(f, p[0]) if f and f.name in attach.driver(f.file).returned else []:
    if attach.mismatch(f, condition):
        coccilib.report.print_report(at, f"ERROR: {f.name}() returns -{c} for a domain that does not fit the device; return -EINVAL")
