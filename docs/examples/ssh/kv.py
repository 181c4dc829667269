"""A key-value store of three nodes: the first keeps everything in files, the others ask it."""
import http.server, os, sys, threading, urllib.error, urllib.request

me, first = sys.argv[1:3]
lock = threading.Lock()
log = open("kv.log", "a")


class Node(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def say(self, code, body=b""):
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def ask_first(self, body=None):
        ask = urllib.request.Request("http://" + first + self.path, body, method=self.command)
        try:
            with urllib.request.urlopen(ask, timeout=1) as answer:
                self.say(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            self.say(error.code)
        except OSError as error:
            self.say(500, str(error).encode())

    def do_GET(self):
        if self.path == "/health":
            self.say(200)
        elif me != first:
            self.ask_first()
        else:
            with lock:
                known = os.path.exists(self.name())
                body = open(self.name(), "rb").read() if known else b""
            self.say(200 if known else 404, body)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if me != first:
            return self.ask_first(body)
        with lock:
            with open("new", "wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.rename("new", self.name())
        self.say(200)

    def name(self):
        return self.path.strip("/").replace("/", "_")

    def log_message(self, *words):
        print(*words, file=log, flush=True)


host, port = me.split(":")
http.server.ThreadingHTTPServer((host, int(port)), Node).serve_forever()
