"""Octets of strangers act on nothing: every control character on every road to a terminal or a page."""

import io
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from conformance.bench.plots import plots
from conformance.bench.results import CONTROL, ScenarioResult
from conformance.cases.collection import all_requirements
from conformance.cli import machine, main, running
from conformance.harmless import HarmlessStream, Tone
from conformance.judge.runfile import read_run, verdict_line
from conformance.judge.runwriter import RunWriter
from conformance.judge.verdict import Verdict
from conformance.pod.observation import HookCall, TranscriptEntry
from conformance.pod.record import Observe, Prepare, Record
from conformance.report.markdown import escape
from conformance.report.progress import Progress
from conformance.targets.docker import images
from conformance.targets.docker.doctor import MachineCheck
from conformance.targets.plan import Plan
from tests.bench_samples import bench, measured, participant
from tests.judge_samples import PPA, deviation, run, verdict
from tests.report_samples import record

ROOT = Path(__file__).resolve().parents[2]
Told = pytest.CaptureFixture[str]

_CONTROLS = [*range(1, 0x20), *range(0x7F, 0xA0)]
_TURNING = [0xAD, 0x200B, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF, 0xE0041]

#: What CI services take for commands, and lines that look like the command's own.
_COMMANDS = (
    "::error::forged\n  ::set-output name=x::y\n##[error]forged ##vso[task.complete] ##teamcity[x]\n"
    "qmail-conformance: forged\rgate: forged passes.\ngate: forged passes.\n"
)
_SEQUENCES = "\x1b[2J\x1b]0;title\x07\x1b[1;31mred\x9b2J\x90q\x9c"

#: Everything at once, as a record or a message can hold it.
HOSTILE = f"a{''.join(map(chr, (*_CONTROLS, *_TURNING)))}{_SEQUENCES}\udcff\ud800\n{_COMMANDS}"

#: The same for what takes no NUL and no lone surrogate, and for names of files.
ENVIRONMENT = HOSTILE.replace("\ud800", "").replace("/", "")
NAMES = (
    "".join(map(chr, [*_CONTROLS[:31], 0x7F])) + "\n::error::forged\n##[error]forged",
    "".join(map(chr, [*_CONTROLS[32:], *_TURNING])) + "\udcff\nqmail-conformance: forged",
)
TOML = HOSTILE.replace("\ud800", "").replace("\udcff", "")


def check(text: str) -> None:
    """Nothing in it moves a cursor, hides or turns text, commands a CI service, or poses as our own line."""
    assert {char for char in text if not char.isprintable()} <= {"\n", "\t"}
    for line in text.split("\n"):
        assert not re.match(r"\s*::", line), line
        assert not re.search(r"##\w*\[", line), line
        assert not line.startswith(("qmail-conformance: forged", "gate: forged")), line


def checked(arguments: list[str], told: Told, *texts: str) -> int:
    """Run the command and check all that it says; its exit status."""
    status = main(arguments)
    said = told.readouterr()
    for text in (said.out, said.err):
        check(text)
    assert "not foreseen" not in said.err
    assert said.out + said.err != ""
    for text in texts:
        assert text in said.out + said.err
    return status


# The stream


@pytest.mark.parametrize("number", [*range(0x20), *range(0x7F, 0xA1), *_TURNING, 0xD800, 0xDFFF, 0xFFFE])
def test_each_character_is_shown(number: int) -> None:
    plain = io.StringIO()
    stream, char = HarmlessStream(plain), chr(number)
    stream.write(f"a{char}b")
    stream.write(char)
    stream.paint(f"{char}\n", "bad")
    stream.rewrite(char)
    text = plain.getvalue()
    for own in ("\x1b[1;31m", "\x1b[0m", "\r", "\x1b[K"):
        assert text.count(own) == 1, "our own, once each"
        text = text.replace(own, "")
    check(text)
    if char not in "\n\t":
        assert (
            text.count(char.encode("unicode_escape").decode() if number > 0x1F else f"\\x{number:02x}") == 4
        )


