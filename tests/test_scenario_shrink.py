"""`shrink`: what is left shows the same, nothing of it can be spared, and it is the same each time."""

from pathlib import Path

import pytest

from conformance.cli import main
from conformance.errors import UsageError
from conformance.places import data
from conformance.scenario.pieces import answered_lines, blocks, shorter_values, toml, without
from conformance.scenario.reading import read_scenario
from conformance.scenario.shrinking import Shrunk, difference, shrunk, weight
from conformance.scenario.trial import Trials
from conformance.targets.ready import Images, make_ready

BOTH = ("reference-stock", "reference-ppa")
EXAMPLES = sorted(data("fixtures", "scenarios").glob("*.toml"))


def said(name: str) -> str:
    """The text of a scenario beside these tests."""
    return (Path(__file__).parent / "scenarios" / f"{name}.toml").read_text(encoding="utf-8")


LONG, SHORT = said("long"), said("short")


def made_short(text: str, tmp_path: Path, *targets: str) -> Shrunk:
    path = tmp_path / "long.toml"
    path.write_text(text, encoding="utf-8")
    with Trials(make_ready(targets or BOTH, Images())) as trials:
        return shrunk(path, trials, lambda runs, left: None)


def test_what_is_not_needed_goes_and_comments_of_the_rest_stay(tmp_path: Path) -> None:
    result = made_short(LONG, tmp_path)
    assert result.text == SHORT
    assert (result.before, result.after) == (weight(LONG), weight(SHORT))
    assert str(result.difference) == "< 553 after RCPT TO:<bob%x@here.example>: 250 and 553"
    assert made_short(LONG, tmp_path) == result
    assert made_short(SHORT, tmp_path).text == SHORT


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_shrunk_example_shows_the_same(path: Path, tmp_path: Path) -> None:
    result = made_short(path.read_text(encoding="utf-8"), tmp_path)
    assert result.after < result.before
    scenario = read_scenario(result.text, path)
    assert scenario.claim is None
    with Trials(make_ready(BOTH, Images())) as trials:
        assert difference(trials.run(scenario)) == result.difference


@pytest.mark.parametrize(
    ("code", "targets", "kept"),
    [
        ("500", ("reference-stock",), "< 500 after FROB: 502"),
        # No expectation tells the two apart, but their stories do.
        ("5xx", BOTH, "smtpd 0: 502 unimplemented (#5.5.1) and 500 unrecognised (#5.5.2)"),
    ],
)
def test_what_one_target_does_not_meet_or_tells_two_apart_stays(
    code: str, targets: tuple[str, ...], kept: str, tmp_path: Path
) -> None:
    text = f"session = '''\n> NOOP\n< 250\n> FROB\n< {code}\n> HELP\n< *\n'''\n"
    result = made_short(text, tmp_path, *targets)
    assert result.text == f"session = '''\n> FROB\n< {code}\n'''\n"
    assert kept == str(result.difference)


def test_lists_zones_and_hosts_of_a_delivery_shrink(tmp_path: Path) -> None:
    result = made_short(said("delivery"), tmp_path)
    assert str(result.difference) == "report: K*: Z and K"
    assert result.text == (
        '[deliver]\nrecipients = ["c@big.example"]\nreport = "K*"\n\n'
        '[[fault]]\nname = "big.example"\naction = "rcode"\ntype = "ANY"\n'
    )


@pytest.mark.parametrize(("targets", "why"), [(BOTH, "do not differ"), (BOTH[:1], "meets every expectation")])
def test_nothing_to_keep_is_told(targets: tuple[str, ...], why: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=why):
        made_short("session = '''\n> NOOP\n< 250\n'''", tmp_path, *targets)


def test_the_command_says_how_much_was_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = tmp_path / "long.toml", tmp_path / "short.toml"
    path.write_text(LONG, encoding="utf-8")
    arguments = [name for target in BOTH for name in ("--target", target)]
    assert main(["shrink", str(path), *arguments, "-o", str(out)]) == 0
    told = capsys.readouterr().err
    assert "kept: < 553 after RCPT TO:<bob%x@here.example>: 250 and 553\n" in told
    assert f"{weight(LONG)} lines before, {weight(SHORT)} after; " in told
    assert out.read_text(encoding="utf-8") == SHORT
    assert main(["shrink", str(path), *arguments, "--target", "reference@0006"]) == 2
    assert main(["shrink", str(tmp_path / "none.toml")]) == 2


# Pieces


def test_blocks_are_tables_values_and_exchanges_and_a_line_goes_with_its_reply() -> None:
    rows = LONG.splitlines()
    starts = [rows[min(piece) - 1] for piece in blocks(LONG)]
    assert starts == [
        "# Nobody needs the hello.", "> MAIL FROM:<a@b.example>", "> QUIT", "# A limit that plays no part.",
        "[environment]", "[[exchanger]]",
    ]  # fmt: skip
    pairs = [[rows[number - 1] for number in sorted(piece)] for piece in answered_lines(LONG)]
    assert ["> RCPT TO:<bob%x@here.example>", "< 553"] in pairs
    assert len(pairs) == 4


def test_blank_lines_between_removed_ones_go() -> None:
    assert without("a\n\nb\n\n\nc\n", {3}) == "a\n\nc\n"
    assert without("a\nb\n\nc\nd\n", {2, 4}) == "a\nd\n"


def test_a_line_ends_at_its_line_feed_alone() -> None:
    text = "session = '''\n> FROB \u2028\x85\n< 502\n> NOOP\n< 250\n'''\n"
    assert blocks(text) == [frozenset({2, 3}), frozenset({4, 5})]
    assert without(text, {4, 5}) == text.replace("> NOOP\n< 250\n", "")


def test_values_on_one_line_lose_an_item() -> None:
    text = 'x = ["a\\"", "b"]  # both\ny = { p = 1, "q r" = true }\n[t]\nz = 5\n'
    assert list(shorter_values(text)) == [
        text.replace('["a\\"", "b"]  # both', '["b"]'),
        text.replace('["a\\"", "b"]  # both', '["a\\""]'),
        text.replace('{ p = 1, "q r" = true }', '{ "q r" = true }'),
        text.replace('{ p = 1, "q r" = true }', '{ "p" = 1 }'),
    ]
    assert toml("a\n\x00\u00e4") == '"a\\n\\u0000\u00e4"'
