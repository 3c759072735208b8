# SPDX-License-Identifier: GPL-2.0
"""base: import the base (a Debian package, or LINUX=) if need be, and print its commit"""
import errno
import glob
import hashlib
import os
import re
import subprocess
import tarfile

from lib import BASE, CACHE, PATCHES, TOP, USER_ENV, die, free_space, lock, out, read, run, say, step, write
from trees import COMMITTER, STORE, git, open_repo, quote


def proven():
    """patches/<base>/base: what the series was last proven on"""
    have = sorted(d for d in os.listdir(f"{TOP}/patches") if os.path.exists(f"{TOP}/patches/{d}/base"))
    if BASE not in have:
        die(f"there is no series for BASE={BASE}; there is one for {', '.join(have)}")
    lines = [ln.split(None, 1) for ln in read(f"{PATCHES}/base").splitlines()
             if ln.strip() and not ln.startswith("#")]
    res = {ln[0]: ln[1].strip() for ln in lines if len(ln) == 2}
    if lost := {"package", "version", "sha256", "upstream"} - set(res):
        die(f"patches/{BASE}/base has no line for {', '.join(sorted(lost))}")
    if not re.match(r"v\d+\.\d+", res["upstream"]):
        die(f"patches/{BASE}/base: upstream {res['upstream']} is no tag of Linux, as v6.1.192")
    return res


def sha256(path):
    """sha256 of a tarball, remembered as long as size and date stay the same"""
    st = os.stat(path)
    memo = os.path.join(CACHE, "sha256", hashlib.sha256(
        f"{os.path.abspath(path)} {st.st_size} {st.st_mtime_ns}".encode()).hexdigest())
    if os.path.exists(memo):
        return read(memo).strip()
    with open(path, "rb") as f:
        digest = hashlib.file_digest(f, "sha256").hexdigest()
    write(memo, digest + "\n")
    return digest


def source():
    """What to import: (what to call it, what its contents are known by, command that prints tar)"""
    linux, base = os.environ.get("LINUX"), proven()
    if not linux:
        path = f"/usr/src/{base['package']}.tar.xz"
        if not os.path.exists(path):
            die(f"{path} is missing; install the package {base['package']} or set "
                "LINUX=<folder or tarball>")
        version = out(["dpkg-query", "-W", "-f=${Version}", base["package"]])
        digest = sha256(path)
        if digest != base["sha256"] and not os.environ.get("LAB_BASE_TOLD"):
            os.environ["LAB_BASE_TOLD"] = "1"       # also to the commands that this one calls
            say(f"the base is {base['package']} {version}; this series was last proven on "
                f"{base['version']}")
        return f"{base['package']} {version}", digest, ["xz", "-dc", "-T0", path]
    if os.path.isfile(linux):
        tool = {".xz": ["xz", "-dc", "-T0"], ".gz": ["gzip", "-dc"], ".tgz": ["gzip", "-dc"],
                ".tar": ["cat"]}.get(os.path.splitext(linux)[1])
        if not tool:
            die(f"LINUX={linux}: a tarball is .tar, .tar.gz or .tar.xz")
        return linux, sha256(linux), [*tool, os.path.abspath(linux)]
    if not os.path.isdir(linux):
        die(f"LINUX={linux}: there is no such folder or tarball")
    if not os.path.exists(f"{linux}/Makefile") or not os.path.exists(f"{linux}/drivers/iommu/iommu.c"):
        die(f"LINUX={linux} is not a kernel tree: it has no Makefile and drivers/iommu/iommu.c")
    if os.path.lexists(f"{linux}/.git"):
        # Whose trees git may read, and obey, is the user's to say, by safe.directory.
        theirs = {k: v for k, v in USER_ENV.items() if not k.startswith("GIT_") or k.startswith("GIT_CONFIG")}
        head = run(["git", "-C", linux, "rev-parse", "-q", "--verify", "HEAD"], check=False, env=theirs)
        if head.returncode:
            die(f"LINUX={linux}: git finds no commit there; "
                f"{head.stderr.strip() or 'it is a git tree without a commit: commit what is there, or give a tarball'}")
        commit, there = head.stdout.strip(), ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-C", linux]
        if out([*there, "status", "--porcelain", "-uno"]):
            say(f"LINUX={linux} has uncommitted changes; its commit {commit[:12]} is used without them")
        return linux, commit, [*there, "archive", "--prefix=linux/", commit]
    if os.path.exists(f"{linux}/.config") or os.path.exists(f"{linux}/include/config"):
        die(f"LINUX={linux} has been built in; `make mrproper` there, or give its tarball")
    linux, seen = os.path.abspath(linux), hashlib.sha256()
    for where, dirs, files in os.walk(linux):
        dirs.sort()
        for f in sorted(files):
            st = os.lstat(os.path.join(where, f))
            seen.update(f"{where}/{f} {st.st_mode} {st.st_size} {st.st_mtime_ns}\n".encode("utf-8", "surrogateescape"))
    return linux, seen.hexdigest(), ["tar", "-c", "--sort=name", "--exclude=.git", "-C", os.path.dirname(linux),
                         os.path.basename(linux)]


