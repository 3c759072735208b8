# SPDX-License-Identifier: GPL-2.0
"""bench: what it costs to join a container, stock beside patched and iommufd, if Linux has it, in guest time and calls

By the number of groups, by the memory that is mapped, by the number of IOMMUs that do not share domains (on simulated
ones), and where an error ends the attempt to reuse a domain. Guest time under -icount, 8 ns for each instruction, and
counted calls. Writes build/bench.json and the pictures build/bench-*.svg."""
import concurrent.futures
import json
import statistics

import build
import picture
import qemu
from lib import BASE, BUILD, SHOWN, die, step, write

GROUPS = 16             # of a machine; lab/guest/bench.c
COUNTS = ("attach_dev", "attach_group", "domain_alloc")
MEMBERS = (*COUNTS, "ns", "open_ns", "kib", "errno")
KEY = ("type", "iommus", "groups", "mapped_mib")


def with_devices(machine):
    """A machine with as many devices as the bench takes, and memory to map"""
    devices = " ".join(machine["bench"].format(n=i + 1) for i in range(GROUPS)).strip()
    return {**machine, "devices": devices or machine["devices"], "memory": "2048"}


def records(which, machine, init, kernel, image, options):
    """What a kernel costs: {(case, IOMMUs, groups, MiB mapped): {ns, calls, ...}}; growth is the sum over the groups that
    have joined."""
    res = {}
    for r in qemu.guest(f"bench-{which}", machine, kernel, image, init, options):
        if r["type"] in ("join", "growth", "hard-error"):
            res.setdefault(tuple(r.pop(k) for k in KEY), {}).update(r)
    if not res or any("ns" not in v or "attach_dev" not in v for v in res.values()):
        die(f"{machine['name']}: the {kernel} guest did not report time and calls for each join")
    for case, iommus, groups, mib in sorted(k for k in res if k[0] == "growth" and k[2] > 1):
        before = res[case, iommus, groups - 1, mib]
        res[case, iommus, groups, mib] = {m: v + before[m] for m, v in res[case, iommus, groups, mib].items()}
    return res


def measure(which, machine):
    """The objects of bench.json for a machine"""
    # "without" is patched but for the patch that tries a group's own IOMMU first (lab/build.py), where there is one.
    kernels = [*build.kernels(machine["kernel"]), *["without"] * bool(build.WITHOUT and which == "sim")]
    images = [f"{qemu.kernel(machine, k)}/image" for k in kernels]
    init = qemu.initramfs(machine, "bench")
    # With iommufd a group is in when its devices are open: so there the others are timed until then, too.
    options = ["lab.open=1" if "iommufd" in kernels and k != "iommufd" else "" for k in kernels]
    with step(f"measuring on {machine['name']}"), concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = dict(zip(kernels, pool.map(lambda *how: records(which, machine, init, *how), kernels, images, options)))
    if len({frozenset(r) for r in done.values()}) > 1:
        die(f"{machine['name']}: the kernels did not report the same joins; see {SHOWN}/boot/bench-{which}*")
    return [{"machine": which, "case": case, "groups": groups, "iommus": iommus, "mapped_mib": mib,
             **{k: {m: v for m, v in done[k][case, iommus, groups, mib].items() if m in MEMBERS} for k in kernels}}
            for case, iommus, groups, mib in done["stock"]]


def ratio(a, b):
    return f"{a / b:.2f}" if b else "-"


def times(row, kind):
    """Guest time of a join, and until the devices are open, which with iommufd is what a join is; None: not measured"""
    k = row.get(kind, {})
    return (None, k.get("ns")) if kind == "iommufd" else (k.get("ns"), k.get("open_ns"))


def medians(rows, which):
    """{kernel: what times() says} of a machine's joins of a container that has groups. One opening in some ten takes 0.1 ms
    more, with every kernel: hence no means."""
    mine = [r for r in rows if r["machine"] == which and r["case"] == "join" and r["groups"] > 1]
    return {k: [None if None in column else round(statistics.median(column)) for column in zip(*(times(r, k) for r in mine))]
            for k in build.KINDS if k in mine[0]}


