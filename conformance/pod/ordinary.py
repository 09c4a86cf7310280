"""What every pod is unless a case says otherwise: the host's name, its domain, its control files."""

#: The domain that qmail takes mail for; `fixtures/dns-zones/` has its zone.
DOMAIN = "here.example"

#: The host name of the target.
HOST = f"mx.{DOMAIN}"

#: The control files that say who the host is.
IDENTITY = {
    "me": f"{HOST}\n",
    "rcpthosts": f"{DOMAIN}\n",
    "locals": f"{DOMAIN}\n",
    "defaultdomain": f"{DOMAIN}\n",
    "plusdomain": f"{DOMAIN}\n",
}

#: Those of an ordinary host, with low limits so that what hangs is seen soon.
CONTROL = IDENTITY | {"timeoutsmtpd": "30\n", "timeoutremote": "5\n", "timeoutconnect": "3\n"}

#: The option line of resolv.conf: the resolver gives up after two seconds.
RESOLVER = "timeout:1 attempts:2"
