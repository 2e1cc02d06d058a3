"""Sweeps: many runs from one command, which jobs are skipped, and the record and the table at the end.

Hydra's launcher runs the jobs, perhaps in other processes or on other machines. So everything that is known of a job
here comes from its folder. torch is never loaded.
"""
