"""Throughput: interleaved rounds of load on real targets, judged with intervals and a control."""
