// Pictures that are still being made: an address that has none yet is asked again, at longer and longer intervals.

const FIRST_PAUSE = 150;
const LONGEST_PAUSE = 2500;
const TRIES = 60;
const ASK_AGAIN = 6000;

const isMissing = (img) => img.complete && !img.naturalWidth;

function again(img) {
  const tries = Number(img.dataset.tries ?? 0);
  if (tries >= TRIES) return;
  img.dataset.tries = tries + 1;
  const url = img.src;
  setTimeout(() => {
    if (img.isConnected && img.src === url) img.src = url;
  }, Math.min(LONGEST_PAUSE, FIRST_PAUSE * 1.3 ** tries));
}

const ready = (img) => img.closest(".waiting")?.classList.remove("waiting");

// The next picture takes the place of the one that is shown once it is there, so that nothing blinks.
function replace(mark) {
  const shown = document.getElementById(mark.dataset.lookFor);
  const next = new Image();
  let tries = 0;
  next.onload = () => {
    mark.dataset.done = "yes";
    if (mark.isConnected) shown.src = next.src;
  };
  next.onerror = () => {
    tries += 1;
    if (!mark.isConnected || tries > TRIES) return;
    setTimeout(() => (next.src = mark.dataset.src), Math.min(LONGEST_PAUSE, FIRST_PAUSE * 1.3 ** tries));
  };
  next.src = mark.dataset.src;
}

// What a worker left undone is asked for again with the page: asking is all that its request is for.
let asked = Date.now();
function askAgain() {
  const isOver = !document.querySelector(".waiting img[data-look], [data-look-for]:not([data-done])");
  if (isOver || document.hidden || Date.now() - asked < ASK_AGAIN) return;
  asked = Date.now();
  fetch(location.href).catch(() => {});
}
setInterval(askAgain, ASK_AGAIN);

addEventListener("error", ({ target }) => target.matches?.("img[data-look]") && again(target), true);
// Of pictures, loads never reach the window.
document.addEventListener("load", ({ target }) => target.matches?.("img[data-look]") && ready(target), true);
document.querySelectorAll("img[data-look]").forEach((img) => {
  if (isMissing(img)) again(img);
  else if (img.complete) ready(img);
});
document.addEventListener("htmx:load", ({ target }) => {
  target.querySelectorAll("[data-look-for]").forEach(replace);
});
