// What the page carries, read once: the operations as columns of numbers.

const page = JSON.parse(document.getElementById("danso-data").textContent);

const OK = 0, FAIL = 1, INFO = 2;
const OUTCOMES = ["ok", "fail", "info"];

/** The bytes of a base64 text. */
function bytes(text) {
  const packed = atob(text);
  const out = new Uint8Array(packed.length);
  for (let i = 0; i < out.length; i++) out[i] = packed.charCodeAt(i);
  return out;
}

/** Fills `out` with a column's numbers, seven bits a byte. Beyond 31 bits doubles count on. */
function numbers(text, out) {
  const from = bytes(text);
  for (let i = 0, at = 0; at < from.length; i++) {
    let n = 0, scale = 1, byte;
    do {
      byte = from[at++];
      n += (byte & 0x7f) * scale;
      scale *= 128;
    } while (byte > 0x7f);
    out[i] = n;
  }
  return out;
}

/** 0, 1, 2, 3, … as 0, -1, 1, -2, … */
const unzigzag = (n) => (n % 2 ? -(n + 1) / 2 : n / 2);

/** How many numbers a column has. */
function count(text) {
  let n = 0;
  for (const byte of bytes(text)) if (byte < 0x80) n++;
  return n;
}

/** Turns growths into what they lead to. */
function sum(column, out) {
  let last = 0;
  for (let i = 0; i < column.length; i++) out[i] = last += unzigzag(column[i]);
  return out;
}

/** All operations: one number each in every column. */
function readOps() {
  const { columns } = page;
  const n = count(columns.index);
  const plain = (name, Kind) => numbers(columns[name], new Kind(n));
  const grown = (name, Kind) => sum(plain(name, Float64Array), new Kind(n));
  const index = grown("index", Uint32Array), time = grown("time", Float64Array);
  const took = plain("took", Float64Array), close = plain("close", Float64Array);
  const kind = plain("kind", Uint32Array), row = plain("row", Float64Array);
  const f = new Uint16Array(n), status = new Uint8Array(n);
  // Where no times are known, the order of events stands for them.
  const from = page.timed ? time : Float64Array.from(index), to = new Float64Array(n);
  for (let i = 0, last = -1; i < n; i++) {
    f[i] = Math.floor(kind[i] / 3);
    status[i] = kind[i] % 3;
    last = row[i] += last + 1;
    const span = page.timed ? took[i] : close[i];
    to[i] = span ? from[i] + span - 1 : NaN;
  }
  return {
    n, index, time, took, close, row, f, status, from, to,
    process: plain("process", Uint32Array), node: plain("node", Uint16Array),
    key: plain("key", Uint32Array), arg: plain("arg", Uint32Array), ret: plain("ret", Uint32Array),
  };
}

const ops = readOps();
const origin = Number(page.origin);
/** The longest span there is to see. */
const whole = { from: 0, to: Math.max(page.end, 1) };

/** The operation with this history index, or -1. */
const opOf = (() => {
  let places = null;
  return (index) => {
    if (!places) {
      places = new Map();
      for (let i = 0; i < ops.n; i++) places.set(ops.index[i], i);
    }
    return places.get(index) ?? -1;
  };
})();

/** What is known to have been the end of an operation, for drawing: at least its beginning. */
const endOf = (i) => (ops.to[i] >= ops.from[i] ? ops.to[i] : ops.from[i]);

/** The part of anomalies an operation plays: its anomaly's number, and whether it comes first. */
const parts = new Map();
page.anomalies.forEach((anomaly, number) => {
  anomaly.places = anomaly.ops.map(opOf);
  anomaly.places.forEach((i, place) => {
    if (i >= 0 && !(parts.has(i) && parts.get(i).first)) parts.set(i, { number, first: place === 0 });
  });
});
