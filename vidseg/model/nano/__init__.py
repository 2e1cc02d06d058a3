"""vidseg's own small SAM 2, and all that only a small model needs: ``predictor``, ``windows``; see docs/nano.md."""
