// Pictures that are still being made: the page asks which are there by now, at longer and longer intervals.

const FIRST_PAUSE = 120;
const LONGEST_PAUSE = 1500;
const AT_ONCE = 30;
const ASK_AGAIN = 6000; // without news for so long, a worker may have left them undone
const waiting = () => [...document.querySelectorAll("[data-made] [data-src]")];
const keyOf = (element) => element.dataset.src.match(/[0-9a-f]{64}/)?.[0];

let pause = FIRST_PAUSE;
let timer;
let round = 0; // of asking: a part of the page that was swapped begins a new one
let news = Date.now();

// What is marked as the next picture of another element takes its place, so that nothing blinks.
function show(element) {
  const url = element.dataset.src;
  element.removeAttribute("data-src");
  const shown = element.dataset.lookFor ? document.getElementById(element.dataset.lookFor) : element;
  shown.addEventListener("load", () => shown.closest(".waiting")?.classList.remove("waiting"), { once: true });
  shown.src = url;
}

async function look(own) {
  const pending = waiting().slice(0, AT_ONCE);
  if (!pending.length) return;
  if (!document.hidden) {
    const keys = pending.map(keyOf).join(",");
    const answer = await fetch(`${pending[0].closest("[data-made]").dataset.made}?keys=${keys}`).catch(() => null);
    const made = new Set(answer?.ok ? (await answer.json()).made : []);
    if (own !== round) return;
    pending.filter((one) => made.has(keyOf(one))).forEach(show);
    if (made.size) [news, pause] = [Date.now(), FIRST_PAUSE];
    else if (Date.now() - news > ASK_AGAIN) {
      news = Date.now();
      fetch(location.href).catch(() => {}); // the page asks for its pictures again
    }
  }
  timer = setTimeout(look, pause, own);
  pause = Math.min(LONGEST_PAUSE, pause * 1.25);
}

function start() {
  for (const img of document.querySelectorAll(".waiting img[data-look]:not([data-src])")) {
    img.closest(".waiting").classList.remove("waiting");
  }
  // What was to come before is not wanted any more.
  for (const next of document.querySelectorAll("[data-look-for][data-src]")) {
    document.getElementById(next.dataset.lookFor).removeAttribute("data-src");
  }
  [news, pause] = [Date.now(), FIRST_PAUSE];
  clearTimeout(timer);
  round += 1;
  look(round);
}

start();
document.addEventListener("htmx:load", start);
