# SPDX-License-Identifier: GPL-2.0
"""What the commands of the lab share: paths, messages, running a program, results."""
import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAB = os.path.join(TOP, "lab")
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "attach-contract")
DEFAULT = "6.1"
BASE = os.environ.get("BASE") or DEFAULT
# What is made of another base than the default one has a folder of its own, and SHOWN is what messages call it
SHOWN = "build" if BASE == DEFAULT else f"build/{BASE}"
BUILD = os.path.join(TOP, SHOWN)
PATCHES = os.path.join(TOP, "patches", BASE)
VERBOSE = os.environ.get("V", "0") not in ("", "0")
JOBS = str(len(os.sched_getaffinity(0)))
SAYS = os.environ.pop("LAB_SAYS", "")   # of several checks side by side, which one it is

# What has to come out the same everywhere must not depend on the user's git settings or locale. What these were goes
# along to the commands that this one calls.
_theirs = os.environ.pop("LAB_USER_ENV", None)
_theirs = json.loads(_theirs) if _theirs else {v: x for v, x in os.environ.items() if v.startswith("GIT_") or v == "LC_ALL"}
for _var in [v for v in os.environ if v.startswith("GIT_") or v == "LC_ALL"]:
    del os.environ[_var]
USER_ENV = {**os.environ, **_theirs}
os.environ["LAB_USER_ENV"] = json.dumps(_theirs)
os.environ.update(GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1", GIT_TERMINAL_PROMPT="0",
                  GIT_COMMITTER_NAME="attach-contract lab", GIT_COMMITTER_EMAIL="lab@attach-contract.example",
                  GIT_AUTHOR_NAME="attach-contract lab", GIT_AUTHOR_EMAIL="lab@attach-contract.example",
                  LC_ALL="C.UTF-8")


def colour(code, text, stream=sys.stderr):
    """text in a terminal colour, if stream is a terminal and NO_COLOR is not set"""
    if stream.isatty() and not os.environ.get("NO_COLOR"):
        return f"\033[{code}m{text}\033[0m"
    return text


def say(msg):
    """Progress goes to stderr: stdout belongs to the result of a command."""
    print(f"{SAYS}{msg}\n", end="", file=sys.stderr, flush=True)


class Failed(Exception):
    """A text for the user. It ends a command, if not a check makes a result of it."""


def die(msg):
    raise Failed(msg)


@contextlib.contextmanager
def step(what):
    """Say what is being done, and at the end how long it took."""
    say(f"{what} ...")
    start = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - start:.1f} s")


def run(argv, check=True, text=True, **kw):
    """Run a program and return its result, stdout and stderr captured as text unless told otherwise; stderr=None is
    the user's. A program that is missing, or that fails while check is set, ends the command."""
    kw = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **({} if "input" in kw else {"stdin": subprocess.DEVNULL}), **kw}
    if text:
        kw.update(encoding="utf-8", errors="surrogateescape")
    if VERBOSE:
        say("+ " + " ".join(argv))
    try:
        res = subprocess.run(argv, **kw)
    except FileNotFoundError:
        die(f"{argv[0]} is not installed; run `make setup`")
    if check and res.returncode:
        if kw["stderr"] is None:        # it has told the user why
            sys.exit(1)
        said = res.stderr or res.stdout or ""
        said = said if text else said.decode(errors="replace")
        if "No space left on device" in said or "Out of diskspace" in said:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), kw.get("cwd") or TOP)
        die(f"`{' '.join(argv)}` failed with exit status {res.returncode}:\n{said.rstrip()}")
    return res


def out(argv, **kw):
    """stdout of a program that must succeed; of text, without the last newline"""
    res = run(argv, **kw).stdout
    return res.rstrip("\n") if isinstance(res, str) else res


def need(*tools):
    """All of the programs are there, or one sentence names those that are not."""
    missing = [t for t in tools if not shutil.which(t)]
    if missing:
        die(f"{', '.join(missing)} not found; run `make setup`, which installs what the lab needs")


