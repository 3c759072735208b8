# SPDX-License-Identifier: GPL-2.0
"""compose is reproducible, refresh is its inverse, and what is exported gives the same tree by git am
and by quilt."""
import difflib
import glob
import os
import re
import shutil
import tempfile
import time

import series
import trees
from base import get_base, moved
from lib import BASE, BUILD, DEFAULT, PATCHES, SHOWN, TOP, lock, out, read, result, run, write

SHIPPED = [d for d in ("patches", *series.SHIPPED) if os.path.isdir(f"{TOP}/{d}")]


def listing(top, exact):
    """{path: (mode, contents)}; on another base than the proven one without index lines and line numbers"""
    res = {}
    for d in SHIPPED:
        for where, _, files in os.walk(f"{top}/{d}"):
            for f in files:
                path = os.path.join(where, f)
                text = read(path)
                if not exact:
                    text = re.sub(r"^index .*\n", "", re.sub(r"^@@ .*", "@@", text, flags=re.M), flags=re.M)
                res[os.path.relpath(path, top)] = (os.stat(path).st_mode, text)
    return res


def roundtrip(base):
    patches, start = series.read_series(), time.monotonic()
    heads = [series.compose(base)]
    secs = time.monotonic() - start
    heads.append(series.compose(base))
    result(heads[0] == heads[1], "compose gives the same hashes twice", *heads,
           f"{len(patches)} patches in {secs:.2f} s, so 30 in about {secs * 30 / len(patches):.2f} s", reproduce="make compose")

    diff = trees.git("diff", base, heads[0], "--", "MAINTAINERS").splitlines()
    entry = "\n".join(ln[1:] for ln in diff if re.match(r"\+(?!\+\+ )", ln)).strip()
    whole = read(f"{TOP}/MAINTAINERS").strip()      # that of the default base; another may have less of the files
    result(entry == whole if BASE == DEFAULT else {*entry.split("\n")} <= {*whole.split("\n"), ""},
           "MAINTAINERS holds the entry that the series adds", entry,
           reproduce=f"make compose BASE={BASE}; git --git-dir={SHOWN}/linux.git diff base-{BASE} contract/{BASE} -- MAINTAINERS")

    # The rest in a copy, so that nobody's tree is touched; it has the cache in common.
    with tempfile.TemporaryDirectory(prefix="roundtrip-", dir=BUILD) as tmp:
        for d in ("lab", *SHIPPED):
            shutil.copytree(f"{TOP}/{d}", f"{tmp}/{d}", symlinks=True)
        shutil.rmtree(f"{tmp}/patches/{BASE}")
        shutil.copytree(PATCHES, f"{tmp}/patches/{BASE}")
        for command in (["compose", "--tree"], ["refresh"]):
            res = run([f"{tmp}/lab/lab", *command], check=False)
            if res.returncode:
                break
        exact = not os.environ.get("LINUX") and not moved()
        old, new = listing(TOP, exact), listing(tmp, exact)
        differ = sorted(p for p in old.keys() | new.keys() if old.get(p) != new.get(p))
        result(res.returncode == 0 and not differ, "compose and refresh change nothing", res.stderr,
               *(line for p in differ for line in [f"{p}:", *list(difflib.unified_diff(
                   *(side.get(p, (0, ""))[1].splitlines() for side in (old, new)), n=0, lineterm=""))[2:12]]),
               reproduce="make tree refresh && git diff")
        if res.returncode:
            return

        # What is sent goes to files of the base that the series touches, in a repository of their own.
        files = sorted({f for p in patches for f in p["touches"] + p["adds"]})
        tree = f"{tmp}/sent"
        run(["git", "init", "-q", tree])

        def put(commit):
            """Commit what a commit has of these files; return that tree."""
            for path, (mode, data) in trees.blobs(commit, files).items():
                write(f"{tree}/{path}", data)
                os.chmod(f"{tree}/{path}", int(mode, 8) & 0o777)
            run(["git", "-C", tree, "add", "-A", "-f"])
            run(["git", "-C", tree, "commit", "-q", "-m", commit])
            return out(["git", "-C", tree, "rev-parse", "HEAD^{tree}"])

        put(base)
        run(["git", "-C", tree, "tag", "base"])
        want = put(heads[0])
        where = f"{SHOWN}/export/*/distribution"
        exported = out([f"{tmp}/lab/lab", "export", "--submitter", "A Tester <tester@attach-contract.example>", "--topic",
                        "distribution"])
        for what, argv, again in (      # quilt and patch: no git, no fuzz
                ("git am of the exported mbox", ["git", "am", "-q", f"{exported}/series.mbox"], f"git am {where}/series.mbox"),
                ("the exported quilt queue", ["quilt", "--quiltrc", "-", "push", "-a", "--fuzz=0", "-q"],
                 f"QUILT_PATCHES={where}/quilt quilt push -a"),
                ("the exported diff", ["git", "apply", "--index", f"{exported}/series.diff"], f"git apply {where}/series.diff")):
            run(["git", "-C", tree, "checkout", "-q", "--force", "--detach", "base"])
            res = run(argv, check=False, cwd=tree, env=dict(os.environ, QUILT_PATCHES=f"{exported}/quilt"))
            shutil.rmtree(f"{tree}/.pc", ignore_errors=True)
            run(["git", "-C", tree, "add", "-A", "-f"])     # the kernel ignores dot files
            got = out(["git", "-C", tree, "write-tree"])
            result(res.returncode == 0 and got == want, f"{what} gives the same tree", (res.stderr or res.stdout)[-500:],
                   f"{got}, composed {want}", reproduce=f"make export; {again} in the base")


def command(_):
    base = get_base()
    with lock(BUILD):
        for old in glob.glob(f"{BUILD}/roundtrip-*"):      # of a run that was killed
            shutil.rmtree(old)
        roundtrip(base)
