"""Files that a person names: what is no file, too large or not readable is told at once, everywhere alike."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conformance.attribution.builds import read_builds
from conformance.cli import main
from conformance.cli.stored import run_file
from conformance.errors import EXIT_USAGE, UsageError
from conformance.inputs import LONG, MIB, STORED_RUN, WRITTEN, parse_toml, read_octets, read_text
from conformance.internet.zones import parse_zone, read_zone
from conformance.judge.deviations import DIRECTORY, load_deviations
from conformance.judge.runfile import read_run
from conformance.pod.mailboxes import load_users
from conformance.project.series import read_series
from conformance.scenario.escapes import pattern
from conformance.targets.docker.debs import LARGEST_PACKAGE, read_debs

SAMPLE = Path(__file__).parents[1] / "reports" / "sample" / "debs-stock.jsonl"

Places = dict[str, Path]


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    """Whoever waits for a pipe is told so."""

    def interrupt(*_: object) -> None:
        raise BaseException("it waits")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    """What is no file that can be read, by what it is called."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("x")
    with socket.socket(socket.AF_UNIX) as listener:
        before = Path.cwd()
        os.chdir(tmp_path)  # a socket's path must be short
        listener.bind("socket")
        os.chdir(before)
        yield {
            "a directory": tmp_path / "folder",
            "a pipe": tmp_path / "pipe",
            "a socket": tmp_path / "socket",
            "a device": Path("/dev/null"),
            "No such file": tmp_path / "missing",
            "Not a directory": tmp_path / "file" / "below",
            "Too many levels": tmp_path / "loop",
        }


KINDS = (
    "a directory",
    "a pipe",
    "a socket",
    "a device",
    "No such file",
    "Not a directory",
    "Too many levels",
)


@pytest.mark.parametrize("what", KINDS)
def test_what_is_no_file_is_told_at_once(places: Places, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        read_octets(places[what], "Name a file.")
    assert caught.value.message.startswith(f"{places[what]}: ")
    assert caught.value.hint == "Name a file."


COMMANDS = (
    "try {}",
    "try --from-transcript {}",
    "shrink {}",
    "judge {}",
    "report {}",
    "report --diff {} {}",
    "attribute {}",
    "reproduce base.ehlo.extensions --from {}",
    f"report {SAMPLE} --html {{out}} --bench {{}}",
)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", ["a pipe", "a device", "No such file"])
def test_every_command_says_the_same(
    places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, what: str
) -> None:
    words = [word.format(places[what], places[what], out=tmp_path / "out") for word in command.split()]
    assert main(words) == EXIT_USAGE
    said = capsys.readouterr()
    assert not said.out
    assert said.err.startswith(f"qmail-conformance: {places[what]}: ")
    assert what in said.err
    assert len(said.err.splitlines()) == 2  # the second says what to do
    assert not (tmp_path / "out").exists()


def test_where_one_run_is_meant_its_directory_is_too_and_of_several_the_targets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["identify", str(SAMPLE.parent)]) == EXIT_USAGE
    said = capsys.readouterr().err
    assert said.startswith(f"qmail-conformance: {SAMPLE.parent}: 3 runs are in it, and one is meant\n")
    assert SAMPLE.name in said
    target = read_run(SAMPLE).target.name
    assert run_file(str(SAMPLE.parent), target) == SAMPLE


def _deviations(place: Path) -> object:
    (place.parent / "known").mkdir()
    (place.parent / "known" / "x.toml").symlink_to(place)
    return load_deviations(directory=place.parent / "known")


def _debs(place: Path) -> object:
    (place.parent / "debs").mkdir()
    (place.parent / "debs" / "x.deb").symlink_to(place)
    return read_debs(place.parent / "debs")


def _builds(place: Path) -> object:
    (place.parent / "builds" / "one").mkdir(parents=True)
    (place.parent / "builds" / "one" / "patches").symlink_to(place)
    return read_builds(place.parent / "builds")


READERS = {
    WRITTEN: (read_zone, load_users, _deviations, _builds),
    LARGEST_PACKAGE: (_debs,),
}
ALL = [(most, reader) for most, readers in READERS.items() for reader in readers]


@pytest.mark.parametrize(("most", "reader"), ALL)
def test_files_that_no_option_names_are_read_in_the_same_way(
    tmp_path: Path, most: int, reader: Callable[[Path], object]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="a pipe and not a file"):
        reader(tmp_path / "pipe")


@pytest.mark.parametrize(("most", "reader"), ALL)
def test_a_file_has_a_size_beyond_which_nothing_is_read(
    tmp_path: Path, most: int, reader: Callable[[Path], object]
) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(most + 1)
    with pytest.raises(UsageError, match=f"larger than {most // MIB} MiB"):
        reader(tmp_path / "large")


