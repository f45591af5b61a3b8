#!/usr/bin/env python3
"""Check with clang-format that all C files are formatted; with --fix, format them."""

import subprocess
import sys

import source


def main():
    paths = [str(path) for path in source.files("src", "tests", "fuzz", "bench")]
    if not paths:
        return 0
    mode = ["-i"] if "--fix" in sys.argv[1:] else ["--dry-run", "-Werror"]
    result = subprocess.run(["clang-format", *mode, *paths], cwd=source.ROOT, check=False,
                            capture_output=True, text=True)
    places = [line.split(":") for line in result.stderr.splitlines() if ": error: " in line]
    lines = {}
    for place in places:
        lines.setdefault(place[0], []).append(place[1])
    problems = [f"{path}:{found[0]}: not formatted ({len(found)} places); run make fmt"
                for path, found in lines.items()]
    if result.returncode != 0 and not problems:
        problems = [result.stderr]
    return source.report("check_format", problems, f"{len(paths)} files are formatted")


if __name__ == "__main__":
    sys.exit(main())
