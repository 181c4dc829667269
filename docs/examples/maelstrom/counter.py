#!/usr/bin/env python3
"""A counter in the service seq-kv: each node keeps its own sum there, under its own name.
With `--shared` all nodes keep one sum together, and overwrite what others added."""
import sys
from maelstrom import Node

node, sums, waiting = Node(), {}, []
shared = "--shared" in sys.argv


def mine():
    return "all" if shared else node.id


def work():
    """One addition after the other: reads the sum, writes it with what is added."""
    message = waiting[0]

    def have(answer):
        if answer["type"] == "error" and answer["code"] != 20:
            return done({"type": "error", "code": 11, "text": "the store is not there"})
        total = answer.get("value", 0) + message["body"]["delta"]
        node.ask("seq-kv", {"type": "write", "key": mine(), "value": total},
                 lambda _: done({"type": "add_ok"}))

    def done(body):
        node.reply(waiting.pop(0), body)
        if waiting:
            work()

    node.ask("seq-kv", {"type": "read", "key": mine()}, have)


@node.on("add")
def add(message):
    waiting.append(message)
    if len(waiting) == 1:
        work()


@node.on("read")
def read(message):
    node.reply(message, {"type": "read_ok", "value": sum(sums.values())})


def refresh():
    """What others added. A write shows a node the newest state, so it writes something."""
    node.ask("seq-kv", {"type": "write", "key": "look-" + str(node.id), "value": node.last},
             lambda _: [look(key) for key in (["all"] if shared else node.ids)])


def look(key):
    def have(answer):
        if answer["type"] == "read_ok":
            sums[key] = answer["value"]
    node.ask("seq-kv", {"type": "read", "key": key}, have)


node.every(0.2, lambda: node.id and refresh())
node.run()
