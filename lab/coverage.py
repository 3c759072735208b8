# SPDX-License-Identifier: GPL-2.0
"""coverage: what of the attach functions do KUnit and the selftests run, counted by gcov?

The functions of the patched source in reach of each driver's attach (lab/table.py), their lines and branches, and how
many of them KUnit runs; and for `vfio` how many of those that attach and detach a group the selftests run. Writes
build/coverage.json; with DRIVER it prints these only, and the lines.

lab/coverage.d/<base>/DRIVER names the lines that no test can run, and that are not counted:

    function | text of the line | reason

with #n after the text of the n-th such line of the function; the text * is the whole function. A named line that is
run or not there is an error. (gcovr knows exclusions by markers in the source and by pattern, not that one of them was
run after all, and it does not know what is in reach of an attach: it would replace collect() alone.)"""
import collections
import glob
import json
import os
import re
import shutil

import build
import kbuild
import kunit
import table
import trees
from lib import BASE, BUILD, LAB, SHOWN, die, free_space, lock, out, read, step, write
from selftest import selftest

KERNEL, PROGRAMS = "patched-gcov", ["vfio_type1_attach", "vfio_type1_fail_nth", "gcov"]
VFIO = "vfio_iommu_type1_attach_group vfio_iommu_type1_detach_group vfio_domain_detach vfio_domain_destroy".split()


def source(path):
    full = f"{trees.tree_path('patched')}/{path}"
    return read(full) if os.path.exists(full) else None


def collect(seen, lines, where, notes, tool):
    """Add what a guest has printed to seen, {(file, line): [times run, [times of each branch]]}. notes is where
    its kernel has the .gcno files."""
    data, now = {}, []
    for line in map(str.strip, lines):
        if m := re.fullmatch(r"# gcov (\d+) \S+/\.obj-[^/]+/(\S+)\.gcda", line):
            now = data[m[2]] = [int(m[1]), ""]
        elif now and re.fullmatch("[0-9a-f]+", line):
            now[1] += line
    if "# gcov end" not in map(str.strip, lines) or not data or any(len(t) != 2 * n for n, t in data.values()):
        die("the guest has not told all that gcov counted; it ends with:\n" + "\n".join(lines[-8:]))
    shutil.rmtree(where, ignore_errors=True)
    for name, (_, text) in data.items():
        write(f"{where}/{name}.gcda", bytes.fromhex(text))
        note = f"{notes}/{name}.gcno"
        shutil.copy(note if os.path.exists(note) else f"{notes}/{os.path.basename(note)}", f"{where}/{name}.gcno")
        report = out([tool, "--json-format", "--branch-probabilities", "--stdout", f"{name}.gcda"], cwd=where)
        for f in json.loads(report)["files"]:
            for line in f["lines"]:
                have = seen.setdefault((re.sub(r"^(\.\./)+", "", f["file"]), line["line_number"]), [0, []])
                have[0] += line["count"]
                taken = [b["count"] for b in line["branches"]]
                # Another object that includes the file may have other branches there: the better of the two.
                have[1] = [a + b for a, b in zip(have[1], taken)] if len(taken) == len(have[1]) else \
                    max(have[1], taken, key=lambda branches: (sum(map(bool, branches)), len(branches)))


def run_kunit(seen, arch):
    """Build the KUnit kernel of an architecture with gcov, boot it, and add to seen what it counted."""
    obj = kbuild.obj("patched", f"kunit-gcov-{arch}")
    # A test is an object that includes the driver's source.
    counted = [f for d in table.drivers() for f in table.load(d)[0].get("Files", "").split() if f.endswith(".c")]
    counted += glob.glob(f"{trees.tree_path('patched')}/drivers/iommu/**/*-test.c", recursive=True)
    kunit.build("patched", arch, "gcov-", *build.count(counted))
    init = build.pack(f"gcov-{arch}", f"{obj}/usr/gen_init_cpio", "gcov", arch)
    with step(f"running KUnit on {arch} with gcov"):
        console, _ = kunit.boot("patched", arch, "gcov-", init=init)
    ran = [m[1] for ln in console if (m := re.search(r"\b((?:not )?ok) \d+ \w", ln))]
    if not ran or "not ok" in ran:
        die(f"KUnit on {arch} fails or does not run (lab/lab kunit {arch} tells more): {SHOWN}/kunit/patched-gcov-{arch}/console")
    collect(seen, console, f"{BUILD}/coverage/{arch}", obj, f"{kbuild.CROSS[arch]}gcov")


def run_vfio(seen):
    """Run the selftests with gcov, and add to seen what was counted."""
    with step("running the VFIO selftests with gcov"):
        ran, _ = selftest(KERNEL, PROGRAMS)
    if failed := [p for p in PROGRAMS if ran.get(p, {}).get("status") != 0]:
        die(f"{failed[0]} fails (lab/lab selftest {KERNEL} {' '.join(PROGRAMS[:-1])} tells more)")
    results = read(f"{BUILD}/boot/{KERNEL}/results").splitlines()
    collect(seen, results, f"{BUILD}/coverage/vfio", build.kernel(KERNEL), "gcov")


