"""Scenarios: a text file says what is done to qmail and what must be seen; it is tried, shrunk and kept."""
