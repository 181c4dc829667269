import socketserver, sys, threading

total, lock = 0, threading.Lock()


class Line(socketserver.StreamRequestHandler):
    def handle(self):
        global total
        for line in self.rfile:
            word, number = line.split()
            with lock:
                total += int(number) if word == b"add" else 0
                self.wfile.write(b"%d\n" % total)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


Server((sys.argv[1], int(sys.argv[2])), Line).serve_forever()
