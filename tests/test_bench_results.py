"""What follows from rounds: verdicts, the gate, tables, plots, and the JSON that schema and reader take."""

import itertools
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.bench.plots import plots
from conformance.bench.results import (
    CEILING,
    CONTROL,
    Bench,
    Measurement,
    ScenarioResult,
    conclusion,
    read_bench,
    rows,
    three,
)
from conformance.bench.throughput_table import markdown, table
from conformance.errors import EXIT_AS_EXPECTED, EXIT_REGRESSION, EXIT_WORLD, UsageError
from tests.bench_samples import PATCHED, STOCK, bench, measured
from tests.schemas import faults

SAMPLE = Path(__file__).parent.parent / "reports" / "sample" / "bench"
PLOTS = ("ratio.svg", "ratio-narrow.svg", "latency.svg", "latency-narrow.svg")
TEXT = "{http://www.w3.org/2000/svg}text"
Rates = Sequence[float]
STEADY = [100.0, 101.0, 99.0, 100.0, 102.0, 98.0, 100.0]
MIXED = [101.0, 99.0, 100.0, 101.0, 99.0, 100.0, 100.0]
SLOW, FAST = ([rate * times for rate in STEADY] for times in (0.8, 1.2))
NOISY = [150.0, 151.0, 149.0, 150.0, 152.0, 148.0, 150.0]


def scenario(second: Rates = STEADY, control: Rates = MIXED, name: str = "inbound/some") -> ScenarioResult:
    result = ScenarioResult(name, "some messages", "messages", "0", seed=3)
    result.orders = [["0", "1", CONTROL, CEILING]] * 7
    for key, rates in (("0", STEADY), ("1", second), (CONTROL, control)):
        result.rounds[key] = [measured(rate) for rate in rates]
    result.rounds[CEILING] = [Measurement(100, 0.01, 0.008, None, (0.001, 0.002, 0.003))] * 7
    return result


def made(*results: ScenarioResult, min_ratio: float | None = None) -> Bench:
    whole = bench(STOCK, PATCHED, min_ratio=min_ratio)
    whole.scenarios = list(results)
    whole.complete = True
    whole.finished = "2020-01-01T00:03:00Z"
    return whole


def failing() -> ScenarioResult:
    result = scenario(name="outbound/some")
    del result.rounds["1"]
    result.failures["1"] = "451 \x1b[31mlater | <b>\u202e"
    return result


def unsupported() -> ScenarioResult:
    result = ScenarioResult("inbound/auth", "AUTH", "messages", "1", unsupported={"0": "0008"})
    result.rounds = {"1": [measured(5.0)] * 3}
    return result


def twice(first: Rates, second: Rates, control: Rates = MIXED) -> ScenarioResult:
    """A scenario with two series of rounds."""
    result = scenario(first)
    result.first_series = len(result.orders)
    for key, rates in (("0", STEADY), ("1", second), (CONTROL, control)):
        result.rounds[key] += [measured(rate) for rate in rates]
    return result


NOTHING = "no difference shown"
NOISE = "too noisy to say"


@pytest.mark.parametrize(
    ("result", "verdict", "said"),
    [
        (scenario(SLOW), "slower", "slower"),
        (scenario(FAST), "faster", "faster"),
        (scenario(MIXED), NOTHING, NOTHING),
        (scenario(SLOW, NOISY), NOISE, NOISE),
        (scenario(SLOW[:4]), None, "not judged"),
        (scenario(SLOW, MIXED[:4]), None, "not judged"),
        (twice(SLOW, SLOW), "slower", "slower"),
        (twice(SLOW, FAST), NOTHING, f"{NOTHING} (first slower, then faster)"),
        (twice(SLOW, MIXED), NOTHING, f"{NOTHING} (first slower, then {NOTHING})"),
        (twice(SLOW, SLOW, NOISY), NOISE, f"{NOISE} (first slower, then {NOISE})"),
        (twice(SLOW, SLOW[:4]), None, "not judged"),
    ],
)
def test_a_difference_is_believed_when_the_control_is_calm_and_it_comes_twice(
    result: ScenarioResult, verdict: str | None, said: str
) -> None:
    assert result.judgement("1") == verdict
    assert rows(result, [STOCK, PATCHED])[1].said == said


@pytest.mark.parametrize("result", [scenario(SLOW, NOISY), twice(SLOW, SLOW, NOISY)])
def test_a_control_that_was_noisy_in_one_series_was_noisy(result: ScenarioResult) -> None:
    told = rows(result, [STOCK, PATCHED])[2].said
    assert told == "control: a difference, so it was too noisy"


