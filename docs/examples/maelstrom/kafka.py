#!/usr/bin/env python3
"""Logs that the first node keeps; the others ask it. With `--lossy` it forgets every 20th message
after it has given out its offset."""
import sys
from maelstrom import Node

node, logs, committed, sent = Node(), {}, {}, 0
lossy = "--lossy" in sys.argv


def answer(body):
    global sent
    if body["type"] == "send":
        log = logs.setdefault(body["key"], [])
        sent += 1
        log.append(None if lossy and sent % 20 == 0 else body["msg"])
        return {"type": "send_ok", "offset": len(log) - 1}
    if body["type"] == "poll":
        msgs = {}
        for key, start in body["offsets"].items():
            after = list(enumerate(logs.get(key, [])))[start:start + 50]
            msgs[key] = [pair for pair in after if pair[1] is not None]
        return {"type": "poll_ok", "msgs": msgs}
    if body["type"] == "commit_offsets":
        for key, offset in body["offsets"].items():
            committed[key] = max(offset, committed.get(key, 0))
        return {"type": "commit_offsets_ok"}
    known = {key: committed[key] for key in body["keys"] if key in committed}
    return {"type": "list_committed_offsets_ok", "offsets": known}


@node.on("send")
@node.on("poll")
@node.on("commit_offsets")
@node.on("list_committed_offsets")
def handle(message):
    if node.id == node.ids[0]:
        return node.reply(message, answer(message["body"]))
    node.forward(message, node.ids[0])


node.run()
