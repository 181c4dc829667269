#!/usr/bin/env python3
"""A small replicated key-value store, as somebody might write it who has never heard of danso.

kv.py ADDRESS PEER,PEER: the lowest address is the primary. The others pass everything on to it;
with READS=local in the environment they answer reads from their own copy. Some answers are 500,
some take for ever, and everything is in memory only.
"""
import http.client
import os
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ME, PEERS = sys.argv[1], [peer for peer in sys.argv[2].split(",") if peer]
PRIMARY = min([ME, *PEERS])
LOCAL = ME == PRIMARY or os.environ.get("READS") == "local"
store = {}


def send(address, method, path, body=None, timeout=3):
    connection = http.client.HTTPConnection(address, timeout=timeout)
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def copy(peer, path, body):
    try:
        send(peer, "PUT", "/copy" + path, body, 0.2)
    except (OSError, http.client.HTTPException):
        pass  # it will miss this one


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body=b""):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def respond(self, mine, body=None):
        if random.random() < 0.003:
            time.sleep(5)
        if random.random() < 0.01:
            self.answer(500, b"out of luck")
        elif mine:
            self.answer(*self.apply(body))
        else:
            self.answer(*send(PRIMARY, self.command, self.path, body))

    def apply(self, body):
        if self.command == "GET":
            value = store.get(self.path)
            return (404, b"") if value is None else (200, value)
        store[self.path] = body
        for peer in PEERS:
            threading.Thread(target=copy, args=(peer, self.path, body)).start()
        return 200, b""

    def do_GET(self):
        role = b"primary" if ME == PRIMARY else b"replica"
        self.answer(200, role) if self.path == "/role" else self.respond(LOCAL)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.path.startswith("/copy/"):
            return self.respond(ME == PRIMARY, body)
        store[self.path.removeprefix("/copy")] = body
        self.answer(200)


host, port = ME.split(":")
ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
