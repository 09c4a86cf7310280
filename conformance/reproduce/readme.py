"""The README of a reproduction, and the same on a terminal: what is promised and seen, how to see it."""

from collections.abc import Iterable, Iterator

from conformance.harmless import printable
from conformance.judge.verdict import Verdict
from conformance.pod.ordinary import HOST
from conformance.report.decisive import deciding
from conformance.report.markdown import escape
from conformance.report.sentences import sentence
from conformance.report.story import events_of, shortened
from conformance.report.words import is_specification, one_line, repeat_command, stands_on
from conformance.reproduce.scene import Scene
from conformance.reproduce.zonefiles import fault_words
from conformance.targets.docker.confinement import command_options
from conformance.targets.docker.scripts import HOME, quoted
from conformance.targets.target import Target

_LINE = 160  #: characters of one line of the story; the sessions are whole in files of their own


def heading(scene: Scene) -> list[str]:
    """The promise, its citation, the target and the verdict, a line each."""
    verdict, target = scene.verdict, scene.target
    packages = _packages(target)
    on = f"on {stands_on(target)}; " if stands_on(target) else ""
    lines = [
        f"{verdict.requirement} on {target.label}: {verdict.verdict}",
        f"promise:  {verdict.promise}",
        f"citation: {verdict.source}",
        f"target:   {packages or 'no package is named'}; {on}"
        + (f"claims {', '.join(target.patches)}" if target.patches else "claims no patch"),
        f"expected: {verdict.expected}" + _known(verdict),
    ]
    if verdict.seen:
        lines += [f"came:     {sentence(verdict)}", f"seen:     {verdict.seen}"]
    if is_specification(target):
        lines.append("note:     this is an executable specification, not qmail")
    return [one_line(line) for line in lines]


def _known(verdict: Verdict) -> str:
    """The deviation that made the expectation, in brackets."""
    if verdict.deviation is None:
        return ""
    otherwise = ", and it describes something else" if verdict.unlike_described else ""
    return f" (deviation known: {verdict.deviation['reason']}{otherwise})"


def _packages(target: Target) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(target.packages.items()))


def story_lines(scene: Scene, most: int = 400) -> Iterator[str]:
    """The story, one line an event, harmless to show; the one that decides says so."""
    events = events_of(scene.verdict.record)
    decides = deciding(scene.verdict, events)
    for event in shortened(events, most):
        who = f"{event.speaker} > {event.listener}"
        text = printable(event.text)
        text = text if len(text) <= _LINE else f"{text[:_LINE]} … ({len(event.text)} characters)"
        note = f"  ({event.note})" if event.note else ""
        note += "  <-- this decides" if event is decides else ""
        yield printable(f"{event.at:9.4f}  {event.channel:<16} {who:<18} {text}{note}")


def readme(scene: Scene, files: Iterable[str]) -> str:
    """README.md; `files` are the names of all other files of the directory."""
    names = set(files)
    blocks = [
        f"# {escape(scene.verdict.requirement)} on {escape(scene.target.label)}: {scene.verdict.verdict}",
        *_what(scene),
        *_run(scene, names),
        *_by_hand(scene, names),
        *_dns(scene),
        *_contents(scene, names),
        "## The story\n\nSeconds since the case began.\n\n" + _fenced(story_lines(scene, 150)),
    ]
    return "\n\n".join(blocks) + "\n"