@pytest.mark.parametrize(
    ("results", "least", "status"),
    [
        ([twice(SLOW, SLOW)], 0.95, EXIT_REGRESSION),
        ([twice(SLOW, MIXED)], 0.95, EXIT_AS_EXPECTED),
        ([scenario(SLOW)], None, EXIT_AS_EXPECTED),
        ([scenario(SLOW)], 0.95, EXIT_REGRESSION),
        ([scenario(SLOW)], 0.75, EXIT_AS_EXPECTED),
        ([scenario([95.0, 96.0, 80.0, 81.0, 97.0, 80.0, 81.0])], 0.95, EXIT_AS_EXPECTED),
        ([scenario(), scenario(SLOW)], 0.95, EXIT_REGRESSION),
        ([scenario(SLOW, NOISY)], 0.95, EXIT_WORLD),
        ([scenario(SLOW, NOISY), scenario()], 0.95, EXIT_AS_EXPECTED),
        ([failing()], None, EXIT_AS_EXPECTED),
        ([failing()], 0.95, EXIT_REGRESSION),
        ([unsupported()], 0.95, EXIT_WORLD),
    ],
)
def test_the_gate(results: list[ScenarioResult], least: float | None, status: int) -> None:
    found, sentence = conclusion(made(*results, min_ratio=least))
    assert found == status, sentence


def test_rows_tell_medians_shares_and_why_there_is_none() -> None:
    whole = made(scenario(SLOW), failing(), unsupported())
    whole.scenarios[0].rounds["0"] = [measured(rate, questions=300) for rate in STEADY]
    first, second, control, ceiling = rows(whole.scenarios[0], whole.participants)
    assert first.rate == pytest.approx(100.0)
    assert first.driver_to_target == pytest.approx(0.1)
    assert first.driver_to_core == pytest.approx(0.05)
    assert first.questions == 3.0
    assert not first.marked
    assert second.said == "slower"
    assert control.said == "control: no difference"
    assert ceiling.marked
    assert rows(whole.scenarios[1], whole.participants)[1].said.startswith("fails: 451")
    told = [row.said for row in rows(whole.scenarios[2], whole.participants)]
    assert told == ["not supported: it lacks 0008", "measured alone"]


def test_json_fits_the_schema_and_is_read_back() -> None:
    whole = made(scenario(SLOW), twice(SLOW, MIXED), failing(), unsupported(), min_ratio=0.95)
    for complete, finished in ((True, "2020-01-01T00:03:00Z"), (False, "")):
        whole.complete, whole.finished = complete, finished
        written = json.loads(json.dumps(whole.to_json()))
        assert faults("bench-1", written) == []
        again = Bench.from_json(written)
        assert again == whole
        assert plots(again) == plots(whole)
    assert faults("bench-1", {**written, "form": "qmail-conformance report"})
    assert faults("bench-1", {**written, "more": 1})
    del written["scenarios"][0]["rounds"]["0"][0]["driver_cpu"]
    assert faults("bench-1", written)


def test_tables_hold_every_figure_and_escape_what_came_from_outside() -> None:
    whole = made(scenario(SLOW), failing())
    lines = [line for result in whole.scenarios for line in table(result, whole.participants)]
    assert any("0.80 [0.80, 0.80]" in line and "slower" in line for line in lines)
    assert any("10,000" in line and "0.80*" in line for line in lines)
    assert all(line.isprintable() for line in lines)
    page = markdown(whole)
    assert not [wrong for wrong in ("<b>", "\x1b", "Interrupted") if wrong in page]
    assert {line.count("|") for line in page.splitlines() if line.startswith("| ")} == {11}
    whole.complete = False
    assert "Interrupted" in markdown(whole)


def test_the_page_tells_what_a_target_stands_on() -> None:
    whole = made(scenario())
    there = {"system": "Ubuntu 18.04.6 LTS", "base": "ubuntu:18.04", "architecture": "arm64"}
    whole.participants[1] = replace(PATCHED, target=PATCHED.target | there)
    assert "qmail 1.06-6.2; on Ubuntu 18.04.6 LTS (ubuntu:18.04), arm64; claims 0008" in markdown(whole)


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize(
    "results",
    [[scenario(SLOW), failing(), unsupported()], [scenario(MIXED)], [], [failing()], [scenario([1.0] * 7)]],
)
def test_plots_are_accessible_and_without_script(plot: str, results: list[ScenarioResult]) -> None:
    drawn = plots(made(*results))[plot]
    root = ElementTree.fromstring(drawn)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert (root.get("role"), bool(root.get("aria-label"))) == ("img", True)
    assert tags & {"title", "script"} == {"title"}
    assert "prefers-color-scheme: dark" in drawn
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    for element in root.iter():
        for names, most in ((("x", "x1", "x2", "cx"), width), (("y", "y2"), height)):
            assert all(0 <= float(element.get(name, "0")) <= most for name in names)


