"""What can be seen of the reference's packages once a step was taken with them."""

from conformance.pod.installation import Installation, PackageStep
from conformance.pod.observation import FileSeen
from conformance.reference.installation import Packages


def installed(packages: Packages, step: PackageStep, control: dict[str, str]) -> Installation:
    """What `packages` are after `step`, with these control files left."""
    programs = [FileSeen(f"bin/qmail-{name}", *ls.split()) for name, ls in packages.programs(step).items()]
    queue = [] if step in ("remove", "purge") else [packages.queue_owner(step)]
    said = packages.said_of(step)
    return Installation(
        status=packages.status(step),
        ended=packages.ends(step),
        packages={"qmail": f"1.06 {said}"} if said else {},
        control=dict(control),
        files=programs + [FileSeen("queue/mess", "0750", owner, "qmail") for owner in queue],
        users=packages.users(step),
        sender="none" if not packages.runs(step) else "new" if packages.restarts(step) else "old",
    )
