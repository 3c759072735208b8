# SPDX-License-Identifier: GPL-2.0
"""export: topics as they are sent or packaged, from the submitter

build/export/<base>/TOPIC/ gets a mail series: 0000 is the cover letter, To and Cc are those of get_maintainer.pl, and
the cover says the base and the patch ids of what the topic stands on. The topic `stable` is all that is marked as fit
for stable, alone on the base; `distribution` is the whole as series.mbox, as quilt/ (patches with DEP-3 fields, and
their series file) and as series.diff. Without a topic: all of these. Needs git, python3 and perl."""
import glob
import hashlib
import os
import re
import shutil
import tempfile

import series
import trees
from base import check_version, get_base, source
from lib import BASE, BUILD, TOP, USER_ENV, die, lock, need, out, read, run, say, step, write

STABLE = """Bugs in and around the attach of devices to IOMMU domains, from a
series that gives the errno of attach_dev one meaning. None needs the
rest of it. What a patch is for is in its message; in short:

"""


def arguments(parser):
    parser.add_argument("--topic", help="only this topic, `stable` or `distribution`")
    parser.add_argument("--prefix", default="PATCH", help="of the subjects, as `RFC PATCH` (default: %(default)s)")
    parser.add_argument("--version", type=int, default=1, help="of the series, the n of v<n>")
    parser.add_argument("--submitter", default=os.environ.get("SUBMITTER"),
                        help='"Name <mail>" for From and Signed-off-by (default: your git identity)')
    parser.add_argument("folder", nargs="?", default=f"{BUILD}/export/{BASE}", help=f"default: build/export/{BASE}")


def submitter(who):
    who = who or "{} <{}>".format(*(run(["git", "config", f"user.{f}"], check=False, cwd=TOP, env=USER_ENV).stdout.strip()
                                    for f in ("name", "email")))
    m = re.fullmatch(r'"?([^<>"]*[^<>"\s])"? <([^<>@\s]+@[^<>@\s]+)>', who)
    if not m or not who.isprintable():
        die("no submitter for From and Signed-off-by: give SUBMITTER=\"Name <mail>\", or set git's user.name and user.email")
    return m[1], m[2]


def sums(folder):
    """{file: sha256} of all files below a folder"""
    return {os.path.relpath(os.path.join(w, f), folder): hashlib.sha256(open(os.path.join(w, f), "rb").read()).hexdigest()
            for w, _, files in os.walk(folder) for f in files if f != ".exported"}


def check_target(target):
    """Only an export that nobody has touched since is replaced."""
    if not os.path.exists(target):
        return
    if not os.path.exists(f"{target}/.exported"):
        die(f"{target} exists and is not an export; name another folder")
    then, now = dict(ln.split("  ", 1)[::-1] for ln in read(f"{target}/.exported").splitlines()), sums(target)
    if edited := sorted(f for f in then.keys() | now.keys() if then.get(f) != now.get(f)):
        die(f"{target} was changed after it was exported ({', '.join(edited[:5])}); move it away, or remove it")


class Maintainers:
    """get_maintainer.pl of a commit, in a folder that has just what it reads"""

    def __init__(self, commit, folder):
        self.folder = folder
        for path, (_, data) in trees.blobs(commit, ["MAINTAINERS", "scripts/get_maintainer.pl", ".get_maintainer.ignore"]).items():
            write(f"{folder}/{path}", data)

    def of(self, mail, *options):
        """({To: who maintains}, {Cc: lists and reviewers}) of a mail"""
        to, cc = {}, {}
        write(f"{self.folder}/mail", mail)
        for line in out(["perl", "scripts/get_maintainer.pl", "--no-tree", "--no-git", "--no-git-fallback", "--no-fixes", "--roles",
                         "--no-rolestats", *options, "mail"], cwd=self.folder).splitlines():
            m = re.match(r"(.*?) \(((?:[^()]|\([^()]*\))*)\)$", line)
            (to if re.match("(maintainer|supporter)", m[2]) else cc).setdefault(m[1])
        return to, {who: None for who in cc if who not in to}


def base_lines(base):
    """What a topic stands on, for those who get it"""
    name, ident, _ = source()
    version = check_version(trees.git("show", f"{base}:Makefile"), name)
    if not os.environ.get("LINUX"):
        return f"Base: v{version} ({name})\n"
    return f"Base: v{version}\n" + (f"base-commit: {ident}\n" if len(ident) == 40 else "")


def address(who, mail, to, cc):
    """A mail with its To and Cc; not who sends it"""
    head, sep, body = mail.partition("\n\n")
    for field, people in (("To", to), ("Cc", cc)):
        if people := [p for p in people if who[1] not in p]:
            head += f"\n{field}: " + ",\n\t".join(people)
    return head + sep + body


