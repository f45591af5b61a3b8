#!/usr/bin/env python3
"""
Check that the code under src/ keeps its order.

- A folder includes only folders that stand before it in ORDER (folders in one PEERS group never
  include each other), and never another folder's *_int.h.
- Some library headers belong to one folder (OWNED_HEADERS).
- Some functions belong to one file or folder (OWNED_FUNCTIONS), and some to none (BANNED).
"""

import re
import sys

import source

# Lowest first: a folder may include those before it.
ORDER = [
    "base", "value", "conf", "pattern", "expr", "log", "store", "timer", "state", "table", "queue",
    "net", "outbox", "remote", "channel", "bus", "function", "pipeline", "source", "step", "schedule",
    "waiter", "alarm", "mapping", "config", "api", "daemon", "scenario", "cli",
]
PEERS = [{"source", "step"}]

# Commands that talk to a running weir: only these folders, so that they cannot come to depend on
# its insides.
CLIENT_FOLDERS = {"base", "value", "net", "cli"}
CLIENT_COMMANDS = {
    "tail", "status", "dlq", "replay", "rebuild", "forget", "timers", "alarms", "put", "get",
    "query", "scan", "delete", "invoke", "reload",
}

OWNED_HEADERS = [
    (r"rocksdb/.*", {"store"}),
    (r"uv\.h|uv/.*", {"net", "daemon"}),
    (r"llhttp.*", {"net"}),
    (r"wslay/.*", {"net"}),
    (r"gnutls/.*|nettle/.*", {"net", "base"}),
    (r"curl/.*", {"net"}),
    (r"hiredis/.*", {"remote"}),
    (r"libfyaml\.h", {"conf"}),
]

# Function: where it may be used, as path prefixes below src/.
OWNED_FUNCTIONS = {
    # A condition's deadline is a moment of the machine's clock, whatever clock tests set.
    "clock_gettime": ("base/clock.c", "base/lock.c", "net/"),
    "gettimeofday": ("base/clock.c", "net/"),
    "timespec_get": ("base/clock.c",),
    "time": ("base/clock.c",),
    "uv_hrtime": ("net/",),
    "uv_now": ("net/",),
    r"uv_timer_\w+": ("net/",),
    "getrandom": ("base/random.c",),
    "getentropy": ("base/random.c",),
    "nanosleep": ("base/clock.c",),
}

BANNED = {
    "strcpy": "weir_buf or snprintf",
    "stpcpy": "weir_buf or snprintf",
    "strcat": "weir_buf or snprintf",
    "strncpy": "memcpy with a checked length",
    "strncat": "weir_buf or snprintf",
    "sprintf": "snprintf",
    "vsprintf": "vsnprintf",
    "strtok": "weir_str functions",
    "gets": "fgets",
    "atoi": "a parser that reports errors",
    "atol": "a parser that reports errors",
    "atoll": "a parser that reports errors",
    "atof": "a parser that reports errors",
    "gmtime": "gmtime_r",
    "localtime": "UTC only",
    "localtime_r": "UTC only",
    "ctime": "weir_time_format",
    "asctime": "weir_time_format",
    "rand": "base/random.h",
    "srand": "base/random.h",
    "random": "base/random.h",
    "drand48": "base/random.h",
    "system": "no shell is ever started",
    "popen": "no shell is ever started",
    "alloca": "an arena",
    "sleep": "a timer of the loop",
    "usleep": "a timer of the loop",
    "tmpnam": "mkstemp",
    "mktemp": "mkstemp",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def check_include(path, folder, quote, name):
    """What is wrong with one #include of a file in src/folder, or None."""
    if quote == "<":
        for pattern, owners in OWNED_HEADERS:
            if re.fullmatch(pattern, name) and folder not in owners:
                return f"<{name}> belongs to {' and '.join(sorted(owners))}"
        return None
    target = name.split("/")[0]
    if "/" not in name or target not in ORDER:
        return f'"{name}" must name a folder of src/, as in "base/err.h"'
    if target != folder and name.endswith("_int.h"):
        return f'"{name}" is {target}\'s own header'
    if folder == "cli" and path.stem.removeprefix("cmd_") in CLIENT_COMMANDS:
        if target not in CLIENT_FOLDERS:
            return f'a client command may use {", ".join(sorted(CLIENT_FOLDERS))}, not "{name}"'
    if target == folder:
        return None
    if ORDER.index(target) > ORDER.index(folder):
        return f'{folder} must not use {target}, which stands above it ("{name}")'
    for peers in PEERS:
        if folder in peers and target in peers:
            return f'{folder} and {target} are peers and must not use each other ("{name}")'
    return None


def check_functions(path, code):
    """Uses of functions that belong elsewhere or nowhere, as (offset, message)."""
    below = "/".join(path.parts[1:]) if path.parts[0] == "src" else None
    for match in re.finditer(r"(?<![\w.>])(\w+)\s*\(", code):
        name = match.group(1)
        if name in BANNED:
            yield match.start(), f"{name} is banned; use {BANNED[name]}"
        if below is None:
            continue
        for pattern, places in OWNED_FUNCTIONS.items():
            if re.fullmatch(pattern, name) and not below.startswith(places):
                yield match.start(), f"{name} belongs to {' and '.join(places)}"


def check_file(path):
    code = source.code_only(source.read(path))
    problems = []
    if path.parts[0] == "src":
        folder = path.parts[1] if len(path.parts) > 2 else "cli"
        if folder not in ORDER:
            return [f"{path}: folder {folder} has no place in the order of tools/check_layers.py"]
        for match in INCLUDE.finditer(code):
            problem = check_include(path, folder, match.group(1), match.group(2))
            if problem is not None:
                problems.append(f"{path}:{line_of(code, match.start())}: {problem}")
    for offset, problem in check_functions(path, code):
        problems.append(f"{path}:{line_of(code, offset)}: {problem}")
    return problems


def main():
    paths = source.files("src", "fuzz", "tests")
    problems = [problem for path in paths for problem in check_file(path)]
    return source.report("check_layers", problems, f"{len(paths)} files keep the order")


if __name__ == "__main__":
    sys.exit(main())
