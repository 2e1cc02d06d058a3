"""Detectors of any phrase, by transformers: Grounding DINO (Liu et al. 2023, arXiv 2303.05499) and OWLv2 (Minderer et
al. 2023, arXiv 2306.09683). Both score every box for every token or phrase; the phrase with the best score names it.
"""

import logging
import string
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vidseg import packages, weights
from vidseg.devices import resolve_device
from vidseg.errors import InputError
from vidseg.model.detector import published
from vidseg.model.detector.detections import check_share, detections
from vidseg.types import RGB, Detections

log = logging.getLogger(__name__)

EXAMPLE = '"the red bicycle. a dog."'


class TextDetector(ABC):
    """What the two share.

    - ``checkpoint``: hf://OWNER/REPOSITORY, or a folder with the files that transformers saves, or "random": the
      smallest published architecture with weights drawn from ``seed``, which spells words in letters.
    - ``text``: the phrases, a list, or one text with a full stop after each.
    - ``confidence``: the lowest score of a detection, 0 to 1.
    - ``nms``: of two boxes with a larger IoU only the surer one counts, 0 to 1.
    - ``device``: see ``vidseg.devices.resolve_device``.

    Raises InputError, beginning with the parameter, for values out of range, for a text without words or with too
    many, if transformers is missing, and if the weights can't be had or are of another model.
    """

    FILES: ClassVar[tuple[str, ...]]  # of a repository
    classes: tuple[str, ...] | None = None

    def __init__(
        self, checkpoint: str, text: str | Sequence[str] | None, confidence: float, nms: float, device: str = "auto",
        seed: int = 0,
    ) -> None:  # fmt: skip
        check_share("confidence", confidence)
        check_share("nms", nms)
        self._confidence, self._nms = confidence, nms
        self._phrases = phrases(text)
        self._device = resolve_device(device)
        self.device = str(self._device)
        package = packages.load("transformers", "text")
        package.utils.logging.disable_progress_bar()
        self.provenance: Mapping[str, str] = {"checkpoint": checkpoint}
        if checkpoint == published.RANDOM:
            import torch

            log.warning("checkpoint=random: random weights: the detections are not real")
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self._model, self._processor = self._drawn(package)
        else:
            folder, self.provenance = weights.locate_all(checkpoint, self.FILES)
            try:
                self._model, self._processor = self._read(package, folder)
            except Exception as error:  # of files that are damaged or of another model, in any layer
                why = (str(error).splitlines() or [""])[0]
                raise InputError(
                    f"checkpoint: {folder} holds no {type(self).__name__} that transformers can load: {why}"
                ) from error
        self._model.eval().to(self._device)
        self._tokens = self._tokenized()

    def detect(self, rgb_hw3: RGB) -> Detections:
        """What the phrases describe in a picture, uint8 (height, width, 3)."""
        import torch

        height, width = rgb_hw3.shape[:2]
        picture = self._processor.image_processor(Image.fromarray(np.ascontiguousarray(rgb_hw3)), return_tensors="pt")
        inputs = {name: array.to(self._device) for name, array in {**picture, **self._tokens}.items()}
        with torch.inference_mode():
            made = self._model(**inputs)
        scores_qp = self._scores(made.logits[0].sigmoid().float().cpu().numpy())
        best = scores_qp.argmax(1)
        centres, sizes = np.split(made.pred_boxes[0].float().cpu().numpy(), 2, axis=1)  # in shares of the picture
        boxes = np.concatenate([centres - sizes / 2, centres + sizes / 2], 1) * self._scale(height, width)
        names = [self._phrases[number] for number in best]
        scores = scores_qp.max(1)
        return detections((height, width), boxes, scores, names, None, self._confidence, self._nms)

    @abstractmethod
    def _read(self, package: Any, folder: Path) -> tuple[Any, Any]:
        """Model and processor from a folder."""

    @abstractmethod
    def _drawn(self, package: Any) -> tuple[Any, Any]:
        """Model and processor of ``checkpoint="random"``."""

    @abstractmethod
    def _tokenized(self) -> dict[str, Any]:
        """The phrases as tensors for the model."""

    @abstractmethod
    def _scores(self, shares: NDArray[np.float32]) -> NDArray[np.float32]:
        """The score (boxes, phrases) of each phrase from what the model says of each box."""

    @abstractmethod
    def _scale(self, height: int, width: int) -> NDArray[np.float32]:
        """The pixels (4,) that the sides of the model's picture are in the real one: x, y, x, y."""