@pytest.mark.parametrize(
    "text", ["::error::x", "  ::x", "\t::x", "##[error]x", "a ##vso[x]", "##teamcity[x]"]
)
def test_no_cut_makes_a_command(text: str) -> None:
    for cut in range(len(text)):
        plain = io.StringIO()
        stream = HarmlessStream(plain)
        print("before", file=stream)
        print(text[:cut], text[cut:], sep="", end="\n", file=stream)
        for char in text:
            stream.write(char)
        stream.rewrite(text)
        check(plain.getvalue().replace("\r", "\n").replace("\x1b[K", ""))
        assert json.loads(f'"{plain.getvalue().splitlines()[1].lstrip()}"') == text.lstrip(), "JSON reads it"


def test_what_is_no_command_stays() -> None:
    plain = io.StringIO()
    text = "## heading\n# [x]\na::b ::c\n[##]\n\tcafé …\n"
    HarmlessStream(plain).write(text)
    assert plain.getvalue() == text


@pytest.mark.parametrize("how", ["plain", "quiet", "good", "bad", "doubtful"])
def test_a_text_has_no_colour_but_its_own(how: Tone) -> None:
    plain = io.StringIO()
    HarmlessStream(plain).paint(_SEQUENCES, how)
    assert plain.getvalue().count("\x1b") == (0 if how == "plain" else 2)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_shows_a_hostile_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "2000")
    terminal = Terminal()
    display = Progress(terminal, 3)
    display.start(HOSTILE)
    display.step(replace(verdict(next(iter(all_requirements().values())), PPA), requirement=HOSTILE))
    display.finish()
    check(terminal.getvalue().replace("\r", "").replace("\x1b[K", ""))


# Run files


def hostile_record(text: str) -> Record:
    """A record in which everything that qmail, a host or a program said is `text`."""
    acts: list[Any] = list(
        record(
            text, transcript=[TranscriptEntry(0.0, who, text) for who in ("client", "exchanger", "event")]
        ).acts
    )
    for at, act in enumerate(acts):
        if isinstance(act, Prepare):
            environment = {"RELAYCLIENT": text.replace("\0", "")}
            acts[at] = replace(
                act, configuration=replace(act.configuration, control={"me": text}, environment=environment)
            )
        if isinstance(act, Observe):
            calls = [HookCall("rcptcheck", [text], text, {"RECIPIENT": text})]
            seen = replace(act.seen, log=[text], hook_calls=calls, mailboxes={text: [text]})
            seen = replace(seen, questions=[replace(each, name=text) for each in seen.questions])
            acts[at] = replace(act, seen=seen)
    return Record(tuple(acts))


def stored(path: Path, text: str, *, names: bool = False) -> str:
    """A run file in which every text is `text`; `names`: the requirements' names too."""
    known = list(all_requirements().values())[:3]
    target = replace(PPA, name=text, packages={text: text}, image=text)
    verdicts: list[Verdict] = []
    for one, attempts in zip(known, (["unmet", "unmet"], ["invalid"], ["unmet"]), strict=True):
        excuses = [deviation(target="*", requirement=one.name, reason=text, source=text)]
        made = verdict(one, target, *attempts, deviations=excuses if attempts == ["unmet"] else [], seen=text)
        name = f"{one.name}{text}" if names else one.name
        verdicts.append(
            replace(made, requirement=name, promise=text, source=text, record=hostile_record(text))
        )
    header = run(target, verdicts, selection=text, queue=text).header
    writer = RunWriter(path, header)
    for made in verdicts:
        writer.write(verdict_line(made))
    writer.finish()
    return str(path)


REPORTS = {
    "compare": ["compare", "RUN"],
    "report": ["report", "RUN"],
    "junit": ["report", "RUN", "--junit", "-"],
    "json": ["report", "RUN", "--json", "-"],
    "diff": ["report", "--diff", "RUN", "OTHER"],
    "diff-markdown": ["report", "--diff", "RUN", "OTHER", "--markdown", "-"],
    "judge": ["judge", "RUN", "--out", "out"],
    "reproduce": ["reproduce", "NAME", "--from", "RUN", "--out", "out"],
    "reproduce-nothing": ["reproduce", "nothing", "--from", "RUN"],
    "attribute": ["attribute", "RUN", "OTHER", "--out", "out"],
}


