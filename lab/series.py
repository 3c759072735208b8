# SPDX-License-Identifier: GPL-2.0
"""Bases and series: a kernel tarball or tree -> a commit, a series on it -> a branch -> a tree.

A series is made of topics, each of which is what one maintainer is sent:

  patches/6.1/base              what it was last proven on
  patches/6.1/series            names the topics in order
  patches/6.1/TOPIC/cover       `Subject:`, `Needs:` the topics that it stands on, a blank line, the text
  patches/6.1/TOPIC/series      names its patches in order
  patches/6.1/TOPIC/SLUG.patch  a mail with hunks to files that the base has; below `---` there may be a line `Stable: why`,
                                if a stable tree could take the patch without the rest
  patches/6.1/TOPIC/SLUG.part   the same, and `Add-file:` lines below `---` name new files, which are at their paths here.
                                `git am` would lose them, so the first line makes it refuse the file

In a tree to work in, trailers of a commit (`Lab-topic:`, `Lab-stable:`) say what these places say here.

Two git repositories. CACHE/linux.git holds imported bases, which every clone of this project can
use. build/linux.git borrows its objects and holds what belongs to this clone:

  refs/tags/base-6.1        the base
  refs/heads/contract/6.1   the series on top; checked out in build/linux-6.1-patched
  refs/lab/NAME             the commit that compose last put into the tree build/linux-6.1-NAME; patched: on the branch

Every hash depends on contents only, so a cache that was removed comes back as it was."""

import contextlib
import errno
import fnmatch
import glob
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile

from lib import (BASE, BUILD, CACHE, PATCHES, TOP, USER_ENV, die, free_space, lock, out, read, run,
                 say, step, write)

STORE = os.path.join(CACHE, "linux.git")
REPO = os.path.join(BUILD, "linux.git")
BRANCH = f"contract/{BASE}"
TODO = os.path.join(BUILD, "todo", BASE)
# Written into every commit of the lab, so that hashes do not depend on who runs it.
LAB = "attach-contract lab <lab@attach-contract.example>"
# The kernel-shaped folders of this repository: all in them ships, by a patch that names it.
SHIPPED = ("drivers", "include", "Documentation", "scripts", "tools")
# The first line of a patch that has new files
PART = "# Not for git am, the new files are beside it: `make export` makes a mail of it."


def git(*args, **kw):
    return out(["git", f"--git-dir={REPO}", *args], **kw)


def tree_path(name):
    return os.path.join(BUILD, f"linux-{BASE}-{name}")


# ---- the base ----

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


def quote(path):
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


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
        put(f"commit {ref}\ncommitter {LAB} 1670796789 +0000\ndata 5\nLinux\n")
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


def open_repo():
    if not os.path.exists(f"{REPO}/HEAD"):
        # HEAD names a branch that will never be there: git must not take this repository for a tree that has the series.
        run(["git", "init", "-q", "--bare", "-b", "lab/none", REPO])
        git("config", "core.logAllRefUpdates", "true")
    if "worktreeConfig" not in read(f"{REPO}/config"):
        # It is bare and its trees are not; checkpatch's spdxcheck goes by the common config file.
        git("config", "extensions.worktreeConfig", "true")
        git("config", "--worktree", "core.bare", "true")
        git("config", "--unset", "core.bare")
    write(f"{REPO}/objects/info/alternates", f"{STORE}/objects\n")
    for tree in glob.glob(f"{BUILD}/linux-*/.git"):     # the clone may have been moved
        git("worktree", "repair", os.path.dirname(tree), check=False)
    write(f"{REPO}/info/exclude", ".obj*/\n")      # where lab/build keeps the objects of a tree
    write(f"{REPO}/info/attributes", "*.[ch] diff=cpp\n")      # a hunk's head names the function, not a label


def rev(ref):
    """The commit of a ref in build/linux.git, or an empty string."""
    return run(["git", f"--git-dir={REPO}", "rev-parse", "-q", "--verify", ref], check=False).stdout.strip()


# ---- the series ----

class Refused(Exception):
    """a patch that cannot be composed; .commit is the last that could, .rest names what is left"""


def names(path):
    """The lines of a series file"""
    if not os.path.exists(path):
        die(f"{os.path.relpath(path, TOP)} is missing; it names what belongs to the series, a line each")
    return [ln for ln in map(str.strip, read(path).splitlines()) if ln and not ln.startswith("#")]


