// Keeps pages up to date and copies texts. Every page works without it.

/** Puts freshly made HTML of ours into its place, if it is not there already. */
export function put(element, piece) {
  const made = document.createElement("template");
  made.innerHTML = piece;
  if (element.innerHTML !== made.innerHTML) element.replaceChildren(made.content);
}

// Pieces of a page that the server makes anew.
for (const element of document.querySelectorAll("[data-live]")) {
  const events = new EventSource(element.dataset.live);
  events.addEventListener("piece", (event) => put(element, event.data));
  addEventListener("pagehide", () => events.close());
}

// Copy buttons: the style shows them only where there is something to copy with.
if (navigator.clipboard) document.documentElement.classList.add("can-copy");
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 2000);
});

// An enrolment that waits for a private message goes on when it has come.
const waiting = document.querySelector("[data-await-step]");
if (waiting) {
  const step = waiting.dataset.awaitStep;
  for (let pause = 1000; ; ) {
    try {
      const answer = await fetch(`/enrol?after=${step}&seconds=15`, { headers: { Accept: "application/json" } });
      const state = await answer.json();
      if (state.step && state.step !== step) { location.replace("/enrol"); break; }
      pause = 1000;
    } catch {
      pause = Math.min(pause * 2, 30000);
    }
    await new Promise((again) => setTimeout(again, pause));
  }
}
