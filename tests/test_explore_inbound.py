"""The inbound grammars: all that they make is a scenario, and they reach what there is to reach."""

import asyncio
from random import Random

import pytest

from conformance.explore.areas import AREAS, words
from conformance.explore.areas.chats import MOVES, ChatMaker
from conformance.explore.areas.choosing import Choices
from conformance.explore.areas.commands import BODY, FIELDS, RESPONSES, Around
from conformance.explore.areas.setups import THINGS, Setup
from conformance.explore.coverage import sights
from conformance.explore.document import Document, made, text_of
from conformance.explore.playing import ReferenceSide
from conformance.explore.steering import Steer
from conformance.explore.stream import Stream
from conformance.explore.telling import told
from conformance.scenario.chat import read_chat
from conformance.scenario.escapes import expand
from conformance.targets.names import parse_target

INBOUND = ("smtp", "auth", "rcptcheck", "verify")


@pytest.mark.parametrize("area", INBOUND)
def test_whatever_is_made_reads_as_a_scenario(area: str) -> None:
    stream = Stream(area, "reads")
    batch = stream.batch(150)
    assert len(batch) == 150, "what is no scenario is left out of a batch"
    assert len({text_of(each.document) for each in batch}) > 140


@pytest.mark.parametrize("thing", THINGS)
def test_each_thing_may_be_set_up(thing: str) -> None:
    for seed in range(60):
        setup = Setup(Choices(Random(seed), Steer()))
        THINGS[thing](setup)
        document: Document = {"session": "> NOOP\n", **setup.document}
        assert made(document).document == document
        ChatMaker(setup.choices, setup.around, MOVES).make()


def test_a_limit_has_neighbours() -> None:
    assert words.beside(900) == (899, 900, 901)
    assert {63, 64, 65, 511, 512, 513, 899, 900, 901, 12287, 12289} <= set(words.LONG)
    assert {str(2**power + beside) for power in (31, 32, 63, 64) for beside in (-1, 0, 1)} <= set(
        words.NUMBERS
    )


def test_each_word_is_a_line_of_a_chat() -> None:
    for text in (*BODY, *FIELDS, *RESPONSES, *words.ODD, *words.ODD_BOXES, *words.ODD_DOMAINS):
        assert isinstance(expand(text), bytes)
        assert read_chat(f"> {text}\n", 1).steps


def test_a_message_stands_beside_the_limit_of_its_size() -> None:
    sizes = set()
    for seed in range(400):
        chat = ChatMaker(
            Choices(Random(seed), Steer()), Around(databytes=1000), {"message": MOVES["transaction"]}
        )
        chat.make()
        lines = [line[2:] for line in chat.lines if line.startswith("| ")]
        sizes.add(sum(len(expand(line)) + 1 for line in lines))
    assert {999, 1000, 1001} <= sizes


def test_a_client_waits_only_where_the_time_limit_is_low() -> None:
    def chats(timeout: int) -> str:
        makers = (
            ChatMaker(Choices(Random(seed), Steer()), Around(timeout=timeout), MOVES) for seed in range(60)
        )
        return "".join(maker.make() for maker in makers)

    assert "! pause" not in chats(30)
    assert "! pause 1.0" in chats(2)
    assert "! pause 2.8" in chats(2)


#: For each area what it must reach on the patched reference within a few hundred scenarios.
REACHED = {
    "smtp": [
        "451 See", "552 ", "553 ", "554 ", "555 ", "503 MAIL", "503 RCPT", "501 ", "500 ", "252 ", "214 ",
    ],
    "auth": [
        "235 ", "535 ", "334 ", "501 malformed", "501 auth exchange", "504 ", "503 auth", "503 you", "454 ",
        "530 ",
    ],
    "rcptcheck": ["553 sorry, no mailbox", "421 unable to verify", "421 unable to execute"],
    "verify": ["550 sorry, no mailbox", "554 sorry, invalid", "451 qv"],
}  # fmt: skip


@pytest.mark.parametrize("area", INBOUND)
def test_an_area_reaches_the_replies_that_it_is_about(area: str) -> None:
    side, stream, heard = ReferenceSide(parse_target("reference-ppa")), Stream(area, "reaches"), set()

    async def play() -> None:
        for _ in range(5):
            for each in stream.batch(60):
                story = told(await side.play(each))
                stream.learn(each, set(sights(story)))
                heard.update(event.text[:25] for event in story if event.channel.startswith("smtpd"))

    asyncio.run(play())
    assert [reply for reply in REACHED[area] if not any(text.startswith(reply) for text in heard)] == []
    assert AREAS[area].name == area
