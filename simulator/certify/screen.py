"""A session at a terminal: what to do, a countdown, a live ladder of what is said, cards, and keys to go on by."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from simulator.certify.cards import Card
from simulator.certify.desk import Decision, Look, Next, Progress
from simulator.certify.outcome import Attestation, TestOutcome
from simulator.certify.people import SheetEntry
from simulator.certify.programme import Test
from simulator.certify.rig import Play
from simulator.events import now
from simulator.report import words
from simulator.wire import command_set, pdus
from simulator.wire.conversation import Conversation, Ending, Side
from simulator.wire.frames import SaidFrame
from simulator.wire.recording import Told, What
from simulator.wire.transcript import SaidMessage, SaidPdu

try:
    import termios
    import tty
except ImportError:  # Windows has neither
    termios = None  # type: ignore[assignment]

_BYTES_SHOWN = 96  # of an evidence
_RUNGS = 10
STYLES = {
    "pass": "green",
    "fail": "bold red",
    "error": "bold red",
    "inconclusive": "yellow",
    "skipped": "yellow",
    "not-tested": "dim",
    "waived": "yellow",
    "not-applicable": "dim",
}
_CARD_STYLES = {"must": "red", "should": "yellow", "note": "blue"}
_KEYS = "[e] end this test  [q] stop for now"


class Ladder:
    """The last things that were said at the doors, a line each. Told from any thread."""

    def __init__(self, rungs: int = _RUNGS) -> None:
        self._lines: deque[Text] = deque(maxlen=rungs)
        self._last: tuple[object, ...] = ()
        self._times = 1
        self._changing = threading.Lock()

    def tell(self, what: What, conversation: Conversation, said: Told) -> None:
        """Take in what was said. The same thing again counts on the same rung."""
        found = _rung(what, said)
        if found is None:
            return
        side, text = found
        key = (conversation.link, conversation.number, side, text)
        with self._changing:
            self._times = self._times + 1 if key == self._last else 1
            if key == self._last:
                self._lines.pop()
            self._last = key
            self._lines.append(_line(conversation, side, text, self._times))

    def clear(self) -> None:
        """Begin anew."""
        with self._changing:
            self._lines.clear()
            self._last = ()

    def lines(self) -> list[Text]:
        """Return the rungs, the last one last."""
        with self._changing:
            return list(self._lines)


class ScreenDesk:
    """Drives a session from a terminal. A context manager: keys count while it is open."""

    def __init__(self, console: Console, ladder: Ladder, count: int) -> None:
        self._console = console
        self._ladder = ladder
        self._count = count
        self._begun: dict[str, int] = {}  # the numbers of the tests that were begun
        self._live: Live | None = None
        self._keys = _Keys()
        self._said: list[str] = []

    def __enter__(self) -> ScreenDesk:
        self._keys.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end_live()
        self._keys.close()

    def begin(self, test: Test, play: Play, minutes: float) -> None:
        """Show what is to be done."""
        self._begun.setdefault(test.id, len(self._begun) + 1)
        self._ladder.clear()
        self._said = []
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()
        self._show(test, Progress(minutes * 60, (), ()))

    def say(self, test: Test, what: str) -> None:
        """Show it below what is to be done."""
        self._said.append(what)

    def look(self, test: Test, play: Play, progress: Progress) -> Look:
        """Show how it stands; return what a key says."""
        self._show(test, progress)
        said: dict[str, Look] = {"e": "end", "q": "stop"}
        return said.get(self._keys.pressed(), "on")

    def attest(self, test: Test) -> Attestation | None:
        """Ask yes or no, and who says so."""
        self._end_live()
        self._console.print(Text(test.attest, style="bold"))
        answer = self._keys.choice("[y] yes  [n] no", "yn")
        name = self._keys.line("Your name: ").strip()
        if not name:
            return None
        return Attestation(question=test.attest, answer="yes" if answer == "y" else "no", name=name, at=now())

    def judged(self, test: Test, outcome: TestOutcome) -> Decision:
        """Show the verdict and the cards, and ask how to go on."""
        self._end_live()
        print_outcome(self._console, outcome)
        if outcome.verdict == "pass":
            return Decision()
        notes: list[str] = []
        while True:
            key = self._keys.choice(
                "[r] try again  [Enter] go on  [s] skip it  [n] add a note  [q] stop for now", "r\nsnq"
            )
            if key == "n":
                notes.append(self._keys.line("Note: ").strip())
                continue
            note = "\n".join(filter(None, notes))
            if key == "s":
                reason = self._keys.line("It is skipped because: ").strip()
                if not reason:
                    continue
                return Decision("skip", reason, note)
            chosen: dict[str, Next] = {"r": "retry", "q": "stop"}
            return Decision(chosen.get(key, "go-on"), note=note)

    def _show(self, test: Test, progress: Progress) -> None:
        if self._live is not None:
            head = f"Test {self._begun[test.id]} of {self._count}: {test.id}"
            self._live.update(picture(head, test, progress, self._said, self._ladder.lines()), refresh=True)

    def _end_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def picture(head: str, test: Test, progress: Progress, said: list[str], rungs: list[Text]) -> RenderableType:
    """Return what is shown while a test goes on."""
    minutes, seconds = divmod(max(0, int(progress.left)), 60)
    parts: list[RenderableType] = [
        Rule(Text(head), align="left"),
        Text(test.title, style="bold"),
        Text(test.do),
    ]
    parts += [Text(f"→ {line}", style="cyan") for line in said]
    if test.entry is not None:
        parts.append(_patient(test.entry))
    # Where the terminal is low, what is cut off is the end.
    left = (f"{minutes}:{seconds:02} left", "bold yellow" if progress.left < 60 else "bold")
    parts.append(Text.assemble(left, (f"   {_KEYS}", "dim")))
    for found in progress.findings:
        mark = "✓" if found.verdict == "pass" else "·"
        parts.append(Text(f"{mark} {found.check}: {found.because}", style="green" if mark == "✓" else "dim"))
    parts += [Text(f"! {card.title}: {card.got}", style=_CARD_STYLES[card.level]) for card in progress.cards]
    if rungs:
        parts.append(Rule(Text("on the wire", style="dim"), align="left", style="dim"))
        parts += rungs
    return Group(*parts)


def print_outcome(console: Console, outcome: TestOutcome) -> None:
    """Print the verdict of a test, each check that was not met, and its cards."""
    line = Text(f"{outcome.verdict}", style=STYLES[outcome.verdict])
    line.append(f"  {outcome.id}  {outcome.title}", style="default")
    console.print(line)
    if outcome.why:
        console.print(Text(f"  {outcome.why}"))
    for check in outcome.checks:
        if check.verdict not in ("pass",):
            told = f"  {check.check}: expected {words.value(check.expected)}, observed {words.value(check.observed)}"
            console.print(Text(f"{told}; {check.because}"))
    for card in outcome.cards:
        console.print(card_panel(card))


def card_panel(card: Card) -> RenderableType:
    """Return a card as it is shown at a terminal."""
    rows = Table.grid(padding=(0, 1))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    for label, text in (
        ("where", card.where),
        ("expected", card.expected),
        ("got", card.got),
        ("because", card.because),
        ("who mends it", card.who),
        ("on which screen", card.screen),
        ("to prove it", card.prove),
        ("requirement", ", ".join(card.requirement)),
    ):
        if text:
            rows.add_row(label, Text(words.printable(text)))
    for shown in card.evidence:
        if shown.data:
            begin = _first_shown(shown.marks)
            rows.add_row(
                "bytes",
                Text.assemble(
                    f"{words.printable(shown.words)}, from byte {shown.offset + begin}\n",
                    *_hex(shown.data, shown.marks, begin),
                ),
            )
    title = Text(f"{card.title} ({card.id})", style=f"bold {_CARD_STYLES[card.level]}")
    return Panel(rows, title=title, title_align="left", border_style=_CARD_STYLES[card.level])


def _first_shown(marks: tuple[tuple[int, int], ...]) -> int:
    """Return the byte from which on bytes are shown, so that the first of the deciding ones is among them."""
    first = min((start for start, _ in marks), default=0)
    return 0 if first < _BYTES_SHOWN // 2 else first // 16 * 16 - 16


def _hex(data: bytes, marks: tuple[tuple[int, int], ...], begin: int) -> Iterator[tuple[str, str]]:
    """Yield bytes in hexadecimal, 16 a line, the deciding ones marked."""
    for place, byte in enumerate(data[begin : begin + _BYTES_SHOWN], begin):
        marked = any(start <= place < end for start, end in marks)
        yield f"{byte:02x}" + ("\n" if place % 16 == 15 else " "), "reverse" if marked else ""


def _patient(entry: SheetEntry) -> RenderableType:
    person = entry.order.person
    table = Table.grid(padding=(0, 2))
    table.add_row("name", "HKID", "birth date", "sex", "accession number", style="dim")
    table.add_row(
        Text(person.name.replace("^", " "), style="bold"),
        person.hkid,
        person.birth_date,
        person.sex,
        Text(entry.order.accession_number, style="bold"),
    )
    return table


def _rung(what: What, said: Told) -> tuple[Side, str] | None:
    """Return who said what, in a few words; None for what is not worth a rung."""
    match said:
        case SaidMessage():
            kind, status = said.command.kind, said.command.number(command_set.STATUS)
            return said.by, f"{kind} {status:04X}" if status is not None else kind
        case SaidPdu() if said.kind != pdus.P_DATA_TF:
            return said.by, pdus.name(said.kind) if said.kind else f"{said.length} bytes that are no PDU"
        case SaidFrame():
            return said.by, _of_hl7(said)
        case Ending():
            return said.by, {"fin": "closes (FIN)", "rst": "breaks off (RST)"}[said.how]
    if what == "opened":
        return "requestor", "opens a connection"
    if what == "unreached":
        return "acceptor", "is not reached"
    return None


def _of_hl7(said: SaidFrame) -> str:
    """Return what an HL7 block is: its type, or what an acknowledgement answers; never what it says of a patient."""
    segments = said.raw.replace(b"\n", b"\r").split(b"\r")
    header = segments[0].split(b"|")
    kind = header[8].decode("latin-1") if len(header) > 8 else f"{said.length} bytes that are no message"
    codes = [line.split(b"|")[1].decode("latin-1") for line in segments if line.startswith(b"MSA|")]
    return " ".join(["HL7", kind, *codes[:1]])


def _line(conversation: Conversation, side: Side, text: str, times: int) -> Text:
    left, _, right = conversation.link.partition("->")
    arrow = "──▶" if side == "requestor" else "◀──"
    count = f" ×{times}" if times > 1 else ""
    return Text.assemble((f"{left:>10} ", "dim"), f"{arrow} ", (f"{right:<10} ", "dim"), f"{text}{count}")


class _Keys:
    """Single keys of a terminal, without waiting for Enter, where there is one that can."""

    def __init__(self) -> None:
        self._restore: Callable[[], None] | None = None

    def open(self) -> None:
        """Have keys come one by one."""
        if not sys.stdin.isatty():
            return
        if termios is None:  # Windows: keys count when Enter is pressed
            return
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        tty.setcbreak(descriptor)
        self._restore = lambda: termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._restore is not None:
            self._restore()
            self._restore = None

    def pressed(self) -> str:
        """Return the key that was pressed, in lower case; empty where none was. Does not wait."""
        with contextlib.suppress(OSError, ValueError):
            if self._restore is not None and select.select([sys.stdin], [], [], 0)[0]:
                return self._key().lower()
        return ""

    def choice(self, asked: str, keys: str) -> str:
        """Ask for one of these keys, and return it; the last of them where nobody is there to press one."""
        Console(highlight=False).print(asked, style="bold", markup=False)
        while True:
            key = self._key() if self._restore is not None else (sys.stdin.readline() or keys[-1])[:1]
            if not key:
                return keys[-1]
            if key.lower() in keys:
                return key.lower()

    @staticmethod
    def _key() -> str:
        return os.read(sys.stdin.fileno(), 1).decode("latin-1").replace("\r", "\n")

    def line(self, asked: str) -> str:
        """Ask for a line of text, and return it."""
        was_open = self._restore is not None
        self.close()
        try:
            return input(asked)
        except EOFError:
            return ""
        finally:
            if was_open:
                self.open()
