"""qmail-remote's output is read as qmail-rspawn reads it."""

import pytest

from conformance.pod.delivery import read_reports
from conformance.pod.observation import RemoteResult


@pytest.mark.parametrize(
    ("report", "letters", "words", "accepted"),
    [
        ("r\0hno such user\n\0slater\n\0Kit is here.\n\0", "rhsK", "|no such user|later|it is here.", False),
        ("r\0r\0Kok\0", "rrK", "||ok", True),
        ("r\0Zlater\0", "rZ", "|later", False),
        # The first on the message is the one that is believed, and a NUL ends each.
        ("Kok\0r\0Dno\0", "K", "ok", True), ("r\0Zlater\0Kok\0", "rZ", "|later", False),
        ("r\0Kok", "r", "|", False),
        # Without a report of the message nothing was delivered.
        ("", "", "", False), ("r\0", "r", "|", False), ("X\0", "", "", False), ("r\0xK\0", "r", "|", False),
    ],
)  # fmt: skip
def test_reports_in_their_order(report: str, letters: str, words: str, accepted: bool) -> None:
    delivery = read_reports(RemoteResult(report, 0, True, 0.0))
    assert (delivery.letters, delivery.accepted) == (letters, accepted)
    assert "|".join([*(each.text for each in delivery.recipients), delivery.text]) == words
