#!/usr/bin/env python3
"""What cargo knows of the workspace's packages, for the scripts beside this one.

    packages.py msrv VERSION     no dependency of the published libraries needs a newer compiler
    packages.py manifests        every published manifest has what crates.io shows
    packages.py published        the names of the published packages, in the order of publishing
    packages.py tests PACKAGE    the names of a package's test programs
"""

import json
import subprocess
import sys

FIELDS = ["description", "documentation", "keywords", "categories", "license", "readme", "rust_version"]


def metadata(*arguments):
    return json.loads(subprocess.check_output(["cargo", "metadata", "--format-version", "1", *arguments]))


def published(document):
    """The workspace's packages that may be uploaded, dependencies first."""
    packages = {p["name"]: p for p in document["packages"] if p["id"] in document["workspace_members"] and p["publish"] != []}
    order = []

    def visit(package):
        for dependency in package["dependencies"]:
            if dependency["kind"] is None and dependency["name"] in packages:
                visit(packages[dependency["name"]])
        if package not in order:
            order.append(package)

    for package in packages.values():
        visit(package)
    return order


def msrv(stated):
    document = metadata("--all-features")
    limit = tuple(map(int, stated.split(".")))[:2]
    nodes = {node["id"]: node for node in document["resolve"]["nodes"]}
    packages = {package["id"]: package for package in document["packages"]}
    todo = [package["id"] for package in published(document)]
    seen, newer = set(), []
    while todo:
        package = todo.pop()
        if package in seen:
            continue
        seen.add(package)
        needs = packages[package].get("rust_version")
        if needs and tuple(map(int, needs.split(".")))[:2] > limit:
            newer.append(f"{packages[package]['name']} needs {needs}")
        for dep in nodes[package]["deps"]:
            if any(kind["kind"] is None for kind in dep["dep_kinds"]):
                todo.append(dep["pkg"])
    print(len(seen), "packages looked at")
    return "; ".join(newer)


def manifests():
    packages = published(metadata("--no-deps"))
    lacks = [f"{p['name']} has no {field}" for p in packages for field in FIELDS if not p.get(field)]
    print("published:", *(package["name"] for package in packages))
    return "; ".join(lacks) if packages else "nothing is published"


def main():
    what, *arguments = sys.argv[1:]
    if what == "msrv":
        return msrv(*arguments) or 0
    if what == "manifests":
        return manifests() or 0
    document = metadata("--no-deps")
    if what == "published":
        print(*(package["name"] for package in published(document)))
        return 0
    if what == "tests":
        [package] = [p for p in document["packages"] if p["name"] == arguments[0]]
        print(*(target["name"] for target in package["targets"] if target["kind"] == ["test"]))
        return 0
    return __doc__


sys.exit(main())
