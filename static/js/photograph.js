// The chosen photograph is shown with a box on it at once, before anything is sent (the box: crop.js).

const field = document.querySelector("[data-photograph]");
const empty = document.getElementById("stage").cloneNode(true);

function showBox(width, height, url) {
  const form = field.form;
  const side = Math.min(width, height);
  const [left, upper] = [Math.floor((width - side) / 2), Math.floor((height - side) / 2)];
  const square = `M${left} ${upper}H${left + side}V${upper + side}H${left}Z`;
  const stage = empty.cloneNode(true);
  stage.setAttribute("viewBox", `0 0 ${width} ${height}`);
  for (const element of [stage, stage.querySelector("image")]) {
    element.setAttribute("width", width);
    element.setAttribute("height", height);
  }
  stage.querySelector("image").setAttribute("href", url);
  form.querySelector("[name=crop][value=center]").checked = true;
  for (const way of form.querySelectorAll("[name=crop]")) {
    way.dataset.outline = square;
    way.dataset.shade = `M0 0H${width}V${height}H0Z${square}`;
  }
  for (const [name, value] of Object.entries({ left, upper, side })) form.elements[name].value = value;
  document.getElementById("stage").replaceWith(stage);
  stage.removeAttribute("hidden");
  stage.dispatchEvent(new Event("crop:ready", { bubbles: true }));
}

field.addEventListener("change", () => {
  const [file] = field.files;
  const picture = new Image();
  const tell = (isShown) => {
    document.getElementById("box-keys").hidden = !isShown;
    document.getElementById("not-shown").hidden = isShown;
  };
  document.getElementById("stage").setAttribute("hidden", "");
  if (!file) return;
  picture.onload = () => {
    showBox(picture.naturalWidth, picture.naturalHeight, picture.src);
    tell(true);
  };
  picture.onerror = () => tell(false);
  picture.src = URL.createObjectURL(file);
});
