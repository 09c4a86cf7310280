"""Which patch did it? Builds that carry different patches, and what their verdicts say about each patch."""
