# SPDX-License-Identifier: GPL-2.0
"""Every mutant of lab/mutations is noticed by a test, or every one of a sample; see lab/mutate.py."""
import argparse
import json

import mutate
from lib import BUILD, read, result


def arguments(parser):
    parser.add_argument("--sample", type=int, metavar="N", help="as of lab/mutate.py")


def command(args):
    mutate.command(argparse.Namespace(name=[], sample=args.sample))
    for name, case in json.loads(read(f"{BUILD}/mutate.json"))["noticed"].items():
        result(bool(case), f"{name} is noticed", case, reproduce=f"lab/lab mutate {name.split(':')[0]}")
