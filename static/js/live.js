// Live fragments: hidden tabs rest, a studio that is away is said once and not pressed, states are spoken,
// the tab's title follows.

const POLLS = "[hx-trigger*='every']";
const isPoll = (element) => element.matches(POLLS);

// A server that fails is asked again after 2 s, 4 s, ... or when it says so; a hidden tab asks nothing.
const LONGEST_PAUSE = 20;
const POLL_TIMEOUT = 15_000;
let failures = 0;
let restUntil = 0;

document.addEventListener("htmx:configRequest", (event) => {
  if (isPoll(event.detail.elt)) event.detail.timeout = POLL_TIMEOUT;
});

document.addEventListener("htmx:beforeRequest", (event) => {
  if (isPoll(event.detail.elt) && (document.hidden || Date.now() < restUntil)) event.preventDefault();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  for (const element of document.querySelectorAll(POLLS)) {
    htmx.ajax("GET", element.getAttribute("hx-get"), { source: element });
  }
});

function rest(xhr) {
  failures += 1;
  const asked = Number(xhr?.getResponseHeader("Retry-After")) || 0;
  const seconds = Math.min(LONGEST_PAUSE, Math.max(asked, 2 ** failures));
  // Not all pages at the same moment.
  restUntil = Date.now() + seconds * 1000 * (0.8 + 0.4 * Math.random());
}

// A request that a newer one replaces is no failure, so htmx need not report it as one: it logs what has an `error`.
const underWay = new WeakMap();
document.addEventListener("htmx:beforeSend", ({ detail }) => underWay.set(detail.elt, detail));
document.addEventListener("htmx:abort", ({ target }) => Object.assign(underWay.get(target) ?? {}, { error: "" }), true);

const sentenceOf = (xhr) =>
  new DOMParser().parseFromString(xhr.responseText, "text/html").querySelector("[data-error]")?.textContent.trim();

// The line at the top says why, in the server's own words if it has any, until an answer comes.
function showAway(xhr) {
  const line = document.getElementById("offline");
  line.textContent = (xhr && sentenceOf(xhr)) || line.dataset.away;
  line.hidden = false;
}

for (const failure of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(failure, () => {
    rest();
    showAway();
  });
}

document.addEventListener("htmx:afterRequest", (event) => {
  const { xhr } = event.detail;
  if (!xhr?.status) return;
  if (xhr.status >= 500 || xhr.status === 429) {
    rest(xhr);
  } else {
    failures = restUntil = 0;
  }
  if (xhr.status >= 502) {
    showAway(xhr);
  } else {
    document.getElementById("offline").hidden = true;
  }
});

// What a click could not do is said in the server's own words. A poll that fails just tries again.
document.addEventListener("htmx:responseError", (event) => {
  if (isPoll(event.detail.elt)) return;
  const toast = document.getElementById("toast").content.cloneNode(true);
  toast.querySelector("span").textContent = sentenceOf(event.detail.xhr) || event.detail.xhr.statusText;
  document.getElementById("toasts").append(toast);
});

let spoken;
const plainTitle = document.title;

function follow() {
  const sentence = document.querySelector("[data-announce]")?.dataset.announce;
  if (spoken !== undefined && sentence !== spoken) {
    document.getElementById("announce").textContent = sentence ?? "";
  }
  spoken = sentence ?? "";
  document.title = document.querySelector("[data-title]")?.dataset.title || plainTitle;
}

follow();
document.addEventListener("htmx:afterSettle", follow);
