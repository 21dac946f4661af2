#!/usr/bin/env python3
"""Prints the entries of the map that root slot 0 of an arena's file names, a line each: key and value in hexadecimal.

Written from LAYOUT.md alone (this one, and marena-core's of the header), as a second implementation of reading.
"""

import struct
import sys

data = open(sys.argv[1], "rb").read()
order = {b"marena\x1a\n": "<", b"\n\x1aaneram": ">"}[data[:8]]


def word(at):
    return struct.unpack_from(order + "I", data, at)[0]


root = struct.unpack_from(order + "Q", data, 24)[0]
block, size = root >> 32, root & 0xFFFF_FFFF
assert size == 248 and block % 64 == 0, "no map"
assert data[block : block + 8] == b"marenasl" and word(block + 8) == 3, "no map"


def node(offset):
    shape = word(offset)
    if shape & 1 << 6:
        key_len, value_len, start = word(offset + 4), word(offset + 8), offset + 12
    else:
        key_len, value_len, start = shape >> 7 & 0x7FF, shape >> 18, offset + 4
    key = data[start : start + key_len]
    value = data[start + key_len : start + key_len + value_len]
    return key, value, bool(shape & 1 << 5), (shape & 31) + 1


head = block + 160
for level in range(24):
    # Every level is in order, and each of its nodes has it.
    offset, last = word(head - 4 * (level + 1)), b""
    while offset:
        key, _, _, height = node(offset)
        assert last <= key and height > level
        offset, last = word(offset - 4 * (level + 1)), key

for number in range(18):
    index = word(block + 176 + 4 * number) - 1
    if index % 4:
        continue
    # Each entry of a complete index names a node on level 3, in order.
    last = b""
    for entry in range(index, index + 12 * (64 << number), 12):
        key, _, _, height = node(word(entry + 8))
        prefix = word(entry) | word(entry + 4) << 32
        assert last <= key and height > 3 and prefix.to_bytes(8, "big") == key[:8].ljust(8, b"\0")
        last = key

offset, last = word(head - 4), None
while offset:
    key, value, removed, _ = node(offset)
    # The first node of a key is the newest.
    if key != last and not removed:
        print(key.hex(), value.hex())
    offset, last = word(offset - 4), key
