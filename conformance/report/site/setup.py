"""How the target and the world around it were set up: what a person needs to make the same by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from conformance.judge.comparison import Row
from conformance.pod.configuration import Configuration
from conformance.pod.world import Exchanger, Fault, Padding, World
from conformance.report.site.html import Html, joined, pre, tag
from conformance.report.site.stories import listed

_MISSING = object()


def set_up(row: Row, labels: Sequence[str]) -> Html:
    """Every set-up of the case; once, where all targets had the same."""
    kinds: dict[str, list[str]] = {}
    for verdict, label in zip(row.cells, labels, strict=True):
        if prepares := _prepares(verdict.record):
            key = json.dumps([_without_time(one) for one in prepares], sort_keys=True)
            kinds.setdefault(key, []).append(label)
    if not kinds:
        return tag("p", "No record holds how the world was set up.")
    parts: list[Html] = []
    for key, alike in kinds.items():
        prepares = json.loads(key)
        for number, one in enumerate(prepares, 1):
            which = f": set-up {number} of {len(prepares)}" if len(prepares) > 1 else ""
            parts += [tag("h3", f"On {listed(alike)}{which}"), _one(one)]
    return joined(parts)


def _prepares(record: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    acts = (record or {}).get("acts")
    if not isinstance(acts, list):
        return []
    return [act for act in acts if isinstance(act, dict) and act.get("act") == "prepare"]


def _without_time(act: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in act.items() if key != "at"}


def _one(act: Mapping[str, Any]) -> Html:
    configuration, world = _mapping(act.get("configuration")), _mapping(act.get("world"))
    blocks = [
        _files("Control files", _mapping(configuration.get("control"))),
        _environment(_mapping(configuration.get("environment"))),
        _files("dot-qmail files", _mapping(configuration.get("dot_qmail"))),
        _others("qmail", configuration, Configuration().to_json(), ("control", "environment", "dot_qmail")),
        *(
            _block("Zone", pre(_shown(zone).strip("\n"), tabindex="0", aria_label="zone file"))
            for zone in _list(world.get("zones"))
        ),
        _entries("Padded answers", world.get("paddings"), vars(Padding("", "", 0))),
        _entries("DNS faults", world.get("faults"), vars(Fault("", "drop"))),
        _entries("Exchangers", world.get("exchangers"), vars(Exchanger()), always=("address", "port")),
        _others("World", world, World().to_json(), ("zones", "paddings", "faults", "exchangers")),
    ]
    return tag("div", joined(blocks), class_="set-up")


def _block(title: str, *content: str) -> Html:
    return tag("section", tag("h4", title), *content)


def _files(title: str, files: Mapping[str, Any]) -> Html:
    if not files:
        return Html("")
    rows = (
        tag("tr", tag("th", name, scope="row"), tag("td", pre(_shown(content).removesuffix("\n"))))
        for name, content in files.items()
    )
    return _block(title, tag("table", tag("tbody", joined(rows)), class_="files"))


def _environment(variables: Mapping[str, Any]) -> Html:
    if not variables:
        return Html("")
    lines = "\n".join(f"{name}={_shown(value)}" for name, value in variables.items())
    return _block("Environment", pre(lines, tabindex="0", aria_label="environment"))


def _entries(title: str, entries: object, plain: Mapping[str, Any], always: Sequence[str] = ()) -> Html:
    """A list of things, each by what it has beside the plain one."""
    items = [_details(_mapping(one), plain, always) for one in _list(entries)]
    return _block(title, tag("ul", joined(tag("li", item) for item in items))) if items else Html("")


def _others(title: str, given: Mapping[str, Any], plain: Mapping[str, Any], known: Sequence[str]) -> Html:
    rest = {key: value for key, value in given.items() if key not in known}
    shown = _details(rest, plain, ("resolver",))
    return _block(title, tag("p", shown)) if shown else Html("")


def _details(given: Mapping[str, Any], plain: Mapping[str, Any], always: Sequence[str]) -> Html:
    return joined(
        (
            joined((tag("b", key.replace("_", " ")), " ", tag("code", _shown(value))))
            for key, value in given.items()
            if key in always or value != plain.get(key, _MISSING)
        ),
        ", ",
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _shown(value: object) -> str:
    """A text as it is, everything else as JSON; cut where it is very long."""
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    most = 4_000
    left_out = len(shown) - most
    return (
        shown
        if left_out <= 0
        else f"{shown[:most]} … ({left_out} characters left out; whole in the run file)"
    )
