"""How much relays let through: C-STORE of CT instances, each answered before the next is sent.

    python benchmarks/relays.py [--instances 1001] [--maximum-length 131072]

The sender, the relay and the receiver are processes of their own; nothing is built or written while they run. The
same is measured without a relay, through one for faults that has none, and through a front door, which records.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import time
from multiprocessing.connection import Connection

from simulator.actors.fault_relay import FaultRelay
from simulator.actors.front_door import FrontDoor
from simulator.actors.relay import Relay
from simulator.wire.command_set import command_set, response_to
from simulator.wire.pdu_builders import message

CT = "1.2.840.10008.5.1.4.1.1.2"
SIZE = 512 * 512 * 2 + 1500
REQUEST = command_set(
    affected_sop_class_uid=CT,
    command_field=0x0001,
    message_id=1,
    priority=2,
    data_set_type=1,
    affected_sop_instance_uid="1.2.826.0.1.3680043.8.498.1",
)
RESPONSE = message(1, response_to(REQUEST, 0))
WAYS = ("through a front door", "through a fault relay", "directly")


def receive(said: Connection, size: int) -> None:
    """Answer every message of `size` bytes on one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        said.send(listener.getsockname()[1])
        connection, _ = listener.accept()
    buffer = bytearray(256 * 1024)
    left = size
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while got := connection.recv_into(buffer, min(left, len(buffer))):
            left -= got
            if not left:
                connection.sendall(RESPONSE)
                left = size


def rate(port: int, stream: bytes, instances: int) -> float:
    """Send the message so many times, and return how many were answered a second."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        started = time.perf_counter()
        for _ in range(instances):
            connection.sendall(stream)
            left = len(RESPONSE)
            while left:
                left -= len(connection.recv(left))
        return instances / (time.perf_counter() - started)


def a_stream(maximum_length: int) -> bytes:
    """Return a C-STORE-RQ of a CT instance."""
    return message(1, REQUEST, bytes(SIZE), maximum_length=maximum_length)


def measured(stream: bytes, instances: int, way: str) -> float:
    """Measure one sender and one receiver."""
    here, there = multiprocessing.Pipe()
    receiver = multiprocessing.Process(target=receive, args=(there, len(stream)))
    receiver.start()
    port = here.recv()
    if way != "directly":
        gate, theirs = multiprocessing.Pipe()
        relay = multiprocessing.Process(target=run_relay, args=(theirs, way, port))
        relay.start()
        found = rate(gate.recv(), stream, instances)
        gate.send("stop")
        relay.join()
    else:
        found = rate(port, stream, instances)
    receiver.join()
    return found


def a_relay(way: str, port: int) -> Relay:
    """Return the relay that was asked for, to a port of this machine."""
    if way == "through a front door":
        return FrontDoor("sender->receiver", "DICOM", print, target=("127.0.0.1", port))
    return FaultRelay("sender->receiver", "127.0.0.1", port, [], print)


def run_relay(gate: Connection, way: str, port: int) -> None:
    """Relay until told to stop."""
    relay = a_relay(way, port)
    gate.send(relay.start())
    gate.recv()
    relay.stop()


def main() -> None:
    """Print the rates."""
    options = argparse.ArgumentParser()
    options.add_argument("--instances", type=int, default=1001)
    options.add_argument("--maximum-length", type=int, default=131072)
    chosen = options.parse_args()
    stream = a_stream(chosen.maximum_length)
    for way in WAYS:
        _, median, _ = sorted(measured(stream, chosen.instances, way) for _ in range(3))
        print(f"{way}: {median:.0f} instances/s, median of 3")


if __name__ == "__main__":
    main()