def table(rows):
    kinds = [k for k in build.KINDS if any(k in r for r in rows)]
    opens = "iommufd" in kinds

    def line(machine, mib, groups, end, words):
        kernels = (" ".join(f"{w or '-':>9}" for w in words(k)[:3 if opens else 2]) for k in kinds)
        return " | ".join([f"{machine:<13} {mib:>5} {groups:>5}", *kernels, f"{end:>6}"])
    yield "A group joins a container that has 1 or 15 (or all other) groups. Calls: of attach_dev, iommu_attach_group() and"
    yield "iommu_domain_alloc(). ns: guest time" + (
        "; open: until its devices are open, which with iommufd is the\njoin, and most of which is the opening itself:" if opens else ":")
    yield line("machine", "MiB", "group", "ratio", lambda k: (k, "ns", "open"))
    joins = [r for r in rows if r["case"] == "join"]
    for r in joins:
        last = max(x["groups"] for x in joins if x["machine"] == r["machine"])
        if r["groups"] in (2, last):
            yield line(r["machine"], r["mapped_mib"], r["groups"], ratio(r["stock"]["ns"], r["patched"]["ns"]),
                       lambda k, r=r: ("/".join(str(r[k][m]) for m in COUNTS) if k in r else None, *times(r, k)))
    if opens:
        yield "Medians over all joins of a container that has groups:"
        for which in dict.fromkeys(r["machine"] for r in joins if "iommufd" in r):
            had = medians(rows, which)
            yield line(which, "", "", ratio(had["stock"][0], had["patched"][0]), lambda k, had=had: ("", *had[k]))
    growth = [r for r in rows if r["case"] == "growth" and r["groups"] == 32]
    if growth:
        shown = [k for k in ("stock", "without", "patched") if k in growth[0]]
        yield ""
        yield "32 groups join in turn, behind IOMMUs that do not share domains. Attempts: calls of iommu_attach_group(), of"
        yield "which each group needs one" + "; without: patched, but no patch that tries a group's own IOMMU first" * (
            "without" in shown) + ":"
        yield " ".join([f"{'IOMMUs':>6} {'MiB':>4} | attempts", *(f"{k:>8}" for k in shown[1:]), f"{'floor':>6} |",
                        f"{'ns stock':>9}", *(f"{k:>9}" for k in shown[1:]), f"{'ratio':>6}"])
        for r in growth:
            yield " ".join([f"{r['iommus']:>6} {r['mapped_mib']:>4} |", *(f"{r[k]['attach_group']:>8}" for k in shown),
                            f"{r['groups']:>6} |", *(f"{r[k]['ns']:>9}" for k in shown),
                            f"{ratio(r['stock']['ns'], r['patched']['ns']):>6}"])
    yield ""
    yield "Reusing the domain ends with ENOMEM: ns with the probe's own time in it, memory that is used then" + (
        "; iommufd has\nopened the device by then, and closes it:" if opens else ":")
    head = f"{'KiB':>6} {'errno':<6}"
    yield " | ".join([f"{'machine':<13} {'MiB':>5}", *(f"{f'{k} ns':>10} {head}" for k in kinds), f"{'ratio':>8}"])
    for r in (r for r in rows if r["case"] == "hard-error"):
        none = dict.fromkeys(("ns", "kib", "errno"), "-")
        mine = (f"{k['ns']:>10} {k['kib']:>6} {k['errno']:<6}" for k in (r.get(kind, none) for kind in kinds))
        yield " | ".join([f"{r['machine']:<13} {r['mapped_mib']:>5}", *mine, f"{ratio(r['stock']['ns'], r['patched']['ns']):>8}"])


def pictures(rows):
    """{file: contents}. Calls only: they are the same wherever they are counted."""
    growth = [r for r in rows if r["case"] == "growth" and not r["mapped_mib"]]

    names = {"stock": BASE, "without": "errno only", "patched": "own IOMMU first" if build.WITHOUT else "patched"}

    def draw(title, x, some):
        lines = {n: [(r[x], r[k]["attach_group"]) for r in some] for k, n in names.items() if k in some[0]}
        return picture.curves(title, {"iommus": "IOMMUs"}.get(x, x), "calls of iommu_attach_group()",
                              {**lines, "floor": [(r[x], r["groups"]) for r in some]})
    return {"iommu-attach-groups.svg": draw("Groups join a container in turn, behind 16 IOMMUs that share no domain",
                                            "groups", [r for r in growth if r["iommus"] == 16]),
            "iommu-attach-iommus.svg": draw("32 groups join a container in turn, behind IOMMUs that share no domain",
                                            "iommus", [r for r in growth if r["groups"] == 32])}


def arguments(parser):
    parser.add_argument("machine", nargs="*", metavar="MACHINE", help="of lab/machines; all that it has if none is given")


def command(args):
    rows = []
    for which, machine in qemu.find("bench", *args.machine).items():
        rows += measure(which, with_devices(machine))
    print("\n".join(table(rows)))
    write(f"{BUILD}/bench.json", json.dumps(rows, indent=1) + "\n")
    if any(r["case"] == "growth" for r in rows):
        for name, text in pictures(rows).items():
            write(f"{BUILD}/bench-{name}", text)
    print(f"the same as JSON: {SHOWN}/bench.json; pictures: {SHOWN}/bench-*.svg")
