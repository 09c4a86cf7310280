"""How the target and the world around it were set up: what a person needs to make the same by hand."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from conformance.judge.comparison import Row
from conformance.pod.codec import encode
from conformance.pod.configuration import Configuration
from conformance.pod.record import Prepare
from conformance.pod.world import Exchanger, Fault, Padding, World
from conformance.report.site.html import Html, bullets, joined, pre, tag
from conformance.report.words import listed

_LONGEST = 4_000  #: characters of one value


def set_up(row: Row, labels: Sequence[str]) -> Html:
    """Every set-up of the case; once, where all targets had the same."""
    kinds: dict[str, tuple[list[tuple[World, Configuration]], list[str]]] = {}
    for verdict, label in zip(row.cells, labels, strict=True):
        acts = verdict.record.acts if verdict.record else ()
        if set_ups := [(act.world, act.configuration) for act in acts if isinstance(act, Prepare)]:
            kinds.setdefault(_json(set_ups), (set_ups, []))[1].append(label)
    if not kinds:
        return tag("p", "No record holds how the world was set up.")
    parts: list[Html] = []
    for set_ups, alike in kinds.values():
        for number, (world, configuration) in enumerate(set_ups, 1):
            which = f": set-up {number} of {len(set_ups)}" if len(set_ups) > 1 else ""
            parts += [tag("h3", f"On {listed(alike)}{which}"), _blocks(world, configuration)]
    return joined(parts)


def _blocks(world: World, configuration: Configuration) -> Html:
    zones = (pre(_shown(zone).strip("\n"), tabindex="0", aria_label="zone file") for zone in world.zones)
    blocks = [
        _files("Control files", configuration.control),
        _environment(configuration.environment),
        _files("dot-qmail files", configuration.dot_qmail),
        _others("qmail", configuration, Configuration(), ("control", "environment", "dot_qmail")),
        *(_block("Zone", zone) for zone in zones),
        _entries("Padded answers", world.paddings, Padding("", "", 0)),
        _entries("DNS faults", world.faults, Fault("", "drop")),
        _entries("Exchangers", world.exchangers, Exchanger(), always=("address", "port")),
        _others("World", world, World(), ("zones", "paddings", "faults", "exchangers")),
    ]
    return tag("div", joined(blocks), class_="set-up")


def _block(title: str, *content: str) -> Html:
    return tag("section", tag("h4", title), *content)


def _files(title: str, files: Mapping[str, str]) -> Html:
    if not files:
        return Html("")
    rows = (
        tag("tr", tag("th", name, scope="row"), tag("td", pre(_shown(content).removesuffix("\n"))))
        for name, content in sorted(files.items())
    )
    return _block(title, tag("table", tag("tbody", joined(rows)), class_="files"))


def _environment(variables: Mapping[str, str]) -> Html:
    lines = "\n".join(f"{name}={_shown(value)}" for name, value in sorted(variables.items()))
    return _block("Environment", pre(lines, tabindex="0", aria_label="environment")) if lines else Html("")


def _entries(title: str, entries: Sequence[Any], plain: Any, always: Collection[str] = ()) -> Html:
    """A list of things, each by what it has beside the plain one."""
    items = [_details(entry, plain, always) for entry in entries]
    return _block(title, bullets(items)) if items else Html("")


def _others(title: str, given: Any, plain: Any, known: Collection[str]) -> Html:
    shown = _details(given, plain, ("resolver",), known)
    return _block(title, tag("p", shown)) if shown else Html("")


def _details(given: Any, plain: Any, always: Collection[str], known: Collection[str] = ()) -> Html:
    """The fields of a dataclass that are not as in the plain one, or `always` shown; without `known` ones."""
    shown = (
        joined((tag("b", name.replace("_", " ")), " ", tag("code", _shown(value))))
        for name, value in sorted(vars(given).items())
        if name not in known and (name in always or value != getattr(plain, name))
    )
    return joined(shown, ", ")


def _json(value: object) -> str:
    return json.dumps(encode(value), ensure_ascii=False, sort_keys=True)


def _shown(value: object) -> str:
    """A text as it is, everything else as JSON; cut where it is very long."""
    shown = value if isinstance(value, str) else _json(value)
    left_out = len(shown) - _LONGEST
    cut = f"{shown[:_LONGEST]} … ({left_out} characters left out; whole in the run file)"
    return cut if left_out > 0 else shown
