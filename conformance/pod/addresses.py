"""Where the programs of a pod listen, all on loopback; a test holds `agent.pl` against these."""

Address = tuple[str, int]

DNS: Address = ("127.0.0.1", 53)
SMTPD: Address = ("127.0.0.1", 25)

#: The target's agent, and (for measurements) a qmail-remote for each connection.
TARGET_AGENT: Address = ("127.0.0.1", 7025)
REMOTES: Address = ("127.0.0.1", 7026)


def exchanger(number: int = 0) -> Address:
    """Where the mail exchanger of this number listens unless a case says otherwise; numbers begin with 0."""
    return f"127.0.0.{2 + number}", 25
