"""A register store that writes down what it was told: told.py LISTEN DATA WORDS..."""
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

listen, data = sys.argv[1:3]
store = {}


def note(name, text):
    with open(os.path.join(data, name), "a") as file:
        file.write(text + "\n")


def leave(number, _):
    note("signals", signal.Signals(number).name)
    threading.Thread(target=lambda: (time.sleep(1), note("signals", "done"), os._exit(0))).start()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, text=""):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_GET(self):
        if self.path == "/role":
            return self.answer(200, os.environ.get("LEADS", "no"))
        value = store.get(self.path)
        self.answer(404) if value is None else self.answer(200, value)

    def do_PUT(self):
        store[self.path] = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.answer(200)


for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, leave)
conf = os.environ.get("CONF")
files = {f: open(os.path.join(conf, f)).read() for f in os.listdir(conf)} if conf else {}
told = {"words": sys.argv[3:], "env": dict(os.environ), "cwd": os.getcwd(), "uid": os.getuid()}
note("told.json", json.dumps(told | {"files": files, "at": time.monotonic()}))
note("own.log", "its own words")
# Only a node that starts for the first time says so.
if len(open(os.path.join(data, "told.json")).readlines()) == 1:
    print("serving", flush=True)
host, port = listen.split(":")
ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
