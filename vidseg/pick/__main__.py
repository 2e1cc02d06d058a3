"""The command: python -m vidseg.pick video=clip.mp4 serves a page on which to make prompts."""

import argparse
import logging
import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from vidseg.config.values import quote_paths, split
from vidseg.config.words import check_words
from vidseg.console import ConsoleHandler, open_streams
from vidseg.errors import InputError
from vidseg.pick.notebook import check_extra
from vidseg.pick.opening import Where, open_all

log = logging.getLogger("vidseg.pick")

EPILOG = """\
KEY=VALUE are those of a run (video, model, precision, device, extract.start …), and the picker's own:
  port=8765       the first free one from there on; port=0 takes any
  browser=true    open the page
  host=127.0.0.1  another address makes the page reachable from other machines, with a token in its address

python -m vidseg.pick video=clip.mp4 model=large prompt=file prompt.path=prompts.yaml goes on from a prompt.
Through SSH: ssh -L 8765:127.0.0.1:8765 HOST, then open http://127.0.0.1:8765 here.
"""
_OWN = {"port": None, "browser": True, "host": "127.0.0.1"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exit status 0, also after Ctrl-C, 1 after an error, 2 for wrong arguments."""
    open_streams()
    parser = argparse.ArgumentParser(
        prog="python -m vidseg.pick",
        description="A page on which you click on objects, see their masks, and save the prompts of a run.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config-dir", metavar="FOLDER", help="a folder with YAML of your own")
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, handlers=[ConsoleHandler(sys.stderr)])
    try:
        _serve(options.words, options.config_dir)
    except InputError as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(0)


def _serve(words: Sequence[str], config_dir: str | None) -> None:
    check_extra()
    check_words(words)
    own, overrides = _separate(words)
    where = Where.of(own["host"], own["port"])
    if type(own["browser"]) is not bool:
        raise InputError(f"browser: {own['browser']}; true or false")
    opened = open_all(quote_paths(overrides), config_dir)
    try:
        bound = where.bind()  # before the model, which may take long
        from vidseg.pick.desk import Desk
        from vidseg.pick.server import Server, serving

        desk = Desk(opened.config, opened.model, opened.source, opened.draft)
        app = Server(desk, opened.place, opened.words, where.token).app()
        address = where.address(bound)
        log.info("%s on %s: open %s (Ctrl-C ends it; the draft is in %s)",
            opened.source.name, desk.segmenter.device, address, Path(opened.draft.folder))  # fmt: skip
        if own["browser"]:
            webbrowser.open(address)
        serving(app).run(sockets=[bound])
    finally:
        opened.close()


def _separate(words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The picker's own keys, and the words that are a run's."""
    own, others = {**_OWN}, []
    for word in words:
        _, key, value = split(word)
        if key in own:
            own[key] = yaml.safe_load(value)
        else:
            others.append(word)
    return own, others


if __name__ == "__main__":
    main()
