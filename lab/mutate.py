# SPDX-License-Identifier: GPL-2.0
"""mutate: break the series in one line, and see whether a test notices

For every line of lab/mutations/<base>/NAME, which are of the form

    file | the line as it is | the line instead | suite that is to notice

without indentation; the line is followed by #n if it is the n-th such line of the file. A suite is one of KUnit,
or a program of the VFIO selftests. KUnit mutants of different drivers are built together, as each is judged by its
own suite. Two kernels are built and run side by side, each in a tree of its own. Writes build/mutate.json."""
import concurrent.futures
import json
import os
import re
import threading
import time

import build
import kbuild
import kunit
import series
import trees
from base import get_base
from lib import BASE, BUILD, LAB, die, free_space, lock, read, say, step, write
from selftest import selftest

FOLDER = f"{LAB}/mutations/{BASE}"
TREES = ["mutants-0", "mutants-1"]
stop = threading.Event()


def load(name):
    res = []
    for n, line in enumerate(read(f"{FOLDER}/{name}").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            fields = [f.strip() for f in re.split(r" \| ", line)]
            if len(fields) != 4:
                die(f"lab/mutations/{BASE}/{name}:{n} does not have four fields: file | old | new | suite")
            res.append({"name": f"{name}:{n}", "file": fields[0], "old": fields[1], "new": fields[2],
                        "suite": fields[3].split()[0].split(".")[0]})
    return res


def mutated(text, mutant):
    """text with the line changed, or None if the line is not there or not clear"""
    m = re.match(r"(.*?)(?: #(\d+))?$", mutant["old"])
    lines = text.split("\n")
    hits = [i for i, ln in enumerate(lines) if ln.strip() == m[1]]
    if not hits or (not m[2] and len(hits) > 1) or int(m[2] or 1) > len(hits):
        return None
    at = hits[int(m[2] or 1) - 1]
    indent = re.match(r"\s*", lines[at])[0]
    lines[at] = indent + mutant["new"] if mutant["new"] else ""
    return "\n".join(lines)


def judge(tree, arch, mutants, normal, patience):
    """Run the kernel; add to each mutant what noticed it, None for a survivor."""
    seen, _ = kunit.execute(tree, arch, patience=patience)
    for m in mutants:
        mine = [n for n in normal if n.split(".")[0] == m["suite"]]
        if any(n not in seen for n in mine) and all(seen.get(n, True) for n in mine):
            # Another mutant may have stopped the kernel before this suite ran.
            alone, _ = kunit.execute(tree, arch, m["suite"], patience=patience)
        else:
            alone = seen
        m["killed_by"] = next((n for n in mine if not alone.get(n, True)), None) or next(
            (f"{n} (not reached)" for n in mine if n not in alone), None)


def remake(tree, variant, folder, image, what):
    """Compile what has changed in a folder of a tree, and link."""
    kbuild.make(tree, variant, "mutant", f"DIR={folder}", f"IMAGE={image}", what=what, makefile=f"{LAB}/mutate.mk")


def rounds(mutants):
    """Lists of mutants that can be built together: one of each driver, and each in a file of its own"""
    left = list(mutants)
    while left:
        now, used = [], set()
        for m in list(left):
            mine = {m["name"].split(":")[0], m["file"]}
            if not used & mine:
                used |= mine
                now.append(m)
                left.remove(m)
        yield now


def walk(tree, arch, mutants):
    """Break what the KUnit suites of an architecture are to notice."""
    def again(what):
        remake(tree, f"kunit-{arch}", "drivers/iommu", kunit.IMAGE[arch], what)
    try:
        kunit.build(tree, arch)
        again(f"{arch} kernel")     # made like those of the mutants
    except kbuild.BuildError as e:
        die(f"the {arch} kernel does not build:\n{e}")
    start = time.monotonic()
    normal, bad = kunit.execute(tree, arch)
    patience = max(10, 5 * (time.monotonic() - start))
    if not normal or not all(normal.values()) or bad:
        die(f"the tests of {arch} fail before anything is mutated: {[n for n, g in normal.items() if not g][:5] + bad}")
    todo = list(rounds(mutants))
    for i, together in enumerate(todo, 1):
        if stop.is_set():
            return
        originals = {}
        for m in together:
            path = os.path.join(trees.tree_path(tree), m["file"])
            originals[path] = read(path)
            write(path, mutated(originals[path], m))
        try:
            again(f"{arch} mutants {i} of {len(todo)}")
            judge(tree, arch, together, normal, patience)
        except kbuild.BuildError as e:
            die(f"a mutant does not build ({', '.join(m['name'] for m in together)}):\n{e}")
        finally:
            for path, text in originals.items():
                write(path, text)
        alive = [m["name"] for m in together if not m["killed_by"]]
        say(f"  {arch} {i} of {len(todo)}: {len(together) - len(alive)} noticed"
            + (f", not noticed: {', '.join(alive)}" if alive else ""))


def fails(program, image, initramfs):
    """Boot and run one program of the VFIO selftests; return what fails"""
    try:
        seen, bad = selftest("mutant", [program], image, initramfs, to_the_end=False)
    except RuntimeError as e:
        return [str(e).splitlines()[0]]
    failed = [f"{program}: {n}" for r in seen.values() for n, good in r["cases"].items() if not good]
    failed += [f"the console: {ln}" for ln in bad]
    return failed + [f"{program}: exit status {r['status']}" for r in seen.values() if r["status"]]


def walk_vfio(tree, mutants, initramfs):
    """The same for mutants that the VFIO selftests are to notice: one kernel for each"""
    arch, fragment = "sim-x86_64", f"{BUILD}/kunit/sim.config"
    write(fragment, build.config("x86_64", "sim"))
    kbuild.configure(tree, arch, fragment)
    image = build.IMAGE["x86_64"]
    for i, m in enumerate([None, *mutants]):
        if stop.is_set():
            return
        path = os.path.join(trees.tree_path(tree), (m or mutants[0])["file"])
        text = read(path)
        if m:
            write(path, mutated(text, m))
        try:
            if not m:
                kbuild.make(tree, arch, os.path.basename(image), what="kernel for mutants of VFIO")
            remake(tree, arch, "drivers/vfio", image, f"VFIO mutant {i} of {len(mutants)}")
            failed = []
            for program in [m["suite"]] if m else sorted({x["suite"] for x in mutants}):
                failed += fails(program, f"{kbuild.obj(tree, arch)}/{image}", initramfs)
        except kbuild.BuildError as e:
            die(f"a mutant does not build ({m and m['name']}):\n{e}")
        finally:
            write(path, text)
        if not m and failed:
            die(f"the selftests fail before anything is mutated: {failed[0]}")
        if m:
            m["killed_by"] = failed[0] if failed else None
            say(f"  VFIO mutant {i} of {len(mutants)}, {m['name']}: {m['killed_by'] or 'NOT NOTICED'}")


def arguments(parser):
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"only these: {', '.join(sorted(os.listdir(FOLDER)))}")


