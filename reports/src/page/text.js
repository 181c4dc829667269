// Words for values, operations and times. What targets sent is made harmless to look at, as the
// rest of the page does.

const HIDDEN = new RegExp(
  "[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u115f\\u1160\\u180e\\u3164\\u200b-\\u200f" +
  "\\u2028-\\u202e\\u2060-\\u206f\\ufdd0-\\ufdef\\ufeff\\uffa0\\ufff9-\\ufffb" +
  "\\u{e0000}-\\u{e0fff}\\ud800-\\udfff\\p{Noncharacter_Code_Point}]", "gu");

/** One line in which everything shows that was there. */
function inert(text) {
  return text.replace(HIDDEN, (c) => {
    const code = c.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? "␡" : `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
  });
}

const brief = (text, most) => (text.length > most ? text.slice(0, most) + "…" : text);

/** A text of the page's tables: whole, or its beginning with its length. */
const wholeText = (text) => (typeof text === "string" ? text : null);
const shownText = (text) =>
  typeof text === "string" ? inert(text) : `${inert(text[0])}… (cut; it has ${number(text[1])} bytes)`;

const BARE = /^\p{Alphabetic}[\p{Alphabetic}\p{N}\-_./]*$/u;

/** JSON as people write it: `nil`, `3`, `[1 2]`, `{a: 1}`. Takes JSON that was cut off as well. */
function people(json) {
  let out = "";
  const open = [];
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"?|[[\]{}:,]|[^\s[\]{}:,"]+/gu)) {
    if (token === "[" || token === "{") open.push(token);
    if (token === "]" || token === "}") open.pop();
    if (token === ",") out += open.at(-1) === "{" ? ", " : " ";
    else if (token === ":") out += ": ";
    else if (token === "null") out += "nil";
    else if (token[0] === '"') out += string(token);
    else out += token;
  }
  return inert(out);
}

function string(token) {
  let text;
  try {
    text = JSON.parse(token);
  } catch {
    return token;
  }
  return BARE.test(text) && !["nil", "true", "false"].includes(text) ? text : JSON.stringify(text);
}

const shownValues = new Map();

/** The value that a number of a column stands for, in words; `null` for none. */
function valueWords(n) {
  if (n === 0) return null;
  if (n % 2) return String(unzigzag((n - 1) / 2));
  let words = shownValues.get(n);
  if (words === undefined) {
    const text = page.values[n / 2 - 1];
    words = typeof text === "string" ? people(text) : `${people(text[0])}… (cut; it has ${number(text[1])} bytes)`;
    shownValues.set(n, words);
  }
  return words;
}

/** The same as JSON; `null` if it is not all there. */
function valueJson(n) {
  return n % 2 ? String(unzigzag((n - 1) / 2)) : wholeText(page.values[n / 2 - 1]);
}

const fWords = page.fs.map((f) => brief(shownText(f), 60));
const reasonWords = (n) => (n ? shownText(page.reasons[n - 1]) : null);
const isNil = (n) => n > 0 && n % 2 === 0 && page.values[n / 2 - 1] === "null";

/** What a person would write at a bar: `w 3`, `r → 2`, `cas 1→2`. */
function label(i) {
  const f = fWords[ops.f[i]];
  const end = ["", " ✗", " ?"][ops.status[i]];
  if (f === "txn") {
    const steps = transaction(ops.status[i] === OK ? ops.ret[i] : ops.arg[i]);
    if (steps) return steps + end;
  }
  let out = { read: "r", write: "w", enqueue: "enq", dequeue: "deq" }[f] ?? f;
  const arg = ops.arg[i], pair = f === "cas" && /^\[(\S+) (\S+)\]$/u.exec(valueWords(arg));
  if (pair) out += ` ${pair[1]}→${pair[2]}`;
  else if (arg && !isNil(arg)) out += ` ${brief(valueWords(arg), 30)}`;
  if (ops.status[i] === OK && (!isNil(ops.ret[i]) || isNil(arg))) {
    out += ` → ${brief(valueWords(ops.ret[i]), 30)}`;
  }
  return out + end;
}

/** Micro-operations `[f key value]`: `r x→[1 2] · append y 3`. */
function transaction(n) {
  const json = n && n % 2 === 0 ? valueJson(n) : null;
  // Numbers that doubles do not hold would come out as others.
  if (!json || json.length > 2000 || /\d{16}/.test(json)) return null;
  const steps = JSON.parse(json);
  if (!Array.isArray(steps) || !steps.every((s) => Array.isArray(s) && s.length === 3)) return null;
  const words = (v) => people(JSON.stringify(v)).replace(/^"(.*)"$/u, "$1");
  return brief(steps.map(([f, k, v]) => `${words(f)} ${words(k)}${f === "r" ? "→" : " "}${words(v)}`).join(" · "), 60);
}

/** What came of an operation. */
function outcome(i) {
  if (ops.status[i] === OK) return isNil(ops.ret[i]) && !isNil(ops.arg[i]) ? "ok" : valueWords(ops.ret[i]);
  return `${OUTCOMES[ops.status[i]]}: ${reasonWords(ops.ret[i]) ?? "never answered"}`;
}

/** An operation in one line: `#812 p4 read k3 → 2`. */
function line(i) {
  const key = ops.key[i] ? ` ${brief(valueWords(ops.key[i]), 60)}` : "";
  const arg = isNil(ops.arg[i]) ? "" : ` ${brief(valueWords(ops.arg[i]), 120)}`;
  return `#${ops.index[i]} p${ops.process[i]} ${fWords[ops.f[i]]}${key}${arg} → ${brief(outcome(i), 160)}`;
}

/** A number with its thousands apart. Hoisted: what is read above counts what it cuts off. */
function number(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A moment, as everywhere on the page; of a foreign clock, from the first moment on. */
function moment(t, digits = 3) {
  if (!page.timed) return `event ${Math.round(t)}`;
  const foreign = origin > 1e15;
  return `${foreign ? "+" : ""}${((foreign ? t : t + origin) / 1e9).toFixed(digits)} s`;
}

/** A span: `850 ns`, `1.2 ms`, `3.400 s`. */
function human(ns) {
  if (!page.timed) return `${number(Math.round(ns))} events`;
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 1e6) return `${(ns / 1e3).toFixed(1)} µs`;
  return ns < 1e9 ? `${(ns / 1e6).toFixed(1)} ms` : `${(ns / 1e9).toFixed(3)} s`;
}

const plural = (n, one, many = one + "s") => `${number(n)} ${n === 1 ? one : many}`;
