#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Judge the console of a guest: everything that it must show and must not show.

Prints a line for each finding, which is "pass COUNT", "skip REASON" or "fail REASON".
The exit status says only whether the console could be judged, not how.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

KERNEL_SH = pathlib.Path(__file__).resolve().parent.parent / "guest" / "kernel.sh"

# What a console must not show. A call trace alone is no report: goheap prints one with
# every misuse, and those are counted.
REPORT = re.compile(r"BUG:|WARNING:|UBSAN:|INFO:|Oops|KASAN|KCSAN|unreferenced object"
                    r"|goheap_[a-z]*: FAILED")

MISUSE = "goheap: misuse:"

# Lines as the kernel and the scripts wrote them: no timestamp, no caller.
PREFIX = re.compile(r"^\[ *[0-9]+\.[0-9]+\](\[ *[CT][0-9]+\])? ")

SKIP = re.compile(r"^ *ok .* # SKIP ")


def plain(data):
    """The lines of a console. Only a newline ends one, whatever else a guest prints."""
    lines = data.decode(errors="replace").split("\n")
    return [PREFIX.sub("", line.removesuffix("\r")) for line in lines]


def last(lines, word):
    """What follows WORD on the last line that begins with it; None without one."""
    found = [line for line in lines if line.startswith(word + " ")]
    return found[-1][len(word) + 1:] if found else None


# ---- how the guest ended -----------------------------------------------------


def ending(lines):
    """The sentence about a guest that did not end well."""
    status = last(lines, "GOHEAP-GUEST-END")
    if status is not None:
        return f"the guest's script failed with status {status}"
    panics = [line for line in lines if "Kernel panic" in line]
    if panics:
        return "the guest crashed: " + panics[0]
    seconds = last(lines, "GOHEAP-GUEST-KILLED")
    if seconds is not None:
        return f"the guest hung, and was killed after {seconds} s"
    return "the guest ended before its script did: there is no end marker"


def judge_end(lines, taint):
    if last(lines, "GOHEAP-GUEST-END") != "0":
        yield "fail", ending(lines)
    seen = last(lines, "TAINT")
    if seen != str(taint):
        yield "fail", f"the kernel's taint is '{seen or ''}', not {taint}"


# ---- what the kernel and goheap reported ---------------------------------------


def judge_reports(lines):
    # the reason of a skip may say that the kernel has no KASAN
    reports = [line for line in lines if REPORT.search(line) and not SKIP.match(line)]
    if reports:
        yield "fail", "reports on the console: " + reports[0]


def misuses(lines):
    """Reports of misuse outside the suites that misuse."""
    inside = False
    for line in lines:
        if re.match(r" *# Subtest: .*misuse", line):
            inside = True
        elif re.match(r"(not )?ok [0-9]+ .*misuse", line):
            inside = False
        elif MISUSE in line and not inside:
            yield line


def judge_misuses(lines):
    found = list(misuses(lines))
    if found:
        yield "fail", f"{len(found)} reports of misuse where there is none: {found[0]}"


# ---- KTAP ----------------------------------------------------------------------


def documents(lines):
    """The KTAP documents of a console: kunit.py reads only the first of what it is given."""
    found = []
    for line in lines:
        if line.startswith("TAINT "):
            break
        if line in ("KTAP version 1", "TAP version 13"):
            found.append([])
        if found:
            found[-1].append(line)
    return found


def plan(document):
    """How many suites a document announces; None if it does not say."""
    match = len(document) > 1 and re.fullmatch(r"1\.\.([0-9]+)", document[1])
    return int(match[1]) if match else None


def kunit_py(parser, document):
    """Its exit status and what it says."""
    with tempfile.NamedTemporaryFile("w", suffix=".ktap", encoding="utf-8") as file:
        file.write("\n".join(document) + "\n")
        file.flush()
        done = subprocess.run([sys.executable, parser, "parse", file.name], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding="utf-8", errors="replace")
    return done.returncode, done.stdout


