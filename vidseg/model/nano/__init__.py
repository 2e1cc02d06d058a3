"""vidseg's own small SAM 2, and everything that only a small model needs. docs/nano.md says what it gains by what.

``predictor`` subclasses the engine's predictor, ``windows`` is what it looks at; the rest is what they are made of.
"""
