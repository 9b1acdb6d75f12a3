// A multiple file input becomes a drop zone for the whole page. Each file travels alone, so a failed one is retried alone.

const PARALLEL = 3;
const ROWS_KEPT = 6;
const form = document.querySelector("[data-upload]");

// A row appears when its file's turn comes; the others are only counted.
class Row {
  constructor(file) {
    this.file = file;
    this.element = document.createElement("li");
    this.element.dataset.state = "waiting";
    const name = document.createElement("span");
    name.className = "name";
    name.textContent = file.name;
    this.status = document.createElement("span");
    this.status.className = "status";
    this.bar = document.createElement("progress");
    this.bar.max = 1;
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", file.name);
    this.element.append(name, this.status, this.bar);
    form.querySelector("[data-rows]").prepend(this.element);
    this.sending(0);
  }

  say(state, text) {
    this.element.dataset.state = this.status.dataset.state = state;
    this.status.textContent = text;
  }

  sending(share) {
    this.bar.value = share;
    this.say("running", `${Math.round(share * 100)} %`);
  }

  arrived() {
    this.bar.remove();
    this.say("accepted", form.dataset.textSent);
    const arrived = form.querySelectorAll("[data-rows] > [data-state=accepted]");
    for (const old of [...arrived].slice(ROWS_KEPT)) old.remove();
  }

  failed(reason, retry) {
    this.say("refused", "");
    this.bar.hidden = true;
    const line = document.createElement("span");
    line.className = "reason";
    line.textContent = reason;
    const again = document.createElement("button");
    again.type = "button";
    again.className = "button small";
    again.textContent = form.dataset.textRetry;
    again.addEventListener("click", () => {
      line.remove();
      again.remove();
      this.bar.hidden = false;
      retry();
    });
    this.status.after(again);
    this.element.append(line);
  }
}

// Files, and rows that are tried again.
const waiting = [];
let underway = 0;

function send(next) {
  const row = next instanceof Row ? next : new Row(next);
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
    const elsewhere = request.getResponseHeader("HX-Redirect"); // signed out meanwhile
    if (elsewhere) {
      location.assign(elsewhere);
    } else if (request.status >= 200 && request.status < 300) {
      row.arrived();
      showFragments(request.responseText);
    } else {
      row.failed(reasonIn(request), () => enqueue(row));
    }
    sendNext();
  });
  underway += 1;
  request.send(body);
}

function sendNext() {
  while (underway < PARALLEL && waiting.length) send(waiting.shift());
  const count = form.querySelector("[data-count]");
  count.hidden = waiting.length === 0;
  count.textContent = form.dataset.textWaiting.replace("{n}", waiting.length.toLocaleString());
}

function enqueue(...more) {
  waiting.push(...more);
  sendNext();
}

// The server's own sentence, where it sent one.
function reasonIn(request) {
  if (!request.status) return form.dataset.textFailed;
  const page = new DOMParser().parseFromString(request.responseText, "text/html");
  const said = page.querySelector("[data-error], .errorlist, .lede") ?? (page.querySelector("main, h1") ? null : page.body);
  return said?.textContent.trim() || form.dataset.textFailed;
}

// The answer's out-of-band fragments take their places.
function showFragments(html) {
  if (html.includes("hx-swap-oob")) htmx.swap(document.createElement("div"), html, { swapStyle: "innerHTML" });
}

// A dropped folder is walked; everything else is taken as it is.
async function filesIn(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files];
  const found = [];
  const walk = async (entry) => {
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
    enqueue(...input.files);
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
    enqueue(...(await filesIn(event.dataTransfer)));
  });
  addEventListener("beforeunload", (event) => {
    if (underway) event.preventDefault();
  });
}

if (form) watch();
