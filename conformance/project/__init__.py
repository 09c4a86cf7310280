"""A project: a maintainer's own package, described in a file beside it (`qmail-conformance.toml`)."""
