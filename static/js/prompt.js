// Marks under words go while one types; the server's next answer puts them back where they belong.

document.addEventListener("input", (event) => {
  if (event.target.id === "id_prompt") document.getElementById("marks").textContent = "";
});
