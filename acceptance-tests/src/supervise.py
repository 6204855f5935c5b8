"""Runs a program in a process group of its own, and ends all of it when whoever started us is gone.

    supervise.py [--remove FOLDER] PROGRAM ARGUMENT…

Standard input is the leash: `i` sends SIGINT to the whole group, as Ctrl-C does; `t` SIGTERM; `k` SIGKILL; its end means that
nobody is interested any more. Exits as the program does (128 + signal where it was killed). What is left of the group is killed,
and FOLDER is removed.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading

# Ctrl-C at the terminal is for whoever started us: the end of the leash follows.
if os.getpgrp() != os.getpid():
    os.setsid()
command, remove = sys.argv[1:], None
if command[0] == "--remove":
    remove, command = command[1], command[2:]
program = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


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
if remove:
    shutil.rmtree(remove, ignore_errors=True)
os._exit(code if code >= 0 else 128 - code)
