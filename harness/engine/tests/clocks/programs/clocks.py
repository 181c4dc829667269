# For every line read: the time in three ways, from a thread that was there from the start, from a
# forked child and from another program.
import os, queue, subprocess, sys, threading, time

asked, answered = queue.Queue(), queue.Queue()

def thread():
    while asked.get():
        answered.put(time.time_ns())

def text(name, ns):
    return "%s=%d.%09d" % (name, ns // 10**9, ns % 10**9)

threading.Thread(target=thread, daemon=True).start()
for _ in sys.stdin:
    asked.put(True)
    words = [text("python", time.time_ns()), text("thread", answered.get())]
    words.append(text("clock_gettime", time.clock_gettime_ns(time.CLOCK_REALTIME)))
    words.append(text("mono", time.monotonic_ns()))
    time.sleep(0.001)
    r, w = os.pipe()
    if os.fork() == 0:
        os.write(w, text("forked", time.time_ns()).encode())
        os._exit(0)
    os.wait()
    words.append(os.read(r, 100).decode())
    os.close(r)
    os.close(w)
    words.append(subprocess.run(["date", "+exec=%s.%N"], capture_output=True, text=True).stdout.strip())
    print(*words, flush=True)
