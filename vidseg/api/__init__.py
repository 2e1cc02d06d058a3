"""The functions of the public API: ``run``, ``segment`` and ``show``. ``import vidseg`` is all that a user needs."""
