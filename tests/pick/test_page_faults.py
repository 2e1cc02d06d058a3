"""What goes wrong between the picker's page and its server: the page says so and lives on."""

import pytest
from browsing import find, wait
from picking import click, document, mask, messages, mouse, opened, place, wait_ready

pytestmark = pytest.mark.timeout(180)


def test_two_windows_keep_both_changes(page, address):
    first = page.current_window_handle
    click(page, place(page, 782, 301))
    page.switch_to.new_window("tab")
    try:
        opened(page, address)
        click(page, place(page, 640, 80), "right")
        second = page.current_window_handle
        page.switch_to.window(first)
        click(page, place(page, 800, 330))
        assert "Another window changed the prompts" in " ".join(messages(page))
        assert document(page)["prompts"][0]["points"] == [[782, 301], [640, 80], [800, 330]]
        page.switch_to.window(second)
        page.execute_script("dispatchEvent(new Event('focus'))")
        wait(page, "return document.querySelectorAll('#prompts li').length === 3")
    finally:
        page.close()
        page.switch_to.window(first)


FAULTS = {
    "no JSON": ("look", "new Response('<html>oops')", "can't be understood"),
    "another shape": ("look", "new Response('{\"frame\": 0}')", "can't be understood"),
    "a mask of another size": (
        "look",
        'new Response(\'{"frame": 0, "objects": [{"id": 1, "runs": [5]}]}\')',
        "can't be understood",
    ),
    "an error": ("look", 'new Response(\'{"error": "out of memory"}\', {status: 500})', "out of memory"),
    "an error at the end": (
        "look",
        'new Response(\'{"progress": {"done": 1, "total": 2}}\\n{"error": "the video is gone"}\')',
        "the video is gone",
    ),
    "a document of another shape": ("document", "new Response('[]')", "can't be understood"),
    "a refusal": ("document", 'new Response(\'{"error": "points: outside"}\', {status: 400})', "points: outside"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_page_lives_on_after_what_a_server_should_not_say(page, fault):
    path, answer, said = FAULTS[fault]
    page.execute_script(f"""const real = window.fetch;
        window.fetch = (url, ...more) => {{
          if (!String(url).endsWith('api/{path}')) return real(url, ...more);
          window.fetch = real;
          return Promise.resolve({answer});
        }}""")
    click(page, place(page, 782, 301))
    assert said in " ".join(messages(page))
    click(page, place(page, 800, 330))
    assert mask(page, 1).any()
    assert document(page)["prompts"][0]["points"][-1] == [800, 330]


LOSING = """
const real = window.fetch;
let left = 2;
window.fetch = async (url, ...more) => {
  if (!String(url).includes(arguments[0]) || left-- <= 0) return real(url, ...more);
  if (arguments[1]) await real(url, ...more);
  throw new TypeError('Failed to fetch');
}"""


def click_while_lost(page):
    """A click that the page can't bring to the server at first, which it says, and then does."""
    at = place(page, 782, 301)
    mouse(page, "mouseMoved", at)
    mouse(page, "mousePressed", at, "left")
    mouse(page, "mouseReleased", at, "left")
    wait(page, "return !document.getElementById('lost').hidden")
    wait_ready(page)


@pytest.mark.parametrize("lost", ["question", "answer"])
def test_what_is_lost_on_the_way_is_sent_again_and_counts_once(page, lost):
    page.execute_script(LOSING, "api/document", lost == "answer")
    click_while_lost(page)
    assert not find(page, "#lost")[0].is_displayed()
    assert document(page)["prompts"] == [{"frame": 0, "object": 1, "points": [[782, 301]], "labels": [1]}]
    assert messages(page) == []
    assert mask(page, 1).any()
    page.get_log("browser")  # the browser notes what failed


SILENT = """
const real = window.fetch;
window.fetch = (url, options) => {
  if (!String(url).includes('api/document')) return real(url, options);
  window.fetch = real;
  return new Promise((_, fail) => options.signal.addEventListener('abort', () => fail(options.signal.reason)));
}"""


@pytest.mark.slow
def test_a_line_that_went_dead_is_noticed(page):
    page.execute_script(SILENT)
    click_while_lost(page)
    assert mask(page, 1).any()
    assert messages(page) == []


LATE = """
const real = window.fetch;
window.fetch = async (url, ...more) => {
  const answer = await real(url, ...more);
  if (String(url).includes('api/frame/40')) await new Promise(done => { window.release = done; });
  return answer;
}"""


def test_a_late_frame_covers_no_newer_one(page):
    page.execute_script(LATE)
    number = "const number = document.getElementById('frame'); number.value = arguments[0];"
    for frame in (40, 70):
        page.execute_script(f"{number} number.dispatchEvent(new Event('change'))", frame)
    wait(page, "return window.vidseg.frame === 70 && Boolean(window.release)")
    assert not page.execute_script("return window.vidseg.ready")
    page.execute_script("window.release()")
    wait_ready(page)
    assert page.execute_script("return window.vidseg.frame") == 70
