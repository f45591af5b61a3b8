#!/usr/bin/env python3
"""Run clang-tidy over every file under src/ with the compile commands of a clang build folder."""

import concurrent.futures
import os
import subprocess
import sys

import source


def tidy(build, path):
    result = subprocess.run(["clang-tidy", "-p", build, "--quiet", str(path)], cwd=source.ROOT,
                            capture_output=True, text=True, check=False)
    return path, result.returncode, result.stdout


def main():
    build = sys.argv[1]
    paths = [path for path in source.files("src", suffixes=(".c",))
             if not sys.argv[2:] or str(path).startswith(tuple(sys.argv[2:]))]
    problems = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, code, output in pool.map(lambda path: tidy(build, path), paths):
            if code != 0:
                problems.append(output.rstrip() or f"{path}: clang-tidy exits with {code}")
    return source.report("clang-tidy", problems, f"{len(paths)} files are clean")


if __name__ == "__main__":
    sys.exit(main())
