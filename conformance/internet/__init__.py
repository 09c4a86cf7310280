"""The closed world around a target: DNS server, mail exchangers, clients. Nothing in it reaches a real host.

`nameserver` and `exchanger` are the pure cores (octets in, octets and acts out), `servers` puts them on
sockets, and `agent` is the program of the internet container that a host drives through framed JSON.
"""
