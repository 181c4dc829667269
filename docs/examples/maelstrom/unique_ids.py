#!/usr/bin/env python3
"""Ids from a node's name and a number of its own; `--forget` leaves the name out."""
import os
import sys
from maelstrom import Node

node, count = Node(), 0


@node.on("generate")
def generate(message):
    global count
    count += 1
    # A node that was started again must not begin where it began before.
    name = [] if "--forget" in sys.argv else [node.id, os.urandom(8).hex()]
    node.reply(message, {"type": "generate_ok", "id": "-".join([*name, str(count)])})


node.run()
