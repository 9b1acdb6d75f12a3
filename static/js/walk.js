// Points of a walk are dragged into another order; then the form says so to the server, as its buttons do.

let lifted = null;

const point = ({ target }) => target.closest?.(".way > [draggable]");

document.addEventListener("dragstart", (event) => {
  lifted = point(event);
  if (!lifted) return;
  event.dataTransfer.effectAllowed = "move";
  lifted.classList.add("lifted");
});

document.addEventListener("dragover", (event) => {
  const other = point(event);
  if (!lifted || !other) return;
  event.preventDefault();
  if (other === lifted) return;
  const { left, width } = other.getBoundingClientRect();
  other[event.clientX < left + width / 2 ? "before" : "after"](lifted);
});

document.addEventListener("drop", (event) => lifted && event.preventDefault());

document.addEventListener("dragend", () => {
  if (!lifted) return;
  lifted.classList.remove("lifted");
  lifted.closest("form").dispatchEvent(new Event("change"));
  lifted = null;
});
