// Two pictures over each other: swipe with the slider, or see their difference.
document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-swipe]")) return;
  event.target.closest(".overlay").querySelector(".stacked").style.setProperty("--swipe", `${event.target.value}%`);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-overlay]");
  if (!button) return;
  const overlay = button.closest(".overlay");
  overlay.querySelector(".stacked").dataset.mode = button.dataset.overlay;
  for (const one of overlay.querySelectorAll("[data-overlay]")) one.setAttribute("aria-pressed", one === button);
});
