// A mask painted over the picture to start from, by mouse, touch and keys. The file field is what is sent.

const LONGEST = 1024; // pixels of the mask's longer side
const UNDOABLE = 20; // strokes
const SIZES = { min: 2, max: 40, value: 12 }; // the brush, in hundredths of the picture's shorter side

const make = (name, values = {}, ...children) => {
  const element = Object.assign(document.createElement(name), values);
  element.append(...children);
  return element;
};

class Brush {
  constructor(stage) {
    const { textMark, textUndo, textClear, textSize, textWipe, textHelp } = stage.dataset;
    const form = stage.closest("form");
    this.stage = stage;
    this.mask = form.elements.mask;
    this.before = []; // what was painted before each of the last strokes
    this.sent = 0; // a mask that is encoded late must not take the place of a newer one, or of none
    this.canvas = make("canvas", { tabIndex: 0, ariaLabel: `${textMark}. ${textHelp}` });
    this.canvas.setAttribute("role", "application");
    this.tip = make("span", { className: "tip", hidden: true });
    this.size = make("input", { type: "range", ...SIZES });
    this.wipe = make("input", { type: "checkbox" });
    const [undo, clear] = [textUndo, textClear].map((textContent) =>
      make("button", { type: "button", className: "button small", textContent }),
    );
    undo.addEventListener("click", () => this.undo());
    clear.addEventListener("click", () => this.clear());
    this.tools = make("div", { className: "row small" }, make("label", { className: "row" }, textSize, this.size));
    this.tools.append(make("label", { className: "row" }, this.wipe, textWipe), undo, clear);
    this.help = make("p", { className: "hint" }, `${textMark}. `, make("span", { className: "keys", textContent: textHelp }));
    this.listen();
    form.elements.source.addEventListener("change", (event) => this.show(event.target.files[0]));
    this.mask.addEventListener("change", () => this.empty());
    const picture = stage.querySelector("img");
    if (picture) this.take(picture);
  }

  // A file from one's own disk: shown from memory, nothing is sent before the form is.
  show(file) {
    this.stage.replaceChildren();
    this.empty();
    this.sendNone();
    if (!file) return;
    for (const other of this.stage.parentElement.querySelectorAll("[type=checkbox]")) other.checked = false;
    this.take(make("img", { src: URL.createObjectURL(file), alt: "" }));
  }

  take(picture) {
    const begin = () => {
      const shrink = Math.min(1, LONGEST / Math.max(picture.naturalWidth, picture.naturalHeight));
      this.canvas.width = Math.max(1, Math.round(picture.naturalWidth * shrink));
      this.canvas.height = Math.max(1, Math.round(picture.naturalHeight * shrink));
      this.at = { x: this.canvas.width / 2, y: this.canvas.height / 2 };
      this.stage.replaceChildren(make("div", { className: "easel" }, picture, this.canvas, this.tip), this.tools, this.help);
    };
    if (picture.complete && picture.naturalWidth) begin();
    else picture.addEventListener("load", begin, { once: true });
  }

  get radius() {
    return (Math.min(this.canvas.width, this.canvas.height) * this.size.value) / 200;
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.isDown = true;
      this.at = this.place(event);
      this.keep();
      this.stroke(this.at, event.shiftKey);
    });
    canvas.addEventListener("pointermove", (event) => {
      const place = this.place(event);
      if (this.isDown) this.stroke(place, event.shiftKey);
      this.at = place;
      this.point();
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => {
        if (this.isDown) this.send();
        this.isDown = false;
      });
    }
    canvas.addEventListener("pointerleave", () => (this.tip.hidden = document.activeElement !== canvas));
    canvas.addEventListener("focus", () => this.point());
    canvas.addEventListener("blur", () => (this.tip.hidden = true));
    canvas.addEventListener("keydown", (event) => this.press(event));
    this.size.addEventListener("input", () => this.at && this.point());
  }

  press(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    const grows = { "+": 2, "=": 2, "-": -2 }[event.key];
    if (way) {
      const clamp = (value, most) => Math.min(Math.max(value, 0), most);
      const step = this.radius / 2;
      this.at = { x: clamp(this.at.x + way[0] * step, this.canvas.width), y: clamp(this.at.y + way[1] * step, this.canvas.height) };
    } else if (grows) this.size.value = Number(this.size.value) + grows;
    else if (event.key === "z" && (event.ctrlKey || event.metaKey)) this.undo();
    else if (event.key === " ") {
      this.keep();
      this.stroke(this.at, event.shiftKey);
      this.send();
    } else return;
    event.preventDefault();
    this.point();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    return { x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale };
  }

  // The ring that says where the brush is and how wide.
  point() {
    const scale = this.canvas.clientWidth / this.canvas.width;
    const side = `${this.radius * 2 * scale}px`;
    Object.assign(this.tip.style, { left: `${this.at.x * scale}px`, top: `${this.at.y * scale}px`, width: side, height: side });
    this.tip.hidden = false;
  }

  stroke(to, wipes) {
    const { context } = this;
    context.globalCompositeOperation = wipes || this.wipe.checked ? "destination-out" : "source-over";
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = this.radius * 2;
    context.strokeStyle = context.fillStyle = getComputedStyle(this.canvas).color;
    context.beginPath();
    context.moveTo(this.at.x, this.at.y);
    context.lineTo(to.x, to.y);
    context.stroke();
    // A line without length draws nothing.
    context.beginPath();
    context.arc(to.x, to.y, this.radius, 0, 2 * Math.PI);
    context.fill();
  }

  get context() {
    return this.canvas.getContext("2d", { willReadFrequently: true });
  }

  keep() {
    this.before.push(this.context.getImageData(0, 0, this.canvas.width, this.canvas.height));
    this.before.splice(0, this.before.length - UNDOABLE);
  }

  undo() {
    const painted = this.before.pop();
    if (!painted) return;
    this.context.putImageData(painted, 0, 0);
    if (painted.data.some((value) => value)) this.send();
    else this.sendNone();
  }

  empty() {
    this.before = [];
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  clear() {
    this.keep();
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.sendNone();
  }

  sendNone() {
    this.sent += 1;
    this.mask.value = "";
  }

  // What is painted, in white on black.
  send() {
    const copy = make("canvas", { width: this.canvas.width, height: this.canvas.height });
    const context = copy.getContext("2d");
    context.drawImage(this.canvas, 0, 0);
    for (const [operation, colour] of [["source-in", "#fff"], ["destination-over", "#000"]]) {
      context.globalCompositeOperation = operation;
      context.fillStyle = colour;
      context.fillRect(0, 0, copy.width, copy.height);
    }
    this.sent += 1;
    const turn = this.sent;
    copy.toBlob((blob) => {
      if (turn !== this.sent) return;
      const files = new DataTransfer();
      files.items.add(new File([blob], "mask.png", { type: "image/png" }));
      this.mask.files = files.files;
    });
  }
}

const stage = document.querySelector("[data-brush]");
if (stage) new Brush(stage);
