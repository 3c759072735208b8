# SPDX-License-Identifier: GPL-2.0
"""Every mutant of lab/mutations is noticed by a test; see lab/mutate.py."""
import argparse
import json

import mutate
from lib import BUILD, read, result


def command(_):
    mutate.command(argparse.Namespace(name=[]))
    for name, case in json.loads(read(f"{BUILD}/mutate.json"))["noticed"].items():
        result(bool(case), f"{name} is noticed", case, reproduce=f"lab/lab mutate {name.split(':')[0]}")
