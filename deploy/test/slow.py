#!/usr/bin/env python3
"""slow.py SECONDS: an upstream that answers after that long; prints its port."""

import http.server
import json
import sys
import time

ANSWER = {
    "id": "1", "object": "chat.completion", "created": 1, "model": "slow",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "at last"}}],
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(float(sys.argv[1]))
        body = json.dumps(ANSWER).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
