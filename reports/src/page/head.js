// Above the operations, on the same axis: phases, faults, what became of nodes, and the time.

const BAND = 16, NODE = 15, AXIS = 20;
const MOST_BANDS = 6, MOST_NODES = 16;

/** Each fault's row: those of one row do not overlap, but for the last. */
const bandOf = (() => {
  const ends = [];
  return page.faults.map((fault) => {
    let row = ends.findIndex((end) => end <= fault.from);
    if (row < 0) row = Math.min(ends.length, MOST_BANDS - 1);
    ends[row] = Math.max(ends[row] ?? 0, fault.to);
    return row;
  });
})();
const bands = bandOf.length ? Math.max(...bandOf) + 1 : 0;
const nodeLanes = page.lanes.slice(0, MOST_NODES);
const hasPhases = page.phases.length > 0;
const headHeight = (hasPhases ? BAND : 0) + bands * BAND + nodeLanes.length * NODE + AXIS + 6;

const faultWords = (fault) =>
  `${fault.id} ${fault.kind}${fault.nodes.length ? " " + fault.nodes.map((n) => `n${n}`).join(" ") : ""}`;

function paintHead(context, frame) {
  const { width, left, colours } = frame;
  context.clearRect(0, 0, width, headHeight);
  paintWindows(context, frame, 0, headHeight);
  let y = 2;
  const name = (words, height) => {
    context.fillStyle = colours.soft;
    context.textAlign = "right";
    context.fillText(words, left - 7, y + height - 4.5);
    context.textAlign = "left";
  };
  if (hasPhases) {
    name("phase", BAND);
    clipped(context, frame, () => phases(context, frame, y));
    y += BAND;
  }
  if (bands) {
    name("faults", BAND);
    clipped(context, frame, () => page.faults.forEach((fault, i) => band(context, frame, fault, y + bandOf[i] * BAND)));
    y += bands * BAND;
  }
  for (const lane of nodeLanes) {
    name(`n${lane.node}`, NODE);
    clipped(context, frame, () => nodeLane(context, frame, lane, y));
    y += NODE;
  }
  clipped(context, frame, () => axis(context, frame, y + 2));
  context.fillStyle = colours.line;
  context.fillRect(0, headHeight - 1, width, 1);
}

function clipped(context, { width, left }, draw) {
  context.save();
  context.beginPath();
  context.rect(left, 0, width - left, headHeight);
  context.clip();
  draw();
  context.restore();
}

/** Words within a stretch of the axis, moved along so that they stay in sight. */
function words(context, { left, width }, text, x0, x1, y) {
  const start = Math.max(x0, left) + 4, room = Math.floor((Math.min(x1, width) - start - 2) / frameText);
  if (room >= Math.min(3, text.length)) context.fillText(fitting(text, room), start, y);
}

function phases(context, frame, y) {
  page.phases.forEach(([from, word], i) => {
    const x0 = frame.x(from), x1 = frame.x(page.phases[i + 1]?.[0] ?? whole.to);
    context.fillStyle = frame.colours.line;
    context.fillRect(x0, y, 1, headHeight);
    context.fillStyle = frame.colours.soft;
    words(context, frame, word, x0, x1, y + BAND - 4.5);
  });
}

function band(context, frame, fault, y) {
  const x0 = frame.x(fault.from), x1 = Math.max(frame.x(fault.to), x0 + 2);
  if (x1 < frame.left || x0 > frame.width) return;
  context.fillStyle = frame.colours.window;
  context.fillRect(x0, y, x1 - x0, BAND - 3);
  context.fillStyle = frame.colours.windowInk;
  words(context, frame, faultWords(fault) + (fault.healed ? "" : " (not healed)"), x0, x1, y + BAND - 6);
}

