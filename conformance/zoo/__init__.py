"""The zoo of flaws: every case against every flaw of the reference, and the bars that both must clear.

A case that no flaw turns red is no case; a flaw that no case catches is a missing case.
"""
