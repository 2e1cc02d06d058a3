"""Mattes: alpha out of masks, frame by frame, and the objects' own colours at their edges.

Each is a class of conf/matte/. It has the keys of ``vidseg.matte.stage.Matting``, which does all that mattes have in
common. Knows nothing about models, outputs, files or codecs.
"""
