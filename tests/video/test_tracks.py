"""Sound, subtitles, chapters and the reel: all of them, with their languages, in step with the pictures."""

import shutil
import subprocess
from fractions import Fraction

import av
import pytest
from conftest import SEARCH_PATH
from video.clips import copy_video, make_clip, picture, sine

import vidseg as package
from vidseg.video import open_source

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="the system's ffmpeg isn't there")


def chaptered(path, frames=48):
    """Pictures, an English and a French sound track, the latter by default, and three chapters."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        for language, title, disposition in (("eng", "Original", 0), ("fra", "Doublage", 1)):
            stream = container.add_stream("aac", rate=48000)
            stream.metadata.update({"language": language, "title": title})
            stream.disposition = disposition
        titles = ((0, 700, "One"), (700, 1400, "Two"), (1400, 2000, "Three"))
        container.set_chapters(
            [
                {"id": n, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}
                for n, (start, end, title) in enumerate(titles, 1)
            ]
        )
        packets = [
            p for i in range(frames) for p in video.encode(av.VideoFrame.from_ndarray(picture(i), format="rgb24"))
        ]
        packets += video.encode()
        for stream in container.streams.audio:
            packets += sine(stream, 2.0)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


def tracks(path, kind):
    """(language, default, packets as (bytes, seconds)) of each stream."""
    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        about = {s.index: (s.language, bool(s.disposition & 1), []) for s in streams}
        for packet in container.demux(streams) if streams else ():
            if (
                packet.size and packet.pts is not None and (kind == "audio" or packet.size > 2)
            ):  # MP4 ends one by nothing
                about[packet.stream.index][2].append((bytes(packet), packet.pts * packet.time_base))
        return list(about.values())


@pytest.mark.parametrize("out", ["o.mov", "o.mp4", "o.mkv"])
def test_every_language_goes_on(tmp_path, out):
    """FFmpeg's muxer of MOV knows none of these but English and Danish."""
    languages = ["deu", "eng", "swe", "zho", "cym", "dan", "hrv", "und"]
    with av.open(str(tmp_path / "a.mp4"), "w", container_options={"movflags": "faststart"}) as container:
        video = container.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        for language in languages:
            container.add_stream("aac", rate=48000).metadata["language"] = language
        for index in range(4):
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(video.encode())
        for stream in container.streams.audio:
            container.mux(sine(stream, 0.1))
    made = copy_video(open_source(str(tmp_path / "a.mp4")), tmp_path / out, "h264")
    assert [language or "und" for language, *_ in tracks(made, "audio")] == languages
    assert len(list(open_source(str(made)))) == 4


def chapters(path):
    with av.open(str(path)) as container:
        return [
            (float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]), c["metadata"]["title"])
            for c in container.chapters()
        ]


@pytest.mark.parametrize(
    ("name", "out", "codec"), [("a.mp4", "o.mp4", "h264"), ("a.mov", "o.mov", "prores4444"), ("a.mkv", "o.mkv", "h264")]
)
def test_every_sound_track_and_chapter_goes_on(tmp_path, caplog, name, out, codec):
    path = chaptered(tmp_path / name)
    made = copy_video(open_source(str(path)), tmp_path / out, codec)
    ours, theirs = tracks(made, "audio"), tracks(path, "audio")
    assert [(language, default) for language, default, _ in ours] == [("eng", False), ("fra", True)]
    for (*_, mine), (*_, wanted) in zip(ours, theirs, strict=True):
        wanted = [each for each in wanted if each[1] >= 0 or name != "a.mkv"]
        assert [data for data, _ in mine] == [data for data, _ in wanted]
        assert [float(t) for _, t in mine] == pytest.approx([float(t) for _, t in wanted], abs=0.001)
    assert chapters(made) == [(0, 0.7, "One"), (0.7, 1.4, "Two"), (1.4, 2, "Three")]
    with av.open(str(made)) as container:
        titles = [s.metadata.get("title") or s.metadata.get("name") for s in container.streams.audio]
        assert titles == ["Original", "Doublage"]
    assert "left out" not in caplog.text


