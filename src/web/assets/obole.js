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

// What would be read in a text is shown while somebody writes it. The text is posted, and kept nowhere.
const trial = document.querySelector("form[data-try]");
if (trial) {
  document.documentElement.classList.add("can-try");
  const place = document.getElementById(trial.dataset.try);
  let pause;
  let latest = 0;
  const ask = async () => {
    const number = ++latest;
    try {
      const answer = await fetch(trial.action, { method: "POST", headers: { Accept: "application/json" }, body: new URLSearchParams(new FormData(trial)) });
      const { piece, message } = await answer.json();
      // Answers may overtake each other.
      if (number !== latest) return;
      if (piece !== undefined) put(place, piece);
      else if (message) place.textContent = message;
      const first = place.querySelector("p")?.textContent ?? message;
      const said = document.getElementById(trial.dataset.say);
      if (said.textContent !== first) said.textContent = first;
    } catch {
      // Out of reach: what was read last stays, and the next key asks again.
    }
  };
  const soon = () => { clearTimeout(pause); pause = setTimeout(ask, 250); };
  trial.addEventListener("input", soon);
  trial.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  place.addEventListener("submit", (event) => {
    event.preventDefault();
    trial.elements.text.value = event.target.elements.text.value;
    trial.elements.text.focus();
    ask();
  });
}

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
