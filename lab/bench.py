# SPDX-License-Identifier: GPL-2.0
"""bench: what it costs to join a container, stock beside patched, in guest time and calls

By the number of groups, by the memory that is mapped, by the number of IOMMUs that do not share domains (on simulated
ones), and where an error ends the attempt to reuse a domain. Guest time under -icount, 8 ns for each instruction, and
counted calls. Writes build/bench.json and the pictures build/bench-*.svg."""
import concurrent.futures
import json

import qemu
from lib import BUILD, die, step, write

GROUPS = 16             # of a machine; lab/guest/bench.c
COUNTS = ("attach_dev", "attach_group", "domain_alloc")
# The kernels of a run. "without" is patched but for the patch that tries a group's own IOMMU first (lab/build).
KERNELS = ("stock", "patched")


def with_devices(machine):
    """A machine with as many devices as the bench takes, and memory to map"""
    devices = " ".join(machine["bench"].format(n=i + 1) for i in range(GROUPS)).strip()
    return {**machine, "devices": devices or machine["devices"], "memory": "2048"}


def records(which, machine, kernel, image, init):
    """What a kernel costs: {(case, IOMMUs, groups, MiB mapped): {ns, calls, ...}}"""
    said = qemu.guest(f"bench-{which}", machine, kernel, image, init)
    res = {}
    for r in said:
        if r["type"] in ("join", "growth", "hard-error"):
            res.setdefault((r["type"], r["iommus"], r["groups"], r["mapped_mib"]), {}).update(
                {k: v for k, v in r.items() if k not in ("type", "iommus", "groups", "mapped_mib")})
    if not res or any("ns" not in v or "attach_dev" not in v for v in res.values()):
        raise RuntimeError(f"{machine['name']}: the {kernel} guest did not report time and calls for each join")
    return res


def add_up(res):
    """Growth is the sum over the groups that have joined."""
    for key in sorted(k for k in res if k[0] == "growth" and k[2] > 1):
        before = res[(key[0], key[1], key[2] - 1, key[3])]
        res[key] = {m: v + before[m] for m, v in res[key].items()}
    return res


def measure(which, machine):
    """The objects of bench.json for a machine"""
    kernels = [*KERNELS, "without"] if which == "sim" else KERNELS
    images = [f"{qemu.kernel(machine, k)}/image" for k in kernels]
    init = qemu.initramfs(machine, "bench")
    with step(f"measuring on {machine['name']}"), concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = dict(zip(kernels, pool.map(lambda k, f: add_up(records(which, machine, k, f, init)), kernels, images)))
    if len({frozenset(r) for r in done.values()}) > 1:
        raise RuntimeError(f"{machine['name']}: the kernels did not report the same joins; see build/boot/bench-{which}*")
    return [{"machine": which, "case": case, "groups": groups, "iommus": iommus, "mapped_mib": mib,
             **{k: {m: v for m, v in done[k][case, iommus, groups, mib].items() if m in (*COUNTS, "ns", "kib", "errno")}
                for k in kernels}}
            for case, iommus, groups, mib in done["stock"]]


def ratio(a, b):
    return f"{a / b:.2f}" if b else "-"


def table(rows):
    yield "A group joins a container that has 1 or 15 (or all other) groups, ns of guest time:"
    yield f"{'machine':<13} {'MiB':>5} {'group':>5} {'stock':>9} {'patched':>9} {'ratio':>6}"
    joins = [r for r in rows if r["case"] == "join"]
    for r in joins:
        last = max(x["groups"] for x in joins if x["machine"] == r["machine"])
        if r["groups"] in (2, last):
            a, b = r["stock"]["ns"], r["patched"]["ns"]
            yield f"{r['machine']:<13} {r['mapped_mib']:>5} {r['groups']:>5} {a:>9} {b:>9} {ratio(a, b):>6}"
    growth = [r for r in rows if r["case"] == "growth" and r["groups"] == 32]
    if growth:
        yield ""
        yield "32 groups join in turn, behind IOMMUs that do not share domains. Attempts: calls of iommu_attach_group(), of"
        yield "which each group needs one; without: patched, but no patch that tries a group's own IOMMU first:"
        yield (f"{'IOMMUs':>6} {'MiB':>4} | {'attempts':>8} {'without':>8} {'patched':>8} {'floor':>6} | "
               f"{'ns stock':>9} {'without':>9} {'patched':>9} {'ratio':>6}")
        for r in growth:
            s, w, p = r["stock"], r["without"], r["patched"]
            yield (f"{r['iommus']:>6} {r['mapped_mib']:>4} | {s['attach_group']:>8} {w['attach_group']:>8} "
                   f"{p['attach_group']:>8} {r['groups']:>6} | {s['ns']:>9} {w['ns']:>9} {p['ns']:>9} "
                   f"{ratio(s['ns'], p['ns']):>6}")
    errors = [r for r in rows if r["case"] == "hard-error"]
    yield ""
    yield "Reusing the domain ends with ENOMEM: ns with the probe's own time in it, memory that is used then:"
    yield f"{'machine':<13} {'MiB':>5} | {'stock ns':>10} {'KiB':>6} {'errno':<6} | {'patched ns':>10} {'KiB':>6} {'errno':<6} | {'ratio':>8}"
    for r in errors:
        s, p = r["stock"], r["patched"]
        yield (f"{r['machine']:<13} {r['mapped_mib']:>5} | {s['ns']:>10} {s['kib']:>6} {s['errno']:<6} | "
               f"{p['ns']:>10} {p['kib']:>6} {p['errno']:<6} | {ratio(s['ns'], p['ns']):>8}")


