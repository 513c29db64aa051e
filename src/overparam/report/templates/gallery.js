// A gallery of networks: a switch between families, a slider over levels, a grid that arrow keys
// walk through, and the way of one input through the layers of one network.
function startGallery(element, figure, tip) {
  const data = figure.gallery;
  const root = element.querySelector(".gallery-body");
  const pictures = [...root.querySelectorAll("img")].map((image) => image.src);
  const drawing = () => figure.svg.replace(/href="img:(\d+)"/g, (_, k) => `href="${pictures[k]}"`);
  if (!data.families.length) return drawing;

  const readout = root.querySelector(".readout");
  const slider = root.querySelector("input[type=range]");
  const travel = root.querySelector(".travel");
  const radios = [...root.querySelectorAll(".switch input")];
  const grids = [...root.querySelectorAll(".family")].map(readGrid);
  const training = [...grids[0].section.querySelectorAll(".training .px")];
  const strips = new Map(); // address of a layer's picture to the loaded picture
  const state = { family: 0, view: 0, input: 0, turn: 0 };

  radios.forEach((radio, k) => radio.addEventListener("change", () => chooseFamily(k)));
  slider.addEventListener("input", () => choose(Number(slider.value), state.input));
  root.addEventListener("pointerleave", tip.hide);
  grids.forEach(startGrid);
  // The browser may have kept the switch's position over a reload.
  state.family = Math.max(radios.findIndex((radio) => radio.checked), 0);
  state.view = Math.floor((views().length - 1) / 2);
  chooseFamily(state.family);
  readout.textContent = ""; // nothing is read aloud before anyone asked
  return drawing;

  function views(family = state.family) {
    return data.families[family].views;
  }

  function readGrid(section) {
    const rows = [...section.querySelectorAll("tbody tr")];
    return {
      section,
      rows,
      box: section.querySelector(".grid-box"),
      table: section.querySelector("table"),
      heads: [...section.querySelectorAll("thead th:not(.corner)")],
      cells: rows.map((row) => [...row.querySelectorAll("td")]),
    };
  }

  // Grid ------------------------------------------------------------------------------------

  function startGrid(grid, family) {
    grid.table.setAttribute("role", "grid");
    grid.rows.forEach((row, v) => {
      row.querySelector("th").addEventListener("click", () => choose(v, state.input));
    });
    grid.heads.forEach((head, i) => head.addEventListener("click", () => choose(state.view, i)));
    grid.cells.forEach((row, v) =>
      row.forEach((cell, i) => {
        cell.tabIndex = -1;
        cell.addEventListener("click", () => {
          choose(v, i);
          cell.focus();
        });
        cell.addEventListener("focus", () => {
          setStop(grid, v, i);
          readout.textContent = sentence(family, v, i);
          if (cell.matches(":focus-visible")) showTip(cell, family, v, i);
        });
        cell.addEventListener("blur", tip.hide);
        cell.addEventListener("pointerenter", () => {
          readout.textContent = sentence(family, v, i);
          showTip(cell, family, v, i);
        });
        cell.addEventListener("pointerleave", tip.hide);
        cell.addEventListener("keydown", (event) => walk(event, grid, v, i));
      }),
    );
    setStop(grid, 0, 0);
  }

  // Exactly one cell of a grid is in the page's tab order.
  function setStop(grid, view, input) {
    if (grid.stop) grid.stop.tabIndex = -1;
    grid.stop = grid.cells[view]?.[input];
    if (grid.stop) grid.stop.tabIndex = 0;
  }

  function walk(event, grid, view, input) {
    const last = grid.cells[view].length - 1;
    const bottom = grid.cells.length - 1;
    const far = event.ctrlKey;
    const to = {
      ArrowRight: [view, Math.min(input + 1, last)],
      ArrowLeft: [view, Math.max(input - 1, 0)],
      ArrowDown: [Math.min(view + 1, bottom), input],
      ArrowUp: [Math.max(view - 1, 0), input],
      Home: [far ? 0 : view, 0],
      End: [far ? bottom : view, last],
    }[event.key];
    if (to) grid.cells[to[0]][to[1]].focus();
    else if (event.key === "Enter" || event.key === " ") choose(view, input);
    else return;
    event.preventDefault();
  }

  // Choosing --------------------------------------------------------------------------------

  function chooseFamily(family) {
    const level = views()[state.view].level;
    state.family = family;
    grids.forEach((grid, k) => grid.section.classList.toggle("off", k !== family));
    slider.max = String(views().length - 1);
    // The network of the nearest level: the same depth of another family is one click away.
    const distance = (view) => Math.abs(view.level - level);
    const nearest = views().reduce((best, v, k, all) => (distance(v) < distance(all[best]) ? k : best), 0);
    choose(nearest, state.input);
  }

  function choose(view, input) {
    Object.assign(state, { view, input });
    const grid = grids[state.family];
    for (const one of grids) {
      one.rows.forEach((row, k) => {
        row.classList.toggle("current", one === grid && k === view);
        if (one === grid && k === view) row.setAttribute("aria-selected", "true");
        else row.removeAttribute("aria-selected");
      });
      one.heads.forEach((head, k) => head.classList.toggle("current", k === input));
      one.cells.forEach((row, v) =>
        row.forEach((cell, i) => cell.classList.toggle("picked", one === grid && v === view && i === input)),
      );
    }
    const label = views()[view].label;
    slider.value = String(view);
    slider.setAttribute("aria-valuetext", label);
    root.querySelector(".level output").textContent = label;
    setStop(grid, view, input);
    reveal(grid, view);
    readout.textContent = sentence(state.family, view, input);
    showTravel();
  }

  // Scroll the grid's own box, never the page, until the row is in sight.
  function reveal(grid, view) {
    const { box, rows, table } = grid;
    const head = table.tHead.offsetHeight;
    box.style.scrollPadding = `${head}px 0 0 ${table.querySelector(".corner").offsetWidth}px`;
    const top = rows[view].offsetTop;
    const bottom = top + rows[view].offsetHeight;
    if (top - head < box.scrollTop) box.scrollTop = top - head;
    else if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
  }

  // Words -----------------------------------------------------------------------------------

  function scores(family, view, input) {
    const values = views(family)[view].scores;
    return data.scores.map((name, k) => [name, values[k][input]]);
  }

  function sentence(family, view, input) {
    const { label, note } = views(family)[view];
    const numbers = scores(family, view, input).map((pair) => pair.join(" "));
    const who = `${data.families[family].name}, ${label}, ${data.inputs[input]}`;
    return [[who, numbers.join(", ")].filter(Boolean).join(": "), note].filter(Boolean).join(". ");
  }

  function showTip(cell, family, view, input) {
    const { label, note } = views(family)[view];
    const shown = [
      ["input", copyOf(grids[family].heads[input].querySelector(".px"))],
      ["output", copyOf(cell.querySelector(".px"))],
      [data.families[family].training, copyOf(training[0])],
    ].filter(([, picture]) => picture);
    const rows = scores(family, view, input).map(([name, value]) =>
      make("tr", "", make("td", "", name), make("td", "", value)),
    );
    const images = make("div", "pictures", ...shown.map(([name, picture]) => make("div", "", picture, name)));
    images.style.setProperty("--ratio", root.style.getPropertyValue("--ratio"));
    const head = make("b", "", `${data.inputs[input]} → ${label}`);
    const parts = [head, data.families[family].name, images, make("table", "", make("tbody", "", ...rows))];
    tip.show(cell, ...parts, ...(note ? [make("span", "note", note)] : []));
  }

  function copyOf(picture) {
    const copy = picture?.cloneNode();
    if (copy) copy.alt = "";
    return copy;
  }

  // The way through the layers ----------------------------------------------------------------

  function showTravel() {
    const { family, view, input } = state;
    const turn = ++state.turn;
    const network = views()[view];
    const grid = grids[family];
    travel.querySelector("h3").textContent =
      `${data.inputs[input]}, through ${network.label} (${data.families[family].name})`;
    const steps = [step(grid.heads[input].querySelector(".px").cloneNode(), "input", data.inputs[input])];
    for (const layer of network.layers) {
      const canvas = document.createElement("canvas");
      Object.assign(canvas, { className: "px", width: layer.width, height: layer.height });
      canvas.style.aspectRatio = `${layer.width} / ${layer.height}`;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `after ${layer.label}, drawn from ${layer.ranges[input]}`);
      steps.push(step(canvas, layer.label, make("span", "range", layer.ranges[input].replace(" to ", " … "))));
      drawLayer(canvas, layer, input, () => turn === state.turn);
    }
    steps.push(step(grid.cells[view][input].querySelector(".px").cloneNode(), "output", ""));
    training.forEach((picture, k) => {
      const last = step(picture.cloneNode(), data.families[family].training, data.training[k]);
      last.classList.add("compare");
      steps.push(last);
    });
    travel.querySelector(".steps").replaceChildren(...steps);
    travel.querySelector(".remark").textContent = remark(network);
    travel.querySelector(".scores").replaceChildren(
      ...scores(family, view, input).map(([name, value]) =>
        make("div", "", make("dt", "", name), make("dd", "", value)),
      ),
    );
  }

  function step(picture, name, words) {
    return make("li", "", picture, make("span", "label", make("b", "", name), words));
  }

  function remark(network) {
    const words = network.note ? [`${network.label}: ${network.note}.`] : [];
    if (network.layers.length) {
      words.push("Each image of a hidden layer is scaled on its own, from the smallest to the largest value written below it.");
      if (data.coarse) words.push(`To keep the page small they are drawn with ${data.coarse}.`);
    } else if (network.kept) words.push("The images of hidden layers are too many for this page; the JSON report has them.");
    else words.push("No images of hidden layers were kept for this network.");
    return words.join(" ");
  }

  async function drawLayer(canvas, layer, input, wanted) {
    if (!strips.has(layer.url)) {
      const image = new Image();
      image.src = layer.url;
      strips.set(layer.url, image.decode().then(() => image));
    }
    const image = await strips.get(layer.url);
    if (!wanted()) return;
    const { width, height } = layer;
    canvas.getContext("2d").drawImage(image, input * width, 0, width, height, 0, 0, width, height);
    canvas.dataset.drawn = "true";
  }
}
