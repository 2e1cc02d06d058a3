"""JSON lines on a disk that fills up: a process of its own may write 100 bytes a file, a real partial write."""

import json
import subprocess
import sys
import textwrap

from vidseg.record.jsonl import JsonLines

SCRIPT = """
    import resource, sys
    from pathlib import Path
    from vidseg.record.jsonl import JsonLines
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    lines = JsonLines(Path(sys.argv[1]))
    try:
        for number in range(int(sys.argv[2]), 10):
            lines.write({"number": number, "text": "x" * 10 * number})
    except OSError as error:
        print(error.errno)
    lines.close()
"""


def written(path, first):
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(path), str(first)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_each_line_is_there_when_it_is_written(tmp_path):
    lines = JsonLines(tmp_path / "a.jsonl")
    lines.write({"frame": 0})
    assert (tmp_path / "a.jsonl").read_text() == '{"frame": 0}\n'
    lines.write({"frame": 1})
    lines.close()
    assert [json.loads(line)["frame"] for line in (tmp_path / "a.jsonl").read_text().splitlines()] == [0, 1]


def test_a_line_that_does_not_fit_is_cut_off_again(tmp_path):
    assert written(tmp_path / "a.jsonl", 0) == "27\n"  # EFBIG
    assert [json.loads(line)["number"] for line in (tmp_path / "a.jsonl").read_text().splitlines()] == [0, 1]


def test_a_file_without_a_whole_line_is_removed(tmp_path):
    assert written(tmp_path / "a.jsonl", 9) == "27\n"
    assert not (tmp_path / "a.jsonl").exists()
