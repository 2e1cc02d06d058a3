"""Writes docs/keys.md from the comments in conf/: python -m docs.keys. A test compares the two.

In conf/ the first lines of a file say what its choice is, and the comment behind a key says what the key does. It
goes on in the next line if that line is a comment which begins in the same column. A key without a comment takes that
of the same key in base/ or in another file of its group.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

HERE = Path(__file__).parent
CONF = HERE.parent / "conf"
PAGE = HERE / "keys.md"
GROUPS = {
    "model": "The model: `model=NAME`, by default `nano`.",
    "precision": "The model's number format: `precision=NAME`, by default `auto`.",
    "prompt": "Where the objects are: `prompt=NAME`, by default `sample`. [prompts.md](prompts.md) has examples.",
    "detector": "What finds objects for `prompt=detect` and `prompt=text`: `prompt.detector=NAME`, by default "
    "`yolox_nano`. A YAML of your own in detector/ is one more.",
    "matte": "How masks become alpha: `matte=NAME`, by default `auto`. [alpha.md](alpha.md) says more.",
    "output": "What is written: `output=[NAME,NAME]`, any set, by default `[cutout,overlay,rle]`. All video outputs "
    "have the keys of `output.cutout` but for `background`. [outputs.md](outputs.md) says more.",
    "metric": "What is scored: `metric=[NAME,NAME]`, any set, by default `[davis_jf,mask_stats]`. "
    "[scores.md](scores.md) says more.",
    "tracker": "Where runs are recorded beside their folders: `tracker=NAME`, by default `wandb`.",
}
AT = {"detector": "prompt.detector"}  # where a group's keys stand, if not at its name
HEAD = """\
# Keys

<!-- Made from the comments in conf/ by `python -m docs.keys`: edit those, then run it again. -->

`KEY=VALUE` on the command line sets a key. `python -m vidseg --help` lists every key with its value, and
`python -m vidseg --cfg job` prints what a command would run. `--config-dir mine` adds your own YAML. `vidseg -sc
install=bash` (zsh, fish) prints what makes the shell complete keys and choices.
"""


class Key:
    """A key of a YAML file, by its full name: its value as written there, and its comment."""

    def __init__(self, name: str, value: str, comment: str, column: int) -> None:
        self.name, self.value, self.comment, self.column = name, value, comment, column


def read(path: Path, prefix: str) -> tuple[str, list[Key]]:
    """A file's description and its keys in order, ``prefix`` before each name; what begins with ``_`` is left out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    description = [line.removeprefix("# ") for line in _while_comment(lines)]
    keys: list[Key] = []
    parents: list[tuple[int, str]] = []  # indents and names of the mappings that a line is in
    for line in lines[len(description) :]:
        if keys and re.fullmatch(rf" {{{keys[-1].column}}}# .*", line) and keys[-1].comment:
            keys[-1].comment += " " + line.strip("# ")
        elif found := re.fullmatch(r"( *)([A-Za-z]\w*): *(.*?)(?: +# (.*))?", line):
            indent, name, value, comment = len(found[1]), found[2], found[3], found[4] or ""
            parents = [parent for parent in parents if parent[0] < indent]
            if value:
                full = ".".join([*(parent for _, parent in parents), name])
                keys.append(Key(prefix + full, value, comment, line.rfind("# ")))
            parents.append((indent, name))
    shown = [key for key in keys if not key.name.startswith("hydra.") or key.comment]
    return " ".join(description), shown


def page() -> str:
    """The content of docs/keys.md."""
    _, keys = read(CONF / "config.yaml", "")
    parts = [HEAD, "## Every run\n", *_table(keys)]
    for group, about in GROUPS.items():
        parts += [f"\n## {group}\n", about + "\n", *_group(group)]
    return "\n".join(parts) + "\n"


def _group(group: str) -> Iterator[str]:
    """A table of the group's choices, then the keys that they share, then those of each."""
    at = AT.get(group, group)
    files = {path.stem: read(path, f"{at}.") for path in sorted((CONF / group).glob("*.yaml"))}
    bases = {path.stem: read(path, f"{at}.")[1] for path in sorted((CONF / group / "base").glob("*.yaml"))}
    yield "| choice | |\n|---|---|"
    yield from (f"| `{name}` | {description} |" for name, (description, _) in files.items())
    for base, keys in bases.items():
        users = [f"`{name}`" for name in files if f"base/{base}@_here_" in _defaults(group, name)]
        yield f"\n### Keys of {', '.join(users[:-1])} and {users[-1]}\n"
        yield from _table(keys)
    choices = {name: keys for name, (_, keys) in files.items() if any(key.comment for key in keys)}
    if group in ("output", "metric"):
        yield "\n### Keys\n"
        yield from _table([key for keys in choices.values() for key in keys if key.comment])
        return
    comments: dict[str, str] = {}
    for keys in (*bases.values(), *choices.values()):
        for key in keys:
            comments[key.name] = comments.get(key.name) or key.comment
    for name, keys in choices.items():
        yield f"\n### Keys of `{at}={name}`\n"
        for key in keys:
            key.comment = key.comment or comments[key.name]
        yield from _table(keys)


def _table(keys: Sequence[Key]) -> Iterator[str]:
    yield "| key | default | meaning |\n|---|---|---|"
    for key in keys:
        same_as = re.fullmatch(r"\$\{(\w+)\}", key.value)
        comment = key.comment.replace("|", "\\|") or (f"as the key `{same_as[1]}`" if same_as else "")
        yield f"| `{key.name}` | `{key.value}` | {comment} |"


def _defaults(group: str, name: str) -> list[str]:
    content = yaml.safe_load((CONF / group / f"{name}.yaml").read_text(encoding="utf-8"))
    return [str(entry) for entry in content.get("defaults", [])]


def _while_comment(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("# "):
            return
        yield line


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
