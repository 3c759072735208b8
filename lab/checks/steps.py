# SPDX-License-Identifier: GPL-2.0
"""drivers/iommu and drivers/vfio build, with no W=1 or sparse message that the base does not have, on the architectures
that are named: at each patch, or at the last. One folder of objects is walked from the
base to the last patch, so a step compiles what it touches; the base is compiled whole each time, because its messages are
what the others are held against.

Most of a step is make finding out that there is little to do, on one core: so two walks go side by side, each in a tree of
its own; of a single architecture each walks a half."""
import concurrent.futures
import glob
import os
import re
import shutil
import time

import kbuild
import series
import trees
from base import get_base
from lib import BUILD, Failed, die, free_space, lock, need, read, result, say, write

# On top of allmodconfig: what makes objects slow or big and says nothing about the code.
CONFIG = """\
# CONFIG_WERROR is not set
# CONFIG_KASAN is not set
# CONFIG_UBSAN is not set
# CONFIG_KCOV is not set
# CONFIG_MODVERSIONS is not set
# CONFIG_GCOV_KERNEL is not set
CONFIG_DEBUG_INFO_NONE=y
CONFIG_COMPILE_TEST=y
"""
# What an architecture needs besides, and the attach_dev drivers that it is there for: one of them
# that the base has and that is not built is a failure. Together these are all that there are.
KCSAN = "# CONFIG_KCSAN is not set\n"
CLANG = "CONFIG_LTO_NONE=y\nCONFIG_RANDSTRUCT_NONE=y\n"        # it selects MODVERSIONS
BOOKE = "# CONFIG_PPC64 is not set\nCONFIG_PPC_85xx=y\nCONFIG_PPC_E500MC=y\nCONFIG_PHYS_64BIT=y\n"
ARCHES = {
    "x86_64": (KCSAN, "amd/iommu intel/iommu virtio-iommu apple-dart arm/arm-smmu/arm-smmu arm/arm-smmu/qcom_iommu "
                      "exynos-iommu ipmmu-vmsa mtk_iommu omap-iommu riscv/iommu rockchip-iommu sprd-iommu "
                      "sun50i-iommu vsi-iommu"),
    "arm": ("", "msm_iommu mtk_iommu_v1 tegra-gart tegra-smmu"),
    "arm64": (KCSAN, "arm/arm-smmu-v3/arm-smmu-v3"),
    "powerpc": (BOOKE, "fsl_pamu fsl_pamu_domain"),
    "riscv": (KCSAN, "riscv/iommu"),
    "s390": (KCSAN, "s390-iommu"),
    "clang-x86_64": (KCSAN + CLANG, "amd/iommu intel/iommu virtio-iommu"),
    "clang-arm64": (KCSAN + CLANG, "arm/arm-smmu/arm-smmu arm/arm-smmu-v3/arm-smmu-v3"),
}
DIRS = ["drivers/iommu/", "drivers/vfio/"]
# sparse 0.6.4 does not know the operator, and a newer kernel then does without sparse
NO_SPARSE = {"riscv"}       # sparse 0.6.4 does not take its -march
MODINFO = "error: bad constant expression"      # it says so of each MODULE_LICENSE() and the like of 7.3
CHECK = "CHECK=sparse -D__typeof_unqual__=__typeof__"


def messages(text, tree):
    """The set of messages in what make printed in a tree: without line numbers and the path of the build"""
    found = set()
    for line in text.splitlines():
        m = re.match(r"(?:\.\./)?(\S+?):(?:(\d+):)?(?:\d+:)*\s*((?:sparse: )?(?:warning|error): .*)", line)
        if m and not (m[3] == MODINFO and m[2] and re.match("MODULE_|module_", read(f"{tree}/{m[1]}").split("\n")[int(m[2]) - 1])):
            found.add(f"{os.path.normpath(m[1])}: " + re.sub(r"\bline \d+|:\d+", "", m[3]))
    return found


# What sparse says of a driver's own lines when a test includes them, with its calls redirected. Of the driver by itself
# it is asked at the patches that touch it, all of which come before its test.
SPARSE = r"context imbalance in|was not declared\. Should it be static"


