// A multiple file input becomes a drop zone for the whole page. Each file travels alone, so a failed one is retried alone;
// files whose pictures are here already are not sent, so an interrupted upload goes on when its files are added again.

const PARALLEL = 3;
const ROWS_KEPT = 6;
const ASKED_AT_ONCE = 50;
const HASHED_BYTES = 100 << 20; // what a picture may have; a ZIP that is larger is simply sent
const CLUTTER = /^(\.|Thumbs\.db$|desktop\.ini$)/; // what systems put into folders by themselves
const form = document.querySelector("[data-upload]");

// A row appears when its file's turn comes; the others are only counted. Of those that need nothing only the newest stay.
class Row {
  constructor(file) {
    this.file = file;
    this.element = document.createElement("li");
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = file.name;
    this.status = document.createElement("span");
    this.status.className = "status";
    this.bar = document.createElement("progress");
    this.bar.max = 1;
    this.bar.setAttribute("aria-label", file.name);
    this.element.append(name, this.status, this.bar);
    form.querySelector("[data-rows]").prepend(this.element);
    this.sending(0);
  }

  say(state, text) {
    this.element.dataset.state = this.status.dataset.state = state;
    this.status.textContent = text;
    const calm = form.querySelectorAll("[data-rows] > li:is([data-state=waiting], [data-state=settled])");
    [...calm].forEach((row, place) => {
      row.hidden = place >= ROWS_KEPT;
      if (row.hidden && row.dataset.state === "settled") row.remove();
    });
  }

  sending(share) {
    this.bar.hidden = false;
    this.bar.value = share;
    this.say("running", `${Math.round(share * 100)} %`);
  }

  arrived() {
    this.bar.hidden = true;
    this.say("waiting", form.dataset.textSent);
  }

  // The verdict: `state`, `label` and `reason` as the server gives them.
  settled({ state, label, reason }) {
    this.bar.hidden = true;
    this.element.hidden = false;
    this.say(reason ? "refused" : "settled", label);
    this.status.dataset.state = state;
    if (reason) this.explain(reason);
  }

  failed(reason, retry) {
    this.bar.hidden = true;
    this.say("refused", "");
    const line = this.explain(reason);
    const again = document.createElement("button");
    again.type = "button";
    again.className = "button small";
    again.textContent = form.dataset.textRetry;
    again.addEventListener("click", () => {
      line.remove();
      again.remove();
      retry();
    });
    this.status.after(again);
  }

  explain(reason) {
    const line = document.createElement("span");
    line.className = "reason";
    line.textContent = reason;
    this.element.append(line);
    return line;
  }
}

const chosen = []; // files that the server was not asked about yet
const ready = []; // files to be sent, and rows that are tried again
const unsettled = new Map(); // rows by the number of their file
let isAsking = false;
let isFull = false;
let underway = 0;

function add(files) {
  chosen.push(...files);
  isFull = false;
  sendNext();
  recognise();
}

// What is here already is found by content. Without a secure connection browsers cannot hash; then the server finds it.
async function recognise() {
  if (isAsking) return;
  isAsking = true;
  while (chosen.length) {
    const files = chosen.slice(0, ASKED_AT_ONCE);
    const hashes = [];
    for (const file of files) hashes.push(await sha256(file));
    const known = await knownAmong(hashes.filter(Boolean));
    chosen.splice(0, files.length);
    files.forEach((file, place) => {
      if (known.has(hashes[place])) new Row(file).settled({ state: "duplicate", label: form.dataset.textHere });
      else ready.push(file);
    });
    sendNext();
  }
  isAsking = false;
}

async function sha256(file) {
  if (!globalThis.crypto?.subtle || file.size > HASHED_BYTES) return "";
  try {
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  } catch {
    return ""; // unreadable: sending it will say so
  }
}

