// SPDX-License-Identifier: GPL-2.0-only
/// A failed attach leaves the device where it was. State of hardware or
/// driver that is changed before the last step that can fail must be undone
/// when that step fails, or be changed after it.
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
import paths
said = set()

def say(how, p, text):
    if text and (p[0].file, p[0].line) not in said:
        said.add((p[0].file, p[0].line))
        how(p[0], "ERROR: " + text)

@r depends on context || org || report@
identifier f;
expression e, x;
assignment operator op;
position p : script:python() { bool(paths.changed(p)) };
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
say(coccilib.report.print_report, p, paths.changed(p))

@script:python depends on org@
p << r.p;
@@
say(coccilib.org.print_todo, p, paths.changed(p))
