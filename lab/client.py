# SPDX-License-Identifier: GPL-2.0
"""client: boot both kernels with QEMU in them as the user of VFIO, and show what each step cost

They run at once. QEMU runs a virtual machine that has two devices and is given a third. Where Linux and QEMU have
iommufd, the patched kernel is there again, with QEMU as the user of that. Writes build/client.json."""
import json
import os
import re
import shutil

import build
import progress
import qemu
import run
from lib import BUILD, SHOWN, Failed, die, out, step, write

# The guest's files are the host's, so that the QEMU in it is the one around it: the distribution's as it is installed, or
# QEMU=.
QEMU = qemu.PROGRAM["x86_64"]
SHARE = "-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap".split()
# What goes wrong on purpose: lab/guest/client.c; panic and stuck: the virtual machine
WRONG = ["hang", "stuck", "warn", "noqemu", "noshare", "panic"]
# A virtio port each: what client.c reports, and what the virtual machine and QEMU print
PORTS = ("results", "nested-console", "nested-qemu")

# The virtual machine's, in KiB: lab/guest/client.c
MEMORY = 128 << 10

# heading, format, member of a step in client.json
COLUMNS = [("alloc", ">5", "domain_alloc"), ("free", ">4", "domain_free"), ("attach", ">6", "attach_group"),
           ("dev", ">3", "attach_dev"), ("detach", ">6", "detach_group"), ("containers", ">10", "containers"),
           ("MiB", ">3", "locked"), ("dma", ">3", "dma")]
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
IOMMUFD = """\
iommufd: the patched kernel, and QEMU has iommufd and no container. Counted there: what iommufd calls, and how often QEMU
has /dev/iommu open; one of its address spaces is what a container is."""
NO_IOMMUFD = ("QEMU with iommufd: not run and not counted, as {} cannot; QEMU 9 or later can, that of Debian 13 or "
              "bookworm-backports, or QEMU=<program>")


def judge(name, machine, said, *ended):
    """The steps of a good run; what is wrong with another is raised. said: the lines of console and PORTS; ended: what
    qemu.end() says."""
    for pattern, what in ((qemu.PANIC, "panicked"), (qemu.COMPLAINTS, "complained on its console")):
        if line := qemu.first(pattern, said["nested-console"]):
            die(f"the kernel in the virtual machine of the {name} guest {what}: {line}")
    try:
        records = qemu.judge(name, machine, said["console"], said["results"], *ended)
    except Failed as e:
        die(f"{e}; QEMU in the guest says: {' '.join(said['nested-qemu'])[-300:] or 'nothing'}")
    if not qemu.first("nested: up", said["nested-console"]):
        die(f"nothing is seen of the console of the virtual machine in the {name} guest")
    steps = [r for r in records if r.pop("type") == "step"]
    for s in steps:
        s["dma"] = s["dma"].split()
    return {"steps": steps, "printed": said["nested-qemu"]}


def kinds():
    """What is run beside each other, and a line about what is not"""
    (machine,) = qemu.machines("client").values()
    kernels = ["stock", "patched"]
    if "iommufd" not in build.KINDS:
        return kernels, ""
    if re.search(r"^ *iommufd$", out([QEMU, "-object", "help"], check=False), re.M):
        return [*kernels, "iommufd"], ""
    return kernels, NO_IOMMUFD.format(qemu.version(machine))


def client(names, do=None, patience=progress.PATIENCE):
    """Run these kernels side by side; return what goes into client.json. Nothing is left running."""
    (machine,) = qemu.machines("client").values()
    made = {}
    for name in names:
        kernel = "patched" if name == "iommufd" else name
        made[name] = f"{build.kernel(kernel)}/image", build.client(kernel)
    folders = {name: f"{BUILD}/boot/{name}-client" for name in names}
    program = os.path.abspath(shutil.which(QEMU) or QEMU) if do != "noqemu" else "/no-such-qemu"
    running, runs = {}, []
    with step(f"run QEMU in {' and '.join(names)}"):
        try:
            for name in names:
                cmdline = f"{machine['cmdline']} lab.kernel={name} lab.qemu={program}" + (f" lab.do={do}" if do else "")
                cmdline += " lab.client=iommufd" * (name == "iommufd")
                running[name] = qemu.start(machine, folders[name], *made[name], cmdline, PORTS, SHARE if do != "noshare" else [])
            for name, proc in running.items():
                ended = qemu.end(proc, folders[name], *PORTS, patience=patience)
                said = {f: qemu.lines(f"{folders[name]}/{f}") for f in ("console", *PORTS)}
                with qemu.judging(machine, folders[name]):
                    report = judge(name, machine, said, *ended)
                runs.append({"kernel": name, "platform": f"VT-d, {qemu.version(machine)} in QEMU's q35 with intel-iommu",
                             **report})
        finally:
            for proc in running.values():
                proc.kill()
                proc.wait()
    return runs


def spaces(s):
    """How often the machine's memory is locked: nearly that, as some of it is ROM"""
    return round(s["locked"] / MEMORY)


def why(s):
    """In words, from what was counted"""
    if s["said"]:
        return f'QEMU says "{s["said"]}"'
    if s["injected"] and spaces(s) > 1:
        return f"returned to QEMU, which makes a second {'container' if s['containers'] > 1 else 'address space'}"
    return "hidden behind a second domain in the container" if s["injected"] else "QEMU says nothing"


def rows(runs):
    for steps in zip(*(r["steps"] for r in runs)):
        words = run.both(runs, [why(s) for s in steps])
        yield (STEPS.get(steps[0]["step"], steps[0]["step"]),
               [{**s, "dma": len(s["dma"]), "locked": s["locked"] >> 10} for s in steps],
               words if words != ["QEMU says nothing"] else [])


def arguments(parser):
    parser.add_argument("kernel", nargs="?", choices=["stock", "patched", "iommufd"], help="only this")
    qemu.wrong_arguments(parser, WRONG)


def command(args):
    names, note = ([args.kernel], "") if args.kernel else kinds()
    runs = client(names, args.do, args.patience)
    if len({tuple(s["step"] for s in r["steps"]) for r in runs}) > 1:
        die(f"the kernels did not report the same steps; see {SHOWN}/boot/*-client/results")
    title = " " * max(map(len, STEPS.values()))
    print("\n".join([*run.side_by_side(runs, title, COLUMNS, rows(runs)), LEGEND, *[IOMMUFD] * ("iommufd" in names)]))
    for line in dict.fromkeys(line for r in runs for line in r["printed"]):
        print(f"QEMU printed in {' and '.join(r['kernel'] for r in runs if line in r['printed'])}: {line}")
    write(f"{BUILD}/client.json", json.dumps(runs, indent=1) + "\n")
    print(f"{runs[0]['platform']}; the same as JSON: {SHOWN}/client.json", *[note] * bool(note), sep="\n")
