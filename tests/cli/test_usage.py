"""Exit codes, and what a person reads who asked for something that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

import simulator
from tests.processes import simulate

NOTHING_RAN = 2
SITE_MISTAKES = [
    ("gateway: {dicom_prot: 11112}\n", ":1:11: unknown key 'dicom_prot' (did you mean 'dicom_port'?)"),
    ("gateway:\n  dicom_port: 70000\n", ":2:3: gateway.dicom_port: input should be less than or equal to 65535"),
    (
        "unmatched: holt\n",
        ":1:1: unmatched: input should be 'hold', 'reject' or 'correct'; found 'holt' (did you mean 'hold'?)",
    ),
    ("gateway:\n  host: 0.0.0.0\n", "must name its callers"),
    ("gateway: {ae_title: SEVENTEEN_LETTERS}\n", ":1:11: gateway.ae_title: an AE title is 1 to 16 printable ASCII"),
    ("accession:\n  check_digit: mod-12\n", ":2:3: accession.check_digit: no such check digit; known: "),
    ("- gateway\n", "must hold a mapping of keys to values"),
]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Usage"),
        (("--seed", "7"), "nothing is selected"),
        (("--tag", "nonesuch"), "no scenario has the tag nonesuch"),
        (("--scenario", "ecko"), "there is no scenario 'ecko'\n  hint: did you mean 'echo'?"),
        (("--scenario", "zzzzzzzz"), "see `simulate list`"),
        (("--scenario", "echo", "--scenario", "ecko"), "there is no scenario 'ecko'"),
        (("--scenario",), "requires an argument"),
        (("--scenario", "echo", "--seed", "-1"), "--seed"),
        (("--scenario", "echo", "--site", "nonesuch.yaml"), "nonesuch.yaml: cannot be read"),
        (("list", "--lies", "--requirements"), "--lies and --requirements are two lists"),
        (("simulat",), "No such command"),
        (("--nonesuch",), "No such option"),
        (("--json", "--seed", "7", "list"), "--seed, --json before `list` is for a run"),
        (("--site", "mine.yaml", "gateway"), "options of gateway come after its name"),
        (("send", "nonesuch", "--to", "A@h:1"), "nonesuch: no such file or folder"),
        (("send", "nonesuch", "--to", "A@h:65536"), "AET@HOST:PORT"),
        (("send", "nonesuch", "--to", "A@h:1", "--calling", "SEVENTEEN_LETTERS"), "is not an AE title"),
        (("order", "--to", "localhost"), "is not HOST:PORT"),
        (("order", "--to", "localhost:1", "--file", "nonesuch"), "nonesuch cannot be read: No such file"),
        (("order", "--to", "localhost:1", "--modality", "X"), "no department code for modality 'X'"),
        (("remote", "--port", "0", "--out", "out", "--ae-title", " "), "is not an AE title"),
        (("status", "--url", "http://127.0.0.1:1", "--data", "."), "--url and --data"),
        (("status", "--data", "."), "it has no index.sqlite"),
    ],
)
def test_a_mistake_on_the_command_line_is_2_and_says_what_it_is(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    done = simulate(*arguments, folder=tmp_path)
    assert done.returncode == NOTHING_RAN
    assert said in done.stderr + (done.stdout if not arguments else "")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [], "something was done all the same"


@pytest.mark.parametrize(("text", "said"), SITE_MISTAKES, ids=[said for _, said in SITE_MISTAKES])
def test_a_mistake_in_a_site_profile_is_2_and_says_where_it_stands(text: str, said: str, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(text, encoding="utf-8")
    # A run reads it as the gateway does; one of the mistakes shows it.
    before = ["--scenario", "echo"] if "holt" in text else ["gateway"]
    done = simulate(*before, "--site", site, folder=tmp_path)
    assert done.returncode == NOTHING_RAN
    assert done.stderr.startswith(f"error: {site}:")
    assert said in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == [site]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("status", "--url", "http://127.0.0.1:1"), 1, "no gateway answers at http://127.0.0.1:1"),
        (("--scenario", "echo", "--reports", "file"), 3, "reports cannot be written to file"),
        (("remote", "--port", "0", "--out", "file"), 3, "files cannot be written to file"),
        (("gateway", "--data", "file"), 3, "the data folder file cannot be used"),
        (("gateway", "--data", "data", "--ready-file", "file/ready"), 3, "the ready file file/ready cannot be written"),
        (("status", "--data", "broken"), 3, "index.sqlite cannot be used"),
    ],
)
def test_what_cannot_be_had_is_told_apart_from_a_mistake(
    arguments: tuple[str, ...], code: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "index.sqlite").write_text("no index", encoding="utf-8")
    done = simulate(*arguments, folder=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "file").read_text(encoding="utf-8") == "in the way"


def test_a_mistake_of_ours_is_3_and_never_looks_like_a_failed_test(tmp_path: Path) -> None:
    """A register without its columns is nothing that a command expects."""
    (tmp_path / "fixtures").mkdir()
    (tmp_path / "fixtures" / "requirements.csv").write_text("nonesuch\nx\n", encoding="utf-8")
    done = simulate("list", folder=tmp_path)
    assert done.returncode == 3
    assert done.stderr != ""


def test_version(tmp_path: Path) -> None:
    done = simulate("--version", folder=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, simulator.__version__)


def test_help_names_every_command(tmp_path: Path) -> None:
    done = simulate("--help", folder=tmp_path)
    assert done.returncode == 0
    listed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("│ ") and line[2] != " "}
    assert {"list", "schema", "gateway", "send", "remote", "order", "status"} <= listed