class GroundingDINO(TextDetector):
    """Grounding DINO: reads all phrases as one caption and scores each box for each of its tokens."""

    FILES = ("config.json", "model.safetensors", "preprocessor_config.json", "tokenizer_config.json", "tokenizer.json")

    def _read(self, package: Any, folder: Path) -> tuple[Any, Any]:
        model = package.GroundingDinoForObjectDetection.from_pretrained(folder, local_files_only=True)
        return model, package.GroundingDinoProcessor.from_pretrained(folder, local_files_only=True)

    def _drawn(self, package: Any) -> tuple[Any, Any]:
        letters = [*string.ascii_lowercase, *string.digits]
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", "-", *letters, *(f"##{x}" for x in letters)]
        tokenizer = package.BertTokenizer(vocab={word: number for number, word in enumerate(words)})
        processor = package.GroundingDinoProcessor(package.GroundingDinoImageProcessorPil(), tokenizer)
        return package.GroundingDinoForObjectDetection(package.GroundingDinoConfig()), processor

    def _tokenized(self) -> dict[str, Any]:
        caption = " ".join(f"{phrase.lower()}." for phrase in self._phrases)
        tokens = self._processor.tokenizer(caption, return_tensors="pt")
        ids = tokens["input_ids"][0].tolist()
        if len(ids) > (most := self._model.config.max_text_len):
            raise InputError(f"text: {len(ids)} tokens; Grounding DINO reads {most}: give fewer or shorter phrases")
        stop = self._processor.tokenizer.convert_tokens_to_ids(".")
        ends = [place for place, token in enumerate(ids) if token == stop]
        self._columns = [range(start + 1, end) for start, end in zip([0, *ends], ends, strict=False)]  # 0 is [CLS]
        return dict(tokens)

    def _scores(self, shares: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack([shares[:, columns.start : columns.stop].max(1) for columns in self._columns], 1)

    def _scale(self, height: int, width: int) -> NDArray[np.float32]:
        return np.array([width, height, width, height], np.float32)


class OWLv2(TextDetector):
    """OWLv2: compares each box with each phrase."""

    FILES = (
        "config.json", "model.safetensors", "preprocessor_config.json", "tokenizer_config.json", "vocab.json",
        "merges.txt",
    )  # fmt: skip

    def _read(self, package: Any, folder: Path) -> tuple[Any, Any]:
        model = package.Owlv2ForObjectDetection.from_pretrained(folder, local_files_only=True)
        return model, package.Owlv2Processor.from_pretrained(folder, local_files_only=True)

    def _drawn(self, package: Any) -> tuple[Any, Any]:
        letters = [*string.ascii_lowercase, *string.digits, "-"]
        words = ["!", "<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
        tokenizer = package.CLIPTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[])
        config = package.Owlv2Config()
        config.text_config.bos_token_id, config.text_config.eos_token_id = 1, 2
        processor = package.Owlv2Processor(package.Owlv2ImageProcessorPil(), tokenizer)
        return package.Owlv2ForObjectDetection(config), processor

    def _tokenized(self) -> dict[str, Any]:
        most = self._model.config.text_config.max_position_embeddings
        asked = [f"a photo of {phrase}" for phrase in self._phrases]  # as its authors ask
        for phrase, ids in zip(self._phrases, self._processor.tokenizer(asked)["input_ids"], strict=True):
            if len(ids) > most:
                log.warning("text: %r is %d tokens; OWLv2 reads the first %d", phrase, len(ids), most)
        return dict(
            self._processor.tokenizer(
                asked, padding="max_length", max_length=most, truncation=True, return_tensors="pt"
            )
        )

    def _scores(self, shares: NDArray[np.float32]) -> NDArray[np.float32]:
        return shares

    def _scale(self, height: int, width: int) -> NDArray[np.float32]:
        return np.full(4, max(height, width), np.float32)  # its picture is a square, padded below or to the right


def phrases(text: str | Sequence[str] | None) -> list[str]:
    """The phrases of a list, or of a text with full stops between them; each once. Raises InputError without any."""
    parts = text.split(".") if isinstance(text, str) else list(text or ())
    found = [" ".join(str(part).replace(".", " ").replace("?", " ").split()) for part in parts]
    if not (once := list(dict.fromkeys(filter(None, found)))):
        raise InputError(f"text: {text!r} has no words; say what to look for, with a full stop after each: {EXAMPLE}")
    return once
