"""Judging: what was expected, what it came to, and runs laid side by side. Reads records, starts nothing."""
