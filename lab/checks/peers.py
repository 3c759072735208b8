# SPDX-License-Identifier: GPL-2.0
"""The suites that the kernel has for iommufd and for VFIO, tools/testing/selftests/iommu and vfio: all of their tests have
the same results on stock and on patched, but for cases that the series adds, which patched passes. And the test that the
series adds to the latter: patched passes all of it, stock fails some. What a test skips is shown, and is no pass."""
import re

import build
from lib import BASE, Failed, die, result
from selftest import selftest

EDU, EDU2, E1000E, NVME = "0000:00:01.0", "0000:00:02.0", "0000:01:00.0", "0000:02:00.0"
# With the devices that each gets
PROGRAMS = {
    "iommufd": (), "iommufd_fail_nth": (),
    "vfio_dma_mapping_test": (EDU,), "vfio_dma_mapping_mmio_test": (EDU,), "vfio_iommufd_setup_test": (EDU,),
    "vfio_pci_device_test": (E1000E,), "vfio_pci_device_init_perf_test": (EDU, EDU2, E1000E, NVME),
    "vfio_container_test": (EDU, EDU2, NVME),
    "vfio_pci_sriov_uapi_test": (NVME,)}
OURS = "vfio_container_test"
# What the series adds to the others; the mock driver of stock has not what they need
ADDED = {"iommufd": r"iommufd_mock_domain\.\w+\.(replace_refused|first_leaves)",
         "iommufd_fail_nth": r"basic_fail_nth\.attach_viommu"}
NOT_RUN = {"vfio_pci_driver_test": "QEMU 7.2 has no device that libvfio has a driver for"}


def run(kernel):
    """{program: what each test of it came to} and a result: the kernel ran to the end of them and complained of nothing"""
    programs = [":".join([name, *(d.replace(":", "+") for d in devices)]) for name, devices in PROGRAMS.items()]
    command = f"lab/lab selftest {kernel} {' '.join(programs)}"
    try:
        seen, bad = selftest(kernel, programs)
    except Failed as e:
        result(False, f"{kernel} runs the suites", e, reproduce=command)
        return {}
    result(not bad, f"{kernel} runs the suites and complains of nothing", *bad[:20], reproduce=command)
    return seen


def came_to(r):
    """{test: passes, fails, or is skipped and why}"""
    return {**{case: "passes" if good else "fails" for case, good in r["cases"].items()},
            **{case: f"is skipped: {why}" for case, why in r["skipped"].items()}}


def command(_):
    if "peers" not in build.VARIANTS:
        die(f"{BASE} does not have these suites")
    stock, patched = run("stock-peers"), run("patched-peers")
    for name in [p for p in PROGRAMS if p != OURS]:
        both = [came_to(seen[name]) if name in seen else {} for seen in (stock, patched)]
        plans = [seen[name]["plan"] if name in seen else None for seen in (stock, patched)]
        plain = [len(b) for b in both]
        added = [case for case in both[1] if name in ADDED and re.fullmatch(ADDED[name], case)]
        lost = [f"{case} {both[1][case]}" for case in added if both[1][case] != "passes"]
        if name in ADDED:
            result(added and not lost, f"patched passes the {len(added)} tests that the series adds to {name}", *lost)
        both = [{case: how for case, how in b.items() if case not in added} for b in both]
        differ = [f"{case} {' on stock, '.join(b.get(case, 'is not there') for b in both)} on patched"
                  for case in {**both[0], **both[1]} if both[0].get(case) != both[1].get(case)]
        same = [f"{case} {how} on both" for case, how in both[1].items() if how == both[0].get(case) != "passes"]
        passes = list(both[1].values()).count("passes")
        result(passes and not differ and plans == plain,
               f"{name} has the same results on stock and patched: {passes} of {len(both[1])} tests pass", *differ, *same)
    old, new = (came_to(seen[OURS]) if OURS in seen else {} for seen in (stock, patched))
    bad = [f"{case} {how}" for case, how in new.items() if how != "passes"]
    result(len(new) > len(bad) and "fails" not in new.values() and patched[OURS]["plan"] == len(new),
           f"patched passes {len(new) - len(bad)} of the {len(new)} tests of {OURS}, and fails none", *bad)
    failed = [case for case, how in old.items() if how == "fails" and new.get(case) == "passes"]
    left = [f"not run: {name}, {why}" for name, why in NOT_RUN.items()]
    result(failed, f"stock fails {len(failed)} of them", *failed, *left)
