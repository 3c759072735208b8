# SPDX-License-Identifier: GPL-2.0
"""picture: draw lab/second-join.svg from build/run.json: the calls when a second device joins a container

Writes build/second-join.svg, which is to be lab/second-join.svg; the check `machines` compares them."""
import json
import os

from lib import BUILD, die, read, write

WIDTH, HEIGHT, STEP = 760, 170, 126
COLOURS = {"iommu_domain_alloc()": "#c00", "iommu_domain_free()": "#c00", "iommu_attach_group()": "#06c", "iommu_detach_group()": "#888"}


def calls(row):
    """The calls of a join in their order: a fresh domain is attached first, and left for one that is there"""
    res = ["iommu_domain_alloc()"] * row["domain_alloc"] + ["iommu_attach_group()"] * (row["attach_group"] > 0)
    res += ["iommu_detach_group()", "iommu_attach_group()"] * row["detach_group"]
    return res + ["iommu_domain_free()"] * row["domain_free"]


def second_join(runs):
    """The picture, of the runs of run.json"""
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="10.5">',
           "<!-- SPDX-License-Identifier: GPL-2.0 -->", f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for n, run in enumerate(runs):
        row, y = [g for g in run["groups"] if g["case"] == "join"][1], 12 + 80 * n
        out.append(f'<text x="10" y="{y + 14}" font-size="14">{run["kernel"]}: {row["ns"] / 1e6:.2f} ms, '
                   f'{row["attach_dev"]} calls of the driver</text>')
        for i, call in enumerate(calls(row)):
            x = 10 + i * (STEP + 22)
            out.append(f'<rect x="{x}" y="{y + 24}" width="{STEP}" height="30" rx="5" fill="{COLOURS[call]}"/>')
            out.append(f'<text x="{x + STEP / 2:g}" y="{y + 43}" text-anchor="middle" fill="white">{call}</text>')
            if i:
                out.append(f'<path d="M{x - 20},{y + 39} h14 m-4,-4 l4,4 l-4,4" fill="none" stroke="black"/>')
    return "\n".join([*out, "</svg>"]) + "\n"


def command(_):
    path = f"{BUILD}/run.json"
    if not os.path.exists(path):
        die("there is no build/run.json; `make run` makes it")
    write(f"{BUILD}/second-join.svg", second_join(json.loads(read(path))))
    print("build/second-join.svg")
