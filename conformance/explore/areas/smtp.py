"""Sessions with qmail-smtpd: commands in any order, transactions, messages."""

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from conformance.explore.areas.area import Area
from conformance.explore.document import WAIT, Document
from conformance.explore.steering import Steer


def _documents(steer: Steer) -> SearchStrategy[Document]:
    commands = {
        "EHLO": st.just("> EHLO client.example"),
        "MAIL": st.sampled_from(["> MAIL FROM:<a@b.example>", "> MAIL FROM:<>", "> MAIL"]),
        "RCPT": st.sampled_from(["> RCPT TO:<alice@here.example>", "> RCPT TO:<x@other.example>", "> RCPT"]),
        "DATA": st.just(f"> DATA\n{WAIT}\n| Subject: hello\n|\n| hello"),
        "RSET": st.just("> RSET"),
        "other": st.just("> FROBNICATE"),
    }
    exchange = steer.choose("smtp command", commands).map(lambda said: f"{said}\n{WAIT}")
    return st.lists(exchange, min_size=1, max_size=12).map(lambda said: {"session": "\n".join(said) + "\n"})


AREA = Area("smtp", "sessions with qmail-smtpd", _documents)
