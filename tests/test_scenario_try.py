"""`try`: scenarios on the references, what is shown of them, and the exit status."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.errors import UsageError, WorldError
from conformance.places import data
from conformance.pod.base import PodFailure
from conformance.pod.observation import Observation
from conformance.scenario.form import Scenario
from conformance.scenario.playing import Check
from conformance.scenario.reading import load_scenario, read_scenario
from conformance.scenario.showing import shown
from conformance.scenario.trial import Trials, Tried
from conformance.targets import pool
from conformance.targets.plan import Plan
from conformance.targets.ready import Images, make_ready
from conformance.targets.target import Target
from tests.pods import ScriptedPod
from tests.processes import run_lines
from tests.schemas import faults

BOTH = ("reference-stock", "reference-ppa")
EXAMPLES = sorted(data("fixtures", "scenarios").glob("*.toml"))
Told = pytest.CaptureFixture[str]


def tried(scenario: Scenario, *targets: str) -> list[Tried]:
    with Trials(make_ready(targets or BOTH, Images())) as trials:
        return trials.run(scenario)


def checks(text: str, target: str = "reference-ppa") -> list[Check]:
    (alone,) = tried(read_scenario(text, Path("bug.toml")), target)
    return list(alone.checks)


def unmet(text: str, target: str = "reference-ppa") -> list[str]:
    return [f"{check.number}: {check.what}" for check in checks(text, target) if not check.met]


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "bug.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


UNKNOWN = "session = '''\n> FROB\n< 500\n'''\n"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_tells_the_references_apart(path: Path) -> None:
    stock, patched = tried(load_scenario(path))
    assert patched.met, [check for check in patched.checks if not check.met]
    assert not stock.met
    assert [check.what for check in stock.checks] == [check.what for check in patched.checks]


# What is expected


@pytest.mark.parametrize(
    ("expected", "met"),
    [
        ("< 250", True), ("< 2xx", True), ("< *", True), ("< 250 *", True), ("< 250-PIPELINING", True),
        ("< 250-SIZE*\n< 250", True), ("<! 250-AUTH*\n< 250", True),
        ("< 251", False), ("< 5xx", False), ("< 250 PIPELINING", False), ("< 250-AUTH*", False),
        ("<! 250-PIPE*", False), ("< closed", False), ("< silence 1", False),
    ],
)  # fmt: skip
def test_what_a_reply_must_be(expected: str, met: bool) -> None:
    assert (unmet(f"session = '''\n> EHLO x.example\n{expected}\n'''") == []) == met


def test_a_write_goes_out_alone_and_replies_belong_to_their_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = (b"220 mx\r\n", b"250 ok\r\n500 no\r\n", b"250 ok\r\n")
    pods = standing_in(monkeypatch, partial(ScriptedPod, *replies))
    found = checks("session = '''\n> NOOP\n> FROB\n> NO\\c\n! cut\n> OP\n< 250\n< 250\n< 250\n'''\n")
    assert pods[0].writes == [b"NOOP\r\nFROB\r\nNO", b"OP\r\n"]
    assert [check.after for check in found] == ["", "NOOP", "FROB", "OP"]
    assert [check.met for check in found] == [True, True, False, True]


HELLO = "> EHLO x\n< 250\n"


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("! early\n> NOOP\n< 220\n< 250\n", None),
        ("! early\n> NOOP\n! cut\n> QUIT\n< 220\n< 250\n< 221\n< closed\n", None),
        ("> NOOP\n< 250\n! half-close\n< closed\n", None),
        ("> NO\\c\n! pause 0.2\n> OP\n< 250\n! pause 0.1\n> QUIT\n< 221\n< closed\n", None),
        (HELLO + "> AUTH CRAM-MD5\n< 334\n> \\{cram-md5:alice}\n< 235\n", "+cram"),
        # A wrong password is answered after five seconds: a reply after the silence does not end the session.
        (HELLO + "> AUTH PLAIN AGFsaWNlAHdyb25n\n< silence 2\n< 535\n", ""),
    ],
    ids=[
        "talks early",
        "talks early twice",
        "closes half",
        "pauses",
        "answers a challenge",
        "is silent for a time",
    ],
)
def test_a_client_does_all_that_a_chat_can_say(said: str, mode: str | None) -> None:
    assert unmet(f"session = '''\n{said}'''\n" + ("" if mode is None else f"[auth]\nmode = '{mode}'\n")) == []


@pytest.mark.parametrize(
    ("said", "met", "why"),
    [
        ("> NOOP\n< 250\n< silence\n< 250\n> NOOP\n< 250\n", 3, "qmail was silent before"),
        ("> DATA\n< 354\n| QUIT\n< 250\n", 1, "the message was not asked for (no 354)"),
    ],
)
def test_what_ends_a_session_leaves_the_rest_unreached(said: str, met: int, why: str) -> None:
    found = checks(f"session = '''\n{said}'''")
    assert [check.met for check in found] == [True] * met + [False] * 2
    assert found[-1].seen == f"not reached: {why}"


MAIL = (
    "session = '''\n> MAIL FROM:<a@b.example>\n< 250\n> RCPT TO:<bob@here.example>\n< 250\n> DATA\n< 354\n"
    "| Subject: x\n|\n| x\n< 250\n'''\n[zones]\n'b.example' = '@ MX 10 mx'\n[expect]\n"
)


@pytest.mark.parametrize(
    ("expected", "met"),
    [
        ("queue = 1", True), ("queue = 0", False), ("queue = ['a@b.example -> bob@*']", True),
        ("queue = ['a@b.example -> alice@*']", False), ("mailboxes = { bob = 0 }", True),
        ("accepted = 0", True), ("asked = ['b.example']", False), ("not-asked = ['* *']", True),
        ("said = ['MAIL*']", False), ("not-said = ['*']", True), ("ran = { rcptcheck = 0 }", True),
        # A field with the lines that continue it, a line of the body, the message as a whole.
        ("queue-lines = ['Received: from * by * with *']", True), ("queue-lines = ['x']", True),
        ("queue-lines = ['Received: *\\nSubject: x\\n\\nx\\n']", True),
        ("queue-lines = ['Received: *\\nSubject: x\\n\\nx']", False),
        ("queue-lines = ['Subject: y']", False), ("not-queue-lines = ['Subject: x']", False),
        ("not-queue-lines = ['Return-Path:*']", True), ("mailbox-lines = ['Subject: x']", False),
    ],
)  # fmt: skip
def test_what_must_be_seen_when_all_is_done(expected: str, met: bool) -> None:
    assert (unmet(MAIL + expected) == []) == met


DELIVERED = (
    "delivering = true\n" + MAIL + "ran = { filter = 1 }\nfound = { filter = ['USER=bob', 'EXT='] }\n"
    "[delivery-program.filter]\ndefault = STATUS\n"
    "[dot-qmail]\n'bob/.qmail' = '|/var/lib/conformance/filter'\n"
)


@pytest.mark.parametrize(("status", "unmet_lines"), [("99", []), ("111", ["queue = 0"])])
def test_a_delivery_to_a_program_is_told_of_in_a_scenario(status: str, unmet_lines: list[str]) -> None:
    text = DELIVERED.replace("STATUS", status).replace("[expect]\n", "[expect]\nqueue = 0\n")
    assert len(unmet(text)) == len(unmet_lines)


CHECKED = (
    "[rcptcheck]\nstatuses = [100]\ncomplains = 'oh'\n[queue-program]\n"
    "[environment]\nA = 'b c'\n[auth]\nmode = ''\nsubprogram = { default = 3 }\n"
)
TALK = (
    "session = '''\n> EHLO x.example\n< 250\n> AUTH PLAIN \\{plain:alice}\n< 535\n> MAIL FROM:<a@b.example>\n"
    "< 250\n> RCPT TO:<bob@here.example>\n< 553\n> RCPT TO:<bob@here.example>\n< 250\n> DATA\n< 354\n| x\n"
    "< 250\n'''\n"
)


@pytest.mark.parametrize(
    ("expected", "met"),
    [
        ("ran = { rcptcheck = 2, checkpassword = 1, subprogram = 1, qmail-queue = 1 }", True),
        ("found = 'A=b c'", True), ("found = 'A=b'", False), ("not-found = 'RECIPIENT=*'", False),
        ("found = { rcptcheck = ['RECIPIENT=bob@*', 'descriptor 2 log', 'umask 0022'] }", True),
        ("not-found = { qmail-queue = 'RECIPIENT=*', checkpassword = 'RCPTCHECK=x' }", True),
        ("found = { checkpassword = ['argument /var/*', 'descriptor 3 pipe'] }", True),
        ("not-found = { subprogram = 'descriptor 3*' }", True),
        ("found = { qmail-queue = ['envelope Fa@b.example\\0Tbob@here.*\\0\\0', 'input *x\\n'] }", True),
    ],
)  # fmt: skip
def test_what_a_program_found(expected: str, met: bool) -> None:
    assert (unmet(f"{TALK}{CHECKED}[expect]\n{expected}") == []) == met


def test_mail_is_delivered_when_qmail_send_runs() -> None:
    lines = "mailbox-lines = { bob = ['Return-Path: <a@b.example>', 'x'] }"
    others = "not-mailbox-lines = { alice = ['*'], bob = ['To:*'] }"
    assert unmet(f"delivering = true\n{MAIL}queue = 0\nmailboxes = {{ bob = 1 }}\n{lines}\n{others}") == []


DELIVER = "[deliver]\nrecipients = ['b@big.example', 'c@big.example']\n"


@pytest.mark.parametrize(
    ("expected", "met"),
    [
        ("report = 'K*'", True), ("report = 'Z*'", False), ("reports = ['r', 'r']", True),
        ("reports = ['r', 'h*']", False), ("reports = ['r', 'r', 'r']", False),
        ("[expect]\naccepted = 1", True), ("[expect]\naccepted = { '127.0.0.2' = 1 }", True),
        ("[expect]\naccepted = { '127.0.0.3' = 1 }", False),
        ("[expect]\nasked = ['BIG.example MX udp']", True),
        ("[expect]\nasked = ['big.example MX tcp']", False), ("[expect]\nnot-asked = ['* A']", False),
        ("[expect]\nsaid = ['RCPT TO:<c@big.example>']", True),
        ("[expect]\naccepted-lines = ['Subject: hello', 'hello']", True),
        ("[expect]\naccepted-lines = { '127.0.0.3' = ['*'] }", False),
        ("[expect]\nnot-accepted-lines = { '127.0.0.2' = ['Received:*'] }", True),
    ],
)  # fmt: skip
def test_what_a_delivery_must_come_to(expected: str, met: bool) -> None:
    assert (unmet(DELIVER + expected) == []) == met


def test_a_delivery_meets_faults_and_scripted_hosts() -> None:
    host = "[[exchanger]]\nsteps = { 'RCPT <c@big.example>' = '450 later' }\n"
    text = f"{DELIVER}reports = ['r', 's*']\n{host}"
    assert unmet(text) == []
    fault = "[[fault]]\nname = 'big.example'\naction = 'rcode'\nrcode = 'SERVFAIL'\n"
    assert unmet(text + fault) == ["3: reports: r", "3: reports: s*"]


def test_success_that_no_host_has_granted_is_unmet() -> None:
    text = DELIVER + "[[exchanger]]\nsteps = { message = '451 no' }\n"
    (check,) = checks(text, "reference-ppa~remote.message-4xx-accepted")
    assert not check.met
    assert "no host has accepted a message" in check.seen


# The world


def test_a_name_without_a_zone_is_the_files_mistake() -> None:
    text = "delivering = true\n" + MAIL.replace("bob@here.example", "nobody@here.example")
    with pytest.raises(UsageError, match=r"bug\.toml: qmail asks for c\.example MX"):
        checks(text.replace("a@b.example", "a@c.example"))


class Failing(ScriptedPod):
    """A pod whose world fails when it is first observed."""

    async def observe(self) -> Observation:
        raise PodFailure("the exchanger is gone")


def standing_in(monkeypatch: pytest.MonkeyPatch, made: Callable[[], ScriptedPod]) -> list[ScriptedPod]:
    pods: list[ScriptedPod] = []

    async def start(target: Target, plan: Plan) -> pool.Player:
        pods.append(made())
        return pods[-1]

    monkeypatch.setattr(pool, "start", start)
    return pods


def test_a_world_that_fails_three_times_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Told
) -> None:
    pods = standing_in(monkeypatch, Failing)
    with pytest.raises(WorldError, match="the exchanger is gone"):
        checks(UNKNOWN)
    assert len(pods) == 3
    assert main(["try", written(tmp_path, UNKNOWN)]) == 3
    assert "the exchanger is gone" in capsys.readouterr().err


# What is shown


def rows_of(width: int, *targets: str) -> list[str]:
    scenario = read_scenario(UNKNOWN, Path("bug.toml"))
    rows = shown(scenario, tried(scenario, *targets), width).splitlines()
    assert max(map(len, rows)) <= width
    return rows


def test_stories_stand_side_by_side_with_the_first_difference_marked_or_below_each_other() -> None:
    rows = rows_of(120)
    differing = next(index for index, row in enumerate(rows) if row.startswith("--- here they differ first"))
    assert "502 unimplemented" in rows[differing + 1]
    assert "500 unrecognised" in rows[differing + 1]
    assert "  UNMET  line 3: < 500, after FROB" in rows
    assert "         reference-ppa: met" in rows
    assert rows[-1] == "reference-ppa: 2 of 2 expectations met"
    rows = rows_of(60)
    stock = rows.index("* reference-stock:")
    assert "502 unimplemented" in rows[stock + 1]
    assert rows[stock + 2] == "* reference-ppa:"
    assert sum("220 mx.here.example ESMTP" in row for row in rows) == 1


def test_one_target_is_one_column_and_three_are_two_pairs() -> None:
    alone = "\n".join(rows_of(100, "reference-ppa"))
    assert "differ" not in alone
    assert "500 unrecognised" in alone
    three = rows_of(100, *BOTH, "reference@0006")
    assert sum(row.startswith("--- here they differ first") for row in three) == 2
    assert "reference@0006: 2 of 2 expectations met" in three


def test_what_qmail_says_is_made_harmless(
    tmp_path: Path, capsys: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing_in(monkeypatch, partial(ScriptedPod, b"220 \x1b[2Jhello\r\n", b"500 \x1b]0;x\x07\r\n"))
    assert main(["try", written(tmp_path, "title = '\u202eevil'\n" + UNKNOWN.replace("500", "501"))]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\x1b[2Jhello" in out


# The command


def test_exit_status_says_whether_all_is_met(tmp_path: Path, capsys: Told) -> None:
    file = written(tmp_path, UNKNOWN)
    assert main(["try", file, "--target", "reference-ppa"]) == 0
    assert main(["try", file]) == 1
    assert main(["try", written(tmp_path, UNKNOWN + "x = 1\n")]) == 2
    assert "there is no such key" in capsys.readouterr().err


def test_a_run_file_is_written_when_asked_for(tmp_path: Path) -> None:
    text = Path(next(path for path in EXAMPLES if path.stem == "smtp-auth")).read_text(encoding="utf-8")
    out = tmp_path / "out"
    assert main(["try", written(tmp_path, text), "--target", "reference@0008", "--out", str(out)]) == 0
    header, verdict, footer = run_lines(out / "reference-0008.jsonl")
    assert header["target"]["patches"] == ["0001", "0002", "0003", "0008"]
    assert (verdict["requirement"], verdict["verdict"], footer["exit_status"]) == ("scenario.bug", "met", 0)
    acts = {act["act"] for act in verdict["record"]["acts"]}
    assert {"prepare", "connect", "send", "receive", "observe"} <= acts
    assert all(faults("run-2", line) == [] for line in (header, verdict, footer))


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["x.toml", "-o", "y.toml"], ["x.toml", "--from-transcript", "y"],
        ["--from-transcript", "y", "--target", "stock"],
    ],
)  # fmt: skip
def test_wrong_use_is_told(arguments: list[str], capsys: Told) -> None:
    assert main(["try", *arguments]) == 2
    assert capsys.readouterr().err.startswith("qmail-conformance: ")


def test_a_session_that_is_ended_by_a_signal_is_told_and_no_trouble_of_the_world(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "crash.toml"
    file.write_text("session = '''\n> EHLO a\n< *\n> AUTH\n< *\n'''\n[auth]\nmode = ''\n", encoding="utf-8")
    crashing, sound = "reference-ppa~0008.dies-without-method", "reference-ppa"
    assert main(["try", str(file), "--target", sound, "--target", crashing]) == 1
    shown = " ".join(capsys.readouterr().out.split())  # however wide the terminal is
    assert "UNMET line 1: no session is ended by a signal" in shown
    assert f"{sound}: met" in shown
    assert f"{crashing}: unmet, seen: qmail-smtpd was ended by signal 11" in shown
    assert main(["try", str(file), "--target", sound]) == 0
    assert "ended by a signal" not in capsys.readouterr().out
