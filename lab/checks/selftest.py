# SPDX-License-Identifier: GPL-2.0
"""The VFIO selftests on simulated IOMMUs, by the argument: without one it runs them on the patched kernel,
each test a result; `stock` shows that the stock kernel fails some; `debug` runs them on both with KASAN, UBSAN, lockdep,
kmemleak and so on; `soak` is a long random walk. A test that the guest skips counts as failed."""
import random

import progress
from lib import Failed, result
from selftest import selftest

# What soak does not find with one seed it may with another.
SEED = random.randrange(10 ** 6)
TESTS = ["vfio_type1_attach", "vfio_type1_fail_nth"]
# Tests of this variant need devices behind a real IOMMU: not run here, and not counted.
REAL = "any.real."
NAME = "vfio_type1_attach"
SHORT = "vfio_type1_walk:-n:3000:-s:7"
# Booted for itself: the other tests leave domains behind where they make the IOMMU refuse to let go.
LONG = f"vfio_type1_walk:-n:100000:-s:{SEED}"


def run(kernel, programs, must_pass, patience=progress.PATIENCE):
    """One boot as results; on a kernel that need not pass, only that the guest comes to its end"""
    command = f"lab/lab selftest {kernel} {' '.join(programs)}"
    try:
        seen, bad = selftest(kernel, programs, patience=patience)
    except Failed as e:
        result(False, f"{kernel}: {', '.join(programs)}", e, reproduce=command)
        return {}, []
    for name in (p.split(":")[0] for p in programs if must_pass):
        r = seen.get(name)
        if not r:
            result(False, f"{kernel} {name} was run", reproduce=command)
            continue
        for case, good in r["cases"].items():
            result(good, f"{kernel} {name} {case}", *([] if good else r["notes"][case]), reproduce=command)
        real = [c for c in r["skipped"] if c.startswith(REAL)]
        for case, why in r["skipped"].items():
            if case not in real:
                result(False, f"{kernel} {name} {case} is not skipped", why, reproduce=command)
        count = len(r["cases"]) + len(r["skipped"])
        result(r["status"] == 0 and r["cases"] and r["plan"] == count, f"{kernel} {name} ends well",
               f"exit status {r['status']}, {count} of {r['plan']} tests", f"not run: {', '.join(real) or 'none'}", reproduce=command)
    if must_pass:
        result(not bad, f"{kernel} complains of nothing", *bad[:20], reproduce=command)
    return seen, bad


def arguments(parser):
    parser.add_argument("mode", nargs="?", choices=["stock", "debug", "soak"])


def command(args):
    if args.mode == "soak":
        run("patched-sim", [LONG], True, 20 * progress.PATIENCE)    # it says nothing until it is done
        return
    if args.mode == "stock":
        passed, stock = (run(kernel, TESTS[:1], False)[0] for kernel in ("patched-sim", "stock-sim"))
        good, failed = ({n for n, ok in seen.get(NAME, {"cases": {}})["cases"].items() if ok == want}
                        for seen, want in ((passed, True), (stock, False)))
        result(failed & good, f"the stock kernel fails {len(failed & good)} of the {len(good)} tests of {NAME} that the patched passes",
               *sorted(failed & good), reproduce=f"lab/lab selftest stock-sim {NAME}")
        return
    kind = args.mode or "sim"
    run(f"patched-{kind}", TESTS, True)
    run(f"patched-{kind}", [SHORT], True)
    if args.mode == "debug":
        _, bad = run("stock-debug", TESTS, False)
        result(bad, "the stock kernel's complaints, the reason for patches", *bad[:40],
               reproduce="lab/lab selftest stock-debug " + " ".join(TESTS))
