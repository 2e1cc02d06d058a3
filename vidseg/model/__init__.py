"""Segmenters: SAM-2, the classical baseline, and the replay of an earlier run."""
