# SPDX-License-Identifier: GPL-2.0
"""boot: boot one kernel on one machine, judge whether the run can be believed, and print what it reported as JSON"""
import json

import build
import progress
import qemu
from lib import BUILD, die, step

# What lab/guest/init.c does wrong on purpose
WRONG = ["panic", "hang", "halt", "silent", "noend", "warn"]


def refuses_replace(name, machine):
    """Does this kernel try on this machine what the driver refuses? iommufd's own is of the stock tree, as stock is"""
    return int(bool(machine["replace"]) and "iommufd" in build.KINDS and name != "iommufd")


def judge(name, machine, records):
    """What goes into run.json, of the records of lab/guest/init.c; raises what is missing there"""
    kinds = {kind: [{**r} for r in records if r["type"] == kind] for kind in ("group", "order", "foreign", "replace", "note")}
    joined = [r for r in kinds["group"] if r["case"] == "join"]
    if not machine["refused"] and len(joined) != int(machine["groups"]):
        die(f"the {name} guest reported {len(joined)} groups that join, expected {machine['groups']}")
    if not machine["refused"] and len(kinds["foreign"]) != 1:
        die(f"the {name} guest did not try another driver's domain")
    if len(kinds["replace"]) != refuses_replace(name, machine):
        die(f"the {name} guest did not try a replace that is refused")
    for g in kinds["group"]:
        if g["case"] not in ("join", "back") and not g["injected"]:
            die(f"the {name} guest was to see {g['case']} injected, but nothing was")
    for r in sum(kinds.values(), []):
        del r["type"]
    return {"groups": kinds["group"], "orders": kinds["order"], "refused": machine["refused"],
            "foreign": (kinds["foreign"] or [None])[0], "replace": (kinds["replace"] or [None])[0], "notes": [r["what"] for r in kinds["note"]]}


def made_of(which, machine, name):
    """What a kernel boots from: its image and the initramfs, which are built where they are not there"""
    if why := qemu.lacks(machine):
        die(f"{which}: {why}")
    return f"{qemu.kernel(machine, name)}/image", qemu.initramfs(machine, "init")


def boot(which, machine, name, do=None, patience=progress.PATIENCE, made=None):
    """Boot a kernel with lab/guest/init.c, made_of what is given; return what goes into run.json. Where iommufd is beside VFIO's
    own container, the devices are opened, too, while a join is timed: for iommufd that is when a group joins, and is refused."""
    image, init = made or made_of(which, machine, name)
    if name == "iommufd":
        machine = {**machine, "refused": machine["refused"].replace("VFIO_SET_IOMMU", "VFIO_GROUP_GET_DEVICE_FD")}
    options = [f"lab.do={do}"] * bool(do) + ["lab.open=1"] * ("iommufd" in build.KINDS)
    if refuses_replace(name, machine):
        options += ["lab.replace=1", *[f"lab.refuse={w}" for w in machine["refuse"].split()[-1 if name == "patched" else 0:][:1]]]
    with step(f"boot the {name} kernel on {machine['name']}"):
        records = qemu.guest(which, machine, name, image, init, " ".join(options), patience)
    with qemu.judging(machine, f"{BUILD}/boot/{which}/{name}"):
        report = judge(name, machine, records)
    return {"machine": which, "kernel": name, "platform": f"{machine['name']}, {qemu.version(machine)}", **report}


def arguments(parser):
    parser.add_argument("kernel", choices=[*build.KINDS, "vfio"])
    parser.add_argument("machine", nargs="?", default="vtd", metavar="MACHINE", help="of lab/machines; vtd if not given")
    qemu.wrong_arguments(parser, WRONG)


def command(args):
    (machine,) = qemu.find("run", args.machine).values()
    print(json.dumps(boot(args.machine, machine, args.kernel, args.do, args.patience), indent=1))