def _what(scene: Scene) -> list[str]:
    verdict = scene.verdict
    seen = escape(sentence(verdict)) if verdict.seen else "what is promised; the story below shows it"
    kept = "kept" if verdict.verdict == "met" else "not kept"
    expected = "as expected of it" if verdict.as_expected else f"though {verdict.expected} was expected of it"
    if verdict.unlike_described:
        expected = "as expected of it, but not in the way that is known"
    blocks = [
        f"**What is promised:** {escape(verdict.promise)}",
        f"**By whom:** {escape(verdict.source)}",
        f"**What was seen:** {verdict.verdict}, {expected}: {seen.rstrip('.')}.",
        "**What you should see:** replies, reports and questions as in `expected.txt`, and the word `shown`: "
        f"the promise is {kept}, as it was when this was recorded. Another build may show `not shown`.",
    ]
    if verdict.deviation is not None:
        otherwise = ", but this is not what it describes" if verdict.unlike_described else ""
        blocks.append(f"**A known deviation{otherwise}:** {escape(verdict.deviation['reason'])}")
    claims = ", ".join(scene.target.patches) or "no patch"
    what = escape(_packages(scene.target)) or "no package"
    what += f" on {escape(stands_on(scene.target))}" if stands_on(scene.target) else ""
    blocks.append(f"**Recorded on:** {escape(scene.target.label)} ({what}), claims {claims}.")
    check = scene.configuration.password_check
    if check is not None and check.fate == "missing":
        blocks.append(
            "**Chance:** there is no checkprogram here, and qmail answers 454 or 535, as one of two of its "
            "processes is first. The other code than the recorded one is `not shown`, and as good a refusal."
        )
    if is_specification(scene.target):
        blocks.append("> The record is from an executable specification, not from qmail.")
    return blocks


def _run(scene: Scene, names: set[str]) -> list[str]:
    scenario = SCENARIO if SCENARIO in names else ""
    image = (
        "It needs `QMAIL_IMAGE`, an image that holds a real qmail and `tcpserver`: a specification has none."
        if scene.target.specification
        else "It needs `QMAIL_IMAGE`, an image of the tree: `tar -C DIRECTORY -c . | docker import - NAME`."
        if scene.target.kind == "root"
        else "It builds an image with this qmail once (see `image/`); `QMAIL_BASE` names another base."
    )
    return [
        "## How to run it",
        "    sh reproduce.sh",
        f"Docker is all it needs. {image} To try another build, name an image that holds it:",
        "    QMAIL_IMAGE=image-of-the-other-build sh reproduce.sh",
        "Exit status: 0 shown, 1 not shown, 3 the world failed, so nothing is said about qmail. The "
        "container has no network but its own loopback: no question and no mail leaves it. What is not shown "
        "is tried again, twice at most, since some of what qmail does is chance.",
        "With the suite at hand, this runs the case:",
        f"    {repeat_command(scene.target, scene.verdict.requirement, scenario)}",
    ]


def _by_hand(scene: Scene, names: set[str]) -> list[str]:
    """The same with plain tools, in a container that a person looks around in."""
    lines = [
        f"tar -cf - --exclude ./image . | docker run -i --name look --network none --hostname {HOST} "
        f"{' '.join(command_options())} "
        '--entrypoint /bin/sh "$QMAIL_IMAGE" -c '
        "'mkdir /reproduction && tar -xf - -C /reproduction && sh /reproduction/inside.sh; sleep 3600' &",
        "docker exec -it look bash",
    ]
    inside = []
    asked = dict.fromkeys((question.name, question.type, question.over) for question in scene.seen.questions)
    for name, type, over in list(asked)[:4]:
        flags = "+tcp" if over == "tcp" else "+notcp +ignore"
        inside.append(f"dig @127.0.0.1 +noedns {flags} {quoted(printable(name))} {type}")
    for number in list(scene.connections())[:4]:
        octets = f"sessions/smtpd-{number}.octets"
        source = (
            f"cat /reproduction/{octets}"
            if octets in names
            else f"sed -n 's/^> \\(.*\\)/\\1\\r/p' /reproduction/sessions/smtpd-{number}.txt"
        )
        inside.append(f"{source} | nc 127.0.0.1 25    # at once; type the lines to wait for each reply")
    for number, delivery in enumerate(scene.deliveries()):
        words = " ".join(quoted(printable(word)) for word in delivery.arguments)
        message = f"/reproduction/messages/remote-{number}"
        inside.append(f"{HOME}/bin/qmail-remote {words} < {message} | tr '\\0' '\\n'")
    blocks = [
        "## By hand",
        "In a container that stays (`docker rm -f look` ends it), whose servers run on after the first play; "
        "`QMAIL_IMAGE` is the image that `reproduce.sh` says it runs:",
        _fenced(lines),
        "and in it, as far as the image has these tools:",
        _fenced(inside or ["cat /reproduction/out/seen.txt"]),
    ]
    if "secrets.env" in names:
        blocks.append(
            "The passwords are made up. They stand in `secrets.env` alone; in every other file a word such "
            "as `<password of alice>` stands for them, to be filled in by hand: `reproduce.sh` does so. "
            "AUTH PLAIN is played without an authorization identity, which the record does not tell."
        )
    if any(exchanger.silent for exchanger in scene.world.exchangers):
        blocks.append("An exchanger here answers no attempt to connect, as behind a filter that drops them.")
    return blocks


