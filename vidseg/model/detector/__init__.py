"""Detectors: what is in a picture, without being told where. Each is a class with ``detect``: vidseg.types.Detector.

A file in conf/detector/ names the class in ``_target_``; its other keys are the constructor's parameters. By convention
one of them is ``confidence``, the lowest score that counts. A detector of any phrase (``classes`` is None) has another,
``text``: the phrases to look for, a list; ``prompt=text`` and ``prompt=detect`` pass it. A constructor's InputErrors
begin with the parameter's name: ``vidseg.contract.build_within`` puts the detector's key (``prompt.detector.``) before.
"""