def read_cover(topic, top=TOP):
    """{"subject", "needs", "text"} of a topic's cover letter"""
    path = f"{top}/patches/{BASE}/{topic}/cover"
    if not os.path.exists(path):
        die(f"patches/{BASE}/{topic} has no cover: write one, `Subject: ...`, `Needs: ...` if it stands on other topics, "
            "a blank line and the text")
    head, _, text = read(path).partition("\n\n")
    lines = [ln.split(": ", 1) for ln in head.splitlines()]
    if bad := [ln for ln in lines if ln[0] not in ("Subject", "Needs") or len(ln) < 2] or len(dict(lines)) < len(lines):
        die(f"patches/{BASE}/{topic}/cover has more in its head than one `Subject: ...` and one `Needs: TOPIC ...`: {bad}")
    head = dict(lines)
    if "Subject" not in head or not text.strip():
        die(f"patches/{BASE}/{topic}/cover has no Subject, or no text below it")
    return {"subject": head["Subject"], "needs": head.get("Needs", "").split(), "text": text.strip() + "\n"}


def read_topics(top=TOP):
    """{topic: {"subject", "needs", "text", "names" of its patches}} in order, once all of it agrees with itself"""
    folder, res = f"{top}/patches/{BASE}", {}
    for topic in names(f"{folder}/series"):
        if topic in res:
            die(f"patches/{BASE}/series names {topic} twice; remove one of the lines")
        if not os.path.isdir(f"{folder}/{topic}"):
            die(f"patches/{BASE}/series names {topic}, but there is no folder patches/{BASE}/{topic}")
        res[topic] = {**read_cover(topic, top), "names": names(f"{folder}/{topic}/series")}
        if late := [n for n in res[topic]["needs"] if n not in res]:
            die(f"patches/{BASE}/{topic}/cover needs {', '.join(late)}, which patches/{BASE}/series does not name before it")
    if not res:
        die(f"patches/{BASE}/series names no topic")
    # One that has only its cover is of a new topic, whose commits are to come.
    disk = [os.path.relpath(f, folder) for n in ("series", "*.patch", "*.part") for f in glob.glob(f"{folder}/*/{n}")]
    if lost := {os.path.dirname(f) for f in disk} - set(res):
        die(f"patches/{BASE}/series does not name {', '.join(sorted(lost))}; add a line for it, or remove the folder")
    if stray := glob.glob(f"{folder}/*.patch") + glob.glob(f"{folder}/*.part"):
        die(f"{os.path.relpath(sorted(stray)[0], top)} is in no topic; move it to the folder of one and name it in the series there")
    return res


def with_needs(chosen, topics):
    """Some topics and all that they stand on, in order"""
    if unknown := set(chosen) - set(topics):
        die(f"there is no topic {', '.join(sorted(unknown))}; there are {', '.join(topics)}")
    want = set(chosen)
    for topic in reversed(topics):
        if topic in want:
            want.update(topics[topic]["needs"])
    return [t for t in topics if t in want]


def read_patch(path, name, todo=False):
    """One patch file as a dict; git mailinfo reads the mail as git am does. name is TOPIC/FILE. One that is todo is
    not of patches/ but of build/todo, and whole."""
    text = read(path)
    if text.startswith(PART + "\n") != name.endswith(".part"):
        die(f"patches/{BASE}/{name}: the first line of a .part, and of no other, is\n{PART}")
    text = text.removeprefix(PART + "\n")
    with tempfile.TemporaryDirectory() as tmp:
        info = out(["git", "mailinfo", f"{tmp}/msg", f"{tmp}/diff"], input=text.encode("utf-8", "surrogateescape"),
                   text=False, cwd=tmp).decode("utf-8", "surrogateescape")
        msg, diff = read(f"{tmp}/msg"), read(f"{tmp}/diff")
    head = dict(ln.split(": ", 1) for ln in info.splitlines() if ": " in ln)
    for field in ("Author", "Email", "Date", "Subject"):
        if field not in head:
            die(f"patches/{BASE}/{name} has no {field} in its mail header")
    above, sep, hunks = ("\n" + diff).partition("\ndiff --git ")
    bad = re.search(r"^(new file mode|old mode|deleted file mode|rename from|copy from|GIT binary patch)", hunks, re.M)
    if bad and not todo:
        die(f"patches/{BASE}/{name} has a `{bad[1]}` hunk; a new file is named by an `Add-file:` line, "
            "and a series does not delete, rename or copy files or change their modes")
    adds = re.findall(r"^Add-file: *(\S+)", above, re.M)
    if bool(adds) != name.endswith(".part") and not todo:
        die(f"patches/{BASE}/{name} {'names' if adds else 'does not name'} new files: call it "
            f"{os.path.splitext(os.path.basename(name))[0]}.{'part' if adds else 'patch'}"
            + (f", with this as its first line:\n{PART}" if adds else ""))
    stable = re.search(r"^Stable: *(.+)", above, re.M)
    return {"name": name, "topic": name.partition("/")[0], "author": f"{head['Author']} <{head['Email']}>",
            "date": head["Date"], "subject": head["Subject"], "stable": stable[1].strip() if stable else "",
            "message": f"{head['Subject']}\n\n{msg.strip()}".strip() + "\n", "adds": adds,
            "hunks": sep.lstrip("\n") + hunks,
            "touches": re.findall(r"^diff --git a/(\S+) b/", sep + hunks, re.M)}


