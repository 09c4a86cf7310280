"""One line of a story without what differs from run to run and means nothing: times, numbers, challenges."""

import base64
import binascii
import re
from functools import lru_cache

#: Places, numbers and times of one run of a pod.
_OF_RUNS = (
    (re.compile(r"/var/lib/(?:qmail|conformance)/queue/mess/\d+/\d+"), "message"),
    (re.compile(r"/var/lib/conformance/queue\b"), "/var/lib/qmail/queue"),
    (re.compile(r"/var/qmail\b"), "/var/lib/qmail"),
    (re.compile(r"(info msg )\d+: bytes \d+ (.*) qp \d+ uid \d+"), r"\1NUMBER: bytes NUMBER \2"),
    (re.compile(r"\bbounce/\d+"), "bounce/NUMBER"),
    (re.compile(r"qp_\d+"), "qp_NUMBER"),
    (re.compile(r"(bounce msg NUMBER|bounce msg \d+) qp \d+"), "bounce msg NUMBER qp NUMBER"),
    (re.compile(r"(?<=\[queue/intd/)(\d+ holds .*?)(.)\2{99,}"), r"\1\2 many times"),
    (re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}"), "DATE"),
)
_MESSAGE_ID = re.compile(r"<\d{14}\.\d+\.qmail@")
_WRITER = re.compile(r"(['\"])u\d+\\x00p\d+\\x00")
_PID = re.compile(r"\b(ok|end|pid|status:|deny) \d+\b|:\d{4,5}\b(?=[ ?]*$)")
#: What a client says to a challenge: its user and a digest of the challenge, in base64.
_BASE64 = re.compile(r"(?:(?<=\\x[0-9a-f]{2})|(?<![A-Za-z0-9+/\\]))[A-Za-z0-9+/]{40,}={0,2}")
_ANSWER = re.compile(rb"(.*) [0-9a-f]{32}", re.DOTALL)
_CHALLENGE = re.compile(r"334 ([A-Za-z0-9+/]+={0,2})")


@lru_cache(maxsize=1 << 16)
def settled(text: str) -> str:
    """A line without what differs from run to run and means nothing."""
    if challenge := _CHALLENGE.fullmatch(text):
        return "334 CHALLENGE" if is_challenge(challenge[1]) else text.replace("334 ", "334  ", 1)
    text = _BASE64.sub(_without_digest, text)
    text = _MESSAGE_ID.sub("<TIME.PID.qmail@", text)
    for pattern, word in _OF_RUNS:
        text = pattern.sub(word, text)
    text = _WRITER.sub(r"\1uUID\\x00pPID\\x00", text)
    return _PID.sub(lambda found: f"{found[1] or ''} NUMBER", text)


def _without_digest(said: re.Match[str]) -> str:
    answer = _ANSWER.fullmatch(_decoded(said[0]))
    return f"{answer[1].decode('latin-1')} DIGEST" if answer else said[0]


def is_challenge(word: str) -> bool:
    """Whether a challenge bears a number of its own: prompts for name and password do not."""
    return re.match(rb"<\d+\.\d+@", _decoded(word)) is not None


def _decoded(word: str) -> bytes:
    """What is in base64; nothing where it is not."""
    try:
        return base64.b64decode(word, validate=True)
    except (binascii.Error, ValueError):
        return b""
