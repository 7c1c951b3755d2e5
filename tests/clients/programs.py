"""Programs of every kind that ask the metadata service, and what must go on beside as if nobody looked."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading

ADDRESS = "169.254.169.254"
PATH = "/computeMetadata/v1/instance/service-accounts/default/token"
REQUEST = ("GET %s HTTP/1.0\r\nMetadata-Flavor: Google\r\n\r\n" % PATH).encode()
CHILD = """import socket
connection = socket.create_connection((%r, 80))
connection.sendall(%r)
print(connection.makefile().read())
""" % (ADDRESS, REQUEST)


def token(answer):
    return json.loads(answer.split("\r\n\r\n" if "\r\n\r\n" in answer else "\n\n")[-1])["access_token"]


def ask(family, address):
    with socket.socket(family) as connection:
        connection.connect(address)
        connection.sendall(REQUEST)
        return token(connection.makefile(newline="").read())


def said(*command):
    return subprocess.check_output(command).decode()


def curl():
    options = ["-q", "--noproxy", "*", "-sf", "-H", "Metadata-Flavor: Google"]
    return json.loads(said("curl", *options, "http://" + ADDRESS + PATH))["access_token"]


def threads():
    tokens = []
    started = [threading.Thread(target=lambda: tokens.append(socket_())) for _ in range(20)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return tokens[0] if tokens == tokens[:1] * 20 else tokens


def socket_():
    return ask(socket.AF_INET, (ADDRESS, 80))


def fork():
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, socket_().encode())
        os._exit(0)
    os.waitpid(child, 0)
    return os.read(reading, 100).decode()


CLIENTS = {
    "socket": socket_,
    "mapped": lambda: ask(socket.AF_INET6, ("::ffff:" + ADDRESS, 80)),
    "threads": threads,
    "fork": fork,
    # It reads no variable and no sitecustomize.
    "isolated": lambda: token(said(sys.executable, "-S", "-E", "-I", "-c", CHILD)),
    "curl": curl,
    "static": lambda: token(said("./ask")),
}


def local():
    """Another service of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as connection:
            return connection.getpeername() == server.getsockname()


def named():
    """What a program named to connect to is what it named."""
    address = b"\x02\x00\x00\x50\xa9\xfe\xa9\xfe" + bytes(8)
    place = ctypes.create_string_buffer(address, len(address))
    with socket.socket() as connection:
        assert ctypes.CDLL(None).connect(connection.fileno(), place, len(address)) == 0
    return place.raw == address


def signals():
    heard = []
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD, signal.SIGTRAP, signal.SIGCONT):
        before = signal.signal(number, lambda number, frame: heard.append(number))
        os.killpg(0, number)
        if number not in heard:
            signal.sigtimedwait([], 0.1)
        signal.signal(number, before)
    return len(heard)


def stopped():
    """A program that is stopped stands still until it is told to go on."""
    program = [sys.executable, "-S", "-u", "-c", "while True: print('x')"]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        child.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        stood = os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSTOP
        child.send_signal(signal.SIGCONT)
        _, status = os.waitpid(child.pid, os.WCONTINUED)
        went_on = os.WIFCONTINUED(status)
        child.send_signal(signal.SIGSTOP)
        os.waitpid(child.pid, os.WUNTRACED)
        child.kill()
        return [stood, went_on, child.wait()]


def main(event, context):
    answers = {}
    for name in os.environ["CLIENTS"].split():
        try:
            answers[name] = CLIENTS[name]()
        except Exception as error:
            answers[name] = repr(error)
    beside = {
        "local": local(),
        "named": named(),
        "signals": signals(),
        "stopped": stopped(),
        "ends": [subprocess.call(["sh", "-c", end]) for end in ("exit 7", "kill -SEGV $$")],
        "variables": [os.environ.get(name) for name in ("NODE_OPTIONS", "PYTHONPATH")],
    }
    return {"body": json.dumps({"clients": answers, "beside": beside})}
