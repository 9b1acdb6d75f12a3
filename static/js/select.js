// Pictures that are ticked: the button says how many, Shift takes all in between, a swapped list keeps its ticks.

const form = document.querySelector("[data-select]");
const boxes = () => [...document.querySelectorAll("[data-select] input[name=pictures]")];
const ticked = new Set();
let last = null;

function count() {
  ticked.clear();
  for (const box of boxes()) if (box.checked) ticked.add(box.value);
  const live = document.querySelector("[data-select]");
  const button = live?.querySelector("[data-remove]");
  if (button) button.textContent = live.dataset.textRemove.replace("{n}", ticked.size.toLocaleString());
  live?.querySelector("[data-all]")?.removeAttribute("hidden");
}

function watch() {
  document.addEventListener("click", (event) => {
    const all = event.target.closest("[data-all]");
    if (all) for (const box of boxes()) box.checked = true;
    if (all) count();
    const box = event.target.closest("[data-select] .pick input");
    if (!box) return;
    const found = boxes();
    const [from, to] = [found.indexOf(last), found.indexOf(box)].sort((a, b) => a - b);
    if (event.shiftKey && from >= 0) for (const one of found.slice(from, to)) one.checked = box.checked;
    last = box;
    count();
  });
  document.addEventListener("reset", () => setTimeout(count));
  // One field in place of hundreds: a form takes only so many.
  document.addEventListener("formdata", (event) => {
    if (!event.target.matches("[data-select]") || !ticked.size) return;
    event.formData.delete("pictures");
    event.formData.append("pictures", [...ticked].join(","));
  });
  document.addEventListener("htmx:afterSettle", () => {
    for (const box of boxes()) if (ticked.has(box.value)) box.checked = true;
    count();
  });
  count();
}

if (form) watch();