def check_version(makefile, name):
    """Refuse what the series has no chance on; return the version."""
    v = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL) *= *(\d+)", makefile, re.M))
    if "VERSION" not in v or "PATCHLEVEL" not in v:
        die(f"{name} is not a kernel tree: its Makefile has no VERSION and PATCHLEVEL")
    have = f"{v['VERSION']}.{v['PATCHLEVEL']}"
    wanted = re.match(r"v(\d+\.\d+)", proven()["upstream"])[1]
    major, minor = wanted.split(".")
    if have != wanted:
        if v["VERSION"] != major or abs(int(v["PATCHLEVEL"]) - int(minor)) > 1:
            die(f"{name} is Linux {have}, too far from {wanted} for patches/{BASE}; give a {wanted} tree by LINUX=")
        say(f"warning: {name} is Linux {have}, the series is for {wanted}; hunks may not apply")
    return f"{have}.{v.get('SUBLEVEL', 0)}"


def import_tar(name, cmd, ref):
    """Pipe a tar stream into `git fast-import`, which sets the ref when all has arrived."""
    def put(header, data=b""):
        imp.stdin.write(header.encode("utf-8", "surrogateescape") + data)

    seen, version = False, None
    src = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    imp = subprocess.Popen(["git", f"--git-dir={STORE}", "-c", "core.compression=1", "fast-import",
                            "--quiet", "--done", "--force", "--depth=0"], stdin=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=False)
    try:
        put(f"commit {ref}\ncommitter {COMMITTER} 1670796789 +0000\ndata 5\nLinux\n")
        with tarfile.open(fileobj=src.stdout, mode="r|") as tar:
            for m in tar:
                path = m.name.removeprefix("./").partition("/")[2]
                if m.issym():
                    put(f"M 120000 inline {quote(path)}\ndata {len(m.linkname)}\n", m.linkname.encode() + b"\n")
                elif m.isfile():
                    data = tar.extractfile(m).read()
                    if path == "Makefile":
                        version = check_version(data.decode(errors="replace"), name)
                    elif path == ".gitignore":
                        # Debian hides all at the top from git: new files would not be seen.
                        data = re.sub(rb"\n\n?#\n# Debian packaging:.*\n/\*\n!/debian/\n", b"\n", data, flags=re.S)
                    seen |= path == "drivers/iommu/iommu.c"
                    mode = "100755" if m.mode & 0o100 else "100644"
                    put(f"M {mode} inline {quote(path)}\ndata {len(data)}\n", data + b"\n")
                elif not m.isdir():
                    die(f"{name}: {m.name} is neither a file, a folder nor a symlink")
        if src.wait():                      # tarfile takes the end of a stream that broke off for the end
            raise EOFError
        if not version or not seen:
            die(f"{name} is not a kernel tree: it has no Makefile and drivers/iommu/iommu.c")
        imp.stdin.write(b"done\n")
        imp.stdin.close()
        err = imp.stderr.read().decode(errors="replace")
        if imp.wait():
            raise BrokenPipeError
    except (tarfile.TarError, EOFError) as e:
        src.kill()
        err = src.stderr.read().decode(errors="replace").strip()
        die(f"{name} is not a tarball of a kernel tree, or it is damaged: {err or e}")
    except BrokenPipeError:
        err = imp.stderr.read().decode(errors="replace") if not imp.stderr.closed else err
        if re.search("No space left|Out of diskspace", err):
            raise OSError(errno.ENOSPC, "", STORE) from None
        die(f"git fast-import failed:\n{err.strip()}")
    finally:
        for p in (src, imp):
            p.kill()
            p.wait()
        # what a fast-import that did not end well leaves behind
        for junk in glob.glob(f"{STORE}/objects/pack/tmp_*") + glob.glob(f"{STORE}/fast_import_crash_*"):
            os.unlink(junk)


def get_base():
    """The commit of the base, imported at the first call."""
    name, ident, cmd = source()
    with lock(CACHE):
        if not os.path.exists(f"{STORE}/HEAD"):
            run(["git", "init", "-q", "--bare", STORE])
        ref = f"refs/base/1-{ident[:12]}"     # 1: how import_tar() makes a commit of it
        commit = run(["git", f"--git-dir={STORE}", "rev-parse", "-q", "--verify", ref], check=False).stdout.strip()
        if not commit:
            free_space(CACHE, 600, "importing the base")
            with step(f"importing {name}"):
                import_tar(name, cmd, ref)
            commit = out(["git", f"--git-dir={STORE}", "rev-parse", ref])
        else:
            check_version(out(["git", f"--git-dir={STORE}", "show", f"{commit}:Makefile"]), name)
    open_repo()
    git("tag", "-f", f"base-{BASE}", commit)
    return commit


def command(_):
    print(get_base())
