// SPDX-License-Identifier: GPL-2.0-only
/// That domain and device do not fit together is no error: the caller tries
/// another domain, and every such try would fill the log.
// Confidence: Moderate
// Comments: paths.py follows the ways through the functions.
// Options: --no-includes

virtual patch
virtual context
virtual org
virtual report

@initialize:python@
@@
import os, sys
sys.path.append(os.environ.get("srctree", ".") + "/scripts/coccinelle/iommu")
import attach, paths

@r depends on report || org@
identifier f =~ "^(dev|pr|pci)_(err|warn|crit|alert)(_once|_ratelimited)?$|^WARN(_ON)?(_ONCE)?$";
position p : script:python() { bool(paths.loud(p[0])) };
@@
  f@p(...)

@depends on context@
identifier f =~ "^(dev|pr|pci)_(err|warn|crit|alert)(_once|_ratelimited)?$|^WARN(_ON)?(_ONCE)?$";
position p : script:python() { bool(paths.loud(p[0])) };
@@
* f@p(...)

@script:python depends on report@
p << r.p;
@@
for at, text in paths.loud(p[0]) if attach.first(p[0]) else []:
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << r.p;
@@
for at, text in paths.loud(p[0]) if attach.first(p[0]) else []:
    coccilib.org.print_todo(at, text)
