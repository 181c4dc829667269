// Starts the timeline, and lets links anywhere on the page lead into it.

const timeline = startTimeline(document.getElementById("explorer"));
window.danso = { timeline };

document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href="#timeline"]');
  if (link) follow(link);
});

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
  if (op === undefined) return;
  const i = opOf(Number(op));
  if (i < 0) timeline.say(`Operation #${op} is not among those in this page.`);
  else if (stretch) timeline.select(i);
  else timeline.close(i);
}
