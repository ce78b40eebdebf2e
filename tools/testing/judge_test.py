#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Unit tests of judge.py: consoles that are good, cut off, failing or silent.

$KUNIT_PY is the kernel's kunit.py, which judge.py looks for itself without it.
"""

import os
import unittest

import judge

SUITES = 9
TAINT = 266240
CASE = "    ok 2 test_two"


def canned(suites=SUITES):
    """A console on which all is well."""
    lines = ["KTAP version 1", "1..0"]      # what a KUnit that is built in says at boot
    lines += ["[    0.500000] KTAP version 1\r", f"[    0.500000][    T1] 1..{suites}\r"]
    for i in range(1, suites + 1):
        lines += ["    KTAP version 1", f"    # Subtest: suite{i}", "    1..2",
                  "    ok 1 test_one", CASE, f"ok {i} suite{i}"]
    return lines + [f"TAINT {TAINT}", "GOHEAP-GUEST-END 0"]


def replaced(old, new, lines=None):
    """The first line OLD becomes the lines NEW."""
    lines = list(lines or canned())
    at = lines.index(old)
    lines[at:at + 1] = [new] if isinstance(new, str) else new
    return lines


def added(*new, lines=None):
    """NEW comes before the taint, as the last thing that the guest's script says."""
    return replaced(f"TAINT {TAINT}", [*new, f"TAINT {TAINT}"], lines)


class Judging(unittest.TestCase):
    """Each of these asks what judge.py finds on one console."""

    def find(self, lines, *options):
        """PASSED, the reasons of skips, the reasons of failures."""
        arguments = [*options, "console"]
        if "KUNIT_PY" in os.environ:
            arguments = ["--parser", os.environ["KUNIT_PY"]] + arguments
        console = judge.plain("\n".join(lines).encode())
        found = list(judge.judge(console, judge.parse(arguments)))
        return (sum(what for kind, what in found if kind == "pass"),
                [what for kind, what in found if kind == "skip"],
                [what for kind, what in found if kind == "fail"])

    def judge_suites(self, lines):
        return self.find(lines, "--taint", str(TAINT), "--suites", str(SUITES))

    def assert_good(self, lines, passed=2 * SUITES, skips=()):
        self.assertEqual(self.judge_suites(lines), (passed, list(skips), []))

    def assert_bad(self, lines, *sentences):
        """There are these failures, and no others."""
        failures = self.judge_suites(lines)[2]
        self.assertEqual(len(failures), len(sentences), failures)
        for failure, sentence in zip(failures, sentences):
            self.assertRegex(failure, sentence)


class GoodConsole(Judging):
    def test_all_pass(self):
        self.assert_good(canned())

    def test_skip_with_reason(self):
        self.assert_good(replaced(CASE, CASE + " # SKIP one CPU"), passed=2 * SUITES - 1,
                         skips=["ok 2 test_two # SKIP one CPU"])

    def test_skip_for_want_of_a_checker(self):
        lines = replaced(CASE, CASE + " # SKIP needs CONFIG_KASAN")
        self.assert_good(replaced("ok 1 suite1", "ok 1 suite1 # SKIP ", lines),
                         passed=2 * SUITES - 1, skips=["ok 2 test_two # SKIP needs CONFIG_KASAN"])

    def test_suite_skipped_as_a_whole(self):
        lines = replaced(CASE, CASE + " # SKIP one CPU")
        lines = replaced("    ok 1 test_one", "    ok 1 test_one # SKIP no NMI", lines)
        lines = replaced("ok 1 suite1", "ok 1 suite1 # SKIP ", lines)
        lines = replaced(CASE, CASE + " # SKIP no debugfs", lines)
        self.assert_good(lines, passed=2 * SUITES - 3, skips=[
            "ok 1 test_one # SKIP no NMI", "ok 2 test_two # SKIP one CPU",
            "ok 2 test_two # SKIP no debugfs"])

    def test_document_skipped_as_a_whole(self):
        lines = ["TAP version 13", "1..1", "ok 1 goheap_nmi # SKIP not on this architecture"]
        self.assertEqual(self.find(lines, "--documents", "1"),
                         (0, ["ok 1 goheap_nmi # SKIP not on this architecture"], []))

    def test_misuse_in_its_own_suite(self):
        lines = replaced("    # Subtest: suite3",
                         ["    # Subtest: goheap_misuse", "goheap: misuse: double free"])
        self.assert_good(replaced("ok 3 suite3", "ok 3 goheap_misuse", lines))

    def test_nothing_counts_after_the_taint(self):
        self.assert_good(canned() + ["KTAP version 1", "1..1", "not ok 1 late"])

    def test_bytes_that_are_no_text(self):
        console = judge.plain(b"\xff\x00\x85\r\nTAINT 4096\nGOHEAP-GUEST-END 0\n")
        self.assertEqual(list(judge.judge_end(console, 4096)), [])


