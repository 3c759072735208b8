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


def place(f, p):
    """Where in the body a position is"""
    lines = paths.source(p.file)
    return sum(len(x) + 1 for x in lines[f.line - 1:int(p.line) - 1]) + int(p.column) - paths.offset(f)


def attempts(p):
    """What is wrong with a loop that tries one domain after another, as a sentence"""
    f, name = function(p[0]), paths.called(p[0])
    if not f or not ATTACH.match(name):
        return ""
    at = place(f, p[0])
    loops = [x for x in paths.Graph(f.body).loops if x[0] < at < x[1]]
    if not loops:
        return ""
    start, end = max(loops)
    body, after = f.body[start:end], f.body[at:end]
    var = re.search(r"(\w+)\s*=\s*$", f.body[:at])
    goes_on = re.search(r"!\s*$", f.body[:at]) or var and re.match(rf"[^;]*;\s*if\s*\(\s*(!\s*{var[1]}|{var[1]}\s*==\s*0)\s*\)", after)
    if not goes_on or "EINVAL" in body or var and re.search(rf"if\s*\(\s*{var[1]}\s*(!=|==)\s*-E", body):
        return ""
    return f"{f.name}(): any error of {name}() means the next domain here, but only -EINVAL says that one may do: stop at the others"


def dropped(p, name):
    """What is wrong with a call whose error is dropped, as a sentence"""
    return f"{p[0].current_element}(): the error of {name}() is dropped, and the device may be anywhere: stop there"


def lost(p):
    """What is wrong with a call whose error is looked at and ends in a success, as a sentence"""
    f, name = function(p[0]), paths.called(p[0])
    if not f or not ATTACH.match(name):
        return ""
    s = paths.Summary()
    paths.Walk(paths.analysis(attach.driver(p[0].file)), f, s).run()
    at = s.lost.get((name + "()", int(p[0].line)))
    if not at or re.search(r"\bdomain\s*=\s*NULL\s*;", f.body[place(f, p[0]):]):      # it goes on without IOMMU
        return ""
    return f"{f.name}(): an error of {name}() ends at line {at}, and the caller goes on as if the device were attached: pass it on"
