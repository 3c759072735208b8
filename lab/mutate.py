# SPDX-License-Identifier: GPL-2.0
"""mutate: break the series in one line, and see whether a test notices

For every line of lab/mutations/<base>/NAME, which are of the form

    file | the line as it is | the line instead | suite case

without indentation; the line is followed by #n if it is the n-th such line of the file. A suite is one of KUnit, or a
program of the VFIO selftests or iommufd's, with arguments as `lab/lab selftest` takes them; the case is one that is to
notice. The mutants of a NAME-debug are run on a kernel with lab/debug.config, those of iommufd's on one with
lab/peers.config. KUnit mutants of different drivers are built together, as each is judged by its own suite. Two kernels
are built and run side by side, each in a tree of its own. Writes build/mutate.json."""
import concurrent.futures
import functools
import glob
import json
import os
import random
import re
import threading
import time

import build
import kbuild
import kunit
import qemu
import series
import trees
from base import get_base
from lib import BASE, BUILD, LAB, Failed, die, free_space, lock, read, say, step, write
from selftest import selftest

FOLDER = f"{LAB}/mutations/{BASE}"
NAMES = sorted(map(os.path.basename, glob.glob(f"{FOLDER}/*")))
TREES = ["mutants-0", "mutants-1"]
# Programs that the kernel has already, to which the series adds cases
PEERS = {name: f"tools/testing/selftests/iommu/{name}.c" for name in ("iommufd", "iommufd_fail_nth")}
stop = threading.Event()


@functools.cache
def peers(program):
    """{path: text} of one of PEERS, with what the series adds; nothing for another"""
    path = PEERS.get(program)
    return {path: trees.blobs(series.compose(get_base()), [path])[path][1].decode()} if path else {}


def load(name):
    """The mutants of a file of lab/mutations"""
    res, sources = [], series.sources(r"tools/testing/selftests/vfio/[^/]*\.c|drivers/iommu/.*-test\.c")
    for n, line in enumerate(read(f"{FOLDER}/{name}").splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            fields, where = [f.strip() for f in line.split(" | ")], f"lab/mutations/{BASE}/{name}:{n}"
            if len(fields) != 4 or not fields[3]:
                die(f"{where} does not have four fields: file | old | new | suite case")
            suite, _, case = fields[3].partition(" ")
            sources.update(peers(suite.partition(":")[0]))
            text = "".join(t for f, t in sources.items()
                           if f'"{suite}"' in t or f.endswith(f"/{suite.partition(':')[0]}.c"))
            if lost := set(re.findall(r"\w+", case)) - set(re.findall(r"\w+", text)) if text else {"the suite"}:
                die(f"{where}: no test has the case `{fields[3]}`: no source of it has {', '.join(sorted(lost))}")
            res.append({"name": f"{name}:{n}", "file": fields[0], "old": fields[1], "new": fields[2], "suite": suite})
    return res


def mutated(text, mutant):
    """text with the line changed, or None if the line is not there or not clear"""
    m = re.match(r"(.*?)(?: #(\d+))?$", mutant["old"])
    lines = text.split("\n")
    hits = [i for i, ln in enumerate(lines) if ln.strip() == m[1]]
    if not hits or (not m[2] and len(hits) > 1) or int(m[2] or 1) > len(hits):
        return None
    at = hits[int(m[2] or 1) - 1]
    lines[at] = re.match(r"\s*", lines[at])[0] + mutant["new"] if mutant["new"] else ""
    return "\n".join(lines)


def rounds(mutants):
    """Lists of mutants that can be built together: one of each driver, and each in a file of its own"""
    left, res = list(mutants), []
    while left:
        used, now = set(), []
        for m in left:
            mine = {m["name"].split(":")[0], m["file"]}
            if not used & mine:
                used |= mine
                now.append(m)
        left = [m for m in left if m not in now]
        res.append(now)
    return res


def walk(tree, kind, groups, remake, judge):
    """Break the lines of each group together in a tree, have the kernel remade, and have it judged what noticed them."""
    for i, together in enumerate(groups, 1):
        if stop.is_set():
            return
        files = {os.path.join(trees.tree_path(tree), m["file"]): m for m in together}
        originals = {path: read(path) for path in files}
        try:
            for path, m in files.items():
                write(path, mutated(originals[path], m))
            remake(f"{kind} {i} of {len(groups)} ({', '.join(m['name'] for m in together)})")
            judge(together)
        finally:
            for path, text in originals.items():
                write(path, text)
        alive = [m["name"] for m in together if not m["killed_by"]]
        say(f"  {kind} {i} of {len(groups)}: {len(together) - len(alive)} noticed"
            + (f", not noticed: {', '.join(alive)}" if alive else ""))


def remaker(tree, variant, folders, image):
    """What compiles what has changed in folders of a tree, and links: mutants' kernels, and the one before any"""
    return lambda what: kbuild.make(tree, variant, "mutant", f"DIR={folders}", f"IMAGE={image}", what=what,
                                    makefile=f"{LAB}/mutate.mk")


def walk_kunit(tree, mutants, arch):
    """Those that the KUnit suites of an architecture are to notice"""
    remake = remaker(tree, f"kunit-{arch}", "drivers/iommu", kbuild.IMAGE[arch])
    kunit.build(tree, arch)
    remake(f"{arch} kernel")
    start = time.monotonic()
    normal, bad = kunit.execute(tree, arch)
    patience = max(10, 5 * (time.monotonic() - start))
    if not normal or not all(normal.values()) or bad:
        die(f"the tests of {arch} fail before anything is mutated: {[n for n, g in normal.items() if not g][:5] + bad}")

    def judge(together):
        every, _ = kunit.execute(tree, arch, patience=patience)
        for m in together:
            seen, mine = every, [n for n in normal if n.split(".")[0] == m["suite"]]
            if any(n not in seen for n in mine) and all(seen.get(n, True) for n in mine):
                # Another mutant may have stopped the kernel before this suite ran.
                seen, _ = kunit.execute(tree, arch, only=m["suite"], patience=patience)
            m["killed_by"] = next((n for n in mine if not seen.get(n, True)), None) or next(
                (f"{n} (not reached)" for n in mine if n not in seen), None)
    walk(tree, f"{arch} mutants", rounds(mutants), remake, judge)


def kind_of(mutant):
    """What the kernel is to have besides, for a mutant of walk_vfio()"""
    return "peers" if mutant["suite"].partition(":")[0] in PEERS else "debug" if "-debug:" in mutant["name"] else "sim"


def walk_vfio(tree, mutants, kind, initramfs):
    """Those that the VFIO selftests are to notice, on a kernel of this kind: one kernel for each"""
    variant, fragment, image = f"{kind}-x86_64", f"{BUILD}/kunit/{kind}.config", kbuild.IMAGE["x86_64"]
    remake = remaker(tree, variant, "drivers/iommu drivers/vfio", image)
    write(fragment, build.config(*build.VARIANTS[kind]))
    kbuild.configure(tree, variant, fragment)
    kbuild.make(tree, variant, os.path.basename(image), what="the kernel for mutants of VFIO")
    remake("the kernel for mutants of VFIO")

    def fails(program):
        """What fails first in one program of the VFIO selftests"""
        try:
            seen, bad = selftest(f"mutant-{kind}", [program], f"{kbuild.obj(tree, variant)}/{image}", initramfs, to_the_end=False)
        except qemu.Broken:
            raise
        except Failed as e:
            return str(e).splitlines()[0]
        failed = [f"{program}: {n}" for r in seen.values() for n, good in r["cases"].items() if not good]
        failed += [f"the console: {ln}" for ln in bad]
        failed += [f"{program}: exit status {r['status']}" for r in seen.values() if r["status"]]
        return failed[0] if failed else None

    def judge(together):
        for m in together:
            m["killed_by"] = fails(m["suite"])
    for program in sorted({m["suite"] for m in mutants}):
        if failed := fails(program):
            die(f"the selftests fail before anything is mutated: {failed}")
    walk(tree, "VFIO mutant", [[m] for m in mutants], remake, judge)


def arguments(parser):
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"only these: {', '.join(NAMES)}")
    parser.add_argument("--sample", type=int, metavar="N", help="only N of them, drawn by lot: others when the series is another")


