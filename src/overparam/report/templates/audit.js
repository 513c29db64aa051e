// The audit's own behaviour: findings are shown or hidden by severity, and by words.
(() => {
  const search = document.getElementById("search");
  if (!search) return; // nothing was found
  const shown = document.querySelector(".filter .found");
  const cards = [...document.querySelectorAll(".finding")];
  const chips = [...document.querySelectorAll(".filter .chip")];
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      show();
    });
  }
  search.addEventListener("input", show);
  show(); // a browser may have kept the words of an earlier visit

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const pressed = chips.filter((chip) => chip.getAttribute("aria-pressed") === "true");
    const severities = new Set(pressed.map((chip) => chip.dataset.severity));
    for (const card of cards) {
      const fits = words.every((word) => card.dataset.words.includes(word));
      card.hidden = !fits || !severities.has(card.dataset.severity);
    }
    const left = cards.filter((card) => !card.hidden).length;
    shown.textContent = left < cards.length ? `${left} of ${cards.length} shown` : "";
  }
})();
