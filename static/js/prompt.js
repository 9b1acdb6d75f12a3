// Writing prompts: keys, earlier prompts and seeds taken over, pictures and files dropped in.

const form = () => document.getElementById("order");
const isPrompt = (field) => field.id === "id_prompt";

function put(field, value) {
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

// Marks under words go while one types; the server's next answer puts them back where they belong.
document.addEventListener("input", ({ target }) => {
  if (isPrompt(target)) document.getElementById("marks").textContent = "";
});

// Ctrl and Enter order; Alt and an arrow go through the prompts of earlier orders and back to one's own.
let place = -1;
let own = "";

document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (!form()?.contains(target)) return;
  if (key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    document.getElementById("order-button").click();
  }
  const step = { ArrowUp: 1, ArrowDown: -1 }[key];
  if (!isPrompt(target) || !event.altKey || !step) return;
  event.preventDefault();
  const prompts = [...new Set([...document.querySelectorAll("[data-prompt]")].map((told) => told.dataset.prompt))];
  if (place < 0) own = target.value;
  place = Math.min(Math.max(place + step, -1), prompts.length - 1);
  put(target, prompts[place] ?? own);
});

// The seed of a result, by a press on it.
document.addEventListener("click", ({ target }) => {
  const button = target.closest(".tile > .seed");
  if (!button) return;
  const field = form().elements.seed;
  field.closest("details").open = true;
  put(field, button.value);
  field.focus();
});

// A form that comes back has the same parts unfolded, and leads to what is wrong with it.
let unfolded = [];

document.addEventListener("htmx:beforeSwap", () => {
  unfolded = [...(form()?.querySelectorAll("details[open]") ?? [])].map((part) => part.id);
});

document.addEventListener("htmx:load", ({ target }) => {
  if (target.id !== "order") return;
  for (const id of unfolded) document.getElementById(id).open = true;
  const wrong = target.querySelector(".notice[data-level=error], .invalid, .errorlist");
  if (target.elements.was_refused && wrong) {
    wrong.scrollIntoView({ block: "center" });
    wrong.querySelector("input, select, textarea")?.focus({ preventScroll: true });
  } else if (document.activeElement === document.body) {
    document.getElementById("id_prompt").focus({ preventScroll: true });
  }
});

// A browser sends a number that it cannot read as if none were there.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (event.target !== form()) return;
  const unreadable = [...event.target.elements].find((field) => field.validity.badInput);
  if (!unreadable) return;
  event.preventDefault();
  unreadable.focus();
  unreadable.reportValidity();
});

document.addEventListener("change", ({ target }) => {
  if (target.name === "settings_from" && target.files.length) document.getElementById("recall").click();
});

// Dropped on the form, a picture of the gallery is started from, with all else as it stands. A file is started
// from where it falls on that part; elsewhere its settings are taken over.
const isOurs = ({ target, dataTransfer }) => form()?.contains(target) && /Files|uri-list/.test(dataTransfer.types);

document.addEventListener("dragover", (event) => isOurs(event) && event.preventDefault());

document.addEventListener("drop", (event) => {
  const { dataTransfer: data, target } = event;
  if (!isOurs(event)) return;
  const picture = data.getData("text/html").concat(data.getData("text/uri-list")).match(/\/gallery\/([0-9a-f-]{36})\//);
  if (!picture && !data.files.length) return;
  event.preventDefault();
  const { source, settings_from: settings } = form().elements;
  if (picture) {
    const told = [...new FormData(form())].filter(([name, value]) => value && typeof value === "string" && !/^csrf|^picture/.test(name));
    location.assign(`${form().action}?${new URLSearchParams([...told, ["picture", picture[1]], ["use", "start"]])}`);
    return;
  }
  const field = target.closest("#from-picture") ? source : settings;
  field.files = data.files;
  field.dispatchEvent(new Event("change", { bubbles: true }));
});