def _dns(scene: Scene) -> list[str]:
    world = scene.world
    if not world.zones:
        return []
    lines = [f"- {escape(fault_words(fault))}." for fault in world.faults]
    if world.tcp == "refuse":
        lines.append("- Port 53 over TCP is closed.")
    if world.latency:
        lines.append(f"- Every answer comes {world.latency:g} s late.")
    blocks = [
        "## The DNS",
        "`zones/` holds the zones as `named` or `nsd` load them, fillers written out (a set of 65,535 octets "
        "is more than `named` takes). `answers.txt` holds the answers octet by octet; `dns.pl` replays them.",
    ]
    if lines:
        blocks += ["What the zone files alone do not show, and `dns.pl` does:", "\n".join(lines)]
    return blocks


#: The scenario that was played, where it was one.
SCENARIO = "scenario.toml"

CONTENTS = {
    "reproduce.sh": "runs it",
    SCENARIO: "the scenario that was played, as `qmail-conformance try` takes it",
    "expected.txt": "the normalized lines as recorded",
    "traffic.pcap": "DNS and SMTP for Wireshark, drawn from the record and not captured: ids, clients' "
    "ports, sequence numbers and acknowledgements are invented; octets and times (since the case began) "
    "are the record's",
    "control/": "qmail's control files",
    "env": "what qmail-smtpd finds in its environment beside tcpserver's variables",
    "smtpd.sh": "what tcpserver runs for each session",
    "resolv.conf": "the resolver's configuration",
    "programs/": "the programs that RCPTCHECK or the command line of qmail-smtpd name",
    "users/": "dot-qmail files, and qmail's table of users",
    "zones/": "the zones as text",
    "answers.txt": "what the DNS server answers, octet by octet",
    "dns.pl": "the DNS server (Perl, perl-base alone)",
    "exchangers.txt": "the remote hosts and what they say",
    "exchanger.pl": "plays them",
    "sessions/": "each session as recorded (`> ` the client, `< ` the server, `! ` an event); `.octets` is "
    "what the client sent where it is no plain text",
    "messages/": "what qmail-remote read on its standard input",
    "steps.txt": "what `play.pl` does against qmail, in order",
    "play.pl": "plays them and notes what is seen",
    "common.pl": "what the programs in Perl share",
    "modes": "permissions in homes that differ from the ordinary ones",
    "timeouts": "hosts that qmail-remote remembers: address, time-outs, seconds since the last",
    "aliases.cdb": "fastforward's table of aliases, which qmail-verify is told of",
    "remote-program": "what stands in the place of qmail-remote",
    "services": "what of qmail runs beside qmail-smtpd",
    "inside.sh": "sets everything up in the container",
    "secrets.env": "made-up passwords, and nowhere else",
    "image/": "what the image is built from",
}


def _contents(scene: Scene, names: set[str]) -> list[str]:
    rows = [
        f"- `{name}`: {what}"
        for name, what in CONTENTS.items()
        if name in names or any(other.startswith(name) for other in names if name.endswith("/"))
    ]
    return ["## What is in this directory", "\n".join(rows)]


def _fenced(lines: Iterable[str]) -> str:
    text = "\n".join(lines)
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{text}\n{fence}"
