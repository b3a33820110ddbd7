// A picture over the whole window: arrows step through the page's pictures, a click shows it pixel for pixel, Esc closes.
const box = document.getElementById("lightbox");

if (box) {
  const image = document.getElementById("lightbox-image");
  const caption = document.getElementById("lightbox-caption");
  let links = [];
  let at = 0;

  const show = (index) => {
    at = (index + links.length) % links.length;
    box.classList.remove("full");
    image.src = links[at].href;
    image.alt = links[at].querySelector("img")?.alt ?? "";
    caption.textContent = `${links[at].dataset.caption}  ${links.length > 1 ? `(${at + 1} of ${links.length})` : ""}`;
  };

  const open = (link) => {
    const seen = new Set();
    links = [...document.querySelectorAll("a[data-lightbox]")].filter((one) => !seen.has(one.href) && seen.add(one.href));
    box.showModal();
    show(links.findIndex((one) => one.href === link.href));
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-lightbox]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      open(link);
    }
  });
  box.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.dataset.lightboxStep) show(at + Number(button.dataset.lightboxStep));
    else if (button) box.close();
    else if (event.target === image) box.classList.toggle("full");
    else if (event.target === box) box.close();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") show(at + 1);
    else if (event.key === "ArrowLeft") show(at - 1);
  });
  box.addEventListener("close", () => image.removeAttribute("src"));
}