class BadEnd(Judging):
    def test_only_a_newline_ends_a_line(self):
        console = judge.plain(b"TAINT 4096\nx\x0bGOHEAP-GUEST-END 0\n")
        self.assertEqual(len(list(judge.judge_end(console, 4096))), 1)

    def test_nothing_at_all(self):
        self.assert_bad([], "the guest ended before its script did", "taint is ''",
                        f"^0 of {SUITES} KTAP suites")

    def test_console_that_nobody_wrote(self):
        self.assertEqual(judge.read("/nowhere/console"), b"")

    def test_end_cut_off(self):
        self.assert_bad(canned()[:-1], "there is no end marker")

    def test_cut_off_in_a_suite(self):
        self.assert_bad(canned()[:15], "there is no end marker", "taint is ''", "^kunit.py: ")

    def test_script_failed(self):
        self.assert_bad(replaced("GOHEAP-GUEST-END 0", "GOHEAP-GUEST-END 1"),
                        "script failed with status 1")

    def test_only_the_last_end_counts(self):
        self.assert_bad(canned() + ["GOHEAP-GUEST-END 2"], "script failed with status 2")

    def test_panic(self):
        self.assert_bad(replaced("GOHEAP-GUEST-END 0", "Kernel panic - not syncing: x"),
                        "the guest crashed: Kernel panic - not syncing: x")

    def test_hang(self):
        self.assert_bad(replaced("GOHEAP-GUEST-END 0", "GOHEAP-GUEST-KILLED 3"),
                        "the guest hung, and was killed after 3 s")

    def test_another_taint(self):
        self.assert_bad(replaced(f"TAINT {TAINT}", "TAINT 266752"), "taint is '266752', not 266240")

    def test_end_is_asked_for_with_a_taint_only(self):
        self.assertEqual(self.find(["all is well"], "--shows", "well"), (1, [], []))


class BadTests(Judging):
    def test_last_suite_cut_off(self):
        self.assert_bad(replaced(f"ok {SUITES} suite{SUITES}", []), "^kunit.py: ")

    def test_suite_missing(self):
        self.assert_bad(canned(SUITES - 1), f"^{SUITES - 1} of {SUITES} KTAP suites")

    def test_suite_too_many(self):
        self.assert_bad(canned(SUITES + 1), f"^{SUITES + 1} of {SUITES} KTAP suites")

    def test_failing_case(self):
        self.assert_bad(replaced(CASE, "    not ok 2 test_two"), "^kunit.py: .*test_two")

    def test_failing_document_after_a_good_one(self):
        lines = added("KTAP version 1", "1..1", "not ok 1 last", lines=canned(SUITES - 1))
        self.assert_bad(lines, "^kunit.py: ")

    def test_skip_without_reason(self):
        self.assert_bad(replaced(CASE, CASE + " # SKIP"), "does not say why")

    def test_skip_without_reason_in_document(self):
        lines = ["TAP version 13", "1..2", "ok 1 loads", "ok 2 no NMIs here # SKIP"]
        self.assertRegex(self.find(lines, "--documents", "1")[2][0], "does not say why")

    def test_document_missing(self):
        lines = ["TAP version 13", "1..1", "ok 1 goheap_load"]
        self.assertEqual(self.find(lines, "--documents", "2")[2],
                         ["1 of 2 KTAP documents are on the console"])

    def test_parser_that_cannot_be_run(self):
        failures = self.find(canned(), "--suites", str(SUITES), "--parser", "/nowhere")[2]
        self.assertTrue(failures and failures[0].startswith("kunit.py: "), failures)


class BadReports(Judging):
    def test_report_of_a_checker(self):
        self.assert_bad(added("[    1.0] BUG: KASAN: use-after-free in f+0x1/0x2"),
                        "^reports on the console: BUG: KASAN")

    def test_each_kind_of_report(self):
        for report in ("WARNING: CPU: 0", "UBSAN: shift", "INFO: task", "Oops: 0000", "KCSAN",
                       "unreferenced object 0x1"):
            with self.subTest(report):
                self.assert_bad(added(report), "^reports on the console: " + report)

    def test_module_that_passed_at_the_second_try(self):
        self.assert_bad(added("[    1.0] goheap_stress: FAILED seed=1 x",
                              "goheap_stress: passed ops=1"), "goheap_stress: FAILED")

    def test_misuse_outside_its_suite(self):
        self.assert_bad(added("goheap: misuse: x"), "^1 reports of misuse .*: goheap: misuse: x")

    def test_selftests_count_misuse_themselves(self):
        lines = ["TAP version 13", "1..1", "ok 1 goheap_misuse", "goheap: misuse: x"]
        self.assertEqual(self.find(lines, "--documents", "1"), (1, [], []))


class Sentences(Judging):
    def test_each_counts(self):
        lines = ["kcsan: selftest: 3/3 tests passed", "goheap_stress: passed ops=1"]
        self.assertEqual(self.find(lines, "--shows", "goheap_stress: passed ", "--shows",
                                   r"^kcsan: selftest: ([0-9]*)/\1 tests passed"), (2, [], []))

    def test_sentence_missing(self):
        self.assertEqual(self.find(["kcsan: selftest: 2/3 tests passed"], "--shows",
                                   r"^kcsan: selftest: ([0-9]*)/\1 tests passed")[2],
                         [r"'^kcsan: selftest: ([0-9]*)/\1 tests passed' is not on the console"])


if __name__ == "__main__":
    unittest.main()
