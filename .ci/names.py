#!/usr/bin/env python3
"""Fails where a page names a test, a model, a file or a section that does not exist."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES = ["README.md", "ARCHITECTURE.md", "marena-core/VERIFICATION.md"]
PATH = re.compile(r"(\.ci|[a-z-]+)/[\w./-]+|\w+\.(rs|sh|txt)")
# Names of tests and models are sentences: three words at least.
TEST = re.compile(r"[a-z0-9]+(_[a-z0-9]+){2,}")


def anchors(page):
    """What GitHub makes of the page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def missing(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    for word in re.findall(r"`([^`]+)`", text):
        command = word.split(" ")[0]
        if TEST.fullmatch(word) and word not in LINTS:
            if word not in functions and word not in files:
                yield f"no test: {word}"
        elif PATH.fullmatch(command):
            folders = ["", "marena-core", "marena-core/src", "marena-core/tests", "marena-std", "marena-std/src"]
            if not any((ROOT / folder / command).exists() for folder in folders):
                yield f"no file: {command}"
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
        place = page.parent / target if target else page
        if not place.exists():
            yield f"no file: {target}"
        elif anchor and anchor not in anchors(place):
            yield f"no section: {target}#{anchor}"


# Clippy's.
LINTS = {"undocumented_unsafe_blocks", "multiple_unsafe_ops_per_block"}
tracked = subprocess.run(["git", "ls-files", "*.rs"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
sources = [ROOT / name for name in tracked]
files = {source.stem for source in sources}
functions = set()
for source in sources:
    text = source.read_text()
    functions.update(re.findall(r"\bfn (\w+)", text))
    functions.update(re.findall(r" as (\w+);", text))

wrong = [f"{page}: {fault}" for page in PAGES for fault in missing(ROOT / page)]
print("\n".join(wrong) or f"everything exists that {', '.join(PAGES)} name")
sys.exit(bool(wrong))
