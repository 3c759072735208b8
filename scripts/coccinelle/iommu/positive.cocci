// SPDX-License-Identifier: GPL-2.0-only
/// ->attach_dev() returns 0 or a negative errno. A positive value, of firmware
/// or of runtime PM, is taken for success, or made a pointer.
// Confidence: Moderate
// Comments: attach.py finds the functions that ->attach_dev() reaches.
// Options: --no-includes

virtual context
virtual org
virtual report

@initialize:python@
@@
import os, sys
sys.path.append(os.environ.get("srctree", ".") + "/scripts/coccinelle/iommu")
import attach

CALLS = "qcom_scm_restore_sec_cfg pm_runtime_get_sync pm_runtime_resume pm_runtime_get_if_in_use pm_runtime_get_if_active"


def wrong(p, g=""):
    f = attach.on_path(p)
    if not f or g and (g not in CALLS.split() or "<" in (attach.passed(f, p, g) or "<")):
        return []
    if f.name not in attach.driver(f.file).returned:
        return []
    return attach.finding("positive", f, p, f"passes on what {g or 'firmware'}{'()' if g else ''} returns, which can be positive; "
                          "return -ENODEV in its place")


@r depends on report || org@
identifier g;
position p : script:python(g) { bool(wrong(p[0], g)) };
@@
 g@p(...)

@depends on context@
identifier g;
position p : script:python(g) { bool(wrong(p[0], g)) };
@@
* g@p(...)

@script:python depends on report@
p << r.p;
g << r.g;
@@
for at, text in wrong(p[0], g):
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << r.p;
g << r.g;
@@
for at, text in wrong(p[0], g):
    coccilib.org.print_todo(at, text)

@code@
expression x, e;
position p : script:python() { bool(wrong(p[0])) };
@@
 x = e.a0@p

@depends on context@
expression x, e;
position code.p;
@@
* x = e.a0@p

@script:python depends on report@
p << code.p;
@@
for at, text in wrong(p[0]):
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << code.p;
@@
for at, text in wrong(p[0]):
    coccilib.org.print_todo(at, text)
