//! What the page's script draws from.

use std::collections::{BTreeMap, BTreeSet};

use danso_vocab::{NodeId, Op, OpId, Status, Time};
use serde::Serialize;

use super::choice::{self, choose};
use super::column::Column;
use super::lanes::{self, Lane};
use super::table::{Tables, Text, Values, Words, cut};
use crate::{Record, inert, windows};

/// The version of this format; page and script are written together, so nobody reads another.
const FORMAT: u32 = 1;
/// How many columns of pixels the overview has.
const BUCKETS: usize = 512;
/// The most anomalies to jump to.
const MOST_ANOMALIES: usize = 500;
/// A page's data takes no more, in bytes: there are fewer operations in it instead.
const MOST_BYTES: usize = 12 << 20;
/// The script counts in doubles, which are exact up to here.
const EXACT: u64 = 1 << 53;
/// The longest operation name, in bytes.
const LONGEST_F: usize = 256;

#[derive(Serialize)]
struct Data<'a> {
    format: u32,
    /// How many operations the history has.
    total: usize,
    /// Which of them are here, in words; absent if all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    /// Whether operations have times; if not, their order stands for time.
    timed: bool,
    /// Whether all times are exact here.
    exact: bool,
    /// The moment that all times count from, in ns.
    origin: String,
    /// The end, from there.
    end: u64,
    fs: Vec<Text>,
    #[serde(flatten)]
    tables: Tables,
    columns: BTreeMap<&'static str, String>,
    /// For each of equal parts of the time how many operations began that ended as ok, fail, info.
    density: String,
    faults: Vec<FaultData>,
    lanes: Vec<LaneData>,
    phases: Vec<(u64, String)>,
    anomalies: Vec<AnomalyData>,
}

#[derive(Serialize)]
struct FaultData {
    id: String,
    kind: String,
    nodes: Vec<u16>,
    from: u64,
    to: u64,
    healed: bool,
}

