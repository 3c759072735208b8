# SPDX-License-Identifier: GPL-2.0
"""base: import the base (a Debian package, or LINUX=) if need be, and print its commit"""
import series


def command(_):
    print(series.get_base())
