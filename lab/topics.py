# SPDX-License-Identifier: GPL-2.0
"""topics: the topics of the series: patches, lines, what each needs, whom it goes to, and what it is about

Lines are those added and removed; those of new files stand apart."""
import collections
import re
import tempfile

import export
import series
from base import get_base
from lib import BASE, BUILD, TOP, lock, read

HEAD = ("topic", "patches", "lines", "new", "needs", "stable", "to", "what for")


def arguments(parser):
    parser.add_argument("--markdown", action="store_true", help="as the README has it")


def whom(patches, people):
    """Who maintains what more than half of the patches touch: by the entry for the file, else for a folder above"""
    for depth in ("1", "0"):
        named = collections.Counter(who for p in patches for who in people.of(
            "".join(f"--- a/{f}\n+++ b/{f}\n" for f in p["touches"] + p["adds"]), f"--pattern-depth={depth}")[0])
        # in an order of their own: get_maintainer.pl gives equals in any
        order = sorted(named.items(), key=lambda item: (-item[1], item[0]))
        if most := [re.sub('"| <.*', "", who) for who, n in order if 2 * n > len(patches)]:
            return ", ".join(most)
    return ""


def rows():
    """A row of texts for each topic"""
    base, patches = get_base(), series.read_series()
    with tempfile.TemporaryDirectory(prefix="topics-", dir=BUILD) as tmp:
        with lock(BUILD):
            people = export.Maintainers(series.compose(base), tmp)
        for topic, t in series.read_topics().items():
            mine = [p for p in patches if p["topic"] == topic]
            text = "\n".join(hunks for p in mine for hunks in series.by_file(p)[0].values())
            changed = [len(re.findall(rf"^[{c}](?![{c}]{{2}} )", text, re.M)) for c in "+-"]
            for i, p in enumerate(mine):
                series.new_files(p, f"{tmp}/{topic}-{i}")
            new = sum(read(f"{tmp}/{topic}-{i}/{a}").count("\n") for i, p in enumerate(mine) for a in p["adds"])
            yield (topic, str(len(mine)), f"+{changed[0]} -{changed[1]}", f"+{new}" if new else "", " ".join(t["needs"]),
                   str(sum(bool(p["stable"]) for p in mine) or ""), whom(mine, people), t["subject"].partition(": ")[2])


def table(markdown):
    """The lines of the table"""
    have = [HEAD, *rows()]
    if markdown:
        have[1:1] = [("---",) * len(HEAD)]
        return [f"| {' | '.join((f'`{c}`' if i == 0 and n > 1 else c) for i, c in enumerate(row))} |" for n, row in enumerate(have)]
    width = [max(len(r[i]) for r in have) for i in range(len(HEAD))]
    return ["  ".join(c.rjust(w) if i in (1, 3, 5) else c.ljust(w) for i, (c, w) in enumerate(zip(r, width))).rstrip() for r in have]


def command(args):
    print("\n".join(table(args.markdown)))
    if not args.markdown:
        print(f"stable: patches that a stable tree could take alone (make export TOPIC=stable); covers: patches/{BASE}/TOPIC/cover")
