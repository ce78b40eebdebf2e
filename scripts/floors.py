#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""floors.py BUILD: prove that calls in goheap go one way.

Kbuild lists the objects of goheap.ko from the ground up, one floor a statement. BUILD is
the directory of a finished build. Nothing may take a symbol from an object that is listed
later, include a header of a higher floor, or be missing from the list. There are no
exceptions.
"""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOT_OURS = ("kunit", "selftests", "samples", "tools", "scripts", "build")


def read_floors(kbuild):
    """Lists of objects, lowest floor first."""
    text = open(kbuild).read().replace("\\\n", " ")
    floors = []
    for objects in re.findall(r"^goheap-\S.*? [:+]= *(.*)$", text, re.M):
        if "kunit/" in objects:
            continue
        floors.append(objects.split())
    return floors


def source_of(obj):
    return "goheap.c" if obj == "goheap_core.o" else obj[:-2] + ".c"


def symbols(path):
    """Global symbols that an object defines, and those that it takes from others."""
    defined, taken = set(), set()
    out = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        kind, name = line.split()[-2:]
        if kind == "U":
            taken.add(name)
        elif kind.isupper() or kind in "vw":
            defined.add(name)
    return defined, taken


def check_symbols(build, order, present):
    owner, errors = {}, []
    tables = {obj: symbols(os.path.join(build, obj)) for obj in present}
    for obj, (defined, _) in tables.items():
        owner.update(dict.fromkeys(defined, obj))
    for obj, (_, taken) in tables.items():
        for name in sorted(taken):
            other = owner.get(name, obj)
            if order[other] > order[obj]:
                errors.append(f"{source_of(obj)} calls up: {name} is in {source_of(other)}")
    return errors


def floor_of_header(header, floor_of):
    """A header stands where its .c does, or on the lowest floor of its folder."""
    for obj in (header[:-2] + ".o", os.path.basename(header)[:-2] + ".o"):
        if obj in floor_of and os.path.dirname(obj) == os.path.dirname(header):
            return floor_of[obj]
    folder = os.path.dirname(header)
    return min((f for obj, f in floor_of.items() if os.path.dirname(obj) == folder), default=0)


def check_includes(sources, floor_of):
    errors = []
    for source in sources:
        if source == "goheap.c":
            mine = floor_of["goheap_core.o"]
        elif source.endswith(".c"):
            mine = floor_of[source[:-2] + ".o"]
        else:
            mine = floor_of_header(source, floor_of)
        for header in re.findall(r'^#include "([^"]+)"', open(os.path.join(HERE, source)).read(),
                                 re.M):
            if source == "goheap.h":
                errors.append(f"goheap.h is for users, and includes {header}")
            elif header not in ("goheap.h", "sizeclass_gen.h") and \
                    floor_of_header(header, floor_of) > mine:
                errors.append(f"{source} includes {header} of a higher floor")
    return errors


def list_sources():
    out = subprocess.run(["git", "-C", HERE, "ls-files", "-co", "--exclude-standard", "*.[ch]"],
                         capture_output=True, text=True, check=True).stdout.split()
    return [f for f in out if f.split("/")[0] not in NOT_OURS and os.path.exists(f"{HERE}/{f}")]


def main():
    if len(sys.argv) != 2 or not os.path.isdir(sys.argv[1]):
        sys.exit("floors.py: give the directory of a finished build, such as build/base")
    build = sys.argv[1]
    floors = read_floors(os.path.join(HERE, "Kbuild"))
    listed = [obj for floor in floors for obj in floor]
    order = {obj: n for n, obj in enumerate(listed)}
    floor_of = {obj: n for n, floor in enumerate(floors) for obj in floor}
    sources = list_sources()
    errors = [f"{f} is on no floor: Kbuild does not list it" for f in sources
              if f.endswith(".c") and f != "goheap.c" and f[:-2] + ".o" not in order]
    present = [obj for obj in listed if os.path.exists(os.path.join(build, obj))]
    if len(present) < len(listed) / 2:
        sys.exit(f"floors.py: {build} holds no build of goheap")
    if not errors:
        errors = check_symbols(build, order, present) + check_includes(sources, floor_of)
    for error in errors:
        print(error)
    print(f"{len(floors)} floors, {len(present)} objects, {len(sources)} files: "
          f"{len(errors)} upward")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
