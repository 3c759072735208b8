# SPDX-License-Identifier: GPL-2.0
"""check: run the checks of lab/checks/list and judge them

A check, `lab/lab checks.NAME`, prints KTAP and exits 0 if all is well. Here it also fails if it prints no plan or fewer
lines than planned, skips, hangs, or if its exit status says otherwise than its lines. Where nobody sets BASE, LINUX or the
checks, some run for the other bases, too, one base beside the other. Writes build/check.ktap and build/check.xml; and
build/check.json, from which a run that was stopped goes on."""
import concurrent.futures
import hashlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from xml.sax.saxutils import quoteattr

import progress
from base import bases, source
from lib import BASE, BUILD, LAB, TOP, colour, die, out, read, run, write

# Seconds that a check may sleep without printing anything: others that work in the same folder have it wait
ASLEEP = int(os.environ.get("CHECK_ASLEEP", 3 * 3600))


def checks():
    """{name: (when, when for another base, command, what it adds)}"""
    res = {}
    for n, line in enumerate(read(f"{LAB}/checks/list").splitlines(), 1):
        line, _, adds = line.partition("#")
        fields = line.split()
        if not fields:
            continue
        if len(fields) < 4 or not {*fields[1:3]} <= {"lint", "check", "all", "-"} or fields[0] in res:
            die(f"lab/checks/list:{n} is not of the form: name, twice lint, check, all or -, command; or it names a check again")
        res[fields[0]] = fields[1], fields[2], fields[3:], adds.strip()
    if odd := {command[0] for _, _, command, _ in res.values()} ^ {f[:-3] for f in os.listdir(f"{LAB}/checks") if f.endswith(".py")}:
        die(f"lab/checks/list and the modules beside it do not have the same checks: {', '.join(sorted(odd))}")
    return res


