#!/usr/bin/env python3
"""What one request costs, without a clock: instructions (callgrind), allocations and system calls of a worker, for
fixed requests on one connection. Fails when they exceed what instructions.json records by more than 5 %, or when a
plain request allocates. `make guard` runs it; --update records new figures, to be committed with their reason.

Counts as well how much of a request is done by functions that Sources/link-order.txt names: the linker puts those side by
side, so that a request finds them in few pages and lines of the caches. --update writes that list anew."""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import typing

import harness

RECORD = harness.HERE / "instructions.json"
ORDER = harness.ROOT / "Sources" / "link-order.txt"
# Part of a request's instructions, beyond that of the C library, that the listed functions have to do.
LISTED = 0.9
TOLERANCE = 1.05


class Requests(typing.NamedTuple):
    """Bytes of their bodies, and how many are counted."""
    sizes: typing.Sequence[int]
    count: int
    stream: bool = False
    # Whether answers differ from request to request, in head and body.
    vary: bool = False


PLAIN = Requests([200] * 2, 1000)
SCENARIOS = {"plain 200 B": PLAIN, "plain, all that varies": Requests(harness.VARIED_SIZES, 1000, vary=True),
             "plain 64 KB": Requests([64 << 10] * 2, 200), "stream of 33 events": Requests([200] * 2, 500, stream=True),
             "stream, all that varies": Requests(harness.VARIED_SIZES, 500, stream=True, vary=True)}


def worker_of(supervisor):
    """The process number of the one worker, which may run under another program."""
    def find():
        children = [pid for pid in harness.tree(supervisor) if pid != supervisor]
        if not children:
            raise RuntimeError("no worker yet")
        return children[0]
    return harness.wait_until(find)


def library(bench, name):
    file = bench.folder / f"{name}.so"
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", file, harness.HERE / f"{name}.c", "-ldl"], check=True)
    return file


def serve(bench, environment, seconds=20, log=False):
    """A gateway without access log, so that what a request costs does not depend on what reads the log."""
    config = bench.config(extra="" if log else "tagway:\n  access_log: false\n")
    port = harness.free_port()
    process = bench.start("tagway", [harness.TAGWAY, "serve", "--config", config, "--port", port, "--workers", 1],
                          harness.GATEWAY_CORE, environment)
    harness.wait_until(lambda: harness.get(port, "/health/liveliness"), process, seconds)
    return port, process


def drive(bench, port, requests, count):
    bench.set_answers(vary=requests.vary)
    bodies = [bench.body(size, i % 2, requests.stream) for i, size in enumerate(requests.sizes)]
    result = bench.load("closed", port, bodies, connections=1, requests=count)
    if result["errors"] or result["completed"] != count:
        raise SystemExit(f"guard: {result}")


def by_function(dump):
    """Instructions of each function of the executable, by the name that the linker knows it by: a file of callgrind's."""
    names, objects, found = {}, {}, {}
    function = where = None
    is_call = False
    for line in dump.read_text(errors="replace").splitlines():
        if named := re.match(r"(c?)(fn|ob)=\((\d+)\)(?: (.*))?", line):
            table = names if named[2] == "fn" else objects
            if named[4]:
                table[named[3]] = named[4]
            if not named[1]:
                if named[2] == "fn":
                    function = table[named[3]].partition("'")[0]
                else:
                    where = table[named[3]]
        elif line.startswith("calls="):
            is_call = True
        elif line[:1] in "0123456789+-*" and line:
            # Behind a call stands what it cost, which its own function has counted.
            if not is_call and where and where.endswith("/tagway"):
                found[function] = found.get(function, 0) + int(line.split()[1])
            is_call = False
    return found


