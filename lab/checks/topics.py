# SPDX-License-Identifier: GPL-2.0
"""Each topic is what its maintainer can take: it composes on the base with what it needs and nothing else, so do its
mails; what is marked as fit for stable composes on the base alone; the contract is six patches, and small."""
import contextlib
import glob
import os
import pty
import re
import tempfile

import series
import topics
import trees
from base import get_base, moved
from lib import BASE, BUILD, DEFAULT, LAB, SHOWN, TOP, lock, need, read, result, run

# The promise is the contract and the retry loop, and who is to read them should not have to read much: patches of the
# contract (the thread of 2022 drew six), of both together, changed lines of both
PROMISE = {"6.1": ([6], 14, 600), "mainline": (range(1, 7), 10, 600)}
WHO = "A Tester <tester@attach-contract.example>"


def lines(patches):
    return len(re.findall(r"^[+-](?!\+\+ |-- )", "\n".join(p["hunks"] for p in patches), re.M))


def places(diff):
    """[(file, function, lines that change)] of a diff: what it does, and where, without numbers and context"""
    res = []
    for part in re.split(r"^diff --git a/", diff, flags=re.M)[1:]:
        path = part.split(" ", 1)[0]
        for head, body in re.findall(r"^@@ [^@]+ @@ ?(.*)\n((?:[ +\\-].*\n?|\n)*)", part, re.M):
            res.append((path, head.strip(), [ln for ln in body.splitlines() if ln[:1] in ("+", "-")]))
    return res


def merged(diff):
    """The same by file and without functions: where less context is shown, one hunk may be two."""
    res = {}
    for path, _, changed in places(diff):
        res.setdefault(path, []).extend(changed)
    return res


def composed(name, again, func, *args):
    """A result, that some patches compose; return what func makes of args, or None"""
    try:
        made = func(*args)
        result(True, name)
        return made
    except series.Refused as e:
        result(False, name, e, reproduce=again)
        return None


def mails(before, head, topic, folder, count):
    """What git makes of the exported mails of a topic"""
    files = sorted(glob.glob(f"{folder}/*.patch"))[1:]
    env = dict(os.environ, GIT_INDEX_FILE=f"{folder}/index")
    trees.git("read-tree", before, env=env)
    for f in files:
        res = run(["git", f"--git-dir={trees.REPO}", "apply", "--cached", "--whitespace=nowarn", f], check=False, env=env)
        if res.returncode:
            break
    tree = trees.git("write-tree", env=env)
    good = files and len(files) == count and res.returncode == 0 and tree == trees.git("rev-parse", f"{head}^{{tree}}")
    result(good, f"the {count} mails of {topic} give its tree", res.stderr, f"{len(files)} mails",
           reproduce=f"make export TOPIC={topic}; git am {SHOWN}/export/*/{topic}/0*.patch in the base with what it needs")


def terminal(argv):
    """(exit status, output) of a program in a terminal of its own, where each question is answered by the end of input"""
    pid, fd = pty.fork()
    if not pid:
        os.execvp(argv[0], argv)
    said = b""
    with contextlib.suppress(OSError):      # that is how a terminal ends
        while data := os.read(fd, 65536):
            said += data
            if b"? " in data[-40:]:
                os.write(fd, b"\4")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said.decode(errors="replace").replace("\r", "")


def addressed(folder, topic):
    """Each mail says to whom it goes, and git send-email asks nothing."""
    files = sorted(glob.glob(f"{folder}/*.patch"))
    lost = [os.path.basename(f) for f in files if not re.search(r"^(To|Cc): .*@", read(f).partition("\n\n")[0], re.M)]
    status, said = terminal(["git", "-c", "user.name=A Tester", "-c", "user.email=tester@attach-contract.example", "send-email",
                             "--dry-run", "--smtp-server=/bin/true", "--to-cmd=true", *files])
    sent = len(re.findall("^Message-Id: ", said, re.M))
    result(not lost and status == 0 and sent == len(files) > 1 and "?" not in re.sub("^([A-Z][A-Za-z-]*:|\t).*", "", said, flags=re.M),
           f"git send-email takes the mails of {topic} without a question", f"without To and Cc: {', '.join(lost) or 'none'}",
           f"exit status {status}, {sent} sent", said[-500:],
           reproduce=f"make export TOPIC={topic}; git send-email --dry-run --to-cmd=true {SHOWN}/export/*/{topic}/*.patch")


def command(_):
    need("perl", "git")
    base, every = get_base(), series.read_series()
    have = series.read_topics()
    of = {t: [p for p in every if p["topic"] == t] for t in ("contract", "vfio", *have)}
    contract, patches, changed = PROMISE[BASE]
    both = of["contract"] + of["vfio"]
    result(len(of["contract"]) in contract, f"the contract is {contract[-1]} patches, or as few as {contract[0]}", len(of["contract"]))
    result(of["vfio"] and len(both) <= patches and lines(both) < changed,
           f"with vfio it is at most {patches} patches, which change less than {changed} lines",
           f"{len(both)} patches, {lines(both)} lines")
    with lock(BUILD):
        heads = {t: composed(f"{t} composes with what it needs alone", f"lab/lab compose --topic {t}", series.compose, base, [t])
                 for t in have}
        patches, commits = composed("the patches for stable compose on the base alone", "make export TOPIC=stable",
                                    series.stable_commits, base) or ([], [])
        result(patches, "patches are marked as fit for stable", len(patches))
        for p, c in zip(patches, commits):
            there = trees.git("show", "--format=", "--no-renames", c)
            result(merged(there) == merged(p["hunks"]) and {x[:2] for x in places(there)} <= {x[:2] for x in places(p["hunks"])},
                   f"{p['name']} changes for stable what it changes in the series", there if not p["hunks"] else "",
                   reproduce="make export TOPIC=stable")
    with tempfile.TemporaryDirectory(prefix="topics-", dir=BUILD) as tmp:
        run([f"{LAB}/lab", "export", "--submitter", WHO, tmp])
        for topic, head in heads.items():
            if head:
                mails(f"{head}~{len(of[topic])}", head, topic, f"{tmp}/{topic}", len(of[topic]))
        if commits:
            mails(base, commits[-1], "stable", f"{tmp}/stable", len(patches))
        for topic in ("vfio", [*have][-1]):
            addressed(f"{tmp}/{topic}", topic)
        if "docs" in have:
            who = read(glob.glob(f"{tmp}/docs/0001-*")[0])
            result("Jonathan Corbet" in who, "MAINTAINERS as the series has it says to whom a mail goes")
    which = "" if BASE == DEFAULT else f" BASE={BASE}"
    table = re.search(rf"^<!-- make topics{which} -->\n(.*?)^<!-- end -->$", read(f"{TOP}/README.md"), re.M | re.S)
    said, now = table[1].strip() if table else "", "\n".join(topics.table(True))
    if os.environ.get("LINUX") or moved():      # another base has another MAINTAINERS
        said, now = (re.sub(r"\| [^|]* (\| [^|]* \|)$", r"\1", t, flags=re.M) for t in (said, now))
    result(said == now, "the README has the table of topics", now, reproduce=f"BASE={BASE} lab/lab topics --markdown")
