"""What is kept of an attempt: a capture of each connection, the history, the HL7 messages, thumbnails, the log."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from simulator.certify.outcome import Step
from simulator.events import InstanceRefused, MessageRefused
from simulator.report import story
from simulator.scenario.history import History, Writer
from simulator.wire import masking, pcap, thumbnails
from simulator.wire.conversation import Conversation

EVIDENCE = "evidence"
"""The folder of it all, in a session's."""

MASKED = "masked"
"""The folder, within that of an attempt, of the same captures without anything that names a patient."""

GATEWAY = "gateway"
"""The folder, within that of an attempt, in which its gateway stands while it goes on."""

THUMBNAIL = 160
"""Pixels of the longer side."""

_PICTURES = 8  # of an attempt
_NOT_SYNTHETIC = ("0124", "PID-3 is not of a synthetic person")


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept, relative to the session's folder. captures: by link and number of the connection."""

    captures: dict[tuple[str, int], str]
    files: tuple[str, ...]
    pictures: tuple[str, ...]
    steps: tuple[Step, ...]


def keep(root: Path, folder: Path, conversations: Sequence[Conversation], history: History) -> Kept:
    """Keep it all in `folder`, somewhere in the session's folder `root`; of the gateway that stood there its log alone.

    Where anything came of somebody who is not synthetic, nothing that names a patient is kept of any connection.
    """
    folder.mkdir(parents=True, exist_ok=True)
    within = folder.relative_to(root).as_posix()
    masked = _somebody_came(history)
    captures: dict[tuple[str, int], str] = {}
    files = []
    (folder / MASKED).mkdir(exist_ok=True)
    for conversation in conversations:
        hidden = masking.masked(conversation)
        for place, shown in ((folder / MASKED, hidden), (folder, hidden if masked else conversation)):
            for file in _written(place, shown):
                if place == folder:
                    files.append(f"{within}/{file.name}")
        captures[conversation.link, conversation.number] = f"{within}/{_name(conversation)}.pcap"
    with Writer(folder / "history.jsonl", {"name": history.case}) as writer:
        writer.append(history)
    files.append(f"{within}/history.jsonl")
    log = folder / GATEWAY / "gateway.log"
    if log.is_file():
        shutil.move(log, folder / "gateway.log")
        files.append(f"{within}/gateway.log")
    pictures = tuple(f"{within}/{name}" for name in _pictures(folder, folder / GATEWAY / "data"))
    shutil.rmtree(folder / GATEWAY, ignore_errors=True)  # images are large, and not the point
    return Kept(captures, tuple(files), pictures, tuple(_steps(history)))


def _written(folder: Path, conversation: Conversation) -> Iterator[Path]:
    """Write a capture of a conversation; of HL7 the messages too."""
    capture = folder / f"{_name(conversation)}.pcap"
    capture.write_bytes(pcap.encoded(conversation))
    yield capture
    if conversation.protocol == "HL7":
        messages = capture.with_suffix(".hl7")
        messages.write_bytes(conversation.said("requestor") + conversation.said("acceptor"))
        yield messages


def _somebody_came(history: History) -> bool:
    instances = any(each.status == _NOT_SYNTHETIC[0] for each in history.of(InstanceRefused))
    return instances or any(each.text.startswith(_NOT_SYNTHETIC[1]) for each in history.of(MessageRefused))


def _pictures(folder: Path, data: Path) -> Iterator[str]:
    for number, file in enumerate(sorted((data / "instances").rglob("*.dcm"))[:_PICTURES], 1):
        if picture := thumbnails.thumbnail(file, THUMBNAIL):
            (folder / f"image-{number}.png").write_bytes(picture)
            yield f"image-{number}.png"


def _steps(history: History) -> Iterator[Step]:
    if not history.events:
        return
    first = min(datetime.fromisoformat(event.at) for event in history.events)
    for seconds, observer, text in story.tell(history):
        yield Step(at=(first + timedelta(seconds=seconds)).isoformat(), observer=observer, text=text)


def _name(conversation: Conversation) -> str:
    plain = "".join(letter if letter.isalnum() else "-" for letter in conversation.link.replace("->", "-to-"))
    return f"{plain}-{conversation.number}"