def instructions(bench, log=False):
    """Per request, by scenario, and of each function, in all. A worker under callgrind is asked to begin anew and to write
    down what it counted."""
    output = bench.folder / "callgrind.out"
    port, process = serve(bench, {
        "LD_PRELOAD": str(library(bench, "spawn_under")), "UNDER_IMAGE": str(harness.TAGWAY),
        "UNDER": f"{harness.shutil.which('valgrind')} --tool=callgrind --demangle=no --callgrind-out-file={output}"},
        seconds=60, log=log)
    worker = worker_of(process.pid)
    found = {}
    functions = {}
    for name, requests in SCENARIOS.items():
        count = requests.count
        drive(bench, port, requests, count // 5)
        for option in ("--zero", None, "--dump"):
            if option is None:
                drive(bench, port, requests, count)
            else:
                subprocess.run(["callgrind_control", option, str(worker)], check=True, capture_output=True)
        newest = max(bench.folder.glob("callgrind.out.*"), key=lambda f: int(f.suffix[1:]))
        total = re.search(r"^(?:totals|summary): (\d+)", newest.read_text(errors="replace"), re.MULTILINE)
        found[name] = round(int(total.group(1)) / count)
        for function, own in by_function(newest).items():
            # What is not part of each request is the start's, or a worker's housekeeping.
            if own >= count:
                functions[function] = functions.get(function, 0) + own / count
    harness.stop(process)
    for file in bench.folder.glob("callgrind.out*"):
        file.unlink()
    return found, functions


def allocations(bench):
    """Calls of malloc and its relatives in 10,000 requests, by scenario."""
    prefix = bench.folder / "allocations"
    port, process = serve(bench, {"LD_PRELOAD": str(library(bench, "count_allocations")), "COUNT_PREFIX": str(prefix)})
    file = pathlib.Path(f"{prefix}.{worker_of(process.pid)}")
    found = {}
    for name, requests in SCENARIOS.items():
        drive(bench, port, requests, 1000)
        before = int.from_bytes(file.read_bytes(), sys.byteorder)
        drive(bench, port, requests, 10_000)
        found[name] = int.from_bytes(file.read_bytes(), sys.byteorder) - before
    harness.stop(process)
    return found


def system_calls(bench):
    """Per request, by name, for plain ones."""
    table = bench.folder / "calls"
    port, process = serve(bench, {
        "LD_PRELOAD": str(library(bench, "spawn_under")), "UNDER_IMAGE": str(harness.TAGWAY),
        "UNDER": f"{harness.shutil.which('strace')} -D -c -o {table}"})
    drive(bench, port, PLAIN, 2000)
    process.terminate()
    process.wait(timeout=20)
    harness.wait_until(lambda: table.stat().st_size > 0 or 1 / 0)
    found = {}
    for line in table.read_text().splitlines():
        words = line.split()
        if len(words) >= 5 and words[3].isdigit() and words[-1] != "total" and int(words[3]) >= 200:
            found[words[-1]] = round(int(words[3]) / 2000, 2)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true", help="record the figures instead of comparing them")
    args = parser.parse_args()
    harness.has("cc", "valgrind", "callgrind_control", "strace", "taskset")
    with harness.Bench() as bench:
        counted, functions = instructions(bench)
        if args.update:
            listed = instructions(bench, log=True)[1]
            ORDER.write_text("\n".join(sorted(listed, key=listed.get, reverse=True)) + "\n")
        counted = {"instructions": counted, "allocations in 10,000 requests": allocations(bench),
                   "system calls": system_calls(bench)}
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    failures = []
    for name, value in counted["instructions"].items():
        limit = recorded.get("instructions", {}).get(name)
        print(f"{name:24} {value:9,} instructions a request" + (f", recorded {limit:,}" if limit else ""))
        if limit and value > limit * TOLERANCE:
            failures.append(f"{name}: {value:,} instructions, {value / limit - 1:.1%} more than recorded")
        if limit and value * TOLERANCE < limit:
            print(f"{'':24} less than recorded: run it with --update and commit the record")
    for name, value in counted["allocations in 10,000 requests"].items():
        print(f"{name:24} {value:9,} allocations in 10,000 requests")
        # The heartbeat of a worker, once a second, is not part of a request.
        if value > 500:
            failures.append(f"{name}: {value:,} allocations in 10,000 requests; a request is to make none")
    print("system calls of a plain request: " + ", ".join(f"{name} {value}" for name, value in counted["system calls"].items()))
    beyond = sum(value for name, value in counted["system calls"].items() if name != "epoll_wait")
    if beyond > 4.05:
        failures.append(f"{beyond:.2f} system calls a plain request beyond epoll_wait; four are needed")
    listed = set(ORDER.read_text().split())
    share = sum(own for name, own in functions.items() if name in listed) / sum(functions.values())
    print(f"functions that {ORDER.name} names do {share:.1%} of it")
    if share < LISTED:
        failures.append(f"functions that {ORDER.name} names do {share:.1%} of a request: run it with --update, build, run it again")
    if args.update:
        RECORD.write_text(json.dumps(counted, indent=1) + "\n")
        print(f"recorded in {RECORD.relative_to(harness.ROOT)}")
        return
    for failure in failures:
        print(f"guard: {failure}", file=sys.stderr)
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    main()
