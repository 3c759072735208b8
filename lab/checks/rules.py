# SPDX-License-Identifier: GPL-2.0
"""The rules of `make lint`: on the examples in lab/lint.d, and against the errno tables of the stock kernel. On the
patched kernel they find nothing that is not accepted, and what is put there of each kind they do."""
import os
import re
import shutil
import tempfile

import lint
import series
import table
import trees
from base import get_base
from lib import BUILD, LAB, need, read, result, run


def examples(tmp):
    """Each rule on its example: the lines with its name beside them, and no others"""
    for rule in lint.rules():
        path = f"{LAB}/lint.d/{rule}.c"
        if not os.path.exists(path):
            result(False, f"{rule} has an example", f"lab/lint.d/{rule}.c is missing")
            continue
        os.makedirs(f"{tmp}/drivers/iommu", exist_ok=True)
        shutil.copy(path, f"{tmp}/drivers/iommu/foo.c")
        want = {n for n, ln in enumerate(read(path).split("\n"), 1) if f"/* {rule} */" in ln}
        have = {line for _, line, _, _ in lint.lint(tmp, only=[rule])}
        result(bool(want) and have == want, f"{rule} finds what it must in its example, and nothing else",
               *[f"line {n} is not found" for n in sorted(want - have)], *[f"line {n} is found" for n in sorted(have - want)])


def unpack(commit, tmp):
    """What the rules read of a commit"""
    os.makedirs(tmp)
    run(["sh", "-c", 'git --git-dir="$1" archive "$2" drivers/iommu arch/powerpc/kernel/iommu.c | tar -x -C "$3"',
         "sh", trees.REPO, commit, tmp])


def command(_):
    need("spatch")
    base = get_base()
    head = series.compose(base)
    with tempfile.TemporaryDirectory(prefix="rules-", dir=BUILD) as tmp:
        examples(f"{tmp}/example")
        unpack(base, f"{tmp}/stock")
        rows, every, missed, found, wrong = lint.measure(lint.lint(f"{tmp}/stock"))
        result(len(rows) >= 0.9 * len(every), f"at least 90 % of the violations that are to be seen in the stock kernel are found: "
               f"{len(rows)} of {len(every)}", *missed)
        result(len(wrong) < 0.1 * len(found), f"fewer than 10 % of what is found there is wrong: {len(wrong)} of {len(found)}", *wrong)
        unpack(head, f"{tmp}/patched")
        files = table.files()
        left = [f"{f}:{n}: {r}: {t}" for f, n, r, t in lint.lint(f"{tmp}/patched") if f in files]
        result(not left, "nothing is found in the drivers of the patched kernel", *left)
