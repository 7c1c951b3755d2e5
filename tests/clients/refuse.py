"""Becomes a program that may not follow others with ptrace, as in some containers."""

import ctypes
import os
import platform
import struct
import sys

NUMBER = {"x86_64": 101, "aarch64": 117}[platform.machine()]
ERRNO, ALLOW = 0x00050000 | 1, 0x7FFF0000
# Load the system call's number; unless it is that one, skip an answer.
STEPS = [(0x20, 0, 0, 0), (0x15, 0, 1, NUMBER), (0x06, 0, 0, ERRNO), (0x06, 0, 0, ALLOW)]
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


steps = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in STEPS))
program = Program(len(STEPS), ctypes.addressof(steps))
process = ctypes.CDLL(None)
assert process.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
assert process.prctl(SECCOMP, FILTER, ctypes.byref(program), 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
