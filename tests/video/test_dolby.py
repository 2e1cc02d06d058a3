"""Dolby Vision: a base layer is read as what it is, and a warning says that the colours of profile 5 are wrong."""

import struct

import av
import pytest
from video.clips import make_clip

from vidseg.colour import BT2020_HLG, BT2020_PQ, PQ
from vidseg.types import Colour
from vidseg.video import open_source

PQ_TAGS = {"colorspace": 9, "color_primaries": 9, "color_trc": PQ, "color_range": 1}
UNTAGGED = {"color_range": 2}


def record(profile, compatibility):
    """Dolby's configuration record (ETSI GS CCM 001): level 1, with RPU and base layer."""
    return struct.pack(">BBHB19x", 1, 0, profile << 9 | 1 << 3 | 0b101, compatibility << 4)


def boxes(content, start, end):
    """(where, length, kind) of the boxes in a range."""
    while start + 8 <= end:
        length, kind = struct.unpack(">I4s", content[start : start + 8])
        yield start, length, kind
        start += length


def insert(path, kind, payload):
    """Puts a box at the end of the first sample entry of an MP4 whose ``moov`` is its last box."""
    content = bytearray(path.read_bytes())
    start, end, holders = 0, len(content), []
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"):
        at, length, _ = next(box for box in boxes(content, start, end) if box[2] == name)
        start, end = at + 8, at + length
        holders.append(at)
    entry = start + 8  # after the version and the number of entries
    (length,) = struct.unpack(">I", content[entry : entry + 4])
    added = struct.pack(">I4s", 8 + len(payload), kind) + payload
    content[entry + length : entry + length] = added
    for at in (*holders, entry):
        (length,) = struct.unpack(">I", content[at : at + 4])
        content[at : at + 4] = struct.pack(">I", length + len(added))
    path.write_bytes(content)


def with_metadata(path, source):
    """A copy in which each picture is followed by a NAL unit of type 62, as the RPU is; this one holds nothing."""
    with av.open(str(source)) as file, av.open(str(path), "w") as out:
        stream = file.streams.video[0]
        copied = out.add_stream_from_template(stream)
        for packet in file.demux(stream):
            if packet.size:
                unit = bytes([62 << 1, 1, 0x19]) + bytes(range(3, 40)) + b"\x80"
                added = av.Packet(bytes(packet) + struct.pack(">I", len(unit)) + unit)
                added.pts, added.dts, added.time_base, added.stream = packet.pts, packet.dts, packet.time_base, copied
                added.is_keyframe, added.duration = packet.is_keyframe, packet.duration
                out.mux(added)
    return path


def dolby(folder, tags, profile, compatibility):
    options = {"x265-params": "log-level=none"}
    clip = make_clip(folder / "a.mp4", "libx265", 6, pix_fmt="yuv420p10le", options=options, attributes=tags)
    path = with_metadata(folder / "dolby.mp4", clip)
    insert(path, b"dvvC" if profile > 7 else b"dvcC", record(profile, compatibility))
    return path


@pytest.mark.parametrize(
    ("tags", "profile", "compatibility", "colour"),
    [
        (PQ_TAGS, 8, 1, BT2020_PQ),
        (UNTAGGED, 8, 1, BT2020_PQ),
        (UNTAGGED, 8, 4, BT2020_HLG),
        (UNTAGGED, 8, 2, Colour(1, 1, 1)),
        (PQ_TAGS, 7, 6, BT2020_PQ),
    ],
)
def test_the_base_layer_is_read(tmp_path, caplog, tags, profile, compatibility, colour):
    source = open_source(str(dolby(tmp_path, tags, profile, compatibility)))
    assert source.info.depth[:2] == (10, colour)
    assert source.info.colour == Colour(1, 1, 1)
    assert len(list(source)) == 6
    assert not caplog.messages


@pytest.mark.parametrize("tags", [UNTAGGED, PQ_TAGS, {**UNTAGGED, "colorspace": 15}])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_profile_5_is_said_to_be_wrong(tmp_path, caplog, tags, suffix):
    path = dolby(tmp_path, tags, 5, 0)
    if suffix == ".mkv":
        copy = path.with_suffix(suffix)
        with av.open(str(path)) as file, av.open(str(copy), "w") as out:
            stream = file.streams.video[0]
            copied = out.add_stream_from_template(stream)
            for packet in file.demux(stream):
                packet.stream = copied
                if packet.size:
                    out.mux(packet)
        path = copy
    assert len(list(open_source(str(path)))) == 6
    (said,) = caplog.messages
    assert "its colours are wrong: it is Dolby Vision of profile 5, whose IPT isn't read" in said
    assert av.logging.get_level() is None
