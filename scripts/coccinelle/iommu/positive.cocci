// SPDX-License-Identifier: GPL-2.0-only
/// ->attach_dev() returns 0 or a negative errno. A positive value, of firmware
/// or runtime PM, is taken for success, or for a pointer.
// Confidence: Moderate
// Comments: attach.py finds the functions that ->attach_dev() reaches.
// Options: --no-includes

virtual patch
virtual context
virtual org
virtual report

@initialize:python@
@@
import os, sys
sys.path.append(os.environ.get("srctree", ".") + "/scripts/coccinelle/iommu")
import attach

@r@
identifier g = {qcom_scm_restore_sec_cfg, pm_runtime_get_sync, pm_runtime_resume, pm_runtime_get_if_in_use, pm_runtime_get_if_active, zpci_register_ioat};
position p;
@@
 g@p(...)

@code@
expression x;
struct arm_smccc_res e;
position p;
@@
 x =@p e.a0

@script:python depends on report@
p << r.p;
g << r.g;
@@
f = attach.on_path(p[0])
how = f and attach.passed(f, p[0], g)
if how and "<" not in how and attach.first(p[0]):
    coccilib.report.print_report(p[0], f"ERROR: {f.name}() passes on what {g}() returns, which can be positive; return -ENODEV in its place")

@script:python depends on report@
p << code.p;
x << code.x;
@@
f = attach.on_path(p[0])
if f and f.name in attach.driver(f.file).returned and attach.first(p[0]):
    coccilib.report.print_report(p[0], f"ERROR: {f.name}() passes on a code of the firmware, which can be positive; return -ENODEV in its place")
