"""A run on the screen: the seed first, a line for each case as it ends, what failed below it, and the verdict.

On a terminal a line shows how far the running case is, and goes away with it. Anywhere else (a file, a CI log)
there are only the plain lines, never broken where they would be hard to search.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TimeElapsedColumn
from rich.text import Text

from simulator.events import Event, InstanceReceived, InstanceStored, StoreAnswered, StoreFailed
from simulator.report import words
from simulator.report.model import CheckResult, Result
from simulator.scenario.findings import Finding, Verdict
from simulator.scenario.plan import Plan
from simulator.scenario.run import CaseOutcome

_STYLES: dict[Verdict, str] = {
    "error": "bold magenta",
    "fail": "bold red",
    "inconclusive": "bold yellow",
    "waived": "cyan",
    "not-applicable": "cyan",
    "pass": "green",
}
_ASCII_MARKS: dict[Verdict, str] = {**words.VERDICT_MARKS, "fail": "x", "pass": "+", "not-applicable": "-"}
_WORD_WIDTH = len("inconclusive")
_LABEL_WIDTH = len("Expected  ")
_WIDEST_PROSE = 100


class Screen:
    """Shows one run. `begun`, `seen`, `running`, `ended` and `told` are those of a `simulator.scenario.run.Listener`.

    As a context manager it takes the line of progress away, even when the run is interrupted.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._ascii = console.options.ascii_only
        self._progress: Progress | None = None
        self._tally = _Tally("", 0)
        self._cases = self._done = 0

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._take_progress_away()

    def start(self, result_name: str, seed: int, count_cases: int) -> None:
        """Print the seed, so that even a run that is cut short can be repeated, and what is going to run."""
        self._cases = count_cases
        self._print(Text.assemble(("seed ", "dim"), (str(seed), "bold")))
        self._print(Text.assemble(result_name, (f", {words.count(count_cases, 'case')}", "dim")))
        self._print(Text())

    def begun(self, plan: Plan) -> None:
        """Show the progress of a case that begins."""
        sent = (study for _, _, step in plan.case.steps for study in step.sends)
        self._tally = _Tally(plan.id, sum(len(plan.studies[study]) for study in sent))
        self._show_progress(_TallyColumn(self._tally, self._console), TimeElapsedColumn())

    def running(self, cases: Sequence[str]) -> None:
        """Show how far a run is whose cases are run side by side, and which of them are under way."""
        self._show_progress(_RunningColumn(f"{self._done} of {self._cases}", cases, self._console))

    def asked(self, what: str) -> None:
        """Print what a person is to do at a real system."""
        self._print_prose(Text(what, "bold yellow"))

    def seen(self, event: Event) -> None:
        """Take in an event: it is counted here, in the thread that saw it, and drawn in another."""
        self._tally.count(event)

    def ended(self, case_outcome: CaseOutcome) -> None:
        """Count a case that has ended; its line comes when its turn does."""
        self._done += 1

    def told(self, case_outcome: CaseOutcome) -> None:
        """Print the line of a case, and below it what somebody must look at."""
        self._take_progress_away()
        verdict, findings = case_outcome.verdict, case_outcome.findings
        passed = sum(finding.verdict == "pass" for finding in findings)
        # The id stands last, since it alone has no width that is known before all cases were run.
        numbers = f"  {f'{passed}/{len(findings)}':>5}  {case_outcome.seconds:>5.1f} s  "
        identity = (case_outcome.id, "" if verdict == "pass" else "bold")
        self._print(Text.assemble(self._badge(verdict), (numbers, "dim"), identity))
        for finding in findings:
            if finding.verdict in ("fail", "error"):
                self._print_finding(finding)
        unseen: dict[str, list[str]] = {}
        for finding in findings:
            if finding.verdict == "inconclusive":
                unseen.setdefault(finding.because, []).append(finding.check)
        for because, checks in unseen.items():
            self._print_unseen(checks, because)

    def end(self, result: Result, folder: Path | None) -> None:
        """Print the verdict in words, whose screen to edit for what failed, and where the report is."""
        self._take_progress_away()
        self._print(Text())
        mark = self._mark(result.verdict)
        self._print_prose(Text(f"{mark} {words.headline(result)}", _STYLES[result.verdict]))
        parts = [f"{number} {words.VERDICT_WORDS[verdict]}" for verdict, number in words.counts(result)]
        if len(parts) > 1:
            self._print(Text(f"  {', '.join(parts)}", "dim"))
        for scenario in result.scenarios:
            if scenario.verdict in words.UNPROVEN:
                self._print(Text())
                self._print_prose(Text.assemble((scenario.scenario, "bold"), f": {scenario.title}"))
                self._print_prose(Text(scenario.explain), indent=2)
        self._print(Text())
        if folder is not None:
            self._print_labelled("Report", str(folder / "report.html"))
        self._print_labelled("Again", words.command(result) if folder is None else f"simulate replay {folder}")

    def _show_progress(self, *columns: ProgressColumn) -> None:
        self._take_progress_away()
        if self._shows_progress():
            self._progress = Progress(SpinnerColumn("line"), *columns, console=self._console, transient=True)
            self._progress.add_task("")
            self._progress.start()

    def _shows_progress(self) -> bool:
        """Tell whether a line can be drawn and taken away: FORCE_COLOR makes a log of CI a terminal to the console."""
        return self._console.is_interactive and self._console.file.isatty() and not self._ascii

    def _print_unseen(self, checks: Sequence[str], because: str) -> None:
        """Print the checks that nobody could see, for one reason; there is nothing else to say of each."""
        for check in checks:
            self._print(Text.assemble("    ", (check, _STYLES["inconclusive"])))
        self._print_fields((("Because", because),))

    def _print_finding(self, finding: Finding | CheckResult) -> None:
        self._print(Text.assemble("    ", (finding.check, _STYLES[finding.verdict])))
        expected, observed = words.value(finding.expected), words.value(finding.observed)
        self._print_fields((("Expected", expected), ("Observed", observed), ("Because", finding.because)))

    def _print_fields(self, fields: Iterable[tuple[str, str]]) -> None:
        for label, text in fields:
            head = Text(f"      {label:<{_LABEL_WIDTH}}", "dim")
            for line in self._wrapped(Text(words.printable(text)), len(head)):
                self._print(Text.assemble(head, line))
                head = Text(" " * len(head))

    def _print_labelled(self, label: str, text: str) -> None:
        """Print what will be copied: in one piece, whatever the width."""
        self._print(Text.assemble((f"{label:<8}", "dim"), text))

    def _print_prose(self, text: Text, indent: int = 0) -> None:
        for line in self._wrapped(text, indent):
            self._print(Text.assemble(" " * indent, line))

    def _wrapped(self, text: Text, indent: int) -> Iterable[Text]:
        """Return the lines of a text: broken at words on a terminal, else only where it has line breaks itself."""
        if not self._console.is_terminal:
            return text.split("\n") if text.plain else [text]
        width = min(self._console.width, _WIDEST_PROSE + indent) - indent
        return text.wrap(self._console, max(width, 20), overflow="fold")

    def _badge(self, verdict: Verdict) -> Text:
        return Text(f"{self._mark(verdict)} {words.VERDICT_WORDS[verdict]:<{_WORD_WIDTH}}", _STYLES[verdict])

    def _mark(self, verdict: Verdict) -> str:
        return _ASCII_MARKS[verdict] if self._ascii else words.VERDICT_MARKS[verdict]

    def _print(self, line: Text) -> None:
        """Print a line, not broken, its invisible characters escaped, as the encoding of the console allows."""
        encoding = self._console.encoding
        shown = words.printable(line.plain).encode(encoding, "backslashreplace").decode(encoding)
        if shown != line.plain:
            line = Text(shown)
        line.rstrip()
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _take_progress_away(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class _Tally:
    """How far a case is: instances answered, stored in the gateway, and arrived at the remote SCP."""

    def __init__(self, case: str, to_send: int) -> None:
        self.case = case
        self.to_send = to_send
        self.sent = 0
        self.stored = 0
        self.arrived = 0

    def count(self, event: Event) -> None:
        """Take in one event; the recorder calls this for one event at a time."""
        if isinstance(event, (StoreAnswered, StoreFailed)):
            self.sent += 1
        elif isinstance(event, InstanceStored):
            self.stored += 1
        elif isinstance(event, InstanceReceived):
            self.arrived += 1

    def words(self) -> str:
        """Return the counts; nothing for a case that sends nothing."""
        if not self.to_send:
            return ""
        return f"sent {self.sent}/{self.to_send} · stored {self.stored} · arrived {self.arrived}"


class _TallyColumn(ProgressColumn):
    """The case and its tally in one line; a long id gives way to the counts."""

    _BESIDE = len("- ") + len(" 0:00:00") + 1

    def __init__(self, tally: _Tally, console: Console) -> None:
        super().__init__()
        self._tally = tally
        self._console = console

    def render(self, task: Task) -> Text:
        """Return the line as it is now."""
        counts = self._tally.words()
        room = max(self._console.width - self._BESIDE - len(counts) - 2, 8)
        case = self._tally.case
        # The end of an id tells the cases of a scenario apart, so the beginning is what goes.
        shown = case if len(case) <= room else f"…{case[1 - room :]}"
        return Text.assemble((shown, "bold"), "  ", counts, no_wrap=True, overflow="ellipsis")


class _RunningColumn(ProgressColumn):
    """How many cases are done, and the ids of those under way; a long id gives way."""

    def __init__(self, done: str, cases: Sequence[str], console: Console) -> None:
        super().__init__()
        self._done = done
        self._cases = cases
        self._console = console

    def render(self, task: Task) -> Text:
        """Return the line as it is now."""
        room = self._console.width - len("- ") - len(self._done) - 1
        each = max(room // len(self._cases) - len(" · "), 8)
        # The end of an id tells the cases of a scenario apart, so the beginning is what goes.
        shown = [case if len(case) <= each else f"…{case[1 - each :]}" for case in self._cases]
        return Text(" · ".join((self._done, *shown)), no_wrap=True, overflow="crop")
