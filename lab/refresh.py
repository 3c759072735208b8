# SPDX-License-Identifier: GPL-2.0
"""refresh: write the commits of build/linux-<base>-patched to patches/<base> and the new files

A commit goes to the topic that its trailer `Lab-topic: TOPIC` names; one without joins the topic of the commit before
it. `Lab-stable: WHY` marks one that a stable tree could take. A topic's commits stand together, topics in any order
that their covers' `Needs:` allow. A new topic needs its cover first."""
import glob
import os
import re
import shutil
import tempfile

import series
import table
import trees
from lib import BASE, BUILD, PATCHES, TOP, die, lock, read, run, say, write
from trees import rev, tree_git

TRAILERS = re.compile(r"^Lab-(topic|stable): *(.*)\n?", re.M)


def trailers(message):
    """({"topic", "stable"} as far as they are there, the message without)"""
    return {m[1]: m[2].strip() for m in TRAILERS.finditer(message)}, TRAILERS.sub("", message)


def order(path, names, stay=()):
    """The text of a series file that names these, and those to stay behind what they were behind. Comments stand above
    what they stood above; those above all, and those that had something above them that has gone, stay above all."""
    old, above, last, names = (read(path).splitlines() if os.path.exists(path) else []), {}, None, list(names)
    for i, ln in enumerate(old):
        if not ln.strip() or ln.startswith("#"):
            here = next((n for n in old[i:] if n in names or n in stay), None)
            above.setdefault(here if last else "", []).append(ln)
            continue
        if ln in stay:
            names.insert(names.index(last) + 1 if last else 0, ln)
        last = ln if ln in names else last
    return "".join(f"{ln}\n" for n in ["", *names, None] for ln in [*above.get(n, []), *([n] if n else [])])


def added_files(commit, name):
    """{path: (mode, blob)} of the files that a commit adds; nothing but edits may be in it besides"""
    res = {}
    for line in tree_git("patched", "diff-tree", "-r", "--no-renames", "--no-commit-id", commit).splitlines():
        old, new, _, blob, how, path = line.lstrip(":").split(None, 5)
        if how == "A" and new != "120000" and path.split("/")[0] in series.SHIPPED:
            res[path] = (new, blob)
        elif how != "M" or old != new:
            die(f"commit {commit[:12]} ({name}) deletes, renames or changes the mode of {path}, or adds it "
                f"outside {', '.join(series.SHIPPED)}: a series cannot hold that")
    return res


def differences(adds):
    """The hunks that turn new files, as a newer base has them, into those of a commit"""
    with tempfile.TemporaryDirectory(prefix="differ-", dir=BUILD) as tmp:
        for path, (mode, blob) in adds.items():
            write(f"{tmp}/a/{path}", read(f"{TOP}/{path}"))
            write(f"{tmp}/b/{path}", trees.git("cat-file", "blob", blob, text=False))
            for side in "ab":
                os.chmod(f"{tmp}/{side}/{path}", int(mode, 8) & 0o777)
        return run(["git", "diff", "--no-index", "--no-prefix", "--no-renames", "--full-index", "a", "b"], check=False,
                   cwd=tmp).stdout if adds else ""


def stage(root, base, head):
    """Write patches/<base> and the new files of base..head below root; return the new files, and those of them that are
    there as a newer base has them."""
    folder = f"{root}/patches/{BASE}"
    tree_git("patched", "format-patch", "-q", "--always", "--no-stat", "--no-signature", "--zero-commit", "--full-index",
             "--no-renames", "--diff-filter=M", "--no-encode-email-headers", "-N", "-o", f"{root}/mail", f"{base}..{head}")
    commits = tree_git("patched", "rev-list", "--reverse", f"{base}..{head}").split()
    topics, added, newer, last = {}, {}, set(), None
    for path, commit in zip(sorted(glob.glob(f"{root}/mail/*")), commits, strict=True):
        slug = os.path.basename(path).split("-", 1)[1].removesuffix(".patch")
        if slug.startswith(("fixup-", "squash-", "amend-")):
            die(f"commit {commit[:12]} ({slug}) is to go into another: `GIT_SEQUENCE_EDITOR=true git rebase -i --autosquash base-{BASE}`")
        header, sep, hunks = read(path).partition("\n\ndiff --git ")
        says, header = trailers(header.rstrip() + "\n")
        topic = says.get("topic", last)
        if not topic:
            die(f"commit {commit[:12]} ({slug}) says no topic; add a trailer to its message: `Lab-topic: TOPIC`")
        if topic != last and topic in topics:
            die(f"commit {commit[:12]} ({slug}) is of topic {topic}, but not beside the others of it; "
                f"`git rebase -i base-{BASE}` moves it")
        if "topic" not in says:
            say(f"{slug} says no topic and joins {topic}")
        adds = added_files(commit, slug)
        added.update(adds)
        others = {a: adds[a] for a in adds if BASE not in series.adders(a, BASE)[:1]}
        newer.update(others)
        name = f"{slug}.{'part' if adds else 'patch'}"
        if name in topics.setdefault(topic, []):
            die(f"topic {topic} has two patches of the name {name}; change one's subject")
        topics[topic].append(name)
        below = "".join(f"Add-file: {a}\n" for a in adds) + (f"Stable: {says['stable']}\n" if says.get("stable") else "")
        write(f"{folder}/{topic}/{name}", (series.PART + "\n" if adds else "") + header.rstrip() + "\n---\n" + below
              + (sep[1 + (not below):] + hunks).rstrip("\n") + "\n" + differences(others))
        last = topic
    shutil.rmtree(f"{root}/mail")
    empty = {t: [] for t, old in series.read_topics().items() if not old["names"] and t not in topics}
    write(f"{folder}/series", order(f"{PATCHES}/series", topics, empty))
    for topic, have in {**topics, **empty}.items():
        write(f"{folder}/{topic}/series", order(f"{PATCHES}/{topic}/series", have))
        series.read_cover(topic)
        shutil.copyfile(f"{PATCHES}/{topic}/cover", f"{folder}/{topic}/cover")
    for path, (mode, blob) in added.items():
        write(f"{root}/{path}", read(f"{TOP}/{path}") if path in newer else trees.git("cat-file", "blob", blob, text=False))
        os.chmod(f"{root}/{path}", int(mode, 8) & 0o777)
    return set(added), newer


