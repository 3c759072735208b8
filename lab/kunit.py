# SPDX-License-Identifier: GPL-2.0
"""kunit: build a kernel with the KUnit tests of the series for each architecture, and run it under QEMU

The tests of an architecture are those that the fragment lab/kunit.d/ARCH.config has, its line "# Suites:" names their suites; the kernel's own parser,
tools/testing/kunit/kunit_parser.py, judges what they print. Writes build/kunit.json, or build/kunit-debug.json:
{ARCH: {"cases": {"suite.test: case": passed}, "complaints": [...]}}."""
import glob
import importlib
import io
import json
import os
import re
import sys

import kbuild
import qemu
import trees
from build import source
from lib import BUILD, LAB, TOP, die, free_space, lock, need, read, say, step, write

FOLDER = f"{LAB}/kunit.d"
# By architecture: the image that is booted
IMAGE = {"x86_64": "arch/x86/boot/bzImage", "arm": "arch/arm/boot/zImage", "arm64": "arch/arm64/boot/Image",
         "powerpc": "vmlinux", "s390": "arch/s390/boot/bzImage"}
# Seconds of CPU time, or asleep, in which a guest that is well has something to say
PATIENCE = 300
# Options of lab/debug.config that an architecture does not have
NOT_THERE = {"arm": "CONFIG_UBSAN_SANITIZE_ALL"}


def arches():
    return sorted(os.path.basename(f)[:-7] for f in glob.glob(f"{FOLDER}/*.config")
                  if not f.endswith("/common.config"))


def config(arch):
    return read(f"{FOLDER}/common.config") + read(f"{FOLDER}/{arch}.config")


def suites(arch):
    """What the fragment says that runs there"""
    return " ".join(re.findall(r"^# Suites: (.*)", config(arch), re.M)).split()


def configure(tree, arch, variant, text):
    """Configure the kernel of an architecture in a tree; variant keeps its objects apart from others."""
    need(qemu.PROGRAM[arch])
    fragment = f"{BUILD}/kunit/{variant}.config"
    write(fragment, text)
    kbuild.configure(tree, variant, fragment)


def make(tree, arch, variant, *more):
    """Build it: what QEMU boots"""
    kbuild.make(tree, variant, os.path.basename(IMAGE[arch]), *more, what=f"{variant} kernel")


def build(tree, arch, debug=""):
    """Build the kernel of an architecture in a tree. debug is debug- or nothing."""
    text = config(arch)
    if debug:
        text += "".join(ln for ln in read(f"{LAB}/debug.config").splitlines(True)
                        if not any(re.search(rf"^(# )?{o}\b", ln) for o in NOT_THERE.get(arch, "").split()))
    configure(tree, arch, f"kunit-{debug}{arch}", text)
    make(tree, arch, f"kunit-{debug}{arch}")


def boot(obj, arch, where, cmdline="", init=None, patience=PATIENCE):
    """Boot a kernel of KUnit; return the lines of its console, which is where/console."""
    machine = qemu.machines("kunit")[f"kunit-{arch}"]
    proc = qemu.start(machine, where, f"{obj}/{IMAGE[arch]}", init, f"kunit.enable=1 {machine['cmdline']} {cmdline}", ports=())
    status, _, says = qemu.end(proc, where, patience=patience, asleep=patience)
    if status > 0:
        die(f"QEMU failed with exit status {status}: {says}")
    return read(f"{where}/console").splitlines()


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
    parser.stdout = importlib.import_module("kunit_printer").Printer(io.StringIO())
    test = parser.parse_run_tests(console)
    fine = test.ok_status() and not test.counts.errors
    return dict(cases(test.subtests)), [] if fine else [f"kunit_parser: {test.status.name}, {test.counts}"]


def execute(tree, arch, only=None, debug="", patience=PATIENCE):
    """Run the tests; return {name: passed} and what else the console complained of"""
    obj, where = kbuild.obj(tree, f"kunit-{debug}{arch}"), f"{BUILD}/kunit/{tree}-{debug}{arch}"
    console = boot(obj, arch, where, f"kunit_shutdown=reboot {f'kunit.filter_glob={only}' if only else ''}", patience=patience)
    # A suite NAME_warn is there to show that the kernel warns.
    log = re.sub(r"# Subtest: (\w+_warn)\r?\n.*?\n[^\n]*\bok \d+ \1\r?\n", "", "\n".join(console) + "\n", flags=re.S)
    seen, wrong = parse(tree, console)
    if not only and (lost := {n.split(".")[0] for n in seen} ^ set(suites(arch))):
        wrong.append(f"run and not named in lab/kunit.d/{arch}.config, or named and not run: {', '.join(sorted(lost))}")
    return seen, sorted(set(qemu.complaints(log.splitlines()))) + wrong


def arguments(parser):
    parser.add_argument("arch", nargs="*", metavar="ARCH", help=f"one of {', '.join(arches())}; all if none is given")
    parser.add_argument("--debug", action="store_true",
                        help="with the options of lab/debug.config that the architecture has; build/kunit-debug.json")


def command(args):
    debug = "debug-" if args.debug else ""
    if lost := set(args.arch) - set(arches()):
        die(f"there is no KUnit for {', '.join(sorted(lost))}; there is for {', '.join(arches())}")
    free_space(BUILD, 2000, "the kernels for KUnit")
    res, fine = {}, True
    with lock(BUILD):
        source("patched")
        for arch in args.arch or arches():
            try:
                with step(f"building the {arch} kernel for KUnit"):
                    build("patched", arch, debug)
            except kbuild.BuildError as e:
                die(f"the {arch} kernel does not build:\n{e}")
            with step(f"running KUnit on {arch}"):
                seen, bad = execute("patched", arch, debug=debug)
            failed = [n for n, good in seen.items() if not good]
            say("\n".join([f"  {arch}: {len(seen)} cases, {len(failed)} failed", *(f"    {line}" for line in failed + bad)]))
            fine = fine and seen and not failed and not bad
            res[arch] = {"cases": seen, "complaints": bad}
    path = f"{BUILD}/kunit{debug and '-debug'}.json"
    write(path, json.dumps(res, indent=1) + "\n")
    say(f"the same as JSON: {os.path.relpath(path, TOP)}; consoles: build/kunit/patched-{debug}ARCH/console")
    return 0 if fine else 1
