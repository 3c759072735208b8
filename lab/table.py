# SPDX-License-Identifier: GPL-2.0
"""The errno tables in lab/errnos/<base>/<driver>: a paragraph for every way out of an attach.

A table begins with `Attach:` (file and the functions where the walk starts) and `Files:` (the
driver's sources). A paragraph names a line of the stock source by function and text, says what it
returns and leaves, judges that by the contract, and says what the judgement rests on."""

import os
import re

import series
import trees
from base import get_base
from lib import BASE, LAB, die, read

FOLDER = f"{LAB}/errnos/{BASE}"
FIELDS = "Id Where Text When Stock Class Patched Prints State Violation Left Patch Evidence".split()
CLASSES = "mismatch memory resource busy broken foreign probe-only unreachable by-design".split()
KINDS = "errno swallowed print state leak memory".split()
EVIDENCE = "kunit qemu compiled reading".split()


def paragraphs(text):
    """[{field: value}] of text in the manner of deb822: a line that starts with a space goes on"""
    res = [{}]
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.strip():
            res.append({})
        elif line[0].isspace():
            if not res[-1]:
                die(f"a table has a continuation line that continues nothing: {line}")
            res[-1][list(res[-1])[-1]] += " " + line.strip()
        else:
            field, colon, value = line.partition(":")
            if not colon or field in res[-1]:
                die(f"a table has a line without a field, or a field twice in a paragraph: {line}")
            res[-1][field] = value.strip()
    return [p for p in res if p]


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


def stock():
    """Read a file of the stock tree, each once."""
    base, have = get_base(), {}

    def get(path):
        if path not in have:
            blob = trees.blobs(base, [path]).get(path)
            have[path] = blob and blob[1].decode(errors="replace")
        return have[path]
    return get


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


def line_of(row, get):
    """The number of the stock line that a row is about, or None if there is none"""
    path, name, text, which = key(row)
    first, body = functions(get(path) or "").get(name, (0, []))
    hits = [first + i for i, ln in enumerate(body) if ln.strip() == text]
    return hits[which - 1] if len(hits) >= which else None


def subjects():
    return {p["subject"] for p in series.read_series()}


def row_faults(row, known):
    """What is wrong with a row, whatever the source says"""
    res = [f"no {f}" for f in FIELDS if not row.get(f)] + [f"unknown field {f}" for f in row if f not in FIELDS]
    if res:
        return res
    first = {f: row[f].split()[0].rstrip(",;:") for f in ("Class", "Violation", "Left", "Evidence")}
    if first["Class"] not in CLASSES:
        res.append(f"Class {first['Class']} is none of {', '.join(CLASSES)}")
    if first["Violation"] not in ("none", *KINDS):
        res.append(f"Violation {first['Violation']} is none of none, {', '.join(KINDS)}")
    if first["Evidence"].lower() not in EVIDENCE:
        res.append(f"Evidence {first['Evidence']} is none of {', '.join(EVIDENCE)}")
    if row["Patch"] != "-":
        res += [f"no patch has the subject: {p}" for p in row["Patch"].split("; ") if p not in known]
    if violated(row, "Violation") and not violated(row, "Left") and row["Patch"] == "-":
        res.append("a violation is mended by no patch")
    if violated(row, "Left") and not violated(row, "Violation"):
        res.append("the patched kernel violates what the stock kernel does not")
    return res


def kunit_cases(row):
    """The tests that a row's evidence names: "kunit suite.test: case; suite.test -- what it rests on".
    Without a case all cases of the test are meant."""
    return [c.strip() for c in row["Evidence"].partition(" -- ")[0].partition(" ")[2].split(";") if c.strip()]


def violated(row, field):
    return not row.get(field, "").startswith("none")


def matrix():
    """One object for each driver, as build/matrix.json has them"""
    res = []
    for driver in drivers():
        _, rows = load(driver)
        kinds = {}
        for r in rows:
            kind = r.get("Evidence", "none").split()[0].rstrip(",;:").lower()
            kinds[kind] = kinds.get(kind, 0) + 1
        res.append({"driver": driver, "rows": len(rows),
                    "violations_stock": sum(violated(r, "Violation") for r in rows),
                    "violations_patched": sum(violated(r, "Left") for r in rows), "evidence": kinds})
    return res
