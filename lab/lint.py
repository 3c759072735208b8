# SPDX-License-Identifier: GPL-2.0
"""lint: where the attach paths of a kernel tree break the contract

Runs the semantic patches of scripts/coccinelle/iommu on a kernel tree, of 5.10 to today's, as it stands: on what it has in
drivers/iommu and who calls it, or on the files that are named. Prints `file:line: rule: what is wrong; what to do`. What is
right as it stands is in scripts/coccinelle/iommu/accepted, with the reason; --all shows that, too. Functions that spatch
cannot parse are named: no rule reports anything there.

Exit status: 0 nothing found, 1 findings, 2 it could not run."""
import concurrent.futures
import glob
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from lib import JOBS, TOP, colour, say

RULES = os.path.join(TOP, "scripts/coccinelle/iommu")
sys.path.append(RULES)
SARIF = "https://json.schemastore.org/sarif-2.1.0.json"

# What spatch says of what it cannot parse: where, and then the lines, of which BAD is that place
UNPARSED = re.compile(r'^parse error *\n = File "([^"/\n][^"\n]*)", line (\d+)(?:.*\n)*?badcount: .*\n((?:bad: .*\n)*)'
                      r"BAD:!!!!! .*((?:\nbad: .*)*)", re.M)


class CannotRun(Exception):
    pass


def arguments(parser):
    parser.add_argument("tree", help="a kernel tree")
    parser.add_argument("file", nargs="*", help="of that tree; without one all of drivers/iommu, arch/powerpc/kernel/iommu.c, and who attaches devices")
    parser.add_argument("--rule", action="append", help="one of the rules; may be given again")
    parser.add_argument("--all", action="store_true", help="what is accepted, too")
    parser.add_argument("--json", action="store_true", help="print a JSON list of objects with file, line, rule, text; what was not parsed is of the rule unparsed")
    parser.add_argument("--sarif", action="store_true", help="print SARIF 2.1.0")


def rules():
    """{name: what it finds}: the rules, in order of their names"""
    res = {}
    for path in sorted(glob.glob(f"{RULES}/*.cocci")):
        with open(path, encoding="utf-8") as f:
            res[os.path.basename(path)[:-6]] = " ".join(ln[4:].strip() for ln in f if ln.startswith("/// "))
    return res


def run_rule(tree, rule, groups, everything):
    """The findings of a rule, {(file, line, rule, text)}, and what spatch could not parse, {(file, first line, last line)}"""
    env = dict(os.environ, PYTHONPATH=RULES, PYTHONDONTWRITEBYTECODE="1", **({"ACCEPTED": os.devnull} if everything else {}))
    cmd = ["spatch", "--verbose-parsing", "-D", "report", "--no-includes", "--cocci-file", f"{RULES}/{rule}.cocci",
           "--file-groups", groups]
    res = subprocess.run(cmd, cwd=tree, env=env, capture_output=True, text=True, errors="replace")
    if res.returncode or "Error in Python script" in res.stderr:
        raise CannotRun(f"spatch failed with {rule}.cocci: {(res.stderr or res.stdout).strip()[-1500:]}")
    return {(m[1], int(m[2]), rule, m[3])
            for m in re.finditer(r"^(\S+?):(\d+):\d+-\d+: (?:ERROR|WARNING): (.*)$", res.stdout, re.M)}, {
                (m[1], int(m[2]) - m[3].count("\n"), int(m[2]) + m[4].count("\n")) for m in UNPARSED.finditer(res.stderr)}


def unparsed(tree, places):
    """[(file, line, function)] of those functions that begin in lines which were not parsed"""
    attach = importlib.import_module("attach")
    return sorted({(file, f.line, f.name) for file, first, last in places for f in attach.functions(f"{tree}/{file}")[1]
                   if first <= f.line <= last})


