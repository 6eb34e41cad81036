"""A peer played from a script: it says what no library would say, and tells of every byte in and out."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from simulator import resources
from simulator.actors.observation import Observe
from simulator.errors import NotDicom, StartError, UsageError
from simulator.events import ConnectionEnded, PduReceived, PduSent, ScriptEnded
from simulator.wire import pdu_facts
from simulator.wire.association import Outgoing
from simulator.wire.command_set import STATUS
from simulator.wire.pdu_script import HL7, AwaitEnd, Close, Pause, Receive, Send, Step
from simulator.wire.pdu_stream import KINDS, Message, MessageReader, Pdu, PduStream
from simulator.wire.pdus import ABORT, ASSOCIATE_RQ, HEAD, NAMES, P_DATA_TF
from simulator.wire.script_contents import Bytes, Content, FromFile, Heard, Interleaved, NamedMessage, hexadecimal

_HEAD_SHOWN = 32
_SEND_SECONDS = 10.0
_BLOCK_END = b"\x1c\r"  # of MLLP (HL7 v2.3.1 appendix C)
_RESET = struct.pack("ii", 1, 0)
_FOLDER = "fixtures/pdu"
_PIECE = 256 * 1024
_WORDS = {
    "fin": "closed the connection (FIN)",
    "rst": "reset the connection (RST)",
    "abort": "sent A-ABORT",
    "timeout": "said nothing more in time",
}


class _Astray(Exception):
    """What came is not what the script says; the message says what came instead."""


class _Cut(_Astray):
    """The peer took no more of what was sent, since it had ended the connection."""


class RawPeer:
    """Plays one script over a TCP connection, as the requestor (`play`) or as the acceptor (`listen`).

    It raises for no peer's fault: the first step that does not go as written ends the script, and `ScriptEnded` says
    why. A send whose bytes the peer takes no more goes as written where the next step awaits the end.
    instances: returns the instance of a name (`study#2`) that the script sends.
    Raises `UsageError` when a file of the script cannot be read, or nobody knows its instances.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        observe: Observe,
        observer: str = "raw-peer",
        instances: Callable[[str], Outgoing] | None = None,
    ) -> None:
        self._steps = tuple(_resolved(step, instances) for step in steps)
        self._observe = observe
        self._observer = observer
        self._listener: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._line: _Line | None = None
        self._stopped = False

    def play(self, host: str, port: int, within: float = 10.0) -> bool:
        """Connect and play the script; return whether all of it went as written."""
        try:
            connection = socket.create_connection((host, port), within)
        except ConnectionResetError:  # by who had taken it: a peer may be as quick as that
            return self._play(None)
        except OSError as error:
            self._ended(0, f"no connection to {host}:{port}: {error.strerror or 'no answer'}")
            return False
        return self._play(connection)

    def listen(self, within: float = 30.0, connections: int = 1) -> int:
        """Listen on loopback, return the port, and play the script on each of the first so many connections.

        One after the other; each must come `within` so many seconds. What does not go as written ends it all.
        """
        try:
            self._listener = socket.create_server(("127.0.0.1", 0))
        except OSError as error:
            raise StartError(f"{self._observer} cannot listen: {error.strerror}") from error
        self._listener.settimeout(within)
        self._thread = threading.Thread(
            target=self._accept, args=(self._listener, connections), name=self._observer, daemon=True
        )
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def join(self, within: float = 60.0) -> bool:
        """Wait until the script of a listener was played; tell whether it came to an end in that time."""
        if self._thread is None:
            return True
        self._thread.join(within)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """End a listener, whether anyone came or not; a script that is being played ends with its next wait."""
        if self._listener is not None and self._thread is not None:
            self._stopped = True
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for a connection
            if self._line is not None:
                self._line.interrupt()
            self._thread.join()
            self._listener = self._thread = None

    def _accept(self, listener: socket.socket, connections: int) -> None:
        with listener:
            for number in range(1, connections + 1):
                try:
                    connection, _ = listener.accept()
                except OSError:
                    self._ended(0, "nobody connected" if number == 1 else f"connection {number} did not come")
                    return
                done, problem = self._perform(connection)
                if problem:
                    break
        self._ended(done, problem)

    def _play(self, made: socket.socket | None) -> bool:
        """Play the script on a connection; None is one that was reset at once."""
        done, problem = self._perform(made)
        self._ended(done, problem)
        return not problem

    def _perform(self, made: socket.socket | None) -> tuple[int, str]:
        """Play the script on a connection; return how many steps went as written, and what the next one did not."""
        done, problem = 0, ""
        with made or socket.socket() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = self._line = _Line(connection, self._observe, self._observer)
            if self._stopped:
                line.interrupt()
            if made is None:
                line.end("rst", by="peer")
            try:
                for step, following in zip(self._steps, (*self._steps[1:], None), strict=True):
                    try:
                        line.perform(step)
                    except _Cut:
                        if not isinstance(following, AwaitEnd):
                            raise
                    done += 1
            except _Astray as astray:
                problem = f"step {done + 1}: {astray}"
            line.close()
        return done, problem

    def _ended(self, done: int, problem: str) -> None:
        event = ScriptEnded(observer=self._observer, done=done, steps=len(self._steps), problem=problem)
        self._observe(event)


