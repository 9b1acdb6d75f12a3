// Writing prompts: keys, earlier prompts and seeds taken over, pictures dropped in, settings copied.

const form = () => document.getElementById("order");
const changed = (field) => field.dispatchEvent(new Event("input", { bubbles: true }));

// Marks under words go while one types; the server's next answer puts them back where they belong.
document.addEventListener("input", (event) => {
  if (event.target.id === "id_prompt") document.getElementById("marks").textContent = "";
});

// Ctrl and Enter order; Alt and an arrow go through the prompts of earlier orders and back to one's own.
let place = -1;
let own = "";

document.addEventListener("keydown", (event) => {
  const field = event.target;
  if (!form()?.contains(field)) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    document.getElementById("order-button").click();
  }
  const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
  if (field.id !== "id_prompt" || !event.altKey || !step) return;
  event.preventDefault();
  const said = [...document.querySelectorAll("[data-prompt]")].map((told) => told.dataset.prompt);
  const prompts = [...new Set(said)].filter(Boolean);
  if (place < 0) own = field.value;
  place = Math.min(Math.max(place + step, -1), prompts.length - 1);
  field.value = prompts[place] ?? own;
  changed(field);
});

// A button that fills in a field, and one that copies a text.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-fill], [data-copy]");
  if (!button) return;
  if (button.dataset.copy) {
    await navigator.clipboard?.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.done;
    return;
  }
  const field = form().elements[button.dataset.fill];
  field.value = button.value;
  field.closest("details").open = true;
  changed(field);
  field.focus();
});

document.addEventListener("change", (event) => {
  if (event.target.name === "settings_from" && event.target.files.length) document.getElementById("recall").click();
});

// Dropped on the form, a picture of the gallery is started from, with all else as it stands. A file is started
// from where it falls on that part; elsewhere its settings are taken over.
const isOurs = ({ target, dataTransfer }) => form()?.contains(target) && /Files|uri-list/.test(dataTransfer.types);

document.addEventListener("dragover", (event) => isOurs(event) && event.preventDefault());

document.addEventListener("drop", (event) => {
  if (!isOurs(event)) return;
  const { dataTransfer: data, target } = event;
  const picture = (data.getData("text/html") + data.getData("text/uri-list")).match(/\/gallery\/([0-9a-f-]{36})\//)?.[1];
  if (!picture && !data.files.length) return;
  event.preventDefault();
  const fields = form().elements;
  if (picture) {
    const told = new FormData(form());
    told.delete(fields.csrfmiddlewaretoken.name);
    told.set("picture", picture);
    told.set("use", "start");
    location.assign(`${form().action}?${new URLSearchParams([...told].filter(([, value]) => value && typeof value === "string"))}`);
    return;
  }
  const field = target.closest("#from-picture") ? fields.source : fields.settings_from;
  field.files = data.files;
  field.dispatchEvent(new Event("change", { bubbles: true }));
});
