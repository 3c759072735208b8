# SPDX-License-Identifier: GPL-2.0
"""The lab on bad input: each must end in one clear sentence, a bad exit status, and nothing lost or
half-done. Runs copies of lab/ in temporary folders on a kernel tree of three files."""
import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time

from lib import LAB, USER_ENV, result, write

IOMMU = "".join(f"line {i}\n" for i in range(1, 31))
PATCH = """From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001
From: A Tester <tester@attach-contract.example>
Date: Mon, 2 Nov 2026 10:00:00 +0000
Subject: [PATCH] {}

A message.
---
{}"""
HUNKS = """diff --git a/drivers/iommu/iommu.c b/drivers/iommu/iommu.c
--- a/drivers/iommu/iommu.c
+++ b/drivers/iommu/iommu.c
@@ -1,3 +1,4 @@
 line 1
+new 1
 line 2
 line 3
@@ -20,3 +21,4 @@
 line 20
+new 20
 line 21
 line 22
"""
# Answers make as kbuild does, but Kconfig knows only CONFIG_A.
MAKEFILE = """VERSION = 6
PATCHLEVEL = {}
SUBLEVEL = 7
allnoconfig:
\t@mkdir -p $(O); echo CONFIG_A=y >$(O)/.config
"""
PART = "# Not for git am, the new files are beside it: `make export` makes a mail of it.\n"
BASE = "suite some-security\npackage none\nversion 0\nsha256 0\nupstream {}\n"
ONE, TREE, SOURCE = "patches/6.1/first/one.patch", "build/linux-6.1-patched", "drivers/iommu/iommu.c"
# Stand for apt-get and dpkg-deb: an archive whose suite some-security has none_`cat newest`_all.deb, which is linux.tar.xz.
# The file fault names a step and says what goes wrong there.
APT = """#!/bin/sh
top=$(dirname "$0")/.. newest=$(cat "$top/newest")
case "$*" in
indextargets*)  cat "$top/mirrors"; exit ;;
*print-uris*)   echo "'http://m/none_${newest}_all.deb' none_${newest}_all.deb 9 SHA256:0"; exit ;;
-x*)            step=unpack ;;
*update)        step=update; cat "${2%apt.conf}sources.list" >"$top/sources"; grep -q some-security "$top/sources" || step=suite ;;
*)              step=download; head -c 99 "$top/linux.tar.xz" >none.deb ;;
esac
echo $step >>"$top/log"
! grep -q "^$step" "$top/fault" || { echo "W: odd"; sed "s/^$step/E:/" "$top/fault"; exit 100; } >&2
case $step in
download)       cp "$top/linux.tar.xz" none.deb ;;
unpack)         mkdir -p "$3/usr/src"; cp "$2" "$3/usr/src/none.tar.xz" ;;
esac
"""
NO_NET, BROKEN, FULL = "update Could not resolve x\n", "download Hash Sum mismatch\n", "unpack No space left on device\n"
# What happens in turn: what the archive has, how many days ago the last look was, what goes wrong; the steps taken, the version
# that is in the cache then, and what is said
LOOKS = (("no network and no tarball", 2, 0, NO_NET, "update", None, "Could not resolve x; LINUX="),
         ("a download that breaks off", 2, 0, BROKEN, "update download", None, "Hash Sum mismatch; LINUX="),
         ("a disk that is full", 2, 0, FULL, "update download unpack", None, "no space left on the disk"),
         ("the newest is taken, and told", 2, 0, "", "update download unpack", 2, "is none 2; this series was last proven on 0"),
         ("a tarball that was looked for today is not again", 3, 0, "", "", 2, "the base is none 2"),
         ("one that is still the newest is not fetched again", 2, 2, "", "update", 2, "the base is none 2"),
         ("and was looked for today", 3, 0, "", "", 2, "the base is none 2"),
         ("no network, but a tarball", 3, 2, NO_NET, "update", 2, "Could not resolve x; going on with none_2.tar.xz"),
         ("a tarball, and a newer one that breaks off", 3, 2, BROKEN, "update download", 2, "ch; going on with none_2.tar.xz"),
         ("a newer one takes its place", 3, 2, "", "update download unpack", 3, "the base is none 3"))
# An ordinary user
USER = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


def encoded(text):
    return text.encode("utf-8", "surrogateescape")


class Box:
    """A folder with a copy of lab/, a series of one patch and a small kernel tree"""
    tmp = None

    def __init__(self, minor=1):
        self.top = tempfile.mkdtemp(dir=self.tmp)
        os.chmod(self.top, 0o755)
        shutil.copytree(LAB, f"{self.top}/lab", symlinks=True)
        for path, text in {
                "linux/Makefile": MAKEFILE.format(minor), f"linux/{SOURCE}": IOMMU, "linux/.gitignore": ".*\n", "linux/MAINTAINERS": "",
                "linux/scripts/get_maintainer.pl": r'print "M <m\@x.example> (maintainer:X)\nl\@x.example (open list:X)\n";',
                "patches/6.1/base": BASE.format("v6.1"), "patches/6.1/series": "# topics\nfirst\n",
                "patches/6.1/first/cover": "Subject: cover\n\ntext\n", "patches/6.1/first/series": "one.patch\n",
                ONE: PATCH.format("one", HUNKS)}.items():
            self.put(path, text)
        self.env = dict(USER_ENV, XDG_CACHE_HOME=f"{self.top}/cache", LINUX=f"{self.top}/linux", MIRROR="", BASE="6.1",
                        NO_COLOR="1", V="")

    def part(self, name, path, topic="first", text="new\n"):
        """A patch that adds a file, at the end of a topic"""
        self.put(path, text)
        self.put(f"patches/6.1/{topic}/{name}.part", PART + PATCH.format(name, f"Add-file: {path}\n"))
        self.put(f"patches/6.1/{topic}/series", self.get(f"patches/6.1/{topic}/series") + f"{name}.part\n")

    def topic(self, name, after=""):
        """Another topic, of one patch that adds a file"""
        head = [f"Subject: {name}", *[f"Needs: {after}"] * bool(after)]
        self.put(f"patches/6.1/{name}/cover", "\n".join([*head, "", "text", ""]))
        self.put(f"patches/6.1/{name}/series", "")
        self.put("patches/6.1/series", self.get("patches/6.1/series") + f"{name}\n")
        self.part(f"{name}-file", f"drivers/{name}.c", name)

    def put(self, path, text, mode=0o644):
        write(f"{self.top}/{path}", text)
        os.chmod(f"{self.top}/{path}", mode)

    def get(self, path, **kw):
        with open(f"{self.top}/{path}", **kw or {"encoding": "utf-8"}) as f:
            return f.read()

    def has(self, path):
        return os.path.exists(f"{self.top}/{path}")

    def run(self, *argv, **kw):
        return subprocess.run(argv, **{"cwd": self.top, **kw}, env=self.env, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)

    def lab(self, *argv, **kw):
        return self.run("lab/lab", *argv, **kw)

    def git(self, *argv, at=TREE):
        return self.run("git", "-c", "user.name=T", "-c", "user.email=t@t.example", "-C", at, *argv)

    def commit(self, message, path, text="x\n"):
        self.put(f"{TREE}/{path}", text)
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def back(self, to="HEAD~1", at=TREE):
        self.git("reset", "-q", "--hard", to, at=at)

    def repo(self, *argv):
        return self.run("git", "--git-dir=build/linux.git", *argv)

    def without(self, *tools):
        """A PATH that lacks some tools"""
        os.makedirs(f"{self.top}/bin")
        for d in ("/usr/bin", "/bin"):
            for f in os.listdir(d):
                if f not in tools and not os.path.lexists(f"{self.top}/bin/{f}"):
                    os.symlink(f"{d}/{f}", f"{self.top}/bin/{f}")
        self.env["PATH"] = f"{self.top}/bin"


