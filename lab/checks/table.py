# SPDX-License-Identifier: GPL-2.0
"""The errno tables against the stock source: every row's line exists, every errno that a line in
reach of an attach names has a row, and a row is complete and at peace with itself."""
import re

import series
import table
from lib import BASE, result

# A row that is right, whatever line it is of
GOOD = {"Stock": "0", "Class": "broken", "Patched": "0", "State": "another -> kept", "Violation": "none", "Left": "none",
        "Lint": "", "Patch": "-", "Evidence": "reading -- so"}
# What a table must be caught at: (what is done to a row that is right, what the check then says)
BROKEN = [("a row is gone", None, "no row"),
          ("a row's text is not in the source", {"Text": "return -ENOENT + 1;"}, "is not in"),
          ("a row has no evidence", {"Evidence": ""}, "no Evidence"),
          ("two rows have one id", {"Id": "{other}"}, "is the id of another row"),
          ("a row has the id of another table", {"Id": "other-1"}, "is no id of this table"),
          ("a class is two", {"Class": "resource memory"}, "Class resource memory is none"),
          ("a violation is mended by no patch", {"Violation": "errno"}, "mended by no patch"),
          ("the second word of a violation is no kind", {"Violation": "errno stat"}, "Violation errno stat is neither"),
          ("what is left has a reason and no keyword", {"Violation": "errno", "Left": "none, by design: so"}, "is neither none, nor"),
          ("what is left has a keyword and no reason", {"Violation": "errno", "Left": "by-design"}, "is neither none, nor"),
          ("what is left is more than stock violates", {"Violation": "errno", "Left": "errno print"}, "is neither none, nor"),
          ("something is left of nothing", {"Left": "core, so"}, "what the stock kernel does not"),
          ("a state is left that is kept", {"Violation": "state", "Left": "state"}, "State says kept"),
          ("a violation has no Lint", {"Violation": "errno"}, "field of violations"),
          ("what is no violation has a Lint", {"Lint": "order"}, "field of violations"),
          ("Lint names no rule", {"Violation": "errno", "Lint": "einval, odrer"}, "Lint einval, odrer is neither"),
          ("Lint has a reason of its own", {"Violation": "errno", "Lint": "none -- hard: so"}, "Lint none -- hard: so is neither"),
          ("Lint has no reason", {"Violation": "errno", "Lint": "none -- core:"}, "Lint none -- core: is neither"),
          ("Lint names a line that is not in the driver", {"Violation": "errno", "Lint": 'leak, order at main "x();"'}, "Lint names"),
          ("evidence does not say what it rests on", {"Evidence": "reading the source"}, "does not say what it rests on"),
          ("evidence names no test", {"Evidence": "kunit iommu.test_clam"}, "no iommu.test_clam"),
          ("evidence names no case", {"Evidence": "reading -- so; amd-iommu.amd_attach_v1: one"}, "amd_attach_v1: one"),
          ("evidence names no file", {"Evidence": "reading -- contract.md says so"}, "no contract.md"),
          ("what is unreachable is violated", {"Class": "unreachable", "Violation": "errno"}, "what is unreachable"),
          ("what is unreachable returns nothing", {"Class": "unreachable", "Patched": "the same"}, "what is unreachable"),
          ("what is unreachable is tested", {"Class": "unreachable", "Evidence": "kunit iommu.test_claim"}, "what is unreachable")]


def faults(driver, head, rows, known, nameable):
    """What is wrong with a table, a line each"""
    if not rows:
        return ["the table has no rows"]
    res, ids = [], [r.get("Id") for r in rows]
    for r in rows:
        where = f"{r.get('Id')} {r.get('Where')}: {r.get('Text')}"
        if not re.fullmatch(re.escape(driver) + r"-[1-9]\d*", r.get("Id", "")):
            res.append(f"{where}: {r.get('Id')} is no id of this table: {driver}-1 and so on")
        if ids.count(r.get("Id")) > 1:
            res.append(f"{where}: {r.get('Id')} is the id of another row, too")
        res += [f"{where}: {f}" for f in table.row_faults(r, known) + table.unknown(r.get("Evidence", ""), *nameable)]
        if r.get("Lint") and not all(line for _, line in table.lint(r, head.get("Files", ""))):
            res.append(f"{where}: Lint names a line that is not in the driver")
        if table.line_of(r) is None:
            res.append(f"{where}: that line is not in the stock tree")
    reach, lost = table.reach(head, table.stock)
    res += [f"Attach names {name}, which is not in Files" for name in lost]
    if not reach:
        res.append("Attach reaches no function")
    have = {table.key(r) for r in rows}
    for (path, name), (line, body) in sorted(reach.items()):
        for i, text, which in table.literal_errors(body):
            if (path, name, text, which) not in have:
                res.append(f"{path}:{line + i} {name}: {text}{f' #{which}' if which > 1 else ''}: no row")
    return res


def command(_):
    said = table.subjects(), table.nameable()
    tables = {d: table.load(d) for d in table.drivers()}
    for driver, (head, rows) in tables.items():
        bad = faults(driver, head, rows, *said)
        result(not bad, f"{driver}, {len(rows)} rows", *bad, reproduce="make check ONLY=table")
    # A driver that the series touches and that has no table would not be missed.
    files = {f for head, _ in tables.values() for f in head.get("Files", "").split()}
    lost = {f for p in series.read_series() for f in p["touches"] if f.startswith("drivers/iommu/") and f.endswith(".c")} - files
    result(tables and not lost, f"lab/errnos/{BASE} has a table of every source that the series changes", *sorted(lost))
    if not tables:
        return

    driver, (head, _) = next((d, t) for d, t in tables.items() if t[1])
    for name, spoil, says in BROKEN:
        rows = table.load(driver)[1]
        # one that the source calls for, so that its absence must show
        named = {(*w, t, n) for w, (_, b) in table.reach(head, table.stock)[0].items() for _, t, n in table.literal_errors(b)}
        rows.sort(key=lambda r: table.key(r) not in named)
        rows[0].update(GOOD)
        before = faults(driver, head, rows, *said)
        rows[0].update(spoil or {})
        rows[0]["Id"] = rows[0]["Id"].format(other=rows[1]["Id"])
        found = faults(driver, head, rows if spoil else rows[1:], *said)
        noticed = not before and any(says in f for f in found)
        result(noticed, f"is noticed: {name}", *([] if noticed else before + found))
