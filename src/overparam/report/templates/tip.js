// One tooltip for the page: beside what it speaks of, inside the window, gone with Escape.
function startTip() {
  const box = document.createElement("div");
  box.className = "tip";
  box.hidden = true;
  box.setAttribute("aria-hidden", "true"); // live regions speak; this is for the eye
  document.body.append(box);
  let anchor = null;

  function place() {
    if (!anchor) return;
    const at = anchor.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = box;
    const left = at.right + 10 + width < innerWidth - 8 ? at.right + 10 : at.left - width - 10;
    if (left >= 8 && height > 110) {
      const middle = at.top + at.height / 2 - height / 2;
      move(left, Math.min(middle, innerHeight - height - 8));
    } else {
      const centre = at.left + at.width / 2 - width / 2;
      const above = at.top - height - 8;
      move(Math.min(centre, innerWidth - width - 8), above >= 8 ? above : at.bottom + 8);
    }
  }

  function move(left, top) {
    box.style.left = `${Math.max(left, 8)}px`;
    box.style.top = `${Math.max(top, 8)}px`;
  }

  function show(element, ...content) {
    anchor = element;
    box.replaceChildren(...content);
    box.hidden = false;
    place();
  }

  function hide() {
    anchor = null;
    box.hidden = true;
  }

  document.addEventListener("scroll", place, { capture: true, passive: true });
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  return { show, hide };
}

// Return an element with a class and texts or elements inside; texts are never read as HTML.
function make(tag, name, ...content) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  element.append(...content);
  return element;
}