def fails(name, res, *words, also=True):
    """One result: the command failed, said these words, showed no traceback, and `also` holds."""
    text = res.stdout + res.stderr
    good = res.returncode != 0 and "Traceback" not in text and all(w in text for w in words) and also
    result(bool(good), name, "" if good else f"wanted {', '.join(words)}; exit status {res.returncode}"
           + ("" if also else "; something was lost or left behind"),
           "\n".join(ln for ln in text.splitlines() if ln.startswith("error:")) if good else text)


def works(name, res, also=True):
    good = bool(res.returncode == 0 and also)
    result(good, name, *[] if good else [res.stdout + res.stderr])


def hunks(old="", new=""):
    return PATCH.format("one", HUNKS.replace(old, new, 1) if old else HUNKS)


# A file of a good series is written anew; what lab compose then says, nothing if it is content.
BAD_SERIES = (
    ("a hunk that would need fuzz", ONE, hunks(" line 1\n", " line 1 \n"), ["hunk 1 of 2"]),
    ("a patch that the series does not name", "patches/6.1/first/two.patch", "x", ["two.patch", "add a line"]),
    ("a series line without a file", "patches/6.1/first/series", "one.patch\nx.patch\n", ["x.patch"]),
    ("a patch that is named twice", "patches/6.1/first/series", "one.patch\none.patch\n", ["one.patch twice"]),
    ("an empty topic", "patches/6.1/first/series", "# none\n", ["one.patch", "add a line"]),
    ("a patch in no topic", "patches/6.1/two.patch", "x", ["patches/6.1/two.patch is in no topic"]),
    ("a patch in a folder without series", "patches/6.1/second/x.part", "x", ["second", "add a line"]),
    ("an empty series", "patches/6.1/series", "# none\n", ["names no topic"]),
    ("a topic without a folder", "patches/6.1/series", "first\nsecond\n", ["second", "no folder"]),
    ("a topic that is named twice", "patches/6.1/series", "first\nfirst\n", ["first twice"]),
    ("a folder that the series does not name", "patches/6.1/second/series", "x.patch\n", ["second", "add a line"]),
    ("a cover without a text", "patches/6.1/first/cover", "Subject: x\n", ["first/cover", "no text"]),
    ("a cover with a field that is none", "patches/6.1/first/cover", "Subject: x\nNeed: y\n\ntext\n", ["Need"]),
    ("a cover with a field twice", "patches/6.1/first/cover", "Subject: x\nSubject: y\n\ntext\n", ["one `Subject"]),
    ("a cover that needs what is not there", "patches/6.1/first/cover", "Subject: x\nNeeds: y\n\ntext\n", ["needs y"]),
    ("a patch that begins as one with new files", ONE, PART + hunks(), ["one.patch", "of no other"]),
    ("a patch with new files that is called one without", ONE, PATCH.format("one", "Add-file: drivers/x.c\n"), ["one.part"]),
    ("a patch in another encoding", ONE, hunks("new 1", "n\udce4w"), []),
    ("a hunk for a file that the base lacks", ONE, hunks().replace("iommu.c", "nosuch.c"), ["one.patch", "drivers/iommu/nosuch.c"]),
    ("a patch that deletes a file", ONE, hunks("\n---", "\ndeleted file mode 100644\n---"), ["deleted file mode"]),
    ("a patch without a mail header", ONE, HUNKS, ["one.patch", "mail header"]),
    ("a base that is not whole", "patches/6.1/base", "package none\n", ["no line for sha256"]),
    ("a new file that no patch adds", "drivers/x.c", "x", ["drivers/x.c", "Add-file"]))


