"""Finds and kills the process at the other end of a loopback connection."""

import os
import pathlib
import signal
import socket
import struct
import time


def connections(server_port):
    """{inode of the client's end: its port} for every connection to our port."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = pathlib.Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            local, remote = (int(fields[i].rsplit(":", 1)[1], 16) for i in (1, 2))
            if remote == server_port:
                found[f"socket:[{fields[9]}]"] = local
    return found


def sockets(process):
    """What the descriptors of a process are."""
    names = set()
    try:
        for descriptor in pathlib.Path(f"/proc/{process}/fd").iterdir():
            names.add(os.readlink(descriptor))
    except OSError:
        pass
    return names


def peer(client_port, server_port):
    """The process at the client's end of a connection, and the client's ports of all its connections to us: (id, ports)."""
    ends = connections(server_port)
    wanted = next((inode for inode, port in ends.items() if port == client_port), None)
    for process in pathlib.Path("/proc").iterdir():
        if process.name.isdigit() and wanted in (open_sockets := sockets(process.name)):
            return int(process.name), {ends[inode] for inode in open_sockets & ends.keys()}
    return None, set()


def kill(process):
    """SIGKILL, and waits (at most a second) until the process is dead, so that it does nothing more."""
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


def cut(connection):
    """Closes a connection so that the client sees a reset."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
