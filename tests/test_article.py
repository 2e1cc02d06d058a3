"""docs/article.ipynb, the article's way in a notebook, is executed as it stands."""

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient

NOTEBOOK = ROOT / "docs" / "article.ipynb"


def outputs(cell):
    """The MIME types of what a cell displays, and its text."""
    shown = [output for output in cell.outputs if output.output_type != "stream"]
    types = {name for output in shown for name in output.data}
    text = "".join(output.text if "text" in output else output.data.get("text/plain", "") for output in cell.outputs)
    return types, text


@pytest.mark.slow
def test_the_notebook_of_the_article_runs(tmp_path, monkeypatch):
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code), "clear the outputs before a commit"
    NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}}).execute()

    told = {cell.source.strip().splitlines()[-1]: outputs(cell) for cell in code}
    for ends in (
        "vidseg.show(source[0])",
        "vidseg.show(source[0], prompts=click)",
        "vidseg.show(frame, masks, click)",
        "run.show(last)",
        "vidseg.show(vidseg.open_source(cutout)[last])",
        'vidseg.show(vidseg.open_source(again.folder / "greenscreen.mp4")[last])',
    ):
        assert "image/png" in told[ends][0], ends
    assert "text/html" in told["Video(str(cutout), embed=True, width=640)"][0]
    assert told["run"][1].startswith("finished: nano on cpu")
    (iou,) = [text for _, text in told.values() if "IoU of the masks" in text]
    assert float(iou.rpartition("mean ")[2].partition(",")[0]) > 0.7
    assert "first" in told["%run -m vidseg.compare runs/article --no-html"][1]
    assert (tmp_path / "runs/replayed/transparent.mov").stat().st_size > 10_000
