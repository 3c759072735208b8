# SPDX-License-Identifier: GPL-2.0
"""What the callers of iommu_attach_*() and their like make of the errno"""
import os
import re

import attach
import paths

ATTACH = re.compile(r"iommu_(attach|replace)_(device|group)(_pasid|_handle)?$|iommufd_(device|access)_(attach|replace)$")


def function(p):
    if not os.path.basename(p.file).endswith(".c"):
        return None
    found = [f for f in attach.functions(p.file)[1] if f.name == p.current_element and f.line <= int(p.line)]
    return found[-1] if found else None


def finding(f, p, text):
    return attach.finding("caller", f, p, text) if f else []


def attempts(p):
    """What is wrong with a loop that tries one domain after another"""
    f, name = function(p), paths.called(p)
    if not f or not ATTACH.match(name):
        return []
    at = attach.offset(f, p) + int(p.column)
    loops = [x for x in paths.Graph(f.body).loops if x[0] < at < x[1]]
    if not loops:
        return []
    start, end = max(loops)
    body, after = f.body[start:end], f.body[at:end]
    var = re.search(r"(\w+)\s*=\s*$", f.body[:at])
    goes_on = re.search(r"!\s*$", f.body[:at]) or var and re.match(rf"[^;]*;\s*if\s*\(\s*(!\s*{var[1]}|{var[1]}\s*==\s*0)\s*\)", after)
    if not goes_on or "EINVAL" in body or var and re.search(rf"if\s*\(\s*{var[1]}\s*(!=|==)\s*-E", body):
        return []
    return finding(f, p, f"tries the next domain after any error of {name}(), but only -EINVAL says that one may do; stop at the others")


def dropped(p):
    """What is wrong with a call whose error is dropped"""
    return finding(function(p), p, f"drops the error of {paths.called(p)}(), and the device may be anywhere; stop there")


def lost(p):
    """What is wrong with a call whose error is looked at and ends in a success"""
    f, name = function(p), paths.called(p)
    if not f or not ATTACH.match(name):
        return []
    s = paths.Summary()
    paths.Walk(paths.analysis(attach.driver(p.file)), f, s).run()
    at = s.lost.get((name + "()", int(p.line)))
    if at == int(p.line) and re.search(r"[!=]= -EINVAL\b", f.body):      # the next turn of a loop that tells errnos apart
        return []
    if not at or re.search(r"domain\s*=\s*NULL\s*;", f.body[attach.offset(f, p) + int(p.column):]):      # it goes on without IOMMU
        return []
    return finding(f, p, f"makes a success of an error of {name}(), at line {at}; pass it on")