def patch_files(top):
    return {os.path.relpath(f, top) for end in ("patch", "part") for f in glob.glob(f"{top}/patches/{BASE}/*/*.{end}")}


def check_tree(tree):
    """Nothing in the tree is left to do; return (base, head)."""
    if not os.path.exists(f"{trees.tree_path('patched')}/.git"):
        die(f"there is no {tree}; `make tree` makes it")
    work, last, head = trees.work_in("patched"), rev("refs/lab/patched"), tree_git("patched", "rev-parse", "HEAD")
    if "changed" in work or "not finished" in work:
        die(f"{tree} has {work}; commit or finish that first (`git commit`, `git rebase --continue`)")
    base = tree_git("patched", "rev-list", "--max-parents=0", head)
    if tree_git("patched", "rev-list", "--merges", head):
        die(f"{tree} has a merge; a series is a line of commits: `git rebase base-{BASE}`")
    subjects = tree_git("patched", "log", "--format=%s", f"{base}..{head}").splitlines()
    if left := [os.path.basename(f) for f in sorted(glob.glob(f"{series.TODO}/*"))
                if series.read_patch(f, os.path.basename(f), todo=True)["subject"] not in subjects]:
        die(f"{tree} does not have {', '.join(left)} yet: `git am -3` them from {series.TODO}, or remove them there "
            "to drop them from the series")
    try:
        now = series.compose(base)
    except series.Refused as e:
        now = e.commit
    if now != last and work:
        die(f"both {tree} and patches/{BASE} changed since the one was made of the other; undo the edit in patches/{BASE} "
            "(`git stash`), `make refresh`, then do it again")
    if now != last:
        die(f"patches/{BASE} was edited and {tree} has nothing new; `make compose` brings the edit there")
    return base, head


def lost_rows(subjects):
    """Rows of the errno tables that name a patch that has gone"""
    for driver in table.drivers():
        if gone := subjects & {s for r in table.load(driver)[1] for s in r.get("Patch", "").split("; ")}:
            yield f"lab/errnos/{BASE}/{driver} names {', '.join(sorted(gone))}, which the series no longer has"


def messages(base, head):
    """The messages of base..head without the lab's trailers"""
    log = tree_git("patched", "log", "--reverse", "-z", "--format=%B", f"{base}..{head}")
    return [trailers(m + "\n")[1] for m in log.split("\0")]


def unfit(message):
    die(f"the message of `{message.strip().splitlines()[0]}` has what a mail cannot hold: a line like `---`, `diff --git` or "
        "`From:`, or brackets at the start of the subject; `git rebase -i` changes it")


def refresh():
    base, head = check_tree(os.path.relpath(trees.tree_path("patched"), TOP))
    before, texts = series.read_series(), messages(base, head)
    for text in texts:
        if re.search(r"\A\s*\[|^(diff -|Index: |---(\s|$))", text, re.M):
            unfit(text)
    with tempfile.TemporaryDirectory(prefix="refresh-", dir=BUILD) as root:
        added, newer = stage(root, base, head)
        # What is written must give this tree again, before anything of the old goes.
        new = series.compose(base, top=root)
        if rev(f"{new}^{{tree}}") != rev(f"{head}^{{tree}}"):
            die("the patches do not give the tree again; this is a fault of lab/refresh.py, and nothing was changed")
        for old, text in zip(texts, messages(base, new), strict=True):
            if old.split() != text.split():
                unfit(old)
        now = series.read_series(top=root)
        keep, changed = patch_files(root), 0
        for f in [os.path.join(where, n) for where, _, files in os.walk(root) for n in files]:
            to = os.path.join(TOP, os.path.relpath(f, root))
            if not os.path.exists(to) or read(to) != read(f) or os.stat(to).st_mode != os.stat(f).st_mode:
                os.makedirs(os.path.dirname(to), exist_ok=True)
                shutil.move(f, to)
                changed += 1
        dropped = {a for p in before for a in p["adds"]} - added
        gone = (patch_files(TOP) - keep) | {a for a in dropped if series.adders(a, BASE) == [BASE]}
        for path in gone:
            os.unlink(f"{TOP}/{path}")
    for topic in {p["topic"] for p in before} - {p["topic"] for p in now}:
        shutil.rmtree(f"{PATCHES}/{topic}")
        say(f"topic {topic} has no patch left and is removed")
    if others := sorted({b for a in added - newer for b in series.adders(a)} - {BASE}):
        say(f"new files of {BASE} are those of {', '.join(others)} too: see with `BASE={others[0]} lab/lab compose`")
    for line in lost_rows({p["subject"] for p in before} - {p["subject"] for p in now}):
        say(f"warning: {line}")
    tree_git("patched", "checkout", "-q", "-B", trees.BRANCH, new)
    trees.git("update-ref", "refs/lab/patched", new)
    shutil.rmtree(series.TODO, ignore_errors=True)
    say(f"{len(now)} patches; {changed} files written, {len(gone)} removed")


def command(_):
    with lock(BUILD):
        refresh()
