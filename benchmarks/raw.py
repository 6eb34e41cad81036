"""The limit that every Storage SCP is below: instances over one TCP connection, each written and then acknowledged.

python raw.py receive PORT FOLDER       python raw.py send PORT FOLDER
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from pathlib import Path

LENGTH = struct.Struct(">Q")


def receive(port: int, folder: Path) -> None:
    """Write what comes, until ended: a length and so many bytes for each file, one byte back."""
    written = 0
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                while (head := connection.recv(LENGTH.size, socket.MSG_WAITALL)) and len(head) == LENGTH.size:
                    data = memoryview(bytearray(LENGTH.unpack(head)[0]))
                    connection.recv_into(data, len(data), socket.MSG_WAITALL)
                    opened = os.open(folder / f"{written:06}", os.O_WRONLY | os.O_CREAT)
                    os.write(opened, data)
                    os.close(opened)
                    written += 1
                    connection.sendall(b"\0")


def send(port: int, folder: Path) -> None:
    """Send every file of a folder, one after the other."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for file in sorted(folder.iterdir()):
            data = file.read_bytes()
            connection.sendmsg([LENGTH.pack(len(data))])
            connection.sendall(data)
            connection.recv(1)


if __name__ == "__main__":
    {"receive": receive, "send": send}[sys.argv[1]](int(sys.argv[2]), Path(sys.argv[3]))
