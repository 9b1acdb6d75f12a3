// Small manners of the interface: toasts, dialogs, menus, keys. Everything is delegated, so swapped fragments need nothing.

const TOAST_MS = 6000;

// Toasts: good news leaves by itself, errors stay until dismissed.
const leaveLater = (toast) => {
  if (toast.dataset.level === "error") return;
  setTimeout(() => (toast.matches(":hover, :focus-within") ? leaveLater(toast) : toast.remove()), TOAST_MS);
};

const toasts = document.getElementById("toasts");
if (toasts) {
  toasts.querySelectorAll(".toast").forEach(leaveLater);
  new MutationObserver((changes) => {
    for (const change of changes) {
      for (const node of change.addedNodes) if (node.nodeType === 1) leaveLater(node);
    }
  }).observe(toasts, { childList: true });
}

// What a button copies is marked instead where the browser keeps the clipboard to itself.
const copy = async (button) => {
  const source = document.getElementById(button.dataset.copy);
  if (!source) return;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
  } catch {
    getSelection().selectAllChildren(source);
    return;
  }
  const label = button.firstChild;
  const before = label.data;
  if (before === button.dataset.done) return;
  label.data = button.dataset.done;
  document.getElementById("announce").textContent = button.dataset.done;
  setTimeout(() => (label.data = before), 2000);
};

document.addEventListener("click", (event) => {
  const copier = event.target.closest("[data-copy]");
  if (copier) copy(copier);

  const dismiss = event.target.closest("[data-dismiss]");
  if (dismiss) dismiss.closest(".toast, .notice").remove();

  const opener = event.target.closest("[data-dialog]");
  const dialog = opener && document.getElementById(opener.dataset.dialog);
  if (dialog && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    dialog.showModal();
  }

  const open = event.target.closest("dialog[open]");
  if (open && (event.target === open || event.target.closest("[data-close]"))) open.close();

  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// Keys: "?" shows the list, "g" and a letter go to a place of the navigation, Escape closes a menu.
const isTyping = (element) => element.closest("input, select, textarea, [contenteditable]") !== null;
let goesSince = -Infinity;

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const menu = event.target.closest?.("details.menu[open]") ?? document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (event.key === "?") {
    document.getElementById("shortcuts")?.showModal();
  } else if (event.timeStamp - goesSince < 1500) {
    goesSince = -Infinity;
    document.querySelector(`[data-key="${CSS.escape(event.key)}"]`)?.click();
  } else if (event.key === "g") {
    goesSince = event.timeStamp;
  }
});

// A form is sent once: a second click on its button does nothing while the first is on its way.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || form.matches("[hx-post], [data-upload]")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  addEventListener("pageshow", () => delete form.dataset.sent, { once: true });
});
