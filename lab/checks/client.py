# SPDX-License-Identifier: GPL-2.0
"""QEMU as the user of VFIO, as tests: a verdict for each step that `make client` shows; guests that go wrong must end
in a clear failure with nothing left running; and every expectation below is shown to be able to fail."""
import argparse
import errno
import glob
import json
import os
import re

import client
import progress
import qemu
from lib import BUILD, Failed, command_fails, read, refuses, result, step
from vfio import NUMBERS, Join, judge_the_judge, wrong

# Where the virtual machine has its devices
SLOTS = ["0000:00:04.0", "0000:00:05.0", "0000:00:06.0"]


def row(calls, injected=0, containers=1, dma=3, reason=None):
    return {**calls, "injected": injected, "containers": containers, "machines": containers, "dma": SLOTS[:dma],
            "reason": os.strerror(getattr(errno, reason)) if reason else ""}


def added(kernel, fails):
    """device_add of the third: QEMU tries the container that it has, and if that fails a new one."""
    joins = [Join(kernel, ["its own"], "its own", **fails)]
    if joins[0].errno:
        joins.append(Join(kernel, [], "its own", **{k: v for k, v in fails.items() if k != "error"}))
    reason = joins[-1].errno
    # What is injected: an answer of the one domain, or of each that is asked
    injected = len(joins) if "broken" in fails else len(fails.keys() & {"error"})
    return row({m: sum(j.calls[m] for j in joins) for m in NUMBERS}, injected=injected, reason=reason, dma=2 if reason else 3,
               containers=2 if len(joins) > 1 and not reason else 1)


def expected(kernel):
    """{step: what it costs and leads to}"""
    # Its group's blocking domain, then the core's own; a domain that only this device was in goes with it
    unplug, gone = (row({**dict.fromkeys(NUMBERS, 0), "domain_free": free, "attach_dev": 2, "detach_group": 1}, dma=2)
                    for free in (0, 1))
    plug = added(kernel, {})
    return {"start": row(Join(kernel, [], "its own").calls, dma=0), "second": {**plug, "dma": []},
            "run": row(dict.fromkeys(NUMBERS, 0), dma=2), "plug": plug, "unplug": unplug, "plug again": plug,
            "unplug again": unplug, "reuse ENOMEM": added(kernel, {"error": "ENOMEM"}), "unplug after": gone,
            "broken ENODEV": added(kernel, {"broken": "ENODEV"}), "broken ENOMEM": added(kernel, {"broken": "ENOMEM"}),
            "mended": plug, "unplug at last": unplug, "no domain": added(kernel, {"exhausted": True})}


def honest(step):
    """What is expected of iommufd: DMA, what is locked, and errors that are told. What it costs is shown, not judged; and
    where QEMU makes a second container, it makes a second address space."""
    return {**{m: v for m, v in step.items() if m not in NUMBERS}, "containers": 1}


EXPECT = {kernel: expected(kernel) for kernel in ("stock", "patched")}
EXPECT["iommufd"] = {name: honest(step) for name, step in EXPECT["patched"].items()}
# All that QEMU may print: edu has no reset, iommufd maps no device's memory, and QEMU 10 tells of each
MAY_PRINT = (r"no available reset mechanism\.$|peer-to-peer transactions on BARs are not supported\.$|"
             r"IOMMU_IOAS_MAP failed: Bad address, PCI BAR\?$|vfio_container_dma_map\(.* = -14 \(Bad address\)$|"
             r"KVM VFIO device isn't created yet$")


def seen(s):
    """A step, with the end of what QEMU said, and how often the machine's memory is locked"""
    return {**s, "reason": s["said"].rpartition(": ")[2], "machines": client.spaces(s)}


def judge_runs(runs):
    """A verdict for each step of each run"""
    for r in runs:
        names, expect = [s["step"] for s in r["steps"]], EXPECT[r["kernel"]]
        result(names == list(expect), f"{r['kernel']} reports every step",
               "" if names == list(expect) else f"steps: {', '.join(names)}", reproduce="make client")
        for s in r["steps"]:
            bad = wrong(seen(s), expect.get(s["step"], {"said": None}))
            result(not bad, f"{r['kernel']} {s['step']}", *bad, reproduce="make client")
        more = [line for line in r["printed"] if not re.search(MAY_PRINT, line)]
        result(not more, f"{r['kernel']}: QEMU prints nothing else", *more, reproduce="make client")
    names, _ = client.kinds()
    result([r["kernel"] for r in runs] == names, f"{', '.join(names)} are there", reproduce="make client")


