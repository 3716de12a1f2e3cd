"""As much of a client as the checks need: requests with JSON, a WebSocket, and an endpoint for push."""

import base64
import http.client
import json
import os
import socket
import ssl
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Client:
    """A connection that is kept to one node."""

    def __init__(self, address, ca_file=None):
        host, port = address.rsplit(":", 1)
        self._address = (host, int(port))
        self._tls = ssl.create_default_context(cafile=str(ca_file)) if ca_file else None
        if self._tls:
            self._connection = http.client.HTTPSConnection(host, int(port), timeout=20, context=self._tls)
        else:
            self._connection = http.client.HTTPConnection(host, int(port), timeout=20)

    def call(self, method, path, body=None, headers=None):
        """Status and body, which is read as JSON if it is."""
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, body=text, headers={"Content-Type": "application/json"} | (headers or {}))
        answer = self._connection.getresponse()
        content = answer.read()
        try:
            return answer.status, json.loads(content)
        except ValueError:
            return answer.status, content.decode(errors="replace")

    def ask(self, method, path, body=None, headers=None):
        """The body of an answer that has to be a success."""
        status, answer = self.call(method, path, body, headers)
        if status >= 300:
            raise SystemExit(f"scripts/check-deployments: {method} {path} was answered {status}: {answer}")
        return answer

    def websocket(self, frame):
        """Opens a WebSocket, sends one frame, and returns the payload of the first one that comes."""
        raw = socket.create_connection(self._address, timeout=20)
        stream = self._tls.wrap_socket(raw, server_hostname=self._address[0]) if self._tls else raw
        key = base64.b64encode(os.urandom(16)).decode()
        stream.sendall(
            f"GET /v1/ws HTTP/1.1\r\nHost: {self._address[0]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        reader = stream.makefile("rb")
        status = reader.readline()
        while reader.readline().strip():
            pass
        if b" 101 " not in status:
            raise SystemExit(f"scripts/check-deployments: the WebSocket was answered {status!r}")
        text, mask = json.dumps(frame).encode(), os.urandom(4)
        if len(text) > 125:
            raise SystemExit("scripts/check-deployments: the frame is too long for this client")
        stream.sendall(bytes([0x81, 0x80 | len(text)]) + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(text)))
        length = reader.read(2)[1]
        if length == 126:
            [length] = struct.unpack(">H", reader.read(2))
        answer = json.loads(reader.read(length))
        stream.close()
        return answer


class Endpoint:
    """Takes what push subscriptions send, and counts it."""

    def __init__(self):
        self.received = 0
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                endpoint.received += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/push"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
