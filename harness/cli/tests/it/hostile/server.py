"""A server that answers /health as it should and everything else with MODE."""
import os
import socket
import sys
import threading
import time

MODE = os.environ["MODE"]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: "


def flood(out):
    while True:
        out.write(b"noise " * 1000 + b"\n")


def answer(connection):
    if MODE == "huge":
        connection.sendall(HEAD + b"1000000000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"7" * 1_000_000)
    elif MODE == "endless":
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10\r\n" + b"7" * 16 + b"\r\n")
    elif MODE == "bytes":
        connection.sendall(HEAD + b"4\r\n\r\n\xff\xfe\xfd\x00")
    elif MODE == "stuck":
        connection.sendall(HEAD + b"10\r\n\r\n123")
        time.sleep(1000)
    elif MODE == "late":
        time.sleep(0.6)
        connection.sendall(HEAD + b"1\r\n\r\n7")
    elif MODE == "garbage":
        connection.sendall(b"\x00\x01 this is no HTTP \r\n\r\n")
    elif MODE == "headers":
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-Long: " + b"y" * 100_000)
    elif MODE == "silent":
        time.sleep(1000)
    elif MODE == "flood":
        connection.sendall(HEAD + b"5\r\n\r\nnoise")


def serve(connection):
    while True:
        request = b""
        while b"\r\n\r\n" not in request:
            data = connection.recv(4096)
            if not data:
                return
            request += data
        if b"/health" in request:
            connection.sendall(HEAD + b"2\r\n\r\nok")
        else:
            answer(connection)
            if MODE != "late":
                return connection.close()


if MODE == "flood":
    for out in (sys.stdout.buffer, sys.stderr.buffer):
        threading.Thread(target=flood, args=(out,)).start()
host, port = sys.argv[1].split(":")
listener = socket.create_server((host, int(port)), backlog=100)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
