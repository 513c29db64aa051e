// A heat map: its cells answer the pointer and the arrow keys with place, number and note.
function startHeat(element, canvas, tip) {
  const readout = element.querySelector(".readout");
  const drawn = canvas.querySelector("svg");
  const space = "http://www.w3.org/2000/svg";
  const rings = ["heat-halo", "heat-ring"].map((name) => {
    const ring = document.createElementNS(space, "rect");
    ring.setAttribute("class", name);
    return ring;
  });
  // Panel, row, column of each cell; its own words instead of the browser's slow tooltip.
  const panels = [];
  for (const cell of canvas.querySelectorAll("[data-cell]")) {
    const [p, r, c] = cell.dataset.cell.split(":").map(Number);
    const title = cell.querySelector("title");
    ((panels[p] ??= [])[r] ??= [])[c] = { cell, words: title.textContent };
    title.remove();
    cell.addEventListener("pointerenter", () => show(panels[p][r][c]));
    cell.addEventListener("pointerleave", tip.hide);
  }
  if (!panels.length || !panels[0].length) return;
  let place = null;

  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      readout.textContent = "";
      return leave();
    }
    const to = next(event.key);
    if (!to) return;
    event.preventDefault();
    place = to;
    const [p, r, c] = place;
    show(panels[p][r][c]);
    mark(panels[p][r][c].cell);
  });
  canvas.addEventListener("blur", leave);

  function next(key) {
    if (!place) return /^Arrow|^Home$|^End$/.test(key) ? [0, 0, 0] : null;
    const [p, r, c] = place;
    const rows = panels[p].length - 1;
    const columns = panels[p][r].length - 1;
    switch (key) {
      case "ArrowDown": return [p, Math.min(r + 1, rows), c];
      case "ArrowUp": return [p, Math.max(r - 1, 0), c];
      case "ArrowRight": return c < columns ? [p, r, c + 1] : p + 1 < panels.length ? [p + 1, r, 0] : place;
      case "ArrowLeft": return c > 0 ? [p, r, c - 1] : p > 0 ? [p - 1, r, columns] : place;
      case "Home": return [p, r, 0];
      case "End": return [p, r, columns];
      default: return null;
    }
  }

  function show({ cell, words }) {
    readout.textContent = words;
    tip.show(cell, words);
  }

  function mark(cell) {
    for (const ring of rings) {
      for (const name of ["x", "y", "width", "height"]) ring.setAttribute(name, cell.getAttribute(name));
      drawn.append(ring);
    }
  }

  // The words stay: a page that closes up under the pointer makes a click miss its button.
  function leave() {
    place = null;
    rings.forEach((ring) => ring.remove());
    tip.hide();
  }
}
