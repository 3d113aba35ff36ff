#!/usr/bin/env python3
"""How the cost of a request grows with connections, bodies, deployments, streams and workers; and what a start and a
reload cost. Writes docs/img/growth.svg. `make growth` runs it.

More than one worker on a machine with two cores shares them with load and upstream: that panel shows CPU time per
request, which should not grow, not throughput."""

import argparse
import json
import pathlib
import re
import signal
import threading
import time

import chart
import harness


def cost(bench, gateway, kind, bodies, rounds=2, **options):
    """The least CPU time per request of some rounds: what others do on the machine only adds to it."""
    cells = []
    for _ in range(rounds):
        if kind == "closed":
            bench.load("closed", gateway.port, bodies, connections=options["connections"], seconds=0.3)
        cells.append(bench.measure(gateway, kind, bodies, **options))
    # A process that was scheduled between two ticks of the kernel's clock only seems to have used none.
    best = min((cell for cell in cells if cell["cpu_us"] > 0), key=lambda cell: cell["cpu_us"])
    best["errors"] = sum(cell["errors"] for cell in cells)
    return best


def say(panel, x, found):
    print(f"{panel:12} {x:>9,}  " + "  ".join(f"{name} {value:,.2f}" for name, value in found.items()), flush=True)


def sweep(bench, panel, values, measure, series):
    gateways = [bench.nginx(), bench.tagway(bench.config())]
    for value in values:
        found = {}
        for gateway in gateways:
            cell = measure(gateway, value)
            found[gateway.name] = cell["cpu_us"]
            if cell["errors"]:
                print(f"{panel} {value} {gateway.name}: {cell['errors']} errors")
            series.setdefault(gateway.name, []).append((value, cell["cpu_us"]))
        say(panel, value, found)
    for gateway in gateways:
        harness.stop(gateway.process)


def connections(bench, series):
    bodies = [bench.body(200, i) for i in (0, 1)]
    sweep(bench, "connections", [1, 4, 16, 64, 256, 1024],
          lambda g, n: cost(bench, g, "closed", bodies, connections=n, seconds=1.5), series)


def bodies(bench, series):
    sweep(bench, "body", [200, 4 << 10, 32 << 10, 256 << 10, 1 << 20, 8 << 20],
          lambda g, n: cost(bench, g, "closed", [bench.body(n, i) for i in (0, 1)], connections=8, seconds=1.5), series)


def streams(bench, series):
    bench.set_answers(60, 50)
    files = [bench.body(200, i, True) for i in (0, 1)]
    # Few streams take a while to use more than a tick of the kernel's clock; one alone would need a minute.
    sweep(bench, "streams", [10, 100, 1000, 5000],
          lambda g, n: cost(bench, g, "streams", files, rounds=1, connections=n, seconds=max(1.2, 150 / n)), series)


def deployments(bench, series, memory):
    for count in (1, 10, 100, 1000, 10_000):
        gateway = bench.tagway(bench.config(count))
        body = [bench.body(200, 0)]
        cell = cost(bench, gateway, "closed", body, connections=64, seconds=1.5)
        series.setdefault("tagway", []).append((count, cell["cpu_us"]))
        memory.setdefault("tagway", []).append((count, cell["peak_mb"]))
        say("deployments", count, {"µs": cell["cpu_us"], "MB": cell["peak_mb"]})
        harness.stop(gateway.process)


def workers(bench, series):
    files = [bench.body(200, i) for i in (0, 1)]
    for count in (1, 2, 3, 4):
        gateway = bench.tagway(bench.config(), workers=count)
        cell = cost(bench, gateway, "closed", files, connections=64, seconds=1.5)
        series.setdefault("tagway", []).append((count, cell["cpu_us"]))
        say("workers", count, {"µs": cell["cpu_us"], "per second": cell["per_second"]})
        harness.stop(gateway.process)


def events(bench, name):
    """The lines of the gateway's log that tell of an event."""
    log = bench.folder / "tagway.log"
    text = log.read_text(errors="replace") if log.exists() else ""
    return [json.loads(line) for line in text.splitlines() if f'"event":"{name}"' in line]


