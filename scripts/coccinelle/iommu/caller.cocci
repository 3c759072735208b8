// SPDX-License-Identifier: GPL-2.0-only
/// -EINVAL from iommu_attach_device() and its like means that domain and
/// device do not fit together, and another domain may be tried; any other
/// error is for all domains, and none is dropped.
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
import callers
said = set()

def say(how, p, text):
    if text and (p[0].file, p[0].line) not in said:
        said.add((p[0].file, p[0].line))
        how(p[0], "ERROR: " + text)

@dropped depends on context || org || report@
identifier f =~ "^iommu_(attach|replace)_(device|group)(_pasid|_handle)?$|^iommufd_(device|access)_(attach|replace)$";
position p;
@@
(
* f@p(...);
|
* \(WARN_ON\|WARN_ON_ONCE\|BUG_ON\)(f@p(...));
)

@attempts depends on context || org || report@
identifier f =~ "^iommu_(attach|replace)_(device|group)(_pasid|_handle)?$|^iommufd_(device|access)_(attach|replace)$";
position p : script:python() { bool(callers.attempts(p)) };
@@
* f@p(...)

@lost depends on context || org || report@
identifier f =~ "^iommu_(attach|replace)_(device|group)(_pasid|_handle)?$|^iommufd_(device|access)_(attach|replace)$";
position p : script:python() { bool(callers.lost(p)) };
@@
* f@p(...)

@script:python depends on report@
p << dropped.p;
f << dropped.f;
@@
say(coccilib.report.print_report, p, callers.dropped(p, f))

@script:python depends on report@
p << attempts.p;
@@
say(coccilib.report.print_report, p, callers.attempts(p))

@script:python depends on report@
p << lost.p;
@@
say(coccilib.report.print_report, p, callers.lost(p))

@script:python depends on org@
p << dropped.p;
f << dropped.f;
@@
say(coccilib.org.print_todo, p, callers.dropped(p, f))

@script:python depends on org@
p << attempts.p;
@@
say(coccilib.org.print_todo, p, callers.attempts(p))

@script:python depends on org@
p << lost.p;
@@
say(coccilib.org.print_todo, p, callers.lost(p))
