"""What a value of ``video`` is that names no video file: a URL, a camera, an archive. Each error says what to do."""

import hashlib
import re
from pathlib import Path

from vidseg.errors import InputError
from vidseg.paths import meant
from vidseg.video.timeline import lacks_index

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/|(www\.|(m\.)?youtu(be\.com|\.be)/)")
_LIVE = ("rtsp", "rtmp", "rtp", "udp", "tcp", "srt", "mms")
_CAMERA = "cameras aren't read, only files; record first, for example ffmpeg -f v4l2 -i /dev/video0 -t 10 clip.mp4"
_UNPACK = "an archive; unpack it, and give the video or the folder of frames in it"
_KINDS = {
    b"PK\x03\x04": _UNPACK,
    b"PK\x05\x06": _UNPACK,
    b"\x1f\x8b": _UNPACK,  # gzip
    b"BZh": _UNPACK,
    b"\xfd7zXZ\0": _UNPACK,
    b"7z\xbc\xaf\x27\x1c": _UNPACK,
    b"Rar!\x1a\x07": _UNPACK,
    b"\x28\xb5\x2f\xfd": _UNPACK,  # Zstandard
    b"<!doctype html": "a web page, where the video was meant to be; download the video itself",
    b"<html": "a web page, where the video was meant to be; download the video itself",
    b"version https://git-lfs": "a pointer of Git LFS; git lfs pull fetches the video",
}
"""What a file is by its first bytes (lower case for text), and what to do."""

_STILL_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif"}  # of HEIF; msf1, hevc and avis are sequences
_TEXTS = {".txt", ".csv", ".pls", ".xspf", ".ffconcat", ".json", ".yaml", ".yml"}

HASHED_WHOLE = 2 * 2**30
"""Files of up to so many bytes are hashed as a whole (2 GiB take about two seconds), of larger ones both ends."""
HASHED_ENDS = 64 * 2**20


def check_value(video: str) -> None:
    """Raises InputError for a value that names no file or folder and never could: a URL, ``-``, a webcam's number."""
    if not video.strip():
        raise InputError("video: missing; give a video file, a folder of frames, or sample")
    try:
        if meant(video).exists():
            return
    except OSError as error:  # a name too long
        raise InputError(f"video: {video[:80]} is no path: {error.strerror}") from error
    if video == "-" or video.startswith("pipe:"):
        raise InputError(f"video: {video}: standard input isn't read, since files are read twice; save it to a file")
    if video.isdecimal() or re.match(r"/dev/video\d", video):
        raise InputError(f"video: {video}: {_CAMERA}")
    if match := _URL.match(video):
        scheme = (match[1] or "https").lower()
        if scheme == "file":
            path = re.sub(r"^file:/+", "/", video, flags=re.IGNORECASE)
            raise InputError(f"video: {video}: only paths are read; write video={path}")
        live = "record it first, for example ffmpeg -t 60 -i URL -c copy clip.mp4,"
        do = live if scheme.startswith(_LIVE) else "download it first"
        raise InputError(f"video: {video} is a URL, and only files are read; {do} and give the file")


def check_file(path: Path) -> None:
    """Raises InputError unless ``path`` is a file that isn't empty and may be a video (opening a pipe would wait)."""
    try:
        if not path.exists():
            raise InputError(f"video: no such file or folder: {path} (looked for in {Path.cwd()})")
        if path.is_char_device():
            raise InputError(f"video: {path} is a device; {_CAMERA}")
        if not path.is_file():
            raise InputError(f"video: {path} is neither a file nor a folder; save what comes from it to a file")
        with path.open("rb") as file:
            start = file.read(512)
    except PermissionError as error:
        raise InputError(f"video: {path} can't be read: permission denied") from error
    if not start:
        raise InputError(f"video: {path} is empty")
    if kind := _kind(path, start):
        raise InputError(f"video: {path} is {kind}")
    if lacks_index(path):
        raise InputError(
            f"video: {path} has no index (moov): recording or copying it was interrupted\n"
            "Copy it again, or repair it with a tool such as untrunc."
        )


def _kind(path: Path, start: bytes) -> str | None:
    """What a file is that is certainly no video, by its first 512 bytes or its suffix, and what to do."""
    for magic, kind in _KINDS.items():
        if start.lstrip().lower().startswith(magic.lower()):
            return kind
    if start[257:262] == b"ustar":
        return _UNPACK
    if start[4:8] == b"ftyp" and start[8:12] in _STILL_BRANDS:
        return "a HEIF image, which isn't read; save it as a JPEG or PNG"
    if start[8:12] == b"WEBP" and b"ANIM" in start:
        return "an animated WebP, which FFmpeg doesn't read; save its pictures as a folder of frames"
    suffix = path.suffix.lower()
    if suffix in _TEXTS:
        return f"not a video but text; a list of videos is given as -m video=@{path}"
    if suffix in (".m3u8", ".m3u"):
        text = path.read_text(errors="replace")
        if "://" in text or "#EXT-X-" not in text:
            return "a playlist of other files; give those, or download it first: ffmpeg -i URL -c copy clip.mp4"
    return None


def hash_of(path: Path) -> dict[str, str]:
    """A file's SHA-256, under a key that says what was hashed."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= HASHED_WHOLE:
            return {"sha256": hashlib.file_digest(file, "sha256").hexdigest()}
        digest = hashlib.sha256(file.read(HASHED_ENDS))
        file.seek(-HASHED_ENDS, 2)
        digest.update(file.read(HASHED_ENDS) + str(size).encode())
    return {"sha256_of_first_and_last_64_mib_and_size": digest.hexdigest()}
