#!/usr/bin/env python3
"""Pastes every snippet of every page into an empty package, as a reader would, and compiles and runs it.

A reader sees no lines that rustdoc hides, so neither does this: what a page shows must be enough. Only two
things are added: `fn main` around a snippet that has none, and the dependencies. The latter are added by
the `cargo add` lines of the README, beside a link called `marena` that leads to the repository; other
crates that a snippet names are those of the workspace.

Snippets in Rust that are marked `compile_fail,E…` must fail with that error. C is compiled, TOML is parsed.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(?P<tags>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
TARGET = ROOT / "target" / "snippets"
# What snippets use besides: the newest of the workspace's own dependencies.
OTHERS = ["bytes", "serde_json", "static_cell", "zerocopy"]


class Snippet:
    def __init__(self, page, number, tags, text):
        self.page, self.number = page, number
        self.tags = tags.strip().split(",") if tags.strip() else []
        self.text = text

    @property
    def name(self):
        return re.sub(r"\W+", "_", f"{self.page}_{self.number}").lower()

    @property
    def language(self):
        known = {"sh", "toml", "c", "text", "json", "console", "svg"}
        return next((tag for tag in self.tags if tag in known), "rust")

    @property
    def error(self):
        return next((tag for tag in self.tags if re.fullmatch(r"E\d{4}", tag)), None)

    def program(self):
        """The text that a reader sees, with a `main` around it if it has none."""
        shown = [line for line in self.text.splitlines() if not re.match(r"\s*# |\s*#$", line)]
        # Lines that only an include resolves are pasted too.
        text = "\n".join(line.replace("##", "#", 1) if line.lstrip().startswith("##") else line for line in shown)
        if re.search(r"^\s*(pub )?fn main\b", text, re.MULTILINE) or "#![no_main]" in text:
            return text + "\n"
        attributes = "".join(re.findall(r"^#!\[.*\]\n", text, re.MULTILINE))
        text = re.sub(r"^#!\[.*\]\n", "", text, flags=re.MULTILINE)
        # In a guide page `crate` is marena_core; the pages do not use it in code.
        return f"{attributes}fn main() -> Result<(), Box<dyn std::error::Error>> {{\n{text}\nOk(())\n}}\n"


def pages():
    names = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard", "--", "*.md"], cwd=ROOT, text=True)
    return [name for name in names.splitlines() if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]


def snippets():
    for page in pages():
        for number, match in enumerate(FENCE.finditer((ROOT / page).read_text()), 1):
            yield Snippet(page, number, match["tags"], match["text"])


def cargo(folder, *arguments):
    return subprocess.run(
        ["cargo", *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )


def package(folder, found):
    """An empty package, with what the README has its reader add."""
    (folder / "marena").symlink_to(ROOT)
    reader = folder / "reader"
    result = cargo(folder, "new", "--quiet", "--vcs", "none", "reader")
    assert result.returncode == 0, result.stdout
    shutil.copy(ROOT / "Cargo.lock", reader)
    adds = [line for s in found if s.language == "sh" for line in s.text.splitlines() if line.startswith("cargo add ")]
    if not adds:
        sys.exit("no page has a `cargo add` line")
    for line in dict.fromkeys(adds):
        result = cargo(reader, *line.split("#")[0].split()[1:])
        if result.returncode != 0:
            sys.exit(f"{line}\n{result.stdout}")
        print(f"added: {line}")
    manifest = (reader / "Cargo.toml").read_text()
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["dependencies"]
    for name in OTHERS:
        entry = workspace.get(name)
        if entry is None or re.search(rf"^{name} =", manifest, re.MULTILINE):
            continue
        version = entry if isinstance(entry, str) else entry["version"]
        features = {"allocator-api2": '"alloc"', "zerocopy": '"derive"', "hashbrown": '"allocator-api2"'}.get(name, "")
        manifest += f'{name} = {{ version = "{version}", features = [{features}] }}\n'
    (reader / "Cargo.toml").write_text(manifest + "\n[workspace]\n")
    shutil.rmtree(reader / "src")
    (reader / "src" / "bin").mkdir(parents=True)
    return reader


def rust(reader, snippet):
    """What is wrong with a snippet, or None."""
    (reader / "src" / "bin" / f"{snippet.name}.rs").write_text(snippet.program())
    target = ["--quiet", "--target-dir", str(TARGET), "--bin", snippet.name]
    if "compile_fail" in snippet.tags:
        result = subprocess.run(
            ["cargo", "check", *target, "--message-format=json"], cwd=reader, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        messages = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
        codes = {
            (message["message"].get("code") or {}).get("code")
            for message in messages
            if message.get("reason") == "compiler-message" and message["message"]["level"] == "error"
        } - {None}
        return None if codes == {snippet.error} else f"fails with {codes or 'nothing'}, not {snippet.error}"
    result = cargo(reader, "check" if {"no_run", "ignore"} & set(snippet.tags) else "run", *target)
    return None if result.returncode == 0 else result.stdout


def c(folder, snippet):
    source = folder / f"{snippet.name}.c"
    source.write_text(snippet.text)
    result = subprocess.run(
        ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{ROOT}/marena-core/capi", str(source)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    return None if result.returncode == 0 else result.stdout


def toml(snippet):
    try:
        tomllib.loads(snippet.text)
    except tomllib.TOMLDecodeError as error:
        return str(error)
    return None


def main():
    found = list(snippets())
    words = sys.argv[1:]
    counts, wrong = {}, 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        reader = package(folder, found)
        for snippet in found:
            if words and snippet.page not in words:
                continue
            check = {"rust": lambda: rust(reader, snippet), "c": lambda: c(folder, snippet), "toml": lambda: toml(snippet)}
            fault = check.get(snippet.language, lambda: None)()
            counts[snippet.language] = counts.get(snippet.language, 0) + 1
            if fault:
                wrong += 1
                print(f"{snippet.page}, snippet {snippet.number}: {fault[:3000]}")
    print(", ".join(f"{count} of {language}" for language, count in sorted(counts.items())), f"- {wrong} wrong")
    return bool(wrong) or not counts.get("rust")


sys.exit(main())
