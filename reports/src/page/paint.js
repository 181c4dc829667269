// Operations as bars. Whoever is too narrow to be seen alone is drawn with its neighbours: what
// is ok as high as the row, what failed in its lower half, what nobody knows in its upper half.

const NARROW = 2.5, ROOM_FOR_TEXT = 26;
const BAR = LANE - 4, TAIL = 60;

/** Rectangles of one look, drawn at once. */
class Batch {
  constructor() { this.list = []; }
  add(x, y, width, height) {
    const { list } = this, n = list.length;
    // Touching ones of the same height become one.
    if (n && list[n - 3] === y && list[n - 1] === height && list[n - 4] + list[n - 2] >= x) {
      list[n - 2] = Math.max(list[n - 2], x + width - list[n - 4]);
    } else {
      list.push(x, y, width, height);
    }
  }
  fill(context, colour) {
    const { list } = this;
    context.fillStyle = colour;
    for (let i = 0; i < list.length; i += 4) context.fillRect(list[i], list[i + 1], list[i + 2], list[i + 3]);
  }
}

/** Draws the rows of a stack that are in sight. `frame` says where: see timeline.js. */
function paintRows(context, frame) {
  const { rows, stacked, scroll, width, height, left, colours } = frame;
  context.clearRect(0, 0, width, height);
  paintWindows(context, frame, 0, height);
  const batches = { ghost: new Batch(), tails: [], thin: [new Batch(), new Batch(), new Batch()], wide: [] };
  context.save();
  context.beginPath();
  context.rect(left, 0, width - left, height);
  context.clip();
  context.fillStyle = colours.line;
  const seen = [];
  for (let at = Math.max(0, rowAt(stacked, scroll)); at < stacked.shown.length; at++) {
    const row = stacked.shown[at], top = stacked.tops[at] - scroll;
    if (top > height) break;
    seen.push([row, top]);
    const lanes = stacked.lanes[at];
    context.fillRect(left, top + lanes * LANE + GAP / 2, width - left, 1);
    for (let lane = 0; lane < lanes; lane++) {
      collect(frame, rows.first[row] + lane, top + lane * LANE + 2 + GAP / 4, batches);
    }
  }
  context.globalAlpha = frame.faint;
  batches.ghost.fill(context, colours.soft);
  context.globalAlpha = 1;
  paintTails(context, frame, batches.tails);
  [colours.ok, colours.fail, colours.info].forEach((colour, s) => batches.thin[s].fill(context, colour));
  for (const bar of batches.wide) paintBar(context, frame, bar);
  paintParts(context, frame, batches);
  context.restore();
  paintNames(context, frame, seen);
}

/** Sorts the operations of a track that are in sight into batches. */
function collect(frame, track, y, batches) {
  const { rows, from, to, x, width, left, matches, hide } = frame;
  let place = seek(rows, track, from - rows.longest[track]);
  const end = rows.start[track + 1];
  // Where an end is unknown its tail reaches on.
  const trails = (i) => ops.status[i] === INFO && x(endOf(i)) > left - TAIL;
  while (place > rows.start[track] && trails(rows.list[place - 1])) place--;
  let lastX = -1, lastStatus = -1, lastTail = -TAIL;
  for (; place < end; place++) {
    const i = rows.list[place];
    if (ops.from[i] > to) break;
    const ghost = matches && !matches[i];
    if (ghost && hide) continue;
    const status = ops.status[i];
    const x0 = Math.max(x(ops.from[i]), left - 4), x1 = Math.min(x(endOf(i)), width + 4);
    if (status === INFO && !ghost && x1 > lastTail + 2) {
      batches.tails.push(x1, y);
      lastTail = x1;
    }
    if (x1 < left - 2) continue;
    if (x1 - x0 > NARROW && !ghost) {
      batches.wide.push({ i, x: x0, y, width: x1 - x0 });
      continue;
    }
    const column = Math.floor(x0), thick = Math.max(1, x1 - x0);
    if (column === lastX && status === lastStatus && thick === 1 && !parts.has(i)) continue;
    [lastX, lastStatus] = [ghost ? -1 : column, status];
    if (ghost) batches.ghost.add(column, y, thick, BAR);
    else if (status === OK) batches.thin[OK].add(column, y, thick, BAR);
    else if (status === FAIL) batches.thin[FAIL].add(column, y + BAR / 2, thick, BAR / 2);
    else batches.thin[INFO].add(column, y, thick, BAR / 2);
  }
}

