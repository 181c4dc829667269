// The whole run in one strip: how many operations ended how, where faults were, where anomalies
// are, and what of it the timeline shows.

const STRIP = 54, TICKS = 9;

/** Counts of ok, fail and info for equal parts of the run; of all operations, also left out ones. */
const density = (() => {
  const n = count(page.density);
  return numbers(page.density, new Float64Array(n));
})();

function paintOverview(context, { width, left, colours }) {
  const parts = density.length / 3, wide = (width - left) / parts;
  const at = (t) => left + (t / whole.to) * (width - left);
  context.clearRect(0, 0, width, STRIP);
  context.fillStyle = colours.window;
  context.globalAlpha = colours.wash * 1.6;
  for (const fault of page.faults) {
    context.fillRect(at(fault.from), 0, Math.max(1.5, at(fault.to) - at(fault.from)), STRIP);
  }
  context.globalAlpha = 1;
  let most = 1;
  for (let p = 0; p < parts; p++) most = Math.max(most, density[3 * p] + density[3 * p + 1] + density[3 * p + 2]);
  const room = STRIP - TICKS - 3, height = (n) => (n ? Math.max(1.5, (n / most) * room) : 0);
  for (let p = 0; p < parts; p++) {
    let y = STRIP - 1;
    for (const [status, colour] of [[INFO, colours.info], [FAIL, colours.fail], [OK, colours.ok]]) {
      const high = height(density[3 * p + status]);
      context.fillStyle = colour;
      context.fillRect(left + p * wide, y - high, Math.max(0.8, wide - 0.3), high);
      y -= high;
    }
  }
  context.fillStyle = colours.invalid;
  for (const anomaly of page.anomalies) {
    for (const i of anomaly.places.slice(0, 40)) {
      if (i < 0) continue;
      const x = at(ops.from[i]);
      context.beginPath();
      context.moveTo(x - 4, 0);
      context.lineTo(x + 4, 0);
      context.lineTo(x, TICKS);
      context.fill();
      context.fillRect(x - 0.5, 0, 1, STRIP);
    }
  }
}

/** Lets the window be dragged, its edges be moved, and a click bring it there. */
function overviewInput(canvas, brush, timeline) {
  let drag = null;
  const time = (event) => {
    const box = canvas.getBoundingClientRect(), left = timeline.left();
    return ((event.clientX - box.left - left) / (box.width - left)) * whole.to;
  };
  const grasp = (event) => {
    const { from, to } = timeline.view(), t = time(event);
    const edge = (8 / canvas.clientWidth) * whole.to;
    const reach = Math.min(edge, (to - from) / 3 + edge / 4);
    if (Math.abs(t - from) < reach && from > 0) return { what: "from" };
    if (Math.abs(t - to) < reach && to < whole.to) return { what: "to" };
    if (t < from || t > to) timeline.show(t - (to - from) / 2, t + (to - from) / 2);
    const now = timeline.view();
    return { what: "both", t, from: now.from, to: now.to };
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drag = grasp(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const t = time(event), { from, to } = timeline.view();
    if (drag.what === "from") timeline.show(Math.min(t, to), to);
    else if (drag.what === "to") timeline.show(from, Math.max(t, from));
    else timeline.show(drag.from + t - drag.t, drag.to + t - drag.t);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { drag = null; });
}

/** Puts the frame around the part that is shown. */
function placeBrush(brush, { from, to, left, width }) {
  const x0 = left + (Math.max(0, from) / whole.to) * (width - left);
  const x1 = left + (Math.min(whole.to, to) / whole.to) * (width - left);
  brush.style.left = `${x0}px`;
  brush.style.width = `${Math.max(3, x1 - x0)}px`;
}
