# SPDX-License-Identifier: GPL-2.0
"""The rules of `make lint`: on the examples in lab/lint.d, and against the errno tables of the stock kernel. On the
patched kernel they find nothing that is not accepted. `mutants`: what is put there of each kind they find."""
import functools
import importlib
import os
import re
import shutil
import tempfile

import lint
import series
import table
import trees
from base import get_base
from lib import BUILD, LAB, need, read, result, run, write


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
    path, have = f"{LAB}/lint.d/unparsed.c", []
    shutil.copy(path, f"{tmp}/drivers/iommu/foo.c")
    want = {n for n, ln in enumerate(read(path).split("\n"), 1) if "/* unparsed */" in ln}
    lint.lint(tmp, only=["leak"], skipped=have)
    result(have == [("drivers/iommu/foo.c", n, "foo_attach_dev") for n in want] and len(have) == 1,
           "a function that spatch cannot parse is named", *map(str, have))


def unpack(commit, tmp):
    """What the rules read of a commit"""
    os.makedirs(tmp)
    run(["sh", "-c", 'git --git-dir="$1" archive "$2" drivers/iommu arch/powerpc/kernel/iommu.c | tar -x -C "$3"',
         "sh", trees.REPO, commit, tmp])


def rows():
    """[(row, [(rule, file, line)])] of the errno tables: what their fields Lint say"""
    res = []
    for driver in table.drivers():
        head, some = table.load(driver)
        for row in some:
            lint_at = table.lint(row, head.get("Files", "")) if row.get("Lint") else []
            res.append((row, [(rule, *where.rsplit(":", 1)) for rule, where in lint_at]))
    return res


@functools.cache
def files():
    """Those of the drivers that have a table"""
    return {f for d in table.drivers() if d != "core" for f in table.load(d)[0].get("Files", "").split()}


def function(file, line):
    return next((name for name, (first, body) in table.functions(table.stock(file)).items()
                 if first <= line < first + len(body)), "")


def same(rule, file, line, found):
    """A finding is that of a row: of the same rule, and of its line, of a function that the line calls, or, where several lines
    of a function make what is wrong, of that function"""
    at, number, by, message = found
    text = table.stock(file).split("\n")[line - 1]
    inside = re.search(r"(\w+)\(\)", message)[1]
    return rule == by and ((file, line) == (at, number) or bool(re.search(rf"\b{inside}\(", text)) or (
        (by not in ("einval", "mismatch", "positive") or "= -E" in text) and (file, function(file, line)) == (at, inside)))


def measure(found):
    """Of the violations in the errno tables that are to be seen in the source: ids, and those that are missed, in words; of the
    findings in drivers that have a table: all, and those that no row is about"""
    want = [(row["Id"], rule, file, int(line)) for row, where in rows() for rule, file, line in where if file in files()]
    found = [f for f in found if f[0] in files()]
    missed = [f"{file}:{line}: {rule}: {name}" for name, rule, file, line in want
              if not any(same(rule, file, line, f) for f in found)]
    wrong = [f"{f[0]}:{f[1]}: {f[2]}: {f[3]}" for f in found if not any(same(*w[1:], f) for w in want)]
    return {w[0] for w in want}, missed, found, wrong


# An errno that is right by its row's Class, and what is put in its place for a rule to find
SPOILT = {"mismatch": ("EINVAL", "EXDEV", "mismatch"), "memory": ("ENOMEM", "EINVAL", "enomem"),
          "resource": ("ENOSPC", "EINVAL", "enospc"), "broken": ("ENODEV", "EINVAL", "einval")}


def spoil(tmp):
    """Each errno in the stock kernel that is right, made wrong: [where it is not noticed], and how many there are"""
    todo = {}
    for row, _ in rows():
        right, other, rule = SPOILT.get(row["Class"], ("", "", ""))
        if right and not row["Id"].startswith("core-") and re.search(rf"(return|=) -{right};", row["Text"]) and row["Violation"] in ("none", "state", "print"):
            todo.setdefault(rule, {})[row["Where"].split()[0], table.line_of(row)] = right, other
    silent = []
    for rule, lines in todo.items():
        some = sorted({f for f, _ in lines})
        for file in some:
            text = table.stock(file).split("\n")
            for (f, n), (right, other) in lines.items():
                if f == file:
                    text[n - 1] = text[n - 1].replace(f"-{right}", f"-{other}")
            with open(f"{tmp}/{file}", "w", encoding="utf-8") as f:
                f.write("\n".join(text))
        found = lint.lint(tmp, some, [rule], everything=True)
        silent += [f"{f}:{n}: {rule}: {lines[f, n][1]} for {lines[f, n][0]}" for f, n in sorted(lines)
                   if not any(same(rule, f, n, one) for one in found)]
        for file in some:
            with open(f"{tmp}/{file}", "w", encoding="utf-8") as f:
                f.write(table.stock(file))
    return silent, sum(map(len, todo.values()))


# Names of what changes the state that a failed attach has to leave as it was, and assignments that do
CHANGE = re.compile(r"(?<!\w)(?!\w*(?:lock|runtime|prepare|clk)_|\w*alloc)(?:\w+_)?(?:detach|attach|disable|enable|unset|set|clear|block|config|configure|"
                    r"program|install|setup|init|add|register|update|switch|replace|writel|write|hw)(?:_\w+)?\(|->\w+ [|&+-]?=(?! \w*alloc|=)|->\w+\+\+")
