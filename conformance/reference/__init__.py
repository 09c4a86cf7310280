"""The executable specification of what a client and a remote host can see of qmail, stock and per patch.

Engines are generators that yield acts (`acts.py`) and are sent their results: no socket, no clock and no
randomness of their own. The modules here run on Python 3.8 and import the standard library only, for they
are also shipped as a package.
"""
