"""What a build carries: shares of patches by changes, what it has beyond, the line where claims differ."""

import io
import json
import struct
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from conformance.attribution.carried import Share, difference, ranges, shares
from conformance.attribution.identity import Beyond, beyond
from conformance.attribution.named import Named, constants, named_by
from conformance.cases.asking import Answers
from conformance.cases.collection import all_requirements
from conformance.catalogue import Requirement
from conformance.cli import main
from conformance.errors import EXIT_REGRESSION
from conformance.judge.verdict import Verdict
from conformance.targets.docker.engine import sdk
from conformance.targets.docker.programs import programs
from tests.judge_samples import BASE, CHANGE, GUARD, PPA, deviation, run, verdict
from tests.schemas import faults

Told = pytest.CaptureFixture[str]
CLAIMS_4 = replace(PPA, patches=("0004",))


def change(patch: str, number: int, outcome: str, seen: str = "") -> Verdict:
    requirement = Requirement(f"{patch}.area.case-{number}", patch, "RFC 5321 4", "Promise.")
    assert outcome in ("met", "unmet", "unsupported")
    return verdict(requirement, CLAIMS_4, "met" if outcome == "met" else "unmet", seen=seen)


def some(patch: str, met: int, unmet: int = 0) -> list[Verdict]:
    both = ["met"] * met + ["unmet"] * unmet
    return [change(patch, number, outcome) for number, outcome in enumerate(both)]


def line(*verdicts: Sequence[Verdict]) -> str:
    build = run(CLAIMS_4, [each for group in verdicts for each in group])
    return difference(build, shares(build, []))


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([some("0004", 3)], ""),
        ([some("0004", 3), some("0005", 0, 2)], ""),
        ([some("0004", 3), some("0005", 1, 2)], ""),
        (
            [some("0004", 1), *(some(f"000{n}", 2) for n in range(5, 10))],
            "claims 0004; also carries 0005 to 0009",
        ),
        ([some("0004", 1), some("0005", 18, 1)], "claims 0004; of 0005 also carries 18 of 19 changes"),
        ([some("0004", 0, 2), some("0006", 1)], "claims 0004; carries nothing of 0004; also carries 0006"),
        ([some("0004", 2, 1)], "claims 0004; of 0004 carries 2 of 3 changes"),
    ],
)
def test_the_line_tells_where_claims_and_findings_differ(verdicts: list[list[Verdict]], said: str) -> None:
    assert line(*verdicts) == said


def test_guards_and_what_was_not_decided_count_for_nothing() -> None:
    build = run(PPA, [verdict(BASE, PPA), verdict(GUARD, PPA), verdict(CHANGE, PPA, "unmet", "met")])
    assert shares(build, []) == []


def test_what_fails_as_is_known_speaks_neither_for_a_patch_nor_against_it() -> None:
    failing = change("0005", 9, "unmet", "Z, 4")
    known = [deviation(requirement=failing.requirement, seen=("Z, *",), target="another=1")]
    [found] = shares(run(CLAIMS_4, [*some("0005", 2), failing]), known)
    assert (found.carried, found.words) == (True, "2 of 3 changes, and 1 fails as is known of it")
    [alone] = shares(run(CLAIMS_4, [failing]), known)
    assert not alone.carried
    assert not alone.in_part
    [other] = shares(run(CLAIMS_4, [*some("0005", 2), failing]), [])
    assert (other.unmet, other.in_part) == ((failing.requirement,), True)


def test_of_a_patch_of_which_only_a_part_was_run_nothing_is_said() -> None:
    build = run(CLAIMS_4, [verdict(CHANGE, CLAIMS_4, "met")])
    requirements = {CHANGE.name: CHANGE, "0005.more": replace(CHANGE, name="0005.more")}
    assert difference(build, shares(build, [], {CHANGE.name: CHANGE})) == "claims 0004; also carries 0005"
    assert difference(build, shares(build, [], requirements)) == ""


def test_three_in_a_row_are_a_range() -> None:
    assert ranges(["0009", "0004", "0005"]) == "0004, 0005 and 0009"
    assert ranges(["0005", "0006", "0007", "0009", "own-name"]) == "0005 to 0007, 0009 and own-name"


def share(patch: str, met: int) -> Share:
    return Share(patch, claimed=False, met=met, known=0, total=3)


def test_what_neither_qmail_nor_a_patch_that_shows_is_known_for_is_beyond() -> None:
    said = Answers(("PIPELINING", "SIZE", "STARTTLS"), ("AUTH", "STARTTLS"))
    named = Named(
        frozenset({"TCPREMOTEIP", "SMTPAUTH", "TLSCIPHERS", "MAIL"}), frozenset({"me", "tlsclients"})
    )
    own = Beyond(("STARTTLS",), ("STARTTLS",), ("TLSCIPHERS",), ("tlsclients",))
    assert beyond([share("0008", 3)], said, named) == own
    other = beyond([share("0008", 0)], said, named)
    assert other.keywords == ("SIZE", "STARTTLS")
    assert other.verbs == ("AUTH", "STARTTLS")
    assert other.variables == ("SMTPAUTH", "TLSCIPHERS")
    assert beyond([], None, None) == Beyond()