def format_patch(folder, who, *args):
    """Have git write mails below a folder; return their paths in order."""
    trees.git("format-patch", "-q", "--signoff", f"--from={who[0]} <{who[1]}>", "--no-signature", "--no-renames", "-o", folder,
              *args, env=dict(os.environ, GIT_COMMITTER_NAME=who[0], GIT_COMMITTER_EMAIL=who[1]))
    return sorted(glob.glob(f"{folder}/*"))


def patch_ids(base, head):
    """The ids of the patches base..head, as git format-patch --base has them"""
    log = trees.git("log", "-p", "--reverse", "--no-renames", f"{base}..{head}")
    return [ln.split()[0] for ln in out(["git", "patch-id", "--stable"], input=log + "\n").splitlines()] if base != head else []


def topic_mails(folder, who, base, topic, args):
    """Write the mails of one topic below a folder; return how many patches"""
    author = f"{who[0]} <{who[1]}>"
    if topic == "stable":
        patches, commits = series.stable_commits(base, author)
        if not patches:
            die(f"no patch of patches/{BASE} is marked as fit for stable")
        subject = "Fixes around attaching devices to IOMMU domains"
        cover = STABLE + "".join(f"- {p['subject']}:\n  {p['stable']}\n" for p in patches)
    else:
        topics = series.read_topics()
        every = series.read_series(series.with_needs([topic], topics))
        patches, subject, cover = [p for p in every if p["topic"] == topic], topics[topic]["subject"], topics[topic]["text"]
        if not patches:
            die(f"topic {topic} has no patch yet")
        commits = series.compose_commits(base, every, author)
    start, head = [base, *commits][-len(patches) - 1], commits[-1]
    letter, *files = format_patch(folder, who, "-n", "--cover-letter", f"--subject-prefix={args.prefix}",
                                  *([f"-v{args.version}"] if args.version > 1 else []), f"{start}..{head}")
    all_to, all_cc, people = {}, {}, Maintainers(head, f"{folder}.people")
    for p, f in zip(patches, files, strict=True):
        text = read(f)
        to, cc = people.of(text)
        all_to.update(to)
        all_cc.update(cc)
        if p["stable"]:
            text = text.replace("\n---\n", f"\n---\nStable: {p['stable']}\n\n", 1)
        write(f, address(who, text, to, cc))
    text = read(letter).replace("*** SUBJECT HERE ***", subject).replace("*** BLURB HERE ***", cover.rstrip()).rstrip()
    tail = base_lines(base) + "".join(f"prerequisite-patch-id: {i}\n" for i in patch_ids(base, start))
    write(letter, address(who, f"{text}\n\n{tail}", all_to, [c for c in all_cc if c not in all_to]))
    return len(patches)


def distribution(folder, who, base):
    """series.mbox, quilt/ and series.diff of the whole series"""
    patches = series.read_series()
    head = series.compose_commits(base, patches, f"{who[0]} <{who[1]}>")[-1]
    texts = [read(f) for f in format_patch(f"{folder}/all", who, "-N", f"{base}..{head}")]
    shutil.rmtree(f"{folder}/all")
    write(f"{folder}/series.mbox", "".join(t + "\n" for t in texts))
    write(f"{folder}/series.diff", trees.git("diff", "--no-renames", base, head) + "\n")
    names = [f"{os.path.splitext(p['name'])[0]}.patch" for p in patches]
    for name, text in zip(names, texts, strict=True):       # DEP-3: what the mail header does not say
        write(f"{folder}/quilt/{name}", text.replace("\n\n", "\nForwarded: no\n\n", 1))
    write(f"{folder}/quilt/series", "".join(f"{n}\n" for n in names))
    return len(patches)


def command(args):
    need("git", "perl")
    who, base = submitter(args.submitter), get_base()
    topics = [args.topic] if args.topic else [
        *(t for t, has in series.read_topics().items() if has["names"]),
        *["stable"] * any(p["stable"] for p in series.read_series()), "distribution"]
    targets = {t: os.path.join(os.path.abspath(args.folder), t) for t in topics}
    for target in targets.values():
        check_target(target)
    with lock(BUILD), tempfile.TemporaryDirectory(prefix="export-", dir=BUILD) as tmp:
        series.check_shipped()
        with step(f"exporting {args.topic or 'all topics'}"):
            for topic in targets:
                made = f"{tmp}/{topic}"
                count = distribution(made, who, base) if topic == "distribution" else topic_mails(made, who, base, topic, args)
                write(f"{made}/.exported", "".join(f"{digest}  {f}\n" for f, digest in sorted(sums(made).items())))
        for topic, target in targets.items():
            shutil.rmtree(target, ignore_errors=True)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.move(f"{tmp}/{topic}", target)
    say(f"{count} patches, from and signed off by {who[0]} <{who[1]}>; they have their To and Cc, so a topic is sent by\n"
        f"git send-email --to-cmd=true {os.path.relpath(args.folder)}/{args.topic or 'TOPIC'}/*.patch")
    print(args.topic and targets[args.topic] or os.path.abspath(args.folder))
