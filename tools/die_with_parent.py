"""Becomes the command it is given, which the kernel then ends together with the process that started it.

    python -I -S die_with_parent.py PARENT_PID COMMAND ARGUMENT...

A program of its own, since Python's `preexec_fn` is unsafe in a process with threads. Elsewhere than on Linux it only
becomes the command.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

parent, command = int(sys.argv[1]), sys.argv[2:]
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
if os.getppid() != parent:
    sys.exit("the process that wanted this command has ended")
os.execv(command[0], command)
