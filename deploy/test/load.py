#!/usr/bin/env python3
"""load.py PORT [--new] [--clients N]: asks for completions until SIGTERM, then prints one JSON object of counts.

Kept-alive connections, or with --new one for each request. `failed` counts refused and reset connections, answers cut
short, other statuses than 200 and silence of 20 s; `reopened` connections that the server closed between two requests.
"""

import argparse
import http.client
import json
import signal
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("--new", action="store_true")
parser.add_argument("--clients", type=int, default=8)
parser.add_argument("--model", default="hello")
options = parser.parse_args()

stop = threading.Event()
lock = threading.Lock()
counts = {"requests": 0, "failed": 0, "reopened": 0, "slowest_ms": 0, "answers": {}, "errors": {}}
body = json.dumps({"model": options.model, "messages": [{"role": "user", "content": "?"}]})


def ask(connection):
    begun = time.monotonic()
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    data = response.read()
    if response.status != 200:
        raise RuntimeError(f"status {response.status}")
    return json.loads(data)["choices"][0]["message"]["content"], begun, response.will_close


def client():
    connection = None
    while not stop.is_set():
        try:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", options.port, timeout=20)
            answer, begun, closes = ask(connection)
            with lock:
                counts["requests"] += 1
                counts["answers"][answer] = counts["answers"].get(answer, 0) + 1
                counts["slowest_ms"] = max(counts["slowest_ms"], round((time.monotonic() - begun) * 1000))
                counts["reopened"] += closes and not options.new
            if options.new or closes:
                connection.close()
                connection = None
        except (OSError, RuntimeError, http.client.HTTPException, ValueError, KeyError) as error:
            with lock:
                counts["requests"] += 1
                counts["failed"] += 1
                name = f"{type(error).__name__}: {error}"
                counts["errors"][name] = counts["errors"].get(name, 0) + 1
            connection.close()
            connection = None
            time.sleep(0.02)
        time.sleep(0.01)


signal.signal(signal.SIGTERM, lambda *_: stop.set())
threads = [threading.Thread(target=client, daemon=True) for _ in range(options.clients)]
for thread in threads:
    thread.start()
# An empty line, which JSON does not mind: it has begun.
print(flush=True)
while not stop.wait(0.2):
    pass
for thread in threads:
    thread.join(25)
print(json.dumps(counts))
