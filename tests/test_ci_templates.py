"""The CI templates fit the published schemas, and their shell steps run as they stand on the reference.

The steps of a job are run in order, in a clean directory, with a new environment for Python. As with a
runner, what a step writes to GITHUB_PATH and GITHUB_OUTPUT counts for those after it, and what comes after a
failure runs where the step says so. A build of packages is an affair of Docker and of the maintainer's own
package: of that step the syntax alone is looked at.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conformance.cli import parser

ROOT = Path(__file__).resolve().parent.parent
CI = ROOT / "docs" / "ci"
TEMPLATES = {
    ROOT / "action.yml": "github-actions",
    CI / "github-actions.yml": "github-workflows",
    CI / "project-github-actions.yml": "github-workflows",
    CI / "gitlab-ci.yml": "gitlab-ci",
}
INSTALL = "Install the suite from its checkout"
_LIMIT = 300  #: seconds for a step: the first one installs the suite

yaml = pytest.importorskip("ruamel.yaml", reason="comes with check-jsonschema")


def loaded(path: Path) -> Any:
    return yaml.YAML(typ="safe").load(path)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_fits_the_published_schema(path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        f"vendor.{TEMPLATES[path]}",
        path,
    ]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def shell_steps() -> list[tuple[str, str]]:
    """Every script of the templates, and where it stands."""
    found = [(str(step.get("name", step["run"])), step["run"]) for step in action_steps() if "run" in step]
    for name in ("github-actions.yml", "project-github-actions.yml"):
        for job in loaded(CI / name)["jobs"].values():
            found += [(str(step.get("name", "")), step["run"]) for step in job["steps"] if "run" in step]
    for name, job in loaded(CI / "gitlab-ci.yml").items():
        if isinstance(job, dict) and "script" in job:
            found += [(f"{name}: {key}", "\n".join(job[key])) for key in _SECTIONS if key in job]
    return found


def test_debian_tests_name_a_program_that_gates_what_is_installed() -> None:
    """That it does so is tried with autopkgtest by hand: its testbed is a machine of its own."""
    place = CI / "debian-tests"
    fields = dict(line.split(": ", 1) for line in (place / "control").read_text().splitlines())
    assert {"needs-root", "isolation-container"} <= set(fields["Restrictions"].split(", "))
    assert "@" in fields["Depends"].split(", ")
    program = place / fields["Tests"]
    assert os.access(program, os.X_OK)
    script = program.read_text()
    assert subprocess.run(["sh", "-n"], input=script, text=True).returncode == 0
    [gate] = re.findall(r"venv/bin/qmail-conformance\" (.*)", script)
    words = gate.replace('"', "").replace("$kept", "x").split()
    assert parser().parse_args(words).target == "installed"


_SECTIONS = ("before_script", "script", "after_script")


def action_steps() -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = loaded(ROOT / "action.yml")["runs"]["steps"]
    return steps


@pytest.mark.parametrize(("name", "script"), shell_steps())
def test_a_shell_step_is_shell_and_takes_values_from_the_environment_alone(name: str, script: str) -> None:
    checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "${{" not in script, "whoever names a branch would write the script"


def test_every_job_has_its_limits_and_keeps_its_evidence() -> None:
    for name in ("github-actions.yml", "project-github-actions.yml"):
        template = loaded(CI / name)
        assert template["permissions"] == {"contents": "read"}
        assert template["concurrency"]["cancel-in-progress"] is True
        assert all(job["timeout-minutes"] for job in template["jobs"].values())
    assert [step["if"] for step in action_steps() if "upload-artifact" in step.get("uses", "")] == [
        "always()"
    ]
    template = loaded(CI / "gitlab-ci.yml")
    assert {template[job]["interruptible"] for job in ("packages", "gate")} == {True}
    assert all(template[job]["timeout"] for job in ("packages", "gate"))
    assert template["gate"]["artifacts"]["when"] == "always"
    assert template["gate"]["cache"]["paths"] == [".cache/pip"]


def test_every_variable_of_the_images_is_handed_through_and_the_build_is_of_the_gated_release() -> None:
    from conformance.targets.image_options import IMAGE_OPTIONS

    template = loaded(CI / "github-actions.yml")
    assert {variable for variable, _ in IMAGE_OPTIONS.values()} == set(template["env"])
    (build,) = [step for step in template["jobs"]["gate"]["steps"] if "run" in step]
    assert '"ubuntu:${QMAIL_RELEASE:-20.04}"' in build["run"]
    packages = loaded(CI / "gitlab-ci.yml")["packages"]
    assert (packages["image"], packages["variables"]["QMAIL_RELEASE"]) == ("ubuntu:$QMAIL_RELEASE", "20.04")


def test_what_a_project_file_says_is_not_overridden() -> None:
    """The environment counts before a project's defaults, and so does an option."""
    template = loaded(CI / "github-actions.yml")
    assert {value for value in template["env"].values() if "||" in value} == set()
    steps = template["jobs"]["gate"]["steps"]
    (used,) = [step for step in steps if step.get("uses") == "./.qmail-conformance"]
    assert "hashFiles('qmail-conformance.toml') == '' && 'stock'" in used["with"]["against"]
    template = loaded(CI / "gitlab-ci.yml")
    assert set(template["variables"]) == {"QMAIL_CONFORMANCE"}
    assert "QMAIL_RELEASE" not in template["gate"]["variables"]


