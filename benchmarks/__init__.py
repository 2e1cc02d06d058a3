"""Measurements of vidseg; each prints a table and writes one JSON a machine to benchmarks/results."""

import os

os.environ.setdefault("TQDM_DISABLE", "1")  # sam2's progress bars
