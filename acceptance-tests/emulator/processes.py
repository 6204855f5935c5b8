"""Finds and kills the process at the other end of a loopback connection."""

import os
import pathlib
import signal
import socket
import time


def peer(environ, server_port):
    """The id of the process that holds the client's end of this request's connection, or None."""
    client_port = int(environ["REMOTE_PORT"])
    inode = None
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = pathlib.Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            local, remote = (int(fields[i].rsplit(":", 1)[1], 16) for i in (1, 2))
            if local == client_port and remote == server_port:
                inode = fields[9]
    if inode is None:
        return None
    wanted = f"socket:[{inode}]"
    for process in pathlib.Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            for descriptor in (process / "fd").iterdir():
                if os.readlink(descriptor) == wanted:
                    return int(process.name)
        except OSError:
            continue
    return None


def kill(process):
    """SIGKILL, and waits (at most a second) until the process is dead, so that its connections are closed."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return
    end = time.monotonic() + 1
    while time.monotonic() < end:
        try:
            state = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return
        if state in "ZX":
            return
        time.sleep(0.002)


def is_gone(connection):
    """Whether the client has closed its end."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def cut(connection):
    """Closes a connection so that the client sees a reset."""
    import struct

    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
