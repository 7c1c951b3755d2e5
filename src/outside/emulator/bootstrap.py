"""Runs inside the interpreter: loads the function as the platform does, calls it for fnscaffold, and
ends when fnscaffold does. CPython 3.7 and newer.

Messages are JSON, one a line, over a socket of its own: standard output and error are the function's.
"""

import json
import os
import sys
import time
from _thread import start_new_thread

# What the modules without the underscore add would have to be loaded before every cold call.
import _signal
import _socket

PRELOAD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "preload")


class Control:
    """The way to fnscaffold and back."""

    def __init__(self, address, secret):
        # A socket's path, or a port of this machine and the secret that opens it.
        if secret is None:
            self.socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
            self.socket.connect(address)
        else:
            self.socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
            self.socket.connect(("127.0.0.1", int(address)))
            self.socket.send(secret.encode() + b"\n")
        self.lines = []
        self.rest = []
        start_new_thread(self._watch, ())

    def _watch(self):
        """Nothing of the function outlives fnscaffold, whatever it is doing."""
        try:
            from select import poll
        except ImportError:
            # Windows has none: there it ends with the call that it is in.
            return
        hung_up = poll()
        # A hang-up is always told, and nothing else is asked for.
        hung_up.register(self.socket.fileno(), 0)
        hung_up.poll()
        die()

    def next(self):
        while not self.lines:
            try:
                data = self.socket.recv(1 << 16)
            except OSError:
                data = b""
            if not data:
                die()
            *lines, rest = data.split(b"\n")
            for line in lines:
                self.lines.append(b"".join(self.rest) + line if self.rest else line)
                self.rest = []
            if rest:
                self.rest.append(rest)
        return self.lines.pop(0).decode("utf-8")

    def send(self, message, result=None):
        text = json.dumps(message) + "\n"
        if result is not None:
            text += result + "\n"
        data = memoryview(text.encode("utf-8"))
        while data:
            data = data[self.socket.send(data) :]


def die():
    os.kill(os.getpid(), getattr(_signal, "SIGKILL", _signal.SIGTERM))


class Context:
    """What the handler gets as its second argument."""

    def __init__(self, call, facts):
        self.aws_request_id = call["request_id"]
        self.deadline_ms = call["deadline"]
        self.function_folder_id = facts["folder_id"]
        self.function_name = facts["function_id"]
        self.function_version = facts["version_id"]
        self.invoked_function_arn = facts["function_id"]
        self.log_group_name = ""
        self.log_stream_name = facts["version_id"]
        self.memory_limit_in_mb = facts["memory"]
        self.request_id = call["request_id"]
        # Each call has its own: a handler may change it.
        self.token = facts["token"] and dict(facts["token"])

    def get_remaining_time_in_millis(self):
        return self.deadline_ms - int(time.time() * 1000)


def problem(kind, error):
    """Why an entry point that was imported cannot be called."""
    error.fnscaffold = kind
    return error


