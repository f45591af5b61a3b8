#!/usr/bin/env python3
"""
Write a text file as a C string: embed.py NAME FILE > FILE.c

The string is zero-terminated, one line of the file a line of C.
"""

import pathlib
import sys


def quoted(line):
    """A line of text as a C string literal; bytes outside of ASCII as octal escapes."""
    out = []
    for byte in line:
        if byte in (0x22, 0x5C):
            out.append("\\" + chr(byte))
        elif byte == 0x3F:
            out.append("\\?")  # no trigraphs
        elif 0x20 <= byte < 0x7F:
            out.append(chr(byte))
        else:
            out.append(f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


def main():
    name, path = sys.argv[1:]
    lines = pathlib.Path(path).read_bytes().splitlines(keepends=True)
    print(f"/* Made of {pathlib.Path(path).name} by tools/embed.py. */")
    print(f"extern const char {name}[];")
    print(f"const char {name}[] =")
    for line in lines:
        print("        " + quoted(line))
    print("        ;")


if __name__ == "__main__":
    main()
