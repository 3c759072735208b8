# SPDX-License-Identifier: GPL-2.0
"""KUnit of the series on those of the architectures that are named for which the base has tests, with --others on all
but these: each case a result; and every row of the errno tables that says `kunit`, with a suite of theirs, names a case
that has passed in this run. With --debug on kernels with KASAN, UBSAN, lockdep and so on, of all architectures, and
without the tables."""
import glob
import json
import re
import tempfile

import kunit
import series
import table
from lib import BUILD, read, result


def arguments(parser):
    kunit.arguments(parser)
    parser.add_argument("--others", action="store_true", help="on all but these")


def command(args):
    args.arch = [a for a in kunit.arches() if (a in args.arch) != args.others] or kunit.arches()
    option = ["--debug"] if args.debug else []
    status = kunit.command(args)
    runs, passed = json.loads(read(f"{BUILD}/kunit{'-debug' if args.debug else ''}.json")), set()
    for arch, seen in runs.items():
        again = f"lab/lab kunit {' '.join([*option, arch])}"
        for name, good in seen["cases"].items():
            result(good, f"{arch} {name}", reproduce=again)
            if good:
                passed |= {name, name.partition(": ")[0]}
        result(bool(seen["cases"]), f"{arch} has tests", reproduce=again)
        result(not seen["complaints"], f"{arch} complains of nothing", *seen["complaints"], reproduce=again)
    fine = runs and all(s["cases"] and all(s["cases"].values()) and not s["complaints"] for s in runs.values())
    result((status == 0) == bool(fine), "lab/lab kunit's exit status says the same")
    result(sorted(runs) == sorted(args.arch), f"run on {', '.join(args.arch)}")
    if args.debug:
        return
    # A test that no kernel has been built with would never run.
    with tempfile.TemporaryDirectory(prefix="kunit-", dir=BUILD) as tmp:
        for p in series.read_series():
            series.new_files(p, tmp)
        added = glob.glob(f"{tmp}/**/Kconfig*", recursive=True)
        offered = {o for f in added for o in re.findall(r"^config (\w+_KUNIT_TEST)$", read(f), re.M)}
    chosen = {o for a in kunit.arches() for o in re.findall(r"^CONFIG_(\w+_KUNIT_TEST)=y$", kunit.config(a), re.M)}
    result(offered and offered == chosen, f"the {len(offered)} tests that the series adds are all run, here or elsewhere",
           *sorted(offered ^ chosen))
    here = {s for a in args.arch for s in kunit.suites(a)}
    elsewhere = {s for a in kunit.arches() for s in kunit.suites(a)} - here
    left = 0
    for driver in table.drivers():
        rows = [r for r in table.load(driver)[1] if r["Evidence"].lower().startswith("kunit")]
        wanted = [(r, c) for r in rows for c in table.kunit_cases(r) or ["no case is named"]]
        mine = [(r, c) for r, c in wanted if c.split(".")[0] not in elsewhere]
        left += len(wanted) - len(mine)
        lost = [f"{r['Where']}: {r['Text']}: {c}" for r, c in mine if c not in passed]
        if mine:
            result(not lost, f"the {len({id(r) for r, _ in mine})} rows of {driver} that say kunit have a case that passed", *lost)
    result(True, f"{left} cases that rows name are of suites that run on {', '.join(a for a in kunit.arches() if a not in args.arch)}"
           if left else "every row's case was looked at")
