# SPDX-License-Identifier: GPL-2.0
"""matrix: count the errno tables: ways out of each driver's attach, violations, evidence

Writes build/matrix.json. With a driver: what the head of its table says, and a line for each of its violations, with the
line number of the stock tree."""
import json
import re
import sys

import table
from lib import BUILD, SHOWN, colour, die, read, write


def arguments(parser):
    parser.add_argument("driver", nargs="?", help="show the violations in this table of lab/errnos")
    parser.add_argument("--rows", action="store_true", help="all rows of the driver, whole")


def command(args):
    if args.driver and args.driver not in table.drivers():
        die(f"there is no table of {args.driver}; there are {', '.join(table.drivers())}")
    if args.rows and not args.driver:
        die("--rows are those of a driver")
    if args.rows:
        for row in table.load(args.driver)[1]:
            line = f"{row['Id']}  {row['Where'].replace(' ', ':' + str(table.line_of(row)) + ' ')}: {row['Text']}"
            print(colour("1", line, sys.stdout), *(f"    {f + ':':10} {row[f]}" for f in table.FIELDS[3:] if f in row), sep="\n")
        return
    res = table.matrix()
    write(f"{BUILD}/matrix.json", json.dumps(res, indent=1) + "\n")
    for line in re.findall(r"^# (?!SPDX)(.*)", read(f"{table.FOLDER}/{args.driver}"), re.M) if args.driver else ():
        print(line)
    for v in next((r["violations"] for r in res if r["driver"] == args.driver), ()):
        more = f" and {len(v['test']) - 1} more" if len(v["test"]) > 1 else ""
        print(f"{colour('1', v['id'], sys.stdout)}  {v['line']}  {v['stock']} -> {v['patched']}  [{v['violation']}; left: {v['left']}]"
              f"  {'; '.join(v['patch']) or 'no patch'}  {v['test'][0] + more if v['test'] else 'no test'}")
    if args.driver:
        return
    columns = ("rows", "stock", "left", *table.REASONS)
    lines = [("", "", "violations", "", "", "", ""), ("driver", *columns, "evidence")]
    for r in [*res, {"driver": "all", "evidence": {}, **{c: sum(r[c] for r in res) for c in columns}}]:
        what = ", ".join(f"{n} {k}" for k, n in sorted(r["evidence"].items()))
        lines.append((r["driver"], *(r[c] for c in columns), what))
    for name, rows, *counts, what in lines:
        print((f"{name:12} {rows:>5} " + "".join(f"{n:>10}" for n in counts) + f"  {what}").rstrip())
    seen = [{i["rule"] for i in v["lint"]} for r in res for v in r["violations"]]
    print(f"to be seen in the source: {sum(map(bool, seen))} of {len(seen)} violations, " +
          ", ".join(f"{sum(r in s for s in seen)} {r}" for r in table.RULES))
    print(f"the same as JSON: {SHOWN}/matrix.json; a line for each violation: `lab/lab matrix DRIVER`")
