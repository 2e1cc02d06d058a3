"""The picker without its page: documents, the draft on the disk, what is saved, and the server's answers."""

import json
import shutil
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from omegaconf import OmegaConf
from picking import picker as served

import vidseg as public
from vidseg.errors import InputError
from vidseg.pick import document, runs
from vidseg.pick.draft import Draft, StaleError, folder_of
from vidseg.pick.opening import Where
from vidseg.pick.saving import ExistsError, Place, command
from vidseg.types import Prompt
from vidseg.video import open_source

CLICK = {"frame": 0, "object": 1, "points": [[20, 30]], "labels": [1]}
CONF = ROOT / "tests" / "conf"


def doc(*prompts, objects=(), **marks):
    return {**document.empty(), "prompts": list(prompts), "objects": list(objects), **marks}


@pytest.fixture
def source(clip):
    return open_source(clip)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests'}")  # of the runs that a picker starts
    return tmp_path


def test_runs_are_the_mask_row_by_row():
    mask_hw = np.array([[0, 1, 1], [1, 0, 0]], np.bool_)
    assert runs.encode(mask_hw) == [1, 3, 2]
    assert runs.encode(~mask_hw) == [0, 1, 3, 2]
    for each in (mask_hw, ~mask_hw, np.zeros((2, 3), np.bool_), np.ones((2, 3), np.bool_)):
        assert np.array_equal(runs.decode(runs.encode(each), 2, 3), each)
    for wrong in ([1, 3], [1, -3, 8], [1.0, 5], "6", None):
        with pytest.raises(InputError, match=r"runs: .*2"):
            runs.decode(wrong, 2, 3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (doc({**CLICK, "points": [[500, 30]]}), "points: .*outside the frame of 160x120"),
        (doc({**CLICK, "frame": 20}), "frame: 20 is beyond the last frame"),
        (doc({**CLICK, "box": [5, 5, 1, 1]}), r"prompts\[0\].box"),
        (doc({"frame": 0, "object": 1}), r"prompts\[0\]: it is empty"),
        (doc({**CLICK, "colour": 1}), r"prompts\[0\].colour: unknown key"),
        (doc(CLICK, CLICK), "object 1 has two entries on frame 0"),
        (doc(CLICK, objects=[{"id": 0}]), r"objects\[0\].id"),
        (doc(CLICK, objects=[{"id": 1, "until": "x"}]), r"objects\[0\].until"),
        (doc({**CLICK, "frame": 9}, objects=[{"id": 1, "until": 5}]), "until"),
        (doc({"frame": 0, "object": 1, "mask": "../../x"}), "mask: there is no"),
        (doc(CLICK, **{"in": 7, "out": 3}), "in: 7 is after the out mark, 3"),
        (doc(CLICK, **{"in": 20}), "in: 20 is not among the frames, 0 to 19"),
        ([], "document: .* is not a mapping"),
        ({"prompts": 1}, "prompts: 1 is not a list"),
    ],
)
def test_a_document_that_no_run_would_take(source, tmp_path, given, message):
    with pytest.raises(InputError, match=message):
        document.check(given, source, Draft(tmp_path).read_mask)


def test_a_draft_survives_and_undoes(tmp_path):
    draft = Draft(tmp_path)
    for number in range(3):
        draft.edit(draft.revision, doc({**CLICK, "frame": number}))
    draft.move(None, -1)
    again = Draft(tmp_path)
    assert (again.document, again.revision) == (doc({**CLICK, "frame": 1}), draft.revision)
    assert (again.can_undo, again.can_redo) == (True, True)
    again.move(None, 1)
    assert (again.document["prompts"][0]["frame"], again.can_redo) == (2, False)
    with pytest.raises(StaleError, match="another window"):
        again.edit(again.revision - 1, doc())
    (tmp_path / "draft.json").write_text("{")
    with pytest.raises(InputError, match=r"draft.json can't be read: .*; remove it to begin anew"):
        Draft(tmp_path)


def test_videos_of_one_name_have_drafts_of_their_own(here):
    assert len({folder_of("a/clip.mp4"), folder_of("b/clip.mp4"), folder_of("sample")}) == 3
    assert folder_of("a/clip.mp4") == folder_of(str(here / "a" / "clip.mp4"))