async function knownAmong(hashes) {
  if (!hashes.length) return new Set();
  const body = new URLSearchParams(hashes.map((hash) => ["sha256", hash]));
  body.append("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  try {
    const response = await fetch(form.dataset.known, { method: "POST", body, redirect: "error" });
    return new Set(response.ok ? (await response.json()).known : []);
  } catch {
    return new Set();
  }
}

function send(next) {
  const row = next instanceof Row ? next : new Row(next);
  row.sending(0);
  const body = new FormData(form);
  body.delete("files");
  body.append("files", row.file, row.file.name);
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.setRequestHeader("HX-Request", "true");
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) row.sending(event.loaded / event.total);
  });
  request.addEventListener("loadend", () => {
    underway -= 1;
    take(row, request);
    sendNext();
  });
  underway += 1;
  request.send(body);
}

function take(row, request) {
  const elsewhere = request.getResponseHeader("HX-Redirect"); // signed out meanwhile
  const answer = jsonIn(request.responseText);
  if (elsewhere) {
    location.assign(elsewhere);
  } else if (answer.file) {
    row.arrived();
    unsettled.set(String(answer.file), row);
    showChecking();
  } else {
    isFull ||= Boolean(answer.is_full); // the others would be refused as well; they wait until one is tried again
    row.failed(answer.problem || form.dataset.textFailed, () => {
      isFull = false;
      ready.unshift(row);
      sendNext();
    });
  }
}

function jsonIn(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

function sendNext() {
  while (underway < PARALLEL && ready.length && !isFull) send(ready.shift());
  const count = form.querySelector("[data-count]");
  const left = chosen.length + ready.length;
  count.hidden = left === 0;
  count.textContent = form.dataset.textWaiting.replace("{n}", left.toLocaleString());
}

// The page's own account of the checking asks again by itself while there is something to check; here it is told to begin.
function showChecking() {
  if (document.querySelector("#filling[hx-get]")) return;
  const address = new URL(location.href);
  address.searchParams.delete("after");
  address.searchParams.set("rev", "");
  htmx.ajax("GET", address.pathname + address.search, { target: "#filling", swap: "outerHTML" });
}

// Whenever that account has changed, files of this page may have their verdicts.
async function askForResults() {
  const numbers = [...unsettled.keys()];
  for (let start = 0; start < numbers.length; start += ASKED_AT_ONCE) {
    const asked = new URLSearchParams(numbers.slice(start, start + ASKED_AT_ONCE).map((number) => ["file", number]));
    const response = await fetch(`${form.dataset.results}?${asked}`, { redirect: "error" }).catch(() => null);
    if (!response?.ok) return;
    for (const [number, result] of Object.entries((await response.json()).results)) {
      const row = unsettled.get(number);
      // Of a file that the page's account of refused ones names, that tells.
      if (document.querySelector(`#filling [data-file="${number}"]`)) row?.element.remove();
      else row?.settled(result);
      unsettled.delete(number);
    }
  }
}

// A dropped folder is walked; everything else is taken as it is.
async function filesIn(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  const walk = async (entry) => {
    if (CLUTTER.test(entry.name)) return;
    if (entry.isFile) {
      found.push(await new Promise((resolve, reject) => entry.file(resolve, reject)));
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!batch.length) return;
      for (const child of batch) await walk(child);
    }
  };
  for (const entry of entries) await walk(entry);
  return found;
}

function watch() {
  const input = form.querySelector("input[type=file]");
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });
  let depth = 0;
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  const mark = () => document.body.classList.toggle("dragging", depth > 0);
  document.addEventListener("dragenter", (event) => {
    if (carriesFiles(event)) depth += 1;
    mark();
  });
  document.addEventListener("dragleave", (event) => {
    if (carriesFiles(event)) depth = Math.max(0, depth - 1);
    mark();
  });
  document.addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
  });
  document.addEventListener("drop", async (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    mark();
    add(await filesIn(event.dataTransfer));
  });
  document.body.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "filling") askForResults();
  });
  addEventListener("beforeunload", (event) => {
    if (underway || ready.length || chosen.length) event.preventDefault();
  });
}

if (form) watch();
