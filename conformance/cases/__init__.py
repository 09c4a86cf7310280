"""The cases: each decides one requirement. The promise stands above the proof."""
