"""Runs a program in a process group of its own, and ends all of it when whoever started us is gone.

    supervise.py PROGRAM ARGUMENT…

Standard input is the leash: `i` sends SIGINT to the whole group, as Ctrl-C does; `t` SIGTERM; `k` SIGKILL; its end means that
nobody is interested any more. Exits as the program does (128 + signal where it was killed). What is left of the group is killed.
"""

import os
import signal
import subprocess
import sys
import threading

program = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)


def send(number):
    try:
        os.killpg(program.pid, number)
    except ProcessLookupError:
        pass


def leash():
    while True:
        order = os.read(0, 1)
        send({b"i": signal.SIGINT, b"t": signal.SIGTERM}.get(order, signal.SIGKILL))
        if order in (b"", b"k"):
            return


threading.Thread(target=leash, daemon=True).start()
code = program.wait()
send(signal.SIGKILL)
sys.stdout.flush()
os._exit(code if code >= 0 else 128 - code)
