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

// Passkeys: the server's challenge to the browser, and its answer back. Bytes travel as base64url.
const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const text = (bytes) => bytes && btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const post = async (address, body, type) => {
  const headers = { Accept: "application/json", ...(type && { "Content-Type": type }) };
  const answer = await fetch(address, { method: "POST", headers, body });
  const told = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(told.message), { said: told.message });
  return told;
};
async function sign(make, { publicKey }) {
  const known = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));
  const asked = { ...publicKey, challenge: bytes(publicKey.challenge) };
  if (make) {
    asked.user = { ...asked.user, id: bytes(asked.user.id) };
    asked.excludeCredentials = known(asked.excludeCredentials);
  } else asked.allowCredentials = known(asked.allowCredentials);
  const { id, rawId, type, response } = await (make ? navigator.credentials.create({ publicKey: asked }) : navigator.credentials.get({ publicKey: asked }));
  const told = make
    ? { attestationObject: text(response.attestationObject) }
    : { authenticatorData: text(response.authenticatorData), signature: text(response.signature), userHandle: text(response.userHandle) ?? null };
  return { id, rawId: text(rawId), type, response: { ...told, clientDataJSON: text(response.clientDataJSON) } };
}
for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const [button, said] = [form.querySelector("button"), form.querySelector(".said")];
    button.disabled = true;
    said.textContent = "";
    try {
      if (!navigator.credentials || !window.PublicKeyCredential) throw Object.assign(new Error(), { said: form.dataset.unsupported });
      const { ceremony, options } = await post(`${form.action}/begin`, new URLSearchParams(new FormData(form)));
      const answer = await sign(form.dataset.passkey === "make", options);
      const { next } = await post(form.action, JSON.stringify({ ceremony, answer }), "application/json");
      location.assign(next);
    } catch (error) {
      said.textContent = error.said ?? form.dataset.refused;
      button.disabled = false;
    }
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
