"""Scores of masks, frame by frame and over the run."""
