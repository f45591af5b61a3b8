#!/usr/bin/env python3
"""Print the path of the weir program in a meson build folder."""

import json
import subprocess
import sys


def binary_of(build):
    text = subprocess.run(["meson", "introspect", "--targets", build], check=True,
                          capture_output=True, text=True).stdout
    for target in json.loads(text):
        if target["name"] == "weir" and target["type"] == "executable":
            return target["filename"][0]
    return None


if __name__ == "__main__":
    path = binary_of(sys.argv[1])
    if path is None:
        sys.exit(f"binary.py: {sys.argv[1]} has no program named weir")
    print(path)
