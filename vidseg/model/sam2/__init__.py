"""SAM 2 over a video in constant memory: the method of the package sam2 (Ravi et al., 2024) and nothing else.

Read ``segmenter`` first, then ``stages`` (what happens to a frame), ``one_pass`` (prompts, steps, masks) and ``bank``
(what is remembered, and when it is forgotten). docs/engine.md says, with sam2's lines, why the masks are upstream's.
"""
