"""An upstream whose one stream of events has as many bytes as the argument says, sent as fast as they go. What asks for no
stream before that is answered at once, on the same connection.

The first line is the port; then, after each piece, the number of bytes that were taken from it so far.
"""

import json
import socket
import sys

total = int(sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
event = json.dumps(
    {
        "id": "f",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": "x" * 16000}}],
    }
)
data = f"data: {event}\n\n"
piece = f"{len(data):x}\r\n{data}\r\n".encode()
client, _ = listener.accept()
while b'"stream":true' not in client.recv(65536):
    client.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
client.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
sent = 0
while sent < total:
    client.sendall(piece)
    sent += len(piece)
    print(json.dumps({"sent": sent}), flush=True)
last = "data: [DONE]\n\n"
client.sendall(f"{len(last):x}\r\n{last}\r\n0\r\n\r\n".encode())
client.recv(1)
