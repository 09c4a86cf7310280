"""The HTML site: every cell has its page, every link leads somewhere, and nothing comes from elsewhere."""

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from conformance.cases.collection import all_requirements
from conformance.cli.reporting import write_site
from conformance.judge.comparison import Comparison, compare
from conformance.pod.observation import TranscriptEntry
from conformance.pod.record import Connect, Failure, Receive, Record, Send
from conformance.report.alignment import Pair
from conformance.report.site.citation import citation
from conformance.report.site.event_table import ROWS
from conformance.report.site.findings import Shown, findings_page
from conformance.report.site.html import prose, tag, text
from conformance.report.site.requirement import file_name
from conformance.report.story import Event
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, REFERENCE, SAMPLES, STOCK, run, verdict
from tests.report_samples import NASTY, Page, alone, comparison, page, record, with_replies, with_texts


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    """The site of the made-up comparison, by names: `index`, and the requirements."""
    return written(comparison(), tmp_path_factory.mktemp("site"))


def written(made: Comparison, directory: Path) -> dict[str, Page]:
    index = write_site(made, directory)
    return {path.stem: page(path) for path in (index, *(directory / "requirements").iterdir())}


def test_every_cell_leads_to_its_target_and_every_link_somewhere(site: dict[str, Page]) -> None:
    for sample in SAMPLES:
        assert f"requirements/{sample.name}.html" in site["index"].links
        for number in (1, 2, 3):
            assert f"requirements/{sample.name}.html#target-{number}" in site["index"].links
    for name, read in site.items():
        assert len(read.ids) == len(set(read.ids)), name
        for link in read.links:
            file, _, fragment = link.partition("#")
            if not file.startswith("https://"):
                target = site[Path(file).stem] if file else read
                assert not fragment or fragment in target.ids, (name, link)


