"""What runs the commands of pages holds each to its exit status, and leaves out what it cannot run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

RUNNER = Path(__file__).resolve().parents[1] / ".ci" / "commands"

PAGE = """
```sh
echo one \\
  line
false  # exit status 1
```

1. In a list:

   ```sh
   cat >{place}/kept <<'END'
   first

     second
   END
   ```

```text
false
```

```sh builds
echo of builds; exit 7
```
"""


def run(page: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(RUNNER), str(page), *words], capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE.format(place=tmp_path), encoding="utf-8")
    return path


def test_commands_are_run_in_order_and_what_needs_more_is_counted(page: Path, tmp_path: Path) -> None:
    status, said = run(page)
    assert status == 0
    assert "\none line\n" in said
    assert re.search(r"^3 commands in \d+ s, 1 left out; failed: none$", said, re.MULTILINE)
    assert (tmp_path / "kept").read_text().split() == ["first", "second"]


def test_another_exit_status_than_promised_fails_the_page(page: Path) -> None:
    page.write_text(page.read_text().replace("# exit status 1", "# exit status 2"))
    status, said = run(page)
    assert status == 1
    assert "exit status 1, and not 2" in said


def test_a_block_is_run_where_what_it_needs_is_there(page: Path) -> None:
    page.write_text(page.read_text().replace("```sh builds", "```sh network"))
    status, said = run(page, "--with", "network")
    assert status == 1
    assert "\nof builds\n" in said
