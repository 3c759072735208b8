# SPDX-License-Identifier: GPL-2.0
"""Waiting for a program that may hang, by what it does: a machine that is slow, or busy with other work, only takes
longer. It hangs if it uses far more CPU time without a sign of progress than it took to start, or if it has long
been asleep."""
import contextlib
import os
import subprocess
import time

PERIOD = 0.2
# How many times as long as it took to start a program may go on without a sign, in CPU time; half as many seconds it may
# sleep. A sleep is as long on every machine.
PATIENCE = 240
# What a guest may print. One that prints for ever makes progress, too.
FLOOD = 256 << 20
TICKS = os.sysconf("SC_CLK_TCK")


def slowness():
    """How many times as much CPU time as on the machine where limits were chosen a fixed piece of work takes now"""
    start = time.process_time()
    sum(i * i % 7 for i in range(400_000))
    return max(1.0, (time.process_time() - start) / 0.04)


def stats(where):
    """{id: what /proc/ID/stat says after the name} of the processes, or threads, in a folder"""
    res = {}
    with contextlib.suppress(OSError):          # one may end meanwhile
        for p in filter(str.isdigit, os.listdir(where)):
            with contextlib.suppress(OSError), open(f"{where}/{p}/stat", encoding="utf-8", errors="replace") as f:
                res[int(p)] = f.read().rpartition(")")[2].split()
    return res


def activity(pid):
    """CPU seconds of a process and all that it began, and whether one of their threads runs, or would if a CPU or a
    disk had time for it"""
    every, family = stats("/proc"), [pid]
    for p in family:
        family += [c for c, stat in every.items() if stat[1] == str(p)]
    used = sum(int(n) for p in family if p in every for n in every[p][11:15]) / TICKS
    return used, any(t[0] in "RD" for p in family for t in stats(f"/proc/{p}/task").values())


def size(*paths):
    """How much is in some files, which need not be there yet"""
    return sum(os.path.getsize(p) for p in paths if os.path.exists(p))


def wait(proc, signs, up=lambda: True, patience=PATIENCE, asleep=None, until=lambda: False):
    """Wait until a process ends, or until() is true; return None, or if it hangs what shows that, as the end of a
    sentence. signs() is a number that grows with what it does, up() tells that it has started."""
    seen, idle, since, started, last = 0, 0.0, 0.0, None, 0.0
    limit = patience * slowness()
    while True:
        try:
            proc.wait(PERIOD)
            return None
        except subprocess.TimeoutExpired:
            pass
        cpu, runs = activity(proc.pid)
        if until():
            return None
        if started is None and up():
            started, limit = cpu, max(limit, patience * cpu)
        if (now := signs()) != seen:
            seen, idle, since = now, 0, cpu
        # It sleeps if it mostly does: the clock of a guest ticks, and programs in it look now and then.
        idle = idle + PERIOD if not runs and cpu - last < PERIOD / 2 else max(0, idle - 2 * PERIOD)
        last = cpu
        if cpu - since > limit:
            return f"it used {cpu - since:.0f} s of CPU time and nothing came of it"
        if idle > (asleep or patience / 2):
            return f"for {idle:.0f} s it slept and nothing came of it"
        if seen > FLOOD:
            return f"it does not stop printing, {seen >> 20} MiB so far"