def test_the_plot_of_ratios_says_every_interval_in_words() -> None:
    drawn = plots(made(scenario(SLOW)))["ratio.svg"]
    assert "0.80 [0.80, 0.80], slower" in drawn
    assert 'class="slower"' in drawn
    assert 'class="one"' in drawn


@pytest.mark.parametrize("plot", PLOTS)
def test_nothing_is_cut_off_in_a_plot_however_long_it_is(plot: str) -> None:
    name = f"inbound/{'a' * 70}"
    whole = made(replace(twice(SLOW, MIXED), name=name))
    label = f"debs:{'x' * 60}@0004,0005"
    whole.participants[1] = replace(PATCHED, label=label)
    root = ElementTree.fromstring(plots(whole)[plot])
    said = ""
    for text in root.iter(TEXT):
        words, width = text.text or "", 8.5 if text.get("class") == "title" else 7.23
        half = len(words) * width / 2 if text.get("text-anchor") else 0
        said += words.replace(" ", "")
        assert float(text.get("x", "")) - half >= 0
        assert float(text.get("x", "")) + (half or len(words) * width) <= float(root.get("width", ""))
    wanted = [name, label, *(["(firstslower,thennodifferenceshown)"] if "ratio" in plot else [])]
    assert [words for words in wanted if words not in said] == []


@pytest.mark.parametrize("plot", PLOTS)
def test_labels_of_the_axis_do_not_touch(plot: str) -> None:
    far = scenario([rate * 1000 for rate in STEADY])
    far.rounds["0"] = [replace(each, latencies=(1e-6, 2.0, 5000.0)) for each in far.rounds["0"]]
    root = ElementTree.fromstring(plots(made(far))[plot])
    texts = [each for each in root.iter(TEXT) if each.get("text-anchor")]
    assert len(texts) > 2
    for left, right in itertools.pairwise(texts):
        room = (len(left.text or "") + len(right.text or "")) / 2 * 7.23
        assert float(right.get("x", "")) - float(left.get("x", "")) > room


@pytest.mark.parametrize("plot", PLOTS)
def test_a_plot_has_a_legend_of_the_signs_that_it_uses(plot: str) -> None:
    root = ElementTree.fromstring(plots(made(scenario(SLOW)))[plot])
    said = " ".join(text.text or "" for text in root.iter(TEXT))
    wanted = ["square: the median", "the first target again", "as many units a second as debs:a@"]
    wanted = wanted if "ratio" in plot else ["dot: half of the units", "end of the line: 99 %"]
    assert [words for words in wanted if words not in said] == []
    assert "faster" not in said


def test_the_sample_is_what_its_page_and_pictures_show() -> None:
    written = json.loads((SAMPLE / "bench.json").read_text(encoding="utf-8"))
    assert faults("bench-1", written) == []
    sample = Bench.from_json(written)
    for name, text in {"bench.md": markdown(sample), **plots(sample)}.items():
        assert (SAMPLE / name).read_text(encoding="utf-8") == text, name


def _at(data: Any, place: Sequence[Any]) -> tuple[Any, Any]:
    for name in place[:-1]:
        data = data[name]
    return data, place[-1]


ROUND = ("scenarios", 0, "rounds", "0", 0)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("form",), "another"),
        (("schema",), 2),
        (("seconds",), 10**400),
        (("participants",), None),
        (("participants",), [None]),
        (("participants", 0, "target"), {}),
        (("participants", 0, "target", "packages"), ["qmail"]),
        (("scenarios",), {"a": 1}),
        ((*ROUND, "units"), 0),
        ((*ROUND, "units"), 10**400),
        ((*ROUND, "seconds"), 0),
        ((*ROUND, "seconds"), float("nan")),
        ((*ROUND, "latencies"), [0.1, 0.2]),
        ((*ROUND, "target_cpu"), -1),
    ],
)
def test_what_no_bench_holds_is_refused(tmp_path: Path, place: Sequence[Any], value: Any) -> None:
    data = json.loads((SAMPLE / "bench.json").read_text(encoding="utf-8"))
    inside, name = _at(data, place)
    inside[name] = value
    (tmp_path / "bench.json").write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UsageError, match=r"bench\.json: no bench: "):
        read_bench(tmp_path / "bench.json")


@pytest.mark.parametrize("text", ["", "[]", "[" * 10_000, "1" + "0" * 5000, "\xff"])
def test_what_is_no_json_object_is_no_bench(tmp_path: Path, text: str) -> None:
    (tmp_path / "bench.json").write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match="no bench"):
        read_bench(tmp_path / "bench.json")


def test_percentiles_of_a_measurement() -> None:
    assert three([number / 1000 for number in range(1, 101)]) == (0.05, 0.09, 0.099)
