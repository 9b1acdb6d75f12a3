// A number field with a known range gets a slider beside it; the field stays what is sent.

function enhance(root) {
  for (const field of root.querySelectorAll("input[type=number][data-slider]:not(input[type=range] + *)")) {
    const slider = document.createElement("input");
    slider.type = "range";
    slider.min = field.min;
    slider.max = field.max;
    slider.step = field.step;
    slider.value = field.value;
    slider.setAttribute("aria-label", field.labels[0]?.textContent.trim() ?? "");
    slider.addEventListener("input", () => {
      field.value = slider.value;
    });
    field.addEventListener("input", () => {
      slider.value = field.value;
    });
    field.before(slider);
  }
}

enhance(document);
document.addEventListener("htmx:load", (event) => enhance(event.target));
