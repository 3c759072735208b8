# SPDX-License-Identifier: GPL-2.0
"""client: boot both kernels with QEMU in them as the user of VFIO, and show what each step cost

They run at once. QEMU runs a virtual machine that has two devices and is given a third. Writes build/client.json."""
import json

import build
import progress
import qemu
from lib import BUILD, die, step, write

# The guest's files are the host's, so that the QEMU in it is the distribution's as it is installed.
SHARE = "-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap".split()
# What goes wrong on purpose: lab/guest/client.c; panic and stuck: the virtual machine
WRONG = ["hang", "stuck", "warn", "noqemu", "noshare", "panic"]
# A virtio port each: what client.c reports, and what the virtual machine and QEMU print
PORTS = ("results", "nested-console", "nested-qemu")

# heading, width, member of a step in client.json
COLUMNS = [("alloc", 5, "domain_alloc"), ("free", 4, "domain_free"), ("attach", 6, "attach_group"),
           ("dev", 3, "attach_dev"), ("detach", 6, "detach_group"), ("containers", 10, "containers"),
           ("MiB", 3, "locked"), ("dma", 3, "dma")]
STEPS = {
    "start": "QEMU starts with the first device",
    "second": "device_add of the second, before the machine runs",
    "run": "the machine boots",
    "plug": "device_add of the third while it runs",
    "unplug": "device_del of the third",
    "plug again": "device_add of the third, again",
    "unplug again": "device_del of the third",
    "reuse ENOMEM": "device_add; the domain that is there answers ENOMEM",
    "unplug after": "device_del of the third",
    "broken ENODEV": "device_add; every domain answers ENODEV",
    "broken ENOMEM": "device_add; every domain answers ENOMEM",
    "mended": "device_add of the third, nothing injected",
    "unplug at last": "device_del of the third",
    "no domain": "device_add; iommu_domain_alloc() returns NULL",
}
LEGEND = """\
alloc, free, attach, detach: calls of iommu_domain_alloc(), iommu_domain_free(), iommu_attach_group(),
iommu_detach_group(); dev: calls of the driver's attach_dev. containers: how many QEMU has then; each locks all of the
machine's memory, MiB. dma: devices that the machine then copied pages with, in a round that began after the step; 0: it
does not run yet. QEMU tries a container that it has and, if that fails, without a word a new one."""


def judge(name, machine, said, *ended):
    """The steps of a good run, or one sentence that says what is wrong with it. said: the lines of console and PORTS;
    ended: what qemu.end() says."""
    for pattern, what in ((qemu.PANIC, "panicked"), (qemu.COMPLAINTS, "complained on its console")):
        if line := qemu.first(pattern, said["nested-console"]):
            return None, f"the kernel in the virtual machine of the {name} guest {what}: {line}"
    records, wrong = qemu.judge(name, machine, said["console"], said["results"], *ended)
    if wrong:
        return None, f"{wrong}; QEMU in the guest says: {' '.join(said['nested-qemu'])[-300:] or 'nothing'}"
    if not qemu.first("nested: up", said["nested-console"]):
        return None, f"nothing is seen of the console of the virtual machine in the {name} guest"
    steps = [r for r in records if r["type"] == "step"]
    for s in steps:
        del s["type"]
        s["dma"] = s["dma"].split()
    return {"steps": steps, "printed": said["nested-qemu"]}, None


def client(names, do=None, patience=progress.PATIENCE):
    """Run these kernels side by side; return what goes into client.json. What is wrong is raised as RuntimeError, a
    text for the user. Nothing is left running."""
    (machine,) = qemu.machines("client").values()
    made = {name: (f"{build.kernel(name)}/image", build.client(name)) for name in names}
    folders = {name: f"{BUILD}/boot/{name}-client" for name in names}
    running, runs = {}, []
    with step(f"run QEMU in {' and '.join(names)}"):
        try:
            for name in names:
                running[name] = qemu.start(machine, folders[name], *made[name], ports=PORTS, more=[] if do == "noshare" else SHARE,
                                           cmdline=f"{machine['cmdline']} lab.kernel={name}" + (f" lab.do={do}" if do else ""))
            for name, proc in running.items():
                ended = qemu.end(proc, folders[name], *PORTS, patience=patience)
                said = {f: qemu.lines(f"{folders[name]}/{f}") for f in ("console", *PORTS)}
                report, wrong = judge(name, machine, said, *ended)
                if wrong:
                    qemu.refuse(machine, wrong, folders[name])
                runs.append({"kernel": name, "platform": f"VT-d, {qemu.version(machine)} in QEMU's q35 with intel-iommu",
                             **report})
        finally:
            for proc in running.values():
                proc.kill()
                proc.wait()
    return runs


def why(s):
    """In words, from what was counted"""
    if s["said"]:
        return f'QEMU says "{s["said"]}"'
    if s["injected"] and s["containers"] > 1:
        return "returned to QEMU, which makes a second container"
    if s["injected"]:
        return "hidden behind a second domain in the container"
    return ""


def cell(s, member):
    return len(s["dma"]) if member == "dma" else s["locked"] >> 10 if member == "locked" else s[member]


def table(runs):
    half = " ".join(f"{h:>{w}}" for h, w, _ in COLUMNS)
    left = max(len(text) for text in STEPS.values())
    text = [" | ".join([" " * left] + [f"{r['kernel']:<{len(half)}}" for r in runs]).rstrip(),
            " | ".join([" " * left] + [half] * len(runs)),
            "-+-".join(["-" * left] + ["-" * len(half)] * len(runs))]
    for row in zip(*(r["steps"] for r in runs)):
        text.append(" | ".join([f"{STEPS.get(row[0]['step'], row[0]['step']):<{left}}"] + [" ".join(
            f"{cell(s, m):>{w}}" for _, w, m in COLUMNS) for s in row]))
        words = [why(s) for s in row]
        if len(set(words)) > 1:
            words = [f"{r['kernel']}: {w or 'QEMU says nothing'}" for w, r in zip(words, runs)]
        text += [f"        {w}" for w in dict.fromkeys(words) if w]
    return "\n".join(text)


def arguments(parser):
    parser.add_argument("kernel", nargs="?", choices=["stock", "patched"], help="only this")
    parser.add_argument("--do", choices=WRONG, help="what goes wrong on purpose")
    parser.add_argument("--patience", type=int, default=progress.PATIENCE, help="how soon a guest that hangs is given up: "
                        "see lab/progress.py; %(default)s")


def command(args):
    try:
        runs = client([args.kernel] if args.kernel else ["stock", "patched"], args.do, args.patience)
    except RuntimeError as e:
        die(e)
    if len({tuple(s["step"] for s in r["steps"]) for r in runs}) > 1:
        die("the two kernels did not report the same steps; see build/boot/*-client/results")
    print(table(runs))
    print(LEGEND)
    for line in dict.fromkeys(line for r in runs for line in r["printed"]):
        print(f"QEMU printed in {' and '.join(r['kernel'] for r in runs if line in r['printed'])}: {line}")
    write(f"{BUILD}/client.json", json.dumps(runs, indent=1) + "\n")
    print(f"{runs[0]['platform']}; the same as JSON: build/client.json")
