#!/usr/bin/env python3
from maelstrom import Node

node = Node()


@node.on("echo")
def echo(message):
    node.reply(message, {"type": "echo_ok", "echo": message["body"]["echo"]})


node.run()
