// Pointer, wheel and keys: what they do to the timeline.

const CLICK = 4;

/** Dragging pans, two fingers zoom, a click selects. */
function pointerInput(canvas, timeline, pick) {
  const down = new Map();
  let moved = 0, pinch = null, start = null;
  const local = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const spread = () => {
    const [a, b] = [...down.values()];
    return { gap: Math.max(12, Math.abs(a.x - b.x)), x: (a.x + b.x) / 2 };
  };
  canvas.addEventListener("pointerdown", (event) => {
    down.set(event.pointerId, local(event));
    if (down.size === 1) {
      moved = 0;
      start = { ...timeline.view(), ...local(event) };
    } else if (down.size === 2) {
      pinch = { ...timeline.view(), ...spread() };
    }
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const at = local(event);
    if (!down.has(event.pointerId)) return timeline.hover(at.x, at.y, pick);
    down.set(event.pointerId, at);
    const wide = canvas.clientWidth - timeline.left();
    if (down.size === 2 && pinch) {
      const now = spread(), span = (pinch.to - pinch.from) * (pinch.gap / now.gap);
      const fixed = pinch.from + ((pinch.x - timeline.left()) / wide) * (pinch.to - pinch.from);
      const from = fixed - ((now.x - timeline.left()) / wide) * span;
      moved = CLICK;
      return timeline.show(from, from + span);
    }
    moved = Math.max(moved, Math.hypot(at.x - start.x, at.y - start.y));
    if (moved < CLICK) return undefined;
    const by = ((start.x - at.x) / wide) * (start.to - start.from);
    if (event.pointerType === "mouse") timeline.scrollBy(-event.movementY);
    return timeline.show(start.from + by, start.to + by);
  });
  const up = (event) => {
    const at = down.get(event.pointerId);
    down.delete(event.pointerId);
    pinch = null;
    if (down.size === 1) start = { ...timeline.view(), ...[...down.values()][0] };
    if (at && event.type === "pointerup" && moved < CLICK && down.size === 0) pick?.(at.x, at.y);
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => timeline.hover(-1, -1, null));
  canvas.addEventListener("dblclick", (event) => timeline.zoom(0.4, local(event).x));
}

/**
 * The wheel zooms once the timeline has the focus, or with Ctrl; until then the page scrolls, so
 * that nobody gets stuck here. With Shift or sideways it pans.
 */
function wheelInput(canvas, root, timeline) {
  canvas.addEventListener("wheel", (event) => {
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 200 : 1;
    const [dx, dy] = [event.deltaX * unit, event.deltaY * unit];
    const sideways = event.shiftKey ? dy || dx : Math.abs(dx) > Math.abs(dy) ? dx : 0;
    if (sideways) {
      event.preventDefault();
      timeline.pan(sideways / canvas.clientWidth);
    } else if (event.ctrlKey || event.metaKey || root.contains(document.activeElement)) {
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      timeline.zoom(Math.exp(Math.max(-120, Math.min(120, dy)) * 0.004), event.clientX - box.left);
    } else {
      timeline.hint();
    }
  }, { passive: false });
}

const KEYS = [
  ["← →", "pan"], ["↑ ↓", "rows"], ["+ −", "zoom"], ["0", "all"], ["[ ]", "previous, next operation"],
  ["n p", "next, previous anomaly"], ["/", "find"], ["Esc", "clear"],
];

function keyInput(root, timeline) {
  const actions = {
    ArrowLeft: () => timeline.pan(-0.12), ArrowRight: () => timeline.pan(0.12),
    ArrowUp: () => timeline.scrollBy(-3 * LANE), ArrowDown: () => timeline.scrollBy(3 * LANE),
    PageUp: () => timeline.pan(-0.9), PageDown: () => timeline.pan(0.9),
    Home: () => timeline.edge(-1), End: () => timeline.edge(1),
    "+": () => timeline.zoom(0.6), "=": () => timeline.zoom(0.6), "-": () => timeline.zoom(1 / 0.6),
    0: () => timeline.show(whole.from, whole.to),
    "[": () => timeline.step(-1), "]": () => timeline.step(1),
    n: () => timeline.anomaly(1), p: () => timeline.anomaly(-1),
    "/": () => timeline.find(), Escape: () => timeline.clear(),
  };
  root.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== "Escape")) return;
    // Within the panel and the table arrows scroll, as everywhere.
    if (event.key.length > 1 && event.key !== "Escape" && !event.target.matches("canvas")) return;
    const action = Object.hasOwn(actions, event.key) ? actions[event.key] : null;
    if (!action) return;
    event.preventDefault();
    action();
  });
}