def picture(title, xlabel, ylabel, lines):
    """A plain SVG of lines, {name: [(x, y), ...]}"""
    width, height, left, top = 640, 400, 70, 40
    xs, ys = ([p[i] for line in lines.values() for p in line] for i in (0, 1))
    right, bottom = width - 130, height - 50

    def at(x, y):
        return f"{left + (x - min(xs)) * (right - left) / (max(xs) - min(xs)):.1f},{bottom - y * (bottom - top) / max(ys):.1f}"
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           '<!-- SPDX-License-Identifier: GPL-2.0 -->',
           f'<rect width="{width}" height="{height}" fill="white"/>',
           f'<text x="{width / 2:g}" y="22" text-anchor="middle" font-size="14">{title}</text>',
           f'<text x="{(left + right) / 2:g}" y="{height - 12}" text-anchor="middle">{xlabel}</text>',
           f'<text x="16" y="{(top + bottom) / 2:g}" text-anchor="middle" transform="rotate(-90 16 {(top + bottom) / 2:g})">{ylabel}</text>',
           f'<path d="M{left},{top} V{bottom} H{right}" fill="none" stroke="black"/>']
    for x in sorted(set(xs)) if len(set(xs)) < 8 else range(0, max(xs) + 1, 8):
        if x >= min(xs):
            px = at(x, 0).split(",")[0]
            out.append(f'<text x="{px}" y="{bottom + 16}" text-anchor="middle">{x}</text>')
    for i in range(5):
        y = max(ys) * i // 4
        py = float(at(min(xs), y).split(",")[1])
        out.append(f'<path d="M{left},{py:g} H{right}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 6}" y="{py + 4:g}" text-anchor="end">{y}</text>')
    ends = []
    for (name, line), (colour, dash) in zip(lines.items(), [("#c00", ""), ("#06c", "6 3"), ("#080", ""), ("#666", "2 3")]):
        out.append(f'<polyline points="{" ".join(at(*p) for p in line)}" fill="none" stroke="{colour}" stroke-width="2"'
                   + (f' stroke-dasharray="{dash}"' if dash else "") + "/>")
        x, y = map(float, at(*line[-1]).split(","))
        while any(abs(y - e) < 14 for e in ends):           # no name on another
            y += 2
        ends.append(y)
        out.append(f'<text x="{x + 6:g}" y="{y + 4:g}" fill="{colour}">{name}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def pictures(rows):
    """{file: contents}. Calls only: they are the same wherever they are counted."""
    growth = [r for r in rows if r["case"] == "growth" and not r["mapped_mib"]]

    def lines(some, x):
        res = {n: [(r[x], r[k]["attach_group"]) for r in some] for n, k in (
            ("6.1", "stock"), ("errno only", "without"), ("own IOMMU first", "patched"))}
        return {**res, "floor": [(r[x], r["groups"]) for r in some]}
    return {"iommu-attach-groups.svg": picture(
                "Groups join a container in turn, behind 16 IOMMUs that share no domain", "groups",
                "calls of iommu_attach_group()", lines([r for r in growth if r["iommus"] == 16], "groups")),
            "iommu-attach-iommus.svg": picture(
                "32 groups join a container in turn, behind IOMMUs that share no domain", "IOMMUs",
                "calls of iommu_attach_group()", lines([r for r in growth if r["groups"] == 32], "iommus"))}


def arguments(parser):
    parser.add_argument("machine", nargs="*", metavar="MACHINE", help="of lab/machines; all that it has if none is given")


def command(args):
    rows = []
    for which, machine in qemu.find("bench", *args.machine).items():
        try:
            rows += measure(which, with_devices(machine))
        except RuntimeError as e:
            die(e)
    print("\n".join(table(rows)))
    write(f"{BUILD}/bench.json", json.dumps(rows, indent=1) + "\n")
    if any(r["case"] == "growth" for r in rows):
        for name, text in pictures(rows).items():
            write(f"{BUILD}/bench-{name}", text)
    print("the same as JSON: build/bench.json; pictures: build/bench-*.svg")
