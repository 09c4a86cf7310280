"""What agent.pl does for a case, in namespaces and without an engine: with the reference's programs, and with
shell scripts in their place."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from conformance.cases.attempt import Played
from conformance.cases.script import script_of
from conformance.catalogue.builtin import PPA_PATCHES, STOCK_PATCHES
from conformance.catalogue.requirements import Case
from conformance.places import data
from conformance.pod.codec import decode, encode
from conformance.pod.configuration import Configuration, PasswordCheck, RecipientCheck
from conformance.pod.delivery import read_reports
from conformance.pod.observation import RemoteResult
from conformance.reproduce import recipe
from conformance.targets.target_agent import configuration_items, packed
from tests.agents import LONG, until
from tests.namespaces import Root, Target, needs_namespaces
from tests.pod_scripts import SCRIPTS, is_still_at_work

pytestmark = needs_namespaces

USERS = [
    "user", "alice", "",
    "user", "bob", "",
    "dot-qmail", "alice/.qmail-list", "#\n",
    "password", "bob", "p\xe9",
]  # fmt: skip
#: What tcpserver runs for each session.
SESSION = [("program", "session", "#!/bin/sh\nexec 2>>/var/lib/conformance/smtpd.log\nexec qmail-smtpd\n")]
Fate = Literal["exit", "crash", "missing"]
EVERY = bytes(range(256))
PLAYER = Path(recipe.__file__).parent / "programs"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return Root(tmp_path_factory.mktemp("played") / "root", PPA_PATCHES)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with Target(Root(tmp_path_factory.mktemp("target") / "root", STOCK_PATCHES)) as started:
        assert started.ask("users", *USERS) == [b"ok"]
        yield started


def scripted_root(directory: Path) -> Root:
    """A target whose qmail-remote runs its first argument, and whose services run the script `service`."""
    root = Root(directory / "root", STOCK_PATCHES)
    root.program("qmail-remote", 'eval "$1"')
    root.program("qmail-newmrh", "cd /var/lib/qmail/control && cp morercpthosts morercpthosts.cdb")
    root.program("qmail-smtpd", 'printf "%s|" $(id -u) "$*"; cat /proc/$$/environ')
    for name in ("qmail-start", "qmail-verify"):
        root.program(name, ". /opt/conformance/service")
    return root


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with Target(scripted_root(tmp_path_factory.mktemp("fake"))) as started:
        assert started.ask("users", *USERS) == [b"ok"]
        yield started


def prepare(target: Target, *items: str) -> None:
    assert target.ask("prepare", *items) == [b"ok"]


def serve(target: Target, service: str) -> None:
    """Set up with mail delivered by a shell script in the place of qmail-send, and let it have its say."""
    said = target.root.state / "said"
    said.unlink(missing_ok=True)
    script = f"cd /var/lib/conformance\n{service}\ntouch said; exec sleep 100"
    (target.root.programs / "service").write_text(script)
    prepare(target, "delivering", "", "")
    until(said.exists)


def running(target: Target) -> list[str]:
    """The commands that run in there."""
    processes = Path(f"/proc/{target.pid}/root/proc").glob("[0-9]*/cmdline")
    return sorted(process.read_bytes().replace(b"\0", b" ").decode().strip() for process in processes)


@pytest.mark.parametrize(
    ("script", "came"),
    [
        *((script, ("met", "")) for script, _ in SCRIPTS),
        (is_still_at_work, ("unmet", "qmail-send is still at work")),
    ],
)
def test_what_is_played_with_the_reference_programs(root: Root, script: Case, came: tuple[str, str]) -> None:
    async def play() -> Played:
        with Target(root) as target:
            async with target.internet() as driver:
                await driver.do("hello")
                played = decode(Played, await driver.do("play", script=encode(script_of(script))))
                await driver.end()
            assert target.process.wait(LONG) == 0, "it ends when the internet has gone"
        return played

    played = asyncio.run(asyncio.wait_for(play(), LONG))
    assert (played.outcome, played.seen.partition("\n")[0]) == came


# Requests


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (packed([b"nonsense"]), "there is no operation nonsense"),
        (b"\0\0\0\1x", "a list of octet strings is cut off"),
        (b"\0\0\0\6\0\0\0\5ab", "a list of octet strings is cut off"),
        (packed([b"prepare", b"else", b"", b""]), "prepare: unknown item else"),
        (packed([b"prepare", b"control", b"a/b", b""]), "control file a/b: a name without a directory"),
        (packed([b"prepare", b"control", b"", b""]), "control file : a name without a directory"),
        (packed([b"prepare", b"dot-qmail", b"eve/.qmail", b""]), "there is no user eve"),
        (packed([b"prepare", b"dot-qmail", b"alice/x", b""]), "OWNER/.qmail-NAME"),
    ],
)
def test_a_failure_is_told_and_the_next_request_is_served(target: Target, request_: bytes, told: str) -> None:
    target.tell(request_)
    answer, why = target.hear()
    assert answer == b"failure"
    assert told in why.decode()
    assert target.ask("wait_until_idle", "0") == [b"ok", b"1"]


def test_a_request_may_come_in_pieces_and_two_at_once(fake: Target) -> None:
    items = [b"remote", b"20000", EVERY * 1000, b"cat", EVERY[1:]]
    whole = packed(items)
    for piece in (whole[:1], whole[1:4], whole[4:10], whole[10:-1], whole[-1:] + packed([b"cpu"])):
        fake.tell(piece)
    answer, report, *_ = fake.hear()
    assert (answer, report) == (b"ok", EVERY * 1000)
    answer, seconds = fake.hear()
    assert answer == b"ok"
    assert seconds == b"" or float(seconds) > 0


@pytest.mark.parametrize("waiting", ["", "for qmail-remote", "for qmail-send", "told to end"])
def test_it_ends_with_its_client_and_all_that_runs_with_it(tmp_path: Path, waiting: str) -> None:
    with Target(scripted_root(tmp_path)) as target:
        serve(target, "echo starting delivery 1: msg 1 to local x")
        if waiting == "for qmail-remote":
            target.tell(packed([b"remote", b"100000", b"", b"exec sleep 100"]))
        elif waiting == "for qmail-send":
            target.tell(packed([b"wait_until_idle", b"100000"]))
        if waiting == "told to end":
            target.terminate()
        else:
            target.leave()
        assert target.process.wait(LONG) == 0


def test_it_tells_for_how_long_it_did_not_run_and_that_somebody_meddles(tmp_path: Path) -> None:
    with Target(scripted_root(tmp_path)) as target:
        prepare(target, "resolver", "attempts:1", "")
        _, _, before = target.ask("still")
        os.kill(target.pid, signal.SIGSTOP)
        resumed = time.monotonic() + 0.4
        until(lambda: time.monotonic() > resumed)
        os.kill(target.pid, signal.SIGCONT)
        _, _, after = target.ask("still")
        assert 0.2 < float(after) - float(before) < LONG
        (target.root.directory / "etc/resolv.conf").write_text("nameserver 127.0.0.9\n")
        answer, why = target.ask("observe")
        assert (answer, why[:45]) == (b"failure", b"somebody has changed /etc/resolv.conf: namese")


def test_a_process_that_could_not_be_started_says_nothing_about_qmail(tmp_path: Path) -> None:
    with Target(scripted_root(tmp_path)) as target:
        group = target.root.directory / "sys/fs/cgroup"
        group.mkdir(parents=True)
        (group / "pids.events").write_text("max 2\n")
        prepare(target)
        assert target.ask("still")[0] == b"ok"
        (group / "pids.events").write_text("max 3\n")
        answer, why = target.ask("still")
        assert (answer, why[:44]) == (b"failure", b"the target has reached its limit of processe")


# Setting a case up


def test_a_case_finds_what_it_names_and_nothing_else(fake: Target) -> None:
    home = fake.root.state / "homes/alice"
    prepare(
        fake,
        *("control", "me", "mx.h\xe9re.example\n\0", "control", "morercpthosts", "more.example\n"),
        *("program", "rcptcheck", "#!/bin/sh\n", "dot-qmail", "alice/.qmail-list", "./Maildir/\n"),
        *("dot-qmail", "alice/.qmail-x", "", "resolver", "", "timeout:3"),
    )
    control = fake.root.qmail / "control"
    files = {"me", "morercpthosts", "morercpthosts.cdb"}
    assert {file.name for file in control.iterdir() if file.is_file()} == files
    assert (control / "me").read_bytes() == b"mx.h\xe9re.example\n\0"
    assert (home / ".qmail-list").read_text() == "./Maildir/\n"
    assert (home / ".qmail-x").stat().st_mode & 0o777 == 0o644
    assert (home / ".qmail-x").stat().st_uid == home.stat().st_uid != 0
    assert (fake.root.state / "rcptcheck").stat().st_mode & 0o777 == 0o755
    resolver = fake.root.directory / "etc/resolv.conf"
    assert resolver.read_text() == "nameserver 127.0.0.1\noptions timeout:3\n"
    passwords = fake.root.state / "passwords"
    assert (passwords.read_bytes(), passwords.stat().st_mode & 0o777) == (b"bob\0p\xe9\0", 0o400)

    for place in ("runs/1", "smtpd.log", "queue/mess/3/3", "queue/todo/3", "queue/lock/tcpto"):
        (fake.root.state / place).write_text("left")
    (home / "Maildir/new/1.1.x").touch()
    (home / "tree/below").mkdir(parents=True)
    (home / "tree/link").symlink_to("/etc")
    prepare(fake)
    assert not [file for file in control.iterdir() if file.is_file()]
    assert {path.name for path in home.iterdir()} == {"Maildir", ".qmail-list"}
    assert (home / ".qmail-list").read_text() == "#\n"
    assert not (fake.root.state / "rcptcheck").exists()
    assert (fake.root.directory / "etc/passwd").exists()
    assert fake.ask("observe") == [b"ok", b"log", b"", b"", b""]
    assert (fake.root.state / "queue/lock/tcpto").read_bytes() == bytes(1024)


def test_hosts_that_timed_out_are_written_and_told(fake: Target) -> None:
    prepare(fake, "timeouts", "127.0.0.2", "2 3000", "timeouts", "127.0.0.3", "1 0")
    table = (fake.root.state / "queue/lock/tcpto").read_bytes()
    assert (len(table), table[:8], table[16:24]) == (
        1024,
        b"\x7f\0\0\x02\x02\0\0\0",
        b"\x7f\0\0\x03\x01\0\0\0",
    )
    told = fake.ask("observe")
    first = told.index(b"timeouts")
    assert told[first : first + 3] + told[first + 4 : first + 7] == [
        *(b"timeouts", b"127.0.0.2", b"2"),
        *(b"timeouts", b"127.0.0.3", b"1"),
    ]
    assert 3000 <= int(told[first + 3]) < 3060


def test_what_a_case_left_running_ends_with_it(fake: Target) -> None:
    prepare(fake)
    alone = running(fake)
    fake.ask("remote", "50", "", "sleep 101 & setsid sleep 102 & exec sleep 103")
    until(lambda: {"sleep 101", "sleep 102"} <= set(running(fake)))
    prepare(fake)
    assert running(fake) == alone


def test_qmail_verify_answers_or_is_mute_or_is_not_there(target: Target) -> None:
    control = ("control", "me", "mx.here.example\n", "control", "locals", "here.example\n")

    def asked(recipient: bytes) -> bytes:
        with target.connect(11113, socket.SOCK_DGRAM) as client:
            client.settimeout(0.5)
            client.send(recipient + b"\0")
            return client.recv(100)

    prepare(target, *control, "verifying", "", "")
    assert (asked(b"alice@here.example"), asked(b"eve@here.example")) == (b"\0", b"\1")
    prepare(target, *control, "verifying", "", "mute")
    with pytest.raises(TimeoutError):
        asked(b"alice@here.example")
    prepare(target, *control)
    with pytest.raises(ConnectionRefusedError):
        asked(b"alice@here.example")


def test_a_service_that_ends_at_once_is_a_failure(fake: Target) -> None:
    (fake.root.programs / "service").write_text("exit 3")
    assert fake.ask("prepare", "verifying", "", "") == [
        b"failure", b"the server at port 11113 ended: status 768\n",
    ]  # fmt: skip


@pytest.mark.parametrize("fate", ["exit", "crash", "missing"])
def test_tcpserver_runs_qmail_smtpd_with_the_environment_of_the_case(fake: Target, fate: Fate) -> None:
    wanted = {"RELAYCLIENT": "", "SMTPAUTH": "!cram", "ODD": "it's $HOME\n`id`"}
    configuration = Configuration({}, wanted, RecipientCheck(fate=fate), PasswordCheck(subprogram="false"))
    assert fake.ask("prepare", *configuration_items(configuration)) == [b"ok"]
    with fake.connect(25) as client, client.makefile("rb") as said:
        uid, arguments, environment = said.read().decode().split("|")
    assert (uid, arguments) == ("64011", "/opt/conformance/checkpassword /bin/false")
    variables = dict(variable.split("=", 1) for variable in environment.split("\0")[:-1])
    program = "missing" if fate == "missing" else "rcptcheck"
    wanted |= {"TCPREMOTEIP": "127.0.0.1", "RCPTCHECK": f"/var/lib/conformance/{program}"}
    assert wanted.items() <= variables.items()
    assert not {"PWD", "OLDPWD"} & set(variables)


def test_it_tells_how_each_session_ended_and_what_one_holds_that_runs(tmp_path: Path) -> None:
    root = scripted_root(tmp_path)
    root.program("qmail-smtpd", 'exec 5</dev/null; echo go; read how; eval "$how"; echo more; exec cat')

    def sessions(*open_: socket.socket) -> list[tuple[int, str, str]]:
        ports = [str(client.getsockname()[1]) for client in open_]
        told = [item.decode() for item in target.ask("observe", *ports)[1:]]
        found = [told[at + 1 : at + 4] for at in range(0, len(told), 4) if told[at] == "session"]
        return [(int(port), process.partition(" ")[2], held) for port, process, held in found]

    def session(how: str) -> socket.socket:
        client = target.connect(25)
        client.sendall(f"{how}\n".encode())
        assert client.recv(3) == b"go\n"  # and not what may come behind it
        return client

    with Target(root) as target:
        prepare(target, *(part for item in SESSION for part in item))
        with session("kill -SEGV $$") as first, session("exit 3") as second:
            assert [each[1:] for each in sessions()] == [(str(signal.SIGSEGV.value), ""), (str(3 << 8), "")]
            assert [each[0] for each in sessions()] == [end.getsockname()[1] for end in (first, second)]
        with session("sleep 100 &") as third:
            while b"more" not in third.recv(100):
                pass
            third.sendall(b"x")
            assert third.recv(1) == b"x"  # then no library is being read any more
            [*_, (port, status, held)] = sessions(third)
            assert (port, status) == (third.getsockname()[1], "")
            memory, descriptors, children = map(int, held.split())
            assert (descriptors, children) == (4, 1)
            assert memory > 10
            with session("exec sleep 100"):  # which does not end with its connection
                pass
            began = time.monotonic()
            assert [status for _, status, _ in sessions(third)][-2:] == ["", ""]
            assert time.monotonic() - began < 1.9, "the time of the open one passes too"
            prepare(target)  # ends it
        assert sessions() == []


# qmail-remote


@pytest.mark.parametrize(
    ("limit", "program", "report", "status"),
    [
        (20, "id -u; id -G; cat; echo no >&2; exit 7", "64016\n64010\nx\nno\n", 7),
        (20, "pwd", "/var/lib/conformance/queue/mess\n", 0),
        (20, 'shift; printf "%s|" $# "$@"', "3|a b||\xe9|", 0),
        (20, "kill -SEGV $$", "", -11),
        (20, "sleep 0.2", "", 0),
        (0.2, "echo begun; exec sleep 100", "begun\n", None),
        (0.2, "exec >&- 2>&-; exec sleep 100", "", None),
    ],
)
def test_qmail_remote_is_run_as_qmail_rspawn_does_up_to_the_limit(
    fake: Target, limit: float, program: str, report: str, status: int | None
) -> None:
    said = fake.ask("remote", str(limit * 1000), "x\n", program, "a b", "", "\xe9")
    answer, told, ended_with, ended, seconds = said
    assert (answer, told.decode("latin-1")) == (b"ok", report)
    assert (int(ended_with), ended) == ((-9, b"0") if status is None else (status, b"1"))
    # Only the waiting counts, which begins late on a busy machine.
    assert (0 if status == 0 else 0.2 * (status is None)) <= float(seconds) < 10


def test_a_report_without_an_end_is_cut_off_and_the_program_ended(fake: Target) -> None:
    program = "printf 'rK\\0Kok\\0'; exec yes"
    _, told, status, ended, seconds = fake.ask("remote", "20000", "", program)
    assert told.startswith(b"rK\0Kok\0y\n")
    assert told.partition(b"\0cut off: ")[2] == b"qmail-remote printed more than 1048576 octets"
    assert len(told) < 1_050_000
    assert (status, ended) == (b"-9", b"0")
    assert float(seconds) < 10
    read = read_reports(RemoteResult(told.decode("latin-1"), int(status), False, 0.0))
    assert (read.accepted, read.message.letter) == (False, "")
    assert repr(read).endswith(
        "'cut off: qmail-remote printed more than 1048576 octets', crashed by signal 9>"
    )


def test_each_connection_to_its_port_is_a_qmail_remote_for_measurements(fake: Target) -> None:
    assert fake.ask("remotes", "echo $2; id -u; cat", "r\xe9") == [b"ok"]
    for _ in range(2):
        with fake.connect(7026) as client:
            client.sendall(EVERY)
            client.shutdown(socket.SHUT_WR)
            with client.makefile("rb") as said:
                assert said.read() == b"r\xe9\n64016\n" + EVERY


# qmail-send


def look_of_a_reproduction(target: Target) -> str:
    """What a reproduction says of the log and the queue that stand now."""
    reproduction = target.root.directory / "reproduction"
    shutil.copytree(PLAYER, reproduction, dirs_exist_ok=True)
    (reproduction / "out").mkdir(exist_ok=True)
    shutil.copy(target.root.state / "send.log", reproduction / "out")
    # It looks 500 times; what is still at work then will be the next time too.
    look = "require '/reproduction/play.pl'; wait_until_idle()"
    return target.run("perl", "-e", "BEGIN { *CORE::GLOBAL::select = sub { 0 } } " + look)


@pytest.mark.parametrize(
    ("service", "idle"),
    [
        ("echo status: local 0/10 remote 0/20", True),
        ("echo new msg 24", False),
        (BEGUN := "echo 'new msg 24\nstarting delivery 5: msg 24 to local a@b'", False),
        (DONE := f"{BEGUN}; echo delivery 5: success: did_1+0+0/", False),
        (ENDED := f"{DONE}; echo end msg 24", True),
        (f"{ENDED}; printf 'new msg'", False),
        (f"{ENDED}; touch queue/info/1/24", False),
        (UNSEEN := f"{ENDED}; touch queue/todo/30", False),
        (f"{ENDED}; {BEGUN.replace('24', '47')}", False),
        (LATE := f"printf 'Ta@b\\0' > queue/local/1/24; {BEGUN}; echo delivery 5: deferral: later/", True),
        (f"{LATE}; printf 'Ta@b\\0Tc@b\\0' > queue/local/1/24", False),
        (f"{LATE}; printf 'Tc@d\\0' > queue/remote/1/24", False),
        (f"{LATE}; printf 'Da@b\\0' > queue/local/1/24", False),
        (f"{BEGUN}; touch said; exit", False),
    ],
)
def test_qmail_send_rests_when_all_is_done_or_put_off_in_a_reproduction_too(
    fake: Target, service: str, idle: bool
) -> None:
    serve(fake, service)
    limit = "600000" if idle or "exit" in service else "100"  # one that ended is not waited for
    assert fake.ask("wait_until_idle", limit) == [b"ok", b"1" if idle else b"0"]
    if service in (BEGUN, ENDED, LATE, UNSEEN):
        assert look_of_a_reproduction(fake) == ("" if idle else "qmail-send is still at work\n")
    prepare(fake)
    assert fake.ask("wait_until_idle", "0") == [b"ok", b"1"]


def test_a_queue_at_work_is_waited_for_where_no_qmail_send_runs(fake: Target) -> None:
    gate, program = fake.root.programs / "gate", fake.root.programs / "qmail-queue"
    os.mkfifo(gate, 0o666)
    program.write_text("#!/bin/sh\nread -r said < /opt/conformance/gate\n")
    program.chmod(0o755)
    prepare(fake)
    # Another of its children has ended meanwhile, and that says nothing.
    script = "/opt/conformance/qmail-queue >/dev/null 2>&1 & /bin/true & exec /bin/true"
    assert fake.ask("remote", "20000", "", script)[0] == b"ok"

    def both_are_there() -> bool:
        found = fake.run("sh", "-c", "cat /proc/[0-9]*/stat")
        return "(qmail-queue) S" in found and "(true) Z" in found

    until(both_are_there)
    fake.tell(packed([b"wait_until_idle", b"100000"]))
    gate.write_text("on\n")  # returns when the program has it
    assert fake.hear() == [b"ok", b"1"]


# What is seen


def test_a_flood_is_seen_as_one_and_no_more_of_it_than_there_is_room_for(fake: Target) -> None:
    prepare(fake)
    (fake.root.state / "queue/mess/3/3").write_bytes(b"a" * 5_000_000)
    (fake.root.state / "queue/todo/3").write_text("Fa@b\0Tc@d\0")
    (fake.root.state / "homes/bob/Maildir/new/1.1.x").write_bytes(b"b" * 5_000_000)
    (fake.root.state / "runs/order").write_text("9\n")
    (fake.root.state / "runs/9").write_text("rcptcheck")
    (fake.root.state / "smtpd.log").write_text("the log\n")
    _, *seen = fake.ask("observe")
    told = [word for at in range(0, len(seen), 4) if seen[at] != b"file" for word in seen[at : at + 4]]
    cut = b"\n[cut off: the target holds more than 8388608 octets]\n"
    assert told[::4] == [b"queued", b"mail", b"log"], "a hook's run is told whole or not"
    assert told[3] == b"a" * 5_000_000
    assert told[6].endswith(b"b" + cut)
    assert told[9].endswith(cut)
    assert sum(map(len, told)) < 8_400_000
    prepare(fake)
    (fake.root.state / "smtpd.log").write_text("the log\n")
    assert fake.ask("observe") == [b"ok", b"log", b"the log\n", b"", b""]


def test_what_stands_is_told_in_the_order_of_its_arrival(target: Target) -> None:
    prepare(target)
    for number, kinds in ((2, ["todo"]), (30, ["info", "local", "remote"]), (5, [])):
        message = f"Received: (qmail {100 - number} invoked)\n\n{number}\n"
        (target.root.state / f"queue/mess/{number % 23}/{number}").write_text(message)
        for kind in kinds:
            place = kind if kind == "todo" else f"{kind}/{number % 23}"
            envelope = {"info": "F\0", "local": "Tc@d\0Dg@h\0", "remote": "Te@f\0"}
            envelope["todo"] = "u1\0p2\0Fa@b\0Tc@d\0Te@f\0"
            (target.root.state / f"queue/{place}/{number}").write_text(envelope[kind])
    for name in ("2.9.x", "1.70.x", "2.10.x"):
        (target.root.state / "homes/bob/Maildir/new" / name).write_text(name)
    for name, content in (("order", "9\n8\n"), ("8", "eight"), ("9", "nine")):
        (target.root.state / "runs" / name).write_text(content)
    (target.root.state / "smtpd.log").write_text("one\n")
    bob = target.root.state / "homes/bob"
    (bob / "mbox").write_text("box")
    (bob / "mbox").chmod(0o640)
    os.chown(bob / "mbox", bob.stat().st_uid, bob.stat().st_gid)
    told = [word.decode() for word in target.ask("observe")[1:]]
    rows = [told[at : at + 4] for at in range(0, len(told), 4)]
    assert [(row[1], row[3]) for row in rows if row[0] == "file" and row[2] != "0640 bob 2000"] == [
        ("queue/info/7/30", "F\0"),
        ("queue/local/7/30", "Tc@d\0Dg@h\0"),
        *((f"queue/mess/{number % 23}/{number}", "") for number in (2, 5, 30)),
        ("queue/remote/7/30", "Te@f\0"),
        ("queue/todo/2", "u1\0p2\0Fa@b\0Tc@d\0Te@f\0"),
        *((f"homes/bob/Maildir/new/{name}", "") for name in ("1.70.x", "2.10.x", "2.9.x")),
    ]
    assert [row[1:] for row in rows if row[2] == "0640 bob 2000"] == [
        ["homes/bob/mbox", "0640 bob 2000", "box"]
    ]
    assert [row for row in rows if row[0] != "file"] == [
        ["queued", "", "c@d\0e@f\0", "Received: (qmail 70 invoked)\n\n30\n"],
        ["queued", "a@b", "c@d\0e@f\0", "Received: (qmail 98 invoked)\n\n2\n"],
        *(["mail", "bob", name, ""] for name in ("1.70.x", "2.9.x", "2.10.x")),
        ["hook", "nine", "", ""],
        ["hook", "eight", "", ""],
        ["log", "one\n", "", ""],
    ]


def test_a_signal_is_sent_once_files_stand_and_modes_last_for_one_case(fake: Target) -> None:
    home = fake.root.state / "homes/alice"
    said = fake.root.state / "said"
    said.unlink(missing_ok=True)
    (fake.root.programs / "service").write_text(
        "trap 'cp /var/lib/qmail/control/locals /var/lib/conformance/said' HUP\n"
        "touch /var/lib/conformance/trapped\nwhile :; do sleep 0.02; done"
    )
    prepare(
        fake, "delivering", "", "", "dot-qmail", "alice/.qmail-m", "#\n", "mode", "alice/.qmail-m", "0666",
        "mode", "alice", "1755", "mode", "bob/Maildir", "gone",
    )  # fmt: skip
    assert (home / ".qmail-m").stat().st_mode & 0o7777 == 0o666
    assert home.stat().st_mode & 0o7777 == 0o1755
    assert not (fake.root.state / "homes/bob/Maildir").exists()
    until((fake.root.state / "trapped").exists)
    assert fake.ask("signal", "HUP", "locals", "new.example\n") == [b"ok"]
    until(said.exists)
    until(lambda: said.read_text() == "new.example\n")
    prepare(fake)
    assert home.stat().st_mode & 0o7777 == 0o755
    assert (fake.root.state / "homes/bob/Maildir/new").is_dir()
    answer = fake.ask("signal", "ALRM")
    assert answer[0] == b"failure", answer


def test_without_packages_nothing_is_done_to_any(fake: Target) -> None:
    prepare(fake)
    assert fake.ask("packages", "begin", "1000") == [b"ok", b"unsupported", b"", b"", b""]
    assert (fake.root.qmail / "queue").is_symlink()
    prepare(fake)


@pytest.mark.parametrize("place", ["/var/qmail", "/srv/mail"])
def test_a_qmail_in_another_place_is_found_used_and_told(place: str, tmp_path: Path) -> None:
    """As its author has it, or where the home of alias says."""
    root = scripted_root(tmp_path)
    root.program("qmail-newu", "cp $(dirname $0)/../users/assign /var/lib/conformance/said")
    (root.qmail / "bin/qmail-verify").unlink()  # as a build without 0002 has it
    moved = root.directory / place[1:]
    moved.parent.mkdir(exist_ok=True)
    root.qmail = root.qmail.rename(moved)
    accounts = root.directory / "etc/passwd"
    if place == "/srv/mail":
        accounts.write_text(accounts.read_text().replace("/var/lib/qmail/alias", f"{place}/alias"))
    install = data("docker", "target", "install").read_text()
    found = install[install.index("home_of_qmail() {") :].partition("\n}\n")[0]
    script = f"{found}\n}}\nln -sfn $(home_of_qmail) /opt/conformance/qmail"
    subprocess.run(root.command("sh", "-ec", script), stdout=subprocess.DEVNULL, check=True)
    assert (root.programs / "qmail").readlink() == Path(place)
    with Target(root) as target:
        assert target.ask("users", *USERS) == [b"ok"]
        assert (root.state / "said").read_text().startswith("=alice:")
        prepare(target, "verifying", "", "")
        seen = target.ask("observe")
    assert seen[seen.index(b"home") + 1] == place.encode()
    assert (root.qmail / "alias").is_symlink()
