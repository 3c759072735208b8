# SPDX-License-Identifier: GPL-2.0
"""base: import the base (out of Debian's archive, or LINUX=) if need be, and print its commit"""
import errno
import glob
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import time

from lib import BASE, CACHE, PATCHES, TOP, USER_ENV, Failed, die, free_space, lock, out, read, run, say, step, write
from trees import COMMITTER, STORE, git, open_repo, quote

# What a kernel tree has, of all that the series is about
CORE = "drivers/iommu/iommu.c"
ARCHIVE = os.path.join(CACHE, "apt")
# Read after the user's, so proxies are theirs; folders and hooks are not, nor is it theirs to go without signatures.
APT_CONF = '''#clear APT::Update;
APT::Update::Error-Mode "any";
APT::Sandbox::User "root";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Dir "{}";
Dir::Etc "";
Dir::State "";
Dir::State::status "status";
Dir::Cache "";
'''
SOURCES = "deb [arch=amd64 target=Packages lang=none signed-by={}] {} {} main\n"


def bases():
    """The bases that there is a series for"""
    return sorted(d for d in os.listdir(f"{TOP}/patches") if os.path.exists(f"{TOP}/patches/{d}/base"))


def proven(which=BASE):
    """patches/<base>/base: what the series was last proven on"""
    if which not in bases():
        die(f"there is no series for BASE={which}; there is one for {', '.join(bases())}")
    lines = [ln.split(None, 1) for ln in read(f"{TOP}/patches/{which}/base").splitlines()
             if ln.strip() and not ln.startswith("#")]
    res = {ln[0]: ln[1].strip() for ln in lines if len(ln) == 2}
    if lost := {"suite", "package", "version", "sha256", "upstream"} - set(res):
        die(f"patches/{which}/base has no line for {', '.join(sorted(lost))}")
    if not re.match(r"v\d+\.\d+", res["upstream"]):
        die(f"patches/{which}/base: upstream {res['upstream']} is no tag of Linux, as v6.1.192")
    return res


def sha256(path):
    """sha256 of a tarball, remembered as long as size and date stay the same"""
    st = os.stat(path)
    known_by = hashlib.sha256(f"{os.path.abspath(path)} {st.st_size} {st.st_mtime_ns}".encode()).hexdigest()
    memo = os.path.join(CACHE, "sha256", known_by)
    if not os.path.exists(memo):
        with open(path, "rb") as f:
            write(memo, hashlib.file_digest(f, "sha256").hexdigest() + "\n")
    return read(memo).strip()


def mirror(suite):
    """Where Debian's archive is, as MIRROR says or the user's apt; that of the security suites is another."""
    have = {"Debian": os.environ.get("MIRROR")}
    if not have["Debian"]:
        known = out(["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Origin: Debian"])
        have = dict(reversed(re.findall(r"^(Debian|Debian-Security) ((?!cdrom:)\S+)$", known, re.M)))
    uri = have.get("Debian", "")
    if suite.endswith("-security"):
        uri = have.get("Debian-Security") or re.sub("(?<!/)/debian(?=/|$)", "/debian-security", uri)
    return uri or die("apt knows no mirror of Debian; `apt-get update` as root, or set MIRROR=<uri>")


