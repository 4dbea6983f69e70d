"""Benchmarks: one command each, peers and ours in one run, ratios rather than absolute times.

The last line that a benchmark prints is one JSON object. Nothing here is imported by the rooms.
"""
