"""qmail-remote's output is read as qmail-rspawn reads it."""

from __future__ import annotations

import pytest

from conformance.pod.delivery import read_reports
from conformance.pod.observation import RemoteResult


def _read(report: str):  # type: ignore[no-untyped-def]
    return read_reports(RemoteResult(report, 0, True, 0.0))


def test_reports_in_their_order() -> None:
    delivery = _read("r\0hno such user\n\0slater\n\0K127.0.0.2 accepted message.\n\0")
    assert delivery.letters == "rhsK"
    assert delivery.recipients[1].text == "no such user"
    assert delivery.text == "127.0.0.2 accepted message."
    assert not delivery.accepted


@pytest.mark.parametrize("report", ["", "r\0", "Xwhat\0", "r\0xK\0"])
def test_without_a_message_report_nothing_was_delivered(report: str) -> None:
    delivery = _read(report)
    assert delivery.message.letter == ""
    assert not delivery.accepted


def test_accepted_is_k_with_every_recipient() -> None:
    assert _read("r\0r\0Kok\0").accepted
    assert not _read("r\0Zlater\0").accepted
