# SPDX-License-Identifier: GPL-2.0
"""Each patch as it would be sent: applies, checkpatch --strict is silent, and the kernel-doc of the
files it touches gets no new message."""
import concurrent.futures
import hashlib
import os
import re
import tempfile

import series
import trees
from base import get_base
from lib import BASE, BUILD, LAB, TOP, lock, need, result, run, write

# How all trace events are written
EVENT = re.compile(r"CHECK:(PARENTHESIS_ALIGNMENT|OPEN_ENDED_LINE|SPACING):(?s:.*)\n"
                   r"\+(#define TRACE_INCLUDE_|DE(CLARE|FINE)_EVENT|\s*T(RACE|P)_)")


def kernel_docs(tool, steps, tmp):
    """{(commit, file): the set of messages that kernel-doc has for it, without line numbers} of [(files, commits)]. Each form
    of a file is looked at once, and many in one go: most of the time it takes to start."""
    where, lists = {}, [[] for _ in range(os.cpu_count())]
    for files, commits in steps:
        for commit in commits:
            for path, (_, data) in trees.blobs(commit, files).items():
                where[commit, path] = form = f"{hashlib.sha256(data).hexdigest()[:12]}/{path}"
                if not os.path.exists(f"{tmp}/{form}"):
                    write(f"{tmp}/{form}", data)
                    min(lists, key=len).append(form)
    found = {form: set() for form in where.values()}

    def look(forms):
        res = run(["perl", tool, "-none", *forms], check=False, cwd=tmp)    # which calls Python, if that is what it is
        text = res.stdout + res.stderr
        for line in text.splitlines():
            form = re.search(r"\b[0-9a-f]{12}/[^:\s]+", line)
            if form and re.search(r"warning:|error:", line, re.I):
                found[form[0]].add(re.sub(r":\d+(?=[: ])", "", line.replace(form[0], form[0].partition("/")[2])))
        if "Traceback" in text or res.returncode and not any(found[f] for f in forms):
            for f in forms:
                found[f].add(f"kernel-doc failed: {text.strip()[-300:] or res.returncode}")

    with concurrent.futures.ThreadPoolExecutor(len(lists)) as pool:
        list(pool.map(look, filter(None, lists)))
    return {at: found[form] for at, form in where.items()}


def checkpatch(mail, tree, base):
    """What checkpatch --strict says of a mail. Not of names that the kernel has: a test must use its driver's. Nor of
    the commit that it fixes: the base has no history to look it up in. Nor of EVENT."""
    res = run(["perl", "scripts/checkpatch.pl", "--strict", "--quiet", "--show-types", "--color=never",
               "--ignore", "FILE_PATH_CHANGES,UNKNOWN_COMMIT_ID", mail], check=False, cwd=tree,
              env=dict(os.environ, PATH=f"/usr/bin:{os.environ['PATH']}"))   # spdxcheck: Debian's python3
    text = (res.stdout + res.stderr).strip()
    if res.returncode and not text:
        return f"checkpatch.pl failed with exit status {res.returncode}"
    if not re.search("CAMELCASE|:ENOSYS:|TP_|TRACE_", text):
        return text
    kept = []
    for block in re.split(r"\n\n+", text):
        if "WARNING:ENOSYS:" in block and "-test.c:" in block:      # what the driver returns
            continue
        if EVENT.search(block):
            continue
        name = re.match(r"CHECK:CAMELCASE: Avoid CamelCase: <(\w+)>", block)
        if not name or run(["git", f"--git-dir={trees.REPO}", "grep", "-qw", name[1], base, "--", "drivers/iommu", "include"],
                           check=False).returncode:
            kept.append(block)
    return "" if len(kept) == 1 and kept[0].startswith("total:") else "\n\n".join(kept)


def command(_):
    need("perl")
    base = get_base()
    todo = series.read_series()
    with tempfile.TemporaryDirectory(prefix="patches-", dir=BUILD) as tmp:
        with lock(BUILD):
            try:
                head, rest, why = series.compose(base), [], ""
            except series.Refused as e:
                head, rest, why = e.commit, e.rest, str(e)
            for p in todo:
                note = why if rest and p == rest[0] else "a patch before it does not apply"
                result(p not in rest, f"{p['name']} applies", *([note] if p in rest else []), reproduce="make compose")
            if rest:
                return
        run([f"{LAB}/lab", "export", "--submitter", "A Tester <tester@attach-contract.example>", "--topic", "distribution", tmp])
        shown = os.path.relpath(trees.tree_path("patched"), TOP)
        with lock(BUILD):
            trees.put_tree("steps-0", head)
            tree = trees.tree_path("steps-0")

            commits = [base, *trees.git("rev-list", "--reverse", f"{base}..{head}").split()]
            pairs = list(zip(commits, commits[1:]))
            files = [sorted(f for f in p["touches"] + p["adds"] if f.endswith((".c", ".h"))) for p in todo]
            docs = kernel_docs(f"{tree}/scripts/kernel-doc", zip(files, pairs), f"{tmp}/doc")
            mails = [f"distribution/quilt/{os.path.splitext(p['name'])[0]}.patch" for p in todo]
            with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
                texts = pool.map(lambda mail: checkpatch(f"{tmp}/{mail}", tree, base), mails)
                for p, mail, text, some, (old, new) in zip(todo, mails, texts, files, pairs, strict=True):
                    result(not text, f"{p['name']} checkpatch --strict", text,
                           reproduce=f"make tree export; cd {shown}; scripts/checkpatch.pl --strict ../export/{BASE}/{mail}")
                    doc = [ln for f in some for ln in docs.get((new, f), set()) - docs.get((old, f), set())]
                    result(not doc, f"{p['name']} kernel-doc", *sorted(doc),
                           reproduce=f"make tree; cd {shown}; scripts/kernel-doc -none {' '.join(some)}")
            # checkpatch asks it of each patch; what counts is that the series leaves no file without.
            for path in sorted({a for p in todo for a in p["adds"]}):
                who = run(["perl", "scripts/get_maintainer.pl", "--no-git", "--no-git-fallback", "--no-rolestats", "-f", path],
                          check=False, cwd=tree).stdout
                result("@" in who.replace("linux-kernel@vger.kernel.org", ""), f"{path} has a maintainer or a list", who)