/** An operation whose outcome nobody knows goes on, but nobody sees it. */
function paintTails(context, { colours, width }, tails) {
  context.fillStyle = colours.info;
  for (let step = 0; step < 5; step++) {
    context.globalAlpha = 0.34 - step * 0.065;
    for (let t = 0; t < tails.length; t += 2) {
      const x = tails[t] + step * (TAIL / 5);
      if (x < width) context.fillRect(x, tails[t + 1] + 3, TAIL / 5 - 3, BAR - 6);
    }
  }
  context.globalAlpha = 1;
}

/** A bar wide enough to be looked at: filled, dashed or open, as its outcome is. */
function paintBar(context, { colours, width, left }, { i, x, y, width: wide }) {
  const status = ops.status[i];
  const [ink, ground] = [[colours.ok, colours.okBg], [colours.fail, colours.failBg], [colours.info, colours.infoBg]][status];
  context.fillStyle = ground;
  context.fillRect(x, y, wide, BAR);
  context.strokeStyle = ink;
  context.lineWidth = 1.2;
  context.setLineDash(status === FAIL ? [4, 2] : []);
  context.beginPath();
  if (status === INFO) {
    context.moveTo(x + wide, y + 0.5);
    context.lineTo(x + 0.5, y + 0.5);
    context.lineTo(x + 0.5, y + BAR - 0.5);
    context.lineTo(x + wide, y + BAR - 0.5);
  } else {
    context.rect(x + 0.5, y + 0.5, Math.max(1, wide - 1), BAR - 1);
  }
  context.stroke();
  context.setLineDash([]);
  if (wide < ROOM_FOR_TEXT) return;
  const start = Math.max(x, left) + 5, room = Math.floor((Math.min(x + wide, width) - start - 3) / frameText);
  const text = inert(label(i));
  // A letter and dots say nothing.
  if (room < Math.min(5, text.length)) return;
  context.fillStyle = colours.ink;
  context.fillText(fitting(text, room), start, y + BAR - 3.5);
}

/** A text cut so that with its ellipsis it has no more than `room` characters. */
const fitting = (text, room) => (text.length > room ? brief(text, room - 1) : text);

/** Width of a character, in pixels; set with the font. */
let frameText = 6.6;

/** Frames around what anomalies name, what is selected and what the pointer is at. */
function paintParts(context, frame) {
  const { colours, rows, x, width, left } = frame;
  const around = (i, colour, thick, grow) => {
    const y = topOf(frame, i);
    if (y === null || y < -LANE || y > frame.height || (frame.hide && frame.matches && !frame.matches[i])) return;
    const x0 = Math.max(x(ops.from[i]), left - 6), x1 = Math.min(x(endOf(i)), width + 6);
    if (x1 < left || x0 > width) return;
    context.strokeStyle = colour;
    context.lineWidth = thick;
    context.strokeRect(x0 - grow, y - grow, Math.max(3, x1 - x0) + 2 * grow, BAR + 2 * grow);
  };
  const inSight = (i) => ops.from[i] <= frame.to && endOf(i) >= frame.from;
  for (const [i, part] of parts) {
    if (inSight(i)) around(i, part.first ? colours.invalid : colours.ink, part.first ? 2.5 : 1.8, 0.5);
  }
  if (frame.hovered >= 0 && rows) around(frame.hovered, colours.soft, 1.5, 2);
  if (frame.selected >= 0) around(frame.selected, colours.focus, 2.5, 2.5);
}

/** Where the bar of an operation is, or `null` if its row is not shown. */
function topOf({ rows, stacked, places, scroll }, i) {
  const at = places[rows.rowOf[i]];
  return at < 0 ? null : stacked.tops[at] - scroll + rows.laneOf[i] * LANE + 2 + GAP / 4;
}

/** Faults lie behind everything. */
function paintWindows(context, { x, colours, width, left }, top, height) {
  context.fillStyle = colours.window;
  context.globalAlpha = colours.wash;
  for (const fault of page.faults) {
    const x0 = Math.max(left, x(fault.from)), x1 = Math.min(width, x(fault.to));
    if (x1 > left && x0 < width) context.fillRect(x0, top, Math.max(1, x1 - x0), height);
  }
  context.globalAlpha = 1;
}

function paintNames(context, { rows, left, colours, named }, seen) {
  const room = Math.floor((left - 10) / frameText);
  context.textAlign = "right";
  for (const [row, top] of seen) {
    context.fillStyle = named.has(row) ? colours.ink : colours.soft;
    const name = fitting(inert(NAMES[rows.by](rows.ids[row])), room);
    context.fillText(name, left - 7, top + LANE / 2 + GAP / 2 + 3);
  }
  context.textAlign = "left";
}