def judge_lab_client():
    """What is slow to bring about: runs that lab client must not believe"""
    hello = '{"type": "hello", "kernel": "stock", "iommu": "dmar0"}'
    done = '{"type": "step", "step": "start", "said": "", "dma": ""}'
    end, up = '{"type": "end"}', "nested: up"
    machine = {"name": "VT-d", "iommu": "dmar", "refused": ""}
    for name, sentence, seen in [
            ("all is well", None, {}),
            ("the kernel panics", "the stock kernel panicked", {"console": ["Kernel panic - x"]}),
            ("the virtual machine complains", "in the virtual machine of the stock guest complained",
             {"nested-console": [up, "BUG: x"]}),
            ("a console that is not seen", "nothing is seen of the console", {"nested-console": ["x"]}),
            ("an error in the guest", "went wrong: QMP, errno none; QEMU in the guest says: an error",
             {"results": [hello, '{"type": "error", "what": "QMP", "errno": "none"}'], "nested-qemu": ["an error"]}),
            ("no end", "ended before it was done", {"results": [hello, done]}),
            ("nothing reported", "reported nothing", {"results": []}),
            ("the other kernel", "not begin with a hello", {"results": [hello.replace("stock", "x"), end]}),
            ("another IOMMU", "has the IOMMUs x0", {"results": [hello.replace("dmar", "x"), end]}),
            ("half a line", "something unreadable", {"results": [hello, end[:-1]]})]:
        said = {"console": ["x"], "nested-console": [up], "nested-qemu": [], "results": [hello, done, end], **seen}
        refuses(f"lab client judges: {name}", sentence, client.judge, "stock", machine, said, 0, None, "",
                reproduce="make check ONLY=client")


def left():
    """QEMUs of lab client that still run"""
    return [f for f in glob.glob("/proc/[0-9]*/cmdline") if f"{BUILD}/boot/stock-client/results" in "".join(qemu.lines(f))]


def fails(name, sentence, *argv, status=1, stop=None, **env):
    command_fails(name, sentence, ["client", "stock", *argv], env, status, stop, left)


def command(_):
    name = "both kernels are built, boot, run QEMU and report"
    try:
        client.command(argparse.Namespace(kernel=None, do=None, patience=progress.PATIENCE))
        result(True, name)
    except Failed as e:
        result(False, name, e, reproduce="make client")
        return judge_lab_client()
    judge_lab_client()
    runs = json.loads(read(f"{BUILD}/client.json"))
    judge_runs(runs)
    other = {"stock": EXPECT["patched"], "patched": EXPECT["stock"], "iommufd": EXPECT["iommufd"]}
    judge_the_judge("client", [(r["kernel"], s["step"], seen(s), EXPECT[r["kernel"]].get(s["step"], {}),
                                other[r["kernel"]].get(s["step"], {})) for r in runs for s in r["steps"]])
    with step("guests that go wrong on purpose"):
        fails("a hang", "the stock guest hangs: for 5 s it slept", "--do=hang", "--patience=10")
        fails("a virtual machine that hangs", "the stock guest hangs: for 20 s it slept", "--do=stuck", "--patience=40")
        fails("a virtual machine that panics", "in the virtual machine of the stock guest panicked", "--do=panic")
        fails("a complaint", "the stock kernel complained on its console", "--do=warn")
        fails("a share that is missing", "the host's files cannot be mounted, errno ENOENT", "--do=noshare")
        fails("no QEMU in the guest", "/no-such-qemu: No such file or directory", "--do=noqemu")
        fails("QEMU does not start", "QEMU did not start", QEMU="false")
        fails("a QEMU that does not exist", "error: no-such-qemu is not installed", QEMU="no-such-qemu")
        fails("it is stopped", "", "--do=hang", status=143, stop=left)
