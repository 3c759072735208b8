# SPDX-License-Identifier: GPL-2.0
"""Guests under QEMU: the machines of lab/machines, their command lines, running them, and whether a run can be
believed."""
import configparser
import contextlib
import json
import os
import re
import shutil
import subprocess

import build
import progress
from lib import BASE, BUILD, LAB, Failed, die, need, out, run

# By architecture: QEMU, what it needs for ports that programs write to, the console
PROGRAM = {"x86_64": os.environ.get("QEMU") or "qemu-system-x86_64", "arm64": "qemu-system-aarch64",
           "riscv": "qemu-system-riscv64", "s390": "qemu-system-s390x", "arm": "qemu-system-arm", "powerpc": "qemu-system-ppc"}
PORT = {"x86_64": "virtio-serial-pci,addr=1d", "arm64": "virtio-serial-pci,addr=1d", "riscv": "virtio-serial-pci,addr=1d",
        "s390": "virtio-serial-ccw"}
CONSOLE = {"x86_64": "console=ttyS0 no_timer_check", "arm64": "console=ttyAMA0", "riscv": "console=ttyS0", "s390": "",
           "arm": "console=ttyAMA0", "powerpc": "console=ttyS0"}
# No KVM: it is not everywhere
COMMON = "-accel tcg -nodefaults -display none -no-reboot".split()
CMDLINE = "panic=-1 oops=panic"

# Nothing of this belongs on the console of a run that is believed
PANIC = r"Kernel panic"
COMPLAINTS = (r"WARNING:|BUG:|Oops|KASAN:|UBSAN:|general protection|Call Trace:|list_(add|del) corruption|"
              r"suspicious RCU usage|(circular|recursive) locking|inconsistent lock state|"
              r"rcu.*(stall|starved)|unreferenced object|kmemleak: .*disabled|INFO: task .* blocked|soft lockup|hard LOCKUP")


class Broken(Failed):
    """QEMU itself failed, which says nothing about the guest"""


def lines(path):
    """Lines of a file that the guest may have filled with anything; none if it cannot be read."""
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as f:
        return f.read().splitlines()
    return []


def first(pattern, text):
    return next((line.strip() for line in text if re.search(pattern, line)), None)


def complaints(console):
    return [line.strip() for line in console if re.search(f"{PANIC}|{COMPLAINTS}", line)]


def machines(use):
    """The machines of lab/machines that a command uses with this base: {machine: {member: value}}"""
    table = configparser.ConfigParser(interpolation=None)
    table.read(f"{LAB}/machines", encoding="utf-8")
    res = {name: dict(table[name]) for name in table.sections()
           if use in table[name]["use"].split() and BASE in (table[name]["bases"] or BASE).split()}
    for m in res.values():
        m.update({name.removesuffix(f"-{BASE}"): value for name, value in m.items() if name.endswith(f"-{BASE}")})
        m["kernel"] = m["kernel"] or {"x86_64": ""}.get(m["arch"], m["arch"])
    return res


def find(use, *names):
    """Some of these machines, all if none is named"""
    table = machines(use)
    if unknown := [n for n in names if n not in table]:
        die(f"there is no machine {', '.join(unknown)} for {use}; there are {', '.join(table)} (lab/machines)")
    return {n: table[n] for n in names or table}


def kernel(machine, kind):
    """The folder of a machine's kernel"""
    return build.kernel("-".join(filter(None, (kind, machine["kernel"]))))


def initramfs(machine, program):
    """The initramfs with a program of lab/guest"""
    return build.initramfs(program, machine["kernel"])


def version(machine):
    found = re.search(r"version (\S+)", out([PROGRAM[machine["arch"]], "--version"], check=False))
    return f"QEMU {found[1] if found else '?'}"


def lacks(machine):
    """That this QEMU is too old for a machine, in words; empty if it is not"""
    if not int(machine["least"]):
        return ""
    have = version(machine)
    found = re.search(r"\d+", have)
    return "" if found and int(found[0]) >= int(machine["least"]) else f"{have} has no {machine['name']}, not run"


def device_tree(argv, changes, path):
    """Write the device tree that QEMU would make, with the machine's changes."""
    need("fdtput")
    run([*argv, "-machine", f"dumpdtb={path}"])
    for line in changes:
        run(["fdtput", "-t", "x", path, *line.split()])


