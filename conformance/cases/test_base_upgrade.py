"""Base qmail: in use it is upgraded, removed and purged, and no mail and no configuration is lost.

All cases see the same upgrade (`upgrading.py`), which is done once.
"""

from conformance.cases.internet import Internet
from conformance.cases.qmail import Qmail
from conformance.cases.upgrading import (
    AFTER,
    ALIASED,
    EDITED,
    FAILS,
    LOCAL,
    NEVER,
    REMOVED,
    STORED,
    WAITS,
    delivered,
    mark_of,
    queued,
    rested,
    upgrade,
)
from conformance.catalogue import requirement
from conformance.pod.installation import Installation

SHARED = "upgrade"
SCRIPTS = "debian-policy:6.1"
LOCAL_CHANGES = "debian-policy:10.7.3"
PURGE = "debian-policy:6.8, debian-policy:10.7.3"
QUEUE = "qmail-send(8), qmail-queue(8)"
OWNERS = "debian-policy:10.9; package source, INTERNALS: qmailq"
TRIGGER = "package source, INTERNALS: trigger"


def _said(seen: Installation) -> str:
    """How dpkg ended, and the last lines that it wrote, for people."""
    end = seen.said[-500:]
    whole = end.partition("\n")[2] if len(seen.said) > len(end) else end
    return f"status {seen.status}: {whole}" if seen.ended else whole


@requirement("base.upgrade.unattended", shares=SHARED, source="debian-policy:6.3")
async def test_no_question(internet: Internet, qmail: Qmail) -> None:
    """The packages are upgraded, removed and purged without a terminal, and come to an end."""
    seen = await upgrade(internet, qmail)
    for step in (seen.after, seen.removed, seen.purged):
        assert step.ended, f"dpkg does not end: {_said(step)}"


@requirement("base.upgrade.configured", shares=SHARED, source=SCRIPTS)
async def test_configured(internet: Internet, qmail: Qmail) -> None:
    """After an upgrade every package of the build is installed and configured."""
    seen = (await upgrade(internet, qmail)).after
    assert seen.packages, _said(seen)
    wrong = [f"{name} {said}" for name, said in seen.packages.items() if not said.endswith(" ok installed")]
    assert not wrong, f"dpkg leaves {', '.join(wrong)}: {_said(seen)}"
    assert seen.status == 0, f"dpkg ends with {_said(seen)}"


@requirement("base.upgrade.control.edited", shares=SHARED, source=LOCAL_CHANGES)
async def test_edited_control_files(internet: Internet, qmail: Qmail) -> None:
    """Control files that the administrator has written stay as they are in an upgrade."""
    seen = await upgrade(internet, qmail)
    before = seen.before.control
    assert EDITED.items() <= before.items()
    other = {name: seen.after.control.get(name, "gone") for name in before}
    changed = {name: text for name, text in other.items() if text != before[name]}
    assert not changed, f"control files changed: {changed}"


@requirement("base.upgrade.control.removed", shares=SHARED, source=LOCAL_CHANGES)
async def test_removed_control_files(internet: Internet, qmail: Qmail) -> None:
    """A control file that the administrator has removed does not come back in an upgrade."""
    seen = await upgrade(internet, qmail)
    assert REMOVED not in seen.before.control
    made = sorted(seen.after.control.keys() - seen.before.control.keys())
    assert not made, f"control files came back: {made}"


@requirement("base.upgrade.queue.kept", shares=SHARED, source=QUEUE)
async def test_the_queue_is_kept(internet: Internet, qmail: Qmail) -> None:
    """What waits in the queue, bounces too, is there after an upgrade, once and unchanged, or delivered."""
    seen = await upgrade(internet, qmail)
    full, kept = seen.full.queue, seen.kept.queue
    gone = [mark_of(message) for message in full if kept.count(message) != 1]
    times = {mark: delivered(seen.kept, mark) for mark in gone}
    became = f"{queued(seen.full)} became {queued(seen.kept)}"
    missing = [mark for mark in gone if times[mark] == 0]
    assert missing == [], f"neither in the queue as before nor delivered: {missing}; {became}"
    assert max(times.values(), default=1) == 1, f"delivered more than once: {times}; {became}"
    strange = [mark_of(message) for message in kept if message not in full]
    assert strange == [], f"there is what was not there: {strange}; {became}"
    assert len(full) == 4, became


