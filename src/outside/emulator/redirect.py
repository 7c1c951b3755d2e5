"""Leads connections to 169.254.169.254 to fnscaffold's metadata service: imported before the function,
and by every Python program that the function starts."""

import os

import _socket

_ADDRESSES = {"169.254.169.254": "127.0.0.1", "::ffff:169.254.169.254": "::ffff:127.0.0.1"}

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "port")) as _file:
    _PORT = int(_file.read())


def _redirected(address):
    if isinstance(address, tuple) and len(address) >= 2:
        host = address[0]
        if isinstance(host, (bytes, bytearray)):
            host = bytes(host).decode("ascii", "replace")
        if isinstance(host, str) and host.lower() in _ADDRESSES:
            return (_ADDRESSES[host.lower()], _PORT) + tuple(address[2:])
    return address


class _Redirecting(_socket.socket):
    __slots__ = ()

    def connect(self, address):
        return super().connect(_redirected(address))

    def connect_ex(self, address):
        return super().connect_ex(_redirected(address))


# The module `socket` derives its class from this one, and is imported only by those who need it.
_socket.socket = _Redirecting
