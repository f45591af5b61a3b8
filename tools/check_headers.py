#!/usr/bin/env python3
"""
Check the headers under src/: each compiles alone, has a guard named by its path, and says for
every function that returns enum weir_rc which errors it gives ("Errors:" in the comment right
above, or "Errors of all calls" in the comment at the top of the file). A module's own *_int.h need
not say the latter.

Usage: check_headers.py [BUILD_FOLDER], for the include paths of the libraries.
"""

import concurrent.futures
import json
import os
import re
import subprocess
import sys

import source

# These hand back the code they are given.
ERROR_MAKERS = {"weir_fail", "weir_fail_at", "weir_fail_in"}

ATTRIBUTE = r"(?:WEIR_\w+(?:\([^)]*\))?\s+)*"
DECLARATION = re.compile(rf"^{ATTRIBUTE}(?:static inline )?enum weir_rc (weir_\w+)\(", re.MULTILINE)


def include_flags(build):
    """-I and -isystem of all compile commands of a build folder."""
    path = os.path.join(build, "compile_commands.json")
    flags = ["-I", str(source.ROOT / "src"), "-isystem", "/usr/share/include/llhttp"]
    if not os.path.exists(path):
        return flags
    seen = set()
    for entry in json.loads(open(path, encoding="utf-8").read()):
        for flag in re.findall(r"(?<=\s)-(?:I|isystem)\s?\S+", entry["command"]):
            match = re.match(r"-(I|isystem)\s?(\S+)", flag)
            folder = os.path.join(entry["directory"], match.group(2))
            if folder not in seen and os.path.isdir(folder):
                seen.add(folder)
                flags += ["-isystem" if match.group(1) == "isystem" else "-I", folder]
    return flags


def compile_alone(path, flags):
    command = ["gcc", "-std=gnu17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
               '-DWEIR_VERSION="0"', *flags, "-x", "c", "-"]
    # Included rather than compiled itself: a header as the main file brings warnings of its own.
    text = f'#include "{"/".join(path.parts[1:])}"\n'
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return []
    return [f"{path}: does not compile alone:\n{result.stderr.rstrip()}"]


def check_guard(path, text):
    guard = "WEIR_" + re.sub(r"[^A-Za-z0-9]", "_", "/".join(path.parts[1:])).upper()
    if re.search(rf"^#ifndef {guard}\n#define {guard}$", text, re.MULTILINE):
        return []
    return [f"{path}: must be guarded by {guard}"]


def check_errors(path, text):
    head = text[:text.find("#ifndef")]
    if "Errors of all calls" in head or path.stem.endswith("_int"):
        return []
    problems = []
    for match in DECLARATION.finditer(text):
        # One comment may stand above several declarations that no blank line parts.
        paragraph = text[text.rfind("\n\n", 0, match.start()):match.start()]
        if "Errors:" not in paragraph and match.group(1) not in ERROR_MAKERS:
            line = text.count("\n", 0, match.start(1)) + 1
            problems.append(f"{path}:{line}: {match.group(1)} has no \"Errors:\" in its comment")
    return problems


def main():
    flags = include_flags(sys.argv[1] if len(sys.argv) > 1 else str(source.ROOT / "build/asan"))
    paths = source.files("src", suffixes=(".h",))
    problems = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(lambda path: compile_alone(path, flags), paths):
            problems += result
    for path in paths:
        text = source.read(path)
        problems += check_guard(path, text) + check_errors(path, text)
    return source.report("check_headers", problems, f"{len(paths)} headers stand alone")


if __name__ == "__main__":
    sys.exit(main())
