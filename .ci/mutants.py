#!/usr/bin/env python3
"""Plants the faults of `.ci/mutants.txt` in the sources, one at a time: every test named there must fail.

    .ci/mutants.py                every fault
    .ci/mutants.py WORD...        the faults whose description or file has one of these words
    .ci/mutants.py --check        builds nothing: finds the lines and the tests of every fault in the sources

Comments, white space and line breaks do not count when lines are looked for. A fault whose lines are
not found exactly once, that does not build, or that one of its tests does not notice, is an error.
The faults are planted in a copy of the sources, below `target/mutants`.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / "target" / "mutants" / "sources"
# A fault may make a loop endless. No test takes this many seconds otherwise.
PATIENCE = 900
# Strings, character literals, comments, white space, anything else.
TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'|//[^\n]*|/\*.*?\*/|\s+|.', re.DOTALL)


class Fault:
    """What it is, the file that its lines were last in, the tests that must fail, and its patches."""

    def __init__(self, title):
        self.what, self.file, tests = title.split(" | ")
        self.tests = tests.split(", ")
        self.patches = [([], [])]

    def line(self, line):
        """Adds a line of a patch: `-` before the fault, `+` after it, a space both."""
        before, after = self.patches[-1]
        if line[0] in " -":
            before.append(line[1:])
        if line[0] in " +":
            after.append(line[1:])


def read(text):
    faults = []
    for line in text.splitlines():
        if line.startswith("== "):
            faults.append(Fault(line[3:]))
        elif line == "..":
            faults[-1].patches.append(([], []))
        elif line and line[0] in " -+" and faults:
            faults[-1].line(line)
    return faults


def squeezed(text):
    """The code of a text without comments, white space and trailing commas, and where each character stood."""
    code, places = [], []
    for token in TOKEN.finditer(text):
        part = token.group()
        if part.isspace() or part.startswith(("//", "/*")):
            continue
        if part in ")]}" and code and code[-1] == ",":
            code.pop()
            places.pop()
        code.extend(part)
        places.extend(range(token.start(), token.end()))
    return "".join(code), places


def patched(source, patches):
    """The source with the fault, or None if the lines of a patch are not there exactly once."""
    for before, after in patches:
        # A comma at the end is not always there: it stays as it is.
        before, after = ("\n".join(lines).rstrip().removesuffix(",") for lines in (before, after))
        wanted, _ = squeezed(before)
        code, places = squeezed(source)
        if not wanted or code.count(wanted) != 1:
            return None
        first = code.index(wanted)
        start, end = places[first], places[first + len(wanted) - 1] + 1
        source = source[:start] + after + source[end:]
    return source


def located(fault, root):
    """The file to plant a fault in and its text with the fault, or None: the file it was last in, or the only other one."""
    last = root / fault.file
    if last.exists() and (source := patched(last.read_text(), fault.patches)):
        return last, source
    found = []
    for path in sorted(last.parent.parent.glob("src/**/*.rs") if last.parent.name == "src" else last.parent.glob("*.rs")):
        if path != last and (source := patched(path.read_text(), fault.patches)):
            found.append((path, source))
    return found[0] if len(found) == 1 else None


def command(file, test):
    """The build and the test of `models NAME`, `growing-models NAME`, `lib NAME`, or `TEST-PROGRAM NAME` of the fault's package."""
    program, name = test.split(" ")
    cargo = ["cargo", "test", "--quiet", "--target-dir", str(ROOT / "target" / "mutants" / "build")]
    folders = (COPY / file).parents
    package = next(folder / "Cargo.toml" for folder in folders if (folder / "Cargo.toml").exists())
    if program == "models":
        return cargo + ["-p", "loom-tests", "--test", "models"], ["--", "--exact", name]
    if program == "growing-models":
        return cargo + ["-p", "loom-growing", "--test", "models"], ["--", "--exact", name]
    where = ["--lib"] if program == "lib" else ["--test", program]
    return cargo + ["--manifest-path", str(package), "--all-features"] + where, ["--", "--exact", name]


def run(arguments):
    """Exit status and output; no status if it took too long."""
    try:
        done = subprocess.run(
            arguments, cwd=COPY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=PATIENCE
        )
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        return None, ""


def verdict(file, test):
    build, which = command(file, test)
    if run(build + ["--no-run"])[0] != 0:
        return "DOES NOT BUILD"
    status, output = run(build + which)
    if status is None:
        return "NO ANSWER"
    if "running 0 tests" in output:
        return "NO SUCH TEST"
    return "SURVIVED" if status == 0 else "caught"


def verdicts(fault):
    """What each of the fault's tests says."""
    place = located(fault, COPY)
    if place is None:
        return ["NOT THERE"] * len(fault.tests)
    path, source = place
    sound = path.read_text()
    path.write_text(source)
    try:
        return [verdict(fault.file, test) for test in fault.tests]
    finally:
        path.write_text(sound)


def functions():
    """The names of all functions in the sources, and of the models that are given one with `as`."""
    paths = (path for top in ROOT.iterdir() if top.is_dir() and top.name[0] != "." for path in top.rglob("*.rs"))
    sources = (path.read_text() for path in paths if "target" not in path.relative_to(ROOT).parts)
    return {name for source in sources for name in re.findall(r"\b(?:fn|as) (\w+)", source)}


def check(faults):
    """Whether the lines and the tests of all faults are in the sources."""
    wrong, names = 0, functions()
    for fault in faults:
        place = located(fault, ROOT)
        if place is None:
            wrong += 1
            print(f"NOT THERE: {fault.what} ({fault.file})")
        elif place[0] != ROOT / fault.file:
            print(f"moved to {place[0].relative_to(ROOT)}: {fault.what}")
        for test in fault.tests:
            if re.split(r" |::", test)[-1] not in names:
                wrong += 1
                print(f"NO SUCH TEST: {test}, of {fault.what} ({fault.file})")
    print(f"{len(faults)} planted faults, {wrong} not in the sources or without their tests")
    return bool(wrong) or not faults


def main():
    faults = read((ROOT / ".ci" / "mutants.txt").read_text())
    words = sys.argv[1:]
    if words == ["--check"]:
        return check(faults)
    chosen = [fault for fault in faults if not words or any(word in fault.what or word in fault.file for word in words)]
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(ROOT, COPY, symlinks=True, ignore=lambda folder, names: {".git", "target", "corpus"} & set(names))
    start, tests, wrong = time.monotonic(), 0, 0
    for fault in chosen:
        for test, result in zip(fault.tests, verdicts(fault)):
            tests += 1
            wrong += result != "caught"
            print(f"{result}: {fault.what} ({fault.file}), by {test}", flush=True)
    print(f"{len(chosen)} planted faults, {tests} tests, {wrong} not caught, {time.monotonic() - start:.0f} s")
    return bool(wrong) or not chosen


sys.exit(main())
