# make demo and make test need a Python 3.11 or newer and its venv module; everything else is installed into .venv.
PYTHON ?= python3
VENV   ?= .venv
OTHER  ?= .venv-detectors
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check -q

.PHONY: demo test test-slow test-detectors torture soak parity bench bench-gpu bench-peers bench-flops bench-memory bench-joins bench-resume bench-pace bench-encoders bench-interactive bench-mattes format clean

demo: $(VENV)/.installed  ## the main job on the built-in clip, offline, no account: from a click, then from a detector
	$(BIN)/python -m vidseg output=[cutout,overlay,rle,transparent_mov]
	$(BIN)/python -m vidseg prompt=detect prompt.classes=[person] prompt.every=15 extract.stop=90 \
	    output=[cutout,overlay] output.overlay.ids=names

test: $(VENV)/.installed-dev  ## all checks but the slow tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow and not detectors"

test-slow: $(VENV)/.installed-dev  ## the slow tests, which CI runs too
	$(BIN)/pytest -n 2 --dist worksteal -m "slow and not detectors"

test-detectors: $(OTHER)/.installed  ## the tests of YOLO, Mask R-CNN, RF-DETR, Grounding DINO and OWLv2, in an environment of their own
	@test ! -s $(OTHER)/.unavailable || { echo "test-detectors skipped: $$(cat $(OTHER)/.unavailable)"; exit 0; }
	@test -s $(OTHER)/.unavailable || $(OTHER)/bin/python -m pytest -m detectors tests/detectors

torture: $(VENV)/.installed  ## damaged inputs, kills, full disks, broken services, two at once; an hour on 2 cores
	$(BIN)/python -m benchmarks.torture

soak: $(VENV)/.installed  ## ten hours of video with flat memory, killed and resumed in the ninth hour
	$(BIN)/python -m benchmarks.torture.soak

parity: $(VENV)/.installed-dev  ## the tests against upstream at the size that the models learnt; some hours on 2 cores
	VIDSEG_PARITY_SIZE=1024 $(BIN)/pytest tests/model/test_sam2.py tests/model/test_engine.py -k "upstream or compile" --timeout 7200

bench: $(VENV)/.installed  ## vidseg, upstream's predictors and the article's pipeline: same clip, weights and precision
	$(BIN)/python -m benchmarks.engine

bench-gpu: $(VENV)/.installed  ## the same on an NVIDIA GPU at 1024x1024 in bfloat16, in steps: STEPS="--seconds 540"
	$(BIN)/python -m benchmarks.gpu $(STEPS)

bench-peers: $(OTHER)/.installed  ## transformers', Ultralytics' and upstream's SAM 2 beside ours, in steps
	@test ! -s $(OTHER)/.unavailable || { echo "bench-peers skipped: $$(cat $(OTHER)/.unavailable)"; exit 0; }
	@test -s $(OTHER)/.unavailable || $(OTHER)/bin/python -m benchmarks.peers $(STEPS)

bench-flops: $(VENV)/.installed  ## our frame against upstream's arithmetic at the rate of the machine's products
	$(BIN)/python -m benchmarks.flops

bench-memory: $(VENV)/.installed  ## peak memory at 200 to 5,000 frames; draws docs/memory.png
	$(PIP) install -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks.memory

bench-joins: $(VENV)/.installed  ## memory while four objects join four others, over 2,000 frames
	$(BIN)/python -m benchmarks.joins

bench-resume: $(VENV)/.installed  ## what checkpoints cost a run
	$(BIN)/python -m benchmarks.resume

bench-pace: $(VENV)/.installed  ## where each millisecond of a run goes, by thread, with a model that costs nothing and with nano
	$(BIN)/python -m benchmarks.pace --nano

bench-encoders: $(VENV)/.installed  ## presets of H.264 by their quality at equal size
	$(BIN)/python -m benchmarks.encoders

bench-interactive: $(VENV)/.installed  ## what corrective clicks do to nano's masks: DATA=FOLDER of videos with ground truth
	$(BIN)/python -m benchmarks.interactive --clicks 1,3 $(if $(DATA),--data $(DATA))

bench-mattes: $(VENV)/.installed-dev  ## how near mattes come to the built-in clip's alpha, and what they cost
	$(BIN)/python -m benchmarks.mattes

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) install -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) install -c constraints.txt -e '.[dev]'
	touch $@

# Another torch than in .venv, as torchvision has to be built for it. Where the packages can't be had, the file
# .unavailable holds the reason.
$(OTHER)/.installed: pyproject.toml constraints-detectors.txt tests/detectors/requirements.txt
	$(PYTHON) -m venv $(OTHER)
	rm -f $(OTHER)/.unavailable
	{ $(OTHER)/bin/python -m pip --disable-pip-version-check -q install --no-compile -c constraints-detectors.txt \
	    -e '.[mask-rcnn,onnx,rfdetr,text,yolo]' -r tests/detectors/requirements.txt pytest pytest-timeout && \
	  $(OTHER)/bin/python -m pip --disable-pip-version-check -q install --no-compile -c constraints-detectors.txt \
	    --no-deps datumaro trackeval; } \
	    || echo "the packages of constraints-detectors.txt can't be installed here" > $(OTHER)/.unavailable
	touch $@

clean:
	rm -rf $(VENV) $(OTHER) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