def reach(driver):
    """{(file, function): (first line, body)} of the patched source; for VFIO the functions that are named above,
    and those that nothing but these mentions"""
    if driver != "vfio":
        res, lost = table.reach(table.load(driver)[0], source)
        if lost:
            die(f"lab/errnos/{BASE}/{driver}: the patched source has no {', '.join(lost)}")
        return res
    path = f"{build.COUNTED}.c"
    every, res, more = table.functions(source(path)), {}, VFIO

    def words(lines):
        return collections.Counter(re.findall(r"\w+", "\n".join(table.strip_comments(lines))))
    total = words(source(path).split("\n"))
    while more:
        res.update((n, every.pop(n)) for n in more)
        inside = words([ln for _, body in res.values() for ln in body])
        more = [n for n in every if inside[n] and inside[n] == total[n] - 1]
    return {(path, n): f for n, f in res.items()}


def named(driver):
    """{(function, text, which): reason} of the lines that no test can run"""
    path, res = f"{LAB}/coverage.d/{BASE}/{driver}", {}
    for line in read(path).splitlines() if os.path.exists(path) else []:
        if line.strip() and not line.startswith("#"):
            m = re.fullmatch(r"(\w+) \| (.*?)(?: #(\d+))? \| (.+)", line)
            if not m:
                die(f"{os.path.relpath(path)}: not of the form function | text | reason: {line}")
            res[m[1], m[2], int(m[3] or 1)] = m[4]
    return res


def judge(driver, seen):
    """What was run of a driver, and what is wrong with the lines that are named"""
    names, faults = named(driver), []
    left, res = set(names), {"functions": 0, "lines": 0, "run": 0, "branches": 0, "taken": 0, "named": 0, "not run": [],
                             "not every branch": [], "not compiled": []}
    for (path, function), (first, body) in sorted(reach(driver).items(), key=lambda r: (r[0][0], r[1][0])):
        times, compiled = collections.Counter(), False
        for n, text in enumerate(map(str.strip, body), first):
            times[text] += 1
            # What gcov has on a label is not what is behind it.
            if (path, n) not in seen or re.fullmatch(r"\w+:", text):
                continue
            compiled, (count, branches) = True, seen[path, n]
            place = f"{path}:{n} {function}: {text}"
            if keys := {(function, text, times[text]), (function, "*", 1)} & set(names):
                left -= keys
                res["named"] += 1
                faults += [f"{place}: is named, and was run"] if count else []
                continue
            for key, more in (("lines", 1), ("run", bool(count)), ("branches", len(branches)), ("taken", sum(map(bool, branches)))):
                res[key] += more
            if not (count and all(branches)):
                res["not every branch" if count else "not run"].append(place)
        res["functions"] += compiled
        res["not compiled"] += [] if compiled else [f"{path} {function}"]
    faults += [f"{f}: {text} #{n}: is named, and is no line with code in reach" for f, text, n in sorted(left)]
    return res, faults if res["functions"] or not names else [f"{driver} has names, but no test"]


def arguments(parser):
    parser.add_argument("driver", nargs="*", metavar="DRIVER", help=f"one of {', '.join([*table.drivers(), 'vfio'])}")
    parser.add_argument("--arch", action="append", choices=kunit.arches(), help="KUnit on this architecture only")


def command(args):
    drivers, arches = [*table.drivers(), "vfio"], args.arch or kunit.arches()
    if lost := set(args.driver) - set(drivers):
        die(f"there is no driver {', '.join(sorted(lost))}; there are {', '.join(drivers)}")
    if args.arch and not args.driver:
        die("one architecture does not have the tests of all drivers: name a DRIVER, too")
    free_space(BUILD, 2000, "the kernels with gcov")
    seen, res, faults = {}, {}, []
    with lock(BUILD):
        build.source("patched")
        for arch in arches if args.driver != ["vfio"] else []:
            run_kunit(seen, arch)
    if not args.driver or "vfio" in args.driver:
        run_vfio(seen)
    print(f"{'':13}functions  lines    run      %  branches  taken      %  named")
    for driver in args.driver or drivers:
        res[driver], wrong = judge(driver, seen)
        r = res[driver]
        faults += [f"{driver}: {w}" for w in wrong]
        if r["functions"]:
            print(f"{driver:13}{r['functions']:9}{r['lines']:7}{r['run']:7}{100 * r['run'] / r['lines']:7.1f}"
                  f"{r['branches']:10}{r['taken']:7}{100 * r['taken'] / (r['branches'] or 1):7.1f}{r['named']:7}")
        else:
            print(f"{driver:13}no test")
        for what in ("not compiled", "not every branch", "not run"):
            print("".join(f"  {what}: {place}\n" for place in r[what] if args.driver), end="")
    print("".join(f"error: {f}\n" for f in faults), end="")
    if not args.driver:
        write(f"{BUILD}/coverage.json", json.dumps(res, indent=1) + "\n")
    return 1 if faults else 0
