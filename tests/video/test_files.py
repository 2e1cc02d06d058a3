"""Values of ``video`` that name no video: each message says what the value is, and what to do."""

import gzip
import tarfile
import zipfile

import pytest
from PIL import Image
from video.clips import make_clip, picture

from vidseg.errors import InputError
from vidseg.video import open_source


def write_tar(path):
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "clip.mp4")


FILES = {
    "clips.zip": (lambda path: zipfile.ZipFile(path, "w").close(), "is an archive"),
    "clips.tar": (write_tar, "is an archive"),
    "clips.tar.gz": (lambda path: path.write_bytes(gzip.compress(b"x")), "is an archive"),
    "page.mp4": (lambda path: path.write_text("\n<!DOCTYPE html><title>404</title>"), "is a web page"),
    "lfs.mp4": (
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
        "is a pointer of Git LFS",
    ),
    "photo.heic": (lambda path: path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(99)), "is a HEIF image"),
    "moving.webp": (
        lambda path: Image.fromarray(picture(0)).save(path, save_all=True, append_images=[Image.fromarray(picture(1))]),
        "is an animated WebP",
    ),
    "far.m3u8": (lambda path: path.write_text("#EXTM3U\n#EXT-X-ENDLIST\nhttps://a.b/c.ts"), "is a playlist"),
    "list.m3u": (lambda path: path.write_text("clip.mp4\n"), "is a playlist"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_another_kind(tmp_path, name):
    write, words = FILES[name]
    write(tmp_path / name)
    with pytest.raises(InputError, match=rf"^video: .*{name} {words}") as caught:
        open_source(str(tmp_path / name))
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("https://a.b/c.mp4", "is a URL, and only files are read; download it first"),
        ("s3://bucket/c.mp4", "is a URL, and only files are read; download it first"),
        ("youtu.be/abc", "is a URL, and only files are read; download it first"),
        ("rtsp://camera/1", "is a URL, and only files are read; record it first"),
        ("file:///tmp/no.mp4", "write video=/tmp/no.mp4"),
        ("-", "standard input isn't read"),
        ("0", "cameras aren't read"),
        (0, "cameras aren't read"),
        ("/dev/video99", "cameras aren't read"),
        ("/dev/null", "is a device"),
        ("", "missing; give a video file"),
        ("x" * 300, "is no path"),
    ],
)
def test_what_is_no_file_says_that_files_are_read(tmp_path, monkeypatch, value, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"^video: .*{words}") as caught:
        open_source(value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_may_have_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("-", "0", "www.clip.mp4"):
        make_clip(tmp_path / "clip.mp4", frames=3).rename(tmp_path / name)
        assert len(open_source(name).frames) == 3