/** Up is a thin line, leading a thick one; down an empty box, crashed a full one, paused hatched. */
function nodeLane(context, frame, lane, y) {
  const { colours, x } = frame, middle = y + NODE / 2;
  const inSight = ([from, to]) => x(to) >= frame.left && x(from) <= frame.width;
  context.fillStyle = colours.soft;
  for (const [from, to, state] of lane.states.filter(inSight)) {
    if (state === "up") context.fillRect(x(from), middle - 0.75, Math.max(1, x(to) - x(from)), 1.5);
  }
  for (const [from, to] of lane.leads.filter(inSight)) {
    const x0 = x(from), x1 = Math.max(x(to), x0 + 2), start = Math.max(x0, frame.left);
    context.fillStyle = colours.valid;
    context.fillRect(x0, middle - 2.5, x1 - x0, 5);
    if (Math.min(x1, frame.width) - start < 9 * frameText) continue;
    context.fillStyle = colours.sunk;
    context.fillRect(start + 6, y, 6.6 * frameText, NODE);
    context.fillStyle = colours.valid;
    context.fillText("leader", start + 8, y + NODE - 4);
  }
  for (const [from, to, state] of lane.states.filter(inSight)) {
    if (state === "up") continue;
    const x0 = x(from), x1 = Math.max(x(to), x0 + 1);
    const colour = state === "paused" ? colours.info : colours.invalid;
    context.fillStyle = state === "crashed" ? colour : state === "paused" ? colours.infoBg : colours.panel;
    context.strokeStyle = colour;
    context.lineWidth = 1.2;
    context.fillRect(x0, y + 1, x1 - x0, NODE - 3);
    if (state === "paused") hatch(context, frame, x0, x1, y + 1, NODE - 3);
    context.strokeRect(x0 + 0.5, y + 1.5, Math.max(1, x1 - x0 - 1), NODE - 4);
    context.fillStyle = state === "crashed" ? colours.panel : colours.ink;
    const leads = lane.leads.some(([a, b]) => a < to && b > from) ? ", leader" : "";
    words(context, frame, state + leads, x0, x1, y + NODE - 4);
  }
}

function hatch(context, { left, width }, x0, x1, y, height) {
  const from = Math.max(x0, left), to = Math.min(x1, width);
  context.save();
  context.globalAlpha *= 0.5;
  context.beginPath();
  context.rect(from, y, to - from, height);
  context.clip();
  context.beginPath();
  for (let x = from - ((from - x0) % 6) - height; x < to; x += 6) {
    context.moveTo(x, y + height);
    context.lineTo(x + height, y);
  }
  context.stroke();
  context.restore();
}

/** Round steps: 1, 2 or 5 times a power of ten. */
function step(span, most) {
  const least = span / most, power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((times) => times * power >= least);
}

function axis(context, frame, y) {
  const { from, to, width, left, x, colours } = frame;
  const base = page.timed && origin <= 1e15 ? origin : 0;
  const apart = step(to - from, Math.max(2, (width - left) / 110));
  const digits = page.timed ? Math.max(0, Math.min(9, 9 - Math.floor(Math.log10(apart) + 1e-9))) : 0;
  context.textAlign = "center";
  for (let t = Math.ceil((from + base) / apart) * apart - base; t <= to; t += apart) {
    const at = Math.round(x(t));
    context.fillStyle = colours.line;
    context.fillRect(at, y, 1, 5);
    context.fillStyle = colours.soft;
    const words = page.timed ? moment(t, digits) : number(Math.round(t)), half = (words.length * frameText) / 2;
    if (at - half > left && at + half < width) context.fillText(words, at, y + 15);
  }
  context.textAlign = "left";
}

/** What is at a point of the head, in words. */
function headWords(x, y, { from, to, left, width }) {
  const t = from + ((x - left) / (width - left)) * (to - from);
  const slack = ((to - from) / (width - left)) * 2;
  const has = (a, b) => t >= a - slack && t <= b + slack;
  let row = y - 2;
  if (hasPhases) {
    if (row < BAND) return page.phases.filter(([start]) => start <= t).slice(-1).map(([start, word]) => [`phase ${word}`, `from ${moment(start)}`])[0];
    row -= BAND;
  }
  if (row < bands * BAND) {
    const fault = page.faults.find((f, i) => bandOf[i] === Math.floor(row / BAND) && has(f.from, f.to));
    return fault && [faultWords(fault), `${moment(fault.from)} to ${fault.healed ? moment(fault.to) : "the end, not healed"}`, human(fault.to - fault.from)];
  }
  const lane = nodeLanes[Math.floor((row - bands * BAND) / NODE)];
  const state = lane?.states.findLast(([a, b]) => has(a, b));
  if (!state) return undefined;
  const leads = lane.leads.some(([a, b]) => has(a, b)) ? ", leads" : "";
  return [`n${lane.node} ${state[2]}${leads}`, `${moment(state[0])} to ${moment(state[1])}`, human(state[1] - state[0])];
}
