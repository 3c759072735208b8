# SPDX-License-Identifier: GPL-2.0
"""selftest: boot a kernel and run programs of tools/testing/selftests in it, vfio's with the simulated IOMMU, or the peers'

Prints what fails, and exits 0 if every test of every program passed and the kernel complained of nothing."""
import re

import build
import progress
import qemu
from lib import BUILD, SHOWN, die, say, step

# Where a test makes the IOMMU refuse what must not fail, the core is to warn, with this text.
MEANT = r"iommu driver failed to attach (a compatible|the default|the default/blocking) domain"


def parse(lines):
    """{program: {"status": n, "cases": {name: passed}, "skipped": {name: why}, "notes": {name: lines}, "plan": n,
    "trace": lines}}, and whether the guest came to its end"""
    res, now, notes = {}, {}, []
    for line in lines:
        if m := re.match(r"# run (\S+)$", line):
            notes, now = [], res.setdefault(m[1], {"status": None, "cases": {}, "skipped": {}, "notes": {}, "plan": None,
                                                   "trace": []})
        elif m := re.match(r"# exit (\S+) (\d+)$", line):
            now["status"] = int(m[2])
            now = {}
        elif now and (m := re.match(r"# trace (.*)", line)):
            now["trace"].append(m[1])
        elif now and (m := re.match(r"1\.\.(\d+)", line)):
            now["plan"] = int(m[1])
        elif now and (m := re.match(r"(not )?ok \d+ (.*?) ?(?:# SKIP (.*))?$", line)):
            name, why = m[2], m[3]
            if not name:    # the harness of 6.1 gives only the reason here, and the name above
                above = re.match(r"# +OK +(\S+)", notes[-1] if notes else "")
                name = above[1] if above else why
            if why is None:
                now["cases"][name] = not m[1]
            else:
                now["skipped"][name] = why
            now["notes"][name], notes = notes, []
        else:
            notes.append(line)
    return res, lines[-1:] == ["# end"]


def selftest(kernel, programs, image=None, init=None, to_the_end=True, patience=progress.PATIENCE, trace=False):
    """Boot a kernel of lab/build.py, or an image, and run, to_the_end or until a test fails; return parse()'s dict and
    the lines of the console that should not be there. A run that cannot be believed fails."""
    peers = kernel.endswith("-peers")
    (machine,) = qemu.machines("peers" if peers else "selftest").values()
    if "debug" in kernel:
        machine["memory"] = "2048"
    image, init = image or f"{build.kernel(kernel)}/image", init or build.tests(kernel)
    where = f"{BUILD}/boot/{kernel}"
    proc = qemu.start(machine, where, image, init, f"{machine['cmdline']} lab.tests={','.join(programs)}{' lab.trace=1' * trace}")
    status, hangs, says = qemu.end(proc, where, "results", patience=patience, until=lambda: not to_the_end and qemu.first(
        "^not ok ", qemu.lines(f"{where}/results")))
    if status:
        raise qemu.Broken(f"QEMU failed with exit status {status}: {says}")
    console, lines = qemu.lines(f"{where}/console"), qemu.lines(f"{where}/results")
    seen, ended = parse(lines)
    cut = re.split(r"(?m)(^[^\n]*-\[ cut here \]-(?:[^\n]*\n)*?[^\n]*-\[ end trace [^\n]*$)", "\n".join(console))
    rest = [part for part in cut if "[ cut here ]" not in part or peers or not re.search(MEANT, part)]
    bad = qemu.complaints("".join(rest).splitlines())
    if not ended and not bad and (to_the_end or all(good for r in seen.values() for good in r["cases"].values())):
        tail = "".join(f"\n    {ln}" for ln in (lines or console)[-8:])
        die(f"the {kernel} guest {f'hangs: {hangs}' if hangs else 'did not come to its end'}; {where} ends with:{tail}")
    return seen, bad


def arguments(parser):
    kernels = [k for k in build.KERNELS if {*build.SELFTESTS} & {*build.VARIANTS[k.partition("-")[2]]}]
    parser.add_argument("kernel", metavar="KERNEL", choices=kernels, help="one of %(choices)s")
    parser.add_argument("--trace", action="store_true", help="also print what the trace events for attaches said meanwhile")
    parser.add_argument("program", nargs="+", metavar="PROGRAM[:ARGUMENT...]", help="and the arguments that it gets, + for a colon in one")


def command(args):
    with step(f"running {', '.join(args.program)} on {args.kernel}"):
        seen, bad = selftest(args.kernel, args.program, trace=args.trace)
    fine = not bad
    for program, r in seen.items():
        print("".join(f"{line}\n" for line in r["trace"]), end="")
        failed = [n for n, good in r["cases"].items() if not good]
        for n in failed:
            print("\n".join([f"not ok {n}", *r["notes"][n]]))
        for n, why in r["skipped"].items():
            print(f"skipped {n}: {why}")
        print(f"{program}: {len(r['cases']) - len(failed)} passed, {len(failed)} failed, {len(r['skipped'])} skipped, "
              f"exit status {r['status']}")
        fine = fine and r["status"] == 0 and not failed and r["cases"] and r["plan"] == len(r["cases"]) + len(r["skipped"])
    for line in bad:
        print(f"the kernel complained: {line}")
    say(f"console: {SHOWN}/boot/{args.kernel}/console")
    for program in {a.split(":")[0] for a in args.program} - set(seen):
        print(f"{program} was not run")
        fine = False
    return 0 if fine else 1