@dataclass
class Runner:
    """A job in a clean directory; `said` is what its steps print, `failed` the names of those that failed."""

    place: Path
    values: dict[str, str]
    path: list[str] = field(default_factory=list)
    said: str = ""
    failed: list[str] = field(default_factory=list)

    def run(self, name: str, script: str, environment: dict[str, str], shell: list[str]) -> None:
        kept = {"HOME": str(self.place), "PATH": ":".join([*reversed(self.path), os.environ["PATH"]])}
        kept |= {
            key: value
            for key, value in os.environ.items()
            if key.startswith("PIP_") or "proxy" in key.lower()
        }
        file = self.place.parent / "step.sh"
        file.write_text(script)
        ran = subprocess.run(
            [*shell, file],
            cwd=self.place,
            env={**kept, **environment},
            timeout=_LIMIT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.said += ran.stdout
        if ran.returncode != 0:
            self.failed.append(name)

    def action(self, inputs: dict[str, str]) -> None:
        """The steps of action.yml, but those of others; what one call has installed is there for the next."""
        declared = loaded(ROOT / "action.yml")["inputs"]
        values = {
            f"inputs.{name}": str(inputs.get(name, one.get("default", ""))) for name, one in declared.items()
        }
        files = {
            name: self.place.parent / name for name in ("GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
        }
        for file in files.values():
            file.touch()
        known = {name: str(file) for name, file in files.items()}
        known |= {"GITHUB_ACTION_PATH": str(ROOT), "RUNNER_TEMP": str(self.place.parent)} | self.values
        for step in action_steps():
            if step.get("name") == INSTALL and self.path:
                continue
            if "run" in step and (not self.failed or step.get("if") == "always()"):
                given = {name: resolved(text, values) for name, text in step.get("env", {}).items()}
                shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
                self.run(step.get("name", ""), step["run"], known | given, shell)
                self.path = files["GITHUB_PATH"].read_text().split()
        self.summary = files["GITHUB_STEP_SUMMARY"].read_text()
        self.output = files["GITHUB_OUTPUT"].read_text()

    summary: str = ""
    output: str = ""


def resolved(text: str, values: dict[str, str]) -> str:
    """A text with the values of its expressions; one that is not known here is a KeyError."""
    return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda found: values[found[1]], text)


@pytest.fixture
def job(tmp_path: Path) -> Runner:
    (tmp_path / "job").mkdir()
    return Runner(tmp_path / "job", {"QMAIL_PPA": "", "QMAIL_RELEASE": "20.04"})


GATE = {"against": "reference-stock", "options": "--patch 0006 -k 'code or known'"}


def test_the_action_gates_a_good_build_and_then_one_that_lost_a_patch(job: Runner) -> None:
    job.action({"target": "reference-ppa", **GATE})
    assert job.failed == [], job.said
    assert "status=0" in job.output
    assert "# qmail conformance" in job.summary
    kept = {path.name for path in (job.place / "reports/gate").iterdir()}
    assert {"reference-ppa.jsonl", "site", "page.md", "junit.xml"} <= kept
    assert "::error" not in job.said
    # The same job, with a build that claims a patch and lacks it.
    job.said = ""
    job.action({"target": "reference-ppa~0006.dropped", **GATE, "out": "reports/bad"})
    assert job.failed == ["Ask the gate"]
    assert "status=1" in job.output
    found = [line for line in job.said.splitlines() if line.startswith("::error title=0006.unknown.code")]
    assert len(found) == 1, job.said
    assert "(0006%3A unknown commands are unrecognized (500))" in found[0]
    assert (job.place / "reports/bad/site/index.html").exists()
    # Beside the run of a release that lacked it, too, the gate passes, and nothing is told as an error.
    baseline = next((job.place / "reports/bad").glob("*dropped.jsonl"))
    job.failed, job.said = [], ""
    options = {**GATE, "options": f"{GATE['options']} --baseline {baseline}", "out": "reports/as-before"}
    job.action({"target": "reference-ppa~0006.dropped", **options})
    assert job.failed == [], job.said
    assert "::error" not in job.said
    assert "::notice title=0006.unknown.code" in job.said
    assert "## Against the baseline" in job.summary
    # And where no case could be run at all: the world failed, or somebody named what is not there.
    job.failed, job.said = [], ""
    job.action({"target": "debs:nothing", **GATE, "out": "reports/none"})
    assert job.failed == ["Ask the gate"]
    assert "No case was run" in job.summary
    assert "there is no such file or directory" in job.summary
    assert "::error title=qmail gate::no case was run" in job.said
    # Options that no shell reads are wrong use, and not left out.
    job.failed, job.said = [], ""
    job.action({"target": "reference-ppa", "options": "-k 'code", "out": "reports/odd"})
    assert job.failed == ["Ask the gate"]
    assert job.output.endswith("status=2\n")
    assert "options: xargs: unmatched single quote" in job.summary


def test_the_parts_of_several_jobs_are_merged_and_gated(job: Runner) -> None:
    parts = {"target": "reference-ppa~0006.dropped", "against": "reference-stock", "options": "--patch 0006"}
    for number in ("1", "2"):
        job.action({**parts, "shard": f"{number}/2", "out": f"parts/qmail-conformance-{number}/gate"})
    assert job.failed == [], "what is unexpected is told by the whole alone"
    (job.place / ".qmail-conformance").symlink_to(ROOT)
    whole = loaded(CI / "github-actions.yml")["jobs"]["whole"]
    (merging,) = [step["run"] for step in whole["steps"] if "run" in step]
    summary = job.place.parent / "GITHUB_STEP_SUMMARY"
    given = {"RUNNER_TEMP": str(job.place.parent), "GITHUB_STEP_SUMMARY": str(summary)}
    job.run("whole", merging, given, ["bash", "-eo", "pipefail"])
    assert job.failed == ["whole"], job.said
    assert "15 verdicts" in job.said
    assert "0006.unknown.code" in (job.place / "reports/whole/summary.md").read_text()


def test_the_job_of_gitlab_gates_the_reference(job: Runner) -> None:
    template = loaded(CI / "gitlab-ci.yml")
    subprocess.run([sys.executable, "-m", "venv", job.place.parent / "python"], check=True, timeout=_LIMIT)
    job.path = [str(job.place.parent / "python/bin")]
    values = {
        **{name: str(value) for name, value in template["variables"].items()},
        "QMAIL_CONFORMANCE": str(ROOT),
        "QMAIL_AGAINST": "reference-stock",
        "QMAIL_OPTIONS": GATE["options"],
    }
    shell = ["bash", "-eo", "pipefail"]
    for target, failed in (("reference-ppa", []), ("reference-ppa~0006.dropped", ["script"])):
        shutil.rmtree(job.place / "reports", ignore_errors=True)
        job.failed = []
        for section in _SECTIONS:
            job.run(section, "\n".join(template["gate"][section]), {**values, "QMAIL_TARGET": target}, shell)
        assert job.failed == failed, job.said
        for kept in ("gate.log", "gate/site/index.html", "gate/page.md", "gate/junit.xml"):
            assert (job.place / "reports" / kept).exists(), kept
    # In parts a job decides nothing; the one that merges them does.
    shutil.rmtree(job.place / "reports")
    job.failed = []
    for node in ("1", "2"):
        of_part = {"SHARD": f"{node}/2", "CI_NODE_INDEX": node, "QMAIL_TARGET": target}
        of_part |= {"QMAIL_OPTIONS": "--patch 0006"}
        for section in ("script", "after_script"):
            job.run(section, "\n".join(template["gate"][section]), {**values, **of_part}, shell)
    assert job.failed == [], job.said
    job.run("whole", "\n".join(template["whole"]["script"]), values, shell)
    assert job.failed == ["whole"], job.said
    assert (job.place / "reports/whole/junit.xml").exists()
    job.failed = []
    # What a project file says of --against counts; options that no shell reads are no options.
    (job.place / "qmail-conformance.toml").write_text('[defaults]\nagainst = "reference@0004"\n')
    gate = "\n".join(template["gate"]["script"])
    chosen = {**values, "QMAIL_TARGET": "reference-ppa", "QMAIL_AGAINST": ""}
    shutil.rmtree(job.place / "reports")
    job.run("with a project", gate, chosen, shell)
    assert (job.place / "reports/gate/reference-0004.jsonl").exists(), job.said
    job.run("odd", gate, {**chosen, "QMAIL_OPTIONS": "-k 'code"}, shell)
    assert job.failed[-1:] == ["odd"]
    assert "unmatched single quote" in job.said
