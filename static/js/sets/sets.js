// The page of a picture set: pictures dropped anywhere but on a slot are imported, a case each.
import "../prompts/slots.js";

const page = document.querySelector(".page-full");
const isFree = (event) => byImport() && event.dataTransfer?.types.includes("Files") && !event.target.closest?.("[data-slot]");
const byImport = () => document.getElementById("import");

document.addEventListener("dragover", (event) => {
  page.classList.toggle("is-dropping", Boolean(isFree(event)));
  if (isFree(event)) event.preventDefault();
});
document.addEventListener("dragleave", () => page.classList.remove("is-dropping"));
document.addEventListener("drop", (event) => {
  page.classList.remove("is-dropping");
  if (!isFree(event) || !event.dataTransfer.files.length) return;
  event.preventDefault();
  byImport().elements.files.files = event.dataTransfer.files;
  byImport().requestSubmit();
});
