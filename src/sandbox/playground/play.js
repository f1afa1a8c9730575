// Keeps the page to play on up to date. A part in which somebody is typing is left alone until the next time.
import { put } from "/assets/obole.js";

const play = document.getElementById("play");
const answer = document.getElementById("answer");
let under_way = false;
let again = false;

async function refresh() {
  if (under_way) { again = true; return; }
  under_way = true;
  try {
    const response = await fetch(play.dataset.pieces, { headers: { Accept: "application/json" } });
    if (!response.ok) return;
    const { pieces, answer: suggested } = await response.json();
    for (const [id, piece] of Object.entries(pieces)) {
      const place = document.getElementById("piece-" + id);
      const focused = document.activeElement;
      if (place.contains(focused) && focused.matches("input, textarea")) continue;
      put(place, piece);
    }
    if (answer && document.activeElement !== answer && answer.value === answer.dataset.suggested) {
      answer.value = answer.dataset.suggested = suggested ?? "";
    }
  } finally {
    under_way = false;
    if (again) { again = false; refresh(); }
  }
}

const events = new EventSource(play.dataset.events);
events.addEventListener("changed", refresh);
events.addEventListener("open", refresh);
addEventListener("pagehide", () => events.close());

// Posts to try go into the composer without loading the page.
play.addEventListener("click", (event) => {
  const chip = event.target.closest("a[data-fill]");
  if (!chip) return;
  event.preventDefault();
  const composer = document.getElementById("composer");
  composer.value = chip.dataset.fill;
  composer.focus();
});