def compose_tests():
    b = Box()
    b.topic("second")
    b.put(ONE, hunks(" line 21", " line XX"))
    res, refs = b.lab("compose"), b.repo("for-each-ref").stdout
    left = [f for f in os.listdir(f"{b.top}/build") if f != "linux.git"]
    fails("a hunk that does not apply", res, "one.patch", SOURCE, "hunk 2 of 2", "make tree",
          also=not left and "contract" not in refs and "lab/" not in refs)
    b.lab("compose", "--tree")
    works("what stands behind it can be taken by git am", b.git("am", f"{b.top}/build/todo/6.1/002-second-file.patch"),
          also=b.git("log", "-1", "--format=%B").stdout.strip() == "second-file\n\nA message.\n\nLab-topic: second")
    fails("refresh does not drop a patch that is still to do", b.lab("refresh"), "one.patch", also=b.has(ONE))

    for name, path, text, words in BAD_SERIES:
        b = Box()
        b.put(path, encoded(text))
        (fails if words else works)(name, b.lab("compose"), *words)

    b, two = Box(), "patches/6.1/first/two.part"
    b.part("two", "drivers/new.c")
    os.unlink(f"{b.top}/drivers/new.c")
    fails("a new file that does not exist", b.lab("compose"), "drivers/new.c", "does not exist")
    b.put("drivers/new.c", "new\n")
    text = b.get(two)
    b.put(two, text.removeprefix(PART))
    fails("new files, and nothing that tells git am", b.lab("compose"), "two.part", "the first line")
    b.put(two, text)
    for f in (".new.c.swp", "new.c~", "#new.c#", ".#new.c", "new.c.orig", "new.c.rej"):
        b.put(f"drivers/{f}", "an editor's")
    b.put("lab/errnos/6.1/.amd.swp", "an editor's \0 table")
    works("an editor's files are nobody's new files", b.lab("compose"))
    works("and no errno tables", b.lab("matrix"))
    b.put("am/a", "a\n")
    for argv in (["init", "-q"], ["add", "a"], ["commit", "-qm", "a"]):
        b.git(*argv, at="am")
    b.put("plain.patch", PATCH.format("plain", "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-a\n+b\n"))
    for files in ([two], ["plain.patch", two]):
        res = b.git("am", *(f"{b.top}/{f}" for f in files), at="am")
        fails(f"git am does not take a patch that has new files: {' '.join(map(os.path.basename, files))}", res,
              also=b.git("log", "--format=%s", at="am").stdout.split() == [*["plain"] * (len(files) - 1), "a"])
        b.git("am", "--abort", at="am")


def base_tests():
    b = Box()
    os.unlink(f"{b.top}/linux/{SOURCE}")
    fails("a folder that is no kernel", b.lab("base"), "is not a kernel tree")
    b.run("tar", "cf", "linux.tar", "linux")
    b.env["LINUX"] += ".tar"
    fails("a tarball that is no kernel", b.lab("base"), "is not a kernel tree")
    b.put("linux.tar", "no tarball at all" * 99)
    fails("a file that is no tarball", b.lab("base"), "not a tarball")
    b.env["LINUX"] += ".gone"
    fails("a tree that does not exist", b.lab("base"), "no such folder")
    b = Box()
    b.put("linux/Makefile", "VERSION = 5\nPATCHLEVEL = 10\n")
    fails("a 5.10 tree", b.lab("base"), "Linux 5.10", "LINUX=")
    b.env["BASE"] = "6.99"
    fails("a series that does not exist", b.lab("base"), "BASE=6.99")
    b.env["BASE"] = "mainline"
    b.put("linux/Makefile", MAKEFILE.format(1))
    b.put("patches/mainline/base", BASE.format("v6.1-rc1"))
    works("a series whose name is no version", b.lab("base"))
    b.put("patches/mainline/base", BASE.format("next"))
    fails("a base of no version", b.lab("base"), "upstream next")
    shutil.rmtree(f"{b.top}/patches/mainline")
    os.makedirs(f"{b.top}/patches/x")
    for b.env["BASE"] in ("6.1/", "../6.1", "x"):
        fails(f"BASE={b.env['BASE']}", b.lab("base"), f"no series for BASE={b.env['BASE']}; there is one for 6.1")
    b = Box()
    plain = b.lab("base").stdout
    b.run("tar", "cf", "linux.tar", "linux")
    b.env["LINUX"] += ".tar"
    res = b.lab("base")
    works("a folder gives the commit that its tarball gives", res, also=plain and plain == res.stdout
          and ".gitignore" in b.repo("ls-tree", "--name-only", plain.strip()).stdout)
    b = Box()
    b.git("init", "-q", at="linux")
    fails("a git tree without a commit", b.lab("base"), "without a commit")
    b.git("add", "-A", "-f", at="linux")
    b.git("commit", "-qm", "x", at="linux")
    b.put("linux/drivers/iommu/dirty.c", "x\n")
    if os.geteuid() == 0:
        b.run("chown", "-R", "65534:65534", "linux")
        b.put("trap", f"#!/bin/sh\ntouch {b.top}/sprung\n", 0o755)
        b.run("git", "config", "-f", "linux/.git/config", "core.fsmonitor", f"{b.top}/trap")
        b.env["HOME"] = b.top
        fails("a git tree of another user, whom nobody trusts", b.lab("base"), "safe.directory", also=not b.has("sprung"))
        b.put(".gitconfig", f"[safe]\n\tdirectory = {b.top}/linux\n")
    else:
        print("# not run, as it takes root: a git tree, and a clone, of another user")
    res = b.lab("base")
    works("a git tree of another user: its commit, without what is not in it", res,
          also="dirty.c" not in b.repo("ls-tree", "-r", "--name-only", res.stdout.strip()).stdout)
    res = Box(minor=2).lab("compose")
    works("a 6.2 tree is tried, with a warning", res, also="warning" in res.stderr)

    b = Box()
    for i in range(64):
        b.put(f"linux/blob{i}", os.urandom(1 << 20))
    proc = subprocess.Popen(["lab/lab", "base"], cwd=b.top, env=b.env, stderr=subprocess.DEVNULL, start_new_session=True)
    packs = f"{b.top}/cache/attach-contract/linux.git/objects/pack/tmp_*"
    while not any(os.path.getsize(p) > 1 << 20 for p in glob.glob(packs)) and proc.poll() is None:
        time.sleep(0.01)
    os.killpg(proc.pid, signal.SIGKILL)
    killed = proc.wait() == -signal.SIGKILL and glob.glob(packs)
    works("an import that was killed is done again", b.lab("compose"), also=killed and not glob.glob(packs))


