"""`simulate study`: synthetic studies as DICOM files, and the orders that match them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

import typer

from simulator.cli import terminal
from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.rules.sop_classes import SopClass
    from simulator.synthesis.character_sets import CharacterSet
    from simulator.synthesis.compression import TransferSyntax
    from simulator.synthesis.lies import Lie
    from simulator.synthesis.orders import Order
    from simulator.synthesis.people import Person
    from simulator.synthesis.studies import Study

_T = TypeVar("_T")
_THUMBNAIL = 256
_SHEET_COLUMNS = 5


def command(
    out: Annotated[
        Path | None, typer.Argument(metavar="OUT", help="Folder to write to; made where there is none.")
    ] = None,
    sop_class: Annotated[
        list[str] | None,
        typer.Option(
            "--sop-class",
            metavar="NAME",
            help="Name, keyword or UID; `all` is the slide's thirteen, `extended` those behind that profile. "
            "May be given several times. Default: CTImageStorage.",
        ),
    ] = None,
    series: Annotated[int, typer.Option("--series", metavar="N", min=1, max=999, help="Series in each study.")] = 1,
    instances: Annotated[
        int, typer.Option("--instances", metavar="N", min=1, max=20000, help="Instances in each series.")
    ] = 1,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, help="The same seed writes the same bytes. Default: a new one."),
    ] = None,
    identity: Annotated[
        Path | None,
        typer.Option("--identity", metavar="FILE", help="YAML: hkid, name, birth_date, sex of a test patient."),
    ] = None,
    transfer_syntax: Annotated[
        str, typer.Option("--transfer-syntax", metavar="NAME", help="Keyword, name or UID.")
    ] = "ExplicitVRLittleEndian",
    charset: Annotated[
        str, typer.Option("--charset", metavar="NAME", help="Specific Character Set of the names.")
    ] = "ISO_IR 6",
    with_order: Annotated[
        bool, typer.Option("--with-order", metavar="", help="Write order.hl7, which matches the study, beside it.")
    ] = False,
    malformation: Annotated[
        list[str] | None,
        typer.Option("--malformation", metavar="NAME", help="Make exactly this wrong. May be given several times."),
    ] = None,
    list_malformations: Annotated[
        bool, typer.Option("--list-malformations", metavar="", help="List what can be made wrong, and end.")
    ] = False,
    contact_sheet: Annotated[
        bool, typer.Option("--contact-sheet", metavar="", help="Write contact-sheet.png, a picture of each class.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", metavar="", help="Write into a folder that holds something already.")
    ] = False,
) -> None:
    """Make whole synthetic studies: one of each SOP class asked for, all of one synthetic person."""
    from simulator.cli import list_command

    if list_malformations:
        list_command.print_lies(as_json=False)
        return
    if out is None:
        raise UsageError("there is no folder to write to", "simulate study OUT --sop-class all")
    number = secrets.randbits(32) if seed is None else seed
    recipe = _Recipe(
        seed=number,
        person=_person(identity, number),
        classes=_classes(sop_class or ["CTImageStorage"]),
        series=series,
        instances=instances,
        transfer_syntax=_transfer_syntax(transfer_syntax),
        character_set=_character_set(charset),
        lies=_lies(malformation or []),
    )
    performed = [recipe.performed(each) for each in recipe.classes]  # what cannot be made ends here, nothing written
    _claim(out, overwrite)
    terminal.out.print(f"seed {number}", highlight=False)
    _note_identity(recipe.person)
    _write_all(out, performed, with_order=with_order)
    if contact_sheet:
        _write_contact_sheet(out, performed)


class _Performed(NamedTuple):
    sop_class: SopClass
    order: Order
    study: Study


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What is made of every class."""

    seed: int
    person: Person
    classes: tuple[SopClass, ...]
    series: int
    instances: int
    transfer_syntax: TransferSyntax
    character_set: CharacterSet
    lies: tuple[Lie, ...]

    def performed(self, sop_class: SopClass) -> _Performed:
        """Return the order for `sop_class`, and its study. Raises `UsageError` for what cannot be made."""
        from simulator.rules.accession import AccessionRules
        from simulator.synthesis import orders, studies
        from simulator.synthesis.classes import image_class

        seed = f"{self.seed}/{sop_class.keyword}"
        spec = studies.SeriesSpec(sop_class, self.instances, transfer_syntax=self.transfer_syntax)
        digits = {lie.needs_check_digit for lie in self.lies} - {"opaque"}
        rules = AccessionRules(check_digit=digits.pop() if digits else "opaque")
        try:
            modality = image_class(sop_class).modality
            order = orders.order(seed, self.person, modality=modality, rules=rules)
            made = studies.study(seed, order, [spec] * self.series, self.lies, self.character_set)
        except ValueError as error:
            raise UsageError(f"{sop_class.name}: {error}") from error
        return _Performed(sop_class, order, made)