class Function:
    def __init__(self, settings):
        self.places = settings["places"]
        self.code = settings["code"]
        self.facts = settings["facts"]
        self.loop = None
        os.environ.update(settings["environment"])
        os.chdir(self.code)
        sys.path[0] = self.code
        paths = []
        if settings["redirect"]:
            lead()
            paths.append(PRELOAD)
        if settings["packages"]:
            import site

            # A directory of packages may hold .pth files, which only `site` reads.
            site.addsitedir(settings["packages"])
            paths.append(settings["packages"])
        paths.extend(filter(None, [os.environ.get("PYTHONPATH")]))
        if paths:
            # Programs that the function starts find what it finds.
            os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        self.entrypoint = settings["entrypoint"]

    def load(self):
        module, _, name = self.entrypoint.rpartition(".")
        __import__(module)
        loaded = sys.modules[module]
        if not hasattr(loaded, name):
            raise problem("missing", AttributeError("module '%s' has no attribute '%s'" % (module, name)))
        self.handler = getattr(loaded, name)
        if not callable(self.handler):
            raise problem("not-callable", TypeError("'%s' in module '%s' is not callable" % (name, module)))

    def handle_event(self, message, text):
        try:
            event = json.loads(text)
        except ValueError:
            event = text
        result = self.handler(event, Context(message, self.facts))
        if hasattr(type(result), "__await__"):
            result = self.wait(result)
        return json.dumps(result)

    def wait(self, awaitable):
        import asyncio

        async def waiting():
            return await awaitable

        if self.loop is None:
            # Before 3.10 objects made at import time are bound to the loop that is there already.
            self.loop = asyncio.get_event_loop() if sys.version_info < (3, 10) else asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(waiting())

    def describe(self, error):
        """The platform's form of an error, and the interpreter's own."""
        import traceback

        trace = theirs = error.__traceback__
        while trace is not None:
            # What stands below the last frame of ours is the function's, but for the import machinery.
            if self.is_machinery(trace.tb_frame.f_code.co_filename, trace is theirs):
                theirs = trace.tb_next
            trace = trace.tb_next
        trace = theirs
        # The platform lists its own frame that calls the handler too, before the function's.
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == __file__]
        calling = [frame for frame in ours if frame.name == "handle_event"]
        frames = traceback.format_list(calling) + traceback.format_tb(trace)
        text = traceback.format_exception(type(error), error, trace)
        return {
            "errorMessage": self.shown(str(error)),
            "errorType": type(error).__name__,
            "stackTrace": [self.shown(frame) for frame in frames],
            "text": self.shown("".join(text)).rstrip("\n"),
            # Not `getattr`: an error of the function's may answer to any name.
            "problem": vars(error).get("fnscaffold"),
        }

    @staticmethod
    def is_machinery(name, leads):
        return name == __file__ or (leads and name.startswith("<frozen importlib"))

    def shown(self, text):
        """Text in which places are named as they are on the platform."""
        for place, name in self.places:
            text = text.replace(place, name)
        return text


def lead():
    """Leads the function, and Node.js programs that it starts, to the metadata service."""
    sys.path.insert(0, PRELOAD)
    import _fnscaffold_redirect  # noqa: F401

    del sys.path[0]
    redirect = os.path.join(PRELOAD, "redirect.js")
    preload = "--require " + (json.dumps(redirect) if " " in redirect else redirect)
    os.environ["NODE_OPTIONS"] = " ".join(filter(None, [preload, os.environ.get("NODE_OPTIONS")]))


def listen(port, directory):
    """Lets a debugger in."""
    sys.path.append(directory)
    import debugpy

    debugpy.listen(("127.0.0.1", port))
    # The function has only the packages that it names.
    sys.path.remove(directory)


def main():
    for stream in (sys.stdout, sys.stderr):
        # A line is a record of the log at once, also when the process is about to be killed.
        stream.reconfigure(encoding="utf-8", line_buffering=True)
    if not hasattr(__builtins__, "exit"):
        import site

        site.setquit()
        site.sethelper()
    control = Control(os.environ.pop("FNSCAFFOLD_CONTROL"), os.environ.pop("FNSCAFFOLD_SECRET", None))
    settings = json.loads(control.next())
    function = Function(settings)
    if settings["debugpy"]:
        listen(**settings["debugpy"])
    try:
        function.load()
    except Exception as error:
        control.send(dict(function.describe(error), type="broken"))
    else:
        control.send({"type": "ready", "version": "%d.%d.%d" % sys.version_info[:3]})
    while True:
        message = json.loads(control.next())
        text = message["event"] if "event" in message else control.next()
        try:
            result = function.handle_event(message, text)
        except Exception as error:
            reply, result = dict(function.describe(error), type="raised"), None
        else:
            reply = {"type": "answer"}
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        control.send(dict(reply, id=message["id"]), result)


if __name__ == "__main__":
    main()
