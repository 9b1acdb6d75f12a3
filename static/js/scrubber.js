// A list of pictures becomes one picture with a slider, arrow keys and a play button: the film of a training, or,
// with data-plays (milliseconds a picture), one that plays by itself over and over, as a walk does.

const FRAME_MS = 350;

// What the person chose, by the film's id: a fragment that is swapped in goes on from there.
const chosenSteps = new Map();

class Film {
  constructor(root) {
    this.root = root;
    this.picture = root.querySelector("[data-picture]");
    this.position = root.querySelector("[data-position]");
    this.label = root.querySelector("[data-label]");
    this.button = root.querySelector("[data-play]");
    this.frames = [...root.querySelectorAll("[data-frames] a")];
    this.repeats = "plays" in root.dataset;
    this.pace = Number(root.dataset.plays) || FRAME_MS;
    if (this.frames.length < 2) return;
    this.position.addEventListener("input", () => {
      this.pause();
      this.show(Number(this.position.value), true);
    });
    this.button.addEventListener("click", () => (this.timer ? this.pause() : this.play()));
    const chosen = this.frames.findIndex((frame) => frame.dataset.step === chosenSteps.get(root.id));
    this.show(chosen >= 0 ? chosen : this.frames.length - 1, false);
    this.frames.forEach((frame) => (new Image().src = frame.href));
    if (this.repeats && !matchMedia("(prefers-reduced-motion: reduce)").matches) this.play();
  }

  show(index, isChoice) {
    const frame = this.frames[index];
    this.picture.src = frame.href;
    this.position.value = index;
    this.position.setAttribute("aria-valuetext", frame.textContent);
    this.label.textContent = frame.textContent;
    if (!isChoice) return;
    if (index === this.frames.length - 1) chosenSteps.delete(this.root.id);
    else chosenSteps.set(this.root.id, frame.dataset.step);
  }

  play() {
    const last = this.frames.length - 1;
    let index = Number(this.position.value) === last ? -1 : Number(this.position.value);
    this.setPlaying(true);
    this.timer = setInterval(() => {
      index += 1;
      if (this.repeats && index > last) index = 0;
      if (this.root.isConnected && index <= last) this.show(index, true);
      if (!this.root.isConnected || (index >= last && !this.repeats)) this.pause();
    }, this.pace);
  }

  pause() {
    clearInterval(this.timer);
    this.timer = undefined;
    this.setPlaying(false);
  }

  setPlaying(playing) {
    this.root.classList.toggle("playing", playing);
    this.button.setAttribute("aria-pressed", String(playing));
  }
}

const enhance = () => {
  for (const root of document.querySelectorAll("[data-scrubber]:not([data-ready])")) {
    root.dataset.ready = "";
    new Film(root);
  }
};

// Arrow keys anywhere on a page with one film move it.
document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  const position = document.querySelector("[data-scrubber] [data-position]");
  if (!position) return;
  position.value = Number(position.value) + (event.key === "ArrowRight" ? 1 : -1);
  position.dispatchEvent(new Event("input"));
});

enhance();
document.addEventListener("htmx:afterSettle", enhance);
