# SPDX-License-Identifier: GPL-2.0
"""The lab believes no run that went wrong: guests that do so on purpose end in a clear failure, and so do reports
that no guest can be made to give."""
import boot
import qemu
from lib import command_fails, refuses

GUESTS = {
    "panic": "the stock kernel panicked",
    "hang": "the stock guest hangs: it used",
    "halt": "the stock guest hangs: it used",
    "silent": "the stock guest reported nothing",
    "noend": "the stock guest ended before it was done",
    "warn": "the stock kernel complained on its console",
}


def judge(machine, records):
    """As lab boot judges what a guest reports"""
    boot.judge("stock", machine, qemu.judge("stock", machine, ["a console"], records, 0, None, ""))


def judge_reports():
    """What no guest can be made to do here: reports that must not be believed"""
    hello = '{"type": "hello", "kernel": "stock", "iommu": "dmar0"}'
    missed = '{"type": "group", "case": "ENOMEM", "injected": 0}'
    group, end = '{"type": "group", "case": "join"}', '{"type": "end"}'
    foreign = '{"type": "foreign"}'
    refused = '{"type": "refused", "call": "VFIO_SET_IOMMU", "errno": "EPERM"}'
    error = '{"type": "error", "what": "mmap", "errno": "ENOMEM"}'
    machine = {"name": "VT-d", "iommu": "dmar", "groups": "1", "refused": "", "replace": ""}
    control = {**machine, "groups": "0", "refused": "VFIO_SET_IOMMU EPERM"}
    for name, sentence, machine, records in [
            ("all is well", None, machine, [hello, group, foreign, end]),
            ("a control is refused", None, control, [hello, refused, end]),
            ("a control is not refused", "refused nothing", control, [hello, group, foreign, end]),
            ("a machine is refused", "refused VFIO_SET_IOMMU EPERM", machine, [hello, refused, end]),
            ("no other driver", "did not try another driver's", machine, [hello, group, end]),
            ("an injection that did not happen", "but nothing was", machine, [hello, group, missed, foreign, end]),
            ("an error in the guest", "went wrong: mmap, errno ENOMEM", machine, [hello, error]),
            ("a group too few", "reported 0 groups", machine, [hello, foreign, end]),
            ("the other kernel", "not begin with a hello", machine, [hello.replace("stock", "x"), end]),
            ("another IOMMU", "has the IOMMUs x0", machine, [hello.replace("dmar", "x"), group, end]),
            ("no IOMMU", "has the IOMMUs (none)", machine, [hello.replace("dmar0", ""), group, end]),
            ("half a line", "something unreadable", machine, [hello, end[:-1]])]:
        refuses(f"reports that are judged: {name}", sentence, judge, machine, records)


def command(_):
    judge_reports()
    for do, sentence in GUESTS.items():
        patience = ["--patience=4"] if do in ("hang", "halt") else []
        command_fails(f"a guest that goes wrong: {do}", sentence, ["boot", "stock", f"--do={do}", *patience], {})
    refuses("a machine that this QEMU is too old for", "has no VT-d, not run", boot.boot, "vtd",
            {**qemu.machines("run")["vtd"], "least": "99"}, "stock")
    command_fails("QEMU does not start", "QEMU did not start", ["boot", "stock"], {"QEMU": "false"})
    command_fails("no such machine", "there is no machine vax", ["boot", "stock", "vax"], {})
