# SPDX-License-Identifier: GPL-2.0
"""Calling the kernel's own make: configuration, ccache, progress, errors.

Objects are in .obj-ARCH (or .obj-VARIANT-ARCH) inside the tree: then kbuild sees the source as `..`, no path of this
clone is on a command line, and ccache can use an object for the other tree and for the next clone."""
import errno
import os
import re
import subprocess
import time

from lib import CACHE, JOBS, LAB, TOP, die, need, read, say
from trees import tree_path

CROSS = {"x86_64": "", "arm": "arm-linux-gnueabihf-", "arm64": "aarch64-linux-gnu-",
         "powerpc": "powerpc-linux-gnu-", "riscv": "riscv64-linux-gnu-", "s390": "s390x-linux-gnu-"}
# What is booted
IMAGE = {"x86_64": "arch/x86/boot/bzImage", "arm": "arch/arm/boot/zImage", "arm64": "arch/arm64/boot/Image",
         "powerpc": "vmlinux", "riscv": "arch/riscv/boot/Image", "s390": "arch/s390/boot/bzImage"}
# Debian 12 and 13 both have this one; 7.3 asks for 17 or later (scripts/min-tool-version.sh).
LLVM = "-19"
# Nothing of the time, the user and the machine goes into an object.
ENV = {"KBUILD_BUILD_TIMESTAMP": "2022-12-11 22:15:18 UTC", "KBUILD_BUILD_USER": "lab",
       "KBUILD_BUILD_HOST": "lab", "KBUILD_BUILD_VERSION": "1", "CCACHE_NOHASHDIR": "1",
       "CCACHE_DIR": os.environ.get("CCACHE_DIR", os.path.join(CACHE, "ccache"))}


def obj(name, arch):
    return os.path.join(tree_path(name), f".obj-{arch}")


def check_path():
    """What make cannot work in is told before a tree is there."""
    if re.search(r"[\s:]", TOP):
        die(f"kernels cannot be built in {TOP}: make takes no path with a space or colon; move this clone")


def clean_env():
    """The environment without what a make above has put there"""
    return {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "LINUX", "V")}


def make(name, arch, *args, what, makefile=None):
    """make in a tree; return all that it printed. Says every 20 s how far it is. What stands before a dash in arch keeps
    one configuration's objects apart from another's; clang- means LLVM's tools. A makefile of the lab is called where
    the objects are, as the kernel's calls itself there."""
    variant, _, target = arch.rpartition("-")
    if variant != "clang":
        tools = [f"CROSS_COMPILE={CROSS[target]}", f"CC={LAB}/cc {CROSS[target]}gcc", f"HOSTCC={LAB}/cc gcc"]
        need("make", "ccache", CROSS[target] + "gcc")
    else:
        tools = [f"LLVM={LLVM}", f"CC={LAB}/cc clang{LLVM}", f"HOSTCC={LAB}/cc clang{LLVM}"]
        need("make", "ccache", f"clang{LLVM}", f"ld.lld{LLVM}", f"llvm-ar{LLVM}")
    start = last = time.monotonic()
    # LOCALVERSION= keeps the git state of the tree out of the version.
    where = ["-C", tree_path(name), f"O=.obj-{arch}"] if not makefile else [
        "-C", obj(name, arch), "-rR", "--no-print-directory", f"--include-dir={tree_path(name)}", "-f", makefile]
    argv = ["make", *where, f"ARCH={target}", *tools, "LOCALVERSION=", f"-j{JOBS}", *args]
    text, count = [], 0
    proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, errors="replace", env={**clean_env(), **ENV})
    try:
        for line in proc.stdout:
            text.append(line)
            count += bool(re.match(r"  (CC|AS|HOSTCC) ", line))
            if time.monotonic() - last > 20:
                last = time.monotonic()
                say(f"  {what}: {last - start:.0f} s, {count} objects")
    finally:
        proc.terminate()
        proc.wait()
    text = "".join(text)
    if proc.returncode:
        if "No space left on device" in text:
            raise OSError(errno.ENOSPC, "", tree_path(name))
        bad = [ln for ln in text.splitlines() if re.search(r"error|warning|\*\*\*|undefined", ln, re.I)]
        die(f"{what} does not build; mend {os.path.relpath(tree_path(name), TOP)} or what it is made of, and call again, what "
            "is built stays built:\n" + "\n".join((bad or text.splitlines())[-15:]))
    return text


def configure(name, arch, fragment, target="allnoconfig"):
    """Configure by a fragment on top of allnoconfig or so; every line of it must come through."""
    make(name, arch, f"KCONFIG_ALLCONFIG={fragment}", target, what=f"{target} for {arch}")
    have = dict(ln.split("=", 1) for ln in read(f"{obj(name, arch)}/.config").splitlines() if ln.startswith("CONFIG_"))
    lost = [ln for ln in read(fragment).splitlines() if (m := re.match(r"(?:# )?(CONFIG_\w+)(?:=(.*)| is not set)", ln))
            and have.get(m[1]) != m[2]]
    if lost:
        die(f"Kconfig dropped {len(lost)} line(s) of {os.path.relpath(fragment)}: {'; '.join(lost)}. Add what they "
            "depend on, or remove them")
