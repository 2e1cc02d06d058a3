"""Measurements of vidseg; each prints a table and writes one JSON a machine to benchmarks/results."""
