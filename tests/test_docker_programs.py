"""The programs that run in a target container, run here: the agent's lists, checkpassword, the scripts."""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conformance.errors import UsageError
from conformance.places import data
from conformance.pod.configuration import Configuration, PasswordCheck, RecipientCheck
from conformance.pod.observation import HookCall
from conformance.targets.docker.scripts import recipient_check_script, session_script
from conformance.targets.target_agent import packed, read_hook_call, unpacked

AGENT = data("docker", "target", "agent.pl")
CHECKPASSWORD = data("docker", "target", "checkpassword")

needs_perl = pytest.mark.skipif(shutil.which("perl") is None, reason="no perl here")
needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")


def perl(code: str, input: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["perl", "-e", f'require "{AGENT}"; binmode STDIN; local $/; my $in = <STDIN>; {code}'],
        input=input,
        capture_output=True,
        check=False,
    )


@needs_perl
@pytest.mark.parametrize(
    "items", [[], [b""], [b"prepare", b"", b"a,b:3:", b"\0\n\xff"], [b"x" * 100_000, b"12:"]]
)
def test_the_agent_reads_and_writes_lists_as_the_internet_does(items: list[bytes]) -> None:
    ran = perl("my ($content) = first_list(\\$in); print encode(decode($content))", packed(items))
    assert ran.stdout == packed(items), ran.stderr
    assert unpacked(ran.stdout[4:]) == items


@needs_perl
def test_the_agent_waits_for_a_whole_list() -> None:
    whole = packed([b"observe", b"x" * 20])
    for cut in range(len(whole)):
        ran = perl("my @found = first_list(\\$in); print scalar @found", whole[:cut])
        assert ran.stdout == b"0", (cut, ran.stderr)


@needs_perl
@pytest.mark.parametrize("wrong", [b"x", b"\0\0\0\5abc", b"\0\0\0\1a\0\0"])
def test_the_agent_refuses_a_list_that_is_cut_off(wrong: bytes) -> None:
    assert perl("decode($in)", wrong).returncode != 0


@needs_perl
def test_the_programs_need_no_more_than_perl_base() -> None:
    modules = {"strict", "warnings", "Errno", "Fcntl", "POSIX", "Socket"}
    for program in (AGENT, CHECKPASSWORD):
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

    def calls(self) -> list[HookCall]:
        return noted(self.state)


def noted(state: Path) -> list[HookCall]:
    order = (state / "runs" / "order").read_text().split()
    return [read_hook_call((state / "runs" / name).read_bytes()) for name in order]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    return Check(tmp_path)


@needs_perl
@needs_proc
@pytest.mark.parametrize(
    ("user", "secret", "accepted"),
    [
        (b"alice", b"secret word", True),
        (b"alice", b"secret", False),
        (b"alice", b"", False),
        (b"bob", b"p\xe9\"'$x", True),
        (b"carol", b"k" * 255, True),
        (b"nobody", b"secret word", False),
        (b"", b"", False),
    ],
)
def test_checkpassword_compares_passwords(check: Check, user: bytes, secret: bytes, accepted: bool) -> None:
    status = check.run(user + b"\0" + secret + b"\0", "/bin/true", TCPREMOTEINFO="x", OTHER="y")
    assert status == (0 if accepted else 1)
    (call,) = check.calls()
    assert call.program == "checkpassword"
    assert call.arguments == ["/bin/true"]
    assert call.user == user.decode("latin-1")
    assert call.accepted is accepted
    assert call.environment == {"TCPREMOTEINFO": "x"}
    if secret:
        assert all(secret not in file.read_bytes() for file in (check.state / "runs").iterdir())