def command(args):
    have = sorted(os.listdir(FOLDER))
    if set(args.name) - set(have):
        die(f"there are no mutations for {', '.join(sorted(set(args.name) - set(have)))}; there are {', '.join(have)}")
    mutants = [m for name in args.name or have for m in load(name)]
    vfio = [m for m in mutants if m["suite"].startswith("vfio_")]
    homes = {arch: [m for m in mutants if m["suite"] in kunit.suites(arch)] for arch in sorted(kunit.arches(), key="x86_64".__ne__)}
    homes = {arch: mine for arch, mine in homes.items() if mine}
    if left := [m["name"] for m in mutants if m not in sum(homes.values(), vfio)]:
        die(f"no architecture has the suite of {', '.join(left)}")
    kbuild.check_path()
    free_space(BUILD, 4000, "the mutants")
    tests = build.tests("patched-sim") if vfio else None
    with lock(BUILD):
        try:
            head = series.compose(get_base())
        except series.Refused as e:
            die(e)
        for tree in TREES:
            trees.put_tree(tree, head)
        lost = [m["name"] for m in mutants if (p := os.path.join(trees.tree_path(TREES[0]), m["file"]))
                and (not os.path.exists(p) or mutated(read(p), m) is None)]
        if lost:
            die(f"the line to change is not in the file, or there more than once: {', '.join(lost)}")
        # The longest first
        jobs = [(f"{len(vfio)} mutants of VFIO", walk_vfio, vfio, tests)] if vfio else []
        jobs += [(f"{len(mine)} mutants on {arch}", walk, arch, mine) for arch, mine in homes.items()]

        def lane(tree):
            while jobs and not stop.is_set():
                what, func, *arguments = jobs.pop(0)
                try:
                    with step(what):
                        func(tree, *arguments)
                except BaseException:
                    stop.set()
                    raise
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for chain in [pool.submit(lane, tree) for tree in TREES]:
                chain.result()
    survivors = [m["name"] for m in mutants if not m["killed_by"]]
    write(f"{BUILD}/mutate.json", json.dumps({"mutants": len(mutants), "killed": len(mutants) - len(survivors),
                                              "survivors": survivors, "noticed": {m["name"]: m["killed_by"]
                                                                                  for m in mutants}}, indent=1) + "\n")
    print(f"{len(mutants)} mutants, {len(mutants) - len(survivors)} noticed by a test"
          + (f"; not noticed: {', '.join(survivors)}" if survivors else ""))
    return 1 if survivors or not mutants else 0

