#!/usr/bin/env python3
"""Messages go to all neighbours, again and again until they say that they have them.
`--once` does not try again: a message that is lost on its way is lost for good."""
import sys
from maelstrom import Node

node, seen, neighbours, unheard = Node(), set(), [], {}
once = "--once" in sys.argv


def learn(values, source=None):
    for value in values:
        if value not in seen:
            seen.add(value)
            for neighbour in neighbours:
                if neighbour != source:
                    unheard[neighbour].add(value)


def gossip():
    for neighbour, values in unheard.items():
        if values:
            told = sorted(values)[:200]
            node.ask(neighbour, {"type": "gossip", "values": told},
                     lambda _, n=neighbour, t=told: unheard[n].difference_update(t))
            if once:
                values.clear()


@node.on("topology")
def topology(message):
    neighbours[:] = message["body"]["topology"][node.id]
    for neighbour in neighbours:
        unheard.setdefault(neighbour, set())
    node.reply(message, {"type": "topology_ok"})


@node.on("broadcast")
def broadcast(message):
    learn([message["body"]["message"]])
    node.reply(message, {"type": "broadcast_ok"})


@node.on("gossip")
def hear(message):
    learn(message["body"]["values"], message["src"])
    node.reply(message, {"type": "gossip_ok"})


@node.on("read")
def read(message):
    node.reply(message, {"type": "read_ok", "messages": sorted(seen)})


node.every(0.1, gossip)
node.run()