def test_nothing_comes_from_elsewhere_and_no_markup_runs_anything(site: dict[str, Page]) -> None:
    for read in site.values():
        for name, attributes in read.elements:
            assert not {"src", "style"} & set(attributes), name
            assert not [attribute for attribute in attributes if attribute.startswith("on")], name
            assert name != "link" or attributes["href"] == "data:,"
        policy = next(meta["content"] for meta in read.all("meta") if "http-equiv" in meta)
        for kind in ("style", "script"):
            digest = b64encode(sha256(read.raw[kind].encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{digest}'" in policy
        assert policy.startswith("default-src 'none';")


def test_the_index_answers_before_it_details(site: dict[str, Page]) -> None:
    said = site["index"].text
    parts = ("Not as expected", "qmail 1.06-6.2~ppa3", "0005 falls short", "regression: met", BASE.promise)
    places = [said.index(part) for part in parts[:-1]] + [said.rindex(parts[-1])]
    assert places == sorted(places)
    assert "sha256:22" in said
    assert "0004, 0005, 0006, 0007, 0008, 0009" in said
    known = said.rpartition("Known deviations")[2]
    assert known.count("the buffer is too small") == 1, "a deviation of several targets is told once"
    assert "On ppa and candidate. Source: https://bugs.example/17. Since 2024-05-01." in said


def test_without_its_script_the_index_holds_the_whole_matrix_with_signs_and_words_and_no_form(
    site: dict[str, Page],
) -> None:
    read = site["index"]
    assert "hidden" in read.all("form")[0]
    rows = read.all("tr")
    assert not [row for row in rows if "hidden" in row]
    assert sum("data-differs" in row for row in rows if "class" not in row) == 3, "for the filter"
    cells = re.findall("<td[^>]*><a [^>]*><span[^>]*><b>(.)</b> ([a-z]+)<", read.html)
    assert [f"{sign} {word}" for sign, word in cells] == [
        *("✓ met", "! unmet", "! unmet"),
        *("○ unmet", "✓ met", "✓ met"),
        *("✓ met", "~ unmet", "~ unmet"),
    ]


def test_a_page_says_promise_citation_expectation_deviation_and_what_was_seen(site: dict[str, Page]) -> None:
    surprise, known = site[BASE.name], site[GUARD.name]
    assert "regression: met was expected, and it is unmet" in surprise.text
    assert "assert False" in surprise.text
    assert "https://www.rfc-editor.org/rfc/rfc5321" in surprise.links
    assert GUARD.promise in known.text
    assert "the buffer is too small" in known.text
    assert "https://bugs.example/17" in known.links


def test_both_transcripts_stand_side_by_side_with_the_first_difference_linked(site: dict[str, Page]) -> None:
    read = site[CHANGE.name]
    assert "#difference-1-first" in read.links
    row = next(line for line in read.html.split("<tr ") if 'id="difference-1-first"' in line)
    assert "50<mark>2</mark> no" in row
    assert "50<mark>0</mark> no" in row
    assert "The same as on ppa happened on candidate." in read.text
    assert len([table for table in read.all("table") if "two" in table.get("class", "")]) == 1
    alike = site[GUARD.name]
    assert "No difference, save in times" in alike.text
    assert not [link for link in alike.links if "difference" in link]


def test_each_place_that_differs_has_a_link(tmp_path: Path) -> None:
    stock = with_replies(verdict(CHANGE, STOCK), "220 hi", "250 a", "250 b", "250 c")
    patched = with_replies(verdict(CHANGE, PPA), "220 hi", "550 a", "250 b", "550 c")
    read = written(compare([run(STOCK, [stock]), run(PPA, [patched])]), tmp_path)[CHANGE.name]
    assert "2 places differ: 1 2" in read.text
    assert {"#difference-1-1", "#difference-1-2"} <= set(read.links)


def test_one_run_alone_is_told_as_one_story_with_its_attempts(tmp_path: Path) -> None:
    made = written(alone(REFERENCE), tmp_path)
    read = made[CHANGE.name]
    assert "unmet, then met" in read.text
    assert [table for table in read.all("table") if "one" in table.get("class", "").split()]
    assert "differs only" not in made["index"].text
    for read in made.values():
        assert "an executable specification, not qmail" in read.text


def test_the_page_holds_conversation_log_picture_set_up_and_commands(site: dict[str, Page]) -> None:
    read = site[CHANGE.name]
    for part in (
        *("SMTP session 1 with qmail-smtpd", "DNS", "50 octets over udp", "status: local 0/10"),
        *("On stock, ppa and candidate", "RELAYCLIENT="),
        *(f"qmail-conformance run {name} -k {CHANGE.name}" for name in ("stock", "ppa", "candidate")),
    ):
        assert part in read.text
    assert read.text.count("$ORIGIN big.example.") == 1, "all had the same set-up"
    pictures = [image for image in read.all("svg") if image.get("role") == "img"]
    assert len(pictures) == 2
    assert "DNS questions" in pictures[0]["aria-label"]


def test_the_case_is_shown_where_this_suite_has_it_and_missed_where_not(
    tmp_path: Path, site: dict[str, Page]
) -> None:
    real = next(iter(all_requirements().values()))
    said = written(compare([run(STOCK, [verdict(real, STOCK)])]), tmp_path)[real.name].text
    assert f'@requirement("{real.name}"' in re.sub(r"\s*\n\s*", "", said)
    assert "its code cannot be shown" in site[CHANGE.name].text


@pytest.mark.parametrize("nasty", NASTY)
def test_what_comes_from_outside_stays_text(nasty: str, tmp_path: Path) -> None:
    hostile = with_texts(nasty).runs[0]
    evil = record(nasty, transcript=[TranscriptEntry(0.1, "exchanger", nasty)])
    verdicts = tuple(replace(made, record=evil) for made in hostile.verdicts)
    for read in written(compare([replace(hostile, verdicts=verdicts)]), tmp_path).values():
        assert len(read.all("script")) == 1
        assert not read.all("img")
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\x85\u2028\ud800]", read.html)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (Record(), "its record holds nothing"),
        (Record((Failure(at=1.0, reason="no pod"),)), "[the world failed: no pod]"),
        (None, "holds no record of it"),
    ],
)
def test_a_page_without_a_conversation_says_why(given: Record | None, says: str, tmp_path: Path) -> None:
    made = compare([run(PPA, [replace(verdict(CHANGE, PPA), record=given)])])
    assert says in written(made, tmp_path)[CHANGE.name].text


