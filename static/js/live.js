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

// What a click could not do is said in the server's own words. A poll that fails just tries again.
document.addEventListener("htmx:responseError", (event) => {
  if (isPoll(event.detail.elt)) return;
  const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  const sentence = page.querySelector("[data-error]")?.textContent.trim();
  const toast = document.getElementById("toast").content.cloneNode(true);
  toast.querySelector("span").textContent = sentence || event.detail.xhr.statusText;
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
