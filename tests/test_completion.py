"""What a shell completes, as bash does it with what `completion bash` prints."""

import shutil
import subprocess
from pathlib import Path

import pytest

from conformance.cli import main

#: A line up to the cursor -> what must be among the words that are offered for its last one.
OFFERED = {
    "ju": {"judge"},
    "help ju": {"judge"},
    "run --pa": {"--patch"},
    "try u": {"unknown-command"},
    "try m": {"mine"},
    "shrink qmail-c": {"qmail-conformance.toml"},
    "run ref": {"reference-stock", "reference-ppa"},
    "run cand": {"candidate"},
    "try --target mod": {"model-stock", "model-ppa"},
    "run reference-ppa --patch 000": {"0004", "0005"},
    "compare qmail-c": {"qmail-conformance.toml"},
    "run reference-ppa --out bui": {"build"},
    "deviations ch": {"check"},
}

SCRIPT = """
COMP_WORDS=(qmail-conformance "$@"); COMP_CWORD=$#
_shtab_qmail_conformance
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_options_targets_patches_and_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "build").mkdir()
    project = "scenarios = ['own']\n[targets]\ncandidate = 'debs:build'\n"
    (tmp_path / "qmail-conformance.toml").write_text(project)
    (tmp_path / "own").mkdir()
    for name in ("mine", "$(touch here)"):
        (tmp_path / "own" / f"{name}.toml").write_text("session = '> NOOP'\n")
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out + SCRIPT
    for line, wanted in OFFERED.items():
        words = ["bash", "-c", script, "bash", *line.split()]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=20)
        assert wanted <= set(done.stdout.split()), line
    assert not (tmp_path / "here").exists(), "what a file is called is not run"


def test_zsh_is_told_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "zsh"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("#compdef qmail-conformance\n")
    assert "_qmail_conformance_patches() { compadd base 0001 " in told
    assert '"*--target[' in told
    assert ":TARGET:_qmail_conformance_targets_file" in told
