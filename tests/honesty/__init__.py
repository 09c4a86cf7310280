"""Every safeguard, triggered on purpose: `tox run -e honesty`.

For each: the verdict, the message, the exit status, and that all other verdicts stand.
"""
