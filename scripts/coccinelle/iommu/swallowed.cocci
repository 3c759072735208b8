// SPDX-License-Identifier: GPL-2.0-only
/// 0 from ->attach_dev() means attached. An error on the way there is passed
/// on, and a domain that is not attached is not answered with 0.
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

@dropped depends on report || org@
identifier f;
expression e;
position p : script:python() { bool(paths.dropped(p[0])) };
@@
(
  f@p(...);
|
  e->f@p(...);
|
  e.f@p(...);
|
  \(WARN_ON\|WARN_ON_ONCE\)(f@p(...));
|
  \(WARN_ON\|WARN_ON_ONCE\)(e->f@p(...));
|
  \(WARN\|WARN_ONCE\)(f@p(...), ...);
)

@depends on context@
identifier f;
expression e;
position p : script:python() { bool(paths.dropped(p[0])) };
@@
(
* f@p(...);
|
* e->f@p(...);
|
* e.f@p(...);
|
* \(WARN_ON\|WARN_ON_ONCE\)(f@p(...));
|
* \(WARN_ON\|WARN_ON_ONCE\)(e->f@p(...));
|
* \(WARN\|WARN_ONCE\)(f@p(...), ...);
)

@lost depends on report || org@
identifier f;
position p : script:python() { bool(paths.lost(p[0])) };
@@
  f@p(...)

@depends on context@
identifier f;
position p : script:python() { bool(paths.lost(p[0])) };
@@
* f@p(...)

@unchecked depends on report || org@
identifier f;
position p : script:python() { bool(paths.unchecked(p[0])) };
@@
  f@p(...)

@depends on context@
identifier f;
position p : script:python() { bool(paths.unchecked(p[0])) };
@@
* f@p(...)

@mute depends on report || org@
identifier f =~ "^(dev|pr)_(err|warn)(_once|_ratelimited)?$";
position p : script:python() { bool(paths.mute(p[0])) };
@@
  f@p(...)

@depends on context@
identifier f =~ "^(dev|pr)_(err|warn)(_once|_ratelimited)?$";
position p : script:python() { bool(paths.mute(p[0])) };
@@
* f@p(...)

@polite depends on report || org@
expression a, b;
position p : script:python(a, b) { bool(paths.polite(p[0], a, b)) };
@@
(
  if (a@p != b) return 0;
|
  if (a@p != b) { ... return 0; }
)

@depends on context@
expression a, b;
position p : script:python(a, b) { bool(paths.polite(p[0], a, b)) };
@@
(
* if (a@p != b) return 0;
|
* if (a@p != b) { ... return 0; }
)

@script:python depends on report@
p << dropped.p;
@@
for at, text in paths.dropped(p[0]) if attach.first(p[0]) else []:
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << dropped.p;
@@
for at, text in paths.dropped(p[0]) if attach.first(p[0]) else []:
    coccilib.org.print_todo(at, text)

@script:python depends on report@
p << lost.p;
@@
for at, text in paths.lost(p[0]) if attach.first(p[0]) else []:
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << lost.p;
@@
for at, text in paths.lost(p[0]) if attach.first(p[0]) else []:
    coccilib.org.print_todo(at, text)

@script:python depends on report@
p << unchecked.p;
@@
for at, text in paths.unchecked(p[0]) if attach.first(p[0]) else []:
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << unchecked.p;
@@
for at, text in paths.unchecked(p[0]) if attach.first(p[0]) else []:
    coccilib.org.print_todo(at, text)

@script:python depends on report@
p << mute.p;
@@
for at, text in paths.mute(p[0]) if attach.first(p[0]) else []:
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << mute.p;
@@
for at, text in paths.mute(p[0]) if attach.first(p[0]) else []:
    coccilib.org.print_todo(at, text)

@script:python depends on report@
p << polite.p;
a << polite.a;
b << polite.b;
@@
for at, text in paths.polite(p[0], a, b) if attach.first(p[0]) else []:
    coccilib.report.print_report(at, text)

@script:python depends on org@
p << polite.p;
a << polite.a;
b << polite.b;
@@
for at, text in paths.polite(p[0], a, b) if attach.first(p[0]) else []:
    coccilib.org.print_todo(at, text)
