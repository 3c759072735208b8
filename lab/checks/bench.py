# SPDX-License-Identifier: GPL-2.0
"""The bench on all machines: the calls are as many as the kernels' ways to look for a domain make, the patched kernel is
not slower than iommufd, a run repeats (a replay of mappings but for 0.1 %: where the pages are is not the same), and the
pictures in the documentation are those that it draws."""
import argparse
import json
import os

import bench
import build
import qemu
from lib import BASE, BUILD, TOP, Failed, read, result, write
from vfio import Join

MIB = [0, 64, 1024]


def attempts(kernel, iommus, groups):
    """When groups join in turn behind IOMMUs that share no domain: (calls of iommu_attach_group(), domains allocated)"""
    domains = []
    joins = [Join(kernel, domains, g % iommus) for g in range(groups)]
    return tuple(sum(j.calls[m] for j in joins) for m in ("attach_group", "domain_alloc"))


def arguments(parser):
    parser.add_argument("machine", nargs="*", metavar="MACHINE", help="of lab/machines; all that it has if none is given")


def command(args):
    try:
        bench.command(args)
        result(True, "lab bench comes to its end")
    except Failed as e:
        return result(False, "lab bench comes to its end", e, reproduce="make bench")
    text = read(f"{BUILD}/bench.json")
    rows = json.loads(text)
    machines = qemu.find("bench", *args.machine)
    for which, machine in machines.items():
        mine = [r for r in rows if r["machine"] == which]
        last = int(machine["groups"]) if which != "sim" and not machine["bench"] else bench.GROUPS
        have = [(r["case"], r["iommus"], r["groups"], r["mapped_mib"]) for r in mine]
        want = [("growth", k, g, m) for k in (1, 2, 4, 8, 16) for m in MIB[:2] for g in range(1, 33) if which == "sim"]
        want += [("join", 1, g, m) for m in MIB for g in range(1, last + 1)] + [("hard-error", 1, 2, m) for m in MIB]
        result(sorted(have) == sorted(want), f"{which}: every row is there", f"{len(have)} rows, expected {len(want)}")
        bad = [r for r in mine if r["case"] == "join" and r["groups"] > 1 and which != "pair" and any(
            [r[k][m] for m in bench.COUNTS] != want for k, want in (("stock", [4, 2, 1]), ("patched", [2, 1, 0])))]
        result(not bad, f"{which}: a group that fits an existing domain costs what it must", *map(json.dumps, bad[:3]))
        if "iommufd" in build.kernels(machine["kernel"]):
            stock, patched, iommufd = (had[1] for had in bench.medians(rows, which).values())
            result(patched <= iommufd, f"{which}: until the devices are open patched is not slower than iommufd",
                   f"median ns: stock {stock}, patched {patched}, iommufd {iommufd}")
        for r in mine:
            if r["case"] == "hard-error":
                s, p = r["stock"], r["patched"]
                good = (s["errno"], s["domain_alloc"], p["errno"], p["domain_alloc"], p["attach_group"]) == (0, 1, "ENOMEM", 0, 1)
                good = good and r.get("iommufd", p)["errno"] == "ENOMEM"
                result(good and p["ns"] < s["ns"] and p["kib"] <= 8, f"{which}, {r['mapped_mib']} MiB: an error costs stock a "
                       "domain and its replay, and patched neither", json.dumps(r))
    for r in rows:
        if r["case"] == "growth" and r["groups"] == 32:
            kernels = ("stock", *["without"] * bool(build.WITHOUT), "patched")
            want = [attempts(k, r["iommus"], 32) for k in kernels]
            have = [(r[k]["attach_group"], r[k]["domain_alloc"]) for k in kernels]
            result(have == want, f"{r['iommus']} IOMMUs, {r['mapped_mib']} MiB: attempts and domains of 32 groups",
                   f"{', '.join(kernels)}: {have}, expected {want}")
    shipped = bench.pictures(rows) if "sim" in machines and BASE == "6.1" else {}
    for name, svg in shipped.items():
        path = f"Documentation/driver-api/{name}"
        result(os.path.exists(f"{TOP}/{path}") and read(f"{TOP}/{path}") == svg, f"{path} is the picture of these numbers",
               reproduce=f"make bench; cp build/bench-{name} {path}")
    which = next(iter(machines))
    bench.command(argparse.Namespace(machine=[which]))
    again = json.loads(read(f"{BUILD}/bench.json"))
    first = [r for r in rows if r["machine"] == which]
    differ = [json.dumps([a, b]) for a, b in zip(first, again) for k in build.KINDS
              if abs(a[k]["ns"] - b[k]["ns"]) > max(8, a[k]["ns"] / 1000) or any(a[k][m] != b[k][m] for m in bench.COUNTS)]
    result(again and not differ and len(first) == len(again), "a run repeats", *differ[:3], reproduce=f"make bench MACHINE={which}")
    write(f"{BUILD}/bench.json", text)
