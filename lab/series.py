# SPDX-License-Identifier: GPL-2.0
"""The series: its topics, their patches, and how commits are made of them.

A series is made of topics, each of which is what one maintainer is sent:

  patches/6.1/base              what it was last proven on
  patches/6.1/series            names the topics in order
  patches/6.1/TOPIC/cover       `Subject:`, `Needs:` the topics that it stands on, a blank line, the text
  patches/6.1/TOPIC/series      names its patches in order
  patches/6.1/TOPIC/SLUG.patch  a mail with hunks to files that the base has; below `---` there may be a line `Stable: why`,
                                if a stable tree could take the patch without the rest
  patches/6.1/TOPIC/SLUG.part   the same, and `Add-file:` lines below `---` name new files, which are at their paths here.
                                `git am` would lose them, so the first line makes it refuse the file. Where several
                                bases add a file, it is there as the first in BASES has it; what another has otherwise
                                is hunks in that one's patch

In a tree to work in, trailers of a commit (`Lab-topic:`, `Lab-stable:`) say what these places say here."""
import fnmatch
import functools
import glob
import os
import re
import shutil
import tempfile

from lib import BASE, BUILD, SHOWN, TOP, Failed, die, out, read, run, write
from trees import COMMITTER, blobs, git, quote, tree_path

TODO = os.path.join(BUILD, "todo", BASE)
# The kernel-shaped folders of this repository: all in them ships, by a patch that names it.
SHIPPED = ("drivers", "include", "Documentation", "scripts", "tools")
# Patches whose author is the project are sent as the submitter's own; others keep their author.
PROJECT = "@attach-contract.example>"
# Newest first: the first one that adds a file is whose form of it is at its path here.
BASES = ("mainline", "6.12", "6.1")
# The first line of a patch that has new files
PART = "# Not for git am, the new files are beside it: `make export` makes a mail of it."


class Refused(Failed):
    """A patch that cannot be composed; .commit is the last that could, .rest names what is left"""


def names(path):
    """The lines of a series file, each once"""
    if not os.path.exists(path):
        die(f"{os.path.relpath(path, TOP)} is missing; it names what belongs to the series, a line each")
    res = [ln for ln in map(str.strip, read(path).splitlines()) if ln and not ln.startswith("#")]
    if twice := [n for n in res if res.count(n) > 1]:
        die(f"{os.path.relpath(path, TOP)} names {twice[0]} twice; remove one of the lines")
    return res


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
    if lost := [field for field in ("Author", "Email", "Date", "Subject") if field not in head]:
        die(f"patches/{BASE}/{name} has no {' and no '.join(lost)} in its mail header")
    above, sep, hunks = ("\n" + diff).partition("\ndiff --git ")
    bad = re.search(r"^(new file mode|old mode|deleted file mode|rename from|copy from|GIT binary patch)", hunks, re.M)
    if bad and not todo:
        die(f"patches/{BASE}/{name} has a `{bad[1]}` hunk; a new file is named by an `Add-file:` line, and a series does not "
            "delete, rename or copy files or change their modes")
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
            "touches": [f for f in re.findall(r"^diff --git a/(\S+) b/", sep + hunks, re.M) if f not in adds]}


def read_series(chosen=None, top=TOP):
    """All patches in order, or those of some topics, once what is on disk and what is named agree"""
    topics, patches, added = read_topics(top), [], set()
    for topic in chosen or topics:
        folder, have = f"{top}/patches/{BASE}/{topic}", topics[topic]["names"]
        disk = {os.path.basename(p) for end in ("patch", "part") for p in glob.glob(f"{folder}/*.{end}")}
        if gone := [n for n in have if n not in disk]:
            die(f"patches/{BASE}/{topic}/series names {gone[0]}, which does not exist; run `make refresh` in the tree that "
                "has it, or remove the line")
        if more := disk - set(have):
            die(f"patches/{BASE}/{topic}/series does not name {', '.join(sorted(more))}; add a line for it, or remove the file")
        patches += [read_patch(f"{folder}/{n}", f"{topic}/{n}") for n in have]
    if not patches:         # a topic may be empty, as long as its commits are to come
        die(f"no series of {', '.join(chosen or topics)} names a patch")
    for p in patches:
        for path in p["adds"]:
            if not os.path.isfile(f"{top}/{path}"):
                die(f"patches/{BASE}/{p['name']} says `Add-file: {path}`, which does not exist")
            if path in added or path.split("/")[0] not in SHIPPED:
                die(f"patches/{BASE}/{p['name']} says `Add-file: {path}`, which is named twice or is not in {', '.join(SHIPPED)}")
            added.add(path)
        if not p["adds"] and not p["hunks"]:
            die(f"patches/{BASE}/{p['name']} neither adds a file nor has a hunk")
    return patches


def litter(path):
    """Is it what an editor or patch leaves beside a file?"""
    return any(fnmatch.fnmatch(os.path.basename(path), p) for p in ("*~", ".*.sw?", ".#*", "#*#", "*.orig", "*.rej"))


def adders(path, *more):
    """The bases whose series add a file, and more that do or did, newest first"""
    have = {b for b in BASES for f in glob.glob(f"{TOP}/patches/{b}/*/*.part")
            if re.search(rf"^Add-file: *{re.escape(path)}$", read(f), re.M)}
    return [b for b in BASES if b in {*have, *more}]


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


