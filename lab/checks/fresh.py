# SPDX-License-Identifier: GPL-2.0
"""The README's two commands, make run and make check, in a Debian that has been installed a moment ago: in roots that
mmdebstrap makes in a temporary folder, of the suites that are named. In each is a clone of this repository, and nothing
of what has been built; in one of the suite that runs here, whose compiler is the same, objects come from ccache."""
import os
import re
import shlex
import tempfile

import kbuild
from base import mirror
from lib import BUILD, TOP, free_space, out, read, result, run, say, step

# What one who has just installed Debian has not, and the README asks for
TOOLS = "ca-certificates,git,make,mount"


def arguments(parser):
    parser.add_argument("suite", nargs="+", help="of Debian, as bookworm")


def fresh(suite, clone, commands):
    """Run commands in a new root; return what each has printed until one failed, and how mmdebstrap ended"""
    cache = kbuild.ENV["CCACHE_DIR"]
    with tempfile.TemporaryDirectory(prefix="fresh-", dir=BUILD) as tmp:
        # In a user namespace it could not be written
        same = not os.geteuid() and f"VERSION_CODENAME={suite}" in read("/etc/os-release").splitlines()
        if same:
            os.makedirs(cache, exist_ok=True)
        share = f'mkdir -p "$1/ccache" && mount --bind {shlex.quote(cache)} "$1/ccache" && ' * same
        env = "env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin" + " CCACHE_DIR=/ccache" * same
        os.chmod(tmp, 0o777)        # mmdebstrap may be another user there
        hooks = [f'--customize-hook=cp -r {shlex.quote(clone)} "$1/root/lab"']
        for i, command in enumerate(commands):
            # A root that is a mount, as every root is, and neither ONLY nor BASE of the one who called
            inside = (f'mount --rbind "$1" "$1" && {share}exec chroot "$1" {env} '
                      f'sh -c {shlex.quote(f"cd /root/lab && {command}")}')
            hooks.append(f'--customize-hook=unshare -m sh -c {shlex.quote(inside)} sh "$1" '
                         f">{shlex.quote(f'{tmp}/{i}')} 2>&1 </dev/null")
        # What stands between this machine and the archive stands there, too: a proxy, a mirror that is behind
        way = re.findall(r"^Acquire::(?:Check-Valid-Until|https?::Proxy) .*", out(["apt-config", "dump"]), re.M)
        suites = "".join(f"deb {mirror(s)} {s} main\n" for s in (suite, f"{suite}-security"))
        # In a mount namespace of its own, as an ordinary user has it there: nothing stays mounted if somebody kills this
        own = [] if os.geteuid() else ["unshare", "-m"]
        res = run([*own, "mmdebstrap", "--quiet", "--variant=apt", "--format=null", f"--include={TOOLS}",
                   *(f"--aptopt={line}" for line in way), *hooks, suite, "/dev/null", "-"],
                  check=False, input=suites, env=dict(os.environ, TMPDIR=tmp))
        return [read(f"{tmp}/{i}") if os.path.exists(f"{tmp}/{i}") else "" for i in range(len(commands))], res


def command(args):
    free_space(BUILD, 24000, "a fresh Debian and what is built there")
    with tempfile.TemporaryDirectory(prefix="clone-", dir=BUILD) as tmp:
        out(["git", "clone", "-q", "--no-hardlinks", TOP, f"{tmp}/lab"])
        for suite in args.suite:
            commands = ["make run", "make check"]
            with step(f"{' and '.join(commands)} in a fresh {suite}"):
                texts, res = fresh(suite, f"{tmp}/lab", commands)
            for what, text in zip(commands, texts):
                last = text.rstrip().rpartition("\n")[2]
                good = "ratio" in text if what == "make run" else re.fullmatch(r"[1-9]\d* passed, 0 failed", last)
                bad = re.findall(r"^ *not ok .*|^error: .*", text, re.M)
                result(good, f"{what} in a fresh {suite}{f': {last}' if what == 'make check' else ''}", *bad, *([] if bad else [text[-1000:], res.stderr[-1000:]]),
                       reproduce=f"lab/lab checks.fresh {suite}")