def saved(here, draft, source, **words):
    return Place(Path(), Path("conf")).save(
        draft, source, words.get("name"), words.get("group"), words.get("overwrite", False)
    )


def test_what_is_saved_is_what_a_run_reads(vidseg, here, source, clip):
    mask_hw = np.zeros((120, 160), np.bool_)
    mask_hw[40:80, 100:140] = True
    draft = Draft(here / "draft")
    entries = [CLICK, {**CLICK, "frame": 5, "points": [[30, 30], [1, 1]], "labels": [1, 0]}]
    entries += [{"frame": 2, "object": 2, "mask": draft.keep_mask(mask_hw)}]
    draft.edit(
        None,
        doc(*entries, objects=[{"id": 1, "name": "the square", "until": 9}, {"id": 2, "name": None, "until": None}]),
    )
    shutil.copytree(CONF, "conf")
    for words in ({"name": "prompts.yaml"}, {"group": "mine"}):
        path, told = saved(here, draft, source, **words)
        with pytest.raises(ExistsError, match=f"{path} exists already: overwrite it?"):
            saved(here, draft, source, **words)
        saved(here, draft, source, **words, overwrite=True)
        done = vidseg(*command([f"video={clip}", "prompt=click", "stride=2"], told), "model=square", "tracker=none",
                      "output=[]", f"hydra.run.dir=run_{path.stem}")  # fmt: skip
        assert done.returncode == 0, done.stderr
        summary = json.loads((here / f"run_{path.stem}" / "summary.json").read_text())
        assert (summary["objects"], summary["names"]) == ([1, 2], {"1": "the square"})


def test_marks_and_the_user_s_own_words_are_in_the_command(here, source):
    draft = Draft(here / "draft")
    draft.edit(
        None, doc({**CLICK, "frame": 5}, objects=[{"id": 1, "name": None, "until": None}], **{"in": 4, "out": 8})
    )
    _, told = saved(here, draft, source, name="p.yaml")
    own = ["model=large", "prompt=file", "prompt.path=old.yaml", "extract.start=2", "extract.step=2"]
    marks = ["extract.start=4", "extract.stop=9"]
    assert command(own, told) == ["model=large", "extract.step=2", "prompt=file", "prompt.path=p.yaml", *marks]
    draft.edit(None, doc(CLICK, objects=[{"id": 1, "name": None, "until": None}], **{"in": 4, "out": 8}))
    with pytest.raises(InputError, match="frame 0 has a prompt outside the in and out marks"):
        saved(here, draft, source, name="q.yaml")


@pytest.mark.parametrize("name", ["../p.yaml", "/tmp/p.yaml", "p.txt", ".p.yaml", "", None, "a/b.yaml", "conf"])
def test_no_file_outside_the_folder_is_written(here, source, name):
    draft = Draft(here / "draft")
    draft.edit(None, doc(CLICK))
    with pytest.raises(InputError, match="the name of a file in"):
        saved(here, draft, source, name=name)
    with pytest.raises(InputError, match="a name of letters"):
        saved(here, draft, source, group=f"{name}/..")


def test_a_choice_of_vidseg_s_own_is_not_replaced(here, source):
    draft = Draft(here / "draft")
    draft.edit(None, doc(CLICK))
    with pytest.raises(InputError, match="vidseg has a prompt of that name"):
        Place(Path(), ROOT / "conf").save(draft, source, None, "skater", True)


def test_beyond_this_machine_there_is_a_token():
    assert Where.of("127.0.0.1", None).token is None
    assert len(Where.of("0.0.0.0", 0).token) > 20
    for host, port in (("", 1), (3, 1), ("127.0.0.1", -1), ("127.0.0.1", "x")):
        with pytest.raises(InputError, match=r"host:|port:"):
            Where.of(host, port)
    taken = Where.of("127.0.0.1", 0).bind()
    with pytest.raises(InputError, match=r"port: .* in use"), taken:
        Where.of("127.0.0.1", taken.getsockname()[1]).bind()


@pytest.fixture
def picker(here, clip):
    picker = public.pick(clip, "square", config_dir=CONF, port=0, tracker="none")
    yield picker
    picker.close()