class _Line:
    """The connection of one script, with what came over it."""

    def __init__(self, connection: socket.socket, observe: Observe, observer: str) -> None:
        self._connection = connection
        self._observe = observe
        self._observer = observer
        self._heard = Heard()
        self._stream = PduStream(whole=True)
        self._messages = MessageReader()
        self._arrived: deque[Pdu | bytes] = deque()
        self._ended = ""  # how the connection ended
        self._interrupted = False
        self._reset = False  # by the peer, as a send has shown

    def perform(self, step: Step) -> None:
        """Carry out one step. Raises `_Astray`."""
        match step:
            case Send():
                assert not isinstance(step.what, FromFile)
                self._send(step.what.build(self._heard))
            case Receive():
                self._receive(step, time.monotonic() + step.within)
            case Pause(seconds):
                self._pause(time.monotonic() + seconds)
            case AwaitEnd():
                self._await_end(step)
            case Close("half"):
                with contextlib.suppress(OSError):
                    self._connection.shutdown(socket.SHUT_WR)
            case Close(how):
                self.close(how)

    def interrupt(self) -> None:
        """Wake who waits on the connection; for another thread than the one that plays."""
        self._interrupted = True
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self, how: str = "fin") -> None:
        """End the connection, where it stands."""
        if not self._ended:
            if how == "rst":
                self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                with contextlib.suppress(OSError):
                    self._connection.shutdown(socket.SHUT_WR)
            self.end(how, by="script")
        self._connection.close()

    def _send(self, data: bytes) -> None:
        stream, messages = PduStream(whole=True), MessageReader()
        for part in (*stream.feed(data), stream.rest()):
            raw = part.raw if isinstance(part, Pdu) else bytes(part)
            if not raw:
                continue
            try:
                self._connection.settimeout(_SEND_SECONDS)
                self._connection.sendall(raw)
            except TimeoutError as error:
                self.end("timeout", by="script")
                raise _Astray("the peer takes no more bytes") from error
            except OSError as error:
                # What the peer said before is still to be read; a reset shows here and not once more.
                self._reset |= isinstance(error, ConnectionResetError)
                raise _Cut("the peer had ended the connection before this was sent") from error
            name, message, _ = _read(part, messages)
            self._observe(
                PduSent(
                    observer=self._observer,
                    kind=name,
                    message=message.kind if message else "",
                    length=len(raw),
                    head=_head(raw),
                )
            )

    def _receive(self, step: Receive, deadline: float) -> None:
        """Take in one PDU, or PDUs until a DIMSE message or an HL7 block is whole.

        Raises `_Astray` when it is another, or says something else.
        """
        if step.kind == HL7:
            said = pdu_facts.of_acknowledgement(self._block(deadline))
        else:
            said = self._said(step.kind, deadline)
        if wrong := pdu_facts.differences(said, step.expect):
            raise _Astray(f"{step.kind}: {'; '.join(wrong)}")

    def _said(self, kind: str, deadline: float) -> dict[str, Any]:
        longest = 0
        while True:
            part = self._next(deadline, kind)
            longest = max(longest, len(part.raw) - HEAD if isinstance(part, Pdu) else 0)
            name, whole = self._take(part)
            if name != NAMES[P_DATA_TF] or kind in KINDS:
                if name != kind or not isinstance(part, Pdu):
                    raise _Astray(f"expected {kind}, got {name or 'bytes that are no PDU'}")
                return pdu_facts.of_pdu(part)
            if whole is not None:
                if whole.kind != kind:
                    raise _Astray(f"expected {kind}, got {whole.kind}")
                return pdu_facts.of_message(whole) | {pdu_facts.PDUS_WITHIN: longest}

    def _block(self, deadline: float) -> bytes:
        """Return what is in the MLLP block that comes next."""
        heard = b""
        while not heard.endswith(_BLOCK_END):
            part = self._next(deadline, "an HL7 block")
            self._take(part)
            heard += part.raw if isinstance(part, Pdu) else part
        return heard

    def _pause(self, until: float) -> None:
        """Let come what comes until then; it is still to be received. Raises `_Astray` at the end of the connection."""
        while (how := self._hear(until)) != "timeout":
            if how:
                self.end(how, by="script" if self._interrupted else "peer")
                raise _Astray(f"expected nothing during the wait; the peer {_WORDS[how]}")

    def _await_end(self, step: AwaitEnd) -> None:
        deadline = time.monotonic() + step.within
        while not self._ended:
            with contextlib.suppress(_Astray):
                name, _ = self._take(self._next(deadline, "the end"))
                if name == NAMES[ABORT]:  # its receiver closes the connection, its sender waits for that (PS3.8 9.2.3)
                    self.end("abort", by="peer")
        if self._ended == "timeout" or step.how not in ("any", self._ended):
            raise _Astray(f"expected the end of the connection ({step.how}); the peer {_WORDS[self._ended]}")

    def _next(self, deadline: float, expected: str) -> Pdu | bytes:
        """Return the next PDU, or bytes that are none. Raises `_Astray` at the end of the connection."""
        while not self._arrived:
            if self._ended:
                raise _Astray(f"expected {expected}; the connection has ended")
            how = self._hear(deadline)
            if self._interrupted:
                self.end("fin", by="script")
                raise _Astray("the script was stopped")
            if how:
                if rest := self._stream.rest():
                    self._take(rest)
                self.end(how, by="script" if how == "timeout" else "peer")
                raise _Astray(f"expected {expected}; the peer {_WORDS[how]}")
        return self._arrived.popleft()

    def _hear(self, deadline: float) -> str:
        """Take what comes next from the connection; return how that ended, `timeout` at the deadline, else nothing."""
        try:
            self._connection.settimeout(max(0.001, deadline - time.monotonic()))
            piece = self._connection.recv(_PIECE)
        except TimeoutError:
            return "timeout"
        except OSError:
            return "rst"
        self._arrived.extend(part if isinstance(part, Pdu) else bytes(part) for part in self._stream.feed(piece))
        return "" if piece else "rst" if self._reset else "fin"

    def _take(self, part: Pdu | bytes) -> tuple[str, Message | None]:
        """Tell of what came; return its name, and the DIMSE message that is whole with it, command and data set."""
        name, message, whole = _read(part, self._messages)
        raw = part.raw if isinstance(part, Pdu) else part
        if isinstance(part, Pdu) and part.kind == ASSOCIATE_RQ:
            self._heard.request = part
        if message is not None:
            self._heard.message = message
        status = message.command.number(STATUS) if message else None
        self._observe(
            PduReceived(
                observer=self._observer,
                kind=name,
                message=message.kind if message else "",
                status="" if status is None else f"{status:04X}",
                length=len(raw),
                head=_head(raw),
            )
        )
        return name, self._heard.message if whole else None

    def end(self, how: str, by: str) -> None:
        """Note, once, how the connection ended."""
        if not self._ended:
            self._ended = how
            self._observe(ConnectionEnded(observer=self._observer, how=how, by=by))


