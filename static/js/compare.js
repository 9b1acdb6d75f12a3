// The divider between two pictures follows the range input that lies over them.

const place = (range) => range.closest("[data-compare]").style.setProperty("--at", `${range.value}%`);

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-compare] input")) place(event.target);
});

document.querySelectorAll("[data-compare] input").forEach(place);
