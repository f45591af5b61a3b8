#!/usr/bin/env python3
"""Check that no source file is longer than 1,000 lines. Function sizes are clang-tidy's part."""

import sys

import source

MAX_LINES = 1000
SUFFIXES = (".c", ".h", ".py", ".mjs", ".sh")


def main():
    paths = source.files("src", "tests", "fuzz", "bench", "tools", "examples", suffixes=SUFFIXES)
    problems = []
    for path in paths:
        lines = source.read(path).count("\n")
        if lines > MAX_LINES:
            problems.append(f"{path}: {lines} lines, at most {MAX_LINES} are allowed")
    return source.report("check_size", problems, f"{len(paths)} files of at most {MAX_LINES} lines")


if __name__ == "__main__":
    sys.exit(main())
