"""Say, with evidence, what each patch in a patched qmail package really changes."""

__version__ = "0.1.0"