def free_space(folder, mib, what):
    """Say in time that a disk is too small, rather than in the middle of the work."""
    os.makedirs(folder, exist_ok=True)
    have = shutil.disk_usage(folder).free >> 20
    if have < mib:
        die(f"{what} needs {mib} MiB in {folder}, which has {have} MiB free; make room there, "
            "or set XDG_CACHE_HOME (cache) or clone to another disk (build)")


_locked = set()


@contextlib.contextmanager
def lock(folder):
    """One command at a time in a folder; within it, the lock may be taken again. The kernel drops it when its owner
    dies, and the folder itself is what is locked, so no file stays behind."""
    if folder in _locked:
        yield
        return
    os.makedirs(folder, exist_ok=True)
    fd = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another command that works in {folder}")
            fcntl.flock(fd, fcntl.LOCK_EX)
        _locked.add(folder)
        yield
    finally:
        _locked.discard(folder)
        os.close(fd)


def write(path, data):
    """Write a file so that it is there whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    tmp = f"{path}.{os.getpid()}.tmp"
    try:
        with open(tmp, "wb") as f:
            f.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)
        os.rename(tmp, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(tmp)
        raise


def read(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        return f.read()


_results = []


def result(good, name, *notes, reproduce=None):
    """One result line of a check, in KTAP; under a failure what was seen, and how to see it again"""
    _results.append(good)
    print(f"{'ok' if good else 'not ok'} {len(_results)} {name}")
    for note in filter(None, notes):
        print("\n".join(f"# {ln}" for ln in str(note).strip("\n").splitlines()))
    if not good:
        print(f"# reproduce: {reproduce or ' '.join(['lab/lab', *sys.argv[1:]])}")
    sys.stdout.flush()


def refuses(name, sentence, func, *args, reproduce=None):
    """A result: func fails with this sentence; where there is none, it does not."""
    said = None
    try:
        func(*args)
    except Failed as e:
        said = str(e)
    result(sentence in said if said and sentence else said is sentence, name, f"expected: {sentence}; it says: {said}",
           reproduce=reproduce)


def command_fails(name, sentence, argv, env, status=1, stop=None, left=list):
    """A result: a command of the lab ends with this status and sentence, and nothing is left, what left() lists. It is
    stopped as soon as stop(), if there is one, is true."""
    with subprocess.Popen([f"{LAB}/lab", *argv], env={**os.environ, **env}, cwd=TOP, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as proc:
        while stop and proc.poll() is None and not stop():
            time.sleep(0.1)
        if stop:
            proc.terminate()
        _, text = proc.communicate()
    good, still = proc.returncode == status and sentence in text, left()
    result(good and not still, name, "" if good else f"exit status {proc.returncode}, expected {status} and: {sentence}\n{text}",
           *(f"left running: {p}" for p in still), reproduce=" ".join([*(f"{k}={v}" for k, v in env.items()), "lab/lab", *argv]))


def results(_):
    """The end of a check: the plan comes last, so a check that dies on the way has none."""
    print(f"1..{len(_results)}", flush=True)
    return 0 if _results and all(_results) else 1


def main(parse):
    """Run what parse() makes of the arguments; turn what the user can do something about into a sentence."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.stdout.reconfigure(errors="surrogateescape")
    try:
        action = parse()
        if not os.access(BUILD if os.path.isdir(BUILD) else TOP, os.W_OK):
            die(f"cannot write {BUILD}: this clone is another user's; make an own clone and work there")
        sys.exit(action())
    except Failed as e:
        wrong = e
    except KeyboardInterrupt:
        say("interrupted; the next call goes on from here")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            wrong = (f"no space left on the disk of {e.filename or CACHE}; make room (`make clean` removes build/) and "
                     "call again")
        elif e.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            wrong = f"cannot write {e.filename}: {e.strerror}; is it owned by another user?"
        else:
            raise
    say(f"{colour('1;31', 'error:')} {wrong}")
    sys.exit(1)