def refused(p, tmp, text):
    """The sentence for a patch that does not apply: patch, file, hunk, and what to do."""
    if m := re.search(r"patch failed: (\S+):(\d+)", text):
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
            f"the rest in {SHOWN}/todo), `git am -3` there, `make refresh`.")


def with_trailers(p):
    """The message of a patch with trailers that tell its topic, in one paragraph with those that it has"""
    first, _, last = p["message"].rpartition("\n\n")
    more = first and re.fullmatch(r"(?:[A-Za-z][\w-]*: .*\n|[ \t].*\n)+", last)
    return (p["message"] + ("" if more else "\n") + f"Lab-topic: {p['topic']}\n"
            + (f"Lab-stable: {p['stable']}\n" if p["stable"] else ""))


def compose_commits(base, patches, author=None, top=TOP, trailers=False, context=()):
    """Put the patches on top of base; return the commits. The author's is what the project is named as author of. With
    trailers a commit says which topic it is of; context is what git apply is told of the lines around a change.
    Only the touched files are ever unpacked, and git fast-import makes the trees of 80000: that is what keeps it at a
    second. `git apply` is strict: it allows an offset, but no fuzz."""
    have = blobs(base, {t for p in patches for t in p["touches"]})
    stream, failure, commits = [], None, []
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
            who = author if author and p["author"].endswith(PROJECT) else p["author"]
            message = (with_trailers(p) if trailers else p["message"]).encode("utf-8", "surrogateescape")
            stream.append(f"commit refs/lab/try\nmark :{i + 1}\nauthor {who} {p['date']}\ncommitter {COMMITTER} {p['date']}\n"
                          f"data {len(message)}\n".encode() + message + (b"\n" if i else f"\nfrom {base}\n".encode()))
            for path in dict.fromkeys(p["adds"] + p["touches"]):
                with open(f"{tmp}/{path}", "rb") as f:
                    data = f.read()
                stream.append(f"M {have[path][0]} inline {quote(path)}\ndata {len(data)}\n".encode() + data + b"\n")
        if stream:
            git("fast-import", "--quiet", "--done", "--force", "--date-format=rfc2822", f"--export-marks={tmp}/marks",
                input=b"".join([*stream, b"done\n"]), text=False)
            git("update-ref", "-d", "refs/lab/try")
            marks = dict(ln.split() for ln in read(f"{tmp}/marks").splitlines())
            commits = [marks[f":{i}"] for i in range(1, len(marks) + 1)]
    if failure:
        e = Refused(failure)
        e.commit, e.rest = [base, *commits][-1], patches[len(commits):]
        raise e
    return commits


def compose(base, chosen=None, top=TOP):
    """The commit of the series on base, or of some topics and what they need; raises Refused. No branch moves."""
    patches = read_series(with_needs(chosen, read_topics(top)) if chosen else None, top)
    if top == TOP:
        check_shipped()
    return compose_commits(base, patches, top=top, trailers=True)[-1]


def stable_commits(base, author=None):
    """The commits of what is marked as fit for stable, alone on base. A line around a change may be one that another
    patch changes, so one line of context is enough here; the check `topics` looks at where each change has gone."""
    patches = [p for p in read_series() if p["stable"]]
    return patches, compose_commits(base, patches, author, context=["-C1"])


def by_file(p):
    """The hunks of a patch, a text for each file: ({existing file: text}, {new file: text})"""
    parts = [(re.match(r"diff --git a/(\S+) b/", t)[1], t) for t in re.split(r"^(?=diff --git )", p["hunks"], flags=re.M) if t]
    return {f: t for f, t in parts if f not in p["adds"]}, {f: t for f, t in parts if f in p["adds"]}


def new_files(p, folder):
    """Put the new files of a patch into a folder, as this base has them"""
    for path in p["adds"]:
        os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
        shutil.copy(f"{TOP}/{path}", f"{folder}/{path}")
    if differ := "".join(by_file(p)[1].values()):
        run(["git", "apply", "--whitespace=nowarn", "-"], cwd=folder, env=dict(os.environ, GIT_CEILING_DIRECTORIES=BUILD),
            input=differ.encode("utf-8", "surrogateescape"), text=False)


@functools.lru_cache(None)
def sources(pattern):
    """{path: text} of the new files with such a path, as this base has them"""
    patches = [p for p in read_series() if any(re.fullmatch(pattern, path) for path in p["adds"])]
    os.makedirs(BUILD, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="new-", dir=BUILD) as tmp:
        for p in patches:
            new_files(p, tmp)
        return {path: read(f"{tmp}/{path}") for p in patches for path in p["adds"] if re.fullmatch(pattern, path)}


def self_contained(p):
    """The text of a patch with its new files as hunks and its topic in trailers, as `git am` takes it in a tree"""
    subject, _, text = with_trailers(p).partition("\n\n")
    text = (f"From {'0' * 40} Mon Sep 17 00:00:00 2001\nFrom: {p['author']}\nDate: {p['date']}\n"
            f"Subject: [PATCH] {subject}\n\n{text}---\n\n{''.join(by_file(p)[0].values())}")
    with tempfile.TemporaryDirectory(prefix="new-", dir=BUILD) as tmp:
        new_files(p, tmp)
        for path in p["adds"]:
            text += run(["git", "diff", "--no-index", "--full-index", "/dev/null", path], check=False, cwd=tmp).stdout
    return text