#[derive(Serialize)]
struct LaneData {
    node: u16,
    states: Vec<(u64, u64, &'static str)>,
    leads: Vec<(u64, u64)>,
}

#[derive(Serialize)]
struct AnomalyData {
    name: String,
    key: Option<String>,
    /// History indices of the invocations, the one that cannot be ordered first.
    ops: Vec<u32>,
}

/// The data of a record as JSON, with at most `most` operations.
pub(super) fn json(record: &Record<'_>, most: usize) -> String {
    let mut most = most;
    loop {
        let json = with_at_most(record, most);
        if json.len() <= MOST_BYTES || most < 1000 {
            return json;
        }
        most /= 2;
    }
}

fn with_at_most(record: &Record<'_>, most: usize) -> String {
    let history = record.history;
    let choice = choose(record, most);
    let timed = choice::timed(record);
    let first = history.ops().map(|op| op.inv_time().0).min().unwrap_or(0);
    let noted = history.notes().map(|(_, t, _)| t.0).min().unwrap_or(first);
    let origin = first.min(noted);
    let from = |time: Time| time.0.saturating_sub(origin);
    let last_index = history.ops().map(|op| op.res_index().unwrap_or(op.id().0)).max().unwrap_or(0);
    let end = if timed { from(history.end()) } else { u64::from(last_index) };

    let (mut values, mut reasons) = (Values::default(), Words::default());
    let columns = columns(record, &choice.rows, origin, &mut values, &mut reasons);
    let windows = windows::all(record);
    let lanes = lanes::lanes(record, &windows).into_iter();
    let data = Data {
        format: FORMAT,
        total: history.len(),
        rule: choice.rule.as_deref(),
        timed,
        exact: end < EXACT,
        origin: origin.to_string(),
        end,
        fs: history.fs().map(|f| cut(f, LONGEST_F)).collect(),
        tables: Tables::of(history, &values, &reasons),
        columns,
        density: density(record, timed, origin, end),
        faults: windows
            .iter()
            .map(|w| FaultData {
                id: w.id.to_string(),
                kind: inert::brief(&w.kind, 40),
                nodes: w.nodes.iter().map(|n| n.0).collect(),
                from: from(w.start),
                to: from(w.stop),
                healed: w.healed,
            })
            .collect(),
        lanes: lanes.map(|(node, lane)| lane_data(node, &lane, origin)).collect(),
        phases: lanes::phases(record).into_iter().map(|(t, word)| (from(t), word)).collect(),
        anomalies: anomalies(record),
    };
    // Nothing in it is no JSON, so this cannot fail.
    serde_json::to_string(&data).unwrap_or_default()
}

fn lane_data(node: NodeId, lane: &Lane, origin: u64) -> LaneData {
    let from = |time: Time| time.0.saturating_sub(origin);
    LaneData {
        node: node.0,
        states: lane.states.iter().map(|(a, b, s)| (from(*a), from(*b), s.word())).collect(),
        leads: lane.leads.iter().map(|(a, b)| (from(*a), from(*b))).collect(),
    }
}

fn anomalies(record: &Record<'_>) -> Vec<AnomalyData> {
    let all = record.results.findings.iter().flat_map(|finding| &finding.anomalies);
    all.take(MOST_ANOMALIES)
        .map(|anomaly| AnomalyData {
            name: inert::brief(&anomaly.name, 60),
            key: anomaly.key.as_ref().map(|key| inert::brief(key, 80)),
            ops: anomaly.ops.iter().map(|id| id.0).collect(),
        })
        .collect()
}

/// One column a property. Indices and times are given by how much they grow.
fn columns<'h>(
    record: &Record<'h>,
    rows: &[u32],
    origin: u64,
    values: &mut Values,
    reasons: &mut Words<'h>,
) -> BTreeMap<&'static str, String> {
    const NAMES: [&str; 11] =
        ["row", "index", "time", "took", "close", "process", "node", "kind", "key", "arg", "ret"];
    let history = record.history;
    let named: BTreeSet<OpId> = choice::named(record).map(Op::id).collect();
    let mut columns: [Column; 11] = Default::default();
    let (mut last_row, mut last_index, mut last_time) = (-1, 0, 0);
    for row in rows {
        let op = history.row(*row as usize);
        let index = i64::from(op.id().0);
        let time = op.inv_time().0.saturating_sub(origin) as i64;
        if named.contains(&op.id()) {
            values.keep(op);
        }
        let ret = match op.status() {
            Status::Ok => values.number(history, op.ret_id()),
            Status::Fail | Status::Info => reasons.number(op.reason()),
        };
        let [row_, index_, time_, took, close, process, node, kind, key, arg, ret_] = &mut columns;
        row_.push((i64::from(*row) - last_row - 1) as u64);
        index_.push_signed(index - last_index);
        time_.push_signed(time - last_time);
        took.push(took_of(op));
        close.push(op.res_index().map_or(0, |i| u64::from(i - op.id().0) + 1));
        process.push(u64::from(op.process().0));
        node.push(op.node().map_or(0, |n| u64::from(n.0)));
        kind.push(u64::from(op.f_id()) * 3 + op.status() as u64);
        key.push(values.number(history, op.key_id()));
        arg.push(values.number(history, Some(op.arg_id())));
        ret_.push(ret);
        (last_row, last_index, last_time) = (i64::from(*row), index, time);
    }
    NAMES.into_iter().zip(columns.iter().map(Column::text)).collect()
}

/// How long an operation took, plus one; 0 if nobody knows. An end before the beginning, which
/// only a broken clock stamps, is none.
fn took_of(op: Op<'_>) -> u64 {
    op.res_time().map_or(0, |end| end.0.saturating_sub(op.inv_time().0) + 1)
}

fn density(record: &Record<'_>, timed: bool, origin: u64, end: u64) -> String {
    let mut counts = vec![[0u64; 3]; BUCKETS];
    for op in record.history.ops() {
        let at = if timed { op.inv_time().0.saturating_sub(origin) } else { op.id().0.into() };
        let part = u128::from(at) * BUCKETS as u128 / (u128::from(end) + 1);
        counts[(part as usize).min(BUCKETS - 1)][op.status() as usize] += 1;
    }
    let mut column = Column::default();
    counts.iter().flatten().for_each(|n| column.push(*n));
    column.text()
}

#[cfg(test)]
mod tests;
