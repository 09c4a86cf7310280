"""A requirement on one target as a directory that stands alone, drawn from a record."""