@needs_perl
@needs_proc
@pytest.mark.parametrize(("user", "password"), [(b"alice", b"secret word"), (b"carol", b"k" * 255)])
def test_checkpassword_compares_cram_md5_digests(check: Check, user: bytes, password: bytes) -> None:
    challenge = b"<1896.697170952@mx.here.example>"
    digest = hmac.new(password, challenge, "md5").hexdigest().encode()
    assert check.run(b"\0".join([user, digest, challenge, b""]), "/bin/true") == 0
    assert check.run(b"\0".join([user, password, challenge, b""]), "/bin/true") == 1
    assert check.run(b"\0".join([user, digest, challenge + b"x", b""]), "/bin/true") == 1
    assert [call.accepted for call in check.calls()] == [True, False, False]
    assert check.calls()[0].challenge == challenge.decode()


@needs_perl
@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 1000])
def test_md5_is_the_one_of_rfc_1321(length: int) -> None:
    message = bytes(range(256)) * 4
    message = message[:length]
    ran = subprocess.run(
        ["perl", "-e", f'require "{CHECKPASSWORD}"; local $/; print unpack "H*", md5(<STDIN> // "")'],
        input=message,
        capture_output=True,
        check=False,
    )
    assert ran.stdout.decode() == hashlib.md5(message).hexdigest(), ran.stderr


@needs_perl
@needs_proc
def test_the_subprogram_has_the_last_word(check: Check) -> None:
    assert check.run(b"alice\0secret word\0\0", "/bin/false") == 1
    assert check.run(b"alice\0secret word\0\0", "/nonexistent/program") == 111


@needs_perl
@needs_proc
def test_checkpassword_refuses_to_be_used_wrongly(check: Check) -> None:
    assert check.run(b"alice\0secret word\0\0") == 2
    assert check.run(b"alice", "/bin/true") == 2


@needs_perl
@needs_proc
def test_checkpassword_can_crash(check: Check, tmp_path: Path) -> None:
    crash = tmp_path / "checkpassword-crash"
    crash.symlink_to(CHECKPASSWORD)
    assert check.run(b"alice\0secret word\0\0", "/bin/true", program=crash) == -11
    assert [call.accepted for call in check.calls()] == [False]


# RCPTCHECK's program


def rcptcheck(
    state: Path, check: RecipientCheck, recipient: str, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    (state / "runs").mkdir(exist_ok=True)
    script = state / "rcptcheck"
    script.write_bytes(recipient_check_script(check, str(state)))
    return subprocess.run(
        ["sh", script],
        cwd=state,
        env={"PATH": os.environ["PATH"], "RECIPIENT": recipient, **environment},
        capture_output=True,
        check=False,
    )


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


@needs_proc
def test_rcptcheck_notes_its_whole_environment(tmp_path: Path) -> None:
    rcptcheck(tmp_path, RecipientCheck(), "a@here.example", SENDER="", ODD="a\nb='$(id)' \xe9")
    (call,) = noted(tmp_path)
    assert call.program == "rcptcheck"
    assert call.arguments == []
    assert call.directory == str(tmp_path.resolve())
    odd = call.environment.pop("ODD").encode("latin-1")
    assert odd == os.fsencode("a\nb='$(id)' \xe9")
    assert call.environment == {"PATH": os.environ["PATH"], "RECIPIENT": "a@here.example", "SENDER": ""}


@needs_proc
def test_runs_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    recipients = [f"user{number}@here.example" for number in range(24)]
    (tmp_path / "runs").mkdir()
    script = tmp_path / "rcptcheck"
    script.write_bytes(recipient_check_script(RecipientCheck(), str(tmp_path)))

    def run(recipient: str) -> int:
        env = {"PATH": os.environ["PATH"], "RECIPIENT": recipient, "FILLER": recipient * 200}
        return subprocess.run(["sh", script], env=env, check=False).returncode

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(run, recipients)) == {0}
    calls = noted(tmp_path)
    assert sorted(call.environment["RECIPIENT"] for call in calls) == sorted(recipients)
    assert all(call.environment["FILLER"] == call.environment["RECIPIENT"] * 200 for call in calls)


# What tcpserver runs


