"""What a target stands on, as its own files say: packages of qmail, and the system."""

import re

#: Programs of qmail that talk, deliver and queue.
PROGRAMS = (
    *("qmail-smtpd", "qmail-remote", "qmail-send", "qmail-local", "qmail-lspawn", "qmail-rspawn"),
    *("qmail-queue", "qmail-verify"),
)


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
