"""JSON lines on a disk that fills up: a process of its own may write 100 bytes a file, a real partial write."""

import json
import subprocess
import sys
import textwrap

import pytest

from vidseg.record.files import JsonLines, read_frames, whole

SCRIPT = """
    import resource, sys
    from pathlib import Path
    from vidseg.record.files import JsonLines
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


def test_a_file_that_does_not_fit_leaves_no_part(tmp_path):
    with pytest.raises(OSError, match="full"), whole(tmp_path / "a.png") as part:
        part.write_text("half of")
        raise OSError("full")
    assert list(tmp_path.iterdir()) == []


LOG = """
    import logging, resource, sys
    from vidseg.console import LogFile
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    logging.basicConfig(handlers=[logging.StreamHandler(), handler := LogFile(sys.argv[1])], level="INFO")
    for number in range(10):
        logging.info("message %d %s", number, "x" * 20)
    handler.close()
"""


def test_a_log_that_does_not_fit_is_said_once(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(LOG), str(tmp_path / "a.log")]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stderr
    assert said.count("message") == 10
    assert said.count(f"{tmp_path / 'a.log'} can't be written: [Errno 27] File too large") == 1
    assert len(said.splitlines()) == 11


def test_frames_are_read_as_they_were_written_up_to_an_incomplete_line(tmp_path, caplog):
    assert list(read_frames(tmp_path)) == []
    lines = JsonLines(tmp_path / "frames.jsonl")
    written = [{"frame": index, "time_s": index / 4, "metric/j_1": 0.5} for index in range(3)]
    for line in written:
        lines.write(line)
    lines.close()
    assert list(read_frames(tmp_path)) == written
    path = tmp_path / "frames.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    assert list(read_frames(tmp_path)) == written[:2]
    assert "frames.jsonl: line 3 is incomplete" in caplog.text
