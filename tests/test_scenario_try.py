"""`try`: scenarios on the references, what is shown of them, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.cli import main
from conformance.errors import UsageError, WorldError
from conformance.pod.base import PodFailure
from conformance.pod.observation import Observation
from conformance.scenario.cases import scenario_files
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

BOTH = ("reference-stock", "reference-ppa")
EXAMPLES = scenario_files()


def tried(scenario: Scenario, *targets: str) -> list[Tried]:
    with Trials(make_ready(targets or BOTH, Images())) as trials:
        return trials.run(scenario)


def checks(text: str, target: str = "reference-ppa") -> list[Check]:
    (one,) = tried(read_scenario(text, Path("bug.toml")), target)
    return list(one.checks)


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


def test_there_is_an_example_of_each_kind() -> None:
    scenarios = [load_scenario(path) for path in EXAMPLES]
    assert any(one.deliveries and one.paddings for one in scenarios)
    assert any(one.password_check for one in scenarios)
    assert any(one.recipient_check for one in scenarios)
    assert any(one.sessions and not one.password_check and not one.recipient_check for one in scenarios)


# What is expected


def test_an_unmet_expectation_says_where_and_what_was_seen() -> None:
    greeting, reply = checks(UNKNOWN, "reference-stock")
    assert greeting.met
    assert (reply.number, reply.met, reply.mark, reply.after) == (2 + 1, False, "502", "FROB")
    assert reply.seen.startswith("502 unimplemented")


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


def test_each_write_of_the_file_goes_out_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    pods = standing_in(monkeypatch, ScriptedPod)
    checks("session = '''\n> NOOP\n> NO\\c\n! cut\n> OP\n< 250\n< 250\n'''\n")
    assert pods[0].writes == [b"NOOP\r\nNO", b"OP\r\n"]


def test_a_challenge_is_answered() -> None:
    cram = "> AUTH CRAM-MD5\n< 334\n> \\{cram-md5:alice}\n< 235\n"
    assert unmet(f"session = '''\n> EHLO x\n< 250\n{cram}'''\n[auth]\nmode = '+cram'\n") == []


def test_replies_of_a_pipelined_write_belong_to_their_lines() -> None:
    found = checks("session = '''\n> NOOP\n> RSET\n> FROB\n< 250\n< 250\n< 250\n'''")
    assert [check.after for check in found] == ["", "NOOP", "RSET", "FROB"]
    assert [check.met for check in found] == [True, True, True, False]


def test_a_client_may_talk_before_the_greeting() -> None:
    assert unmet("session = '''\n! early\n> NOOP\n< 220\n< 250\n'''") == []
    assert unmet("session = '''\n! early\n> NOOP\n! cut\n> QUIT\n< 220\n< 250\n< 221\n< closed\n'''") == []


def test_a_client_may_close_half() -> None:
    assert unmet("session = '''\n> NOOP\n< 250\n! half-close\n< closed\n'''") == []


def test_silence_ends_a_session_and_the_rest_is_not_reached() -> None:
    found = checks("session = '''\n> NOOP\n< 250\n< silence\n< 250\n> NOOP\n< 250\n'''")
    assert [check.met for check in found] == [True, True, True, False, False]
    assert found[-1].seen == "not reached: qmail was silent before"


def test_a_reply_that_comes_after_the_silence_does_not_end_it() -> None:
    # A wrong password is answered after five seconds.
    wrong = "> AUTH PLAIN AGFsaWNlAHdyb25n\n< silence 2\n< 535\n"
    assert unmet(f"session = '''\n> EHLO x\n< 250\n{wrong}'''\n[auth]\nmode = ''\n") == []


def test_a_message_that_was_not_asked_for_is_not_sent() -> None:
    found = checks("session = '''\n> DATA\n< 354\n| QUIT\n< 250\n'''")
    assert [check.met for check in found] == [True, False, False]
    assert "no 354" in found[2].seen


MAIL = """session = '''
> MAIL FROM:<a@b.example>
< 250
> RCPT TO:<bob@here.example>
< 250
> DATA
< 354
| Subject: x
|
| x
< 250
'''
[zones]
"b.example" = '@ MX 10 mx'
[expect]
"""


@pytest.mark.parametrize(
    ("expected", "met"),
    [
        ("queue = 1", True), ("queue = 0", False), ("queue = ['a@b.example -> bob@*']", True),
        ("queue = ['a@b.example -> alice@*']", False), ("mailboxes = { bob = 0 }", True),
        ("accepted = 0", True), ("asked = ['b.example']", False), ("not-asked = ['* *']", True),
        ("said = ['MAIL*']", False), ("not-said = ['*']", True), ("ran = { rcptcheck = 0 }", True),
    ],
)  # fmt: skip
def test_what_must_be_seen_when_all_is_done(expected: str, met: bool) -> None:
    assert (unmet(MAIL + expected) == []) == met


def test_mail_is_delivered_when_qmail_send_runs() -> None:
    text = "delivering = true\n" + MAIL
    assert unmet(text + "queue = 0\nmailboxes = { bob = 1 }") == []


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
    ],
)  # fmt: skip
def test_what_a_delivery_must_come_to(expected: str, met: bool) -> None:
    assert (unmet(DELIVER + expected) == []) == met


def test_a_delivery_meets_faults_and_scripted_hosts() -> None:
    text = (
        DELIVER
        + "reports = ['r', 's*']\n[[exchanger]]\nsteps = { 'RCPT <c@big.example>' = '450 later' }\n"
        + "[[fault]]\nname = 'big.example'\naction = 'rcode'\nrcode = 'SERVFAIL'\n"
    )
    assert unmet(text) == ["3: reports: r", "3: reports: s*"]
    assert unmet(text + "type = 'TXT'\n") == []


def test_success_that_no_host_has_granted_is_unmet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QMAIL_CONFORMANCE_FLAWS", "remote.message-4xx-accepted")
    text = DELIVER + "[[exchanger]]\nsteps = { message = '451 no' }\n"
    (check,) = checks(text)
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


class Hostile(ScriptedPod):
    """A qmail that says what does harm on a terminal."""

    def __init__(self) -> None:
        super().__init__(b"220 \x1b[2Jhello\r\n", b"500 \x1b]0;x\x07\r\n")


def standing_in(monkeypatch: pytest.MonkeyPatch, made: type[ScriptedPod]) -> list[ScriptedPod]:
    pods: list[ScriptedPod] = []

    async def start(target: Target, plan: Plan) -> pool.Player:
        pods.append(made())
        return pods[-1]

    monkeypatch.setattr(pool, "start", start)
    return pods


def test_a_world_that_fails_twice_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pods = standing_in(monkeypatch, Failing)
    with pytest.raises(WorldError, match="the exchanger is gone"):
        checks(UNKNOWN)
    assert len(pods) == 2
    assert main(["try", written(tmp_path, UNKNOWN)]) == 3
    assert "the exchanger is gone" in capsys.readouterr().err


# What is shown


def test_stories_stand_side_by_side_with_the_first_difference_marked() -> None:
    scenario = read_scenario(UNKNOWN, Path("bug.toml"))
    text = shown(scenario, tried(scenario), 120)
    rows = text.splitlines()
    assert max(map(len, rows)) <= 120
    differing = next(index for index, row in enumerate(rows) if row.startswith("--- here they differ first"))
    assert "502 unimplemented" in rows[differing + 1]
    assert "500 unrecognised" in rows[differing + 1]
    assert "  UNMET  line 3: < 500, after FROB" in rows
    assert "         reference-ppa: met" in rows
    assert rows[-1] == "reference-ppa: 2 of 2 expectations met"


def test_a_narrow_terminal_gets_one_below_the_other() -> None:
    scenario = read_scenario(UNKNOWN, Path("bug.toml"))
    rows = shown(scenario, tried(scenario), 60).splitlines()
    assert max(map(len, rows)) <= 60
    stock = rows.index("* reference-stock:")
    assert "502 unimplemented" in rows[stock + 1]
    assert rows[stock + 2] == "* reference-ppa:"
    assert sum("220 mx.here.example ESMTP" in row for row in rows) == 1


def test_one_target_is_one_column_and_three_are_two_pairs() -> None:
    scenario = read_scenario(UNKNOWN, Path("bug.toml"))
    alone = shown(scenario, tried(scenario, "reference-ppa"), 100)
    assert "differ" not in alone
    assert "500 unrecognised" in alone
    three = shown(scenario, tried(scenario, *BOTH, "reference@0006"), 100)
    assert three.count("--- here they differ first") == 2
    assert "reference@0006: 2 of 2 expectations met" in three


def test_what_qmail_says_is_made_harmless(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    standing_in(monkeypatch, Hostile)
    assert main(["try", written(tmp_path, "title = '\u202eevil'\n" + UNKNOWN.replace("500", "501"))]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\x1b[2Jhello" in out


# The command


def test_exit_status_says_whether_all_is_met(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, UNKNOWN)
    assert main(["try", file, "--target", "reference-ppa"]) == 0
    assert main(["try", file]) == 1
    assert main(["try", written(tmp_path, UNKNOWN + "x = 1\n")]) == 2
    assert "there is no such key" in capsys.readouterr().err


def test_records_are_written_when_asked_for(tmp_path: Path) -> None:
    text = Path(next(path for path in EXAMPLES if path.stem == "smtp-auth")).read_text(encoding="utf-8")
    out = tmp_path / "out"
    assert main(["try", written(tmp_path, text), "--target", "reference@0008", "--out", str(out)]) == 0
    kept = (out / "reference-0008.json").read_text(encoding="utf-8")
    data = json.loads(kept)
    assert data["target"]["patches"] == ["0008"]
    assert all(check["met"] for check in data["expectations"])
    acts = {act["act"] for act in data["record"]["acts"]}
    assert {"prepare", "connect", "send", "receive", "observe"} <= acts
    assert "wonderland-7" not in kept
    assert "AGFsaWNlAHdvbmRlcmxhbmQtNw==" not in kept


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["x.toml", "-o", "y.toml"], ["x.toml", "--from-transcript", "y"],
        ["--from-transcript", "y", "--target", "stock"],
    ],
)  # fmt: skip
def test_wrong_use_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["try", *arguments]) == 2
    assert capsys.readouterr().err.startswith("qmail-conformance: ")
