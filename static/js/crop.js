// The box over a picture, by mouse, by touch and by keys. The number fields are what is sent.

const MOUSE_REACH = 12; // screen pixels around a corner
const TOUCH_REACH = 28;

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function start(stage) {
  const { width, height } = stage.viewBox.baseVal;
  const form = stage.closest("form");
  const fields = ["left", "upper", "side"].map((name) => form.elements[name]);
  const handle = stage.querySelector(".box");
  const least = Number(stage.dataset.least);
  const most = Math.min(width, height);
  let drag = null;

  const read = () => fields.map((field) => field.valueAsNumber);
  const way = () => form.querySelector("[name=crop]:checked");
  const draw = (selector, path) => stage.querySelector(selector).setAttribute("d", path);

  // The box by hand where one is chosen, else the lines of what is chosen, with the box ready to be taken.
  function show() {
    const [left, upper, side] = read();
    const square = `M${left} ${upper}H${left + side}V${upper + side}H${left}Z`;
    const isBox = [left, upper, side].every(Number.isFinite) && side > 0;
    const isHand = way().value === "hand" && isBox;
    handle.classList.toggle("idle", !isHand && way().dataset.outline !== square);
    draw(".outline", isHand ? square : way().dataset.outline);
    draw(".shade", isHand ? `M0 0H${width}V${height}H0Z${square}` : way().dataset.shade);
    if (!isBox) return;
    draw(".inside", square);
    const corners = [left, left + side].flatMap((x) => [upper, upper + side].map((y) => `M${x} ${y}h0`)).join("");
    draw(".reach", corners);
    draw(".handles", corners);
  }

  function take(left, upper, side) {
    side = clamp(Math.round(side), least, most);
    const box = [clamp(Math.round(left), 0, width - side), clamp(Math.round(upper), 0, height - side), side];
    fields.forEach((field, index) => (field.value = box[index]));
    form.querySelector("[name=crop][value=hand]").checked = true;
    fields[0].dispatchEvent(new Event("input", { bubbles: true }));
  }

  // A square between a fixed corner and the pointer, within the picture.
  function stretch(anchor, point) {
    const goes = (from, to, end) => (to < from ? (from >= least ? -1 : 1) : end - from >= least ? 1 : -1);
    const right = goes(anchor.x, point.x, width);
    const down = goes(anchor.y, point.y, height);
    const room = Math.min(right > 0 ? width - anchor.x : anchor.x, down > 0 ? height - anchor.y : anchor.y);
    const side = clamp(Math.max(Math.abs(point.x - anchor.x), Math.abs(point.y - anchor.y)), least, room);
    take(right > 0 ? anchor.x : anchor.x - side, down > 0 ? anchor.y : anchor.y - side, side);
  }

  const at = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(stage.getScreenCTM().inverse());

  stage.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    const isTouch = event.pointerType === "touch";
    const point = at(event);
    const reach = (isTouch ? TOUCH_REACH : MOUSE_REACH) / stage.getScreenCTM().a;
    const [left, upper, side] = read();
    const far = { x: left + side, y: upper + side };
    const isNear = (x, y) => Math.hypot(point.x - x, point.y - y) <= reach;
    for (const [x, y] of [[left, upper], [far.x, upper], [left, far.y], [far.x, far.y]]) {
      if (isNear(x, y)) drag = { anchor: { x: x === left ? far.x : left, y: y === upper ? far.y : upper } };
    }
    const isInside = point.x > left && point.x < far.x && point.y > upper && point.y < far.y;
    if (!drag && isInside) drag = { from: point, left, upper };
    // A finger beside the box scrolls the page; a mouse draws a new one.
    else if (!drag && !isTouch) drag = { anchor: { x: clamp(point.x, 0, width), y: clamp(point.y, 0, height) } };
    if (!drag) return;
    event.preventDefault();
    handle.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
  });

  stage.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const point = at(event);
    if (drag.anchor) stretch(drag.anchor, point);
    else take(drag.left + point.x - drag.from.x, drag.upper + point.y - drag.from.y, read()[2]);
  });

  // A finger on the box moves the box and not the page. (Browsers pass over touch-action inside an SVG.)
  stage.addEventListener("touchstart", (event) => drag && event.preventDefault(), { passive: false });

  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => (drag = null));

  handle.addEventListener("keydown", (event) => {
    const [left, upper, side] = read();
    const step = event.ctrlKey ? 1 : Math.max(1, Math.round(most / 50));
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const [right, down] = ways[event.key] ?? [0, 0];
    const grows = { "+": 1, "=": 1, "-": -1, "−": -1 }[event.key] ?? 0;
    if (event.key === "Enter") form.requestSubmit();
    else if (grows) take(left - (grows * step) / 2, upper - (grows * step) / 2, side + grows * step);
    else if (event.shiftKey && (right || down)) take(left, upper, side + (right + down) * step);
    else if (right || down) take(left + right * step, upper + down * step, side);
    else return;
    event.preventDefault();
  });

  form.addEventListener("input", (event) => {
    if (fields.includes(event.target)) form.querySelector("[name=crop][value=hand]").checked = true;
    show();
  });
  show();
}

document.querySelectorAll("[data-crop]").forEach(start);
document.addEventListener("crop:ready", (event) => start(event.target));
