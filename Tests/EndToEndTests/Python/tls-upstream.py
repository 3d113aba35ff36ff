"""An HTTPS upstream: answers every request once per connection, and prints what each handshake looked like.

    tls-upstream.py CERTIFICATES KEY [1.1|1.2|1.3]

The first line is the port; then one JSON object for each handshake, or for its failure.
"""

import json
import socket
import ssl
import sys
import warnings

# That 1.1 is old is the point of it.
warnings.simplefilter("ignore", DeprecationWarning)
certificates, key = sys.argv[1:3]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificates, key)
context.set_alpn_protocols(["h2", "http/1.1"])
if len(sys.argv) > 3:
    version = ssl.TLSVersion["TLSv" + sys.argv[3].replace(".", "_")]
    if version < ssl.TLSVersion.TLSv1_2:
        # This side offers it in earnest, so that it is the gateway that refuses.
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version

names = {}
context.sni_callback = lambda connection, name, _: names.__setitem__(connection, name)
listener = socket.create_server(("127.0.0.1", 0))


def say(value):
    print(value if isinstance(value, int) else json.dumps(value), flush=True)


def read_request(connection):
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, body = received.split(b"\r\n\r\n", 1)
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    while len(body) < length:
        body += connection.recv(65536)


ANSWER = json.dumps(
    {
        "id": "t",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "over tls"}}],
    }
).encode()

say(listener.getsockname()[1])
while True:
    plain, _ = listener.accept()
    plain.settimeout(10)
    try:
        with context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as connection:
            connection.do_handshake()
            say(
                {
                    "name": names.get(connection),
                    "protocol": connection.selected_alpn_protocol(),
                    "version": connection.version(),
                    "reused": connection.session_reused,
                }
            )
            read_request(connection)
            head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"
            connection.sendall((head % len(ANSWER)).encode() + ANSWER)
            connection.unwrap()
    except (OSError, ValueError) as error:
        say({"failure": str(error)})
