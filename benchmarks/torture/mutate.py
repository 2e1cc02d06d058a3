"""Seeded damage: to bytes, to YAML's text, and to values in nested lists and mappings."""

from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

Damage = Callable[[Random, bytes], bytes]

VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 255, 2**31, 10**30, -(2**63), 0.5, -0.0, 1e-320, 1e308, float("nan"),
    float("inf"), "", " ", "null", "nan", "auto", "2s", "-5s", "1e999", "0x10", "???", "é 日本 🎬", "a\x00b",
    "a\nb", "../x", "~", "x" * 5000, "${video}", "${nope}", "${oc.env:NOPE}", "${oc.env:", "${sample.seed}", [],
    {}, [[]], [None], [0, 1], [[1, 2]], [[1, 2, 3]], [["a", "b"]], [[float("nan"), 1]], [5, 5, 5, 5],
    [0, 0, 64, 48], [-1e9, 0, 1e9, 1], {"a": {"b": []}}, {"": 1}, {1: 2}, [[[[[]]]]], {"_target_": "math.sqrt"},
    {"_target_": "nope.Nope"}, {"_target_": 3},
)  # fmt: skip
"""What somebody may have typed by mistake, or what a program may have written."""

CHARACTERS = "{}[]()<>:;,.-+=~&*!|?'\"%@`#$\\/\t\n\r \x00\ufeff\u2028éß日🎬0123456789eE_aN"


def _span(rng: Random, data: bytes, longest: int = 4096) -> tuple[int, int]:
    start = rng.randrange(max(len(data), 1))
    return start, min(len(data), start + 1 + int(min(longest, len(data)) * rng.random() ** 3))


def _flip(rng: Random, data: bytes, start: int = 0, end: int | None = None) -> bytes:
    changed = bytearray(data)
    for _ in range(1 + int(40 * rng.random() ** 2)):
        changed[rng.randrange(start, min(end or len(data), len(data)))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _swap(rng: Random, data: bytes) -> bytes:
    (a, b), (c, d) = sorted((_span(rng, data), _span(rng, data)))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:] if b <= c else data[:a] + data[c:d] + data[b:]


def _between(make: Callable[[Random, bytes], bytes]) -> Damage:
    """Puts ``make`` of a piece of the data in that piece's place."""

    def damage(rng: Random, data: bytes) -> bytes:
        start, end = _span(rng, data)
        return data[:start] + make(rng, data[start:end]) + data[end:]

    return damage


BYTES: dict[str, Damage] = {
    "flip": _flip,
    "flip_head": lambda rng, data: _flip(rng, data, end=512),
    "flip_tail": lambda rng, data: _flip(rng, data, start=max(0, len(data) - 1024)),
    "cut": lambda rng, data: data[: rng.randrange(len(data))],
    "behead": lambda rng, data: data[rng.randrange(1, len(data)) :],
    "swap": _swap,
    "drop": _between(lambda rng, piece: b""),
    "repeat": _between(lambda rng, piece: 2 * piece),
    "zero": _between(lambda rng, piece: bytes(len(piece))),
    "noise": _between(lambda rng, piece: rng.randbytes(len(piece))),
    "append": lambda rng, data: data + rng.randbytes(rng.randrange(1, 4096)),
}


def damaged(rng: Random, data: bytes) -> tuple[str, bytes]:
    """The data after one or two kinds of damage, and their names."""
    names = rng.sample(sorted(BYTES), rng.choice((1, 1, 1, 2)))
    for name in names:
        if len(data) > 1:
            data = BYTES[name](rng, data)
    return "+".join(names), data


def scribbled(rng: Random, text: str) -> str:
    """The text with a few characters or lines deleted, inserted, exchanged or doubled."""
    for _ in range(rng.choice((1, 1, 2, 5))):
        place, lines = rng.randrange(len(text) + 1), text.splitlines(keepends=True) or [""]
        line, other = rng.randrange(len(lines)), rng.randrange(len(lines))
        match rng.randrange(6):
            case 0:
                text = text[:place] + text[place + rng.randrange(1, 4) :]
            case 1:
                text = text[:place] + "".join(rng.choices(CHARACTERS, k=rng.randrange(1, 4))) + text[place:]
            case 2:
                lines[line], lines[other] = lines[other], lines[line]
                text = "".join(lines)
            case 3:
                text = "".join(lines[:line] + lines[line + 1 :])
            case 4:
                text = "".join(
                    [*lines[: line + 1], rng.choice(("", " ", "  ", "\t", "- ")) + lines[line], *lines[line + 1 :]]
                )
            case 5:
                text = text[:place] + rng.choice(CHARACTERS) * rng.choice((2, 50)) + text[place + 1 :]
    return text


def misshapen(rng: Random, tree: Any) -> Any:
    """A copy of nested lists and mappings in which a few nodes are others, gone, renamed, wrapped or doubled."""
    tree = deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        nodes = [node for node in _nodes(tree) if node]
        if not nodes:
            return rng.choice(VALUES)
        node = rng.choice(nodes)
        key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
        match rng.randrange(8):
            case 0:
                del node[key]
            case 1 if isinstance(node, dict):
                node[rng.choice([*map(str, VALUES[:8]), "é", f"{key}s", "_target_", 7])] = node.pop(key)
            case 2 if isinstance(node, dict):
                node[rng.choice(("extra", "video", "_args_", "_recursive_", "defaults"))] = rng.choice(VALUES)
            case 3:
                node[key] = rng.choice(([node[key]], {"value": node[key]}, [node[key], node[key]]))
            case 4:
                node[key] = str(node[key])
            case _:
                node[key] = deepcopy(rng.choice(VALUES))
    return tree


def _nodes(tree: Any) -> list[Any]:
    if not isinstance(tree, dict | list):
        return []
    children = tree.values() if isinstance(tree, dict) else tree
    return [tree, *(node for child in list(children) for node in _nodes(child))]
