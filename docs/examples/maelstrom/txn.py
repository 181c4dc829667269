#!/usr/bin/env python3
"""Lists that the first node keeps; the others ask it. With `--dirty` a transaction now and then
aborts in its middle, and what it has appended stays."""
import random
import sys
from maelstrom import Node

node, lists = Node(), {}
dirty = "--dirty" in sys.argv


@node.on("txn")
def txn(message):
    if node.id != node.ids[0]:
        return node.forward(message, node.ids[0])
    done = []
    for f, key, value in message["body"]["txn"]:
        if dirty and done and random.random() < 0.1:
            return node.reply(message, {"type": "error", "code": 14, "text": "abort"})
        if f == "append":
            lists.setdefault(key, []).append(value)
        done.append([f, key, value if f == "append" else list(lists.get(key, []))])
    node.reply(message, {"type": "txn_ok", "txn": done})


node.run()
