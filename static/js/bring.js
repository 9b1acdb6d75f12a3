// One large file, sent with a progress bar. Without JavaScript the form is a form.
const form = document.querySelector("[data-bring]");
const bar = form.querySelector("progress");
const line = form.querySelector("[data-line]");

function say(text, isWrong) {
  line.textContent = text;
  bar.hidden = isWrong;
  form.querySelector("button").disabled = !isWrong;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const request = new XMLHttpRequest();
  request.open("POST", form.action);
  request.responseType = "document";
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    bar.value = total ? loaded / total : 0;
    say(`${Math.floor(100 * bar.value)} %`, false);
  });
  request.upload.addEventListener("load", () => say(form.dataset.textSent, false));
  request.addEventListener("load", () => {
    const problem = request.response?.querySelector("[data-error]")?.textContent;
    if (request.status < 300 && !problem) location.assign(request.responseURL);
    else say(problem || form.dataset.textFailed, true);
  });
  request.addEventListener("error", () => say(form.dataset.textFailed, true));
  bar.hidden = false;
  request.send(new FormData(form));
});