@requirement("base.upgrade.queue.local", shares=SHARED, source=QUEUE)
async def test_local_mail_is_delivered_once(internet: Internet, qmail: Qmail) -> None:
    """A message for a local user that waited during an upgrade is delivered after it, once."""
    seen = await upgrade(internet, qmail)
    times = delivered(seen.tried, LOCAL)
    assert times == 1, f"delivered {times} times; in the queue: {queued(seen.tried)}"


@requirement("base.upgrade.queue.remote", shares=SHARED, source=QUEUE)
async def test_remote_mail_is_delivered_once(internet: Internet, qmail: Qmail) -> None:
    """A message for a remote host that waited during an upgrade is accepted there after it, once."""
    seen = await upgrade(internet, qmail)
    times = delivered(seen.tried, WAITS)
    assert times == 1, f"accepted {times} times; in the queue: {queued(seen.tried)}"


@requirement("base.upgrade.queue.bounce", shares=SHARED, source=QUEUE)
async def test_a_bounce_is_delivered_once(internet: Internet, qmail: Qmail) -> None:
    """A bounce that waited during an upgrade reaches the host of the sender after it, once."""
    seen = await upgrade(internet, qmail)
    times = delivered(seen.tried, FAILS)
    assert times == 1, f"accepted {times} times; in the queue: {queued(seen.tried)}"


@requirement("base.upgrade.queue.owners", shares=SHARED, source=OWNERS)
async def test_owners_of_the_queue(internet: Internet, qmail: Qmail) -> None:
    """The directories and locks of the queue have the same owners and modes after an upgrade."""
    seen = await upgrade(internet, qmail)
    before, after = (
        [str(file) for file in step.files if file.path.startswith("queue/")]
        for step in (seen.before, seen.after)
    )
    assert before, "there is no queue"
    assert after == before, f"changed: {sorted(set(after) ^ set(before))}"


@requirement("base.upgrade.program.set-user-id", shares=SHARED, source=OWNERS + "; qmail-queue(8)")
async def test_qmail_queue_is_set_user_id(internet: Internet, qmail: Qmail) -> None:
    """Every program has the mode and the owner after an upgrade that it had: qmail-queue is set-user-id."""
    seen = await upgrade(internet, qmail)
    before, after = (
        {file.path: str(file) for file in step.files if file.path.startswith("bin/")}
        for step in (seen.before, seen.after)
    )
    changed = [after.get(path, f"{path} is gone") for path in before if after.get(path) != before[path]]
    assert not changed, f"changed: {changed}"
    assert before, "there are no programs"


@requirement("base.upgrade.users", shares=SHARED, source="debian-policy:9.2.2")
async def test_users(internet: Internet, qmail: Qmail) -> None:
    """qmail's accounts are there after an upgrade with the numbers that they had."""
    seen = await upgrade(internet, qmail)
    assert seen.before.users, "there were none before"
    assert seen.after.users == seen.before.users, f"{seen.before.users} became {seen.after.users}"


@requirement("base.upgrade.service.restarted", shares=SHARED, source="debian-policy:9.3.3")
async def test_qmail_send_is_restarted(internet: Internet, qmail: Qmail) -> None:
    """After an upgrade under a supervisor the qmail-send that runs is the one that is installed."""
    seen = await upgrade(internet, qmail)
    assert seen.before.sender == "new"
    assert seen.after.sender == "new", f"qmail-send that runs: {seen.after.sender}"