def archive_tests():
    b = Box()
    b.env.pop("LINUX")
    b.run("tar", "cJf", "linux.tar.xz", "linux")
    b.put("fake/apt-get", APT, 0o755)
    b.put("fake/dpkg-deb", APT, 0o755)
    b.env["PATH"] = f"{b.top}/fake:{b.env['PATH']}"
    cache, both = f"{b.top}/cache/attach-contract/apt", "Debian http://m/debian/\nDebian-Security http://s/\n"

    def base(newest=2, days=0, fault="", mirrors=both):
        for path, text in ("newest", str(newest)), ("fault", fault), ("mirrors", mirrors), ("log", ""), ("sources", ""):
            b.put(path, text)
        for tarball in glob.glob(f"{cache}/*.tar.xz") if days else []:
            os.utime(tarball, (time.time() - days * 24 * 3600,) * 2)
        return b.lab("base")

    for name, newest, days, fault, steps, left, words in LOOKS:
        if steps:
            b.put("cache/attach-contract/apt/new/old.deb", "of a call that was killed")
        res = base(newest, days, fault)
        seen = words in res.stderr, b.get("log").split(), os.listdir(cache)
        also = seen == (True, steps.split(), [f"none_{left}.tar.xz"] * bool(left))
        works(name, res, also) if left else fails(name, res, words, also=also)
    b.env["LAB_BASE_TOLD"] = "other none"
    works("a command that another has called does not look", base(4, 2), also=not b.get("log"))
    b.put("patches/6.1/base", b.get("patches/6.1/base").replace("-security", ""))
    shutil.rmtree(cache)
    fails("a suite that the archive does not have", base(fault="suite No Release file"), "some of http://m/debian/: No Rel", "LINUX=")
    fails("apt knows no mirror", base(mirrors="\n"), "MIRROR=")
    for suite, uri, mirrors, wanted in (
            ("other some", "", both, "http://m/debian/"), ("some", "", both, "http://m/debian/"), ("some-security", "", both, "http://s/"),
            ("some-security", "", "Debian cdrom:x\nDebian http://m/debian/\nDebian http://n/\n", "http://m/debian-security/"),
            ("some", "file:/debian/x", both, "file:/debian/x"),
            ("some-security", "http://debian/debian/x", "", "http://debian/debian-security/x")):
        b.env["MIRROR"] = uri
        b.put("patches/6.1/base", BASE.format("v6.1").replace("some-security", suite))
        works(f"{suite}, from {uri or mirrors.split()}", base(mirrors=mirrors), also=all(f"] {wanted} {s} main\n" in b.get("sources") for s in suite.split()))
        shutil.rmtree(cache)

    # A second base: with the same package in its archive, and then with a newer one
    shutil.rmtree(f"{b.top}/lab/checks")
    b.put("lab/checks/c.py", "from lib import BASE, result\ndef command(_):\n    result(True, BASE)\n")
    b.put("lab/checks/list", "c lint lint c\nd - check c\ne all all c\n")
    shutil.copytree(f"{b.top}/patches/6.1", f"{b.top}/patches/mainline")
    del b.env["BASE"]
    base()
    res = b.lab("check")
    works("lab check: what is for other bases runs on them", res, also=all(w in res.stdout for w in (
        "ok 1 6.1\n", "ok 1 mainline\n", "mainline/d ", "\nmainline/e            make check-all\n", "3 passed, 0 failed\n"))
        and "\nd " not in res.stdout)
    b.env["BASE"] = "6.1"
    works("lab check: a base that is chosen is the only one", b.lab("check"), also="mainline" not in b.lab("check").stdout)
    del b.env["BASE"]
    b.put("patches/mainline/first/one.patch", hunks(" line 21", " line XX"))
    res = b.lab("check")
    works("lab check: a newer base that has moved on is told and is no failure", res, also="2 passed" not in res.stdout and
          "\nmainline has moved to 2: 0 of 1 patches apply, the first that does not is first/one.patch\n1 passed, 0 failed\n" in res.stdout)
    proven = b.run("sha256sum", f"{cache}/none_2.tar.xz").stdout.split()[0]
    b.put("patches/mainline/base", b.get("patches/mainline/base").replace("sha256 0", f"sha256 {proven}"))
    works("lab check: the base that is proven is checked all the same", b.lab("check"), also="3 passed" in b.lab("check").stdout)
    b.env["BASE"] = "6.1"
    shutil.rmtree(cache)

    # The real apt, of a user who has told it to take what nobody has signed
    b.put("debian-security/dists/some-security/Release", "Suite: some-security\nDate: Mon, 02 Nov 2026 10:00:00 UTC\n")
    b.put("apt.conf", 'Acquire::AllowInsecureRepositories "true";\n')
    b.env.update(MIRROR=f"file:{b.top}/debian", APT_CONFIG=f"{b.top}/apt.conf", PATH=USER_ENV["PATH"])
    fails("an archive that is not signed", base(), "is not signed", also=not os.listdir(cache))


def setup_tests():
    for tool, argv in (("git", ["compose"]), ("sparse", ["checks.steps", "last", "x86_64"])):
        b = Box()
        b.without(tool)
        fails(f"no {tool}", b.lab(*argv), tool, "make setup")
    b = Box()
    b.env["QEMU"] = "no-such-qemu"
    fails("QEMU missing", b.run("lab/setup", "run"), "no-such-qemu cannot be run")
    b.put("qemu", "#!/bin/sh\necho QEMU emulator version 5.2.0\n", 0o755)
    b.env["QEMU"] = "./qemu"
    fails("QEMU too old", b.run("lab/setup", "run"), "version 5.2", "7.2")
    b.put("lab/packages", b.get("lab/packages") + "no-such-package  run\n")
    fails("a user with a package missing", b.run("lab/setup", "run", **USER), "sudo apt-get update && sudo apt-get install",
          "no-such-package")
    b.put("fake/apt-get", "#!/bin/sh\nexit 100\n", 0o755)
    b.put("fake/id", "#!/bin/sh\necho 0\n", 0o755)
    b.env["PATH"] = f"{b.top}/fake:{b.env['PATH']}"
    fails("root, and apt-get fails", b.run("lab/setup", "run"), "apt-get failed", "no-such-package")
    b = Box()
    b.without("dpkg-query", "qemu-system-x86_64", "ccache", "gcc")
    b.env["SUBMITTER"] = "T <t@t.example>"
    for argv in (["sh", "lab/setup", "series"], ["lab/lab", "compose"], ["lab/lab", "topics"], ["lab/lab", "export"]):
        works(f"another system, with a kernel tree: {' '.join(argv)}", b.run(*argv))
    fails("another system, and something that builds", b.run("sh", "lab/setup", "run"), "needs Debian 12")
    b.env.pop("LINUX")
    b.put("bin/dpkg-query", "#!/bin/sh\n", 0o755)
    series, run, check, every, coverage = (
        set(b.run("sh", "lab/setup", s, **USER).stderr.split()) for s in ("series", "run", "check", "check-all", "coverage"))
    result(series < run < check < every < coverage and "xz-utils" in series and not {"gcc", "clang-19"} & series
           and not {"clang-19", "gcc-powerpc-linux-gnu", "qemu-system-ppc"} & check,
           "each set of packages has more than the one before it", series, run, check, every, coverage)
    fails("a set of packages that does not exist", b.run("lab/setup", "--help"), "usage: lab/setup")


