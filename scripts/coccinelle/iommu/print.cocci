// SPDX-License-Identifier: GPL-2.0-only
/// That domain and device do not fit together is no error: the caller tries
/// another domain, and every such try would fill the log.
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
expression e, x;
identifier f =~ "^(dev|pr|pci)_(err|warn|crit|alert)(_once|_ratelimited)?$|^WARN(_ONCE)?$";
constant c;
position p;
@@
(
* if (e) { ... f@p(...); ... return -c; }
|
* if (e) { ... f@p(...); ... x = -c; ... }
|
* if (e) { ... x = -c; ... f@p(...); ... }
)

@warn depends on context || org || report@
expression e, x;
identifier w =~ "^WARN_ON(_ONCE)?$";
constant c;
position p;
@@
(
* if (w@p(e)) return -c;
|
* if (w@p(e)) { ... return -c; }
|
* if (w@p(e)) { ... x = -c; ... }
)

@script:python depends on report@
p << r.p;
e << r.e;
@@
say(coccilib.report.print_report, p, paths.loud(p, e))

@script:python depends on org@
p << r.p;
e << r.e;
@@
say(coccilib.org.print_todo, p, paths.loud(p, e))

@script:python depends on report@
p << warn.p;
e << warn.e;
@@
say(coccilib.report.print_report, p, paths.loud(p, e))

@script:python depends on org@
p << warn.p;
e << warn.e;
@@
say(coccilib.org.print_todo, p, paths.loud(p, e))
