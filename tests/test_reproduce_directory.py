"""A reproduction's directory: what it holds, what it never shows, and that its scripts are sound."""

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conformance.cli.writing import write_directory
from conformance.errors import UsageError
from conformance.judge.verdict import Verdict
from conformance.pod.codec import decode, encode
from conformance.pod.mailboxes import load_users, passwords
from conformance.pod.record import Act, Failure, Observe, Prepare, Receive, Record, Signal
from conformance.pod.world import Fault
from conformance.reproduce.directory import MARK, directory, directory_name, mode
from conformance.reproduce.readme import story_lines
from conformance.reproduce.scene import Scene, scene, steps
from conformance.reproduce.wording import escaped
from conformance.reproduce.zonefiles import fault_words
from conformance.targets.names import parse_target
from conformance.targets.ready import Images
from conformance.targets.target import Target
from tests.reproductions import PERL, perl, scene_of, written

#: One of each patch, in and out for AUTH, and one with qmail-send.
SCENES = (
    "base.accepted.queued",
    "base.again.locals",
    "base.delivery.maildir",
    "0004.any.delayed",
    "0005.mx.octets-4096",
    "0006.unknown.code",
    "0007.mail.bang",
    "0008.cram.accepted",
    "0008.out.cram",
    "0009.exit-100.others-stand",
)


def test_a_signal_is_played_once_its_control_files_stand() -> None:
    (step,) = [step for step in steps(scene_of("base.again.locals")) if step[0] == "signal"]
    assert step == ("signal", "HUP", "locals", "here.example\nnew.example\n")


def test_no_signal_writes_outside_the_control_files() -> None:
    made = scene_of("base.again.locals").verdict
    assert made.record is not None
    acts = [
        dataclasses.replace(act, control={"../queue/x": ""}) if isinstance(act, Signal) else act
        for act in made.record.acts
    ]
    with pytest.raises(UsageError, match="a control file of another name"):
        scene(dataclasses.replace(made, record=Record(tuple(acts))), parse_target("reference-ppa"))


@pytest.fixture(params=SCENES)
def made(request: pytest.FixtureRequest) -> Scene:
    return scene_of(request.param)


def test_the_directory_stands_alone(made: Scene, tmp_path: Path) -> None:
    files = written(made, tmp_path / "out")
    assert {"README.md", "reproduce.sh", "expected.txt", "steps.txt", "traffic.pcap", "dns.pl"} <= set(files)
    assert all((tmp_path / "out" / name).read_bytes() == content for name, content in files.items())
    assert {f"control/{name}" for name in made.configuration.control} <= set(files)
    assert len([name for name in files if name.startswith("zones/")]) == len(made.world.zones)
    readme = files["README.md"].decode()
    assert readme.startswith(f"# {made.verdict.requirement} on reference-ppa: {made.verdict.verdict}\n")
    assert "sh reproduce.sh" in readme
    assert "drawn from the record and not captured" in readme
    for name in ("conformance import", "import conformance", "python"):
        assert all(name.encode() not in content for content in files.values()), name


def test_its_scripts_are_sound(made: Scene, tmp_path: Path) -> None:
    files = written(made, tmp_path)
    scripts = [name for name in files if name.endswith(".sh") or name == "programs/rcptcheck"]
    assert {"reproduce.sh", "inside.sh", "smtpd.sh"} <= set(scripts)
    for name in scripts:
        subprocess.run(["sh", "-n", str(tmp_path / name)], check=True)
        if shutil.which("shellcheck"):
            subprocess.run(["shellcheck", str(tmp_path / name)], check=True)
    for name in ("dns.pl", "exchanger.pl", "play.pl"):
        checked = subprocess.run([PERL, "-wc", str(tmp_path / name)], capture_output=True, text=True)
        assert checked.stderr == f"{tmp_path / name} syntax OK\n"


