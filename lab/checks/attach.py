# SPDX-License-Identifier: GPL-2.0
"""CONFIG_IOMMU_DEBUG_ATTACH: on every machine of lab/machines the patched kernel says what the field `left` of it has, on
nearly all nothing, and under the patched core the stock drivers, with the stock type1, say what `told` has. The tests of
type1 on simulated IOMMUs make it say nothing but what they inject."""
import re

import boot
import qemu
import selftest
from checks.selftest import TESTS
from lib import BUILD, Failed, result, say

SAYS = r"iommu attach: (.*)"
# What the tests make the simulated IOMMU do on purpose: fail where it must not, with EPERM, and with EINVAL for a fresh domain
MEANT = (r"sim_attach_\w+\(\) returned (-\d+ for the \w+ domain: one that must always attach|"
         r"-1 for the unmanaged domain: not an errno of struct iommu_domain_ops|"
         r"-22 for the unmanaged domain: newly allocated for this device)")


def arguments(parser):
    parser.add_argument("machine", nargs="*", metavar="MACHINE", help="of lab/machines; all, and the tests, if none is given")


def said(console):
    """What the option says on a console, without device and address"""
    return sorted({re.sub(r" domain \S+:", " domain:", m[1].strip()) for ln in console if (m := re.search(SAYS, ln))})


def machine_says(which, machine, kind, want):
    """A result: a kernel with the option boots on a machine, and says this"""
    folder, again = f"{BUILD}/boot/{which}/{kind}", f"lab/lab checks.attach {which}"
    variant = "-".join(filter(None, ("attach", machine["kernel"])))
    try:
        boot.boot(which, {**machine, "kernel": variant}, kind)
    except Failed as e:
        say(str(e))
        return result(False, f"{which}, {kind}: the kernel with the option boots and reports", e, reproduce=again)
    have = said(qemu.lines(f"{folder}/console"))
    return result(have == sorted(want), f"{which}, {kind}: {'; '.join(want) or 'nothing is said'}", *have, reproduce=again)


def command(args):
    machines = {**qemu.machines("run"), **qemu.machines("attach")}
    for which, machine in {n: machines[n] for n in args.machine or machines}.items():
        if why := qemu.lacks(machine):
            print(f"# {which}: {why}, not counted", flush=True)
            continue
        for kind, field in ("core", "told"), ("patched", "left"):
            machine_says(which, machine, kind, machine[field].splitlines())
    told = [line for m in machines.values() for line in m["told"].splitlines()]
    result(told, "there is a machine on which stock drivers make it say something", *told)
    if args.machine:
        return
    try:
        _, bad = selftest.selftest("patched-attach-sim", TESTS)
        have = said(qemu.lines(f"{BUILD}/boot/patched-attach-sim/console"))
        odd = [line for line in have if not re.fullmatch(MEANT, line)]
        result(not odd and not bad, f"{', '.join(TESTS)}: nothing is said but what they inject", *odd, *bad, *have)
    except Failed as e:
        result(False, f"{', '.join(TESTS)} with the option", e)