def disk_tests():
    # In a mount namespace of their own: first a disk that is too small, then one that fills up while at work, of files
    # and of bytes (this one by a lab that does not look beforehand), and after making room the same call.
    b = Box()
    os.mkdir(f"{b.top}/cache")
    small = ["unshare", "-rm" if os.geteuid() else "-m", "sh", "-c"]
    fails("no space for the import", b.run(*small, "mount -t tmpfs -o size=9m none cache && exec lab/lab compose"),
          "needs 600 MiB")
    for i in range(300):
        b.put(f"linux/many/{i}", "x" * 40000)
    os.mkdir(f"{b.top}/build")
    lib = b.get("lab/lib.py")
    for what, size, fill in (
            ("files", "size=9g,nr_inodes=2000", "mkdir build/full && seq 1800 | sed s,^,build/full/, | xargs touch"),
            ("bytes", "size=40m", "head -c 34m /dev/zero >build/full")):
        b.put("lab/lib.py", lib.replace("have < mib", "have < 0") if what == "bytes" else lib)
        res = b.run(*small, f"mount -t tmpfs -o {size} none build && {fill} && lab/lab compose --tree; echo =$?; "
                    "rm -r build/full && lab/lab compose --tree && ls build/linux-6.1-patched/many | wc -l")
        second = res.stdout.partition("=1\n")[2]
        good = "no space left" in res.stderr and "Traceback" not in res.stderr and second.split()[-1:] == ["300"]
        result(good, f"the disk fills up in a checkout, of {what}, and the next call goes on",
               *[] if good else [res.stdout[-1000:], res.stderr[-1000:]])


def build_tests():
    b = Box()
    b.put("lab/x86_64.config", "")
    b.put("lab/client.config", "")
    b.put("lab/common.config", "# CONFIG_A is chosen\nCONFIG_A=y\nCONFIG_LOST=y\n")
    fails("a config line that Kconfig drops", b.lab("build", "stock"), "dropped 1 line", "CONFIG_LOST=y",
          also=not glob.glob(f"{b.top}/build/kernel/*"))
    b.put("lab/kunit.d/common.config", "CONFIG_LOST=y\n")
    res = b.lab("checks.kunit", "x86_64")
    fails("a check whose command fails says why once", res, "CONFIG_LOST=y", also=res.stderr.count("error:") == 1)
    b.put("lab/common.config", "CONFIG_A=y\n")
    for name in ("a b", "a:b"):
        shutil.copytree(b.top, f"{b.top}/{name}", ignore=lambda _, names: {"build", "cache", name} & set(names))
        for argv in (["build", "patched"], ["mutate"], ["checks.steps", "last", "x86_64"]):
            fails(f"a clone in {name!r}, lab/lab {argv[0]}", b.lab(*argv, cwd=f"{b.top}/{name}"), "space or colon",
                  also=not glob.glob(f"{b.top}/{name}/build/linux-*"))
    fails("a kernel that does not build", b.lab("build", "stock"), "does not build", "bzImage")
    b.part("one", "drivers/iommu/one-test.c", text='\t.name = "one",\n\tKUNIT_CASE(a_case),\n')
    b.put("lab/kunit.d/6.1/x86_64.config", "# Suites: one\n")
    for line, words in (("a | b | c", ["four fields"]), ("a | b | c | no-suite x", ["no test", "no-suite"]),
                        ("a | b | c | one no_case", ["no test", "no_case"]), ("x.c | b | c | one a_case", ["not in the file"])):
        b.put("lab/mutations/6.1/new", f"# a file | that | is | new\n{line}\n")
        fails(f"a mutation that cannot be, {line}", b.lab("mutate", "new"), "new:2", *words,
              also=not b.has("build/linux-6.1-mutants-0"))
    # Of what assembler takes in so, ccache knows nothing.
    b.put("a.S", '.incbin "data"\n')
    b.env["CCACHE_DIR"] = f"{b.top}/ccache"
    for text in ("one", "two"):
        b.put("data", text)
        res = b.run("lab/cc", "gcc", "-Wp,-MMD,a.d", "-c", "-o", "a.o", "a.S")
    works("assembler is not cached", res, also="two" in b.run("strings", "-n3", "a.o").stdout)


