# SPDX-License-Identifier: GPL-2.0
"""kunit: build a kernel with the KUnit tests of the series for each architecture, and run it under QEMU

The tests of an architecture are those that the fragment lab/kunit.d/BASE/ARCH.config has; its lines "# Suites:" name their
suites. The kernel's own parser, tools/testing/kunit/kunit_parser.py, judges what they print. Writes build/kunit.json,
or build/kunit-debug.json: {ARCH: {"cases": {"suite.test: case": passed}, "complaints": [...]}}."""
import glob
import importlib
import inspect
import io
import json
import os
import re
import sys

import kbuild
import qemu
import trees
from build import options, source
from lib import BASE, BUILD, LAB, SHOWN, TOP, die, free_space, lock, need, read, say, step, write

FOLDER = f"{LAB}/kunit.d/{BASE}"
# Seconds of CPU time, or asleep, in which a guest that is well has something to say
PATIENCE = 300
# Options of lab/debug.config that an architecture does not have
NOT_THERE = {"arm": "CONFIG_UBSAN_SANITIZE_ALL"}


def arches():
    return sorted(os.path.basename(f)[:-7] for f in glob.glob(f"{FOLDER}/*.config"))


def config(arch, kind=""):
    """The fragments of a kernel; kind: nothing, or debug- or gcov-, for one with lab/debug.config or lab/gcov.config"""
    more = options(kind[:-1]).splitlines(True) if kind else []
    return read(f"{LAB}/kunit.d/common.config") + read(f"{FOLDER}/{arch}.config") + "".join(
        ln for ln in more if not any(re.search(rf"^(# )?{o}\b", ln) for o in NOT_THERE.get(arch, "").split()))


def suites(arch):
    """What the fragment says that runs there"""
    return " ".join(re.findall(r"^# Suites: (.*)", config(arch), re.M)).split()


def build(tree, arch, kind="", *more):
    """Build the kernel of an architecture in a tree, for which make gets more arguments."""
    need(qemu.PROGRAM[arch])
    variant, image = f"kunit-{kind}{arch}", os.path.basename(kbuild.IMAGE[arch])
    fragment = f"{BUILD}/kunit/{variant}.config"
    write(fragment, config(arch, kind))
    with step(f"building the {arch} kernel for KUnit"):
        kbuild.configure(tree, variant, fragment)
        kbuild.make(tree, variant, image, *more, what=f"the {kind}{arch} kernel for KUnit")


def boot(tree, arch, kind="", cmdline="", init=None, patience=PATIENCE):
    """Boot it; return the lines of its console, which is build/kunit/TREE-KIND-ARCH/console, and how far it hangs, if so."""
    machine, where = qemu.machines("kunit")[f"kunit-{arch}"], f"{BUILD}/kunit/{tree}-{kind}{arch}"
    machine.update(devices="", memory="1024")
    proc = qemu.start(machine, where, f"{kbuild.obj(tree, f'kunit-{kind}{arch}')}/{kbuild.IMAGE[arch]}", init,
                      f"kunit.enable=1 {machine['cmdline']} {cmdline}", ports=())
    status, hangs, says = qemu.end(proc, where, patience=patience, asleep=patience)
    if status:
        raise qemu.Broken(f"QEMU failed with exit status {status}: {says}")
    return read(f"{where}/console").splitlines(), hangs


def cases(tests, path=""):
    """("suite.test: case", passed) of each test that the parser has seen"""
    for t in tests:
        if t.subtests:
            yield from cases(t.subtests, f"{path}{t.name}" + (": " if path else "."))
        elif t.name:
            yield f"{path}{t.name}", t.status.name == "SUCCESS"


def parse(tree, console):
    """{name: passed}, and a sentence if the kernel's parser is not content"""
    folder = f"{trees.tree_path(tree)}/tools/testing/kunit"
    if folder not in sys.path:
        sys.path.append(folder)
    parser = importlib.import_module("kunit_parser")
    printer = importlib.import_module("kunit_printer").Printer(output=io.StringIO())
    if "printer" in inspect.signature(parser.parse_run_tests).parameters:
        test = parser.parse_run_tests(console, printer)
    else:                                   # 6.1
        parser.stdout = printer
        test = parser.parse_run_tests(console)
    fine = test.ok_status() and not test.counts.errors
    return dict(cases(test.subtests)), [] if fine else [f"kunit_parser: {test.status.name}, {test.counts}"]


def execute(tree, arch, kind="", only=None, patience=PATIENCE):
    """Run the tests; return {name: passed} and what else the console complained of"""
    console, hangs = boot(tree, arch, kind, f"kunit_shutdown=reboot {f'kunit.filter_glob={only}' if only else ''}", patience=patience)
    # A suite NAME_warn is there to show that the kernel warns; all other complaints in between count.
    log = re.sub(r"# Subtest: (\w+_warn)\r?\n.*?\n[^\n]*\bok \d+ \1\r?\n",
                 lambda m: re.sub("WARNING: CPU|Call Trace:", "", m[0]), "\n".join(console) + "\n", flags=re.S)
    seen, wrong = parse(tree, console)
    wrong += [f"the guest hangs: {hangs}"] if hangs else []
    if not only and (lost := {n.split(".")[0] for n in seen} ^ set(suites(arch))):
        wrong.append(f"run and not named in lab/kunit.d/{BASE}/{arch}.config, or named and not run: {', '.join(sorted(lost))}")
    return seen, sorted(set(qemu.complaints(log.splitlines()))) + wrong


def arguments(parser):
    parser.add_argument("arch", nargs="*", metavar="ARCH", help=f"one of {', '.join(arches())}; all if none is given")
    parser.add_argument("--debug", action="store_true",
                        help="with the options of lab/debug.config that the architecture has; build/kunit-debug.json")


def command(args):
    kind = "debug-" if args.debug else ""
    if not arches():
        die(f"lab/kunit.d/{BASE} has no architecture")
    if lost := set(args.arch) - set(arches()):
        die(f"there is no KUnit for {', '.join(sorted(lost))}; there is for {', '.join(arches())}")
    free_space(BUILD, 2000, "the kernels for KUnit")
    res = {}
    with lock(BUILD):
        source("patched")
        for arch in args.arch or arches():
            build("patched", arch, kind)
            with step(f"running KUnit on {arch}"):
                seen, bad = execute("patched", arch, kind)
            failed = [n for n, good in seen.items() if not good]
            say("\n".join([f"  {arch}: {len(seen)} cases, {len(failed)} failed", *(f"    {line}" for line in failed + bad)]))
            res[arch] = {"cases": seen, "complaints": bad}
    path = f"{BUILD}/kunit{kind and '-debug'}.json"
    write(path, json.dumps(res, indent=1) + "\n")
    say(f"the same as JSON: {os.path.relpath(path, TOP)}; consoles: {SHOWN}/kunit/patched-{kind}ARCH/console")
    return 0 if all(r["cases"] and all(r["cases"].values()) and not r["complaints"] for r in res.values()) else 1
