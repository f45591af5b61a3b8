"""Shared by the checks: which C files there are, and their code without comments and strings."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)


def files(*folders, suffixes=(".c", ".h")):
    """All C files below the folders, as paths relative to the repository, sorted."""
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                found.append(path.relative_to(ROOT))
    return found


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def code_only(text):
    """Blank out comments, strings and characters; line numbers stay. #include lines keep theirs."""
    def blank(match):
        token = match.group(0)
        line = text[text.rfind("\n", 0, match.start()) + 1:match.start()]
        if token[0] == '"' and line.lstrip().startswith("#") and "include" in line:
            return token
        if token[0] == "/":
            return " " + "\n" * token.count("\n")
        return token[0] + token[0]
    return TOKEN.sub(blank, text)


def report(name, problems, checked):
    """Print the problems, or that there are none; the exit code for the process."""
    for problem in problems:
        print(problem)
    if problems:
        print(f"{name}: {len(problems)} problems")
        return 1
    print(f"{name}: {checked}")
    return 0