def elf(rodata: bytes, bits: int = 64, order: str = "<") -> bytes:
    """An ELF file with one section of constants and one of code that looks like them."""
    names = b"\0.rodata\0.text\0.shstrtab\0"
    code = b"AWAVAUATI\0"
    head = 64 if bits == 64 else 52
    shape = order + ("IIQQQQIIQQ" if bits == 64 else "IIIIIIIIII")
    places = [head, head + len(rodata), head + len(rodata) + len(code)]
    table = places[2] + len(names)
    sections = [(1, places[0], len(rodata)), (9, places[1], len(code)), (15, places[2], len(names))]
    rows = struct.pack(shape, *[0] * 10)
    rows += b"".join(struct.pack(shape, name, 1, 0, 0, at, size, 0, 0, 1, 0) for name, at, size in sections)
    first = bytearray(head)
    first[:6] = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1 if order == "<" else 2])
    struct.pack_into(order + ("Q" if bits == 64 else "I"), first, 0x28 if bits == 64 else 0x20, table)
    struct.pack_into(order + "HHH", first, 0x3A if bits == 64 else 0x2E, struct.calcsize(shape), 4, 3)
    return bytes(first) + rodata + code + names + rows


@pytest.mark.parametrize(("bits", "order"), [(64, "<"), (32, "<"), (64, ">"), (32, ">")])
def test_variables_files_and_words_are_read_out_of_the_constants(bits: int, order: str) -> None:
    content = elf(
        b"control/tlsclients\0TLSCIPHERS\0etrn\0\xff\0control/../x\0Unable to read controls\0", bits, order
    )
    found = named_by({"qmail-smtpd": content, "qmail-remote": b"#!/bin/sh\n"})
    assert found == Named(frozenset({"TLSCIPHERS"}), frozenset({"tlsclients"}), frozenset({"etrn"}))


def test_what_is_no_whole_elf_file_names_nothing() -> None:
    whole = elf(b"TLSCIPHERS\0")
    assert constants(whole) == ["TLSCIPHERS"]
    assert [constants(whole[:length]) for length in (0, 4, 20, 60, len(whole) - 300)] == [[]] * 5
    for length in range(len(whole)):
        assert set(constants(whole[:length])) <= {"TLSCIPHERS"}


def test_a_build_of_the_published_package_is_told_by_its_run(tmp_path: Path, capsys: Told) -> None:
    chosen = ["--patch", "0006", "--patch", "0007"]
    assert main(["run", "model-ppa", *chosen, "--out", str(tmp_path)]) == 0
    assert "claims" not in capsys.readouterr().out.split("exit status")[1]
    stored = tmp_path / "model-ppa.jsonl"
    header, *lines = stored.read_text().splitlines()
    told = json.loads(header)
    told["target"]["patches"] = ["0001", "0002", "0003", "0006"]
    stored.write_text("\n".join([json.dumps(told), *lines]) + "\n")
    main(["compare", str(stored)])
    assert "model-ppa: claims 0001 to 0003 and 0006; also carries 0007" in capsys.readouterr().out
    assert main(["identify", str(stored)]) == 0
    assert "+ 0007: relay characters are refused: 10 of 23 changes, and 13 fail" in capsys.readouterr().out


def test_a_patch_that_does_nothing_is_missed(tmp_path: Path, capsys: Told) -> None:
    flawed = "reference-ppa~0006.dropped"
    assert main(["gate", flawed, "--patch", "0006", "--out", str(tmp_path)]) == EXIT_REGRESSION
    claims = f"{flawed}: claims 0001 to 0009; carries nothing of 0006"
    assert claims in capsys.readouterr().out


def test_of_too_little_nothing_is_concluded(tmp_path: Path, capsys: Told) -> None:
    assert main(["run", "reference-ppa", "-k", "0006.unknown.code", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["identify", str(tmp_path / "reference-ppa.jsonl")]) == 0
    said = capsys.readouterr().out
    assert said.endswith("reference-ppa: too little was run to compare claims and findings\n")
    assert "claims and findings agree" not in said


def test_a_target_is_run_and_asked(tmp_path: Path, capsys: Told) -> None:
    assert main(["identify", "reference@0006", "--json", "--out", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    carried = [each["patch"] for each in found["patches"] if each["carried"]]
    assert carried == ["0001", "0002", "0003", "0006"]
    every = sum(each.role == "change" for each in all_requirements().values())
    assert sum(each["total"] for each in found["patches"]) == every
    assert (found["session"], found["programs"], found["difference"]) == (True, False, "")
    assert found["beyond"] == {"keywords": [], "verbs": [], "variables": [], "control": []}
    assert faults("identity-1", found) == []
    assert [*tmp_path.glob("*.jsonl")] == [tmp_path / "reference-0006.jsonl"]


class Container:
    """What an engine gives of a container that is never started: files and links, each as a tar file."""

    def __init__(self, files: dict[str, bytes | str]) -> None:
        self._files = files
        self.removed = False

    def get_archive(self, path: str) -> tuple[list[bytes], None]:
        if path not in self._files:
            raise sdk().errors.NotFound(path)
        content, buffer = self._files[path], io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            member = tarfile.TarInfo(path.rpartition("/")[2])
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
            else:
                member.size = len(content)
            tar.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
        return [buffer.getvalue()], None

    def remove(self, *, force: bool) -> None:
        self.removed = force


def test_programs_come_out_of_an_image_through_links() -> None:
    home = "/opt/conformance/qmail/bin"
    container = Container(
        {
            f"{home}/qmail-smtpd": "/usr/sbin/qmail-smtpd",
            "/usr/sbin/qmail-smtpd": b"one",
            f"{home}/qmail-remote": b"two",
            f"{home}/qmail-send": "nowhere",
            f"{home}/qmail-queue": "qmail-queue",
        }
    )
    client = SimpleNamespace(containers=SimpleNamespace(create=lambda image, labels: container))
    assert programs(client, "image") == {"qmail-smtpd": b"one", "qmail-remote": b"two"}
    assert container.removed
