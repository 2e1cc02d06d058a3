"""What a run with a mistake leaves: one message, on the console and in summary.json, and no unfinished files."""

import json
from pathlib import Path

import pytest

import vidseg
from vidseg.job import JobFailed

CONF = Path(__file__).parent / "conf"


def failed_run(folder, *overrides):
    """Runs in this process with the overrides, one of which is a mistake; checks the record and returns the message."""
    common = [f"hydra.searchpath=[file://{CONF}]", f"hydra.run.dir={folder}", "tracker=none"]
    with pytest.raises(JobFailed) as raised:
        vidseg.run([*common, *overrides])
    message = str(raised.value)
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["status"], summary["error"]) == ("failed", message)
    assert "Traceback" in (folder / "vidseg.log").read_text()
    assert 1 <= len(message.splitlines()) <= 2
    assert not list(folder.glob("**/*.part"))
    return message