@pytest.mark.parametrize(("command", "most"), [("try", LONG), ("judge", STORED_RUN)])
def test_a_file_of_a_command_has_one_as_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, most: int
) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(most + 1)
    assert main([command, str(tmp_path / "large")]) == EXIT_USAGE
    assert f"larger than {most // MIB} MiB" in capsys.readouterr().err


def test_a_file_at_its_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "full").write_bytes(b"x" * WRITTEN)
    assert len(read_octets(tmp_path / "full", "")) == WRITTEN
    assert read_octets(Path("/proc/self/stat"), "")  # the size of such a file is 0 to those who ask


def test_what_is_no_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"a\r\nb\n\xe9\n")
    with pytest.raises(UsageError, match="latin, line 3: octet 0xe9 is no UTF-8"):
        read_text(tmp_path / "latin", "")
    (tmp_path / "wide").write_text("a\n", encoding="utf-16")
    for name, written in (("latin", "LATIN1"), ("wide", "UTF-16")):
        with pytest.raises(UsageError) as raised:
            read_text(tmp_path / name, "")
        assert f"iconv -f {written} -t UTF-8" in raised.value.hint
    (tmp_path / "lines").write_bytes(b"a\r\nb\rc\n")
    assert read_text(tmp_path / "lines", "") == "a\nb\rc\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a = " + "[" * 10_000, "more than 50 deep"),
        ("a = " + "[" * 60 + "]" * 60, "more than 50 deep"),
        ("a." * 60 + "b = 1", "more than 50 deep"),
        ("a = { b = 1.5, " + "'c' . " * 30_000 + "b = 1 }", "more than 50 deep"),
        ("a = 1" + "0" * 5000, "Exceeds the limit"),
        ("a = 2024-02-30", "line 1"),
        ("a = ", "at end of document"),
    ],
)
def test_what_no_reader_of_toml_can_take_is_wrong_use(text: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        parse_toml(text, Path("x.toml"), "Its form is TOML.")
    dots = "a." * 100
    right = f'a = {"[" * 40}{"]" * 40} # {dots}\nb = \'{dots}\'\nc = """\n{dots}"""\nd = [{"1.5, " * 100}]\n'
    assert parse_toml(right, Path("x.toml"), "")["d"][99] == 1.5


def test_a_pattern_of_many_wildcards_is_looked_for_once() -> None:
    assert pattern("*a" * 30 + "*b").fullmatch("a" * 100_000) is None
    assert pattern("*a" * 30 + "*b").fullmatch("a" * 100_000 + "cb")
    assert pattern("a*bc*bc").fullmatch("abcbc")
    assert pattern("a*bc*bc").fullmatch("abc") is None
    assert pattern(r"\x00**\*").fullmatch("\0x*")


def test_ends_of_lines_are_read_in_a_time_that_grows_with_their_number(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a" + 400_000 * b"\r" + b"b\r\r\nc\r\n")
    assert read_text(tmp_path / "x", "", LONG)[400_000:] == "\rb\nc\n"


@pytest.mark.parametrize(
    "kind", ["scenario", "deviations", "project", "series", "patches", "zone", "transcript"]
)
def test_a_byte_order_mark_says_nothing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As editors and PowerShell write it before everything else."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8-sig")
        return name

    match kind:
        case "scenario":
            assert main(["try", write("x.toml", "title = 'x'\nsession = '> NOOP'\n")]) == 0
        case "deviations":
            entry = next(each for each in sorted(DIRECTORY.glob("*.toml")))
            write("known/x.toml", entry.read_text(encoding="utf-8"))
            assert load_deviations(directory=tmp_path / "known")
        case "project":
            write("qmail-conformance.toml", "[targets]\nnew = 'reference-stock'\n")
            assert main(["run", "new", "-k", "0006.empty", "-q"]) == 0
        case "series":
            assert read_series(tmp_path / write("series", "0001-x.patch\n")) == [("0001-x.patch", "")]
        case "patches":
            for name, carried in (("one", "0004"), ("two", "0005")):
                write(f"builds/{name}/patches", carried)
                (tmp_path / "builds" / name / "x.deb").touch()
            assert len(read_builds(tmp_path / "builds")) == 2
        case "zone":
            text = "$ORIGIN x.example.\n$TTL 60\n@ SOA ns mail 1 2 3 4 5\n"
            assert parse_zone(read_zone(tmp_path / write("x.example.zone", text))).origin == "x.example"
        case "transcript":
            write("log", "220 here.example ESMTP\nHELO x\n250 here.example\nQUIT\n221 here.example\n")
            assert main(["try", "--from-transcript", "log"]) == 0
    assert "qmail-conformance: " not in capsys.readouterr().err
