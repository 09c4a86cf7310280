"""The programs that run in a target container beside the agent, run here: checkpassword, the scripts."""

import grp
import hashlib
import hmac
import os
import pwd
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from conformance.errors import UsageError
from conformance.places import data
from conformance.pod.configuration import Configuration, PasswordCheck, Program, QueueProgram, RecipientCheck
from conformance.pod.observation import HookCall
from conformance.targets.docker.scripts import behaviour, program_script, session_script
from conformance.targets.target_agent import read_hook_call

AGENT = data("docker", "target", "agent.pl")
CHECKPASSWORD, NOTE = data("docker", "target", "checkpassword"), data("docker", "target", "note")

pytestmark = [
    pytest.mark.skipif(shutil.which("perl") is None, reason="no perl here"),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here"),
]


def test_the_programs_need_no_more_than_perl_base() -> None:
    modules = {"strict", "warnings", "Errno", "Fcntl", "POSIX", "Socket"}
    for program in (AGENT, CHECKPASSWORD, NOTE):
        lines = program.read_text().splitlines()
        used = {line.split()[1].rstrip(";") for line in lines if line.startswith("use ")}
        assert used <= modules
        assert subprocess.run(["perl", "-wc", program], capture_output=True, check=False).returncode == 0


class Check:
    """checkpassword with a state directory of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        (state / "runs").mkdir()
        words = [b"alice", b"secret word", b"bob", b"p\xe9\"'$x", b"carol", b"k" * 255, b""]
        (state / "passwords").write_bytes(b"\0".join(words))

    def run(
        self, descriptor: bytes, *arguments: str, program: Path = CHECKPASSWORD, **environment: str
    ) -> int:
        return subprocess.run(
            ["sh", "-c", 'exec 3<&0; exec "$@"', "sh", "perl", program, *arguments],
            input=descriptor,
            env={"PATH": os.environ["PATH"], "CONFORMANCE_STATE": str(self.state), **environment},
            check=False,
        ).returncode


def noted(state: Path) -> list[HookCall]:
    runs = state / "runs"
    calls = []
    for run in (runs / "order").read_text().split():
        files = [runs / run, runs / f"{run}.input", runs / f"{run}.envelope"]
        calls.append(read_hook_call(*(file.read_bytes() if file.exists() else b"" for file in files)))
    return calls


def digest(password: bytes, challenge: bytes) -> bytes:
    return hmac.new(password, challenge, "md5").hexdigest().encode()


CHALLENGE = b"<1896.697170952@mx.here.example>"


@pytest.mark.parametrize(
    ("user", "secret", "challenge", "accepted"),
    [
        (b"alice", b"secret word", b"", True),
        (b"alice", b"secret", b"", False),
        (b"alice", b"", b"", False),
        (b"bob", b"p\xe9\"'$x", b"", True),
        (b"carol", b"k" * 255, b"", True),
        (b"nobody", b"secret word", b"", False),
        (b"", b"", b"", False),
        (b"alice", digest(b"secret word", CHALLENGE), CHALLENGE, True),
        (b"carol", digest(b"k" * 255, CHALLENGE), CHALLENGE, True),
        (b"alice", b"secret word", CHALLENGE, False),
        (b"alice", digest(b"secret word", CHALLENGE), CHALLENGE + b"x", False),
    ],
)
def test_checkpassword_compares_passwords_and_cram_md5_digests(
    tmp_path: Path, user: bytes, secret: bytes, challenge: bytes, accepted: bool
) -> None:
    check = Check(tmp_path)
    said = b"\0".join([user, secret, challenge, b""])
    assert check.run(said, "/bin/true", TCPREMOTEINFO="x", OTHER="y") == (0 if accepted else 1)
    [call] = noted(check.state)
    assert (call.program, call.arguments, call.directory) == (
        "checkpassword",
        ["/bin/true"],
        os.path.realpath("."),
    )
    assert call.environment.items() >= {"TCPREMOTEINFO": "x", "OTHER": "y"}.items()
    assert (call.user, call.challenge, call.accepted) == (user.decode(), challenge.decode(), accepted)
    assert call.ends == 3
    assert call.descriptors["3"] == "pipe"
    if secret:
        assert all(secret not in file.read_bytes() for file in (check.state / "runs").iterdir())


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 1000])
def test_md5_is_the_one_of_rfc_1321(length: int) -> None:
    message = (bytes(range(256)) * 4)[:length]
    code = f'require "{CHECKPASSWORD}"; local $/; print unpack "H*", md5(<STDIN> // "")'
    ran = subprocess.run(["perl", "-e", code], input=message, capture_output=True, check=False)
    assert ran.stdout.decode() == hashlib.md5(message).hexdigest(), ran.stderr


def test_the_exit_status_of_checkpassword_and_how_it_crashes(tmp_path: Path) -> None:
    check = Check(tmp_path)
    login = b"alice\0secret word\0\0"
    assert check.run(login, "/bin/false") == 1, "it has the last word"
    assert check.run(login, "/nonexistent/program") == 111
    assert (check.run(login), check.run(b"alice", "/bin/true")) == (2, 2)
    crash = tmp_path / "checkpassword-crash"
    crash.symlink_to(CHECKPASSWORD)
    (tmp_path / "note").symlink_to(NOTE)
    shutil.rmtree(tmp_path / "runs")
    (tmp_path / "runs").mkdir()
    assert check.run(login, "/bin/true", program=crash) == -11
    assert [call.accepted for call in noted(check.state)] == [False]


# RCPTCHECK's program


def rcptcheck(
    state: Path, check: RecipientCheck, recipient: str, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    (state / "runs").mkdir(exist_ok=True)
    if not (state / "rcptcheck").exists():
        (state / "rcptcheck").write_bytes(program_script(check, "rcptcheck", str(state), str(NOTE.parent)))
    variables = {"PATH": os.environ["PATH"], "RECIPIENT": recipient, **environment}
    return subprocess.run(["sh", "rcptcheck"], cwd=state, env=variables, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("recipient", "status"),
    [("no@here.example", 100), ("a'b@here.example", 111), ("*@here.example", 120), ("x@here.example", 7)],
)
def test_rcptcheck_exits_as_told(tmp_path: Path, recipient: str, status: int) -> None:
    exits = {"no@here.example": 100, "a'b@here.example": 111, "*@here.example": 120}
    assert rcptcheck(tmp_path, RecipientCheck(exits, default=7), recipient).returncode == status


def test_rcptcheck_prints_and_crashes_as_told(tmp_path: Path) -> None:
    says = "250 fake '%s' \\n\r\n"
    ran = rcptcheck(tmp_path, RecipientCheck(says=says, fate="crash"), "a@here.example")
    assert ran.stdout.decode() == says
    assert ran.returncode == -11


def test_rcptcheck_notes_its_whole_environment(tmp_path: Path) -> None:
    rcptcheck(tmp_path, RecipientCheck(), "a@here.example", SENDER="", ODD="a\nb='$(id)' \xe9")
    odd = os.fsencode("a\nb='$(id)' \xe9").decode("latin-1")
    environment = {"PATH": os.environ["PATH"], "RECIPIENT": "a@here.example", "SENDER": "", "ODD": odd}
    [call] = noted(tmp_path)
    assert (call.program, call.arguments, call.environment) == ("rcptcheck", [], environment)


def run_with(
    state: Path, program: Program, before: str = "", **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """A program with behaviour, run by a shell in which `before` was said."""
    (state / "runs").mkdir(exist_ok=True)
    name = "qmail-queue" if isinstance(program, QueueProgram) else "program"
    (state / name).write_bytes(program_script(program, name, str(state), str(NOTE.parent)))
    command = ["sh", "-c", f'{before}\nexec sh "$@"', "sh", str(state / name), "a b", ""]
    return subprocess.run(command, cwd="/", env={"PATH": os.environ["PATH"]}, capture_output=True, **options)


def test_a_program_notes_how_it_was_run(tmp_path: Path) -> None:
    (tmp_path / "smtpd.log").touch()
    before = f"umask 027; trap '' PIPE HUP; exec 6</etc/passwd 2>>{tmp_path}/smtpd.log</dev/null"
    assert run_with(tmp_path, Program(), before).returncode == 0
    [call] = noted(tmp_path)
    assert (call.program, call.arguments, call.directory) == ("program", ["a b", ""], "/")
    assert (call.account, call.group) == (
        pwd.getpwuid(os.getuid()).pw_name,
        grp.getgrgid(os.getgid()).gr_name,
    )
    assert set(call.groups) == {grp.getgrgid(group).gr_name for group in os.getgroups()}
    assert (call.umask, call.ignores, call.siblings) == ("0027", ["HUP", "PIPE"], 0)
    kinds = {"0": "/dev/null", "1": "pipe", "2": "log", "6": "/etc/passwd"}
    assert call.descriptors.items() >= kinds.items()


def test_other_children_of_its_parent_are_counted_also_dead_ones(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "program").write_bytes(program_script(Program(), "program", str(tmp_path), str(NOTE.parent)))
    parent = "my $dead = fork // die; exit 0 if !$dead; system 'sh', $ARGV[0]"
    subprocess.run(["perl", "-e", parent, str(tmp_path / "program")], check=True)
    assert [call.siblings for call in noted(tmp_path)] == [1]


def test_a_program_reads_prints_and_exits_statuses(tmp_path: Path) -> None:
    program = Program(says="said '%s'", complains="oh\n", reads=True, statuses=[3, 0], default=9)
    runs = [run_with(tmp_path, program, input=b"x\xff\0y") for _ in range(3)]
    assert [(ran.returncode, ran.stdout, ran.stderr) for ran in runs] == [
        (status, b"said '%s'", b"oh\n") for status in (3, 0, 9)
    ]
    assert [call.input for call in noted(tmp_path)] == ["x\xff\0y"] * 3


def test_a_program_that_hangs_or_reads_what_does_not_end(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with pytest.raises(subprocess.TimeoutExpired):
        run_with(tmp_path, Program(fate="hang"), timeout=0.3)
    assert run_with(tmp_path, Program(reads=True), stdin=reader).returncode == 0
    os.close(writer)
    os.close(reader)


@pytest.mark.parametrize(("reads", "status"), [(True, 0), (True, 31), (False, 53)])
def test_a_queue_program_reads_message_and_envelope(tmp_path: Path, reads: bool, status: int) -> None:
    (tmp_path / "e").write_bytes(b"Fa@b.example\0Tc\xff@d.example\0\0")
    program = QueueProgram(statuses=[status], default=1, reads=reads, queues=False)
    assert run_with(tmp_path, program, f"exec 1<{tmp_path}/e", input=b"\0x").returncode == status
    [call] = noted(tmp_path)
    read = ("\0x", "Fa@b.example\0Tc\xff@d.example\0\0") if reads else ("", "")
    assert (call.program, (call.input, call.envelope)) == ("qmail-queue", read)


def test_runs_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    recipients = [f"user{number}@here.example" for number in range(24)]

    def run(recipient: str) -> int:
        return rcptcheck(tmp_path, RecipientCheck(), recipient, FILLER=recipient * 200).returncode

    assert run("first@here.example") == 0
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(run, recipients)) == {0}
    calls = noted(tmp_path)[1:]
    assert sorted(call.environment["RECIPIENT"] for call in calls) == sorted(recipients)
    assert all(call.environment["FILLER"] == call.environment["RECIPIENT"] * 200 for call in calls)


def test_an_argument_of_qmail_smtpd_is_what_it_is_whatever_it_holds() -> None:
    words = ["", "it's $(id) \\", "a b", "*"]
    script = session_script(Configuration(password_check=PasswordCheck(arguments=words))).decode()
    shown = script.replace("exec 2>>", ": ").replace("exec ", "printf '%s|' ")
    printed = subprocess.run(["sh", "-c", shown], capture_output=True, text=True, check=True).stdout
    assert printed.split("|")[1:-1] == words


@pytest.mark.parametrize("name", ["A B", "X=Y", "1A", "A;id", ""])
def test_a_variable_that_cannot_be_set_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        session_script(Configuration(environment={name: "x"}))


@pytest.mark.parametrize(
    ("program", "envelope", "given"),
    [
        (QueueProgram(gives="FX\0\0", queues=False), "Fa\0Tb\0\0", "FX\0\0"),
        (QueueProgram(gives="FX\0\0", queues=False), "", ""),
        (QueueProgram(gives="FX\0\0", queues=False, reads=False), "", "FX\0\0"),
    ],
)
def test_an_envelope_is_given_in_the_place_of_one(
    program: QueueProgram, envelope: str, given: str, tmp_path: Path
) -> None:
    """With a message that is given up there is none."""
    (tmp_path / "runs").mkdir()
    (tmp_path / "envelope").write_text(envelope)
    script = "\n".join(behaviour(program, "qmail-queue", str(tmp_path)))
    with (tmp_path / "envelope").open() as descriptor:  # it is read from descriptor 1
        subprocess.run(["sh", "-c", script], stdin=subprocess.DEVNULL, stdout=descriptor, check=True)
    (written,) = (tmp_path / "runs").glob("*.given")
    assert written.read_text() == given