def _classes(names: Sequence[str]) -> tuple[SopClass, ...]:
    from simulator.rules import sop_classes
    from simulator.synthesis.classes import CLASSES

    found: dict[SopClass, None] = {}
    for name in names:
        if name == "all":
            found |= dict.fromkeys(sop_classes.SEED_IMAGE_CLASSES)
        elif name == "extended":
            found |= dict.fromkeys(each for each in sop_classes.EXTENDED_CLASSES if each.keyword in CLASSES)
        else:
            found[_named(sop_classes.by_name, name)] = None
    return tuple(found)


def _transfer_syntax(name: str) -> TransferSyntax:
    from simulator.synthesis import compression

    return _named(compression.by_name, name)


def _character_set(name: str) -> CharacterSet:
    from simulator.synthesis import character_sets

    return _named(character_sets.by_name, name)


def _named(by_name: Callable[[str], _T], name: str) -> _T:
    """Return what `name` stands for. Raises `UsageError` with the near misses."""
    try:
        return by_name(name)
    except KeyError as error:
        raise UsageError(str(error.args[0])) from error


def _lies(names: Sequence[str]) -> tuple[Lie, ...]:
    from simulator.strict_yaml import nearest
    from simulator.synthesis.lies import LIES

    for name in names:
        if name not in LIES:
            advice = nearest(name, LIES) or "see `simulate study --list-malformations`"
            raise UsageError(f"there is no malformation {name!r}", advice)
    return tuple(LIES[name] for name in dict.fromkeys(names))


def _person(file: Path | None, seed: int) -> Person:
    from simulator.cli import identity_file
    from simulator.synthesis import people

    return people.person(str(seed)) if file is None else identity_file.read(file)


def _note_identity(person: Person) -> None:
    from simulator.synthesis.people import is_synthetic

    if not is_synthetic(person.hkid):
        terminal.err.print(
            "note: the HKID is outside the synthetic range (Q and QX); make sure that it is a test patient's",
            soft_wrap=True,
        )


def _claim(out: Path, overwrite: bool) -> None:
    """Make the folder. Raises `UsageError` where it is none, or holds something and need not be overwritten."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()) and not overwrite:
            raise UsageError(f"{out} is not empty", "choose another folder, or add --overwrite")
    except OSError as error:
        raise UsageError(f"{out} cannot be written to: {error.strerror}") from error


def _write_all(out: Path, performed: Sequence[_Performed], *, with_order: bool) -> None:
    total = sum(len(each.study.instances) for each in performed)
    with _progress(total) as advance:
        for each in performed:
            # The name of a class is the standard's; nothing of a data set becomes a path.
            folder = out / each.sop_class.keyword
            size = 0
            for file, content in _files(folder, each.study):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
                size += len(content)
                advance()
            if with_order:
                (folder / "order.hl7").write_bytes(_message(each.order))
            _tell(folder, each, size)


def _files(folder: Path, study: Study) -> Iterator[tuple[Path, bytes]]:
    place = 0
    for number, count in enumerate(study.instances.series_sizes, start=1):
        for image in range(1, count + 1):
            yield folder / f"series-{number:03d}" / f"{image:05d}.dcm", study.instances[place].part10()
            place += 1


def _message(order: Order) -> bytes:
    from simulator.scenario.messages import order_message

    return order_message(order, "ORM^O01").message


def _tell(folder: Path, performed: _Performed, size: int) -> None:
    count = len(performed.study.instances)
    images = "1 instance" if count == 1 else f"{count} instances"
    accession = performed.study.accession_number
    terminal.out.print(f"{folder}  {accession}  {images}, {size / 1e6:.1f} MB", soft_wrap=True, markup=False)


def _write_contact_sheet(out: Path, performed: Sequence[_Performed]) -> None:
    from simulator.synthesis.preview import contact_sheet

    tiles = [(_short(each.sop_class), each.study.instances.preview(each.sop_class, _THUMBNAIL)) for each in performed]
    file = out / "contact-sheet.png"
    file.write_bytes(contact_sheet(tiles, min(_SHEET_COLUMNS, len(tiles))))
    terminal.out.print(str(file), soft_wrap=True, markup=False)


def _short(sop_class: SopClass) -> str:
    return sop_class.name.removesuffix(" SOP Class").replace(" Image Storage", "")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Give a function that moves a bar by one, on a terminal only."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("making"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = not terminal.out.is_terminal
    with Progress(*columns, console=terminal.out, transient=True, disable=hidden) as progress:
        bar = progress.add_task("", total=total)
        yield lambda: progress.advance(bar)
