"""One browser and one picker for all tests of the page; each test begins without prompts."""

import pytest
from browsing import chromium
from picking import opened, picker

EVERY_TENTH = ("video=sample", "model=nano", "extract.step=10", "extract.stop=71")
"""Eight frames: a correction on frame 60 has five frames to track before it."""


@pytest.fixture(scope="session")
def browser():
    with chromium("window-size=1280,800") as browser:
        yield browser


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("desk")


@pytest.fixture(scope="session")
def address(browser, folder):
    with picker(folder, *EVERY_TENTH) as address:
        yield address


@pytest.fixture
def page(browser, address):
    """The page of a document without prompts; after each test its console has no error of the page's own."""
    opened(browser, address)
    browser.execute_async_script(CLEARED)
    opened(browser, address)
    yield browser
    assert [each for each in browser.get_log("browser") if each["source"] != "network"] == []


CLEARED = """
const done = arguments[0];
fetch('api/state').then(answer => answer.json()).then(({revision}) => fetch('api/document', {
  method: 'POST', headers: {'X-Vidseg': '1', 'Content-Type': 'application/json'},
  body: JSON.stringify({revision, document: {prompts: [], objects: [], in: null, out: null}}),
})).then(() => done());"""
