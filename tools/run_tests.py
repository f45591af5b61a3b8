#!/usr/bin/env python3
"""
Run the tests of one build folder and sum them up.

Usage: run_tests.py BUILD [--checks] [--unit] [--scenario] [--only PREFIX] [--timeout SECONDS]

--checks    the scripts tools/check_*.py
--unit      build everything and run the test programs that meson knows (fuzz corpora included)
--scenario  run tests/scenario/*.test.mjs against the program of that build
--only      of the scenarios, those whose names start so
--timeout   for each program

Every program's output goes to build/logs/<name>.log and is shown when it fails, with what ended it:
a signal, too much time, too much memory. The last line says "N passed, N failed" and is also left in
build/logs/summary. cmocka and Node report each test; a program of another kind counts as one.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import binary

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOGS = ROOT / "build" / "logs"
CHECKS = ["layers", "headers", "size", "format"]
SHOWN_LINES = 80
LOOK_SECONDS = 1  # between looks at a program's memory
ABORT_SECONDS = 10  # for what a program has to say about where it is
MEMORY_BYTES = 4 << 30  # of a program and its children: many times what any test needs
# Begun before all others, in this order, so that no processor waits for the last one.
LONGEST = ["f110_", "d100_", "j110_", "test_engine_calls", "test_engine_faults", "h200_", "i150_",
           "f100_", "h220_", "test_log_power"]

CMOCKA_OK = re.compile(r"^\[       OK \] (.+)$", re.MULTILINE)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (\D.*)$", re.MULTILINE)
NODE_PASS = re.compile(r"^# pass (\d+)$", re.MULTILINE)
NODE_FAIL = re.compile(r"^# (?:fail|cancelled) (\d+)$", re.MULTILINE)


def memory_of(session):
    """The bytes in memory of all processes of a session."""
    pages = 0
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[3]) == session:
            pages += int(fields[21])
    return pages * os.sysconf("SC_PAGE_SIZE")


def signal_text(number):
    text = f"killed by {signal.Signals(number).name}"
    return text + (", perhaps for want of memory" if number == signal.SIGKILL else "")


class Job:
    """One program to run, and what came of it."""

    def __init__(self, name, command, env=None, cwd=ROOT, timeout=300):
        self.name = name
        self.command = command
        self.env = env or {}
        self.cwd = cwd
        self.timeout = timeout
        self.passed = 0
        self.failed = 0
        self.seconds = 0.0
        self.output = ""

    def run(self):
        env = dict(os.environ)
        env.setdefault("ASAN_OPTIONS", "detect_stack_use_after_return=1:strict_string_checks=1:"
                       "handle_abort=1")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
        env.update(self.env)
        start = time.monotonic()
        # A session of its own, so that nothing a test started outlives its limits.
        with subprocess.Popen(self.command, cwd=self.cwd, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, start_new_session=True) as process:
            output, why = self.watch(process, start + self.timeout)
            code = process.returncode
        if code < 0 and not why:
            why = signal_text(-code)
        self.seconds = time.monotonic() - start
        self.output = output.decode("utf-8", "replace") + (f"\n{self.name}: {why}\n" if why else "")
        self.count(code if not why else -1)
        log = LOGS / (re.sub(r"[^\w.-]+", "_", self.name) + ".log")
        log.write_text(self.output, encoding="utf-8")
        return self

    def watch(self, process, end):
        """Wait for the program. Its output, and why it had to be ended, if so."""
        while True:
            try:
                return process.communicate(timeout=LOOK_SECONDS)[0], ""
            except subprocess.TimeoutExpired:
                used = memory_of(process.pid)
                if used > MEMORY_BYTES:
                    why = f"ended, for it used {used >> 20} MiB of memory"
                elif time.monotonic() > end:
                    why = f"timed out after {self.timeout} s"
                else:
                    continue
                return self.abort(process), why

    @staticmethod
    def abort(process):
        """End a program, which may say first where it is. Its output."""
        process.send_signal(signal.SIGABRT)
        try:
            return process.communicate(timeout=ABORT_SECONDS)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.communicate()[0]

    def count(self, code):
        node_pass, node_fail = NODE_PASS.findall(self.output), NODE_FAIL.findall(self.output)
        if node_pass:
            self.passed = int(node_pass[-1])
            self.failed = sum(int(number) for number in node_fail[-2:])
        else:
            self.passed = len(CMOCKA_OK.findall(self.output))
            self.failed = len(set(CMOCKA_FAILED.findall(self.output)))
        if code != 0 and self.failed == 0:
            self.failed = 1  # it crashed, or says no more than that it failed
        elif code == 0 and self.passed == 0 and not node_pass:
            self.passed = 1


def ninja(build):
    """Build everything. Output only when it fails."""
    return Job(f"build {build}", ["ninja", "-C", build], timeout=1800)


def check_jobs(build):
    jobs = []
    for check in CHECKS:
        command = [sys.executable, f"tools/check_{check}.py"]
        if check == "headers":
            command.append(str(build))
        jobs.append(Job(f"check_{check}", command))
    return jobs


def unit_jobs(build, timeout):
    text = subprocess.run(["meson", "introspect", "--tests", build], check=True,
                          capture_output=True, text=True).stdout
    jobs = []
    for test in json.loads(text):
        jobs.append(Job(test["name"], test["cmd"], test["env"], test["workdir"] or ROOT, timeout))
    return jobs


def scenario_jobs(build, only, timeout):
    program = binary.binary_of(build)
    jobs = []
    for path in sorted((ROOT / "tests" / "scenario").glob(f"{only}*.test.mjs")):
        jobs.append(Job(path.name, ["node", "--test-reporter=tap", str(path)],
                        {"WEIR_BIN": str(program)}, timeout=timeout))
    return jobs


def show(job):
    mark = "ok  " if job.failed == 0 else "FAIL"
    print(f"{mark} {job.name}: {job.passed} passed, {job.failed} failed, {job.seconds:.1f} s",
          flush=True)
    if job.failed != 0:
        lines = job.output.splitlines()
        if len(lines) > SHOWN_LINES:
            lines = ["..."] + lines[-SHOWN_LINES:]
        print("\n".join("    | " + line for line in lines), flush=True)


def turn(job):
    """When a job's turn is: the longest first, the others as they come."""
    return next((at for at, name in enumerate(LONGEST) if job.name.startswith(name)), len(LONGEST))