def start(machine, folder, image, init=None, cmdline="", ports=("results",), more=()):
    """Start a machine; return its process. The folder, made anew, gets the files console, qemu for QEMU's own messages,
    and one for each port that programs in the guest write to. more: arguments of QEMU, behind those of the table."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    arch = machine["arch"]
    argv = [PROGRAM[arch], *machine["qemu"].split(), *COMMON, *machine["clock"].split(), "-m", machine["memory"],
            *machine["devices"].split(), *more]
    if machine["fdt"]:
        device_tree(argv, machine["fdt"].splitlines(), f"{folder}/dtb")
        argv += ["-dtb", f"{folder}/dtb"]
    argv += ["-kernel", image, *(["-initrd", init] if init else []),
             "-append", f"{CONSOLE[arch]} {CMDLINE} {cmdline}",
             "-chardev", f"file,id=console,path={folder}/console", "-serial", "chardev:console"]
    argv += ["-device", PORT[arch]] if ports else []
    for port in ports:
        argv += ["-chardev", f"file,id={port},path={folder}/{port}", "-device", f"virtserialport,chardev={port}"]
    with open(f"{folder}/qemu", "w", encoding="utf-8") as log:
        try:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        except FileNotFoundError:
            die(f"{argv[0]} is not installed; run `make setup`")


def end(proc, folder, *ports, **how):
    """Wait for a QEMU as progress.wait() does, and leave none behind; return its exit status, in how far it hangs, if
    it does, and its messages. Its signs of progress are what it writes; to the first port, or the console, it tells
    that it is up."""
    paths = [f"{folder}/{f}" for f in (*ports, "console", "qemu")]
    try:
        hangs = progress.wait(proc, lambda: progress.size(*paths), lambda: progress.size(paths[0]), **how)
    finally:
        if stopped := proc.poll() is None:
            proc.kill()
        proc.wait()
    says = " ".join(lines(paths[-1])).strip()[-300:] or "it says nothing"
    return 0 if stopped else proc.returncode, hangs, says


def judge(name, machine, console, results, status, hangs, qemu_says):
    """The records of a good run of a program that says hello; what is wrong with another is raised, one sentence."""
    records = []
    for line in results:
        try:
            records.append(json.loads(line))
        except ValueError:
            die(f"the {name} guest reported something unreadable: {line[:80]!r}")
    error = next((r for r in records if r.get("type") == "error"), None)

    if status and not console:
        die(f"QEMU did not start (exit status {status}): {qemu_says}")
    if line := first(PANIC, console):
        die(f"the {name} kernel panicked: {line}")
    if line := first(COMPLAINTS, console):
        die(f"the {name} kernel complained on its console: {line}")
    if hangs:
        die(f"the {name} guest hangs: {hangs}")
    if status:
        die(f"QEMU failed with exit status {status}: {qemu_says}")
    if error:
        die(f"the {name} guest went wrong: {error['what']}, errno {error['errno']}")
    if not records:
        die(f"the {name} guest reported nothing")
    if records[0].get("type") != "hello" or records[0]["kernel"] != name:
        die(f"the {name} guest does not begin with a hello from {name}: {records[0]}")
    if records[-1].get("type") != "end":
        die(f"the {name} guest ended before it was done: no end line")
    iommus = records[0]["iommu"].split()
    if not all(i.startswith(machine["iommu"]) for i in iommus) or bool(iommus) != bool(machine["iommu"]):
        die(f"the {name} guest has the IOMMUs {' '.join(iommus) or '(none)'}, but {machine['name']} has "
            f"{machine['iommu'] or 'none'}")
    refused = " ".join(f"{r['call']} {r['errno']}" for r in records if r.get("type") == "refused")
    if refused != machine["refused"]:
        die(f"the {name} guest was refused {refused or 'nothing'}"
            + (f", expected: {machine['refused']}" if machine["refused"] else ""))
    return records[1:-1]


@contextlib.contextmanager
def judging(machine, folder):
    """Where a run is judged: add to what is wrong with it where to look."""
    try:
        yield
    except Failed as e:
        tail = "".join(f"\n    {line}" for line in lines(f"{folder}/console")[-12:])
        die(f"{machine['name']}: {e}\n  {os.path.relpath(folder)} has what it printed; its console ends "
            f"with:{tail or ' nothing, it is empty'}")


def guest(which, machine, name, image, init, options="", patience=progress.PATIENCE):
    """Boot a kernel, an image, on a machine; return what the guest reports between its hello and its end."""
    folder = f"{BUILD}/boot/{which}/{name}"
    name = name if name in build.KINDS else "patched"   # whose probe module fits, and whose name the guest reports
    proc = start(machine, folder, image, init, f"lab.kernel={name} {machine['cmdline']} {options}")
    ended = end(proc, folder, "results", patience=patience)
    with judging(machine, folder):
        return judge(name, machine, lines(f"{folder}/console"), lines(f"{folder}/results"), *ended)


def wrong_arguments(parser, choices):
    """Arguments of a command whose guest goes wrong in one of these ways, on purpose"""
    parser.add_argument("--do", choices=choices, help="what goes wrong on purpose")
    parser.add_argument("--patience", type=int, default=progress.PATIENCE, help="how soon one that hangs is given up: "
                        "see lab/progress.py; %(default)s")