def included(tree):
    """The sources that the tests of a tree include"""
    res = set()
    for path in glob.glob(f"{trees.tree_path(tree)}/drivers/iommu/**/*-test.c", recursive=True):
        for name in re.findall(r'^#include "(.*\.c)"', read(path), re.M):
            res.add(os.path.relpath(os.path.join(os.path.dirname(path), name), trees.tree_path(tree)))
    return res


def walk(tree, arch, base, steps):
    """Build the base and then each step; return what result() is to be told."""
    done, known, have, start = [], set(), set(), time.monotonic()
    # The patches that bring options, or the test that an option waits for; the first may bring those of many.
    options = {base, steps[0][0], *trees.git("rev-list", f"{base}..{steps[-1][0]}", "--", ":(glob)**/Kconfig",
                                             ":(glob)drivers/iommu/**/*-test.c").split()}
    for d in DIRS:
        shutil.rmtree(f"{kbuild.obj(tree, arch)}/{d}", ignore_errors=True)
    more, drivers = ARCHES[arch]
    config = f"{BUILD}/{tree}.config"
    write(config, CONFIG + more)
    for n, (commit, title) in enumerate([(base, "base"), *steps]):
        if n and n % 10 == 0:
            say(f"  {arch}: {n} of {len(steps)} steps, {time.monotonic() - start:.0f} s")
        trees.put_tree(tree, commit)
        try:
            if commit in options:
                kbuild.configure(tree, arch, config, "allmodconfig")
                now = set(re.findall(r"^CONFIG_\w+=[ym]$", read(f"{kbuild.obj(tree, arch)}/.config"), re.M))
                have = have or now
                if have - now:
                    die(f"options are gone: {', '.join(sorted(have - now))}")
            text = kbuild.make(tree, arch, "W=1", *[] if arch in NO_SPARSE else ["C=1", CHECK], *DIRS, what=f"{arch} {title}")
        except Failed as e:
            done.append((False, f"{arch} {title}", e))
            if commit == base:
                return done
            continue
        built, found = len(re.findall(r"^  CC ", text, re.M)), messages(text, trees.tree_path(tree))
        if commit == base:
            known = found
            lost = [d for d in drivers.split() if os.path.exists(f"{trees.tree_path(tree)}/drivers/iommu/{d}.c")
                    and not os.path.exists(f"{kbuild.obj(tree, arch)}/drivers/iommu/{d}.o")]
            checked = "  CHECK " in text or arch in NO_SPARSE
            done.append((bool(built and not lost and checked), f"{arch} {title}", f"{built} objects, {len(known)} messages, "
                         f"{time.monotonic() - start:.0f} s; here for {drivers}", *(f"not built: {d}" for d in lost),
                         "" if checked else "sparse was not run"))
        else:
            new = {m for m in found - known if not (m.split(": ")[0] in included(tree) and re.search(SPARSE, m))}
            done.append((not new, f"{arch} {title}", f"{built} objects", *sorted(new)))
    say(f"{arch}: {len(steps)} steps, {time.monotonic() - start:.0f} s")
    return done


def arguments(parser):
    parser.add_argument("where", choices=["each", "last"])
    parser.add_argument("arch", nargs="+", choices=ARCHES, metavar="ARCH", help=f"of {', '.join(ARCHES)}")


def command(args):
    need("sparse")
    kbuild.check_path()
    base = get_base()
    free_space(BUILD, 3000, "the walk through the series")
    with lock(BUILD):
        head = series.compose(base)
        todo = [(head, "the last patch")]
        if args.where == "each":
            commits = trees.git("rev-list", "--reverse", f"{base}..{head}").split()
            todo = list(zip(commits, (p["name"] for p in series.read_series()), strict=True))
        jobs = [(arch, todo) for arch in args.arch]
        if len(jobs) == 1 and todo[1:]:
            jobs = [(args.arch[0], todo[:len(todo) // 2]), (args.arch[0], todo[len(todo) // 2:])]
        # Made one after the other: two checkouts at a time would step on each other in git.
        for n in range(2):
            trees.put_tree(f"steps-{n}", base)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            # A tree has its own architectures, so that the next call finds its objects there.
            chains = [pool.submit(lambda n: [walk(f"steps-{n}", arch, base, some) for arch, some in jobs[n::2]], n)
                      for n in range(2)]
        for good, *text in (step for chain in chains for done in chain.result() for step in done):
            result(good, *text)
