# SPDX-License-Identifier: GPL-2.0
"""build/linux.git, and the trees that are checked out of it.

Two git repositories. CACHE/linux.git holds imported bases, which every clone of this project can
use. build/linux.git borrows its objects and holds what belongs to this clone:

  refs/tags/base-6.1        the base
  refs/heads/contract/6.1   the series on top; checked out in build/linux-6.1-patched
  refs/lab/NAME             the commit that compose last put into the tree build/linux-6.1-NAME; patched: on the branch

Every hash depends on contents only, so a cache that was removed comes back as it was."""
import contextlib
import glob
import os
import re
import shutil
import tempfile

from lib import BASE, BUILD, CACHE, TOP, free_space, out, read, run, step, write

STORE = os.path.join(CACHE, "linux.git")
REPO = os.path.join(BUILD, "linux.git")
BRANCH = f"contract/{BASE}"
# Written into every commit of the lab, so that hashes do not depend on who runs it.
COMMITTER = "attach-contract lab <lab@attach-contract.example>"
# Half of a tree, and nothing that is compiled here: only `patched`, which is people's, has it. `git sparse-checkout disable`
# in a tree brings it there.
LEFT_OUT = ["/drivers/gpu/drm/amd/include/", "/drivers/gpu/drm/**/*.c", "/drivers/net/ethernet/**/*.c",
            "/drivers/net/wireless/**/*.c", "/sound/**/*.c", "/arch/**/*.dts", "/arch/**/*.dtsi"]


def git(*args, **kw):
    return out(["git", f"--git-dir={REPO}", *args], **kw)


def tree_path(name):
    return os.path.join(BUILD, f"linux-{BASE}-{name}")


def quote(path):
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def open_repo():
    if not os.path.exists(f"{REPO}/HEAD"):
        # HEAD names a branch that will never be there: git must not take this repository for a tree that has the series.
        run(["git", "init", "-q", "--bare", "-b", "lab/none", REPO])
        git("config", "core.logAllRefUpdates", "true")
    if "worktreeConfig" not in read(f"{REPO}/config"):
        # It is bare and its trees are not; checkpatch's spdxcheck goes by the common config file.
        git("config", "extensions.worktreeConfig", "true")
        git("config", "--worktree", "core.bare", "true")
        git("config", "--unset", "core.bare")
    write(f"{REPO}/objects/info/alternates", f"{STORE}/objects\n")
    for tree in glob.glob(f"{BUILD}/linux-*/.git"):     # the clone may have been moved
        git("worktree", "repair", os.path.dirname(tree), check=False)
    write(f"{REPO}/info/exclude", ".obj*/\n")      # where kbuild.py keeps the objects of a tree
    write(f"{REPO}/info/attributes", "*.[ch] diff=cpp\n")      # a hunk's head names the function, not a label


def rev(ref):
    """The commit of a ref in build/linux.git, or an empty string."""
    return git("rev-parse", "-q", "--verify", ref, check=False)


def blobs(commit, paths):
    """{path: (mode, contents)} of those paths that a commit has"""
    res = {}
    listing = git("ls-tree", "-z", commit, "--", *sorted(paths)) if paths else ""
    for mode, blob, path in re.findall(r"(\d+) \w+ (\w+)\t([^\0]+)", listing):
        res[path] = (mode, git("cat-file", "blob", blob, text=False))
    return res


def tree_git(name, *args, **kw):
    return out(["git", "-C", tree_path(name), *args], **kw)


def work_in(name):
    """What a developer did in a tree and patches/ does not have yet, in words."""
    last, words = rev(f"refs/lab/{name}"), []
    if not last or rev(f"refs/lab/moving/{name}"):
        return ""
    if name == "patched" and rev(f"refs/heads/{BRANCH}") not in ("", last):
        words.append(f"commits on {BRANCH}")
    if os.path.exists(f"{tree_path(name)}/.git"):
        if not words and tree_git(name, "rev-parse", "HEAD") != last:
            words.append("commits")
        if changed := tree_git(name, "status", "--porcelain").splitlines():
            words.append(f"{len(changed)} changed file{'s'[:len(changed) > 1]}")
        if glob.glob(tree_git(name, "rev-parse", "--absolute-git-dir") + "/rebase-*"):
            words.append("a rebase or am that is not finished")
    return " and ".join(words)


def put_tree(name, commit):
    """Make the tree build/linux-<base>-NAME show commit. Only files that differ are touched, so make
    rebuilds no more than it has to. The caller has made sure that nobody's work is in it."""
    tree, ref, moving = tree_path(name), f"refs/lab/{name}", f"refs/lab/moving/{name}"
    to = ["-B", BRANCH] if name == "patched" else ["--detach"]
    rel = os.path.relpath(tree, TOP)
    if not rev(ref) or not os.path.exists(f"{tree}/.git"):
        free_space(BUILD, 1800 if name == "patched" else 1000, f"a kernel tree in {rel}")
        if os.path.exists(tree):            # a checkout that was interrupted
            shutil.rmtree(tree)
        git("worktree", "prune")
        if rev(ref):                        # until the checkout is done nothing in the tree is anybody's work
            git("update-ref", "-d", ref)
        with step(f"checking out {rel}"):
            git("worktree", "add", "--no-checkout", "--detach", tree, commit)
            if name != "patched":
                tree_git(name, "sparse-checkout", "set", "--no-cone", "/*", *(f"!{pattern}" for pattern in LEFT_OUT))
            tree_git(name, "-c", "checkout.workers=2", "checkout", "-q", "-f", *to, commit)
    elif rev(moving):
        # Interrupted on the way from one commit to another. There is no telling a half-written file
        # from an edit, so everything goes to the stash before it is set right.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(tree_git(name, "rev-parse", "--absolute-git-dir") + "/index.lock")
        tree_git(name, "stash", "push", "-q", "-u", "-m", "found after an interrupted compose")
        tree_git(name, "checkout", "-q", "-f", *to, commit)
    elif rev(ref) != commit or tree_git(name, "rev-parse", "HEAD") != commit:
        git("update-ref", moving, commit)
        tree_git(name, "checkout", "-q", "-f", *to, commit)
    git("update-ref", ref, commit)
    git("update-ref", "-d", moving)


def tree_object(name):
    """The tree object of what a tree holds as it stands, changes and new files included"""
    with tempfile.TemporaryDirectory(dir=BUILD) as tmp:
        index = tree_git(name, "rev-parse", "--absolute-git-dir") + "/index"
        env = dict(os.environ, GIT_INDEX_FILE=shutil.copy2(index, f"{tmp}/index"))
        tree_git(name, "add", "-A", env=env)
        return tree_git(name, "write-tree", env=env)
