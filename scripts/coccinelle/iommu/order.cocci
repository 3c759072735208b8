// SPDX-License-Identifier: GPL-2.0-only
/// A failed attach leaves the device where it was. State of hardware or
/// driver that is changed before the last step that can fail must be undone
/// when that step fails, or be changed after it.
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
identifier f;
expression e, x;
assignment operator op;
position p : script:python() { bool(paths.changed(p[0])) };
@@
(
  f@p(...)
|
  e@p op x
|
  e@p++
|
  e@p--
)

@depends on context@
identifier f;
expression e, x;
assignment operator op;
position p : script:python() { bool(paths.changed(p[0])) };
@@
(
* f@p(...)
|
* e@p op x
|
* e@p++
|
* e@p--
)

@script:python depends on report@
p << r.p;
@@
for at, text in paths.changed(p[0]) if attach.first(p[0]) else []:
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << r.p;
@@
for at, text in paths.changed(p[0]) if attach.first(p[0]) else []:
    coccilib.org.print_todo(at, text)
