"use strict";
// Nothing here is needed: without it, pages are reloaded by hand or by the browser.

// A page that changes says after how many seconds to look again. What comes is put in place of
// what is there, so that the reader's place in the page stays.
const look = async () => {
  const main = document.getElementById("main");
  if (!main.dataset.again) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = document.adoptNode(fresh.getElementById("main"));
    main.replaceWith(next);
    document.title = fresh.title;
  } catch {
    // The server has ended, or is busy: what is shown stays, and the next look may do.
    main.dataset.stale = "1";
  }
  later();
};
const later = () => {
  const seconds = Number(document.getElementById("main").dataset.again);
  if (seconds > 0) setTimeout(look, seconds * 1000);
};
later();

// Choosing is showing, and only two can be compared.
const filters = document.querySelector(".filters");
filters?.addEventListener("change", (event) => {
  if (event.target instanceof HTMLSelectElement) filters.requestSubmit();
});
const compare = document.querySelector('form[action="/compare"]');
if (compare) {
  const button = compare.querySelector("button");
  const count = () => {
    const ticked = compare.querySelectorAll(":checked").length;
    button.disabled = ticked !== 2;
  };
  compare.addEventListener("change", count);
  count();
}
