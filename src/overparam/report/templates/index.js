// The index's behaviour: a search over names, claims and verdicts.
(() => {
  document.documentElement.classList.add("js");
  startTheme(document.getElementById("theme"));

  const search = document.getElementById("search");
  const found = document.querySelector(".found");
  const cards = [...document.querySelectorAll(".card")];
  const chapters = [...document.querySelectorAll(".chapter")];
  search.addEventListener("input", show);
  show(); // a browser may have kept the words of an earlier visit

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const card of cards) {
      card.hidden = !words.every((word) => card.dataset.words.includes(word));
    }
    for (const chapter of chapters) {
      chapter.hidden = !chapter.querySelector(".card:not([hidden])");
    }
    const shown = cards.filter((card) => !card.hidden).length;
    found.textContent = words.length ? `${shown} of ${cards.length}` : "";
  }
})();