def read_series(chosen=None, top=TOP):
    """All patches in order, or those of some topics, once what is on disk and what is named agree"""
    topics, patches, added = read_topics(top), [], set()
    for topic in chosen or topics:
        folder, have = f"{top}/patches/{BASE}/{topic}", topics[topic]["names"]
        disk = {os.path.basename(p) for end in ("patch", "part") for p in glob.glob(f"{folder}/*.{end}")}
        for n in have:
            if n not in disk:
                die(f"patches/{BASE}/{topic}/series names {n}, which does not exist; run `make refresh` in the "
                    "tree that has it, or remove the line")
            if have.count(n) > 1:
                die(f"patches/{BASE}/{topic}/series names {n} twice; remove one of the lines")
        if disk - set(have):
            die(f"patches/{BASE}/{topic}/series does not name {', '.join(sorted(disk - set(have)))}; add a line "
                "for it, or remove the file")
        patches += [read_patch(f"{folder}/{n}", f"{topic}/{n}") for n in have]
    if not patches:         # a topic may be empty, as long as its commits are to come
        die(f"no series of {', '.join(chosen or topics)} names a patch")
    for p in patches:
        for path in p["adds"]:
            if not os.path.isfile(f"{top}/{path}"):
                die(f"patches/{BASE}/{p['name']} says `Add-file: {path}`, which does not exist")
            if path in added or path.split("/")[0] not in SHIPPED:
                die(f"patches/{BASE}/{p['name']} says `Add-file: {path}`, which is named twice or is "
                    f"not in {', '.join(SHIPPED)}")
            added.add(path)
        if not p["adds"] and not p["hunks"]:
            die(f"patches/{BASE}/{p['name']} neither adds a file nor has a hunk")
    return patches


def litter(path):
    """Is it what an editor or patch leaves beside a file?"""
    return any(fnmatch.fnmatch(os.path.basename(path), p) for p in ("*~", ".*.sw?", ".#*", "#*#", "*.orig", "*.rej"))


def check_shipped():
    """A new kernel file that no series adds would never ship, and nobody would notice."""
    named = {a for path in glob.glob(f"{TOP}/patches/*/*/*.part") for a in re.findall(r"^Add-file: *(\S+)", read(path), re.M)}
    seen = run(["git", "-C", TOP, "ls-files", "-co", "--exclude-standard", "--", *SHIPPED], check=False)
    # Outside of a git tree, as in a tarball of this project, there are no files of the user's to tell apart.
    have = seen.stdout.splitlines() if seen.returncode == 0 else [
        os.path.relpath(os.path.join(w, f), TOP) for d in SHIPPED for w, _, files in os.walk(f"{TOP}/{d}") for f in files]
    for path in have:
        if path not in named and os.path.exists(f"{TOP}/{path}") and not litter(path):
            die(f"{path} is added by no patch; name it in one by `Add-file: {path}`, or remove it")


def blobs(commit, paths):
    """{path: (mode, contents)} of those paths that a commit has"""
    res = {}
    listing = git("ls-tree", "-z", commit, "--", *sorted(paths)) if paths else ""
    for line in filter(None, listing.split("\0")):
        meta, path = line.split("\t")
        mode, _, blob = meta.split()
        res[path] = (mode, git("cat-file", "blob", blob, text=False))
    return res


