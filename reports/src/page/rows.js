// Which operation is drawn in which row: by process, key or node; side by side where they overlap.

const LANE = 18, GAP = 4;
/** How many operations may stand below each other in a row; more share the last place. */
const MOST_LANES = { process: 1, key: 6, node: 12 };

/** The operations in order of their beginning. Nearly always they are. */
const inOrder = (() => {
  const order = Uint32Array.from({ length: ops.n }, (_, i) => i);
  for (let i = 1; i < ops.n; i++) {
    if (ops.from[i] < ops.from[i - 1]) return order.sort((a, b) => ops.from[a] - ops.from[b] || a - b);
  }
  return order;
})();

/** A text that sorts as people count: k2 before k10. A collator would take seconds for many keys. */
const countable = (text) => text.replace(/\d+/g, (digits) => digits.padStart(16, "0"));
const NAMES = {
  process: (id) => `p${id}`,
  key: (id) => (id ? valueWords(id) : "no key"),
  node: (id) => (id ? `n${id}` : "no node"),
};

/** The distinct ids of a column in the order to show them. */
function distinct(by) {
  const ids = [...new Set(ops[by])];
  if (by !== "key") return ids.sort((a, b) => a - b);
  const named = ids.map((id) => ({ id, name: countable(NAMES.key(id)) }));
  return named.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)).map(({ id }) => id);
}

const arranged = new Map();

/** All operations in rows, worked out once. */
function arrange(by) {
  if (!arranged.has(by)) arranged.set(by, arrangement(by));
  return arranged.get(by);
}

/**
 * A row has one track or several; in a track, operations stand in order
 * of their beginning and do not overlap, but for the last of a crowded row.
 */
function arrangement(by) {
  const ids = distinct(by), places = new Map(ids.map((id, row) => [id, row]));
  const most = MOST_LANES[by];
  const rowOf = new Uint32Array(ops.n), laneOf = new Uint8Array(ops.n);
  const ends = ids.map(() => []);
  for (const i of inOrder) {
    const row = places.get(ops[by][i]), busy = ends[row];
    let lane = 0;
    while (lane < busy.length && busy[lane] > ops.from[i]) lane++;
    lane = Math.min(lane, most - 1);
    busy[lane] = Math.max(busy[lane] ?? 0, endOf(i));
    rowOf[i] = row;
    laneOf[i] = lane;
  }
  const first = new Uint32Array(ids.length + 1);
  ends.forEach((busy, row) => { first[row + 1] = first[row] + busy.length; });
  return { by, ids, rowOf, laneOf, first, ...tracks(first[ids.length], (i) => first[rowOf[i]] + laneOf[i]) };
}

/** The operations of each track: those of track t are `list[start[t]]` up to `start[t + 1]`. */
function tracks(count, trackOf) {
  const start = new Uint32Array(count + 1), longest = new Float64Array(count);
  for (let i = 0; i < ops.n; i++) start[trackOf(i) + 1]++;
  for (let t = 0; t < count; t++) start[t + 1] += start[t];
  const list = new Uint32Array(ops.n), next = start.slice();
  for (const i of inOrder) {
    const t = trackOf(i);
    list[next[t]++] = i;
    longest[t] = Math.max(longest[t], endOf(i) - ops.from[i]);
  }
  return { start, longest, list };
}

/** The first place in a track whose operation begins at `time` or later. */
function seek(rows, track, time) {
  let low = rows.start[track], high = rows.start[track + 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ops.from[rows.list[middle]] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first place of all operations, in order, that begins at `time` or later. */
function seekAll(time) {
  let low = 0, high = ops.n;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ops.from[inOrder[middle]] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Puts rows below each other; says where each begins. Of `wanted` those that have lanes there,
 * with as many of them.
 */
function stack(rows, wanted) {
  const shown = [], tops = [], lanes = [];
  let y = 0;
  for (let row = 0; row < rows.ids.length; row++) {
    if (wanted && !wanted[row]) continue;
    shown.push(row);
    tops.push(y);
    lanes.push(wanted ? wanted[row] : rows.first[row + 1] - rows.first[row]);
    y += lanes.at(-1) * LANE + GAP;
  }
  return { shown, tops, lanes, height: y };
}

/** The place in a stack of the row at `y`; -1 above the first. */
function rowAt(stacked, y) {
  let low = 0, high = stacked.tops.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (stacked.tops[middle] <= y) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