def begin(bench, series):
    """Milliseconds from the start of the process to `ready`, by deployments."""
    for count in (1, 10, 100, 1000, 10_000):
        config, took = bench.config(count), []
        for _ in range(3):
            known = len(events(bench, "ready"))
            begun = time.time()
            process = bench.start("tagway", [harness.TAGWAY, "serve", "--config", config, "--port", harness.free_port(),
                                             "--workers", 2], harness.GATEWAY_CORE | harness.LOAD_CORE)
            harness.wait_until(lambda: events(bench, "ready")[known], process)
            stamp = events(bench, "ready")[known]["ts"]
            took.append((timestamp(stamp) - begun) * 1000)
            harness.stop(process)
        series.setdefault("tagway", []).append((count, min(took)))
        say("start", count, {"ms": min(took)})


def timestamp(text):
    import datetime
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def reload(bench, series):
    """Milliseconds from SIGHUP to the last worker's commit with 2 workers, by deployments; and what clients notice:
    the p99 of an open loop of 2,000 requests a second with a reload each 300 ms, beside a quiet one."""
    notice = {}
    for count in (10, 100, 1000, 10_000):
        config = bench.config(count)
        gateway = bench.tagway(config, workers=2, cores=harness.GATEWAY_CORE | harness.LOAD_CORE)
        text, took = config.read_text(), []
        body = [bench.body(200, 0)]

        def once(number):
            config.write_text(text + f"# {number}\n" + f"tagway:\n  client_idle_timeout: {100 + number}\n")
            known = len(events(bench, "reload"))
            begun = time.time()
            gateway.process.send_signal(signal.SIGHUP)
            harness.wait_until(lambda: events(bench, "reload")[known], gateway.process)
            return (timestamp(events(bench, "reload")[known]["ts"]) - begun) * 1000

        for number in range(5):
            took.append(once(number))
            time.sleep(0.1)
        quiet = bench.load("rate", gateway.port, body, connections=64, seconds=2, rate=2000)
        ended = threading.Event()

        def disturb():
            number = 100
            while not ended.wait(0.3):
                number += 1
                once(number)

        thread = threading.Thread(target=disturb)
        thread.start()
        busy = bench.load("rate", gateway.port, body, connections=64, seconds=2, rate=2000)
        ended.set()
        thread.join()
        notice[count] = (quiet["latency"]["p99"], busy["latency"]["p99"], quiet["errors"] + busy["errors"])
        series.setdefault("tagway", []).append((count, min(took)))
        say("reload", count, {"ms": min(took), "p99 quiet µs": notice[count][0], "p99 reloading µs": notice[count][1],
                              "errors": notice[count][2]})
        harness.stop(gateway.process)


PANELS = {
    "connections": ("CPU per request by connections", "connections", "µs"),
    "bodies": ("CPU per request by size of the body", "bytes", "µs"),
    "streams": ("CPU per event by concurrent streams", "streams of 20 events/s", "µs"),
    "deployments": ("CPU per request by deployments", "deployments", "µs"),
    "workers": ("CPU per request by workers", "workers", "µs"),
    "memory": ("Memory (PSS) by deployments", "deployments", "MB"),
    "start": ("Start to ready by deployments", "deployments", "ms"),
    "reload": ("Reload, two workers, by deployments", "deployments", "ms"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panels", default=",".join(PANELS))
    parser.add_argument("--results", type=pathlib.Path, default=harness.ROOT / ".build/growth.json")
    parser.add_argument("--chart", type=pathlib.Path, default=harness.ROOT / "docs/img/growth.svg")
    args = parser.parse_args()
    harness.has("cc", "nginx", "taskset")
    results = json.loads(args.results.read_text()) if args.results.exists() else {}
    wanted = args.panels.split(",")
    measure = {"connections": connections, "bodies": bodies, "streams": streams, "workers": workers, "start": begin,
               "reload": reload}
    args.chart.parent.mkdir(parents=True, exist_ok=True)
    args.results.parent.mkdir(parents=True, exist_ok=True)
    with harness.Bench() as bench:
        for name in [name for name in PANELS if name in wanted and name != "memory"]:
            series = results[name] = {}
            if name == "deployments":
                results["memory"] = {}
                deployments(bench, series, results["memory"])
            else:
                measure[name](bench, series)
            if name == "streams":
                bench.set_answers()
            # After each panel: all of them take ten minutes, and who stops earlier goes on with --panels.
            args.results.write_text(json.dumps(results, indent=1) + "\n")
            panels = [(title, x, y, results[key]) for key, (title, x, y) in PANELS.items() if results.get(key)]
            args.chart.write_text(chart.lines("Cost as work grows", panels, f"{harness.machine()}. make growth"))


if __name__ == "__main__":
    main()
