"""An HTTP proxy: tunnels for CONNECT, requests in absolute form for everything else.

The first line is the port; then one JSON object for each request: its first line and its Proxy-Authorization.
"""

import json
import select
import socket
import threading
from urllib.parse import urlsplit

listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)


def pump(first, second):
    while True:
        for ready in select.select([first, second], [], [], 30)[0]:
            try:
                data = ready.recv(65536)
            except ConnectionResetError:
                return
            if not data:
                return
            (second if ready is first else first).sendall(data)


def serve(client):
    with client:
        received = b""
        while b"\r\n\r\n" not in received:
            received += client.recv(65536)
        head, rest = received.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        case_kept = dict((line.split(":")[0].lower(), line.split(": ", 1)[1]) for line in lines[1:])
        print(
            json.dumps({"line": lines[0], "authorization": case_kept.get("proxy-authorization"), "host": fields["host"]}),
            flush=True,
        )
        method, target, version = lines[0].split(" ")
        if method == "CONNECT":
            host, port = target.rsplit(":", 1)
            with socket.create_connection((host.strip("[]"), int(port)), 10) as upstream:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                pump(client, upstream)
            return
        url = urlsplit(target)
        with socket.create_connection((url.hostname, url.port or 80), 10) as upstream:
            lines[0] = f"{method} {url.path} {version}"
            kept = [line for line in lines if not line.lower().startswith("proxy-")]
            upstream.sendall("\r\n".join(kept).encode() + b"\r\n\r\n" + rest)
            pump(client, upstream)


while True:
    threading.Thread(target=serve, args=listener.accept()[:1], daemon=True).start()