def work_tests():
    b = Box()
    b.env["BASE"] = "of-which-the-lab-has-nothing-yet"
    commands = [os.path.relpath(f, LAB)[:-3].replace("/", ".") for d in ("", "checks/") for f in glob.glob(f"{LAB}/{d}*.py")
                if "\ndef command(" in open(f, encoding="utf-8").read()]
    lost = [c for c in commands if f"usage: lab/lab {c}" not in b.lab(c, "--help").stdout]
    result(commands and not lost and not b.has("build"), "--help of a command does nothing else", *lost)
    fails("a base without mutations", b.lab("mutate"), f"lab/mutations/{b.env['BASE']} has no")
    b.env["BASE"] = "6.1"
    b.lab("compose", "--tree")
    for argv in (["clean", "--help"], ["clean", "nonsense"], ["compose", "nonsense"], ["refresh", "nonsense"]):
        res = b.lab(*argv)
        result(b.has(TREE) and "Traceback" not in res.stderr and (res.returncode == 0) == ("--help" in argv),
               f"lab/lab {' '.join(argv)} removes nothing", res.stderr)
    works("git checkout of the series' branch, from another and back", b.git("checkout", "-qb", "mine"),
          also=b.git("checkout", "-q", "contract/6.1").returncode == 0)
    b.put(f"{TREE}/{SOURCE}", b.get(f"{TREE}/{SOURCE}") + "mine\n")
    for cmd in ("compose", "refresh", "clean"):
        fails(f"an edit in the tree survives lab/lab {cmd}", b.lab(cmd), "1 changed file", also="mine" in b.get(f"{TREE}/{SOURCE}"))
    b.commit("two\n\nText.", "drivers/new.c", "new\n")
    for cmd in ("compose", "clean"):
        fails(f"a commit in the tree survives lab/lab {cmd}", b.lab(cmd), "make refresh", also="mine" in b.get(f"{TREE}/{SOURCE}"))
    old = b.get(ONE)
    b.put(ONE, old.replace("new 1\n", "new one\n"))
    fails("an edit in patches/ survives refresh", b.lab("refresh"), "both", also="new one" in b.get(ONE))
    b.put(ONE, old)
    res = b.lab("refresh")
    works("refresh writes a commit that says no topic to that of the one before", res,
          also="two says no topic and joins first" in res.stderr and b.get("patches/6.1/first/series") == "one.patch\ntwo.part\n"
          and b.get("drivers/new.c") == "new\n" and "Add-file: drivers/new.c" in b.get("patches/6.1/first/two.part"))
    works("and compose takes it", b.lab("compose"))
    b.git("rm", "-q", "Makefile")
    b.git("commit", "-qm", "three")
    fails("a commit that deletes a file", b.lab("refresh"), "deletes", "Makefile",
          also=len(glob.glob(f"{b.top}/patches/6.1/*/*.pa*")) == 2)

    # Interrupted on the way to the first checkout, with a series that has been composed before
    b = Box()
    for i in range(300):
        b.put(f"linux/many/{i}", "x")
    b.lab("compose")
    b.repo("update-ref", "-d", "refs/lab/patched")
    b.repo("worktree", "add", "-q", "--no-checkout", "--detach", f"{b.top}/{TREE}", "contract/6.1")
    b.put(f"{TREE}/many/1", "half")
    res = b.lab("compose", "--tree")
    works("a checkout that was interrupted is nobody's work", res,
          also=b.git("status", "--porcelain").stdout == "" and b.get(f"{TREE}/many/1") == "x")

    # In a tree of the user's own, made of the branch
    b = Box()
    b.lab("compose")
    b.repo("worktree", "add", "-q", f"{b.top}/own", "contract/6.1")
    b.git("commit", "-q", "--allow-empty", "-m", "mine", at="own")
    for argv in (["compose"], ["compose", "--tree"]):
        fails(f"a commit on the branch in a tree of one's own survives lab/lab {' '.join(argv)}", b.lab(*argv),
              "commits on contract/6.1", also=b.git("log", "-1", "--format=%s", "contract/6.1", at="own").stdout == "mine\n")
    b.git("checkout", "-q", "--detach", at="own")
    b.repo("branch", "-m", "contract/6.1", "mine")
    works("and with the branch renamed all goes on", b.lab("compose", "--tree"))

    if os.geteuid() == 0:
        b = Box()
        fails("a clone of another user", b.lab("compose", **USER), "cannot write", "own clone", also=not b.has("cache"))


def newer_tests():
    """A file that two bases add: at its path as the newer one has it, hunks in the patch of the other"""
    b, part, path = Box(), "patches/6.1/first/new.part", "drivers/new.c"
    b.part("new", path, text="1\n2\n3\n")
    b.lab("compose", "--tree")
    shutil.copytree(f"{b.top}/patches/6.1", f"{b.top}/patches/mainline")
    b.put(f"{TREE}/{path}", "1\nold\n3\n")
    b.git("commit", "-qa", "--amend", "--no-edit")
    works("refresh leaves a file as the newer base has it", b.lab("refresh"),
          also=b.get(path) == "1\n2\n3\n" and "\n-2\n+old\n" in b.get(part))
    works("and compose makes the older one's of it", b.lab("compose"),
          also=b.git("show", f"contract/6.1:{path}").stdout == "1\nold\n3\n")
    was = b.get(part)
    b.put(path, "1\n2\n3\nall\n")
    works("a change of it comes to both", b.lab("compose", "--tree"), also=b.get(f"{TREE}/{path}") == "1\nold\n3\nall\n")
    b.lab("export", "--submitter", "A <a@b.example>", "--topic", "distribution")
    result("+old\n+3\n+all\n" in b.get("build/export/6.1/distribution/series.mbox") and b.get(part) == was, "and is exported whole")
    res = b.lab("topics")
    result("+4 " in res.stdout.splitlines()[1] and "+2 -0" in res.stdout, "topics counts its lines as new ones", res.stdout, res.stderr)
    b.put(path, "1\ntwo\n3\n")
    fails("a change that the older one's hunks do not fit", b.lab("compose"), f"{part}: {path}: hunk 1 of 1 does not apply", "git am -3")
    b.lab("compose", "--tree")
    b.git("am", f"{b.top}/build/todo/6.1/001-new.patch")
    b.put(path, "1\n2\n3\n")
    b.lab("compose", "--tree")
    b.back()
    works("what the older one drops stays for the newer one", b.lab("refresh"), also=b.has(path) and not b.has(part))
    b.env["BASE"], tree = "mainline", "build/mainline/linux-mainline-patched"
    works("a tree of each base", b.lab("compose", "--tree"), also=b.has(tree) and b.has(TREE))
    b.git("commit", "-q", "--allow-empty", "-m", "mine", at=tree)
    b.env["BASE"] = "6.1"
    works("a commit in one is nothing to the other", b.lab("compose"))
    fails("a commit in another base's tree survives lab/lab clean", b.lab("clean"), tree, also=b.has(tree))
    b.back(at=tree)
    works("lab/lab clean removes what is of all bases", b.lab("clean"), also=not b.has("build"))


