// Why a browser gave no passkey, in words: allauth's own script tells the console alone.
const { left, known, address } = document.getElementById("passkey-texts").dataset;
const texts = { NotAllowedError: left, AbortError: left, InvalidStateError: known };

document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const toast = document.getElementById("toast").content.firstElementChild.cloneNode(true);
  toast.querySelector("span").textContent = texts[event.detail.exception?.name] ?? address;
  document.getElementById("toasts").append(toast);
});
