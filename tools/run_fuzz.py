#!/usr/bin/env python3
"""
Run every fuzzer of a build folder (made with clang and -Dfuzz=true) for some seconds each.

New inputs stay below build/fuzz-corpus/, so that a later run starts where the last one ended; an
input that crashes is left in build/fuzz-crashes/. The seeds in fuzz/corpus/ are only read.
"""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def fuzz(program, seconds):
    name = program.name.removeprefix("fuzz_")
    grown = ROOT / "build" / "fuzz-corpus" / name
    crashes = ROOT / "build" / "fuzz-crashes"
    grown.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    seeds = ROOT / "fuzz" / "corpus" / name
    command = [str(program), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
               "-print_final_stats=1", f"-artifact_prefix={crashes}/{name}-", str(grown)]
    if seeds.is_dir():
        command.append(str(seeds))
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return program, result.returncode, result.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    subprocess.run(["ninja", "-C", options.build, "fuzzers"], check=True)
    programs = sorted(path for path in pathlib.Path(options.build, "fuzz").glob("fuzz_*")
                      if path.is_file() and os.access(path, os.X_OK))
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for program, code, output in pool.map(lambda path: fuzz(path, options.seconds), programs):
            runs = [line for line in output.splitlines() if "number_of_executed_units" in line]
            print(f"{'ok  ' if code == 0 else 'FAIL'} {program.name} {' '.join(runs)}", flush=True)
            if code != 0:
                failed += 1
                print(output[-4000:])
    print(f"{len(programs) - failed} fuzzers passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
