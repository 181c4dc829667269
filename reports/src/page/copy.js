// Buttons that copy what they name. Without a script they stay hidden.

for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.querySelector(button.dataset.copy);
  if (!source) continue;
  button.hidden = false;
  button.addEventListener("click", () => copyText(source.textContent, source, button));
}
