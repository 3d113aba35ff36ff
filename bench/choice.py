#!/usr/bin/env python3
"""What choosing a deployment costs (tags read, group filtered, one picked and admitted) for groups of 10, 100 and 1,000
deployments and every strategy, on a scoreboard of four workers whose latency rings are full. Fails when a choice of 10
takes more than 2 µs, when 1,000 cost more than ten times what 100 do, or when anything is allocated. `make choice`."""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import harness

PROGRAM = harness.ROOT / ".build/release/tagway-choice"
STRATEGIES = ["simple-shuffle", "least-busy", "latency-based-routing", "usage-based-routing-v2", "cost-based-routing"]
SIZES = [10, 100, 1000]
LIMIT = 2.0
# Of the clock, not of the choice.
NOISE = 1.15


def run(strategy, size, workers, rounds, environment=None):
    command = ["taskset", "-c", "0", PROGRAM, strategy, size, workers, rounds]
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, env={**os.environ, **(environment or {})})
    text, _ = process.communicate(timeout=120)
    if process.returncode:
        raise SystemExit(f"choice: {' '.join(map(str, command))} ended with {process.returncode}")
    return process.pid, int(text)


def microseconds(strategy, size, workers):
    return min(run(strategy, size, workers, 1_000_000 // size)[1] for _ in range(3)) / 1000


def allocations(strategy, size, workers, folder):
    """In 50 rounds of the program beyond the first five."""
    counted = []
    for rounds in (1, 11):
        pid, _ = run(strategy, size, workers, rounds, {"LD_PRELOAD": str(folder / "count.so"), "COUNT_PREFIX": str(folder / "count")})
        counted.append(int.from_bytes((folder / f"count.{pid}").read_bytes(), sys.byteorder))
    return counted[1] - counted[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=4, help="workers whose attempts are added up (4)")
    args = parser.parse_args()
    harness.has("cc", "taskset")
    failures = []
    print("| strategy | " + " | ".join(f"{size:,}" for size in SIZES) + " | allocations |\n|---|" + "--:|" * (len(SIZES) + 1))
    with tempfile.TemporaryDirectory(prefix="tagway-choice-") as name:
        folder = pathlib.Path(name)
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", folder / "count.so", harness.HERE / "count_allocations.c", "-ldl"],
                       check=True)
        for strategy in STRATEGIES:
            times = [microseconds(strategy, size, args.workers) for size in SIZES]
            allocated = sum(allocations(strategy, size, args.workers, folder) for size in SIZES)
            print(f"| `{strategy}` | " + " | ".join(f"{time:.2f}" for time in times) + f" | {allocated} |", flush=True)
            if times[0] > LIMIT:
                failures.append(f"{strategy}: {times[0]:.2f} µs for {SIZES[0]} deployments, at most {LIMIT} are allowed")
            if times[2] > times[1] * SIZES[2] / SIZES[1] * NOISE:
                failures.append(f"{strategy}: {times[2]:.1f} µs for {SIZES[2]}, more than in proportion to {times[1]:.1f} for {SIZES[1]}")
            if allocated:
                failures.append(f"{strategy}: {allocated} allocations; a choice is to make none")
    for failure in failures:
        print(f"choice: {failure}", file=sys.stderr)
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    main()
