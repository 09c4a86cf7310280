"""Has qmail run on a machine, runs the suite there, and says what there was before and after, as JSON."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

QMAIL = Path("/var/lib/qmail")
MESSAGE = b"Subject: waits\n\nfor a host that is not there\n"
ENVELOPE = b"Fme@machine.example\0Tyou@there.example\0\0"


def files():
    """Path -> what it is and holds, of all that qmail and the system's configuration have."""
    found = {}
    for top in (QMAIL, Path("/etc")):
        for directory, names, others in os.walk(top):
            for path in (Path(directory, name) for name in (*names, *others)):
                has = path.lstat()
                is_file = path.is_file() and not path.is_symlink()
                content = hashlib.sha256(path.read_bytes()).hexdigest() if is_file else ""
                found[str(path)] = [has.st_mode, has.st_uid, has.st_gid, has.st_mtime_ns, content]
    return found


def processes():
    """The programs that run here, by their numbers, but for this one; what has ended has no command."""
    numbers = [int(name) for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid()]
    commands = {number: Path(f"/proc/{number}/cmdline").read_bytes().decode() for number in sorted(numbers)}
    return {number: command for number, command in commands.items() if command}


def sockets():
    lines = [line for kind in ("tcp", "udp") for line in Path(f"/proc/net/{kind}").read_text().splitlines()]
    return sorted(line.split()[1] for line in lines if line.split()[3] == "0A")


def queued():
    return sorted(str(path) for path in (QMAIL / "queue/mess").rglob("*") if path.is_file())


def hand_in():
    message, envelope = os.pipe(), os.pipe()
    for (_, end), content in ((message, MESSAGE), (envelope, ENVELOPE)):
        os.write(end, content)
        os.close(end)
    actions = [(os.POSIX_SPAWN_DUP2, message[0], 0), (os.POSIX_SPAWN_DUP2, envelope[0], 1)]
    program = str(QMAIL / "bin/qmail-queue")
    number = os.posix_spawn(program, [program], os.environ, file_actions=actions)
    assert os.waitpid(number, 0)[1] == 0


os.environ["PATH"] = f"{QMAIL}/bin:/usr/bin:/bin"
ids = ["-u", "64011", "-g", "64020"]
options = ["-v", "-H", "-R", "-l0", "-b", "9", "-c", "9", *ids, "127.0.0.1", "25"]
words = ["tcpserver", *options, str(QMAIL / "bin/qmail-smtpd")]
listening = subprocess.Popen(words, stderr=subprocess.PIPE).stderr
listening.readline()  # its status, once it listens
sending = subprocess.Popen(["qmail-start", "./Maildir/"], stdout=subprocess.PIPE).stdout
hand_in()
next(line for line in sending if b": deferral: " in line)
seen = []
for command in ([], [sys.executable, "-m", "conformance", *sys.argv[1:]]):
    if command:
        ran = subprocess.run(command, capture_output=True, text=True)
    seen.append({"files": files(), "processes": processes(), "sockets": sockets(), "queued": queued()})
said = ran.stdout + ran.stderr
print(json.dumps({"before": seen[0], "after": seen[1], "status": ran.returncode, "said": said}))
