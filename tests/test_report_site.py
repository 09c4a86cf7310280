"""The HTML site: every cell has its page, every link leads somewhere, and nothing comes from elsewhere."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from conformance.cases.collection import all_requirements
from conformance.errors import UsageError
from conformance.judge.comparison import Comparison, compare
from conformance.pod.observation import TranscriptEntry
from conformance.pod.record import Failure, Record
from conformance.report.site import write_site
from conformance.report.site.citation import citation
from conformance.report.site.html import prose, tag, text
from conformance.report.site.requirement import file_name
from conformance.report.site.transcript import ROWS
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, REFERENCE, STOCK, run, verdict
from tests.site_samples import Page, alone, comparison, page, record, told
from tests.test_report_files import NASTY, with_texts


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(comparison(), tmp_path / "site").parent


def requirement(site: Path, name: str) -> Page:
    return page(site / "requirements" / f"{name}.html")


def write(one: Comparison, directory: Path) -> list[Path]:
    index = write_site(one, directory)
    return [index, *sorted((directory / "requirements").iterdir())]


def with_record(given: Record | None) -> Comparison:
    return compare([run(PPA, [replace(verdict(CHANGE, PPA), record=given)])])


def test_every_requirement_has_its_page_and_every_cell_leads_to_its_target(site: Path) -> None:
    index = page(site / "index.html")
    for name in (BASE.name, CHANGE.name, GUARD.name):
        assert f"requirements/{name}.html" in index.links
        for number in (1, 2, 3):
            assert f"requirements/{name}.html#target-{number}" in index.links


def test_every_link_leads_somewhere(site: Path) -> None:
    pages = {path.resolve(): page(path) for path in (site / "index.html", *site.glob("requirements/*.html"))}
    for path, read in pages.items():
        for link in read.links:
            file, _, fragment = link.partition("#")
            if file.startswith("https://"):
                continue
            target = pages[(path.parent / file).resolve() if file else path]
            assert not fragment or fragment in target.ids, (path.name, link)


def test_no_id_stands_twice(site: Path) -> None:
    for path in (site / "index.html", *site.glob("requirements/*.html")):
        ids = page(path).ids
        assert len(ids) == len(set(ids)), path.name


def test_nothing_comes_from_elsewhere_and_no_markup_runs_anything(site: Path) -> None:
    for path in (site / "index.html", *site.glob("requirements/*.html")):
        for name, attributes in page(path).elements:
            assert "src" not in attributes, (path.name, name)
            assert "style" not in attributes, (path.name, name)
            assert not [one for one in attributes if one.startswith("on")], (path.name, name)
            if name == "link":
                assert attributes["href"] == "data:,"


def test_the_policy_names_exactly_the_style_and_the_script_of_the_page(site: Path) -> None:
    for path in (site / "index.html", *site.glob("requirements/*.html")):
        read = page(path)
        policy = next(one["content"] for one in read.all("meta") if "http-equiv" in one)
        for kind in ("style", "script"):
            digest = b64encode(sha256(read.raw[kind].encode()).digest()).decode()
            assert f"{kind}-src 'sha256-{digest}'" in policy
        assert policy.startswith("default-src 'none';")


def test_the_index_answers_before_it_details(site: Path) -> None:
    said = page(site / "index.html").text
    parts = ("Not as expected", "qmail 1.06-6.2~ppa3", "0005 falls short", "regression: met", BASE.promise)
    places = [said.index(part) for part in parts[:-1]] + [said.rindex(parts[-1])]
    assert places == sorted(places)
    assert "sha256:22" in said
    assert "0004, 0005, 0006, 0007, 0008, 0009" in said


def test_a_deviation_of_several_targets_is_told_once(site: Path) -> None:
    said = page(site / "index.html").text
    assert said.count("the buffer is too small") == 1
    assert "On ppa and candidate. Source: https://bugs.example/17. Since 2024-05-01." in said


def test_without_its_script_the_index_holds_the_whole_matrix_and_no_form(site: Path) -> None:
    read = page(site / "index.html")
    assert "hidden" in read.all("form")[0]
    rows = [row for row in read.all("tr") if "hidden" in row]
    assert rows == []
    assert all(name in read.text for name in (BASE.name, CHANGE.name, GUARD.name))


def test_a_cell_carries_a_sign_and_a_word_and_not_only_colour(site: Path) -> None:
    cells = re.findall("<td[^>]*><a [^>]*><span[^>]*><b>(.)</b> ([a-z]+)<", (site / "index.html").read_text())
    assert cells == [
        *[("✓", "met"), ("!", "unmet"), ("!", "unmet")],
        *[("○", "unmet"), ("✓", "met"), ("✓", "met")],
        *[("✓", "met"), ("~", "unmet"), ("~", "unmet")],
    ]


def test_rows_that_differ_are_marked_for_the_filter(site: Path) -> None:
    rows = [row for row in page(site / "index.html").all("tr") if "class" not in row]
    assert sum("data-differs" in row for row in rows) == 3


def test_a_page_says_promise_citation_expectation_deviation_and_what_was_seen(site: Path) -> None:
    surprise, known = requirement(site, BASE.name), requirement(site, GUARD.name)
    assert "regression: met was expected, and it is unmet" in surprise.text
    assert "assert False" in surprise.text
    assert "https://www.rfc-editor.org/rfc/rfc5321" in surprise.links
    assert GUARD.promise in known.text
    assert "the buffer is too small" in known.text
    assert "https://bugs.example/17" in known.links


def test_an_unstable_verdict_shows_its_attempts(tmp_path: Path) -> None:
    write_site(alone(), tmp_path)
    assert "unmet, then met" in requirement(tmp_path, CHANGE.name).text


def test_both_transcripts_stand_side_by_side_with_the_first_difference_linked(site: Path) -> None:
    read = requirement(site, CHANGE.name)
    assert "#difference-1-first" in read.links
    html = (site / "requirements" / f"{CHANGE.name}.html").read_text()
    row = next(line for line in html.split("<tr ") if 'id="difference-1-first"' in line)
    assert "50<mark>2</mark> no" in row
    assert "50<mark>0</mark> no" in row


def test_targets_that_tell_the_same_are_named_and_not_repeated(site: Path) -> None:
    read = requirement(site, CHANGE.name)
    assert "The same as on ppa happened on candidate." in read.text
    assert len([one for one in read.all("table") if "two" in one.get("class", "")]) == 1


def test_without_a_difference_the_page_says_so_and_shows_both(site: Path) -> None:
    read = requirement(site, GUARD.name)
    assert "No difference, save in times" in read.text
    assert not [link for link in read.links if "difference" in link]


def test_one_run_alone_is_told_as_one_story(tmp_path: Path) -> None:
    index = page(write_site(alone(), tmp_path))
    read = requirement(tmp_path, CHANGE.name)
    assert [one for one in read.all("table") if "one" in one.get("class", "").split()]
    assert "differs only" not in index.text


def test_the_conversation_the_log_and_the_sequence_are_there(site: Path) -> None:
    read = requirement(site, CHANGE.name)
    for part in ("SMTP session 1 with qmail-smtpd", "DNS", "50 octets over udp", "status: local 0/10"):
        assert part in read.text
    pictures = [one for one in read.all("svg") if one.get("role") == "img"]
    assert len(pictures) == 2
    assert "DNS questions" in pictures[0]["aria-label"]


def test_the_set_up_is_there_once_where_all_had_the_same(site: Path) -> None:
    said = requirement(site, CHANGE.name).text
    assert "On stock, ppa and candidate" in said
    assert said.count("$ORIGIN big.example.") == 1
    assert "RELAYCLIENT=" in said


def test_the_command_that_repeats_it_stands_there_for_each_target(site: Path) -> None:
    said = requirement(site, CHANGE.name).text
    assert f"qmail-conformance run stock -k {CHANGE.name}" in said
    assert f"qmail-conformance run candidate -k {CHANGE.name}" in said


def test_the_case_is_shown_where_this_suite_has_it_and_missed_where_not(tmp_path: Path, site: Path) -> None:
    real = next(iter(all_requirements().values()))
    write_site(compare([run(STOCK, [verdict(real, STOCK)])]), tmp_path)
    assert f'@requirement("{real.name}"' in re.sub(r"\s*\n\s*", "", requirement(tmp_path, real.name).text)
    assert "its code cannot be shown" in requirement(site, CHANGE.name).text


def test_a_specification_is_never_shown_as_qmail(tmp_path: Path) -> None:
    for path in write(alone(REFERENCE), tmp_path):
        assert "an executable specification, not qmail" in page(path).text


@pytest.mark.parametrize("nasty", NASTY)
def test_what_comes_from_outside_stays_text(nasty: str, tmp_path: Path) -> None:
    hostile = with_texts(nasty)
    evil = record(nasty, transcript=[TranscriptEntry(0.1, "exchanger", nasty)])
    verdicts = [replace(one, record=evil) for one in hostile.runs[0].verdicts]
    for path in write(compare([replace(hostile.runs[0], verdicts=tuple(verdicts))]), tmp_path):
        read = page(path)
        assert len(read.all("script")) == 1
        assert not read.all("img")
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\x85\u2028\ud800]", path.read_text(encoding="utf-8"))


def test_an_empty_record_is_said_to_hold_nothing(tmp_path: Path) -> None:
    write_site(with_record(Record()), tmp_path)
    assert "its record holds nothing" in requirement(tmp_path, CHANGE.name).text


def test_the_failure_of_the_world_stands_in_the_story(tmp_path: Path) -> None:
    write_site(with_record(Record((Failure(at=1.0, reason="no pod"),))), tmp_path)
    assert "[the world failed: no pod]" in requirement(tmp_path, CHANGE.name).text


def test_a_verdict_without_a_record_says_so(tmp_path: Path) -> None:
    write_site(with_record(None), tmp_path)
    assert "holds no record of it" in requirement(tmp_path, CHANGE.name).text


def test_a_record_of_very_many_events_makes_a_page_of_bounded_size(tmp_path: Path) -> None:
    long = [f"250 {i}" for i in range(20_000)]
    one, other = verdict(CHANGE, STOCK), verdict(CHANGE, PPA)
    both = [run(STOCK, [told(one, *long)]), run(PPA, [told(other, *long[:15_000], "550 no", *long[15_001:])])]
    write_site(compare(both), tmp_path)
    path = tmp_path / "requirements" / f"{CHANGE.name}.html"
    assert path.stat().st_size < 400_000
    read = page(path)
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


def test_a_requirement_keeps_its_own_name_as_its_link() -> None:
    assert file_name("0005.mx.octets-4096") == "0005.mx.octets-4096.html"


def test_a_directory_that_cannot_be_written_is_a_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Name another directory"):
        write_site(alone(), tmp_path / "file" / "site")


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
    assert (
        tag("p", "<b>", text("&"), tag("i", "x"), title='"') == '<p title="&quot;">&lt;b&gt;&amp;<i>x</i></p>'
    )
    assert prose("a `<b>` c") == "a <code>&lt;b&gt;</code> c"
    assert prose("a ` c") == "a ` c"