@requirement("base.upgrade.service.takes-mail", shares=SHARED, source=QUEUE + "; " + TRIGGER)
async def test_mail_after_the_upgrade(internet: Internet, qmail: Qmail) -> None:
    """A message that is handed in after an upgrade is delivered at once, and once."""
    seen = await upgrade(internet, qmail)
    times = delivered(seen.later, AFTER)
    assert times == 1, f"delivered {times} times; in the queue: {queued(seen.later)}"


@requirement("base.upgrade.service.unsupervised", waits=5, source=TRIGGER + "; debian-policy:6.5")
async def test_mail_after_an_unsupervised_upgrade(qmail: Qmail) -> None:
    """Where nobody restarts qmail-send, the one that runs through an upgrade is told of mail as before."""
    qmail.delivering = True
    await qmail.packages("begin")
    await qmail.packages("upgrade-unsupervised")
    await qmail.submit("a@b.example", ["carol@here.example"])
    seen = await rested(qmail, 5.0)
    said = f"{len(seen.mailboxes.get('carol', []))} messages in the Maildir, {len(seen.queue)} in the queue"
    assert len(seen.mailboxes.get("carol", [])) == 1, said


@requirement("base.upgrade.mail", shares=SHARED, source="debian-policy:11.6; maildir(5)")
async def test_maildirs(internet: Internet, qmail: Qmail) -> None:
    """Mail that was delivered, the alias user's too, stays where it is, whatever becomes of the packages."""
    seen = await upgrade(internet, qmail)
    for what, world in (("before", seen.full), ("upgrade", seen.kept), ("purge", seen.end)):
        times = delivered(world, STORED), delivered(world, ALIASED)
        assert times == (1, 1), f"{what}: in the Maildirs of carol and alias {times} times"


@requirement("base.upgrade.removal.control", shares=SHARED, source=LOCAL_CHANGES)
async def test_removal_keeps_control_files(internet: Internet, qmail: Qmail) -> None:
    """Control files stay when the packages are removed."""
    seen = await upgrade(internet, qmail)
    gone = sorted(seen.after.control.keys() - seen.removed.control.keys())
    assert not gone, f"control files are gone: {gone}"


@requirement("base.upgrade.removal.queue", shares=SHARED, source=QUEUE + "; debian-policy:6.8")
async def test_removal_keeps_the_queue(internet: Internet, qmail: Qmail) -> None:
    """Mail in the queue stays there when the packages are removed."""
    seen = await upgrade(internet, qmail)
    assert any(NEVER in message.octets for message in seen.later.queue), "it was not there before"
    assert queued(seen.left) == queued(seen.later), f"{queued(seen.later)} became {queued(seen.left)}"


@requirement("base.upgrade.removal.programs", shares=SHARED, source="debian-policy:6.8; dpkg(1)")
async def test_removal_takes_the_programs(internet: Internet, qmail: Qmail) -> None:
    """No program of qmail's is left when the packages are removed."""
    seen = (await upgrade(internet, qmail)).removed
    left = [file.path for file in seen.files if file.path.startswith("bin/")]
    assert (seen.status, left) == (0, []), f"{left} are left, {_said(seen)}"


@requirement("base.upgrade.purge.packages", shares=SHARED, source=SCRIPTS + "; dpkg(1)")
async def test_purge(internet: Internet, qmail: Qmail) -> None:
    """dpkg knows the packages no more when they are purged."""
    seen = (await upgrade(internet, qmail)).purged
    assert (seen.status, seen.packages) == (0, {}), f"{seen.packages}, {_said(seen)}"


@requirement("base.upgrade.purge.control", shares=SHARED, source=PURGE)
async def test_purge_takes_control_files(internet: Internet, qmail: Qmail) -> None:
    """No control file is left when the packages are purged."""
    left = (await upgrade(internet, qmail)).purged.control
    assert not left, f"control files are left: {sorted(left)}"
