"""Serving against its peers and against no server at all: ``python -m benchmarks.serving --json``."""
