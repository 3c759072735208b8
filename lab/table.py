# SPDX-License-Identifier: GPL-2.0
"""The errno tables in lab/errnos/<base>/<driver>: a paragraph for every way out of an attach.

A table begins with `Attach:` (file and the functions where the walk starts) and `Files:` (the
driver's sources), and may say above in comments what stock does wrong, worst first. A paragraph
names a line of the stock source by function and text, says what it returns and leaves, judges
that by the contract, and says what the judgement rests on."""

import collections
import functools
import os
import re

import series
import trees
from base import get_base
from lib import BASE, LAB, die, read

FOLDER = f"{LAB}/errnos/{BASE}"
FIELDS = "Id Where Text When Stock Class Patched Prints State Violation Left Lint Patch Evidence".split()
CLASSES = "mismatch memory resource busy broken foreign probe-only unreachable by-design".split()
KINDS = "errno swallowed print state leak memory".split()
EVIDENCE = "kunit qemu compiled reading".split()
# What Left may say besides none and kinds of violations, with the reason
REASONS = ("by-design", "core")
# What a static checker must say of a violation, and why it cannot say anything
RULES = "einval mismatch enomem enospc foreign positive swallowed print order leak caller".split()
INVISIBLE = "hardware sequence core value".split()


def paragraphs(text):
    """[{field: value}] of text in the manner of deb822: a line that starts with a space goes on"""
    res, text = [], re.sub(r"\n[ \t]+(?=\S)", " ", re.sub(r"^#.*\n", "", text, flags=re.M))
    for block in filter(str.strip, re.split(r"\n\s*\n", text)):
        lines = re.findall(r"^(\w+):[ \t]*(.*?)\s*$", block, re.M)
        if len(dict(lines)) != len(block.strip().splitlines()):
            die(f"a table has a line without a field, or a field twice in a paragraph:\n{block}")
        res.append(dict(lines))
    return res


def drivers():
    """Those that have a table"""
    return sorted(f for f in os.listdir(FOLDER) if not series.litter(f)) if os.path.isdir(FOLDER) else []


def load(driver):
    """The head of a driver's table and its rows"""
    rows = paragraphs(read(f"{FOLDER}/{driver}"))
    # Attach and Files may stand in one paragraph or in two
    head = {}
    while rows and "Where" not in rows[0]:
        head.update(rows.pop(0))
    return head, rows


@functools.lru_cache(None)
def base():
    return get_base()


@functools.lru_cache(None)
def stock(path):
    """A file of the stock tree, or None"""
    blob = trees.blobs(base(), [path]).get(path)
    return blob and blob[1].decode(errors="replace")


@functools.lru_cache(None)
def functions(text):
    """{name: (number of the first line, body lines)} of C in kernel style: a function ends at a `}`
    in the first column and its body begins at a `{` there."""
    lines, res = text.split("\n"), {}
    for i, line in enumerate(lines):
        if line != "{":
            continue
        top = i
        while top and lines[top - 1].strip() and not re.search(r"[;}]$|\*/$|^#", lines[top - 1]):
            top -= 1
        name = re.search(r"(\w+)\s*\(", " ".join(lines[top:i]))
        end = next((j for j in range(i, len(lines)) if re.match(r"\};?$", lines[j])), len(lines))
        if name and name[1] not in res:
            res[name[1]] = (i + 2, lines[i + 1:end])
    return res


def strip_comments(lines):
    """The same lines without comments"""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), "\n".join(lines), flags=re.S)
    return [re.sub(r"//.*", "", ln) for ln in text.split("\n")]


def reach(head, get):
    """{(file, function): (first line, body)} that the walk from the table's roots comes to: every
    function of the driver's files whose name stands in the body of one that was reached"""
    defined = {}
    for path in head.get("Files", "").split():
        for name, (line, body) in functions(get(path) or "").items():
            defined.setdefault(name, (path, line, body))
    todo = [w for w in head.get("Attach", "").split() if not w.endswith(".c")]
    lost = [w for w in todo if w not in defined]
    res = {}
    while todo:
        name = todo.pop()
        path, line, body = defined.get(name, (None, 0, []))
        if path is None or (path, name) in res:
            continue
        res[path, name] = (line, body)
        todo += [w for w in re.findall(r"\w+", "\n".join(strip_comments(body))) if w in defined]
    return res, lost


def literal_errors(body):
    """(index, text, which of that text) of the lines that set or return an errno by name"""
    seen, res = {}, []
    plain = strip_comments(body)
    for i, line in enumerate(body):
        text = line.strip()
        seen[text] = seen.get(text, 0) + 1
        if re.search(r"(?<![\w)])-E[A-Z0-9]{3,}\b", re.sub(r"[!=<>]=\s*-E\w+", "", plain[i])):
            res.append((i, text, seen[text]))
    return res


def key(row):
    """(file, function, text, which) of a row; which is 1 unless the text ends in #n"""
    path, _, name = row.get("Where", "").partition(" ")
    m = re.match(r"(.*?)(?: #(\d+))?$", row.get("Text", ""))
    return path, name.strip(), m[1], int(m[2] or 1)


def line_of(row):
    """The number of the stock line that a row is about, or None if there is none"""
    path, name, text, which = key(row)
    first, body = functions(stock(path) or "").get(name, (0, []))
    hits = [first + i for i, ln in enumerate(body) if ln.strip() == text]
    return hits[which - 1] if len(hits) >= which else None