def test_passwords_stand_in_one_file_and_nowhere_else(made: Scene) -> None:
    files = directory(made, Images())
    for user, password in passwords(load_users()).items():
        secret = password.encode("latin-1")
        holding = {name for name, content in files.items() if secret in content}
        assert holding <= {"secrets.env"}, user
        assert all(password not in line for line in story_lines(made))
    assert ("secrets.env" in files) == made.logs_in()
    if "secrets.env" in files:
        assert "made up" in files["README.md"].decode()


def of_target(target: Target, images: Images | None = None) -> dict[str, bytes]:
    return directory(dataclasses.replace(scene_of("0006.unknown.code"), target=target), images or Images())


@pytest.mark.parametrize(
    ("target", "wanted"),
    [
        (parse_target("reference-ppa"), "executable specification, which is not qmail"),
        (parse_target("stock"), 'SOURCE=stock"'),
        (parse_target("debs:gone@"), "put the .deb files into image/"),
        (parse_target("ppa", ppa="ppa:someone/mail"), "QMAIL_PPA:-ppa:someone/mail"),
        (parse_target("image:registry.example/qmail:1@"), "base='registry.example/qmail:1'"),
    ],
)
def test_an_image_is_built_as_the_target_says(target: Target, wanted: str) -> None:
    files = of_target(target)
    assert wanted in files["reproduce.sh"].decode()
    is_built = target.kind != "reference"
    assert ({"image/Dockerfile", "image/install"} <= set(files)) == is_built
    assert (b"docker build" in files["reproduce.sh"]) == is_built


def test_packages_are_copied_and_a_value_that_would_end_a_shell_word_is_refused(tmp_path: Path) -> None:
    (tmp_path / "qmail_1_all.deb").write_bytes(b"a package")
    assert of_target(parse_target(f"debs:{tmp_path}@"))["image/qmail_1_all.deb"] == b"a package"
    with pytest.raises(UsageError, match="cannot be written into a script"):
        of_target(parse_target("stock"), Images(base='x"; touch /tmp/y; "'))


