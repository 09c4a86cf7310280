"""What became of the last release's verdicts, as a part of the first page: each with its evidence."""

from conformance.judge.baseline import AgainstBaseline
from conformance.judge.verdict import Verdict
from conformance.report.baseline import caption, gone, groups, sentence
from conformance.report.sentences import sentence as what_came
from conformance.report.site.html import Html, joined, scrolling, tag
from conformance.report.site.page import section
from conformance.report.site.requirement import file_name
from conformance.report.words import one_line

_SEEN = 300  #: characters of what was seen; the requirement's page holds it whole


def baseline_section(found: AgainstBaseline) -> Html:
    """The conclusion, and by kind what is newly unmet, or was unmet before."""
    lead = tag("p", tag("b", sentence(found).capitalize(), class_="bad" if found.newly else "good"), ".")
    parts = [lead, tag("p", caption(found), class_="quiet")]
    for kind, title, verdicts in groups(found):
        rows = map(_row, verdicts)
        heads = (tag("th", name, scope="col") for name in ("Requirement", "Severity", "What came"))
        table = tag(
            "table", tag("thead", tag("tr", joined(heads))), tag("tbody", joined(rows)), class_="list"
        )
        name = f"baseline-{kind}"
        parts += [tag("h3", f"{title.capitalize()}: {len(verdicts)}", id=name)]
        parts += [scrolling(table, aria_labelledby=name)]
    parts += [tag("p", f"{gone(found).capitalize()}.")] if found.gone else []
    return section("baseline", "Against the baseline", joined(parts))


def _row(verdict: Verdict) -> Html:
    link = tag("a", tag("code", verdict.requirement), href=f"requirements/{file_name(verdict.requirement)}")
    cells = (tag("td", verdict.severity or ""), tag("td", one_line(what_came(verdict), _SEEN)))
    return tag("tr", tag("th", link, scope="row"), *cells)
