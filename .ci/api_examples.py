#!/usr/bin/env python3
"""Fails where a type, a trait, a macro or a free function of a crate has no example: `api_examples.py CRATE.json`.

The file is rustdoc's JSON. Methods have an example where it teaches, which no program can tell.
"""

import json
import sys

KINDS = {"struct", "enum", "union", "trait", "function", "constant", "macro", "type_alias"}


class Crate:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        self.index = document["index"]
        self.root = document["root"]
        self.seen = set()
        self.checked = 0
        self.missing = []

    def item(self, name):
        return self.index.get(str(name))

    def visit(self, name, path=()):
        item = self.item(name)
        if item is None or item["id"] in self.seen:
            return
        self.seen.add(item["id"])
        (kind, inner), = item["inner"].items()
        path = (*path, item["name"]) if item["name"] else path
        docs = item["docs"] or ""
        if kind == "module":
            for child in inner["items"]:
                self.visit(child, path)
        elif kind == "use":
            self.visit(inner["id"], path[:-1])
        elif kind in KINDS:
            self.checked += 1
            if "```" not in docs:
                self.missing.append(f"{kind} {'::'.join(path)}")


def main():
    crate = Crate(sys.argv[1])
    crate.visit(crate.root)
    print(f"{sys.argv[1]}: {crate.checked} public items, {len(crate.missing)} without an example")
    for item in crate.missing:
        print(f"    {item}")
    return 1 if crate.missing or crate.checked < 10 else 0


sys.exit(main())
