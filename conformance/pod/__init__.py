"""The seam between cases and targets: what is put around qmail, what is done to it, what was seen.

Everything that crosses the seam is plain data that survives JSON, so that a case can be judged again
from its record. Octets cross it as text with one character per octet (Latin-1): see `text`, `octets`.
"""