def refused(p, tmp, text):
    """The sentence for a patch that does not apply: patch, file, hunk, and what to do."""
    m = re.search(r"patch failed: (\S+):(\d+)", text)
    if m:
        # the hunk of that file which starts at that line of the old file
        part = re.search(rf"^--- a/{re.escape(m[1])}\n.*?(?=^diff --git |\Z)", p["hunks"], re.M | re.S)
        heads = re.findall(r"^@@ .*?(?=^@@ |\Z)", part[0] if part else "", re.M | re.S)
        hit = [(i, h) for i, h in enumerate(heads, 1) if re.match(rf"@@ -{m[2]}\b", h)]
        which = f"hunk {hit[0][0]} of {len(heads)} does not apply" if hit else "a hunk does not apply"
        text = f"{m[1]}: {which}" + ("\n\n" + hit[0][1].rstrip() + "\n" if hit else "")
    else:
        text = text.replace(tmp + "/", "").removeprefix("error: ").strip()
    return (f"patches/{BASE}/{p['name']}: {text}\n"
            f"To go on: `make tree` (the patches before it are then in {os.path.relpath(tree_path('patched'))}, it and "
            "the rest in build/todo), `git am -3` there, `make refresh`.")


def with_trailers(p):
    """The message of a patch with trailers that tell its topic, in one paragraph with those that it has"""
    first, _, last = p["message"].rpartition("\n\n")
    more = first and re.fullmatch(r"(?:[A-Za-z][\w-]*: .*\n|[ \t].*\n)+", last)
    return (p["message"] + ("" if more else "\n") + f"Lab-topic: {p['topic']}\n"
            + (f"Lab-stable: {p['stable']}\n" if p["stable"] else ""))


def compose_commits(base, patches, ref, author=None, top=TOP, trailers=False, context=()):
    """Put the patches on top of base and set ref to the result; return the commits. With trailers a commit says which
    topic it is of; context is what git apply is told of the lines around a change.
    Only the touched files are ever unpacked, and git fast-import makes the trees of 80000: that is
    what keeps it at a second. `git apply` is strict: it allows an offset, but no fuzz."""
    have = blobs(base, {t for p in patches for t in p["touches"]})
    stream, failure, done = [], None, []
    with tempfile.TemporaryDirectory(prefix="compose-", dir=BUILD) as tmp:
        env = dict(os.environ, GIT_CEILING_DIRECTORIES=BUILD)   # not a part of this repository
        for path, (_, data) in have.items():
            write(f"{tmp}/{path}", data)
        for i, p in enumerate(patches):
            for path in p["adds"]:
                if path in have or blobs(base, [path]):
                    die(f"patches/{BASE}/{p['name']} says `Add-file: {path}`, but the base has that file; "
                        "turn it into hunks")
                os.makedirs(os.path.dirname(f"{tmp}/{path}"), exist_ok=True)
                shutil.copyfile(f"{top}/{path}", f"{tmp}/{path}")
                mode = "100755" if os.access(f"{top}/{path}", os.X_OK) else "100644"
                have[path] = (mode, b"")
            if p["hunks"]:
                res = run(["git", "apply", "--whitespace=nowarn", *context, "-"], check=False, cwd=tmp, env=env,
                          input=p["hunks"].encode("utf-8", "surrogateescape"), text=False)
                if res.returncode:
                    failure = refused(p, tmp, res.stderr.decode(errors="replace"))
                    break
            done.append(p)
            who = (author and author(p)) or p["author"]
            message = with_trailers(p) if trailers else p["message"]
            parts = [f"commit {ref}", f"mark :{i + 1}", f"author {who} {p['date']}",
                     f"committer {LAB} {p['date']}",
                     f"data {len(message.encode('utf-8', 'surrogateescape'))}", message]
            if i == 0:
                parts.append(f"from {base}")
            stream.append("\n".join(parts).encode("utf-8", "surrogateescape") + b"\n")
            for path in dict.fromkeys(p["adds"] + p["touches"]):
                with open(f"{tmp}/{path}", "rb") as f:
                    data = f.read()
                stream.append(f"M {have[path][0]} inline {quote(path)}\ndata {len(data)}\n".encode() + data + b"\n")
        stream.append(b"done\n")
        if done:
            run(["git", f"--git-dir={REPO}", "fast-import", "--quiet", "--done", "--force",
                 "--date-format=rfc2822", f"--export-marks={tmp}/marks"], input=b"".join(stream), text=False)
            marks = dict(ln.split() for ln in read(f"{tmp}/marks").splitlines())
    commits = [marks[f":{i + 1}"] for i in range(len(done))]
    if failure:
        e = Refused(failure)
        e.commit, e.rest = commits[-1] if commits else base, patches[len(done):]
        raise e
    return commits