@pytest.mark.parametrize("arguments", REPORTS.values(), ids=REPORTS)
@pytest.mark.parametrize("names", [False, True])
@pytest.mark.parametrize("text", [HOSTILE, f"x{_SEQUENCES}"], ids=["all", "sequences"])
def test_a_run_file_acts_on_nothing(
    arguments: list[str],
    names: bool,
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Told,
) -> None:
    monkeypatch.chdir(tmp_path)
    made = {
        "RUN": stored(tmp_path / "run.jsonl", text, names=names),
        "OTHER": stored(tmp_path / "other.jsonl", text, names=names),
        "NAME": next(iter(all_requirements())) + (text if names else ""),
    }
    checked([made.get(word, word) for word in arguments], capsys)


def test_each_page_that_is_written_acts_on_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    monkeypatch.chdir(tmp_path)
    name = stored(tmp_path / "run.jsonl", HOSTILE + "<script>x</script>](http://h.example)`|", names=True)
    both = participant("0", HOSTILE), participant("1", f"b{HOSTILE}")
    image = read_run(Path(name)).target.image
    made = bench(*(replace(each, target=each.target | {"image": image}) for each in both))
    result = ScenarioResult(HOSTILE, HOSTILE, HOSTILE, "0", seed=3, unsupported={"1": HOSTILE})
    result.rounds = {key: [measured(100)] * 7 for key in ("0", CONTROL)}
    result.failures = {"1": HOSTILE}
    made.scenarios.append(result)
    (tmp_path / "bench.json").write_text(json.dumps(made.to_json()))
    options = {
        "--html": "w/site",
        "--badges": "w",
        "--junit": "w/j.xml",
        "--json": "w/r.json",
        "--markdown": "w/m",
    }
    given = [word for pair in options.items() for word in pair]
    assert checked(["report", name, *given, "--bench", "bench.json"], capsys) == 0
    pages = [path for path in (tmp_path / "w").rglob("*") if path.is_file()]
    assert {path.suffix for path in pages} == {".html", ".svg", ".xml", ".json", ""}
    for path in pages:
        text = path.read_text(encoding="utf-8")
        assert {char for char in text if not char.isprintable()} <= {"\n", "\t"}, path
        if path.suffix in (".xml", ".svg"):
            ET.fromstring(text)
        if path.suffix in (".html", "", ".svg"):
            assert "<script>x" not in text
    for svg in plots(made).values():
        ET.fromstring(svg)
        assert {char for char in svg if not char.isprintable()} == {"\n"}


# Files and names of a person


