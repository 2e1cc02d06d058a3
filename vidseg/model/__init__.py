"""Segmenters: SAM 2 (``sam2``, made faster by ``fast``), vidseg's own small SAM 2 (``nano``), and replay of a run."""
