"""The seam between cases and targets: what is put around qmail, what is done to it, what was seen.

Everything that crosses it is dataclasses with one codec to JSON; octets are text, one character each.
"""