class Asking:
    """Questions to a picker, and to its frames."""

    def __init__(self, address):
        self.host = address.removeprefix("http://")

    def __call__(self, path, body=None, host=None, **headers):
        connection = HTTPConnection(self.host, timeout=60)
        sent = {"X-Vidseg": "1", **headers} | ({"Host": host} if host else {})
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("GET" if body is None else "POST", path, data, sent)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def json(self, path, body=None):
        status, content = self(path, body)
        lines = [json.loads(line) for line in content.splitlines()]
        assert status == 200, lines
        return lines[0] if len(lines) == 1 else lines


def test_a_picker_in_a_notebook(picker, here, clip):
    ask = Asking(picker.address)
    assert len(picker) == 0
    assert picker.address in picker._repr_html_()
    state = ask.json("/api/state")
    assert (state["video"]["width"], state["video"]["frames"], state["document"]) == (160, [*range(20)], doc())
    assert (state["model"], state["device"]) == ("square", "cpu")
    edited = ask.json("/api/document", {"revision": state["revision"], "document": doc(CLICK)})
    assert edited["document"]["objects"] == [{"id": 1, "name": None, "until": None, "color": "#1e90ff"}]
    assert [*picker] == [Prompt(0, 1, points_xy=[[20, 30]])]
    look = ask.json("/api/look", {"frame": 0, "hover": None})
    assert runs.decode(look["objects"][0]["runs"], 120, 160).sum() == 1600
    tracked = ask.json("/api/track", {"from": 2, "count": 3})
    assert [line["frame"] for line in tracked if "frame" in line] == [2, 3, 4]
    assert ask.json("/api/tracked/3")["current"] is True
    ask.json("/api/document", {"revision": edited["revision"], "document": doc({**CLICK, "points": [[21, 30]]})})
    assert ask.json("/api/tracked/3")["current"] is False
    assert ask("/api/frame/3")[1][:3] == b"\xff\xd8\xff"
    assert ask("/api/frame/3?lossless=1")[1][:4] == b"\x89PNG"
    with pytest.raises(InputError, match=r"another picker has .* open"):
        public.pick(clip, "square", config_dir=CONF, port=0)
    run = public.run([f"video={clip}", "model=square", "output=[]", "tracker=none"], picker, config_dir=CONF)
    assert run.summary["objects"] == [1]


def test_prompts_may_be_given_from_python(here, clip):
    entries = [{"frame": 3, "object": 2, "box": [10, 10, 60, 60], "name": "it's"}, {"object": 1, "points": [[20, 30]]}]
    picker = public.pick(clip, "square", config_dir=CONF, port=0, prompt="listed", **{"prompt.prompts": entries})
    try:
        assert [(prompt.object_id, prompt.name) for prompt in picker] == [(2, "it's"), (1, None)]
    finally:
        picker.close()


def test_a_new_version_of_the_page_shows(picker):
    connection = HTTPConnection(picker.address.removeprefix("http://"), timeout=60)
    for path in ("/", "/main.js"):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-cache")
    connection.close()


def test_malformed_questions_are_answered_and_the_server_lives_on(picker, clip, tmp_path):
    ask = Asking(picker.address)
    for path, body, status, text in (
        ("/api/document", b"{", 400, "no JSON"),
        ("/api/document", [], 400, "no JSON object"),
        ("/api/document", {"document": None}, 400, "not a mapping"),
        ("/api/masks", {"width": 1, "height": 1, "runs": [1]}, 400, "160 x 120"),
        ("/api/masks", {"width": 160, "height": 120, "runs": [160 * 120]}, 400, "empty"),
        ("/api/suggest", {"frame": "x"}, 400, "frame"),
        ("/api/save", {"as": "p.yaml"}, 400, "nothing to save"),
        ("/api/frame/99", None, 400, "frame: 99 is not among the frames, 0 to 19"),
        ("/api/tracked/1", None, 404, "isn't tracked"),
        ("/api/masks/0123456789abcdef", None, 400, "there is no"),
        ("/api/nothing", None, 404, "Not Found"),
        ("/api/%2e%2e/%2e%2e/etc/passwd", None, 404, "Not Found"),
        ("/../server.py", None, 404, "Not Found"),
        ("/api/undo", None, 405, "Method Not Allowed"),
    ):
        answered, content = ask(path, body)
        assert (answered, text in json.loads(content)["error"]) == (status, True), (path, content)
    for path, body in (
        ("/api/look", {"frame": 0, "hover": {"object": 1, "point": [999, 0]}}),
        ("/api/track", {"from": 0}),
    ):
        assert "error" in ask.json(path, body)
    assert ask("/api/state", host="localhost:9000")[0] == 200  # through a tunnel from another port
    assert ask("/api/state", host="evil.example")[0] == 400  # a name that another site made lead here
    assert ask("/api/undo", {}, **{"X-Vidseg": "0"})[0] == 403
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)):
        assert ask("/api/frame/0", **{"Sec-Fetch-Site": site})[0] == status
    Path(clip).rename(tmp_path / "away.mp4")
    try:
        status, content = ask("/api/frame/7")
        assert (status, "No such file" in json.loads(content)["error"]) == (400, True)
    finally:
        (tmp_path / "away.mp4").rename(clip)
    assert ask("/api/frame/7")[0] == 200


