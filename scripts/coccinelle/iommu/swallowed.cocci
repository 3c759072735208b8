// SPDX-License-Identifier: GPL-2.0-only
/// 0 from ->attach_dev() means attached. An error on the way there is passed
/// on, and a domain that is not attached is not answered with 0.
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

@dropped depends on context || org || report@
identifier f;
expression e;
position p : script:python() { bool(paths.dropped(p)) };
@@
(
* f@p(...);
|
* e->f@p(...);
|
* e.f@p(...);
|
* \(WARN_ON\|WARN_ON_ONCE\|BUG_ON\)(f@p(...));
)

@lost depends on context || org || report@
identifier f;
position p : script:python() { bool(paths.lost(p)) };
@@
* f@p(...)

@mute depends on context || org || report@
identifier f =~ "^(dev|pr)_err(_once|_ratelimited)?$|^(dev|pr)_warn(_once|_ratelimited)?$";
position p : script:python() { bool(paths.mute(p)) };
@@
* f@p(...)

@polite depends on context || org || report@
expression a, b;
position p;
@@
(
* if (a@p != b) return 0;
|
* if (a@p != b) { ... return 0; }
)

@script:python depends on report@
p << dropped.p;
@@
say(coccilib.report.print_report, p, paths.dropped(p))

@script:python depends on org@
p << dropped.p;
@@
say(coccilib.org.print_todo, p, paths.dropped(p))

@script:python depends on report@
p << lost.p;
@@
say(coccilib.report.print_report, p, paths.lost(p))

@script:python depends on org@
p << lost.p;
@@
say(coccilib.org.print_todo, p, paths.lost(p))

@script:python depends on report@
p << mute.p;
@@
say(coccilib.report.print_report, p, paths.mute(p))

@script:python depends on org@
p << mute.p;
@@
say(coccilib.org.print_todo, p, paths.mute(p))

@script:python depends on report@
p << polite.p;
a << polite.a;
b << polite.b;
@@
say(coccilib.report.print_report, p, paths.polite(p, a, b))

@script:python depends on org@
p << polite.p;
a << polite.a;
b << polite.b;
@@
say(coccilib.org.print_todo, p, paths.polite(p, a, b))