def fetch(suites, package):
    """Take the newest version of a package out of Debian's archive, if its tarball is not here; return where that is. It is
    in one of the suites, or in several, of which apt prefers the one that is no preview of another."""
    uri, new = {suite: mirror(suite) for suite in suites.split()}, f"{ARCHIVE}/new"
    keyring = glob.glob("/usr/share/keyrings/debian-archive-keyring.*") or ["/usr/share/keyrings/debian-archive-keyring.gpg"]
    apt = ["apt-get", "-c", f"{new}/apt.conf", "-qq"]
    shutil.rmtree(new, ignore_errors=True)      # of a call that was killed
    try:
        write(f"{new}/apt.conf", APT_CONF.format(new))
        write(f"{new}/status", "")
        write(f"{new}/sources.list", "".join(SOURCES.format(keyring[0], u, suite) for suite, u in uri.items()))
        run([*apt, "update"], cwd=new)
        version = re.search(r"' [^ _]+_([^ _]+)_", out([*apt, "download", "--print-uris", package], cwd=new))[1]
        path = f"{ARCHIVE}/{package}_{version}.tar.xz"
        if not os.path.exists(path):
            free_space(CACHE, 500, f"{package} {version}")
            with step(f"fetching {package} {version} from {' '.join(dict.fromkeys(uri.values()))}"):
                run([*apt, "download", package], cwd=new)
                run(["dpkg-deb", "-x", *glob.glob(f"{new}/*.deb"), new], cwd=new)
            os.rename(f"{new}/usr/src/{package}.tar.xz", path)
        os.utime(path)
        return path
    except Failed as e:
        said = re.search(r"^E: (.*)", str(e), re.M)
        die(f"{package} cannot be taken out of {' and '.join(f'{s} of {u}' for s, u in uri.items())}: {said[1] if said else e}")
    finally:
        shutil.rmtree(new, ignore_errors=True)


def newest(suites, package, look):
    """The tarball of a package of Debian's. If there is one, only look is reason to look for a newer, and not twice a day."""
    with lock(CACHE):
        have = sorted(glob.glob(f"{ARCHIVE}/{package}_*.tar.xz"), key=os.path.getmtime)
        if not have or look and time.time() - os.path.getmtime(have[-1]) > 24 * 3600:
            try:
                have.append(fetch(suites, package))
            except Failed as e:
                if not have:
                    die(f"{e}; LINUX=<folder or tarball> takes another base")
                say(f"{e}; going on with {os.path.basename(have[-1])}")
        for old in set(have) - {have[-1]}:
            os.unlink(old)
    return have[-1]


def source(which=BASE):
    """What to import: (what to call it, what its contents are known by, command that prints tar)"""
    linux, base = os.environ.get("LINUX"), proven(which)
    if not linux:
        # Told and looked for once, not by the commands that this one calls: all of them have the same base.
        package, told = base["package"], os.environ.get("LAB_BASE_TOLD", "").split()
        path = newest(base["suite"], package, package not in told)
        name, digest = os.path.basename(path).removesuffix(".tar.xz").replace("_", " "), sha256(path)
        if package not in told:
            os.environ["LAB_BASE_TOLD"] = " ".join([*told, package])
            if digest != base["sha256"]:
                say(f"the base is {name}; this series was last proven on {base['version']}")
        return name, digest, ["xz", "-dc", "-T0", path]
    if os.path.isfile(linux):
        tool = {".xz": "xz -dc -T0", ".gz": "gzip -dc", ".tgz": "gzip -dc", ".tar": "cat"}.get(os.path.splitext(linux)[1])
        if not tool:
            die(f"LINUX={linux}: a tarball is .tar, .tar.gz or .tar.xz")
        return linux, sha256(linux), [*tool.split(), os.path.abspath(linux)]
    if not os.path.isdir(linux):
        die(f"LINUX={linux}: there is no such folder or tarball")
    if not os.path.exists(f"{linux}/Makefile") or not os.path.exists(f"{linux}/{CORE}"):
        die(f"LINUX={linux} is not a kernel tree: it has no Makefile and {CORE}")
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
    linux = os.path.abspath(linux)
    seen = sorted(f"{f} {st.st_mode} {st.st_size} {st.st_mtime_ns}" for where, _, files in os.walk(linux) for name in files
                  for f in [os.path.join(where, name)] for st in [os.lstat(f)])
    return linux, hashlib.sha256("\n".join(seen).encode("utf-8", "surrogateescape")).hexdigest(), [
        "tar", "-c", "--sort=name", "--exclude=.git", "-C", *os.path.split(linux)]


def moved():
    """The version of Debian's package, if it is not the one that the series was last proven on"""
    name, digest, _ = source()
    return name.split()[-1] if not os.environ.get("LINUX") and digest != proven()["sha256"] else ""