def test_a_record_of_very_many_events_makes_a_page_of_bounded_size(tmp_path: Path) -> None:
    long = [f"250 {i}" for i in range(20_000)]
    stock = with_replies(verdict(CHANGE, STOCK), *long)
    patched = with_replies(verdict(CHANGE, PPA), *long[:15_000], "550 no", *long[15_001:])
    read = written(compare([run(STOCK, [stock]), run(PPA, [patched])]), tmp_path)[CHANGE.name]
    assert len(read.html) < 400_000
    assert len(read.all("tr")) < 2 * ROWS
    assert "550 no" in read.text
    assert "difference-1-first" in read.ids
    assert "lines are left out; the run file holds them" in read.text


@pytest.mark.parametrize(
    "name",
    ["base./../../escaped", "base.\\x", "base.UPPER", "base." + "x" * 300, "base.\0", "base.", "base.é"],
)
def test_no_requirement_is_written_outside_the_directory(name: str) -> None:
    made = file_name(name)
    assert re.fullmatch(r"[a-z0-9.-]{1,128}\.html", made)
    assert ".." not in made
    assert made != file_name(name + "x")
    assert file_name("0005.mx.octets-4096") == "0005.mx.octets-4096.html"


def test_citations_become_links_and_nothing_else_does() -> None:
    said = citation("patch:0005 <b>; rfc1035:4.2.1, rfc7766:5; rfc5321:F.2; RFC 5321 4")
    assert re.findall('href="([^"]+)"', said) == [
        "https://www.rfc-editor.org/rfc/rfc1035#section-4.2.1",
        "https://www.rfc-editor.org/rfc/rfc7766#section-5",
        "https://www.rfc-editor.org/rfc/rfc5321#appendix-F.2",
        "https://www.rfc-editor.org/rfc/rfc5321",
    ]
    assert "&lt;b&gt;" in said
    assert "href" not in citation("javascript:alert(1)")
    assert "href" not in citation('https://a.example/" onclick="x')


def test_text_is_escaped_unless_it_is_html_already() -> None:
    said = tag("p", "<b>", text("&"), tag("i", "x"), title='"')
    assert said == '<p title="&quot;">&lt;b&gt;&amp;<i>x</i></p>'
    assert prose("a `<b>` c") == "a <code>&lt;b&gt;</code> c"
    assert prose("a ` c") == "a ` c"


@pytest.mark.parametrize("nasty", NASTY)
def test_the_page_of_an_exploration_shows_each_finding_with_both_stories(nasty: str) -> None:
    told = (("220 mx", "220 mx"), (f"250 {nasty}", "550 no"))
    pairs = [
        Pair(*(Event(-1, "smtpd 0", "qmail", "suite", text) for text in two), same=two[0] == two[1])
        for two in told
    ]
    shown = [Shown(f"smtpd: {nasty}", "2 sessions", "a.toml", nasty, "try a.toml", pairs)] * 2
    read = Page(findings_page(("a", nasty), [("Seed", nasty)], shown, [nasty], [nasty]))
    assert len(read.ids) == len(set(read.ids))
    assert {"#finding-1", "#finding-2", "#story-1-first", "#story-2-first"} <= set(read.links)
    assert all(link.removeprefix("#") in read.ids for link in read.links)
    assert not read.all("img")
    assert "0.000" not in read.text


EHLO = "EHLO c\r\n"
STOCK_EHLO, OTHER_EHLO = "250-mx\r\n250 8BITMIME\r\n", "250-mx\r\n250-SIZE 0\r\n250 8BITMIME\r\n"