def command(args):
    kbuild.check_path()
    if not NAMES:
        die(f"lab/mutations/{BASE} has no mutations")
    if unknown := set(args.name) - set(NAMES):
        die(f"there are no mutations for {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    mutants = [m for name in args.name or NAMES for m in load(name)]
    with lock(BUILD):
        head = series.compose(get_base())
    texts = trees.blobs(head, {m["file"] for m in mutants})
    if lost := [m["name"] for m in mutants if m["file"] not in texts
                or mutated(texts[m["file"]][1].decode(errors="replace"), m) is None]:
        die(f"the line to change is not in the file, or there more than once: {', '.join(lost)}")
    if args.sample and args.sample < len(mutants):
        say(f"{args.sample} of {len(mutants)} mutants")
        drawn = {m["name"] for m in random.Random(head).sample(mutants, args.sample)}
        mutants = [m for m in mutants if m["name"] in drawn]
    vfio = [m for m in mutants if m["suite"].startswith("vfio_") or m["suite"].partition(":")[0] in PEERS]
    homes = {arch: [m for m in mutants if m["suite"] in kunit.suites(arch)]
             for arch in sorted(kunit.arches(), key="x86_64".__ne__)}
    if left := [m["name"] for m in mutants if m not in sum(homes.values(), vfio)]:
        die(f"no architecture has the suite of {', '.join(left)}")
    free_space(BUILD, 4000, "the mutants")
    with lock(BUILD):
        # The longest first
        jobs = [(f"{len(mine)} mutants of VFIO ({kind})", walk_vfio, mine, kind, build.tests(f"patched-{kind}"))
                for kind in ("sim", "debug", "peers") if (mine := [m for m in vfio if kind_of(m) == kind])]
        jobs += [(f"{len(mine)} mutants on {arch}", walk_kunit, mine, arch) for arch, mine in homes.items() if mine]
        for tree in TREES:
            trees.put_tree(tree, head)
            trees.tree_git(tree, "checkout", "-q", "-f")    # a run that was killed has left its mutant there

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
            try:
                for chain in [pool.submit(lane, tree) for tree in TREES]:
                    chain.result()
            finally:                        # also where this one is told to end
                stop.set()
    survivors = [m["name"] for m in mutants if not m["killed_by"]]
    write(f"{BUILD}/mutate.json", json.dumps({
        "mutants": len(mutants), "killed": len(mutants) - len(survivors), "survivors": survivors,
        "noticed": {m["name"]: m["killed_by"] for m in mutants}}, indent=1) + "\n")
    print(f"{len(mutants)} mutants, {len(mutants) - len(survivors)} noticed by a test"
          + (f"; not noticed: {', '.join(survivors)}" if survivors else ""))
    return 1 if survivors or not mutants else 0
