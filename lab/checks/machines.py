# SPDX-License-Identifier: GPL-2.0
"""What VFIO does on each machine of lab/machines, with a verdict for each row that `make run` shows; and every
expectation is shown to be able to fail. On VT-d the kernel with the topic vfio and what it needs alone, too. Writes
build/machines.json."""
import json

import boot
import picture
import qemu
import run
from lib import BASE, BUILD, LAB, Failed, read, result, say, write
from vfio import NUMBERS, Join, judge_the_judge, wrong


def arguments(parser):
    parser.add_argument("machine", nargs="*", metavar="MACHINE", help="of lab/machines; all if none is given")


def joins(kernel, sequence):
    """What is expected of groups, (IOMMU, number of devices) each, that join one after the other"""
    domains = []
    for iommu, n in sequence:
        j = Join(kernel, domains, iommu, n)
        yield {"domain": j.domain, "dma": True, "errno": 0, **j.calls}


def injected(kernel, first, second, err, default):
    """The errno comes from the first group's domain. Where it reaches the caller, the container is as before, and the
    next try succeeds; the device is in no container until then, so no DMA of its own arrives."""
    j = Join(kernel, [first[0]], *second, error=err, default=default)
    return {"injected": 1, "unharmed": True, "domain": j.domain, "dma": not j.errno, "errno": j.errno or 0, **j.calls,
            **({"retry": "reused", "retry_dma": True} if j.errno else {})}


# Another driver's domain: 6.1's stock core hands the device to that driver
REFUSED = {"errno": "EINVAL", "called": False}
FOREIGN = {"stock": {"errno": 0, "called": True} if BASE == "6.1" else REFUSED, "patched": REFUSED, "iommufd": REFUSED}


def replaced(kernel, machine):
    """A domain that the driver refuses, for a device that does DMA in another one. Stock's VT-d and zPCI block the device
    first, virtio leaves it in a domain without mappings, and it stays so until it is detached"""
    errno, *dead = machine["replace"].split(", ")[kernel == "patched"].split()
    return {"before": True, "errno": errno, "after": not dead, "others": True, "again": 0, "again_dma": not dead,
            "mended": True, "another": 0, "another_dma": True}


def honest(records):
    """What is expected of iommufd: DMA that arrives and errnos that are told. What it costs is shown, not judged."""
    for name, record, expect in records:
        yield name, record, {m: v for m, v in expect.items() if m not in NUMBERS and m not in ("domain", "domains", "retry")}


def expected(kernel, report, machine):
    """(name, record, what it must say) of a run"""
    shared = machine["shared"] == "1"           # any domain fits behind any IOMMU
    groups = report["groups"]
    plain = [g for g in groups if g["case"] == "join"]
    kinds = {g["device"]: ("" if shared else g["iommu"], g["devices"]) for g in plain}
    for g, e in zip(plain, joins(kernel, kinds.values())):
        yield f"{g['device']} joins", g, e
    for o in report["orders"]:
        es = list(joins(kernel, [kinds[d] for d in o["devices"].split()]))
        yield f"order {o['devices']}", o, {"dma": True, "domains": sum(e["domain"] == "fresh" for e in es),
                                           **{m: sum(e[m] for e in es) for m in NUMBERS}}
    first, second = (kinds[g["device"]] for g in plain[:2])
    for g in groups:
        if g["case"] == "back":
            yield f"{g['device']} leaves and comes back", g, {
                **list(joins(kernel, [first, second]))[1], "others": True}
        elif g["case"] != "join":
            yield f"{g['device']} {g['case']}", g, injected(kernel, first, second, g["case"], machine["default"] == "1")
    yield "another driver's domain", report["foreign"], FOREIGN[kernel]
    if report["replace"]:
        yield "a replace that is refused", report["replace"], replaced(kernel, machine)


def expected_of(r, machine, kernel):
    """expected() of a run, by what is known of its kernel"""
    return honest(expected("patched", r, machine)) if kernel == "iommufd" else expected(kernel, r, machine)


def judge_run(which, machine, r, kernel):
    """A verdict for each row of a run: the kernel, or one that is to do as it does"""
    again, said = f"make run MACHINE={which}", f"{which}, {r['kernel']}"
    for name, record, expect in expected_of(r, machine, kernel):
        bad = wrong(record, expect)
        result(not bad, f"{said}: {name}", *bad, *r["notes"], reproduce=again)
    cases = [g["case"] for g in r["groups"]]
    want = ["join"] * int(machine["groups"]) + ["back", "EINVAL", "ENOMEM", "ENODEV"]
    result(cases == want and len(r["orders"]) == 6, f"{said}: every row is there",
           f"rows: {' '.join(cases)}, {len(r['orders'])} orders", reproduce=again)
    several = max(g["devices"] for g in r["groups"])
    result(several == int(machine["functions"]), f"{said}: a group of several functions",
           f"the largest group has {several}, expected {machine['functions']}", reproduce=again)


def judge(which, machine, runs):
    for r in runs:
        judge_run(which, machine, r, r["kernel"])
    stock, patched = map(run.reuse_ns, runs[:2])
    result(patched and stock / patched >= float(machine["ratio"]),
           f"{which}: a group that joins an existing domain takes stock {machine['ratio']} times as long",
           f"ns: stock {stock}, patched {patched}", reproduce=f"make run MACHINE={which}")


def command(args):
    done = []
    for which, machine in qemu.find("run", *args.machine).items():
        try:
            if why := qemu.lacks(machine):
                print(f"# {which}: {why}, not counted", flush=True)
                continue
            runs = run.run(which, machine)
        except Failed as e:
            say(str(e))
            result(False, f"{which}: the kernels boot and report", e, reproduce=f"make run MACHINE={which}")
            continue
        done += runs
        if machine["refused"]:
            result(True, f"{which}: {machine['refused']} on all kernels")
            continue
        judge(which, machine, runs)
        other = {"stock": "patched", "patched": "stock", "iommufd": "iommufd"}
        judge_the_judge(which, [(r["kernel"], *row, others[2]) for r in runs for row, others in zip(
            expected_of(r, machine, r["kernel"]), expected_of(r, machine, other[r["kernel"]]))])
        if which == "vtd":
            try:        # The contract and the retry loop stand on nothing else.
                judge_run(which, machine, boot.boot(which, machine, "vfio"), "patched")
            except Failed as e:
                result(False, f"{which}: the kernel of the topic vfio boots and reports", e, reproduce=f"lab/lab boot vfio {which}")
        if which == "vtd" and BASE == "6.1":        # whose calls the README shows
            svg = picture.second_join(runs)
            result(read(f"{LAB}/second-join.svg") == svg, "the README's picture is that of this run", svg,
                   reproduce="make run; cp build/second-join.svg lab/")
    write(f"{BUILD}/machines.json", json.dumps(done, indent=1) + "\n")