def session(*lines: str) -> Record:
    """A session in which client and server speak by turns, the server first."""
    acts: list[Connect | Receive | Send] = [Connect(at=0.0, connection=0)]
    for at, line in enumerate(lines, 1):
        if at % 2:
            acts.append(Receive(at=at / 10, connection=0, data=line))
        else:
            acts.append(Send(at=at / 10, connection=0, data=line, taken=True))
    return Record(tuple(acts))


def decided(tmp_path: Path, patch: str) -> Page:
    """The page of a requirement whose stories differ in what EHLO announces, and in what decides."""
    seen = "<reply 250 'ok'>\nassert 250 == 553\n +  where 250 = <reply 250 'ok'>.code"
    mail = "MAIL FROM:<a%b@c.example>\r\n"
    old, new = verdict(CHANGE, STOCK, "unmet", seen=seen), verdict(CHANGE, PPA)
    name = CHANGE.name.replace("0005", patch)
    old, new = (replace(each, patch=patch, requirement=name) for each in (old, new))
    old = replace(
        old, record=session("220 mx\r\n", EHLO, STOCK_EHLO, mail, "250 ok\r\n", "QUIT\r\n", "221 mx\r\n")
    )
    new = replace(
        new, record=session("220 mx\r\n", EHLO, OTHER_EHLO, mail, "553 no\r\n", "QUIT\r\n", "221 mx\r\n")
    )
    return written(compare([run(STOCK, [old]), run(PPA, [new])]), tmp_path)[name]


def test_the_line_that_decides_is_marked_and_what_ehlo_announces_for_another_patch_is_no_first_difference(
    tmp_path: Path,
) -> None:
    read = decided(tmp_path, "0005")
    assert "#difference-1-decides" in read.links
    rows = read.html.split("<tr ")
    [row] = [row for row in rows if 'id="difference-1-decides"' in row]
    assert row.index("this decides") < row.index('class="other at"'), "on the side that is unmet"
    assert "553" in row
    assert 'id="difference-1-first"' in row, "it is also what differs first"
    [other] = [row for row in rows if "SIZE 0" in row and "differs" in row]
    assert "of patch 0008" in other
    assert "RCPT" not in row
    assert "MAIL FROM:&lt;a%b@c.example&gt; was answered 250 ok; 553 was promised" in read.html


def test_what_one_side_lacks_is_marked_where_it_is(tmp_path: Path) -> None:
    old = verdict(CHANGE, STOCK, "unmet", seen="assert set() == {'X-WORD'}")
    old = replace(old, record=session("220 mx X-WORD\r\n", EHLO, "250 mx\r\n"))
    new = replace(verdict(CHANGE, PPA), record=session("220 mx X-WORD\r\n", EHLO, "250-mx\r\n250 X-WORD\r\n"))
    read = written(compare([run(STOCK, [old]), run(PPA, [new])]), tmp_path)[CHANGE.name]
    [row] = [row for row in read.html.split("<tr ") if "this decides" in row]
    assert (
        row.index('class="other')
        < row.index("250 X-WORD")
        < row.index("this decides: the other side lacks it")
    )
    assert "#difference-1-decides" in read.links


def test_what_ehlo_announces_is_the_first_difference_of_the_patch_that_it_belongs_to(tmp_path: Path) -> None:
    read = decided(tmp_path, "0008")
    [first] = [row for row in read.html.split("<tr ") if 'id="difference-1-first"' in row]
    assert "SIZE 0" in first
    assert "of patch 0008" not in read.html


def test_a_story_alone_has_its_deciding_line_too(tmp_path: Path) -> None:
    known = verdict(CHANGE, PPA, "unmet", seen="assert 250 == 553\n +  where 250 = <reply 250 'ok'>.code")
    known = replace(known, record=session("220 mx\r\n", "NOOP\r\n", "250 ok\r\n"))
    assert "this decides" in written(compare([run(PPA, [known])]), tmp_path)[CHANGE.name].text
