# SPDX-License-Identifier: GPL-2.0
"""matrix: count the errno tables: ways out of each driver's attach, violations, evidence

Writes build/matrix.json. With a driver: its rows, with the line numbers of the stock tree."""
import json
import sys

import table
from lib import BUILD, colour, die, write


def one(driver):
    if driver not in table.drivers():
        die(f"there is no table of {driver}; there are {', '.join(table.drivers())}")
    get = table.stock()
    for row in table.load(driver)[1]:
        print(colour("1", f"{row['Id']}  {row['Where'].replace(' ', ':' + str(table.line_of(row, get)) + ' ')}: {row['Text']}",
                     sys.stdout))
        for f in table.FIELDS[3:]:
            print(f"    {f + ':':10} {row[f]}")


def arguments(parser):
    parser.add_argument("driver", nargs="?", help="show the rows of this table of lab/errnos")


def command(args):
    if args.driver:
        return one(args.driver)
    rows = table.matrix()
    print(f"{'driver':12} {'rows':>5} {'violations':>11} {'':>8}  evidence\n{'':12} {'':5} {'stock':>11} {'patched':>8}")
    for r in rows:
        what = ", ".join(f"{n} {k}" for k, n in sorted(r["evidence"].items())) or "no table yet"
        print(f"{r['driver']:12} {r['rows']:5} {r['violations_stock']:11} {r['violations_patched']:8}  {what}")
    total = [sum(r[k] for r in rows) for k in ("rows", "violations_stock", "violations_patched")]
    print(f"{'all':12} {total[0]:5} {total[1]:11} {total[2]:8}")
    write(f"{BUILD}/matrix.json", json.dumps(rows, indent=1) + "\n")
    print("the same as JSON: build/matrix.json; `lab/lab matrix DRIVER` shows the rows")