def run_all(jobs, workers):
    """Run jobs side by side; show them in the order given, so the first failure is the simplest."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        running = {job: pool.submit(job.run) for job in sorted(jobs, key=turn)}
        for job in jobs:
            show(running[job].result())
    return jobs


def run_stages(options):
    """The asked stages, as a list of finished jobs; a failed build ends it early."""
    workers = os.cpu_count() or 2
    done = []
    if options.unit or options.scenario:
        done += run_all([ninja(options.build)], 1)
    if options.checks:
        done += run_all(check_jobs(options.build), workers)
    if any(job.failed for job in done if job.name.startswith("build ")):
        return done
    # A build that went well is no test; only a failed one counts.
    done = [job for job in done if not job.name.startswith("build ")]
    tests = unit_jobs(options.build, options.timeout) if options.unit else []
    if options.scenario:
        tests += scenario_jobs(options.build, options.only, options.timeout)
    return done + run_all(tests, workers + 1)  # one more, for most of them wait now and then


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--checks", action="store_true")
    parser.add_argument("--unit", action="store_true")
    parser.add_argument("--scenario", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--timeout", type=int, default=480)
    options = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    done = run_stages(options)
    passed = sum(job.passed for job in done)
    failed = sum(job.failed for job in done)
    slowest = sorted(done, key=lambda job: -job.seconds)[:3]
    print("slowest: " + ", ".join(f"{job.name} {job.seconds:.1f} s" for job in slowest))
    summary = f"{passed} passed, {failed} failed"
    (LOGS / "summary").write_text(summary + "\n", encoding="utf-8")
    print(summary)
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
