// Parts of the history as files that danso reads again. What is not all here is not handed out.

/** The two lines of an operation in a history file, by index; `null` if something of it is cut. */
function historyLines(i) {
  const at = (t) => String(BigInt(page.origin) + BigInt(t));
  const f = wholeText(page.fs[ops.f[i]]), key = ops.key[i] ? valueJson(ops.key[i]) : undefined;
  const arg = valueJson(ops.arg[i]), status = ops.status[i];
  const said = status === OK ? valueJson(ops.ret[i]) : "null";
  const reason = status === OK || !ops.ret[i] ? undefined : wholeText(page.reasons[ops.ret[i] - 1]);
  if ([f, key, arg, said, reason].includes(null)) return null;
  const whose = `"process":${ops.process[i]},"type":`;
  const what = `"f":${JSON.stringify(f)}${key === undefined ? "" : `,"key":${key}`}`;
  const node = ops.node[i] ? `,"node":"n${ops.node[i]}"` : "";
  const time = page.timed ? ops.time[i] : 0;
  const lines = [[ops.index[i], `{"index":${ops.index[i]},"time":${at(time)},${whose}"invoke",${what},"value":${arg}${node}}`]];
  if (ops.close[i]) {
    const index = ops.index[i] + ops.close[i] - 1, end = page.timed ? time + ops.took[i] - 1 : 0;
    const error = reason === undefined ? "" : `,"error":${JSON.stringify(reason)}`;
    lines.push([index, `{"index":${index},"time":${at(end)},${whose}"${OUTCOMES[status]}",${what},"value":${said}${error}}`]);
  }
  return lines;
}

/** Why these operations cannot be handed out as they were; `null` if they can. */
function sliceObstacle(places) {
  if (places.length === 0) return "there is no operation in it";
  if (!page.exact) return "the run spans more time than this page counts exactly";
  if (places.some((i) => i < 0)) return "an operation of it is not in this history";
  if (places.some((i) => ops.close[i] === 1)) return "the history has an end without a beginning in it";
  if (places.some((i) => historyLines(i) === null)) return "a value in it was too long for this page";
  return null;
}

/** A history of these operations alone. */
function slice(places) {
  const lines = places.flatMap(historyLines).sort((a, b) => a[0] - b[0]);
  const first = '{"format":1,"index":0,"time":0,"process":"nemesis","type":"info","f":"history","value":null}';
  const head = lines.length && lines[0][0] > 0 ? [first] : [];
  return [...head, ...lines.map(([, text]) => text), ""].join("\n");
}

/** The operations of all that begin within the view and match; and why they are not all here. */
function sliceOfView(from, to, matches) {
  const places = [], low = seekAll(from), high = seekAll(to + 1e-9);
  for (let at = low; at < high; at++) if (!matches || matches[inOrder[at]]) places.push(inOrder[at]);
  return { places, gap: gapWithin(low, high) };
}

/** Whether operations were left out between these, or between them and their neighbours. */
function gapWithin(low, high) {
  if (ops.n === page.total) return false;
  const begin = Math.max(0, low - 1), end = Math.min(ops.n, high + 1);
  const rows = inOrder.subarray(begin, end);
  if (low === 0 && ops.row[rows[0]] > 0) return true;
  if (high === ops.n && ops.row[rows[rows.length - 1]] < page.total - 1) return true;
  return rows.some((i, at) => at > 0 && ops.row[i] !== ops.row[rows[at - 1]] + 1);
}

/** Hands a text out as a file. */
function download(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
