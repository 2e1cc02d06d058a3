"use strict";
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const players = [];

// Loads Plotly, which is gzipped in the page: 2 MB instead of 5.
async function loadPlotly() {
  const packed = new Blob([bytes(document.getElementById("plotly").textContent)]);
  const stream = packed.stream().pipeThrough(new DecompressionStream("gzip"));
  const script = document.createElement("script");
  script.textContent = await new Response(stream).text();
  document.head.append(script);
}

// The change to a chart that gives it the colours of the page, light or dark.
function colours() {
  const style = getComputedStyle(document.documentElement);
  const [ink, soft, card, grid] = ["--ink", "--soft", "--card", "--grid"].map((name) => style.getPropertyValue(name).trim());
  const change = {
    "font.color": soft, "hoverlabel.bgcolor": card, "hoverlabel.bordercolor": grid, "hoverlabel.font.color": ink,
  };
  for (const axis of ["xaxis", "yaxis"]) change[`${axis}.gridcolor`] = change[`${axis}.linecolor`] = grid;
  return change;
}

// The labels above rows, cut in the middle where the chart is narrower: names of runs differ at both ends.
const pen = document.createElement("canvas").getContext("2d");
function labels({ annotations = [] }, width) {
  const change = {};
  annotations.forEach(({ name, font }, n) => {
    if (!name) return;
    pen.font = `${font.size}px system-ui, sans-serif`;
    let text = name;
    for (let kept = name.length - 1; kept > 4 && pen.measureText(text).width > width; kept--) {
      text = `${name.slice(0, Math.ceil(kept / 2))}…${name.slice(name.length - Math.floor(kept / 2))}`;
    }
    change[`annotations[${n}].text`] = text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  });
  return change;
}

async function drawCharts() {
  await loadPlotly();
  const charts = read("charts");
  const nodes = all("[data-chart]");
  const paint = () => Promise.all(nodes.map((node) =>
    Plotly.relayout(node, { ...colours(), ...labels(charts[node.dataset.chart].layout, node.clientWidth - 24) })));
  for (const node of nodes) {
    const { data, layout } = charts[node.dataset.chart];
    node.style.height = `${layout.height}px`;
    await Plotly.newPlot(node, data, layout, { displayModeBar: false, responsive: true });
  }
  await paint();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  addEventListener("resize", paint);
  for (const player of players) player.join(all(".chart.frames", player.section));
  await Promise.all(all("video").map(drawn));
  document.documentElement.dataset.ready = "true";
}

// Until a video shows a picture, or can't.
function drawn(video) {
  return new Promise((resolve) => {
    const look = () => { if ((video.readyState >= 2 && !video.seeking) || video.error) resolve(); };
    for (const event of ["loadeddata", "seeked", "canplay", "error"]) video.addEventListener(event, look);
    look();
  });
}

// One time for all overlays of a video: that of the slider, or of the longest clip while they play.
class Player {
  constructor(section, { frames, times_s, score, clips }) {
    Object.assign(this, { section, frames, times: times_s, score, clips, charts: [], now: 0 });
    this.slider = section.querySelector("input");
    this.button = section.querySelector(".play");
    this.videos = all("video", section);
    this.videos.forEach((video, n) => {
      video.src = URL.createObjectURL(new Blob([bytes(clips[n].mp4)], { type: "video/mp4" }));
      // A time that is set before the video is there may be forgotten, and its tile stays black.
      video.addEventListener("loadedmetadata", () => this.put(video, this.times[this.now] - clips[n].start_s));
    });
    this.slider.addEventListener("input", () => this.seek(Number(this.slider.value)));
    this.button.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
    section.querySelector("select").addEventListener("change", ({ target }) =>
      this.videos.forEach((video) => (video.playbackRate = Number(target.value))));
    section.querySelector(".player").addEventListener("keydown", (event) => {
      if (event.key !== " " || event.target.matches("button, select")) return;
      event.preventDefault();
      this.button.click();
    });
    all(".jump", section).forEach((jump) => jump.addEventListener("click", () => {
      this.pause();
      this.seek(this.nearest(Number(jump.dataset.frame), this.frames));
      section.querySelector(".player").scrollIntoView({ behavior: "smooth", block: "center" });
    }));
    this.seek(0);
  }

