# SPDX-License-Identifier: GPL-2.0
"""run: build the stock and the patched kernel, boot both, and show what VFIO does on each

For each group what it cost to join the container, side by side; where Linux has it, with iommufd's VFIO container beside
them. Writes build/run.json, and build/second-join.svg, which is to be lab/second-join.svg."""
import concurrent.futures
import json

import picture
import qemu
from boot import boot, made_of
from build import KINDS
from lib import BUILD, SHOWN, die, write

# heading, format, member of a group in run.json
COLUMNS = [("domain", "<6", "domain"), ("alloc", ">5", "domain_alloc"), ("free", ">4", "domain_free"),
           ("attach", ">6", "attach_group"), ("dev", ">3", "attach_dev"), ("detach", ">6", "detach_group"),
           ("ns", ">6", "ns"), ("dma", "<3", "dma"), ("errno", "<6", "errno")]
LEGEND = """\
back: the device left the container, was unplugged, came back and joined again; an errno: injected where the first
domain is tried; (2): a group of two functions.
alloc, free, attach, detach: calls of iommu_domain_alloc(), iommu_domain_free(), iommu_attach_group(),
iommu_detach_group(); dev: calls of the driver's attach_dev. The first group's join includes VFIO_SET_IOMMU.
dma: what the device wrote through a mapping arrived, and what it wrote outside did not. A group that was refused is
in no container; its DMA is proven at the next try. ns: time in the guest, 8 ns for each instruction; but for plain
joins the probes' own time is in it."""
IOMMUFD = """\
iommufd: the stock kernel with CONFIG_IOMMUFD_VFIO_CONTAINER. There a group joins when its devices are opened: that is in
all its numbers, its resets, too. Counted there: iommufd_hwpt_paging_alloc() as alloc, iommu_attach_group_handle() and
iommu_replace_group_handle() as attach, iommu_detach_group_handle() as detach."""


def why(g):
    """In words, from what was counted"""
    if g["errno"]:
        return (f"{g['errno']} returned, container {'unharmed' if g['unharmed'] else 'HARMED'}, "
                f"the next try {g['retry'] + ', DMA arrives' if g['retry_dma'] else 'FAILS'}")
    if g["domain"] == "fresh":
        if g["case"] == "EINVAL":
            return "the first domain does not fit, so a fresh one"
        if g["injected"]:
            return f"{g['case']} hidden behind a fresh domain"
        return "no domain in the container yet" if g["first"] else "no domain fits"
    if g["domain_alloc"]:
        return "a domain fits, seen after making another and freeing it"
    return "a domain fits"


def both(runs, words):
    """What is to be said of each run; once, if it is the same"""
    return [words[0]] if len(set(words)) == 1 else [f"{r['kernel']}: {w}" for r, w in zip(runs, words)]


def side_by_side(runs, title, columns, rows):
    """The lines of a table that has the runs beside each other. columns: (heading, format, member); rows: (what it is, the
    record of each run, the lines below)"""
    def half(values):
        words = {"True": "yes", "False": "no", "None": "none"}
        return " ".join(f"{words.get(str(v), v):{width}}" for v, (_, width, _) in zip(values, columns))
    heads = half(h for h, _, _ in columns)
    yield " | ".join([" " * len(title), *(f"{r['kernel']:<{len(heads)}}" for r in runs)]).rstrip()
    yield " | ".join([title, *[heads for _ in runs]])
    yield "-+-".join(["-" * len(title), *["-" * len(heads) for _ in runs]])
    for name, records, below in rows:
        yield " | ".join([f"{name:<{len(title)}}", *(half(r[m] for _, _, m in columns) for r in records)])
        yield from (" " * 8 + line for line in below)


def rows(runs):
    for groups in zip(*(r["groups"] for r in runs)):
        g = groups[0]
        device = g["device"] + (f" ({g['devices']})" if g["devices"] > 1 else "")
        words = both(runs, [why({**g, "first": g is r["groups"][0]}) for g, r in zip(groups, runs)])
        yield f"{device:<16} {g['group']:>5} {g['case']:<6}", groups, ["; ".join(words)]


def reuse_ns(r):
    """Mean time of the joins that end in a domain that was there, of groups of one device"""
    ns = [g["ns"] for g in r["groups"] if g["domain"] == "reused" and g["case"] == "join" and g["devices"] == 1]
    return sum(ns) / len(ns) if ns else 0


def run(which, machine):
    """Boot the kernels on a machine, side by side; return what they report. Time in the guests is counted, not taken."""
    made = [made_of(which, machine, name) for name in KINDS]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda name, m: boot(which, machine, name, made=m), KINDS, made))
    if len({tuple((g["device"], g["case"]) for g in r["groups"]) for r in runs}) != 1:
        die(f"{machine['name']}: the kernels did not report the same devices; see {SHOWN}/boot/{which}/*/results")
    return runs


def summary(runs):
    """What is not in the table, a line each"""
    for r in runs:
        domains, attaches = ("/".join(str(o[m]) for o in r["orders"]) for m in ("domains", "attach_group"))
        yield (f"{len(r['orders'])} orders of joining, {r['kernel']}: {domains} domains, {attaches} attaches of groups, DMA "
               f"{'arrives' if all(o['dma'] for o in r['orders']) else 'DOES NOT ARRIVE'}")
    for r in runs:
        f = r["foreign"]
        yield (f"A domain of another driver, {r['kernel']}: "
               + (f"{f['errno']} from the core" if f["errno"] else "attached, no error")
               + (", and that driver was handed the device" if f["called"] else ", no driver saw it"))
    for r in runs:
        if e := r["replace"]:
            yield (f"A device of iommufd's to another domain, {r['kernel']}: {e['errno'] or 'no error'}, and then its DMA "
                   f"{'goes on' if e['after'] else 'is dead, until it is detached'}")
    a, b = map(reuse_ns, runs[:2])
    if a and b:
        yield f"A group that joins an existing domain: {a:.0f} ns stock, {b:.0f} ns patched, ratio {a / b:.2f}"
    second = [[g for g in r["groups"] if g["case"] == "join"][1] for r in runs]
    if "open_ns" in second[0]:
        yield "The second group, until its device is open: " + ", ".join(
            f"{g['open_ns']} ns {r['kernel']}" for g, r in zip(second, runs))


def arguments(parser):
    parser.add_argument("machine", nargs="?", default="vtd", metavar="MACHINE", help="of lab/machines; vtd if not given")


def command(args):
    (machine,) = qemu.find("run", args.machine).values()
    runs = run(args.machine, machine)
    if machine["refused"]:
        words = both(runs, [r["refused"] for r in runs])
        print(f"{machine['name']}: {'; '.join(words)}, on {'both' if len(runs) == 2 else 'all'} kernels, as it must be")
    else:
        title = f"{'device':<16} {'group':>5} {'case':<6}"
        legend = [LEGEND, *[IOMMUFD] * ("iommufd" in KINDS)]
        print("\n".join([*side_by_side(runs, title, COLUMNS, rows(runs)), *legend, *summary(runs)]))
        write(f"{BUILD}/second-join.svg", picture.second_join(runs))
    write(f"{BUILD}/run.json", json.dumps(runs, indent=1) + "\n")
    print(f"{runs[0]['platform']}; the same as JSON: {SHOWN}/run.json")
