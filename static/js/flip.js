// Comparing by blinking: a picture of one snapshot gives its place to the same seed at the other one, and back.

const sheets = document.querySelector("[data-flip]");

const urls = Object.fromEntries([...document.querySelectorAll("[data-side]")].map((side) => [side.dataset.side, side.dataset.url]));

function flip(cell) {
  const own = cell.closest("[data-side]").dataset.side;
  const other = own === "a" ? "b" : "a";
  const shows = cell.dataset.shows === other ? own : other;
  cell.dataset.shows = shows;
  cell.toggleAttribute("data-flipped", shows !== own);
  cell.querySelector("image").setAttribute("href", urls[shows]);
  const picture = cell.querySelector("svg");
  picture.dataset.label ??= picture.getAttribute("aria-label");
  picture.setAttribute("aria-label", `${picture.dataset.label}${shows === own ? "" : ` (${shows.toUpperCase()})`}`);
}

if (sheets) {
  document.querySelector("[data-flip-hint]").hidden = false;
  sheets.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-cell]");
    // With a key held the link is a link: it opens the pair, large.
    if (!cell || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (event.shiftKey) location.assign(cell.href);
    else flip(cell);
  });

  // Arrow keys go from picture to picture within a sheet.
  sheets.addEventListener("keydown", (event) => {
    const cell = event.target.closest("[data-cell]");
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -7, ArrowDown: 7 };
    if (!cell || !(event.key in moves)) return;
    event.preventDefault();
    const cells = [...cell.closest("ol").querySelectorAll("[data-cell]")];
    cells[cells.indexOf(cell) + moves[event.key]]?.focus();
  });
}
