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
identifier f =~ "^(dev|pr|pci)_(err|warn|crit|alert)(_once|_ratelimited)?$|^WARN(_ON)?(_ONCE)?$";
position p : script:python() { bool(paths.loud(p)) };
@@
* f@p(...)

@script:python depends on report@
p << r.p;
@@
say(coccilib.report.print_report, p, paths.loud(p))

@script:python depends on org@
p << r.p;
@@
say(coccilib.org.print_todo, p, paths.loud(p))
