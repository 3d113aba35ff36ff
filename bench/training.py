#!/usr/bin/env python3
"""What requests run, and how often, for the optimiser: drives an executable that counts (`make profile` builds it)
through the scenarios of the benchmark and writes Sources/profile.txt, in the text form of llvm-profdata(1)."""

import os
import pathlib
import subprocess
import sys

import bench as benchmark
import harness

PROFILE = harness.ROOT / "Sources" / "profile.txt"


def train(folder):
    """Ends with the counts of the supervisor and of its workers in `folder`."""
    counting = {"LLVM_PROFILE_FILE": f"{folder}/%p.profraw"}
    with harness.Bench() as bench:
        port, certificate = bench.tls_upstream()
        plain = bench.tagway(bench.config(), env=counting)
        tls = bench.tagway(bench.config(scheme="https", ports=[port], verify=certificate), env=counting)
        for scenario in benchmark.SCENARIOS:
            benchmark.run(scenario, 1, [tls if scenario.tls else plain], bench,
                          lambda load: {**load(), "distance": 0, "quiet": True})
        # The counts are written as a process exits, the supervisor last.
        for gateway in (plain, tls):
            gateway.process.terminate()
            gateway.process.wait(timeout=30)


def functions(text, objects):
    """The functions that ran, as (name, lines behind it), with `objects`, the folder of the object files that precedes the
    names of a module's own functions, made independent of where it lies."""
    for record in text.partition(":ir\n")[2].split("\n\n"):
        lines = [line.replace(objects, "objects/") for line in record.splitlines() if not line.startswith("#")]
        if len(lines) < 3:
            continue
        name, digest, count = lines[:3]
        end = 3 + int(count)
        if any(int(line) for line in lines[3:end]):
            # No bytes of a bitmap, said expressly: a next name, which begins with $, would be read as their number.
            yield name, [digest, count, *lines[3:end], "$0", *lines[end:]]


def main():
    profdata = sys.argv[1]
    harness.has("cc", "nginx", "openssl", "taskset")
    folder = harness.ROOT / ".build" / "training"
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.profraw"):
        file.unlink()
    train(folder)
    text = subprocess.run([profdata, "merge", "-text", "-o", "-", *folder.glob("*.profraw")], check=True, capture_output=True,
                          text=True).stdout
    ran = sorted(functions(text, f"{pathlib.Path(os.path.realpath(harness.TAGWAY)).parent}/"))
    PROFILE.write_text("\n".join([":ir", *(line for name, lines in ran for line in [name, *lines])]) + "\n")
    print(f"{len(ran)} functions ran; wrote {PROFILE.relative_to(harness.ROOT)}")


if __name__ == "__main__":
    main()