def attach_files(tree):
    """The files of a tree that can be on an attach path"""
    found = sorted(glob.glob("drivers/iommu/**/*.c", root_dir=tree, recursive=True))
    return [f for f in [*found, "arch/powerpc/kernel/iommu.c"] if os.path.exists(f"{tree}/{f}") and not f.endswith("-test.c")]


def callers(tree):
    """Those files of a tree that attach devices to domains"""
    res = subprocess.run(["grep", "-rlE", "--include=*.c", r"\b(iommu_(attach|replace)_|iommufd_device_(attach|replace))",
                          *(d for d in ("arch", "drivers", "sound") if os.path.isdir(f"{tree}/{d}"))],
                         cwd=tree, capture_output=True, text=True)
    return [f for f in res.stdout.split() if not f.startswith("drivers/iommu/")]


def lint(tree, files=(), only=(), everything=False, skipped=None):
    """The findings in a tree, sorted; what was not parsed goes into the list `skipped`; raises CannotRun"""
    have = rules()
    if not have:
        raise CannotRun(f"{RULES} has no rules; this clone is not whole, `git status` says what is missing")
    if odd := set(only) - set(have):
        raise CannotRun(f"there is no rule {', '.join(sorted(odd))}; the rules are {', '.join(have)}")
    if not os.path.isdir(f"{tree}/drivers/iommu"):
        raise CannotRun(f"{tree} is no kernel tree: it has no drivers/iommu")
    for file in files:
        if not os.path.isfile(f"{tree}/{file}"):
            raise CannotRun(f"{tree} has no file {file}")
    if not shutil.which("spatch"):
        raise CannotRun("spatch is not there; install coccinelle, 1.1.1 or later")
    with tempfile.TemporaryDirectory() as tmp, concurrent.futures.ThreadPoolExecutor(int(JOBS)) as pool:
        for rule in only or have:
            some = list(files) or attach_files(tree) + (callers(tree) if rule == "caller" else [])
            with open(f"{tmp}/{rule}", "w", encoding="utf-8") as f:
                f.write("\n\n".join(some) + "\n")     # each for itself
        found = list(pool.map(lambda rule: run_rule(tree, rule, f"{tmp}/{rule}", everything), only or have))
    if skipped is not None:
        skipped += unparsed(tree, set().union(*(places for _, places in found)))
    return sorted(set().union(*(some for some, _ in found)))


def reason(name):
    return f"spatch cannot parse {name}(), and so no rule reports anything there"


def sarif(findings, skipped):
    def entry(file, line, text, level="error", **more):
        return {**more, "level": level, "message": {"text": text}, "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": file}, "region": {"startLine": line}}}]}
    results = [entry(file, line, text, ruleId=rule) for file, line, rule, text in findings]
    calls = [{"executionSuccessful": True, "toolExecutionNotifications": [
        entry(file, line, reason(name), "warning") for file, line, name in skipped]}]
    driver = {"name": "attach-contract", "rules": [{"id": r, "fullDescription": {"text": text}} for r, text in rules().items()]}
    return {"$schema": SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "invocations": calls, "results": results}]}


def command(args):
    try:
        skipped = []
        found = lint(args.tree, args.file, args.rule or (), args.all, skipped)
    except (CannotRun, OSError) as e:
        say(f"error: {e}")
        sys.exit(2)
    if args.json:
        print(json.dumps([dict(zip(("file", "line", "rule", "text"), f)) for f in [
            *found, *((file, line, "unparsed", reason(name)) for file, line, name in skipped)]], indent=1))
    elif args.sarif:
        print(json.dumps(sarif(found, skipped), indent=1))
    else:
        for file, line, rule, text in found:
            print(f"{file}:{line}: {colour('31', rule, sys.stdout)}: {text}")
        for file, line, name in skipped:
            say(f"{file}:{line}: {reason(name)}")
        say(f"{len(found)} findings by {len(args.rule or rules())} rules; {len(skipped)} functions were not parsed")
    sys.exit(1 if found else 0)
