#!/usr/bin/env python3
"""The house style, as far as a program can see it.

    style.py columns    comments and Markdown end at column 100
    style.py circles    files of the libraries import each other in one direction; a type and its builder may know each other
    style.py hidden     no public item is `#[doc(hidden)]`
    style.py words      all Markdown together has at most 12,000 words, the pages on verification 900
    style.py            all of these
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBRARIES = ["marena-core", "marena-std", "marena-core/skiplist"]
COLUMNS = 100
WORDS, WORDS_OF_VERIFICATION = 12_000, 900
# How a comment that has the line to itself begins.
COMMENT = {
    ".rs": re.compile(r"\s*//"),
    ".c": re.compile(r"\s*(//|/?\*)"),
    ".h": re.compile(r"\s*(//|/?\*)"),
    ".py": re.compile(r"\s*#"),
    ".sh": re.compile(r"\s*#"),
    ".toml": re.compile(r"\s*#"),
    ".yml": re.compile(r"\s*#"),
    ".md": re.compile(r""),
}
# Files that a program writes.
GENERATED = {"marena-core/capi/marena.h"}
STRING = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)


def tracked(*patterns):
    names = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "--", *patterns], cwd=ROOT, text=True)
    return [name for name in names.splitlines() if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]


def columns():
    """The lines that are too long. A line that is one long word, such as an address, cannot be shorter."""
    for name in tracked():
        path = ROOT / name
        suffix = path.suffix or (".sh" if name.startswith(".ci/") else "")
        if suffix not in COMMENT or name in GENERATED:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if len(line) > COLUMNS and COMMENT[suffix].match(line) and len(line.split()) > 2:
                yield f"{name}:{number}: {len(line)} columns"


def module(library, path):
    """The path of a file's module, without `crate`."""
    parts = path.relative_to(ROOT / library / "src").with_suffix("").parts
    return parts[:-1] if parts[-1] in ("mod", "lib") else parts


def code(path):
    """A file's text without comments, strings and unit tests."""
    text = re.sub(r"(?m)//.*$", "", STRING.sub('""', path.read_text()))
    return re.split(r"#\[cfg\(test\)\]\s*mod ", text)[0]


def uses(tree):
    """The paths that a `use` tree names: `a::{b, c::d}` names `a::b` and `a::c::d`."""
    tree = re.sub(r"\s+", " ", tree).strip()
    if "{" not in tree:
        return [re.sub(r" as .*", "", tree)]
    head, _, rest = tree.partition("{")
    depth, part, parts = 0, "", []
    for letter in rest:
        if letter == "," and depth == 0:
            parts.append(part)
            part = ""
            continue
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth < 0:
            break
        part += letter
    return [head + path for part in parts + [part] if part.strip() for path in uses(part)]


def imports(library, path, modules):
    """The modules that a file names: by `crate::`, by `super::`, or by its own children's names."""
    text, here = code(path), module(library, path)
    named = []
    for tree in re.findall(r"\buse ([^;]+);", text):
        named += uses(tree)
    named += re.findall(r"\b(?:crate|super)(?:::\w+)+", re.sub(r"\buse [^;]+;", "", text))
    found = set()
    for name in named:
        parts = name.replace(" ", "").split("::")
        if parts[0] == "crate":
            parts = parts[1:]
        elif parts[0] == "super":
            base = list(here)
            while parts and parts[0] == "super":
                base = base[:-1]
                parts = parts[1:]
            parts = base + parts
        elif parts[0] == "self":
            parts = list(here) + parts[1:]
        else:
            continue
        while parts and tuple(parts) not in modules:
            parts = parts[:-1]
        if parts and tuple(parts) != here:
            found.add(tuple(parts))
    return found


def reexports(path):
    """Where a `mod.rs` gets the names it passes on."""
    names = {}
    for tree in re.findall(r"\bpub(?:\(\w+\))? use ([^;]+);", code(path)):
        for name in uses(tree):
            parts = name.replace(" ", "").split("::")
            names[parts[-1]] = parts[:-1]
    return names


def circles():
    """Groups of files that import each other."""
    for library in LIBRARIES:
        paths = {module(library, path): path for path in sorted((ROOT / library / "src").rglob("*.rs"))}
        # `mod.rs` and `lib.rs` are tables of contents: an import of one is an import of what it
        # passes on.
        graph = {}
        for here, path in paths.items():
            if path.name in ("mod.rs", "lib.rs") and not re.search(r"\b(fn|struct|enum|trait) ", code(path)):
                continue
            # A type names its builder to return one, and the builder names the type to build it.
            graph[here] = {there for there in imports(library, path, paths) if there[-1] != "builder"}
        for group in strongly_connected(graph):
            names = {"/".join(part) for part in group}
            if len(group) > 1:
                yield f"{library}: a circle of {', '.join(sorted(names))}"


def strongly_connected(graph):
    reach = {}
    for start in graph:
        seen, todo = set(), list(graph[start])
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += graph.get(node, ())
        reach[start] = seen
    groups = []
    for node in graph:
        if node in reach[node] and not any(node in group for group in groups):
            groups.append({other for other in reach[node] if node in reach.get(other, ())} | {node})
    return groups


def hidden():
    """Public items without documentation on purpose. Macros that others expand may be."""
    for library in LIBRARIES:
        for path in sorted((ROOT / library / "src").rglob("*.rs")):
            lines = path.read_text().splitlines()
            for number, line in enumerate(lines, 1):
                if "doc(hidden)" in line and not line.lstrip().startswith("//"):
                    yield f"{path.relative_to(ROOT)}:{number}: doc(hidden)"


def words():
    """Whether the pages are short."""
    pages = {name: len((ROOT / name).read_text().split()) for name in tracked("*.md")}
    verification = sum(count for name, count in pages.items() if name.endswith("VERIFICATION.md"))
    print(f"{sum(pages.values())} words of Markdown, {verification} of them on verification")
    if sum(pages.values()) > WORDS:
        yield f"{sum(pages.values())} words of Markdown, {WORDS} are allowed: " + ", ".join(
            f"{name} {count}" for name, count in sorted(pages.items(), key=lambda page: -page[1])
        )
    if verification > WORDS_OF_VERIFICATION:
        yield f"{verification} words on verification, {WORDS_OF_VERIFICATION} are allowed"


CHECKS = {"columns": columns, "circles": circles, "hidden": hidden, "words": words}


def main():
    chosen = sys.argv[1:] or list(CHECKS)
    faults = 0
    for name in chosen:
        found = list(CHECKS[name]())
        faults += len(found)
        print("\n".join(found) or f"{name}: nothing found")
    return bool(faults)


sys.exit(main())