def test_a_run_is_started_followed_and_stopped(picker, here):
    ask = Asking(picker.address)
    revision = ask.json("/api/state")["revision"]
    ask.json("/api/document", {"revision": revision, "document": doc(CLICK, **{"out": 9})})
    assert ask("/api/run")[1] == b"null"
    started = ask.json("/api/run", {})
    assert (started["status"], started["total"]) == ("running", 10)
    assert ask("/api/run", {"overwrite": True})[0] == 400  # one at a time
    deadline = time.monotonic() + 120
    while (state := ask.json("/api/run"))["status"] == "running" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert (state["status"], state["done"]) == ("finished", 10), state
    assert json.loads((here / state["folder"] / "summary.json").read_text())["frames"] == 10
    ask.json("/api/document", {"revision": ask.json("/api/state")["revision"], "document": doc(CLICK)})
    assert ask("/api/run", {})[0] == 409  # its prompts.yaml is there now
    ask.json("/api/run", {"overwrite": True})
    ask.json("/api/stop", {})
    while (state := ask.json("/api/run"))["status"] == "running" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert state["status"] in ("interrupted", "finished")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("video=nothing.mp4",), "video: "),
        (("modle=nano",), "modle"),
        (("port=x",), "port: 'x'"),
        (("browser=maybe",), "browser: maybe; true or false"),
        (("model=replay", "model.path=x"), "model"),
        (("prompt=file", "prompt.path=none.yaml"), "prompt.path: can't read none.yaml"),
    ],
)
def test_a_mistake_is_one_line(here, words, message):
    done = subprocess.run(
        [sys.executable, "-m", "vidseg.pick", *words], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2, done.stderr


def test_going_on_from_a_prompt_file(here, clip):
    (here / "given").mkdir()
    (here / "given" / "mine.yaml").write_text("prompts: [{frame: 3, object: 2, box: [10, 10, 60, 60], name: it}]")
    picker = public.pick(clip, "square", config_dir=CONF, port=0, prompt="file", **{"prompt.path": "given/mine.yaml"})
    try:
        assert [*picker] == [Prompt(3, 2, box_xyxy=[10, 10, 60, 60], name="it")]
        ask = Asking(picker.address)
        assert ask.json("/api/state")["save_as"] == "mine.yaml"
        assert ask.json("/api/save", {"as": "mine.yaml", "overwrite": True})["path"] == "given/mine.yaml"
    finally:
        picker.close()
    assert OmegaConf.load(here / "given" / "mine.yaml").prompts[0].name == "it"


def test_a_picker_that_is_stopped_while_it_tracks_ends_without_a_word(tmp_path):
    with served(tmp_path, "video=sample", "model=nano") as address:
        ask = Asking(address)
        ask.json("/api/document", {"revision": None, "document": doc({**CLICK, "points": [[782, 301]]})})
        connection = HTTPConnection(ask.host, timeout=60)
        connection.request("POST", "/api/track", b'{"from": 0, "count": null}', {"X-Vidseg": "1"})
        answer = connection.getresponse()
        assert json.loads(answer.readline())["frame"] == 0
    assert len((tmp_path / "picker.log").read_text().splitlines()) <= 2  # it waits for no more than a frame
    connection.close()
