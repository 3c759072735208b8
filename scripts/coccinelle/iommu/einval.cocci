// SPDX-License-Identifier: GPL-2.0-only
/// -EINVAL from ->attach_dev() says that domain and device do not fit
/// together, and another domain is tried. What depends on the device alone,
/// or on its IOMMU, fails with any domain: that is -ENODEV.
// Confidence: Moderate
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
expression e, x;
position p;
constant c;
@@
(
 if (e) return -c@p;
|
 if (e) { ... return -c@p; }
|
 if (e) { ... x = -c@p; ... }
)

@script:python depends on report@
e << r.e;
c << r.c;
p << r.p;
@@
f = attach.on_path(p[0])
if f:
    print(p[0].file, p[0].line, f.name, c, "|", e, "|", attach.driver(f.file).of(f, e))
