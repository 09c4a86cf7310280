"""What a target stands on, as its own files say: packages of qmail, and the system."""

import hashlib
import re
from collections.abc import Mapping

#: Programs of qmail that talk, deliver and queue.
PROGRAMS = (
    *("qmail-smtpd", "qmail-remote", "qmail-send", "qmail-local", "qmail-lspawn", "qmail-rspawn"),
    *("qmail-queue", "qmail-verify"),
)


def build_of(programs: Mapping[str, bytes]) -> str:
    """A digest of qmail's programs (name -> content), by which two builds of one version are told apart."""
    digest = hashlib.sha256()
    for name, content in sorted(programs.items()):
        digest.update(f"{name} {hashlib.sha256(content).hexdigest()}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def read_packages(status: str) -> dict[str, str]:
    """Package -> version, of what a dpkg status file says is installed: qmail*, netqmail*, ucspi-tcp."""
    found = {}
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Status|Version): (.*)$", paragraph, re.MULTILINE))
        name = fields.get("Package", "")
        if fields.get("Status", "").endswith(" installed") and (
            name.startswith(("qmail", "netqmail", "notqmail")) or name == "ucspi-tcp"
        ):
            found[name] = fields.get("Version", "")
    return dict(sorted(found.items()))


def read_system(release: str) -> str:
    """`Ubuntu 18.04.6 LTS`, of an os-release file (os-release(5)); "" where it does not say."""
    found = re.search(r'^PRETTY_NAME="?([^"\n]*)', release, re.MULTILINE)
    return found[1].strip() if found else ""