def compose(base, chosen=None, top=TOP):
    """The commit of the series on base, or of some topics and what they need; raises Refused. No branch moves."""
    patches = read_series(with_needs(chosen, read_topics(top)) if chosen else None, top)
    if top == TOP:
        check_shipped()
    try:
        return compose_commits(base, patches, "refs/lab/try", top=top, trailers=True)[-1]
    finally:
        git("update-ref", "-d", "refs/lab/try")


def stable_commits(base, author=None, ref="refs/lab/try"):
    """The commits of what is marked as fit for stable, alone on base. A line around a change may be one that another
    patch changes, so one line of context is enough here; the check `topics` looks at where each change has gone."""
    patches = [p for p in read_series() if p["stable"]]
    try:
        return patches, compose_commits(base, patches, ref, author, context=["-C1"])
    finally:
        if ref == "refs/lab/try":
            git("update-ref", "-d", ref)


def self_contained(p):
    """The text of a patch with its new files as hunks and its topic in trailers, as `git am` takes it in a tree"""
    subject, _, text = with_trailers(p).partition("\n\n")
    text = (f"From {'0' * 40} Mon Sep 17 00:00:00 2001\nFrom: {p['author']}\nDate: {p['date']}\n"
            f"Subject: [PATCH] {subject}\n\n{text}---\n\n{p['hunks']}")
    for path in p["adds"]:
        text += run(["git", "diff", "--no-index", "--full-index", "/dev/null", path], check=False, cwd=TOP).stdout
    return text


# ---- the trees ----

def tree_git(name, *args, **kw):
    return out(["git", "-C", tree_path(name), *args], **kw)


def work_in(name):
    """What a developer did in a tree and patches/ does not have yet, in words."""
    last, words = rev(f"refs/lab/{name}"), []
    if not last or rev(f"refs/lab/moving/{name}"):
        return ""
    if name == "patched" and rev(f"refs/heads/{BRANCH}") not in ("", last):
        words.append(f"commits on {BRANCH}")
    if os.path.exists(f"{tree_path(name)}/.git"):
        if not words and tree_git(name, "rev-parse", "HEAD") != last:
            words.append("commits")
        changed = tree_git(name, "status", "--porcelain").splitlines()
        if changed:
            words.append(f"{len(changed)} changed file{'s'[:len(changed) > 1]}")
        private = tree_git(name, "rev-parse", "--absolute-git-dir")
        if glob.glob(f"{private}/rebase-*"):
            words.append("a rebase or am that is not finished")
    return " and ".join(words)


def put_tree(name, commit):
    """Make the tree build/linux-<base>-NAME show commit. Only files that differ are touched, so make
    rebuilds no more than it has to. The caller has made sure that nobody's work is in it."""
    tree, ref, moving = tree_path(name), f"refs/lab/{name}", f"refs/lab/moving/{name}"
    to = ["-B", BRANCH] if name == "patched" else ["--detach"]
    rel = os.path.relpath(tree, TOP)
    if not rev(ref) or not os.path.exists(f"{tree}/.git"):
        free_space(BUILD, 1800, f"a kernel tree in {rel}")
        if os.path.exists(tree):            # a checkout that was interrupted
            shutil.rmtree(tree)
        git("worktree", "prune")
        if rev(ref):                        # until the checkout is done nothing in the tree is anybody's work
            git("update-ref", "-d", ref)
        with step(f"checking out {rel}"):
            git("worktree", "add", "--no-checkout", "--detach", tree, commit)
            tree_git(name, "-c", "checkout.workers=2", "checkout", "-q", "-f", *to, commit)
    elif rev(moving):
        # Interrupted on the way from one commit to another. There is no telling a half-written file
        # from an edit, so everything goes to the stash before it is set right.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(tree_git(name, "rev-parse", "--absolute-git-dir") + "/index.lock")
        tree_git(name, "stash", "push", "-q", "-u", "-m", "found after an interrupted compose")
        tree_git(name, "checkout", "-q", "-f", *to, commit)
    elif rev(ref) != commit or tree_git(name, "rev-parse", "HEAD") != commit:
        git("update-ref", moving, commit)
        tree_git(name, "checkout", "-q", "-f", *to, commit)
    git("update-ref", ref, commit)
    git("update-ref", "-d", moving)


def tree_object(name):
    """The tree object of what a tree holds as it stands, changes and new files included"""
    with tempfile.TemporaryDirectory(dir=BUILD) as tmp:
        index = tree_git(name, "rev-parse", "--absolute-git-dir") + "/index"
        env = dict(os.environ, GIT_INDEX_FILE=shutil.copy2(index, f"{tmp}/index"))
        tree_git(name, "add", "-A", env=env)
        return tree_git(name, "write-tree", env=env)
