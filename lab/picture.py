# SPDX-License-Identifier: GPL-2.0
"""The pictures, as SVG: the calls of a join, of build/run.json, and lines of build/bench.json. The checks `machines` and
`bench` hold those that are in the documentation against them."""

COLOURS = {"iommu_domain_alloc()": "#c00", "iommu_domain_free()": "#c00", "iommu_attach_group()": "#06c",
           "iommu_detach_group()": "#888"}


def svg(width, height, size, parts):
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="{size}">',
        "<!-- SPDX-License-Identifier: GPL-2.0 -->", f'<rect width="{width}" height="{height}" fill="white"/>', *parts, "</svg>"]) + "\n"


def text(x, y, what, *attributes):
    return " ".join([f'<text x="{x}" y="{y}"', *(f'{a}="{v}"' for a, v in attributes)]) + f">{what}</text>"


MIDDLE = ("text-anchor", "middle")


def second_join(runs):
    """The calls when a second device joins, of the runs of run.json"""
    parts, step = [], 126
    for n, run in enumerate(runs):
        row, y = [g for g in run["groups"] if g["case"] == "join"][1], 12 + 80 * n
        parts.append(text(10, y + 14, f'{run["kernel"]}: {row["ns"] / 1e6:.2f} ms, {row["attach_dev"]} calls of the driver',
                          ("font-size", 14)))
        # In their order: a fresh domain is attached first, and left for one that is there
        calls = ["iommu_domain_alloc()"] * row["domain_alloc"] + ["iommu_attach_group()"] * (row["attach_group"] > 0)
        calls += ["iommu_detach_group()", "iommu_attach_group()"] * row["detach_group"]
        for i, call in enumerate([*calls, *["iommu_domain_free()"] * row["domain_free"]]):
            x = 10 + i * (step + 22)
            parts.append(f'<rect x="{x}" y="{y + 24}" width="{step}" height="30" rx="5" fill="{COLOURS[call]}"/>')
            parts.append(text(f"{x + step / 2:g}", y + 43, call, MIDDLE, ("fill", "white")))
            if i:
                parts.append(f'<path d="M{x - 20},{y + 39} h14 m-4,-4 l4,4 l-4,4" fill="none" stroke="black"/>')
    return svg(760, 10 + 80 * len(runs), 10.5, parts)


def curves(title, xlabel, ylabel, lines):
    """Lines, {name: [(x, y), ...]}"""
    width, height, left, top = 640, 400, 70, 40
    xs, ys = ([p[i] for line in lines.values() for p in line] for i in (0, 1))
    right, bottom = width - 130, height - 50

    def at(x, y):
        return left + (x - min(xs)) * (right - left) / (max(xs) - min(xs)), bottom - y * (bottom - top) / max(ys)
    side = f"{(top + bottom) / 2:g}"
    parts = [text(f"{width / 2:g}", 22, title, MIDDLE, ("font-size", 14)),
             text(f"{(left + right) / 2:g}", height - 12, xlabel, MIDDLE),
             text(16, side, ylabel, MIDDLE, ("transform", f"rotate(-90 16 {side})")),
             f'<path d="M{left},{top} V{bottom} H{right}" fill="none" stroke="black"/>']
    for x in sorted(set(xs)) if len(set(xs)) < 8 else range(0, max(xs) + 1, 8):
        if x >= min(xs):
            parts.append(text(f"{at(x, 0)[0]:.1f}", bottom + 16, x, MIDDLE))
    for y in (max(ys) * i // 4 for i in range(5)):
        py = round(at(min(xs), y)[1], 1)
        parts += [f'<path d="M{left},{py:g} H{right}" stroke="#ddd"/>', text(left - 6, f"{py + 4:g}", y, ("text-anchor", "end"))]
    ends = []
    for (name, line), (colour, dash) in zip(lines.items(), [("#c00", ""), ("#06c", "6 3"), ("#080", ""), ("#666", "2 3")]):
        points = " ".join("{:.1f},{:.1f}".format(*at(*p)) for p in line)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"'
                     + (f' stroke-dasharray="{dash}"' if dash else "") + "/>")
        x, y = (round(n, 1) for n in at(*line[-1]))
        while any(abs(y - e) < 14 for e in ends):           # no name on another
            y += 2
        ends.append(y)
        parts.append(text(f"{x + 6:g}", f"{y + 4:g}", name, ("fill", colour)))
    return svg(width, height, 12, parts)
