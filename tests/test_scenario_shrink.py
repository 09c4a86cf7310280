"""`shrink`: what is left shows the same, nothing of it can be spared, and it is the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cli import main
from conformance.errors import UsageError
from conformance.scenario.cases import scenario_files
from conformance.scenario.pieces import answered_lines, blocks, shorter_values, toml, without
from conformance.scenario.reading import read_scenario
from conformance.scenario.shrinking import Shrunk, difference, shrunk, weight
from conformance.scenario.trial import Trials
from conformance.targets.ready import Images, make_ready

BOTH = ("reference-stock", "reference-ppa")
EXAMPLES = scenario_files()

LONG = """\
# What this file is for.
title = "A long one"

# The session.
session = '''
# Nobody needs the hello.
> EHLO client.example
< 250
> MAIL FROM:<a@b.example>
> RCPT TO:<alice@here.example>
> RCPT TO:<bob%x@here.example>
> RCPT TO:<carol@here.example>
< 250
< 250
# Here they differ.
< 553
< 250
> QUIT
< 221
'''

# A limit that plays no part.
[control]
databytes = 1000
rcpthosts = ["here.example", "there.example"]

[environment]
X = "1"

[[exchanger]]
address = "127.0.0.3"
"""

SHORT = """\
# What this file is for.
title = "A long one"

# The session.
session = '''
> MAIL FROM:<a@b.example>
> RCPT TO:<bob%x@here.example>
< 250
# Here they differ.
< 553
'''
"""


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


def test_a_small_one_stays_as_it_is(tmp_path: Path) -> None:
    assert made_short(SHORT, tmp_path).text == SHORT


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_shrunk_example_shows_the_same(path: Path, tmp_path: Path) -> None:
    result = made_short(path.read_text(encoding="utf-8"), tmp_path)
    assert result.after < result.before
    scenario = read_scenario(result.text, path)
    assert scenario.claim is None
    with Trials(make_ready(BOTH, Images())) as trials:
        assert difference(trials.run(scenario)) == result.difference


def test_with_one_target_the_same_expectation_stays_unmet(tmp_path: Path) -> None:
    text = "session = '''\n> NOOP\n< 250\n> FROB\n< 500\n> HELP\n< 250\n'''\n"
    result = made_short(text, tmp_path, "reference-stock")
    assert result.text == "session = '''\n> FROB\n< 500\n'''\n"
    assert str(result.difference) == "< 500 after FROB: 502"


def test_stories_count_where_no_expectation_tells_targets_apart(tmp_path: Path) -> None:
    text = "session = '''\n> NOOP\n< 250\n> FROB\n< 5xx\n> HELP\n< *\n'''\n"
    result = made_short(text, tmp_path)
    assert result.text == "session = '''\n> FROB\n< 5xx\n'''\n"
    assert result.difference.what == "smtpd 0"


def test_lists_zones_and_hosts_of_a_delivery_shrink(tmp_path: Path) -> None:
    text = """\
[deliver]
host = "big.example"
recipients = ["b@big.example", "c@big.example"]
message = '''
From: a@here.example
Subject: x

x
'''
report = "K*"

[zones]
"big.example" = '''
@ MX 10 mx
@ MX 20 other
mx A 127.0.0.2
other A 127.0.0.3
'''
"other.example" = '@ MX 10 mx'

[[fault]]
name = "big.example"
action = "rcode"
type = "ANY"

[[exchanger]]
steps = { MAIL = "250 a", RCPT = "250 b" }
"""
    result = made_short(text, tmp_path)
    assert str(result.difference) == "report: K*: Z and K"
    assert result.text == (
        '[deliver]\nrecipients = ["c@big.example"]\nreport = "K*"\n\n'
        '[[fault]]\nname = "big.example"\naction = "rcode"\ntype = "ANY"\n'
    )


def test_nothing_to_keep_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="do not differ"):
        made_short("session = '''\n> NOOP\n< 250\n'''", tmp_path)
    with pytest.raises(UsageError, match="meets every expectation"):
        made_short("session = '''\n> NOOP\n< 250\n'''", tmp_path, "reference-ppa")


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


def test_blocks_are_tables_values_and_exchanges() -> None:
    rows = LONG.splitlines()
    starts = [rows[min(piece) - 1] for piece in blocks(LONG)]
    assert starts == [
        "# Nobody needs the hello.", "> MAIL FROM:<a@b.example>", "> QUIT", "# A limit that plays no part.",
        "[environment]", "[[exchanger]]",
    ]  # fmt: skip


def test_a_line_goes_with_its_reply() -> None:
    rows = LONG.splitlines()
    pairs = [[rows[number - 1] for number in sorted(piece)] for piece in answered_lines(LONG)]
    assert ["> RCPT TO:<bob%x@here.example>", "< 553"] in pairs
    assert len(pairs) == 4


def test_blank_lines_between_removed_ones_go() -> None:
    assert without("a\n\nb\n\n\nc\n", {3}) == "a\n\nc\n"
    assert without("a\nb\n\nc\nd\n", {2, 4}) == "a\nd\n"


def test_values_on_one_line_lose_an_item() -> None:
    text = 'x = ["a\\"", "b"]  # both\ny = { p = 1, "q r" = true }\n[t]\nz = 5\n'
    assert list(shorter_values(text)) == [
        text.replace('["a\\"", "b"]  # both', '["b"]'),
        text.replace('["a\\"", "b"]  # both', '["a\\""]'),
        text.replace('{ p = 1, "q r" = true }', '{ "q r" = true }'),
        text.replace('{ p = 1, "q r" = true }', '{ "p" = 1 }'),
    ]
    assert toml("a\n\x00\u00e4") == '"a\\n\\U00000000\u00e4"'
