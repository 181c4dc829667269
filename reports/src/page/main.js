// Starts the timeline, and lets links anywhere on the page lead into it.

const timeline = startTimeline(document.getElementById("explorer"));
window.danso = { timeline };

document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href="#timeline"]');
  if (link) follow(link);
});

/** An address that ends in `#op-812` leads to that operation: something to send to a colleague. */
function followAddress() {
  const named = /^#op-(\d+)$/.exec(location.hash);
  if (!named) return;
  document.getElementById("timeline").scrollIntoView();
  find(Number(named[1]), timeline.close);
}
window.addEventListener("hashchange", followAddress);
followAddress();

/** Does something with the operation of this history index, or says that it is not here. */
function find(index, act) {
  const i = opOf(index);
  if (i < 0) timeline.say(`Operation #${index} is not among those in this page.`);
  else act(i);
}

/** A link names an operation, a stretch of time, or both; within a card also the anomaly. */
function follow(link) {
  const { op, from, to } = link.dataset;
  const card = /^anomaly-(\d+)$/.exec(link.closest('[id^="anomaly-"]')?.id ?? "");
  if (card) timeline.mark(Number(card[1]) - 1);
  const stretch = from !== undefined && to !== undefined;
  if (stretch) {
    const [start, end] = [Number(from) - origin, Number(to) - origin], margin = (end - start) * 0.1;
    timeline.show(start - margin, end + margin);
  }
  if (op !== undefined) find(Number(op), stretch ? timeline.select : timeline.close);
}
