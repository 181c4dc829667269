// Starts the timeline, and lets links anywhere on the page lead into it.

const timeline = startTimeline(document.getElementById("explorer"));
window.danso = { timeline };

document.addEventListener("click", (event) => {
  const link = event.target.closest?.('a[href="#timeline"]');
  if (!link) return;
  const { op, from, to, anomaly } = link.dataset;
  if (anomaly !== undefined && page.anomalies[anomaly - 1]) timeline.showAnomaly(anomaly - 1);
  if (from !== undefined && to !== undefined) {
    const [start, end] = [Number(from) - origin, Number(to) - origin];
    timeline.show(start - (end - start) * 0.1, end + (end - start) * 0.1);
  }
  if (op !== undefined) {
    const i = opOf(Number(op));
    if (i >= 0) timeline.close(i);
  }
});