def in_summary(said, word):
    """A number from the last line of kunit.py."""
    match = re.search(rf"Testing complete\. Ran .* {word}: ([0-9]+)", said)
    return int(match[1]) if match else 0


def went_wrong(said):
    """The lines of kunit.py that tell of a failure, without its decoration."""
    lines = [line for line in said.splitlines()
             if re.search(r"\[(FAILED|CRASHED|ERROR|NO TESTS RUN)\]", line)]
    return ";".join(re.sub(r"^[^]]*\] *=* *| *=*$", "", line) for line in lines[:8])


def judge_document(parser, document):
    status, said = kunit_py(parser, document)
    # The exit status of kunit.py does not tell of a test that never ended, and it is no
    # success if every test was skipped.
    all_skipped = re.search(r"Testing complete\. Ran [0-9]* tests: skipped: [0-9]*$", said, re.M)
    if (status and not all_skipped) or in_summary(said, "errors"):
        yield "fail", "kunit.py: " + went_wrong(said)
    yield "pass", in_summary(said, "passed")
    # a suite that is skipped as a whole has a line more, without a reason
    reasons = [line.strip() for line in document
               if "# SKIP" in line and not line.rstrip().endswith("# SKIP")]
    skipped = in_summary(said, "skipped")
    for reason in reasons[:skipped]:
        yield "skip", reason
    for _ in range(len(reasons), skipped):
        yield "fail", "a test is skipped and does not say why"


def judge_ktap(lines, parser, unit, expected):
    count = 0
    for document in documents(lines):
        suites = plan(document)
        if suites == 0:
            continue            # KUnit built in, with no suite of its own
        count += (suites or 0) if unit == "suites" else 1
        yield from judge_document(parser, document)
    if count != expected:
        yield "fail", f"{count} of {expected} KTAP {unit} are on the console"


# ---- all of it -----------------------------------------------------------------


def judge_shown(lines, wanted):
    for sentence in wanted:
        if any(re.search(sentence, line) for line in lines):
            yield "pass", 1
        else:
            yield "fail", f"'{sentence}' is not on the console"


def judge(lines, options):
    if options.taint is not None:
        yield from judge_end(lines, options.taint)
    yield from judge_reports(lines)
    # selftests count the reports of misuse themselves
    if options.documents is None:
        yield from judge_misuses(lines)
    for unit in "suites", "documents":
        expected = getattr(options, unit)
        if expected is not None:
            yield from judge_ktap(lines, options.parser or kernels_parser(), unit, expected)
    yield from judge_shown(lines, options.shows)


def kernels_parser():
    source = subprocess.run([KERNEL_SH, "source"], check=True, stdout=subprocess.PIPE,
                            encoding="utf-8").stdout.strip()
    return source + "/tools/testing/kunit/kunit.py"


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--taint", type=int, metavar="N",
                        help="the guest ended well, with this taint of its kernel")
    parser.add_argument("--suites", type=int, metavar="N",
                        help="so many KUnit suites are announced, and pass")
    parser.add_argument("--documents", type=int, metavar="N",
                        help="there are so many KTAP documents, and they pass")
    parser.add_argument("--shows", action="append", default=[], metavar="REGEX",
                        help="a line matches this; may be given several times")
    parser.add_argument("--parser", metavar="FILE", help="kunit.py (that of linux-source-6.12)")
    parser.add_argument("console")
    return parser.parse_args(arguments)


def read(path):
    """A console that nobody wrote is one with nothing on it."""
    try:
        return pathlib.Path(path).read_bytes()
    except FileNotFoundError:
        return b""


def main(arguments):
    options = parse(arguments)
    for kind, what in judge(plain(read(options.console)), options):
        print(kind, str(what).replace("\n", " "))


if __name__ == "__main__":
    main(sys.argv[1:])