def topic_tests():
    b = Box()
    b.topic("second", "first")
    b.topic("third")
    b.lab("compose", "--tree")
    every = "patches/6.1/series"

    def series(topic):
        return b.get(f"patches/6.1/{topic}/series")
    res = b.lab("compose", "--topic", "third")
    works("a topic on top of what it needs", res,
          also=b.repo("log", "--format=%s", res.stdout.strip()).stdout.split() == ["third-file", "Linux"])
    result("topic" not in b.repo("for-each-ref").stdout, "a topic moves no branch")
    fails("a topic that does not exist", b.lab("compose", "--topic", "x"), "no topic x", "first, second, third")
    last = b.git("rev-parse", "HEAD~1", "HEAD").stdout.split()
    b.back("HEAD~2")
    b.commit("new\n\nText.\n\nLab-topic: first\nLab-stable: it hurts", "drivers/n.c")
    b.git("cherry-pick", *last)
    res, new = b.lab("refresh"), b.get("patches/6.1/first/new.part")
    works("a patch that comes between others moves nothing to another topic", res,
          also=(series("first"), series("second"), series("third")) == ("one.patch\nnew.part\n", "second-file.part\n", "third-file.part\n")
          and "Stable: it hurts" in new and "Lab-" not in new)
    res = b.lab("refresh")
    works("refresh again", res, also="0 files written, 0 removed" in res.stderr)
    message = "fix\n\nText.\n\nFixes: 123456789012 (\"x\")\nLab-topic: third"
    b.commit(message, "drivers/fix.c")
    works("refresh and compose of a message with a trailer", b.lab("refresh"),
          also=b.git("log", "-1", "--format=%B").stdout.strip() == message)
    for text in ("[RFC] x", "x\n\nText.\n---\nmore", "x\n\nText.\n\ndiff --git a/x b/x\nmore", "x\n\nFrom: A <a@b.example>\n\nText."):
        b.commit(f"{text}\n\nLab-topic: third", "drivers/x.c")
        files = b.run("ls", "-R", "patches", "drivers").stdout
        fails(f"a message that no mail holds: {text!r}", b.lab("refresh"), "a mail cannot hold",
              also=b.run("ls", "-R", "patches", "drivers").stdout == files)
        b.back()
    b.back()
    b.lab("refresh")
    b.commit("fixup! new", "drivers/late.c")
    fails("a fixup that is left over", b.lab("refresh"), "fixup-new", "--autosquash")
    b.back()
    b.commit("late\n\nLab-topic: first", "drivers/late.c")
    fails("commits of a topic that do not stand together", b.lab("refresh"), "late", "topic first", "git rebase")
    b.git("commit", "-q", "--amend", "-m", "late\n\nLab-topic: fourth")
    fails("a topic that has no cover", b.lab("refresh"), "patches/6.1/fourth has no cover", also="fourth" not in b.get(every))
    b.put("patches/6.1/fourth/cover", "Subject: x\n\ntext\n")
    b.put("patches/6.1/fourth/series", "# none yet\n")
    comments = "# topics\n\nfirst\n# on its way\nfourth\n# of the second\nsecond\nthird\n# the end\n"
    b.put(every, comments)
    b.back()
    works("a topic without a patch yet stays, and so do comments", b.lab("refresh"),
          also=b.lab("compose").returncode == 0 and b.get(every) == comments)
    b.commit("late\n\nLab-topic: fourth", "drivers/late.c")
    b.commit("late\n\nLab-topic: fourth", "drivers/late2.c")
    fails("two patches of one name", b.lab("refresh"), "late.part", "change one's subject")
    b.back("HEAD~2")
    b.put(every, b.get(every).replace("# on its way\nfourth\n", ""))
    shutil.rmtree(f"{b.top}/patches/6.1/fourth")
    b.put("lab/errnos/6.1/x", "Where: x\nPatch: third-file\n")
    b.back()
    res = b.lab("refresh")
    works("the last patch of a topic goes, and with it the topic; the rows that name it are told", res,
          also="topic third has no patch" in res.stderr and "lab/errnos/6.1/x names third-file" in res.stderr
          and not b.has("patches/6.1/third") and not b.has("drivers/third.c")
          and b.get(every) == "# topics\n\nfirst\n# of the second\nsecond\n# the end\n")


def export_tests():
    b, to = Box(), "build/export/6.1"
    b.topic("second", "first")
    b.put(ONE, PATCH.format("one", "Stable: it hurts\n\n" + HUNKS))
    for who in ("T", "T <t>", "T <t@t.example>\n", "T\nX: y <t@t.example>"):
        b.env["SUBMITTER"] = who
        fails(f"SUBMITTER={who!r}", b.lab("export"), "no submitter", also=not b.has("build/export"))
    b.env["SUBMITTER"] = '"Doe, J\u00f6rg" <t@t.example>'
    b.put("linux/scripts/get_maintainer.pl", r'local $/; open(F, $ARGV[-1]); print <F> =~ /^\+new 20/m '
          r'? "K <k\@x.example> (maintainer:X)\n" : "", "M <m\@x.example> (maintainer:X)\nl\@x.example (open list:X)\n";')
    works("an export", b.lab("export"), also=sorted(os.listdir(f"{b.top}/{to}")) == ["distribution", "first", "second", "stable"])
    mail, one, cover = (b.get(f"{to}/{f}.patch") for f in ("second/0001-second-file", "first/0001-one", "second/0000-cover-letter"))
    wanted = ("To: M <m@x.example>\n", "Cc: l@x.example\n", "Signed-off-by: Doe, J\u00f6rg <t@t.example>\n", "\n+new\n")
    result(all(w in mail for w in wanted) and "Lab-topic" not in mail and "Add-file" not in mail,
           "a mail has its people and its new file", mail)
    result("\nTo: M <m@x.example>,\n\tK <" in one or "\nTo: K <k@x.example>,\n\tM <" in one,
           "who is asked for by what a mail says gets it", one)
    result("\n---\nStable: it hurts\n\n" in one, "a mail says that stable could take it", one)
    result("Subject: [PATCH 0/1] second\n" in cover and "Base: v6.1.7\n" in cover and "base-commit" not in cover
           and cover.count("prerequisite-patch-id: ") == 1, "a cover has the base and what its topic stands on", cover)
    works("the choice of prefix and version", b.lab("export", "--topic", "stable", "--prefix", "RFC PATCH", "--version", "3"),
          also="Subject: [RFC PATCH v3 1/1] one\n" in b.get(f"{to}/stable/v3-0001-one.patch"))
    b.put(f"{to}/second/0000-cover-letter.patch", cover + "mine")
    fails("an edited cover letter", b.lab("export"), "0000-cover-letter.patch", "move it away",
          also="mine" in b.get(f"{to}/second/0000-cover-letter.patch"))
    b.put("there/second/precious", "x")
    fails("a folder that is no export", b.lab("export", "--topic", "second", "there"), "is not an export",
          also=b.has("there/second/precious"))
    fails("a topic that does not exist", b.lab("export", "--topic", "x"), "no topic x")

    b = Box()
    b.env["SUBMITTER"] = "T <t@t.example>"
    b.put(ONE, encoded(hunks("new 1", "n\udce4w")))
    works("Latin-1 in a driver", b.lab("compose", "--tree"))
    b.lab("refresh")
    res = b.lab("refresh")
    works("refresh of it changes nothing", res, also="0 files written" in res.stderr)
    works("and its export", b.lab("export"), also=all(b"+n\xe4w\n" in b.get(f"{to}/{f}", mode="rb") for f in (
        "first/0001-one.patch", "distribution/series.diff", "distribution/series.mbox", "distribution/quilt/first/one.patch")))
    b.put("linux/Makefile", MAKEFILE.format(1).replace("= 7", "= 0\nEXTRAVERSION = -rc7"))
    for argv in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-qm", "x"]):
        b.git(*argv, at="linux")
    b.env["SUBMITTER"] = "Doe, Jane <j@x.example>"
    res, head = b.lab("export"), b.git("rev-parse", "HEAD", at="linux").stdout
    works("an export on a git tree of a release candidate, from one whose name has a comma", res,
          also=f"Base: v6.1-rc7\nbase-commit: {head}" in b.get(f"{to}/first/0000-cover-letter.patch")
          and b"\nSigned-off-by: Doe, Jane <j@x.example>\n" in b.get(f"{to}/first/0001-one.patch", mode="rb"))