  nearest(value, values) {
    let low = 0, high = values.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (values[middle] <= value) low = middle; else high = middle - 1;
    }
    return low;
  }

  seek(place) {
    this.videos.forEach((video, n) => this.put(video, this.times[place] - this.clips[n].start_s));
    this.show(place);
  }

  put(video, time) {
    // A millisecond after the start of the frame, because time stamps are rounded. A clip waits before and after its frames.
    video.currentTime = Math.max(0, Math.min(time + 0.001, (video.duration || Infinity) - 0.001));
  }

  show(place) {
    this.now = place;
    this.slider.value = place;
    const text = `frame ${this.frames[place]} · ${this.times[place].toFixed(2)} s`;
    this.section.querySelector(".now").textContent = text;
    this.slider.setAttribute("aria-valuetext", text);
    all(".clips .score", this.section).forEach((output, n) => {
      const score = this.clips[n].scores[place];
      const alone = this.clips[n].reference ? "reference" : "";
      output.textContent = score == null ? alone : score.toFixed ? `${this.score} ${score.toFixed(3)}` : score;
    });
    for (const chart of this.charts) {
      Plotly.relayout(chart, { "shapes[0].x0": this.frames[place], "shapes[0].x1": this.frames[place] });
    }
  }

  join(charts) {
    this.charts = charts;
    for (const chart of charts) {
      Plotly.relayout(chart, { shapes: [{ type: "line", yref: "paper", y0: 0, y1: 1, line: { width: 1, color: "#8a8f98" } }] });
      chart.on("plotly_click", ({ points }) => { this.pause(); this.seek(this.nearest(points[0].x, this.frames)); });
    }
    this.show(this.now);
  }

  play() {
    if (this.now >= this.frames.length - 1) this.seek(0);
    this.playing = true;
    this.button.classList.add("playing");
    this.button.setAttribute("aria-label", "Pause");
    const ends = this.videos.map((video, n) => this.clips[n].start_s + video.duration);
    const leader = ends.indexOf(Math.max(...ends));
    this.videos.forEach((video) => video.play().catch(() => {}));
    const tick = () => {
      if (!this.playing) return;
      const time = this.videos[leader].currentTime + this.clips[leader].start_s;
      this.videos.forEach((video, n) => {
        const wanted = time - this.clips[n].start_s;
        const inside = wanted >= 0 && wanted < video.duration;
        if (inside && Math.abs(video.currentTime - wanted) > 0.1) this.put(video, wanted);
        if (inside && video.paused) video.play().catch(() => {});
        if (wanted < 0 && !video.paused) video.pause();
      });
      const place = this.nearest(time + 0.001, this.times);
      if (place !== this.now) this.show(place);
      if (this.videos[leader].ended) this.pause(); else requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.button.classList.remove("playing");
    this.button.setAttribute("aria-label", "Play");
    this.videos.forEach((video) => video.pause());
    this.seek(this.now);
  }
}

function hideSeries(series, hidden) {
  all(`.gallery [data-series="${series}"]`).forEach((node) => (node.hidden = hidden));
  for (const chart of all("[data-chart]")) {
    const traces = (chart.data || []).flatMap((trace, n) => (trace.meta === series ? [n] : []));
    if (traces.length) Plotly.restyle(chart, { visible: !hidden }, traces);
  }
}

function sortTable(header) {
  const body = header.closest("table").tBodies[0];
  const column = header.cellIndex;
  const first = header.dataset.better === "1" ? "descending" : "ascending"; // the best value first
  const other = { ascending: "descending", descending: "ascending" };
  const now = header.getAttribute("aria-sort");
  const order = now ? other[now] : first;
  all("th", header.parentNode).forEach((th) => th.removeAttribute("aria-sort"));
  header.setAttribute("aria-sort", order);
  const value = (row) => row.cells[column].dataset.value;
  const number = (row) => (value(row) === "" ? NaN : Number(value(row)));
  const rank = (a, b) => {
    if (value(a) === "" || value(b) === "") return (value(a) === "") - (value(b) === ""); // cells without a value come last
    const difference = Number.isNaN(number(a) - number(b))
      ? Number.isNaN(number(a)) - Number.isNaN(number(b)) || value(a).localeCompare(value(b))
      : number(a) - number(b);
    return order === "ascending" ? difference : -difference;
  };
  body.append(...[...body.rows].sort(rank));
}

all("th button").forEach((button) => button.addEventListener("click", () => sortTable(button.parentNode)));
all(".chip").forEach((chip) => chip.addEventListener("click", () => {
  const shown = chip.getAttribute("aria-pressed") !== "true";
  chip.setAttribute("aria-pressed", String(shown));
  hideSeries(Number(chip.dataset.series), !shown);
}));
const galleries = read("galleries");
all(".gallery").forEach((section) => {
  if (section.querySelector(".player")) players.push(new Player(section, galleries[section.dataset.gallery]));
});
drawCharts();