def lint(row, files):
    """[(rule, file:line)] that Lint of a row of a driver with these files asks for: no rule where it has no such form,
    no line where there is none, and nothing if the violation is not to be seen"""
    res, rule = [], "|".join(RULES)
    for item in [] if row["Lint"].startswith("none -- ") else re.split(rf', (?=(?:{rule})(?:, | at \w+ "|$))', row["Lint"]):
        m = re.fullmatch(rf'({rule})(?: at (\w+) "(.+)")?', item)
        rows = [{"Where": f"{f} {m[2]}", "Text": m[3]} for f in files.split()] if m and m[2] else [row]
        res.append((m and m[1], next((f"{r['Where'].split()[0]}:{line_of(r)}" for r in rows if line_of(r)), None)))
    return res


def subjects():
    return {p["subject"] for p in series.read_series()}


def row_faults(row, known):
    """What is wrong with a row, whatever the source says"""
    res = [f"no {f}" for f in FIELDS if f != "Lint" and not row.get(f)] + [f"unknown field {f}" for f in row if f not in FIELDS]
    if res:
        return res
    if row["Class"] not in CLASSES:
        res.append(f"Class {row['Class']} is none of {', '.join(CLASSES)}")
    stock = row["Violation"].split() if row["Violation"] != "none" else []
    if not set(stock) <= set(KINDS):
        res.append(f"Violation {row['Violation']} is neither none nor some of {', '.join(KINDS)}")
    kept, _, why = row["Left"].partition(", ")
    if not why if kept in REASONS else why or kept != "none" and not set(kept.split()) <= set(stock):
        res.append(f"Left {row['Left']} is neither none, nor {' or '.join(REASONS)} and a reason, nor some of Violation")
    if bool(row.get("Lint")) != bool(stock):
        res.append("Lint is a field of violations, and of all of them")
    elif stock and not re.fullmatch(rf"none -- ({'|'.join(INVISIBLE)}): .+", row["Lint"]) and not all(
            r for r, _ in lint(row, "") or [("", "")]):
        res.append(f"Lint {row['Lint']} is neither some of {', '.join(RULES)}, nor none -- {', '.join(INVISIBLE)}: and a reason")
    if stock and kept == "none" and row["Patch"] == "-":
        res.append("a violation is mended by no patch")
    if not stock and kept != "none":
        res.append("the patched kernel violates what the stock kernel does not")
    if "state" in kept.split() and row["State"].endswith("-> kept"):
        res.append("State says kept, Left does not")
    if not re.fullmatch(r"kunit .+|(qemu|compiled|reading) -- .+", row["Evidence"]):
        res.append(f"Evidence is none of {', '.join(EVIDENCE)}, or does not say what it rests on")
    if row["Class"] == "unreachable" and (stock or not row["Evidence"].startswith("reading") or not all(
            re.match(r"(E[A-Z0-9]+|NULL|gone|\d+)\b", row[f]) for f in ("Stock", "Patched"))):
        res.append("a row of what is unreachable says what would be returned, violates nothing, and rests on reading")
    if row["Patch"] != "-":
        res += [f"no patch has the subject: {p}" for p in row["Patch"].split("; ") if p not in known]
    return res


def nameable():
    """What evidence may name: {suite.test: [a regular expression for each case]} of the KUnit sources, and the names of files"""
    tests = {}
    for text in series.sources(r"drivers/iommu/.*-test\.c").values():
        glue = r'"\s*#\w+\s*"'      # "a macro's " #argument " in a string"
        cases = [".+".join(map(re.escape, re.split(glue, s))) for s in re.findall(rf'"((?:[^"\n]|{glue})+)"', text)]
        for suite in re.findall(r'(?:kunit_suite \w+ = {\s*\.name\s*=|#define TEST_SUITE)\s*"([\w-]+)"', text):
            tests.update({f"{suite}.{t}": cases for t in re.findall(r"KUNIT_CASE\w*\((\w+)", text)})
    files = trees.git("ls-tree", "-r", "--name-only", base()).split("\n")
    return tests, {os.path.basename(f) for f in files}


def unknown(evidence, tests, files):
    """The tests, cases and files that evidence names and that are not there"""
    named = [n for part in re.split("; | -- ", evidence) for n in re.findall(r"([\w-]+\.[A-Za-z_]\w*)(?:: (.*))?", part)]
    return [f"there is no {name}{case and ': ' + case}" for name, case in named if name not in files and not (
        name in tests and (not case or any(re.fullmatch(c, case) for c in tests[name])))]


def kunit_cases(row):
    """The tests that a row's evidence names: "kunit suite.test: case; suite.test -- what it rests on".
    Without a case all cases of the test are meant."""
    return [c.strip() for c in row["Evidence"].partition(" -- ")[0].partition(" ")[2].split(";") if c.strip()]


def violation(row, files):
    """A row that violates the contract, as build/matrix.json has it and `lab/lab matrix DRIVER` prints it"""
    path = row["Where"].split()[0]
    return {"id": row["Id"], "line": f"{path}:{line_of(row)}", "stock": row["Stock"], "patched": row["Patched"],
            "violation": row["Violation"], "left": row["Left"],
            "lint": [{"rule": r, "line": line} for r, line in lint(row, files)],
            "patch": row["Patch"].split("; ") if row["Patch"] != "-" else [],
            "test": kunit_cases(row) if row["Evidence"].startswith("kunit") else []}


def matrix():
    """One object for each driver, as build/matrix.json has them"""
    res = []
    for driver in drivers():
        head, rows = load(driver)
        rows = [collections.defaultdict(lambda: "none", r) for r in rows]
        broken = [violation(r, head["Files"]) for r in rows if r["Violation"] != "none"]
        left = collections.Counter(b["left"].split(",")[0] for b in broken)
        res.append({"driver": driver, "rows": len(rows), "stock": len(broken),
                    "left": len(broken) - sum(left[w] for w in ("none", *REASONS)), **{w: left[w] for w in REASONS},
                    "evidence": collections.Counter(r["Evidence"].split()[0] for r in rows), "violations": broken})
    return res