def run_check(base, name, command, running):
    """Run one check, which stands in running meanwhile; return [[good, name of the result, notes]]."""
    def show(code, line):
        print(f"{name}: {colour(code, line, sys.stdout)}\n", end="", flush=True)

    lines, hangs = [], []
    proc = subprocess.Popen([f"{LAB}/lab", f"checks.{command[0]}", *command[1:]], cwd=TOP, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, text=True, errors="replace", start_new_session=True,
                            env=dict(os.environ, BASE=base, LAB_SAYS=f"{name}: "))
    running.append(proc)

    def watch():
        if text := progress.wait(proc, lambda: len(lines), patience=math.inf, asleep=ASLEEP):
            hangs.append(text)
            os.killpg(proc.pid, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    try:
        for line in proc.stdout:
            lines.append(line.rstrip("\n"))
            code = "31" if line.startswith("not ok") else "32" if line.startswith("ok") else "2"
            show(code, lines[-1])
        status = proc.wait()
    finally:
        if proc.poll() is None:
            os.killpg(proc.pid, signal.SIGTERM)
            proc.wait()
        running.remove(proc)
    res = judge(lines, status, hangs)
    for n, (_, title, notes) in enumerate(res, 1):
        if title.startswith("the check itself"):
            notes.append(f"# reproduce: BASE={base} lab/lab checks.{' '.join(command)}")
            show("31", f"not ok {n} {title}")
    return res


def judge(lines, status, hangs):
    """The results in what a check has printed, and one for each thing that is wrong with the check itself"""
    res, plan, wrong = [], None, [f"it hangs, {text}, and was killed" for text in hangs]
    for line in lines:
        if m := re.match(r"(not )?ok (\d+)(?: - | )?(.*)", line):
            skipped = re.search(r"# *(SKIP|TODO)\b", m[3], re.I)
            res.append([not (m[1] or skipped), (m[3] or "?") + (" (nothing may be skipped)" if skipped else ""), []])
            wrong += [f"result {len(res)} has the number {m[2]}"] if int(m[2]) != len(res) else []
        elif re.match(r"1\.\.\d+$", line):
            wrong += ["it has two plans"] if plan is not None else []
            plan = int(line[3:])
        elif line.startswith("#") and res:
            res[-1][2].append(line)
    for bad, text in ((plan is None, "it printed no plan, so it did not come to its end"),
                      (plan not in (None, len(res)), f"it planned {plan} results and printed {len(res)}"),
                      (not res, "it printed no result"),
                      ((status == 0) != all(r[0] for r in res), f"its exit status {status} does not agree with its results")):
        wrong += [text] if bad else []
    return res + [[False, f"the check itself: {text}", []] for text in wrong]


def ktap(done):
    def line(good, n, title):
        return f"{'ok' if good else 'not ok'} {n} {title}"
    text = ["KTAP version 1", f"1..{len(done)}"]
    for i, (name, res, _) in enumerate(done, 1):
        text += ["    KTAP version 1", f"    1..{len(res)}"]
        for j, (good, title, notes) in enumerate(res, 1):
            text += [f"    {ln}" for ln in (line(good, j, title), *notes)]
        text.append(line(all(r[0] for r in res), i, name))
    return "\n".join(text) + "\n"


def junit(done):
    def attr(s):    # control characters have no place in XML
        return quoteattr(re.sub(r"[\x00-\x08\x0b-\x1f]", "?", s))
    text = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    for name, res, secs in done:
        text.append(f'<testsuite name={attr(name)} tests="{len(res)}" failures="{sum(not r[0] for r in res)}" time="{secs:.1f}">')
        text += [f"<testcase classname={attr(name)} name={attr(title)}" + (
            "/>" if good else f"><failure message={attr(chr(10).join(notes))}/></testcase>") for good, title, notes in res]
        text.append("</testsuite>")
    return "\n".join([*text, "</testsuites>"]) + "\n"


def arguments(parser):
    parser.add_argument("name", nargs="*", metavar="CHECK", help=f"only these: {', '.join(checks())}")
    parser.add_argument("--lint", action="store_true", help="only those that need no kernel")
    parser.add_argument("--all", action="store_true", help="also those that are slow and seldom red")
    parser.add_argument("--continue", dest="resume", action="store_true",
                        help="what has passed on this very state is not run again, so a run that was stopped goes on")


def can_be_composed(base):
    """An empty text; or that a newer base than the proven one has changed what the patches change, which is no failure"""
    res = subprocess.run([f"{LAB}/lab", "compose"], capture_output=True, text=True, env=dict(os.environ, BASE=base))
    moved = re.search(rf"^(?:error: )?({re.escape(base)} has moved to .*)", res.stderr, re.M)
    return moved[1] if res.returncode and moved else ""


def state():
    """What a result that is kept is good for: this commit, if nothing has been changed since. Empty if there is no such."""
    res = run(["git", "rev-parse", "--show-toplevel", "HEAD"], check=False, cwd=TOP)
    here, _, head = res.stdout.strip().partition("\n")
    clean = not res.returncode and here == os.path.realpath(TOP) and not run(["git", "status", "--porcelain"], cwd=TOP).stdout
    return head if clean else ""


def inputs(base):
    """The same for checks that build, as a function of a check's command: what the series of this base composes to, the command,
    and the lab without what is for people, another base or another check. Gives "" if the series does not compose."""
    other = "|".join(re.escape(b) for b in bases() if b != base) or "$"
    lab = [ln for ln in out(["git", "ls-tree", "-r", "HEAD", "lab"], cwd=TOP).splitlines()
           if not re.search(rf"\.md$|\tlab/[^/]+/({other})/", ln)]
    head = out([f"{LAB}/lab", "compose"], check=False, env=dict(os.environ, BASE=base))

    def of(check):
        # attach has a list of selftest's
        mine = [ln for ln in lab if not re.search(rf"\tlab/checks/(?!({re.escape(check[0])}|selftest)\.py)", ln)]
        return hashlib.sha256("\n".join([head, *check, *mine]).encode()).hexdigest() if head else ""
    return of


def command(args):
    have = checks()
    only = [a for arg in args.name for a in re.split(r"[ ,]+", arg) if a]
    if unknown := set(only) - set(have):
        die(f"there is no check {', '.join(sorted(unknown))}; there are {', '.join(have) or 'none'}")
    wanted = ("lint",) if args.lint else ("lint", "check", "all") if args.all else ("lint", "check")
    others = [] if only or os.environ.get("BASE") or os.environ.get("LINUX") else [b for b in bases() if b != BASE]
    todo = [(BASE, "", [n for n in have if n in only or not only and have[n][0] in wanted])]
    todo += [(b, f"{b}/", [n for n in have if have[n][1] in wanted]) for b in others]
    if not any(names for *_, names in todo):
        die("there is no check in lab/checks/list")
    moved, kept, now, earlier = [], {}, state(), []
    if args.resume:
        if not now:
            die("--continue: results are kept for a commit only; commit what you have changed, or begin anew")
        if os.path.exists(f"{BUILD}/check.json"):
            kept = json.loads(read(f"{BUILD}/check.json"))
    lanes, running, stop = [], [], threading.Event()
    for base, before, names in todo:
        with_it = f"{source(base)[1]} QEMU={os.environ.get('QEMU', '')}"    # asked first, so that all of them have the same base
        if text := can_be_composed(base) if before else "":
            moved.append(text)
        else:
            # What needs no kernel, and who clones all of this, look at the whole commit.
            whole = {n for n in names if "lint" in have[n][:2] or have[n][2][0] == "fresh"}
            built = inputs(base) if now and whole < {*names} else lambda check: ""
            lanes.append((base, before, names, {n: f"{n not in whole and built(have[n][2]) or now} {with_it}" for n in names}))

    def lane(base, before, names, valid):
        """[(name, results, seconds)] of the checks of a base"""
        res = []
        for name in names:
            if stop.is_set():
                break
            start, full, old = time.monotonic(), before + name, kept.get(f"{base} {name}")
            if old and old["valid"] == valid[name] and all(good for good, *_ in old["results"]):
                res.append((full, old["results"], old["seconds"]))
                print(f"{full}: passed on this state, {old['when']}\n", end="", flush=True)
                earlier.append(full)
                continue
            print(colour("1", f"{full}:", sys.stdout) + "\n", end="", flush=True)
            res.append((full, run_check(base, full, have[name][2], running), time.monotonic() - start))
            with kept_lock:
                kept[f"{base} {name}"] = {"valid": valid[name], "results": res[-1][1], "seconds": res[-1][2], "when": time.strftime("%F %T")}
                if now and now == state():
                    write(f"{BUILD}/check.json", json.dumps(kept))
        return res

    kept_lock = threading.Lock()
    # Each base has a folder of its own in build/, and most checks leave a processor idle at times.
    with concurrent.futures.ThreadPoolExecutor(max(1, len(lanes))) as pool:
        try:
            done = [r for way in [pool.submit(lane, *ln) for ln in lanes] for r in way.result()]
        except BaseException:
            stop.set()
            for proc in list(running):
                os.killpg(proc.pid, signal.SIGTERM)
            raise
    write(f"{BUILD}/check.ktap", ktap(done))
    write(f"{BUILD}/check.xml", junit(done))
    if not only and not args.all:
        print("\nNot run:")
        for name, (when, other, _, adds) in have.items():
            for before, w in (("", when), *((f"{b}/", other) for b in others)):
                if w not in (*wanted, "-"):
                    print(f"{before + name:21} make {'check' if w == 'check' else 'check-all'}{adds and ': ' + adds}")
    print(f"\n{'check':21} {'passed':>6} {'failed':>6} {'seconds':>8}")
    good = bad = 0
    for name, res, secs in done:
        mine = [r[0] for r in res]
        print(colour("32" if all(mine) else "31", f"{name:21} {mine.count(True):6} {mine.count(False):6} {secs:8.0f}", sys.stdout))
        good, bad = good + mine.count(True), bad + mine.count(False)
    for text in moved:
        print(text)
    if earlier:
        print(f"{len(earlier)} of {len(done)} checks were not run again: --continue, and they passed on this state before")
    print(f"{good} passed, {bad} failed", flush=True)
    return 0 if good and not bad else 1