def _read(part: Pdu | memoryview | bytes, messages: MessageReader) -> tuple[str, Message | None, bool]:
    """Return a PDU's name (else nothing), the message whose command set it ends, and whether a message ends in it."""
    if not isinstance(part, Pdu):
        return "", None, False
    message, whole = None, False
    try:
        for pdv in part.pdvs() if part.kind == P_DATA_TF else ():
            message = messages.read(pdv) or message
            whole |= pdv.is_last and not (pdv.is_command and message is not None and message.has_data_set)
    except NotDicom:  # the bytes are told all the same
        return part.name, message, False
    return part.name, message, whole


def _head(raw: bytes) -> str:
    return raw[:_HEAD_SHOWN].hex(" ")


def _resolved(step: Step, instances: Callable[[str], Outgoing] | None) -> Step:
    """Return the step with the bytes of its file or its instances. Raises `UsageError`."""
    return Send(_content(step.what, instances)) if isinstance(step, Send) else step


def _content(what: Content, instances: Callable[[str], Outgoing] | None) -> Content:
    match what:
        case FromFile(name):
            return Bytes(_read_file(name))
        case NamedMessage(instance=name) if name:
            if instances is None:
                raise UsageError(f"the script sends instance {name}, and there are no studies here")
            return what.with_instance(instances(name))
        case Interleaved(messages):
            whole = (_content(each, instances) for each in messages)
            return Interleaved(tuple(each for each in whole if isinstance(each, NamedMessage)))
    return what


def _read_file(name: str) -> bytes:
    file = resources.folder(_FOLDER) / f"{name}.hex"
    try:
        return hexadecimal(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