def run_session(configuration: Configuration, tmp_path: Path) -> tuple[list[str], dict[str, str]]:
    """The command and environment with which the script would start qmail-smtpd."""
    script = session_script(configuration).decode("latin-1")
    script = script.replace("/var/lib/conformance/smtpd.log", str(tmp_path / "log"))
    stand_in = tmp_path / "qmail-smtpd"
    stand_in.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\"\necho\ncat /proc/$$/environ\n")
    stand_in.chmod(0o755)
    script = script.replace("/var/lib/qmail/bin/qmail-smtpd", str(stand_in))
    given = {"PATH": os.environ["PATH"], "TCPREMOTEIP": "127.0.0.1"}
    ran = subprocess.run(["sh", "-c", script], env=given, capture_output=True, check=True)
    arguments, _, environment = ran.stdout.decode("latin-1").partition("\n")
    pairs = (entry.partition("=") for entry in environment.split("\0")[:-1])
    return arguments.strip("\0").split("\0"), {name: value for name, _, value in pairs}


@needs_proc
def test_qmail_smtpd_finds_the_environment_of_the_case(tmp_path: Path) -> None:
    wanted = {"RELAYCLIENT": "", "SMTPAUTH": "!cram", "ODD": "it's $HOME\n`id`"}
    configuration = Configuration(environment=wanted, password_check=PasswordCheck(subprogram="false"))
    arguments, environment = run_session(configuration, tmp_path)
    assert arguments == ["/opt/conformance/checkpassword", "/bin/false"]
    assert environment == {"PATH": os.environ["PATH"], "TCPREMOTEIP": "127.0.0.1", **wanted}


@needs_proc
@pytest.mark.parametrize(
    ("check", "program"),
    [
        (RecipientCheck(), "rcptcheck"),
        (RecipientCheck(fate="crash"), "rcptcheck"),
        (RecipientCheck(fate="missing"), "missing"),
    ],
)
def test_rcptcheck_is_named_in_the_environment(tmp_path: Path, check: RecipientCheck, program: str) -> None:
    _, environment = run_session(Configuration(recipient_check=check), tmp_path)
    assert environment["RCPTCHECK"] == f"/var/lib/conformance/{program}"


@pytest.mark.parametrize("name", ["A B", "X=Y", "1A", "A;id", ""])
def test_a_variable_that_cannot_be_set_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        session_script(Configuration(environment={name: "x"}))


@needs_perl
def test_the_agent_reads_whole_files(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"one\n" * 40_000)
    (tmp_path / "empty").touch()
    lengths = (f'length read_file("{tmp_path}/{name}") // "none"' for name in ("long", "empty", "none"))
    ran = perl(f'print join " ", {", ".join(lengths)}')
    assert ran.stdout == b"160000 0 none", ran.stderr


@needs_perl
def test_the_agent_writes_files_anew(tmp_path: Path) -> None:
    file = tmp_path / "file"
    ran = perl(f'write_file("{file}", "long before", 0644); write_file("{file}", "a\\n\\xff", 0600)')
    assert (file.stat().st_mode & 0o777, file.read_bytes()) == (0o600, b"a\n\xff"), ran.stderr
    assert perl(f'write_file("{tmp_path}/none/file", "x")').returncode != 0


@needs_perl
def test_the_agent_empties_directories_and_removes_trees(tmp_path: Path) -> None:
    (tmp_path / "kept" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "below").mkdir(parents=True)
    for file in ("kept/.file", "kept/below/file", "tree/.file", "tree/below/file", "outside"):
        (tmp_path / file).touch()
    (tmp_path / "tree" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "tree" / "dangling").symlink_to("nowhere")
    ran = perl(f'empty_out("{tmp_path}/kept"); remove("{tmp_path}/$_") for "tree", "outside", "none"')
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["kept", "kept/below", "kept/below/file"], ran.stderr


@needs_perl
@pytest.mark.parametrize("wrong", [b"3:abc", b"3:abcd,", b"x", b":,", b"3abc,", b"1:a,2:b,"])
def test_the_agent_refuses_a_list_that_is_none(wrong: bytes) -> None:
    assert perl("decode($in)", wrong).returncode != 0