def check_version(makefile, name):
    """Refuse what the series has no chance on; return the version, as the tags of Linux have it."""
    v = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *= *(\d+|-rc\d+)", makefile, re.M))
    if "VERSION" not in v or "PATCHLEVEL" not in v:
        die(f"{name} is not a kernel tree: its Makefile has no VERSION and PATCHLEVEL")
    major, minor = re.match(r"v(\d+)\.(\d+)", proven()["upstream"]).groups()
    have, wanted = f"{v['VERSION']}.{v['PATCHLEVEL']}", f"{major}.{minor}"
    if v["VERSION"] != major or abs(int(v["PATCHLEVEL"]) - int(minor)) > 1:
        die(f"{name} is Linux {have}, too far from {wanted} for patches/{BASE}; give a {wanted} tree by LINUX=")
    if have != wanted:
        say(f"warning: {name} is Linux {have}, the series is for {wanted}; hunks may not apply")
    return f"{have}.{v.get('SUBLEVEL', 0)}".removesuffix(".0") + v.get("EXTRAVERSION", "")


def import_tar(name, cmd, ref):
    """Pipe a tar stream into `git fast-import`, which sets the ref when all has arrived."""
    def put(header, data):
        imp.stdin.write(header.encode("utf-8", "surrogateescape") + f"data {len(data)}\n".encode() + data + b"\n")

    seen, err = set(), None
    src = subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    imp = subprocess.Popen(["git", f"--git-dir={STORE}", "-c", "core.compression=1", "fast-import", "--quiet", "--done",
                            "--force", "--depth=0"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        put(f"commit {ref}\ncommitter {COMMITTER} 1670796789 +0000\n", b"Linux")
        with tarfile.open(fileobj=src.stdout, mode="r|") as tar:
            for m in tar:
                path = m.name.removeprefix("./").partition("/")[2]
                if m.issym():
                    put(f"M 120000 inline {quote(path)}\n", m.linkname.encode())
                elif m.isfile():
                    data = tar.extractfile(m).read()
                    if path == "Makefile":
                        check_version(data.decode(errors="replace"), name)
                    elif path == ".gitignore":
                        # Debian hides all at the top from git: new files would not be seen.
                        data = re.sub(rb"\n\n?#\n# Debian packaging:.*\n/\*\n!/debian/\n", b"\n", data, flags=re.S)
                    seen |= {path} & {"Makefile", CORE}
                    put(f"M {'100755' if m.mode & 0o100 else '100644'} inline {quote(path)}\n", data)
                elif not m.isdir():
                    die(f"{name}: {m.name} is neither a file, a folder nor a symlink")
        if src.wait():                      # tarfile takes the end of a stream that broke off for the end
            raise EOFError
        if len(seen) < 2:
            die(f"{name} is not a kernel tree: it has no Makefile and {CORE}")
        imp.stdin.write(b"done\n")
        imp.stdin.close()
        err = imp.stderr.read()
        if imp.wait():
            raise BrokenPipeError
    except (tarfile.TarError, EOFError) as e:
        src.kill()
        said = src.stderr.read().decode(errors="replace").strip()
        die(f"{name} is not a tarball of a kernel tree, or it is damaged: {said or e}")
    except BrokenPipeError:
        err = (imp.stderr.read() if err is None else err).decode(errors="replace")
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
    with lock(CACHE):
        name, ident, cmd = source()
        store, ref = ["git", f"--git-dir={STORE}"], f"refs/base/1-{ident[:12]}"     # 1: how import_tar() makes a commit of it
        if not os.path.exists(f"{STORE}/HEAD"):
            run(["git", "init", "-q", "--bare", STORE])
        if run([*store, "rev-parse", "-q", "--verify", ref], check=False).returncode:
            free_space(CACHE, 600, "importing the base")
            with step(f"importing {name}"):
                import_tar(name, cmd, ref)
        else:
            check_version(out([*store, "show", f"{ref}:Makefile"]), name)
        commit = out([*store, "rev-parse", ref])
    open_repo()
    git("tag", "-f", f"base-{BASE}", commit)
    return commit


def command(_):
    print(get_base())