# A check: an if that is about an errno of its own, or a call that only looks, and then the if behind it
CHECK = re.compile(r"\tif \((?!(?:.*\n)*\t\} else\b)(?:.*\n)*?.*\b(?:return|\w+ =) -(?!ENOMEM)E[A-Z]+;")
LOOK = re.compile(r"\t(\w+) = \w*(?:compatible|check|valid|support|prepare)\w*\(")
OTHER = "\tif (!domain_fits_device(domain, dev))\n\t\treturn -EINVAL;\n"


def statements(body):
    """The statements of a function's body, as text"""
    res, depth = [], 0
    for line in body:
        if not res or not depth and re.match(r"\t(?!\}|(?:else|case|default)\b)\S|\w+:", line):
            res.append("")
        res[-1] += line + "\n"
        depth += line.count("(") - line.count(")")
    return res


def move(text, name):
    """A source with the first check of a function, or one that it lacks, behind what next changes something; None if nothing does"""
    old = statements(table.functions(text)[name][1])
    at, check = -1, [OTHER]
    for n, s in enumerate(old):
        m = LOOK.match(s)
        if m and old[n + 1].startswith(f"\tif ({m[1]}") or CHECK.match(s):
            at, check = n, old[n:n + 2] if m else [s]
            break
    rest = old if at < 0 else old[:at] + old[at + len(check):]
    for k in range(max(at, 0), len(rest)):
        if CHANGE.search(re.sub(r"/\*.*?\*/", "", rest[k], flags=re.S)) and not CHECK.match(rest[k]):
            break
    else:
        return None
    new, end = [rest[k]], k + 1
    if m := re.match(r"\treturn ((?:.|\n)*)", rest[k]):
        new = [f"\tretval = {m[1]}\tif (retval)\n\t\treturn retval;\n", *check, "\treturn 0;\n"]
    else:
        m = re.match(r"\t(\S+) = ", rest[k])
        if m and end < len(rest) and re.match(rf"\tif \([^\n]*{re.escape(m[1])}\b", rest[end]):
            new.append(rest[end])
            end += 1
        new += check
    return text.replace("".join(old), "".join(rest[:k] + new + rest[end:]))


def misplace(tmp):
    """In each attach callback the first check is moved behind a change that it guards: [where that is not noticed], how many
    there are, and the callbacks that have no such check. One of a driver at a time."""
    def found(some):
        return {(f, re.sub(r" \(line \d+\)|line \d+", "", text)) for f, _, _, text in lint.lint(tmp, some, ["order"], everything=True)}
    attach = importlib.import_module("attach")
    silent, without, n, todo, before = [], [], 0, {}, None
    for driver in table.drivers():
        files = [f for f in table.load(driver)[0].get("Files", "").split() if driver != "core" and f.endswith(".c")]
        for f in files:
            text = read(f"{tmp}/{f}")
            for name in sorted(set(attach.driver(f"{tmp}/{f}").callbacks) & set(table.functions(text))):
                if new := move(text, name):
                    todo.setdefault(driver, []).append((files, f, name, text, new))
                else:
                    without.append(name)
    before = found([f for some in todo.values() for f in some[0][0]])
    while todo := {d: some for d, some in todo.items() if some}:
        turn = [some.pop() for some in todo.values()]
        for _, f, _, _, new in turn:
            write(f"{tmp}/{f}", new)
        new = found([f for some, *_ in turn for f in some]) - before
        silent += [f"{f}: {name}" for some, f, name, *_ in turn if not any(at in some for at, _ in new)]
        n += len(turn)
        for _, f, _, text, _ in turn:
            write(f"{tmp}/{f}", text)
    return silent, n, without


def arguments(parser):
    parser.add_argument("mode", nargs="?", choices=["mutants"])


def mutants(base, head, tmp):
    """What is right, made wrong, is noticed."""
    unpack(base, f"{tmp}/stock")
    silent, n = spoil(f"{tmp}/stock")
    result(len(silent) < 0.1 * n, f"an errno that is right and is made wrong is noticed: {n - len(silent)} of {n}", *silent)
    unpack(head, f"{tmp}/patched")
    silent, n, without = misplace(f"{tmp}/patched")
    result(n and len(silent) <= 0.25 * n, f"a check of an attach callback that is moved behind a change is noticed in 75 %: {n - len(silent)} of {n}, "
           f"and {len(without)} change nothing themselves", *silent)


def command(args):
    need("spatch")
    base = get_base()
    head = series.compose(base)
    with tempfile.TemporaryDirectory(prefix="rules-", dir=BUILD) as tmp:
        if args.mode:
            mutants(base, head, tmp)
            return
        examples(f"{tmp}/example")
        unpack(base, f"{tmp}/stock")
        ids, missed, found, wrong = measure(lint.lint(f"{tmp}/stock"))
        every = measure(lint.lint(f"{tmp}/stock", everything=True))[2]
        seen = len(ids - {m.split()[-1] for m in missed})
        result(seen >= 0.9 * len(ids), f"of the violations that are to be seen in the stock kernel 90 % are found: {seen} of {len(ids)}",
               *missed)
        result(len(wrong) < 0.1 * len(found), f"of what is found there less than 10 % is wrong: {len(wrong)} of {len(found)}, besides "
               f"{len(every) - len(found)} that are accepted with a reason", *wrong)
        unpack(head, f"{tmp}/patched")
        # Where a row says that something is left, a finding of its rule in its function is that
        kept = {(rule, function(file, int(line))) for row, where in rows() if row["Left"] != "none" for rule, file, line in where}
        found = lint.lint(f"{tmp}/patched")
        left = [f"{f}:{n}: {r}: {t}" for f, n, r, t in found
                if f in files() and (r, re.search(r"(\w+)\(\)", t)[1]) not in kept]
        result(not left, f"nothing is found in the patched kernel in drivers that have a table, nor in "
               f"{len(found)} lines what no row leaves", *left)
