"""qmail-send's log read as facts."""

import pytest

from conformance.pod.sendlog import read_send_log

LOG = """qmail-smtpd: pid 70 from 127.0.0.1: Sender <a@b.example>
status: local 0/10 remote 0/20
new msg 258
info msg 258: bytes 199 from <a@b.example> qp 72 uid 64011
starting delivery 1: msg 258 to local bob@here.example
status: local 1/10 remote 0/20
starting delivery 2: msg 258 to remote c@plain.example
status: local 1/10 remote 1/20
delivery 1: failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/
status: local 0/10 remote 1/20
delivery 2: deferral: later/
status: local 0/10 remote 0/20
starting delivery 3: msg 258 to remote c@plain.example
status: local 0/10 remote 1/20
delivery 3: success: done/
status: local 0/10 remote 0/20
bounce msg 258 qp 75
end msg 258
new msg 258
warning: unable to stat mess/5/258
status: exiting"""


def test_what_is_logged_of_messages_and_deliveries_is_read() -> None:
    log = read_send_log(LOG.split("\n"))
    first, second = log.messages
    assert (first.octets, first.sender, first.qp, first.uid) == (199, "a@b.example", 72, 64011)
    assert first.results() == [
        ("bob@here.example", "failure"),
        ("c@plain.example", "deferral"),
        ("c@plain.example", "success"),
    ]
    assert (first.bounce_qp, first.ended, second.ended) == (75, True, False)
    assert log.deliveries[0].text == "Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/"
    assert log.trouble == ["warning: unable to stat mess/5/258"]
    assert log.disorder == []


@pytest.mark.parametrize(
    "without",
    [
        "new msg 258", "info msg", "starting delivery 1", "starting delivery 2", "delivery 1:", "delivery 2:",
        "starting delivery 3", "delivery 3:",
    ],
)  # fmt: skip
def test_a_line_that_is_missing_is_noticed(without: str) -> None:
    lines = LOG.split("\n")
    missing = next(line for line in lines if line.startswith(without))
    lines.remove(missing)
    log = read_send_log(lines)
    assert log.disorder or log.messages[0].octets < 0
