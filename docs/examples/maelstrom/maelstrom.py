"""What every node here needs: messages in, messages out."""
import json
import sys
import threading


class Node:
    def __init__(self):
        self.id, self.ids, self.handlers, self.waiting = None, [], {}, {}
        self.lock, self.last = threading.RLock(), 0

    def on(self, kind):
        """Says which function handles messages of this type."""
        return lambda handler: self.handlers.setdefault(kind, handler)

    def send(self, dest, body):
        with self.lock:
            print(json.dumps({"src": self.id, "dest": dest, "body": body}), flush=True)

    def reply(self, message, body):
        self.send(message["src"], {**body, "in_reply_to": message["body"]["msg_id"]})

    def ask(self, dest, body, then):
        """Sends a request; `then` is called with the body of the answer, if one comes."""
        with self.lock:
            self.last += 1
            self.waiting[self.last] = then
            self.send(dest, {**body, "msg_id": self.last})

    def forward(self, message, dest, then=lambda body: None):
        """Lets another node answer."""
        def have(body):
            then(body)
            self.reply(message, {k: v for k, v in body.items() if k != "in_reply_to"})
        self.ask(dest, {k: v for k, v in message["body"].items() if k != "msg_id"}, have)

    def every(self, seconds, work):
        """Does something again and again."""
        def loop():
            while True:
                with self.lock:
                    work()
                threading.Event().wait(seconds)
        threading.Thread(target=loop, daemon=True).start()

    def run(self):
        for line in sys.stdin:
            message = json.loads(line)
            body = message["body"]
            with self.lock:
                if body["type"] == "init":
                    self.id, self.ids = body["node_id"], body["node_ids"]
                    self.reply(message, {"type": "init_ok"})
                elif "in_reply_to" in body:
                    then = self.waiting.pop(body["in_reply_to"], None)
                    if then:
                        then(body)
                else:
                    self.handlers[body["type"]](message)
