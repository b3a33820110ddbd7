// Sends an edited request through the gateway as a client would, and shows its answer beside the old one.
import { box, logOf, newTrace, prepared, send, showLog } from "./call.js";
import { followCrop, swapped } from "./swaps.js";

const form = document.getElementById("replay");
const answer = document.getElementById("answer");
const state = document.getElementById("replay-state");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { body: address, path, contentType, logs, compare } = form.dataset;
  const trace = newTrace("replay");
  const button = form.querySelector(".button-main");
  button.disabled = true;
  state.textContent = "Sending …";
  try {
    const call = await prepared(address, form, swapped);
    const shown = box(answer);
    await send({ ...call, path, contentType, trace }, (text) => { shown.textContent += text; });
    const id = await logOf(logs, trace);
    if (id) await showLog(logs, id, answer, { "Open it": `${logs}/${id}`, Compare: compare + id });
    state.textContent = id ? "Answered" : "Answered; its log is not written yet";
  } catch (error) {
    box(answer, error.message);
    state.textContent = "Not sent";
  }
  button.disabled = false;
});
followCrop().catch((error) => { state.textContent = `The picture could not be cropped: ${error.message}`; });