def runner_tests():
    def check(script, *args, when="check"):
        b = Box()
        shutil.rmtree(f"{b.top}/lab/checks")
        b.put("lab/checks/c.py", "import os\ndef arguments(parser):\n    parser.add_argument('word')\ndef command(args):\n"
              f"    os.execv('/bin/sh', ['sh', '-c', {script!r}, 'c', args.word])\n")
        b.put("lab/checks/list", f"# a list\nc {when} - c an-argument  # adds much\n")
        b.env["CHECK_ASLEEP"] = "2"
        return b, b.lab("check", *args)

    for name, script, words in (
            ("all is well", 'echo ok 1 $1; echo 1..1', None),
            ("a check that is busy", "timeout 4 yes >/dev/null; echo ok 1 a; echo 1..1", None),
            ("a failure", "echo not ok 1 a; echo 1..1; exit 1", "0 passed, 1 failed"),
            ("no plan", "echo ok 1 a", "1 passed, 1 failed"),
            ("nothing printed", "exit 0", "printed no result"),
            ("a plan of nothing", "echo 1..0", "printed no result"),
            ("fewer results than planned", "echo 1..2; echo ok 1 a", "planned 2"),
            ("exit status 1 while all is ok", "echo ok 1 a; echo 1..1; exit 1", "exit status 1"),
            ("exit status 0 with a failure", "echo not ok 1 a; echo 1..1", "exit status 0"),
            ("a skip", "echo ok 1 a '# SKIP no tool'; echo 1..1", "0 passed"),
            ("a check that hangs", "echo ok 1 a; echo 1..1; sleep 1000", "it hangs, for 2 s it slept"),
            ("a check that is killed", "echo ok 1 a; echo 1..1; kill -9 $$", "exit status -9")):
        b, res = check(script)
        if words:
            fails(f"lab check: {name}", res, words,
                  also="not ok 1 c" in b.get("build/check.ktap") and "<failure" in b.get("build/check.xml"))
        else:
            works(f"lab check: {name}", res, also=res.stdout.endswith("1 passed, 0 failed\n"))
    for text, words in (("c nightly c", "list:1"), ("c lint", "list:1"), ("c lint - c\nc all - c", "list:2"),
                        ("c lint - c\nd lint - d", "the same checks: d")):
        b.put("lab/checks/list", f"{text}\n")
        fails(f"lab check: the list says {text!r}", b.lab("check"), words)
    b, res = check("echo ok 1 a; echo 1..1", when="all")
    fails("lab check: no check at all", res, "there is no check")
    fails("lab check: a check that does not exist", b.lab("check", "x"), "there is no check x")
    works("lab check --all: what only this runs", b.lab("check", "--all"))
    # A run that goes on: b is its own git repository, in which the log shows what was run
    b.put("lab/checks/list", "c lint - c word\nd lint - c other\n")
    b.put("lab/checks/c.py", "import os\nfrom lib import result\ndef arguments(parser):\n    parser.add_argument('word')\n"
          "def command(args):\n    open('log', 'a').write(args.word + ' ')\n    result(not os.path.exists('bad-' + args.word), 'a')\n")
    b.put(".gitignore", "*\n!/lab/\n!/lab/checks/\n!/lab/checks/*\n__pycache__\n")
    fails("lab check --continue: no commit", b.lab("check", "--continue"), "commit what you have changed")
    b.git("init", "-q", at=".")
    b.git("add", "-A", at=".")
    b.git("commit", "-qm", "one", at=".")
    b.put("bad-other", "")
    fails("lab check: a failure that is kept", b.lab("check"), "1 passed, 1 failed")
    os.unlink(f"{b.top}/bad-other")
    res = b.lab("check", "--continue")
    works("lab check --continue: what failed runs again, and nothing else", res,
          also=b.get("log") == "word other other " and "1 of 2 checks were not run again" in res.stdout and "2 passed" in res.stdout)
    b.put("lab/checks/list", "c lint - c word\n\nd lint - c other\n")
    fails("lab check --continue: a file was changed", b.lab("check", "--continue"), "commit what you have changed")
    works("lab check: results of what is not committed", b.lab("check"), also=b.get("log").endswith("other word other "))
    b.git("commit", "-qam", "two", at=".")
    works("lab check --continue: another commit", b.lab("check", "--continue"), also=b.get("log").endswith("other word other word other "))
    works("lab check: all of it, where nobody asks", b.lab("check"), also=b.get("log").count("word") == 4)
    b.put("lab/checks/list", "c lint - c word\nd check - c other\n")
    b.git("commit", "-qam", "three", at=".")
    b.lab("check")
    b.put("notes.md", "")
    b.git("add", "-f", "notes.md", at=".")
    b.git("commit", "-qm", "four", at=".")
    works("lab check --continue: what builds does not look at texts", b.lab("check", "--continue"),
          also=b.get("log").endswith("word other word "))

    b.put("lab/checks/list", "c lint - c word\nd check - c\ne all - c  # adds much\n")
    res = b.lab("check", "--lint")
    works("lab check --lint: the others are named", res, also=all(w in res.stdout for w in (
        "\nd                     make check\n", "\ne                     make check-all: adds much\n", "1 passed, 0 failed\n")))


def command(_):
    with tempfile.TemporaryDirectory(prefix="lab-") as Box.tmp:
        os.chmod(Box.tmp, 0o755)
        for tests in (compose_tests, base_tests, archive_tests, setup_tests, disk_tests, build_tests, work_tests, newer_tests,
                      topic_tests, export_tests, runner_tests):
            tests()
