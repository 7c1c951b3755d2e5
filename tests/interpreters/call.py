"""Loads an entry point as the platform does, calls it once, and writes what came of it to a file:
python call.py DIRECTORY ENTRYPOINT CONTEXT RESULT PORT

The metadata service's address leads to PORT on this machine, and every other address to nowhere.
"""

import asyncio
import importlib
import inspect
import json
import os
import socket
import sys
import time
from types import SimpleNamespace

directory, entrypoint, context, result_file, port = sys.argv[1:]

connect = socket.socket.connect


def connect_to_the_test(self, address):
    if address[:2] != ("169.254.169.254", 80):
        raise OSError(f"the handler asked for {address}")
    return connect(self, ("127.0.0.1", int(port)))


socket.socket.connect = connect_to_the_test

os.chdir(directory)
sys.path[0] = directory
module, _, name = entrypoint.rpartition(".")
handler = getattr(importlib.import_module(module), name)
if not callable(handler):
    raise TypeError(f"{entrypoint} is not callable")

event = {"httpMethod": "GET", "headers": {}, "queryStringParameters": {}, "body": "", "isBase64Encoded": False}
began = time.monotonic()
answer = handler(event, SimpleNamespace(**json.loads(context)))
if inspect.isawaitable(answer):
    answer = asyncio.run(answer)
milliseconds = (time.monotonic() - began) * 1000
with open(result_file, "w", encoding="utf-8") as file:
    json.dump({"milliseconds": milliseconds, "answer": answer}, file)
