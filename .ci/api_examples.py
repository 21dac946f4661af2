#!/usr/bin/env python3
"""Fails where a public item of a crate has no example: `api_examples.py CRATE.json`, of rustdoc's JSON.

A method that only names another of the same name (`As [`Arena::alloc`]`) may have that one's.
"""

import json
import re
import sys

KINDS = {"struct", "enum", "union", "trait", "function", "constant", "macro", "type_alias", "assoc_const"}


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
            if not ("```" in docs or re.match(r"As \[`\w+::" + re.escape(item["name"]) + r"`\]", docs)):
                self.missing.append(f"{kind} {'::'.join(path)}")
            for child in inner.get("items", []) if kind == "trait" else []:
                self.visit(child, path)
            for block in inner.get("impls", []) if kind in {"struct", "enum", "union"} else []:
                implementation = self.item(block)
                if implementation and implementation["inner"]["impl"]["trait"] is None:
                    for child in implementation["inner"]["impl"]["items"]:
                        self.visit(child, path)


def main():
    crate = Crate(sys.argv[1])
    crate.visit(crate.root)
    print(f"{sys.argv[1]}: {crate.checked} public items, {len(crate.missing)} without an example")
    for item in crate.missing:
        print(f"    {item}")
    return 1 if crate.missing or crate.checked < 50 else 0


sys.exit(main())
