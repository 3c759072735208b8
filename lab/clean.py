# SPDX-License-Identifier: GPL-2.0
"""clean: remove build/, with --all the shared cache too; never work that is nowhere else"""
import os
import shutil

import trees
from base import bases
from lib import BASE, BUILD, CACHE, DEFAULT, LAB, SHOWN, TOP, die, lock, run, step


def arguments(parser):
    parser.add_argument("--all", action="store_true", help="the cache that all clones share, too")


def command(args):
    for other in bases() if BASE == DEFAULT else []:     # whose folders are in this one
        if other != BASE and os.path.isdir(f"{BUILD}/{other}"):
            run([f"{LAB}/lab", "clean"], stderr=None, env=dict(os.environ, BASE=other))
    if os.path.isdir(BUILD):
        with lock(BUILD):
            work = os.path.exists(trees.REPO) and trees.work_in("patched")
            if work:
                tree = os.path.relpath(trees.tree_path("patched"), TOP)
                die(f"{tree} has {work} that patches/{BASE} does not have; `make refresh` first, or remove {SHOWN}/ by hand")
            with step(f"removing {SHOWN}/"):
                shutil.rmtree(BUILD)
    if args.all and os.path.isdir(CACHE):
        with lock(CACHE), step(f"removing {CACHE}"):
            shutil.rmtree(CACHE)
