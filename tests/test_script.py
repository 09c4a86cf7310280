"""A script names a function of this package, or brings the text of its file along."""

import importlib.util
import sys
from pathlib import Path

import pytest

from conformance.cases.script import function_of, script_of
from conformance.cases.test_base_session import test_pipelined_commands as a_case
from conformance.catalogue.requirements import Case


def own(tmp_path: Path, text: bytes, name: str = "own_case") -> Case:
    """The function `case` of a file outside the package."""
    path = tmp_path / f"{name}.py"
    path.write_bytes(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Case = module.case
    return found


def test_a_case_of_the_package_goes_by_its_name() -> None:
    script = script_of(a_case, rounds="3")
    assert (script.module, script.source) == ("conformance.cases.test_base_session", "")
    assert script.arguments == {"rounds": "3"}
    assert function_of(script).__name__ == "test_pipelined_commands"


def test_a_file_is_read_in_the_encoding_that_it_declares(tmp_path: Path) -> None:
    text = "# -*- coding: latin-1 -*-\nWORD = 'ä'\nasync def case(qmail): return WORD\n".encode("latin-1")
    played = function_of(script_of(own(tmp_path, text)))
    assert played.__globals__["WORD"] == "ä"  # type: ignore[attr-defined]


def test_what_cannot_be_found_is_told_when_it_is_played(tmp_path: Path) -> None:
    for text in (
        b"def made():\n    async def case(qmail): pass\n    return case\ncase = made()\n",
        b"class Cases:\n    @staticmethod\n    async def case(qmail): pass\ncase = Cases.case\n",
    ):
        script = script_of(own(tmp_path, text))
        with pytest.raises(ImportError, match="stands at the top of its file"):
            function_of(script)
    case = own(tmp_path, b"async def case(qmail): pass\n", "gone_case")
    (tmp_path / "gone_case.py").unlink()
    with pytest.raises(ImportError, match="No such file"):
        function_of(script_of(case))
