# SPDX-License-Identifier: GPL-2.0
"""What the callers of iommu_attach_*() and their like make of the errno"""
import functools
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


def used(p):
    """What is wrong with a call whose result is used"""
    f, name = function(p), paths.called(p)
    if not f or not ATTACH.match(name):
        return []
    at = attach.offset(f, p) + int(p.column)
    text = attempts(f, name, at) or lost(f, name, at, p) or pointer(f, name, at, p)
    return finding(f, p, text) if text else []


def attempts(f, name, at):
    """What is wrong with a loop that tries one domain after another"""
    loops = [x for x in paths.Graph(f.body).loops if x[0] < at < x[1]]
    if not loops:
        return ""
    start, end = max(loops)
    body, after = f.body[start:end], f.body[at:end]
    var = re.search(r"(\w+)\s*=\s*$", f.body[:at])
    goes_on = re.search(r"!\s*$", f.body[:at]) or var and re.match(rf"[^;]*;\s*if\s*\(\s*(!\s*{var[1]}|{var[1]}\s*==\s*0)\s*\)", after)
    if not goes_on or "EINVAL" in body or var and re.search(rf"if\s*\(\s*{var[1]}\s*(!=|==)\s*-E", body):
        return ""
    return f"tries the next domain after any error of {name}(), but only -EINVAL says that one may do; stop at the others"


def dropped(p):
    """What is wrong with a call whose error is dropped"""
    return finding(function(p), p, f"drops the error of {paths.called(p)}(), and the device may be anywhere; stop there")


def walk(f, p):
    """What the ways through a function say of it"""
    s = paths.Summary()
    paths.Walk(paths.analysis(attach.driver(p.file)), f, s).run()
    return s


def lost(f, name, at, p):
    """What is wrong with a call whose error is looked at and ends in a success"""
    end = walk(f, p).lost.get((name + "()", int(p.line)))
    if end == int(p.line) and re.search(r"[!=]= -EINVAL\b", f.body):    # the next turn of a loop that tells errnos apart
        return ""
    if not end or re.search(r"domain\s*=\s*NULL\s*;", f.body[at:]):     # it goes on without IOMMU
        return ""
    return f"makes a success of an error of {name}(), at line {end}; pass it on"


@functools.cache
def core_returns_errnos(root):
    """Whether the core of a tree makes an errno of a positive value, whatever a driver returns"""
    try:
        with open(f"{root}drivers/iommu/iommu.c", encoding="utf-8", errors="replace") as f:
            return bool(re.search(r"\bret > 0\b[^}]{1,200}= ?-ENODEV;|\bret > 0\b[^}]{1,200}return -ENODEV;", f.read()))
    except FileNotFoundError:
        return False


def pointer(f, name, at, p):
    """What is wrong with a call whose errno is taken for a pointer, or made one"""
    before, after = f.body[:at], f.body[at:]
    m = re.search(r"(?<![\w>.])(\w+)\s*=\s*$", before)
    var = m and m[1]
    # what is looked at before another value is there
    text = re.split(rf"(?<![\w>.]){var}\s*=(?!=)", after)[0] if var else ""
    if re.search(r"\*\s*\)\s*(\(\w+( \w+)*\)\s*)?$", before) or var and (
            re.search(rf"\w[ \t]+(?:\w+, )*\*+{var}\b\s*[,;=]", before) or re.search(rf"\b(IS_ERR(_OR_NULL)?|PTR_ERR(_OR_ZERO)?)\({var}\)|\w \*\)\s*(\(\w+( \w+)*\)\s*)?{var}\b", text)):
        return f"takes the errno of {name}() for a pointer; it is an int"
    if core_returns_errnos(re.split(r"(?:^|(?<=/))(?:arch|drivers|sound)/", p.file)[0]):
        return ""
    check = re.match(rf"[^;]*;\s*if \(.*?\b{var}\b\s*(<\s*0)?", after, re.S)
    if re.search(r"\bERR_PTR\(\s*$", before) or var and not (check and check[1]) and (name + "()", int(p.line)) in walk(f, p).pointers:
        return f"makes a pointer of what {name}() returns, which can be positive; do so with a negative errno only"
    return ""
