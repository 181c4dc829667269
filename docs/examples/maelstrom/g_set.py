#!/usr/bin/env python3
"""A set that grows: everybody tells everybody all of it, now and then."""
from maelstrom import Node

node, elements = Node(), set()


@node.on("add")
def add(message):
    elements.add(message["body"]["element"])
    node.reply(message, {"type": "add_ok"})


@node.on("read")
def read(message):
    node.reply(message, {"type": "read_ok", "value": sorted(elements)})


@node.on("merge")
def merge(message):
    elements.update(message["body"]["elements"])


def tell():
    for other in node.ids:
        if other != node.id:
            node.send(other, {"type": "merge", "elements": sorted(elements)})


node.every(0.3, tell)
node.run()
