"""Pods of a qmail that stands in a directory, `/` among them: namespaces of their own, and no engine."""
