#!/usr/bin/env python3
"""A client for danso in Python: a JSON line in for each operation, a JSON line out."""
import json
import sys
import urllib.error
import urllib.request


def ask(op):
    url = f"http://{op['address']}/{op['key']}"
    body = None if op["f"] == "read" else str(op["value"]).encode()
    request = urllib.request.Request(url, body, method="PUT" if body else "GET")
    try:
        answer = urllib.request.urlopen(request, timeout=2).read()
        return {"type": "ok", "value": int(answer) if op["f"] == "read" else None}
    except urllib.error.HTTPError as error:
        if error.code == 404:  # nothing was ever written
            return {"type": "ok", "value": None}
        return {"type": "info", "error": f"http-{error.code}"}  # it may have happened
    except Exception as error:
        return {"type": "info", "error": str(error)}

for line in sys.stdin:
    op = json.loads(line)
    print(json.dumps({"op": op["op"]} | ask(op)), flush=True)
