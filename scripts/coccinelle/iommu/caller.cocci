// SPDX-License-Identifier: GPL-2.0-only
/// -EINVAL from iommu_attach_device() and its like means that domain and
/// device do not fit together, and another domain may be tried; any other
/// error is for all domains, and none is dropped, or becomes a pointer.
// Confidence: Moderate
// Comments: callers.py follows the ways through the functions.
// Options: --no-includes

virtual patch
virtual context
virtual org
virtual report

@initialize:python@
@@
import os, sys
sys.path.append(os.environ.get("srctree", ".") + "/scripts/coccinelle/iommu")
import attach, callers

@dropped depends on report || org@
identifier f =~ "^iommu_(attach|replace)_(device|group)(_pasid|_handle)?$|^iommufd_(device|access)_(attach|replace)$";
position p : script:python() { bool(callers.dropped(p[0])) };
@@
(
  f@p(...);
|
  \(WARN_ON\|WARN_ON_ONCE\|BUG_ON\)(f@p(...));
)

@depends on context@
identifier f =~ "^iommu_(attach|replace)_(device|group)(_pasid|_handle)?$|^iommufd_(device|access)_(attach|replace)$";
position p : script:python() { bool(callers.dropped(p[0])) };
@@
(
* f@p(...);
|
* \(WARN_ON\|WARN_ON_ONCE\|BUG_ON\)(f@p(...));
)

@used depends on report || org@
identifier f =~ "^iommu_(attach|replace)_(device|group)(_pasid|_handle)?$|^iommufd_(device|access)_(attach|replace)$";
position p : script:python() { bool(callers.used(p[0])) };
@@
  f@p(...)

@depends on context@
identifier f =~ "^iommu_(attach|replace)_(device|group)(_pasid|_handle)?$|^iommufd_(device|access)_(attach|replace)$";
position p : script:python() { bool(callers.used(p[0])) };
@@
* f@p(...)

@script:python depends on report@
p << dropped.p;
@@
for at, text in callers.dropped(p[0]) if attach.first(p[0]) else []:
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << dropped.p;
@@
for at, text in callers.dropped(p[0]) if attach.first(p[0]) else []:
    coccilib.org.print_todo(at, text)

@script:python depends on report@
p << used.p;
@@
for at, text in callers.used(p[0]) if attach.first(p[0]) else []:
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << used.p;
@@
for at, text in callers.used(p[0]) if attach.first(p[0]) else []:
    coccilib.org.print_todo(at, text)
