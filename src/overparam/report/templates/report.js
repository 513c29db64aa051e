// The page's behaviour: charts that answer pointer and keyboard, series that can be hidden,
// files that can be saved, a light and a dark theme. It loads nothing and moves nothing by itself.
(() => {
  const page = JSON.parse(document.getElementById("report-data").textContent);
  const root = document.documentElement;
  const narrow = window.matchMedia("(max-width: 700px)");
  const tip = startTip();
  root.classList.add("js");

  for (const element of document.querySelectorAll("figure[data-figure]")) {
    const figure = page.figures[Number(element.dataset.figure)];
    const canvas = element.querySelector(".canvas");
    // What is saved is the drawing as it came, before anything was hidden or marked in it.
    const drawn = canvas
      ? new XMLSerializer().serializeToString(canvas.querySelector("svg"))
      : figure.svg;
    const drawing = figure.gallery ? startGallery(element, figure, tip) : () => drawn;
    for (const button of element.querySelectorAll("[data-save]")) {
      button.addEventListener("click", () => save(figure, drawing(), button.dataset.save));
    }
    if (figure.wide) startChart(element, canvas, figure);
    if (canvas && element.classList.contains("heat")) startHeat(element, canvas, tip);
  }
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", () => copy(button));
  }
  startTheme(document.getElementById("theme"));
  startPrint();

  // Charts ----------------------------------------------------------------------------------

  function startChart(element, canvas, figure) {
    const state = { view: null, hidden: new Set(), cursor: "", turn: 0 };
    const readout = element.querySelector(".readout");
    const draw = () => drawChart(canvas, figure, state);

    for (const chip of element.querySelectorAll(".chip")) {
      chip.addEventListener("click", () => {
        const shown = chip.getAttribute("aria-pressed") === "true";
        chip.setAttribute("aria-pressed", String(!shown));
        if (shown) state.hidden.add(chip.dataset.key);
        else state.hidden.delete(chip.dataset.key);
        state.view?.signal("hidden", [...state.hidden]).runAsync();
      });
    }
    canvas.addEventListener("keydown", (event) => {
      const row = nextPoint(figure, state, event.key);
      if (row === undefined) return;
      event.preventDefault();
      setCursor(figure, state, readout, row);
    });
    canvas.addEventListener("blur", () => setCursor(figure, state, readout, null));
    narrow.addEventListener("change", draw);
    draw();
  }

  async function drawChart(canvas, figure, state) {
    const turn = ++state.turn; // a later call overtakes an earlier one that has not finished
    const layout = narrow.matches ? figure.narrow : figure.wide;
    const box = document.createElement("div");
    const result = await window.vegaEmbed(
      box,
      // A copy: Vega writes into the rows that it is given.
      { ...layout, datasets: structuredClone(figure.datasets) },
      {
        mode: "vega-lite",
        renderer: "svg",
        actions: false,
        ast: true, // interpreted expressions: the page's policy forbids eval
        tooltip: { disableDefaultStyle: true, theme: "custom" },
      },
    );
    if (turn !== state.turn) return result.finalize();
    state.view?.finalize();
    state.view = result.view;
    canvas.replaceChildren(box);
    result.view.signal("hidden", [...state.hidden]).signal("cursor", state.cursor).run();
  }

  // Return the row that a key leads to, null for none, undefined if the key means nothing here.
  function nextPoint(figure, state, key) {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    if (key === "Escape") return null;
    if (!(key in step)) return undefined;
    const lines = new Map();
    for (const row of figure.datasets.rows) {
      if (row.y === null || state.hidden.has(row.key)) continue;
      const name = `${row.panel}:${row.key}`;
      if (!lines.has(name)) lines.set(name, []);
      lines.get(name).push(row);
    }
    const all = [...lines.values()];
    if (!all.length) return null;
    const line = all.findIndex((rows) => rows.some((row) => row.id === state.cursor));
    if (line < 0) return all[0][0];
    const place = all[line].findIndex((row) => row.id === state.cursor);
    const [down, right] = step[key];
    if (!down) return all[line][clamp(place + right, all[line].length)];
    const other = all[clamp(line + down, all.length)];
    const distance = (row) => Math.abs(row.x - all[line][place].x);
    return other.reduce((best, row) => (distance(row) < distance(best) ? row : best));
  }

  function setCursor(figure, state, readout, row) {
    state.cursor = row ? row.id : "";
    state.view?.signal("cursor", state.cursor).runAsync();
    readout.textContent = row ? describePoint(figure, row) : "";
  }

  function describePoint(figure, row) {
    const axes = figure.axes[row.panel];
    const parts = [`${row.name}: ${axes.x} ${row.x_text}`, `${axes.y} ${row.y_text}`];
    if (row.interval !== "–") parts.push(`band ${row.interval}`);
    if (row.seeds !== null) parts.push(`${row.seeds} ${row.seeds === 1 ? "seed" : "seeds"}`);
    return parts.join(", ");
  }

  function clamp(place, length) {
    return Math.min(Math.max(place, 0), length - 1);
  }

  // Files -----------------------------------------------------------------------------------

  async function save(figure, drawing, kind) {
    if (kind === "csv") return download(`${figure.stem}.csv`, new Blob([figure.csv], { type: "text/csv" }));
    // Files are for paper: the page's colour variables become the light theme's colours.
    const svg = drawing.replace(/var\(--([\w-]+)\)/g, (_, name) => page.light[name] ?? "#000");
    const type = "image/svg+xml";
    if (kind === "svg") return download(`${figure.stem}.svg`, new Blob([svg], { type }));
    const image = new Image();
    image.src = `data:${type};charset=utf-8,${encodeURIComponent(svg)}`;
    await image.decode();
    const surface = document.createElement("canvas");
    surface.width = 2 * image.width;
    surface.height = 2 * image.height;
    const pen = surface.getContext("2d");
    pen.fillStyle = page.light.paper;
    pen.fillRect(0, 0, surface.width, surface.height);
    pen.drawImage(image, 0, 0, surface.width, surface.height);
    surface.toBlob((blob) => download(`${figure.stem}.png`, blob), "image/png");
  }

  function download(name, blob) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async function copy(button) {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      // Without permission for the clipboard: select the text and use the old command.
      const range = document.createRange();
      range.selectNodeContents(code);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }

  // Print -----------------------------------------------------------------------------------

  // Folded words are printed; folded numbers only where the reader opened them.
  function startPrint() {
    let opened = [];
    window.addEventListener("beforeprint", () => {
      opened = [...document.querySelectorAll("details:not([open]):not(.behind)")];
      for (const fold of opened) fold.open = true;
    });
    window.addEventListener("afterprint", () => {
      for (const fold of opened) fold.open = false;
    });
  }
})();
