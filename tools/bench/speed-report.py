#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""speed-report.py NAME LOAD CONFIG OUT <CONSOLE

Read the console of a guest that ran goheap_bench, print its results as a table,
and write OUT.txt, OUT.json and OUT.svg. Fails if the console is not complete or
if goheap let a bad free pass.
"""

import json
import math
import re
import sys
from xml.sax.saxutils import escape

ALLOCATORS = ("goheap", "kmalloc", "kmem_cache", "floor")

# How far the code's layout has to move a number before that is said.
LAYOUT_NOTE = 0.10

# Options that say how fast the kernel's own allocator can be.
OPTIONS = re.compile(
    r"CONFIG_(SLUB|SLAB|INIT_ON|PREEMPT|DEBUG_(VM|LIST|PREEMPT|SPINLOCK|PAGEALLOC|KMEMLEAK)"
    r"|LIST_HARDENED|HARDENED_USERCOPY|KASAN|KCSAN|KFENCE|UBSAN|MEMCG|NUMA|SMP|HZ|CC_OPTIMIZE"
    r"|MITIGATION|CPU_MITIGATIONS|RETPOLINE|CC_VERSION_TEXT)[A-Z0-9_]*=")

REPORTS = re.compile(r"BUG:|WARNING:|UBSAN:|INFO:|Oops|KASAN|KCSAN")


def fail(why):
    sys.exit("speed-report.py: " + why)


def fields(line):
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


class Results:
    """What a console says."""

    def __init__(self, console):
        self.header = {}
        self.points = []        # dicts, in the order of the console
        self.scaling = []
        self.proofs = {}
        self.done = self.valid = False
        self.by_key = {}
        self.report = None
        for line in console:
            _, found, text = line.partition("goheap_bench: ")
            if found:       # its header names KASAN where the kernel has it
                self.take(text.strip())
            elif REPORTS.search(line):
                self.report = self.report or line.strip()

    def take(self, text):
        proof = re.match(r"misuse proof (\w+): (\d+) of (\d+) ", text)
        if proof:
            self.proofs[proof[1]] = (int(proof[2]), int(proof[3]))
        elif text.startswith(("kernel=", "sheaves=")):
            self.header.update(fields(text))
        elif text.startswith("pattern="):
            self.take_point(fields(text))
        elif text == "done":
            self.done = True
        elif text == "heap ok":
            self.valid = True

    def take_point(self, f):
        if "scaling" in f:
            self.scaling.append(f)
            return
        key = (f["pattern"], f["size"], f["live"], f["order"])
        if key not in self.by_key:
            self.by_key[key] = dict(zip(("pattern", "size", "live", "order"), key))
            self.by_key[key]["live"] = int(f["live"])
            self.points.append(self.by_key[key])
        point = self.by_key[key]
        if "skipped" in f:
            point["skipped"] = f["skipped"]
            return
        times = {k: float(f[k]) for k in ("min", "med", "max")}
        times["failed"] = int(f.get("nulls", 0))
        if "layouts" in f:
            times["layouts"] = [dict(zip(("min", "med", "max"), map(float, layout.split("/"))))
                                for layout in f["layouts"].split(",")]
        point[f["alloc"]] = times

    def check(self):
        for when in "before", "after":
            refused, tried = self.proofs.get(when, (0, 0))
            if not tried or refused != tried:
                fail(f"misuse proof {when} the benchmark: {refused} of {tried} bad frees refused")
        if self.report:
            fail("the kernel complained: " + self.report)
        if not self.done:
            fail("the benchmark did not come to its end")
        if not self.valid:
            fail("the heap is damaged after the benchmark")
        for point in self.points:
            for other in "kmalloc", "kmem_cache":
                if other in point and "goheap" in point:
                    point["ratio_" + other] = round(
                        point[other]["med"] / max(point["goheap"]["med"], 0.1), 2)

    def ratios(self, other):
        return [(p["ratio_" + other], p) for p in self.points if "ratio_" + other in p]


# ---- layouts -----------------------------------------------------------------


def layout_moves(times):
    """How much slower the slowest layout is than the fastest one. What else the machine does
    can move a layout's median, so it only counts where all runs of the one were slower than
    all runs of the other."""
    layouts = sorted(times.get("layouts", ()), key=lambda layout: layout["med"])
    if not layouts or layouts[-1]["min"] <= layouts[0]["max"]:
        return 0
    return layouts[-1]["med"] / max(layouts[0]["med"], 0.1) - 1


def moved(point):
    """Allocators whose number depends on the layout, and by how much."""
    moves = {a: layout_moves(point[a]) for a in ALLOCATORS if a in point}
    return {a: m for a, m in moves.items() if m > LAYOUT_NOTE}


# ---- table -------------------------------------------------------------------


def label(point):
    parts = [point["pattern"], point["size"], str(point["live"]), point["order"]]
    return " ".join(part for part in parts if part != "-")


def table(results, load):
    unit = results.header.get("unit", "ns")
    yield "# " + " ".join(f"{k}={v}" for k, v in results.header.items()) + f" load={load}"
    yield "# misuse proof in this boot: " + ", ".join(
        f"{when} {refused} of {tried} bad frees refused"
        for when, (refused, tried) in results.proofs.items())
    yield f"# medians, {unit} per object allocated and freed; ratios: theirs / goheap"
    yield "# floor: the same loops with stacks of addresses that are never checked"
    row = "{:<13} {:>10} {:>6} {:<10} {:>9} {:>9} {:>10} {:>8} {:>8} {:>8}"
    yield row.format("#pattern", "size", "live", "order", *ALLOCATORS, "ratio", "cache")
    for p in results.points:
        head = p["pattern"], p["size"], p["live"], p["order"]
        if "skipped" in p:
            yield row.format(*head, *"-" * 6) + "  skipped: " + p["skipped"]
            continue
        medians = [f"{p[a]['med']:.1f}" if a in p else "-" for a in ALLOCATORS]
        ratios = [f"{p[r]:.2f}" if r in p else "-" for r in ("ratio_kmalloc", "ratio_kmem_cache")]
        failed = "".join(f"  ({p[a]['failed']} failed: {a})" for a in ALLOCATORS
                         if a in p and p[a]["failed"])
        layout = "  layout: " + ", ".join(f"{a} {m:.0%}" for a, m in moved(p).items())
        yield row.format(*head, *medians, *ratios) + failed + (layout if moved(p) else "")
    if int(results.header.get("layouts", 1)) > 1:
        points = [p for p in results.points if "goheap" in p]
        yield (f"# code layout moves goheap by more than {LAYOUT_NOTE:.0%} on "
               f"{sum('goheap' in moved(p) for p in points)} of {len(points)} points")
    for s in results.scaling:
        yield (f"# {s['pattern']}: {s['order']} do {s['scaling']} times the work of "
               f"{s['base']} with {s['alloc']}")
    for other in "kmalloc", "kmem_cache":
        ratios = results.ratios(other)
        slower = [f"{label(p)} ({r:.2f})" for r, p in ratios if r < 1]
        yield (f"# faster than {other} on {len(ratios) - len(slower)} of {len(ratios)} points"
               + ("; not on " + ", ".join(slower) if slower else ""))


# ---- JSON --------------------------------------------------------------------


def as_json(name, results, load, config):
    with open(config, encoding="utf-8") as lines:
        options = [line.strip() for line in lines if OPTIONS.match(line)]
    return {
        "kernel": name,
        "header": results.header,
        "load": float(load),
        "config": options,
        "misuse_proof": {when: {"refused": r, "tried": t}
                         for when, (r, t) in results.proofs.items()},
        "unit": results.header.get("unit", "ns") + " per object allocated and freed",
        "points": results.points,
        "scaling": results.scaling,
    }


# ---- chart -------------------------------------------------------------------

ROW, TOP, LEFT, PLOT, RIGHT = 24, 78, 190, 560, 150
STYLE = """
text { font: 13px sans-serif; fill: #24292f }
.title { font-size: 17px; font-weight: bold }
.small { font-size: 11.5px; fill: #57606a }
.name { text-anchor: end }
.tick { text-anchor: middle; font-size: 11.5px; fill: #57606a }
.grid { stroke: #d8dee4 }
.one { stroke: #24292f; stroke-width: 1.5 }
.kmalloc { fill: #0969da; fill-opacity: .75 }
.kmem_cache { fill: none; stroke: #8250df; stroke-width: 1.5 }
.kmalloc.slow { fill: #cf222e }
.kmem_cache.slow { stroke: #cf222e }
"""


def chart_rows(results):
    """Rows of the chart: a pattern, or one order of it if there are several."""
    orders = {}
    for p in results.points:
        orders.setdefault(p["pattern"], set()).add(p["order"])
    rows = {}
    for p in results.points:
        name = p["pattern"]
        if len(orders[name]) > 1:
            name += " " + p["order"]
        if "ratio_kmalloc" in p:
            rows.setdefault(name, []).append(p)
    return rows


def chart(name, results):
    rows = chart_rows(results)
    values = [r for other in ("kmalloc", "kmem_cache") for r, _ in results.ratios(other)]
    low, high = min(values + [0.5]) / 1.08, max(values + [4]) * 1.08
    bottom = TOP + ROW * len(rows)
    width = LEFT + PLOT + RIGHT

    def x(ratio):
        return LEFT + PLOT * math.log(ratio / low) / math.log(high / low)

    def dot(point, other, y):
        ratio = point["ratio_" + other]
        kind = other + (" slow" if ratio < 1 else "")
        return (f'<circle class="{kind}" cx="{x(ratio):.1f}" cy="{y}" r="4.5">'
                f'<title>{escape(label(point))}: {other} / goheap = {ratio:.2f}</title></circle>')

    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bottom + 44}" '
           f'viewBox="0 0 {width} {bottom + 44}"><style>{STYLE}</style>'
           '<rect width="100%" height="100%" fill="#fff"/>')
    h = results.header
    where = ("User Mode Linux " if name == "uml" else "Linux ") + h.get("kernel", "")
    yield (f'<text class="title" x="16" y="28">How many times faster goheap is, '
           f'on {escape(where)}, {h.get("cpus")} CPUs</text>')
    yield ('<circle class="kmalloc" cx="22" cy="47" r="4.5"/>'
           '<text class="small" x="32" y="51">than kmalloc</text>'
           '<circle class="kmem_cache" cx="132" cy="47" r="4.5"/>'
           '<text class="small" x="142" y="51">than kmem_cache</text>'
           '<text class="small" x="258" y="51">one mark for each size and number of objects; '
           'medians; red: slower; all misuse checks on</text>')
    for ratio in (0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256):
        if low < ratio < high:
            kind = "one" if ratio == 1 else "grid"
            yield (f'<path class="{kind}" d="M{x(ratio):.1f} {TOP - 6}V{bottom}"/>'
                   f'<text class="tick" x="{x(ratio):.1f}" y="{bottom + 18}">{ratio:g}x</text>')
    yield f'<text class="small" x="{LEFT + PLOT + 16}" y="{TOP - 6}">kmalloc / goheap</text>'
    for i, (row, points) in enumerate(rows.items()):
        y = TOP + ROW * i + ROW // 2
        yield f'<path class="grid" d="M{LEFT} {y}H{LEFT + PLOT}"/>'
        yield f'<text class="name" x="{LEFT - 12}" y="{y + 4}">{escape(row)}</text>'
        for other in "kmem_cache", "kmalloc":
            yield from (dot(p, other, y) for p in points if "ratio_" + other in p)
        ratios = [p["ratio_kmalloc"] for p in points]
        span = f"{min(ratios):.2f}"
        if len(ratios) > 1:
            span += f" to {max(ratios):.2f}"
        yield f'<text class="small" x="{LEFT + PLOT + 16}" y="{y + 4}">{span}</text>'
    yield "</svg>"


def main():
    if len(sys.argv) != 5:
        fail("usage: speed-report.py NAME LOAD CONFIG OUT <CONSOLE")
    name, load, config, out = sys.argv[1:]
    sys.stdin.reconfigure(errors="replace")
    results = Results(sys.stdin)
    results.check()
    text = "".join(line + "\n" for line in table(results, load))
    sys.stdout.write(text)
    with open(out + ".txt", "w", encoding="utf-8") as file:
        file.write(text)
    with open(out + ".json", "w", encoding="utf-8") as file:
        json.dump(as_json(name, results, load, config), file, indent=1)
        file.write("\n")
    if results.ratios("kmalloc"):
        with open(out + ".svg", "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in chart(name, results))


main()
