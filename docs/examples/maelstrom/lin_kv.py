#!/usr/bin/env python3
"""A store that the first node keeps; the others ask it. With `--cache` they answer reads from
what they have seen themselves."""
import sys
from maelstrom import Node

node, values, cache = Node(), {}, "--cache" in sys.argv


def answer(body):
    key = str(body["key"])
    if body["type"] == "write":
        values[key] = body["value"]
        return {"type": "write_ok"}
    if key not in values:
        return {"type": "error", "code": 20, "text": "key does not exist"}
    if body["type"] == "read":
        return {"type": "read_ok", "value": values[key]}
    if values[key] != body["from"]:
        return {"type": "error", "code": 22, "text": "it has another value"}
    values[key] = body["to"]
    return {"type": "cas_ok"}


@node.on("read")
@node.on("write")
@node.on("cas")
def handle(message):
    body = message["body"]
    key = str(body["key"])
    if node.id == node.ids[0]:
        return node.reply(message, answer(body))
    if cache and body["type"] == "read" and key in values:
        return node.reply(message, {"type": "read_ok", "value": values[key]})

    def have(said):
        if said["type"] == "read_ok":
            values[key] = said["value"]

    node.forward(message, node.ids[0], have)


node.run()
