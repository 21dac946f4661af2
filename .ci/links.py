#!/usr/bin/env python3
"""Fails where a relative link of a Markdown page leads to no committed file, or its anchor to no heading.

Links to other sites are not followed; links to Rust items are rustdoc's to check.
"""

import os
import re
import subprocess
import sys

LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(<?([^()\s>]+)>?(?:\s+\"[^\"]*\")?\)|^\[[^\]^][^\]]*\]:\s+(\S+)", re.MULTILINE)
IMAGE = re.compile(r"<(?:img|source|a)\b[^>]*\b(?:src|srcset|href)=\"([^\"]+)\"")
FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1 *$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")


def read(path):
    with open(path, encoding="utf-8") as file:
        return FENCE.sub("", file.read())


def anchors(path):
    """As the common hosts make them: lower case, punctuation gone, spaces to hyphens, repeats numbered."""
    found = {}
    for heading in HEADING.findall(read(path)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        if count:
            found[f"{slug}-{count}"] = 1
    return set(found)


def fault(source, target, files):
    """What is wrong with a link, or None."""
    path, _, anchor = target.partition("#")
    path = os.path.normpath(os.path.join(os.path.dirname(source), path)) if path else source
    if path.startswith(".."):
        return "leads out of the repository"
    inside = path if path in files else next((file for file in files if file.startswith(path + "/")), None)
    if inside is None:
        return "leads to no committed file"
    if anchor and path.endswith(".md") and anchor not in anchors(path):
        return "names no heading"
    return None


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    listed = subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], text=True).splitlines()
    files = {file for file in listed if os.path.exists(file)}
    # The links of a page that is a symbolic link are checked where it leads.
    pages = sorted(file for file in files if file.endswith(".md") and not os.path.islink(file))
    checked, faults = 0, []
    for page in pages:
        # A link shown as code is none.
        text = CODE.sub("code", read(page))
        targets = [first or second for first, second in LINK.findall(text)] + IMAGE.findall(text)
        for target in targets:
            if re.match(r"[a-z][a-z0-9+.-]*:", target) or "::" in target:
                continue
            checked += 1
            if wrong := fault(page, target, files):
                faults.append(f"{page}: {target} {wrong}")
    print(f"{checked} links in {len(pages)} pages")
    if checked < 20:
        faults.append("suspiciously few links were found")
    for line in faults:
        print(line)
    return 1 if faults else 0


sys.exit(main())
