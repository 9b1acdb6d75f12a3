// Live fragments: hidden tabs rest, a lost server is said once, states are spoken, the tab's title follows.

const isPoll = (element) => element.getAttribute("hx-trigger")?.includes("every");

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && isPoll(event.detail.elt)) event.preventDefault();
});

const showOffline = (away) => {
  const line = document.getElementById("offline");
  if (line) line.hidden = !away;
};

document.addEventListener("htmx:sendError", () => showOffline(true));
document.addEventListener("htmx:afterRequest", (event) => {
  if (event.detail.xhr?.status) showOffline(event.detail.xhr.status >= 502);
});

// A session that ended in another tab: the poll's 401 or 403 leads to the sign-in page instead of going on in vain.
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 401) location.reload();
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
