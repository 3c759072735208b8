// SPDX-License-Identifier: GPL-2.0-only
/// What an attach has taken, it gives back when a later step fails: memory,
/// clocks, runtime PM references, ids, mappings, locks.
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
position p : script:python() { bool(paths.taken(p[0])) };
@@
  f@p(...)

@depends on context@
identifier f;
position p : script:python() { bool(paths.taken(p[0])) };
@@
* f@p(...)

@script:python depends on report@
p << r.p;
@@
for at, text in paths.taken(p[0]) if attach.first(p[0]) else []:
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << r.p;
@@
for at, text in paths.taken(p[0]) if attach.first(p[0]) else []:
    coccilib.org.print_todo(at, text)
