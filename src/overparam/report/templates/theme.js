// A button that switches between a light and a dark theme, and begins with the system's.
function startTheme(button) {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const chosen = document.documentElement.dataset;
  const isDark = () => (chosen.theme ? chosen.theme === "dark" : system.matches);
  const show = () => {
    button.setAttribute("aria-pressed", String(isDark()));
    button.setAttribute("aria-label", "Dark theme");
  };
  button.addEventListener("click", () => {
    chosen.theme = isDark() ? "light" : "dark";
    show();
  });
  system.addEventListener("change", show);
  show();
}