def test_only_an_earlier_reproduction_is_replaced(tmp_path: Path) -> None:
    files = {"reproduce.sh": b"#!/bin/sh\n", "gone": b""}
    write_directory(tmp_path / "out", files, MARK, mode)
    write_directory(tmp_path / "out", {"reproduce.sh": b"#!/bin/sh\n"}, MARK, mode)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["reproduce.sh"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("dear")
    with pytest.raises(UsageError, match="something else stands there"):
        write_directory(tmp_path / "mine", files, MARK, mode)
    assert (tmp_path / "mine" / "letter").read_text() == "dear"


def test_a_record_can_neither_name_a_file_outside_the_directory_nor_be_empty() -> None:
    made = scene_of("0006.unknown.code")
    for name in ("../x", "a/b", ".hidden", ""):
        configuration = dataclasses.replace(made.configuration, control={name: ""})
        with pytest.raises(UsageError, match="no name of a control file"):
            directory(dataclasses.replace(made, configuration=configuration), Images())
    configuration = dataclasses.replace(made.configuration, delivering=True, dot_qmail={"a/../../x": ""})
    with pytest.raises(UsageError, match="dot-qmail"):
        directory(dataclasses.replace(made, configuration=configuration), Images())
    with pytest.raises(UsageError, match="nothing to reproduce"):
        scene(dataclasses.replace(made.verdict, record=Record()), made.target)


def changed(verdict: Verdict, kind: type[Act], **changes: Any) -> Verdict:
    """The verdict with these fields of all acts of a kind changed in its record."""
    acts = verdict.record.acts if verdict.record else ()
    others = [dataclasses.replace(act, **changes) if isinstance(act, kind) else act for act in acts]
    return dataclasses.replace(verdict, record=Record(tuple(others)))


def test_a_record_cannot_name_a_path_or_a_command() -> None:
    made, odd = scene_of("0008.out.cram"), "1/../../x; touch y\n"
    host = dataclasses.replace(made.world.exchangers[0], address=odd)
    session = dataclasses.replace(made.seen.mx_sessions[0], address=odd)
    for verdict in (
        changed(made.verdict, Prepare, world=dataclasses.replace(made.world, exchangers=[host])),
        changed(made.verdict, Observe, seen=dataclasses.replace(made.seen, mx_sessions=[session])),
        changed(made.verdict, Prepare, configuration=dataclasses.replace(made.configuration, resolver=odd)),
    ):
        with pytest.raises(UsageError, match="not as this suite writes it"):
            scene(verdict, made.target)


@pytest.mark.parametrize("place", ["connection", "subprogram", "verifying"])
def test_other_names_of_paths_and_commands_are_refused_when_a_record_is_read(place: str) -> None:
    data = encode(scene_of("0008.cram.accepted").verdict.record)
    configuration = data["acts"][0]["configuration"]
    where = {"connection": data["acts"][1], "subprogram": configuration["password_check"]}
    where.get(place, configuration)[place] = "1/../../x; touch y\n"
    with pytest.raises(ValueError, match=rf"\.{place} is '1/"):
        decode(Record, data)


def test_the_failure_of_the_world_is_told_and_not_played() -> None:
    made = scene_of("0006.unknown.code")
    assert made.verdict.record is not None
    record = Record((*made.verdict.record.acts, Failure(at=9.0, reason="the pod is gone")))
    failed = scene(dataclasses.replace(made.verdict, record=record), made.target)
    assert steps(failed) == steps(made)
    assert list(story_lines(failed))[-1].endswith("[the world failed: the pod is gone]")


def test_the_line_that_decides_is_marked_in_the_story() -> None:
    made = scene_of("0006.unknown.code")
    seen = "assert 500 == 502\n +  where 500 = <reply 500 'unrecognised (#5.5.2)'>.code"
    unmet = scene(dataclasses.replace(made.verdict, verdict="unmet", seen=seen), made.target)
    [line] = [line for line in story_lines(unmet) if line.endswith("<-- this decides")]
    assert " 500 " in line
    assert not [line for line in story_lines(made) if "decides" in line]


def test_what_a_target_says_is_harmless_on_a_terminal_and_in_the_readme() -> None:
    made = scene_of("0006.unknown.code")
    verdict = changed(made.verdict, Receive, data="500 \x1b[2J\x07```\r\n")
    hostile = scene(dataclasses.replace(verdict, seen="\x1b]0;x\x07<b>"), made.target)
    shown = "\n".join(story_lines(hostile)) + directory(hostile, Images())["README.md"].decode()
    assert [sign for sign in ("\x1b", "\x07", "<b>") if sign in shown] == []


def test_octets_are_written_on_one_line_and_read_back_in_perl(tmp_path: Path) -> None:
    written(scene_of("0006.unknown.code"), tmp_path)
    every = "".join(map(chr, range(256))) + "\\x41 \\n"
    line = escaped(every)
    assert re.fullmatch(r"[ -~]+", line)
    octets = every.encode("latin-1")
    program = "require $ARGV[0]; local $/; my $x = escaped(<STDIN>); print $x, unescaped($x)"
    assert perl(program, str(tmp_path / "common.pl"), input=octets) == line.encode() + octets


def test_a_right_digest_is_worked_out_anew_and_a_wrong_one_sent_as_it_was() -> None:
    assert ("cram", "0", "alice") in steps(scene_of("0008.cram.accepted"))
    assert not [words for words in steps(scene_of("0008.cram.wrong-digest")) if words[0] == "cram"]


def test_a_name_is_harmless_as_a_directory() -> None:
    made = dataclasses.replace(scene_of("0006.unknown.code"), target=parse_target("debs:../x y/@0004,0005"))
    assert re.fullmatch(r"[A-Za-z0-9.-]+", directory_name(made))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("a.example", "drop", type="MX", over="udp"), "for MX about a.example over UDP gets no"),
        (Fault("*", "rcode", rcode="REFUSED"), "about any name gets an empty answer with REFUSED"),
        (Fault("a.example", "close", length=10, times=2), "closed after 10 octets, the first 2 times"),
        (Fault("a.example", "delay", seconds=1.5), "is answered 1.5 s late"),
    ],
)
def test_a_fault_is_said_in_words(fault: Fault, words: str) -> None:
    assert words in fault_words(fault)
