# SPDX-License-Identifier: GPL-2.0
"""compose: put the series on its base and print the commit

The series becomes branch contract/<base> of build/linux.git. With --tree it is checked out for work in
build/linux-<base>-patched, as far as the patches apply. Of a topic with what it needs no branch is made."""
import os
import shutil

import series
import trees
from base import get_base, moved
from lib import BASE, BUILD, SHOWN, TOP, die, lock, say, step, write


def arguments(parser):
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--tree", action="store_true", help="check the series out for work")
    what.add_argument("--topic", help="one topic, on top of those that it needs")


def whole(base, for_work):
    tree = os.path.relpath(trees.tree_path("patched"), TOP)
    work = trees.work_in("patched")
    if work and not os.path.exists(f"{trees.tree_path('patched')}/.git"):
        die(f"{SHOWN}/linux.git has {work} that patches/{BASE} does not have, and there is no {tree}: keep them by "
            f"`git --git-dir={SHOWN}/linux.git branch -m {trees.BRANCH} mine`, or remove them by `branch -D {trees.BRANCH}`")
    if work and for_work:
        say(f"{tree} has {work}, left as they are; `make refresh` writes commits to patches/{BASE}")
        print(tree)
        return
    if work:
        die(f"{tree} has {work} that patches/{BASE} does not have: `make refresh` writes commits there, "
            f"`cd {tree} && git reset --hard refs/lab/patched && git clean -fd` throws them away")
    try:
        with step(f"composing patches/{BASE}"):
            head = series.compose(base)
    except series.Refused as e:
        if not for_work and (version := moved()):
            die(f"{BASE} has moved to {version}: {len(series.read_series()) - len(e.rest)} of {len(series.read_series())} patches "
                f"apply, the first that does not is {e.rest[0]['name']}\n{e}")
        if not for_work:
            raise
        shutil.rmtree(series.TODO, ignore_errors=True)
        for i, p in enumerate(e.rest, 1):
            write(f"{series.TODO}/{i:03}-{os.path.splitext(os.path.basename(p['name']))[0]}.patch", series.self_contained(p))
        trees.put_tree("patched", e.commit)
        say(f"{e}\n{len(e.rest)} patches are left: git -C {tree} am -3 {series.TODO}/*.patch")
        print(tree)
        return
    shutil.rmtree(series.TODO, ignore_errors=True)
    if for_work or os.path.exists(f"{trees.tree_path('patched')}/.git"):
        trees.put_tree("patched", head)
    else:
        trees.git("update-ref", f"refs/heads/{trees.BRANCH}", head)
        trees.git("update-ref", "refs/lab/patched", head)
    if for_work:
        say(f"work there with ordinary git on top of base-{BASE}, then `make refresh`")
    print(tree if for_work else head)


def command(args):
    base = get_base()
    with lock(BUILD):
        if args.topic:
            print(series.compose(base, [args.topic]))
        else:
            whole(base, args.tree)