def test_an_extract_shifts_them(tmp_path):
    path = chaptered(tmp_path / "a.mp4")
    words = [SEARCH_PATH, f"hydra.run.dir={tmp_path / 'run'}", f"video={path}", "model=square", "tracker=none"]
    words += ["prompt=click", "prompt.points=[[20,30]]", "prompt.frame=12", "extract.start=12", "extract.stop=36"]
    _, folder = package.run([*words, "output=[cutout]"])
    assert chapters(folder / "cutout.mp4") == [(0, 0.2, "One"), (0.2, 0.9, "Two"), (0.9, 1, "Three")]
    for (*_, mine), (*_, whole) in zip(tracks(folder / "cutout.mp4", "audio"), tracks(path, "audio"), strict=True):
        wanted = [(data, t - Fraction(1, 2)) for data, t in whole if Fraction(1, 2) <= t < Fraction(3, 2)]
        assert [data for data, _ in mine] == [data for data, _ in wanted]


def test_one_line_says_what_a_container_can_t_hold(tmp_path, caplog):
    path = chaptered(tmp_path / "a.mp4")
    copy_video(open_source(str(path)), tmp_path / "o.avi", "xvid")
    (line,) = [record.message for record in caplog.records if "left out" in record.message]
    assert line == "a.mp4: left out, as avi can't hold it: sound (aac, eng); sound (aac, fra); chapters"
    caplog.clear()
    copy_video(open_source(str(path)), tmp_path / "o.webm", "vp9")
    (line,) = [record.message for record in caplog.records if "left out" in record.message]
    assert line == "a.mp4: left out, as webm can't hold it: sound (aac, eng); sound (aac, fra)"
    assert [title for *_, title in chapters(tmp_path / "o.webm")] == ["One", "Two", "Three"]


def subtitled(folder, name):
    """Two subtitles, of 0.2 to 0.9 and 1.0 to 1.8 seconds, in German."""
    clip, texts, path = make_clip(folder / "clip.mp4", frames=48), folder / "s.srt", folder / name
    texts.write_text("1\n00:00:00,200 --> 00:00:00,900\neins\n\n2\n00:00:01,000 --> 00:00:01,800\nzwei\n")
    codec = "subrip" if name.endswith("mkv") else "mov_text"
    words = ["-i", clip, "-i", texts, "-map", "0:v", "-map", "1", "-c:v", "copy", "-c:s", codec]
    words += ["-metadata:s:s:0", "language=ger", path]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, words)], check=True)
    return path


@needs_ffmpeg
@pytest.mark.parametrize(("name", "out"), [("a.mp4", "o.mp4"), ("a.mov", "o.mov"), ("a.mkv", "o.mkv")])
def test_subtitles_go_on_where_the_container_takes_them(tmp_path, caplog, name, out):
    path = subtitled(tmp_path, name)
    source = open_source(str(path))
    assert source.audio == path  # though there is no sound
    ((language, _, texts),) = tracks(copy_video(source, tmp_path / out, "h264"), "subtitle")
    assert language == "ger"
    assert [b"eins" in texts[0][0], b"zwei" in texts[1][0]] == [True, True]
    assert [float(t) for _, t in texts] == pytest.approx([0.2, 1.0], abs=0.001)
    ((*_, cut),) = tracks(copy_video(open_source(str(path), start=12), tmp_path / f"cut{out}", "h264"), "subtitle")
    assert [float(t) for _, t in cut][-1] == pytest.approx(0.5, abs=0.001)
    assert "left out" not in caplog.text
    copy_video(open_source(str(path)), tmp_path / "o.webm", "vp9")
    assert "left out, as webm can't hold it: subtitles (" in caplog.text


def test_the_reel_goes_on_with_the_timecode(tmp_path):
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:
        container.metadata["timecode"] = "01:00:00:00"
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        stream.metadata["reel_name"] = "A001C002"
        for index in range(12):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        container.mux(stream.encode())
    source = open_source(str(path), start=6)
    assert (source.info.timecode, source.info.reel) == ("01:00:00:06", "A001C002")
    made = open_source(str(copy_video(source, tmp_path / "o.mov", "prores4444")))
    assert (made.info.timecode, made.info.reel) == ("01:00:00:06", "A001C002")