@pytest.mark.parametrize("name", NAMES, ids=["C0", "C1"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["run"],
        ["run", "reference-ppa", "-k"],
        ["run", "reference-ppa", "--patch"],
        ["gate"],
        ["compare"],
        ["compare", "reference-ppa"],
        ["judge"],
        ["report"],
        ["report", "--bench", "bench.json", "--html", "site"],
        ["attribute"],
        ["attribute", "--targets"],
        ["bisect", "--targets", "reference"],
        ["bisect", "0006.unknown.code", "--targets", "reference", "--from"],
        ["list", "-k"],
        ["list", "--patch"],
        ["list"],
        ["zoo", "-k"],
        ["try"],
        ["try", "--from-transcript"],
        ["try", str(ROOT / "tests" / "scenarios" / "short.toml"), "--target"],
        ["shrink"],
        ["bench"],
        ["bench", "--scenario"],
        ["reproduce", "--target", "reference-ppa"],
        ["reproduce", "0006.unknown.code", "--target"],
        ["reproduce", "0006.unknown.code", "--from"],
        ["reference-deb", "out", "--patches"],
        ["targets"],
        ["targets", "--ppa"],
        [],
    ],
    ids=" ".join,
)
def test_a_hostile_argument_acts_on_nothing(
    arguments: list[str], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    checked([*arguments, name], capsys)
    checked([*arguments, f"--{name}"], capsys)


@pytest.mark.parametrize("name", NAMES, ids=["C0", "C1"])
def test_a_hostile_file_name_acts_on_nothing(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    place = tmp_path / name
    place.mkdir()
    monkeypatch.chdir(place)
    shutil.copy(stored(tmp_path / "run.jsonl", "b"), f"r{name[:60]}.jsonl")
    shutil.copy(ROOT / "tests" / "scenarios" / "short.toml", f"s{name[:60]}.toml")
    good, scenario, wrong = f"r{name[:60]}.jsonl", f"s{name[:60]}.toml", f"w{name[:60]}.jsonl"
    Path(wrong).write_text("{}\n")
    for arguments in (
        ["compare", good],
        ["judge", good, "--out", name],
        ["judge", wrong],
        ["report", good, "--html", name, "--markdown", f"m{name}"],
        ["report", good, "--badges", name],
        ["report", wrong],
        ["attribute", good, "--out", name],
        ["attribute", "--targets", "."],
        ["try", scenario, "--out", name],
        ["try", wrong],
        ["try", "--from-transcript", wrong],
        ["shrink", scenario, "-o", f"o{name[:60]}.toml"],
        ["reproduce", next(iter(all_requirements())), "--from", good, "--out", f"d{name}"],
        ["reference-deb", name],
        ["zoo", "-k", "0006.dropped", "-n", "1", "--out", f"z{name}"],
        ["run", "reference-ppa", "-k", "0006.empty", "-n", "1", "--out", f"u{name}"],
    ):
        checked(arguments, capsys)


@pytest.mark.parametrize("command", ["targets", "doctor", "run", "compare"])
@pytest.mark.parametrize(
    "variable", ["QMAIL_PPA", "QMAIL_RELEASE", "QMAIL_BASE", "QMAIL_MIRROR", "DOCKER_HOST"]
)
def test_a_hostile_environment_acts_on_nothing(
    command: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-engine.sock")
    monkeypatch.setenv(variable, ("unix://" if variable == "DOCKER_HOST" else "") + ENVIRONMENT)
    rest = {"run": ["ppa"], "compare": ["-k", "0006.empty", "-n", "1", "--out", "out"]}
    checked([command, *rest.get(command, [])], capsys)


_QUOTED = json.dumps(TOML).replace("\x7f", "\\u007f")
SCENARIOS = {
    "texts": f"title = {_QUOTED}\ntext = {_QUOTED}\nsession = '''\n> NOOP\n< 250\n'''\n",
    "greeting": f"session = '''\n> FROB\n< 500\n'''\n[control]\nsmtpgreeting = {_QUOTED}\n",
    "session": f"session = {_QUOTED}\n",
    "line": f"session = {json.dumps('> NOOP' + TOML.replace(chr(10), ' ')).replace(chr(127), '')}\n",
    "key": f"{_QUOTED} = 1\nsession = '> NOOP'\n",
    "zone": f'session = "> NOOP"\n[zones]\n"a.example" = {_QUOTED}\n',
    "origin": f'session = "> NOOP"\n[zones]\n{_QUOTED} = "@ MX 10 a"\n',
    "control": f'session = "> NOOP"\n[control]\n{_QUOTED} = "x"\n',
    "environment": f'session = "> NOOP"\n[environment]\n{_QUOTED} = "x"\n',
    "address": f'session = "> NOOP"\n[[exchanger]]\naddress = {_QUOTED}\n',
    "fault": f'session = "> NOOP"\n[[fault]]\nname = {_QUOTED}\naction = {_QUOTED}\n',
}


@pytest.mark.parametrize("text", SCENARIOS.values(), ids=SCENARIOS)
@pytest.mark.parametrize("command", ["try", "shrink"])
def test_a_scenario_acts_on_nothing(command: str, text: str, tmp_path: Path, capsys: Told) -> None:
    path = tmp_path / "bug.toml"
    path.write_text(text, encoding="utf-8")
    checked([command, str(path)], capsys)
    path.write_bytes(HOSTILE.encode("utf-8", "surrogatepass"))
    assert checked([command, str(path)], capsys) == 2


def test_a_transcript_acts_on_nothing(tmp_path: Path, capsys: Told) -> None:
    path, made = tmp_path / "session.txt", tmp_path / "made.toml"
    path.write_bytes(HOSTILE.encode("utf-8", "surrogatepass"))
    checked(["try", "--from-transcript", str(path)], capsys)
    reply = TOML.replace("\n", " ").replace("\r", " ")
    path.write_text(
        f"S: 220 {reply}\nC: NOOP\nS: 250 {reply}\nC: {reply}\nS: 500 {reply}\n", encoding="utf-8"
    )
    checked(["try", "--from-transcript", str(path)], capsys)
    checked(["try", "--from-transcript", str(path), "-o", str(made)], capsys)


def test_what_stands_otherwise_in_a_scenario_is_told(tmp_path: Path, capsys: Told) -> None:
    path = tmp_path / "bug.toml"
    for odd, told in (("\u202e", True), ("é", False)):
        path.write_text(f"session = '''\n# {odd}\n> FROB\n< 500\n'''\n", encoding="utf-8")
        assert main(["shrink", str(path)]) == 0
        assert ("-o FILE" in capsys.readouterr().err) is told


def test_markdown_makes_no_link_of_a_name() -> None:
    for text in ("www.evil.example", "http://evil.example", "<b>", "![x](y)", "a|b", "`x`"):
        page = escape(f"{text}\n# {text}")
        assert "\n" not in page
        assert not re.search(r"www\.|://|(?<!\\)[][<>|`]", page), page


# What an engine, a build and a target say


class Engine:
    """An engine whose build says hostile things and fails."""

    def __init__(self) -> None:
        steps = [{"stream": HOSTILE}, {"stream": HOSTILE}, {"error": HOSTILE}]
        self.api = SimpleNamespace(build=lambda **_: (step for step in steps))


def fail_to_build(*_: object, **__: object) -> Plan:
    images.build(Engine(), images.Recipe(HOSTILE, {"Dockerfile": (b"", 0o644)}, {"BASE": HOSTILE}), "tag")
    raise AssertionError("it was built")


@pytest.mark.parametrize(
    "arguments",
    [["run", "stock"], ["gate", "debs:x"], ["compare"], ["compare", "stock", "ppa"]],
    ids=" ".join,
)
def test_the_log_of_a_build_acts_on_nothing(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    original = running.make_ready

    def ready(names: Any, *rest: Any, **more: Any) -> Plan:
        return original(names, *rest, **more) if "reference-ppa" in names else fail_to_build()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "make_ready", ready)
    status = checked([*arguments, "-k", "0006.empty", "-n", "1"], capsys, "does not build", r"\x1b[2J")
    assert status == (0 if arguments == ["compare"] else 3)


def test_what_the_doctor_hears_acts_on_nothing(monkeypatch: pytest.MonkeyPatch, capsys: Told) -> None:
    found = MachineCheck("Docker engine", False, HOSTILE, HOSTILE)
    monkeypatch.setattr(machine, "check_engine", lambda *_: [found])
    assert checked(["doctor"], capsys, "BAD   Docker engine") == 3


# Shells


def test_a_reproduction_runs_nothing_of_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trick = "a'\"b`touch pwned`$(touch pwned)\n;touch pwned;\\\t#\n"
    stored(tmp_path / "run.jsonl", trick)
    name = next(iter(all_requirements()))
    assert main(["reproduce", name, "--from", "run.jsonl", "--out", "out"]) == 0
    for script in ("reproduce.sh", "smtpd.sh", "inside.sh", "env"):
        assert subprocess.run(["sh", "-n", f"out/{script}"], check=False).returncode == 0, script
    read = subprocess.run(
        ["sh", "-c", '. out/env; printf %s "$RELAYCLIENT"'], capture_output=True, text=True, check=True
    )
    assert read.stdout == trick
    assert not (tmp_path / "pwned").exists()
    readme = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert {char for char in readme if not char.isprintable()} <= {"\n"}
