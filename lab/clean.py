# SPDX-License-Identifier: GPL-2.0
"""clean: remove build/, with --all the shared cache too; never work that is nowhere else"""
import os
import shutil

import trees
from lib import BASE, BUILD, CACHE, TOP, die, lock, step


def arguments(parser):
    parser.add_argument("--all", action="store_true", help="the cache that all clones share, too")


def command(args):
    if os.path.isdir(BUILD):
        with lock(BUILD):
            work = os.path.exists(trees.REPO) and trees.work_in("patched")
            if work:
                tree = os.path.relpath(trees.tree_path("patched"), TOP)
                die(f"{tree} has {work} that patches/{BASE} does not have; `make refresh` first, or remove build/ by hand")
            with step("removing build/"):
                shutil.rmtree(BUILD)
    if args.all and os.path.isdir(CACHE):
        with lock(CACHE), step(f"removing {CACHE}"):
            shutil.rmtree(CACHE)
