// Writing captions by keyboard: Enter keeps one and goes to the next, Shift+Enter makes a line, Escape takes
// back. Ticking a picture turns the changes to those that are ticked. Delegated, so swapped rows need nothing.

const changes = document.getElementById("changes");
const ticks = () => [...document.querySelectorAll("input[name=pictures][form=changes]")];

document.addEventListener("keydown", (event) => {
  const text = event.target;
  if (!text.matches?.("[data-caption]") || event.isComposing) return;
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    const all = [...document.querySelectorAll("[data-caption]")];
    const next = all[all.indexOf(text) + 1];
    text.blur(); // which is what keeps it
    next?.focus();
  } else if (event.key === "Escape") {
    text.value = text.defaultValue;
    text.blur();
  }
});

function count() {
  const all = ticks();
  const ticked = all.filter((box) => box.checked).length;
  const shown = document.querySelector("[data-ticked]");
  shown.hidden = !ticked;
  shown.textContent = ticked.toLocaleString();
  const everything = document.querySelector("[data-tick-all]");
  everything.checked = ticked > 0 && ticked === all.length;
  everything.indeterminate = ticked > 0 && ticked < all.length;
  return ticked;
}

document.addEventListener("change", (event) => {
  const isAll = event.target.matches("[data-tick-all]");
  if (isAll) for (const box of ticks()) box.checked = event.target.checked;
  if (isAll || event.target.matches("input[name=pictures]")) {
    changes.elements.scope.value = count() ? "ticked" : "all";
  }
});

// A row that was kept comes anew: its tick stays.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const box = detail.target.querySelector?.("input[name=pictures]");
  if (box?.checked) {
    document.addEventListener("htmx:afterSwap", () => {
      const anew = ticks().find((one) => one.value === box.value);
      if (anew) anew.checked = true;
    }, { once: true });
  }
});
document.addEventListener("htmx:afterSettle", () => changes && count());

if (changes) count();
