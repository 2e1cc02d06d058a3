"""How the picker's page looks: in light and dark, on wide and narrow windows."""

import pytest
from browsing import emulated, find
from picking import click, place, wait_ready

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (400, 760)])
def test_it_is_readable_in_light_and_dark_on_wide_and_narrow_windows(page, scheme, size):
    with emulated(page, *size, scheme=scheme):
        wait_ready(page)
        click(page, place(page, 782, 301))
        assert page.execute_script("return document.documentElement.scrollWidth") <= size[0]
        stage = find(page, "#stage")[0].rect
        assert stage["width"] * stage["height"] > 0.4 * size[0] * size[1]
        ratio = page.execute_script(CONTRAST)
        assert min(ratio.values()) >= 4.5, ratio


CONTRAST = """
const pen = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
const luminance = (colours) => {
  for (const colour of colours) {
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
  }
  const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map(level => level / 255)
    .map(level => (level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (node) => (node ? [...behind(node.parentElement), getComputedStyle(node).backgroundColor] : ['#fff']);
const nodes = document.querySelectorAll('header button, small, aside p, aside h2, aside button, output, .now');
const read = (node) => node.offsetParent && node.textContent.trim() && node.ariaDisabled !== 'true';
return Object.fromEntries([...nodes].filter(read).map(node => {
  const back = behind(node);
  const [dark, light] = [luminance(back), luminance([...back, getComputedStyle(node).color])].sort((a, b) => a - b);
  return [node.textContent.trim().slice(0, 30), (light + 0.05) / (dark + 0.05)];
}));"""
