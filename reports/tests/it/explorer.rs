//! The big timeline in a real browser: what it shows, what it answers to, what it hands out.

use std::path::PathBuf;

use danso_browser::{Browser, Page};
use danso_vocab::codec::jsonl::{self, Tail};
use danso_vocab::{
    Anomaly, Finding, History, HistoryBuilder, NodeId, Op, Outcome, Process, Status, Time, Value,
};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::hostile::poisoned;
use crate::sample::{self, Sample};

/// A page in a browser, with the folder it lies in.
struct Opened {
    page: Page,
    _browser: Browser,
    _folder: TempDir,
}

fn open(sample: &Sample) -> Option<Opened> {
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("report.html");
    std::fs::write(&file, sample.html()).unwrap();
    let browser = Browser::start()?;
    let mut page = browser.open(&format!("file://{}", file.display()));
    page.wait_for("performance.getEntriesByName('danso:timeline').length === 1");
    // Files go nowhere here, but what would be in them is kept.
    page.eval(
        "window.handed = []; const make = URL.createObjectURL; \
         URL.createObjectURL = (blob) => { window.handed.push(blob.text()); return make(blob); }; 0",
    );
    Some(Opened { page, _browser: browser, _folder: folder })
}

impl Opened {
    fn state(&mut self) -> Json {
        self.page.eval("danso.timeline.state()")
    }

    fn selected(&mut self) -> Option<u64> {
        self.state()["selected"].as_u64()
    }

    /// Waits for a state; a filter takes effect a moment after the last key.
    fn wait(&mut self, condition: &str) {
        self.page.wait_for(&format!("(({condition}))(danso.timeline.state())"));
    }

    /// The text of the file that a button hands out.
    fn hand_out(&mut self, button: &str) -> String {
        let before = self.page.eval("handed.length").as_u64().unwrap();
        self.page.wait_for(&format!("!document.querySelector('button[name={button}]').disabled"));
        self.page.click(&format!("button[name={button}]"));
        self.page.wait_for(&format!("handed.length > {before}"));
        self.page.eval("handed.at(-1)").as_str().unwrap().to_owned()
    }

    fn quiet(&mut self) {
        assert_eq!(self.page.console(), [""; 0]);
        assert_eq!(self.page.network(), [""; 0]);
    }
}

fn first_anomaly(sample: &Sample) -> &Anomaly {
    &sample.results.findings[0].anomalies[0]
}

#[test]
fn from_an_anomaly_into_the_timeline_and_on_by_keys() {
    let sample = sample::invalid();
    let Some(mut it) = open(&sample) else { return };
    let (read, total) = (first_anomaly(&sample).ops[0], sample.history.len() as u64);
    let state = it.state();
    assert_eq!((&state["total"], &state["shown"]), (&total.into(), &total.into()));
    assert_eq!(state["visible"], total);
    assert_eq!(it.selected(), None);

    it.page.click(&format!("#anomaly-1 a[data-op='{}']", read.0));
    it.wait(&format!("s => s.selected === {}", read.0));
    let state = it.state();
    let op = sample.history.op(read).unwrap();
    assert!(state["from"].as_f64().unwrap() < op.inv_time().0 as f64);
    assert!(state["to"].as_f64().unwrap() > op.res_time().unwrap().0 as f64);
    assert!(state["visible"].as_u64().unwrap() < total);
    assert_eq!(state["anomaly"], 1, "the link was in its card");
    let says = it.page.eval("document.querySelector('.details').innerText");
    let says = says.as_str().unwrap();
    assert!(says.contains(&format!("#{}", read.0)) && says.contains("anomaly 1"), "{says}");
    assert!(says.contains("\"type\":\"invoke\",\"f\":\"read\""), "{says}");

    it.page.eval("document.querySelector('canvas.rows').focus()");
    it.page.press("]");
    let next = it.selected().unwrap();
    let by_begin = sample.history.row(op.row() + 1).id();
    assert_eq!(next, u64::from(by_begin.0));
    it.page.press("[");
    assert_eq!(it.selected(), Some(read.0.into()));
    let before = it.state()["visible"].as_u64();
    it.page.press("-");
    assert!(it.state()["visible"].as_u64() > before);
    let from = it.state()["from"].as_f64();
    it.page.press("ArrowRight");
    assert!(it.state()["from"].as_f64() > from);
    it.page.press("Escape");
    assert_eq!(it.selected(), None);
    it.page.press("n");
    assert_eq!(it.selected(), Some(read.0.into()));
    it.page.press("0");
    assert_eq!(it.state()["visible"], total);
    it.quiet();
}

#[test]
fn filters_count_and_hide() {
    let sample = sample::invalid();
    let Some(mut it) = open(&sample) else { return };
    let count = |wanted: &dyn Fn(Op<'_>) -> bool| {
        sample.history.ops().filter(|op| wanted(*op)).count() as u64
    };
    let on_k2 = |op: Op<'_>| op.key().as_deref() == Some(&Value::from("k2"));
    it.page.eval("document.querySelector('canvas.rows').focus()");
    it.page.press("/");
    it.page.type_text("precondition");
    let wanted = count(&|op| op.reason().is_some_and(|r| r.contains("precondition")));
    assert!(wanted > 0);
    it.wait(&format!("s => s.matching === {wanted}"));
    it.page.press("Escape");
    it.wait(&format!("s => s.matching === {}", sample.history.len()));
    it.page.click("input[name=key]");
    it.page.type_text("k2");
    it.wait(&format!("s => s.matching === {}", count(&on_k2)));
    it.page.click("input[name=ok]");
    let wanted = count(&|op| on_k2(op) && op.status() != Status::Ok);
    it.wait(&format!("s => s.matching === {wanted} && s.visible === {wanted}"));
    it.page.click("input[name=hide]");
    it.page.click("input[name=compact]");
    let processes: std::collections::BTreeSet<Process> = sample
        .history
        .ops()
        .filter(|op| on_k2(*op) && op.status() != Status::Ok)
        .map(Op::process)
        .collect();
    it.wait(&format!("s => s.rows.shown === {}", processes.len()));
    it.page.eval(
        "const rows = document.querySelector('select[name=rows]'); rows.value = 'key'; \
         rows.dispatchEvent(new Event('change'))",
    );
    it.wait("s => s.rows.by === 'key' && s.rows.all === 4");
    it.page.click(".in-view summary");
    it.page.wait_for(&format!(
        "document.querySelectorAll('.in-view tbody tr').length === {}",
        wanted.min(100)
    ));
    it.quiet();
}

/// That `part` has the operations `wanted` of `whole`, to the last detail.
fn is_part(part: &History, whole: &History, wanted: &[Op<'_>]) {
    let ids: Vec<_> = part.ops().map(|op| op.id()).collect();
    assert_eq!(ids, wanted.iter().map(|op| op.id()).collect::<Vec<_>>());
    for op in part.ops() {
        let original = whole.op(op.id()).unwrap();
        assert_eq!(op.to_string(), original.to_string());
        assert_eq!((op.arg(), op.ret()), (original.arg(), original.ret()));
        assert_eq!((op.node(), op.key()), (original.node(), original.key()));
        assert_eq!((op.inv_time(), op.res_time()), (original.inv_time(), original.res_time()));
        assert_eq!((op.res_index(), op.reason()), (original.res_index(), original.reason()));
    }
}

#[test]
fn parts_of_the_history_are_histories() {
    let sample = sample::invalid();
    let Some(mut it) = open(&sample) else { return };
    let history = &sample.history;
    let all: Vec<Op<'_>> = history.ops().collect();
    let read = jsonl::read(it.hand_out("slice-view").as_bytes(), Tail::Strict).unwrap();
    is_part(&read.history, history, &all);

    let (from, to) = (6_000_000_000u64, 7_000_000_000u64);
    it.page.eval(&format!("danso.timeline.show({from} - 2e6, {to} - 2e6)"));
    let state = it.state();
    let (from, to) = (state["from"].as_f64().unwrap(), state["to"].as_f64().unwrap());
    let begins = |op: &&Op<'_>| (from..=to).contains(&(op.inv_time().0 as f64));
    let wanted: Vec<Op<'_>> = all.iter().filter(begins).copied().collect();
    assert!((10..1000).contains(&wanted.len()), "{}", wanted.len());
    it.page.wait_for(&format!(
        "document.querySelector('.downloads').innerText.includes('{} operations that begin')",
        wanted.len()
    ));
    let read = jsonl::read(it.hand_out("slice-view").as_bytes(), Tail::Strict).unwrap();
    is_part(&read.history, history, &wanted);

    let read = jsonl::read(it.hand_out("slice-anomaly").as_bytes(), Tail::Strict).unwrap();
    let mut named: Vec<Op<'_>> =
        first_anomaly(&sample).ops.iter().map(|id| history.op(*id).unwrap()).collect();
    named.sort_by_key(|op| op.id());
    is_part(&read.history, history, &named);
    it.quiet();
}

/// Operations with values that JSON, markup and numbers could break.
fn sharp() -> Sample {
    let mut builder = HistoryBuilder::new();
    let values = [
        Value::Int(i64::MAX),
        Value::Int(i64::MIN),
        Value::Int((1 << 53) + 1),
        Value::from("</script><b>\u{0}\u{202e}\"\\ 数 🦀 \u{feff}"),
        Value::of([("<a>", Value::from([1, 2])), ("nil", Value::Nil)]),
        Value::from("long".repeat(3_000)),
    ];
    for (i, value) in values.iter().enumerate() {
        let process = Process(i as u32);
        let now = 1_000_000 * i as u64;
        let key = Some(value.clone());
        builder.invoke(Time(now), process, Some(NodeId(2)), "wri\"te", key, value.clone()).unwrap();
        let outcome = match i {
            0 => continue,
            1 => Outcome::Fail("no \"<\u{1b}".into()),
            2 => Outcome::Info("".into()),
            _ => Outcome::Ok(value.clone()),
        };
        builder.complete(Time(now + 10), process, None, outcome).unwrap();
    }
    let mut sample = sample::empty();
    sample.history = builder.finish();
    sample
}

#[test]
fn whatever_a_value_is_it_is_handed_out_as_it_was() {
    let sample = sharp();
    let Some(mut it) = open(&sample) else { return };
    let read = jsonl::read(it.hand_out("slice-view").as_bytes(), Tail::Strict).unwrap();
    is_part(&read.history, &sample.history, &sample.history.ops().collect::<Vec<_>>());
    it.quiet();
}

#[test]
fn what_is_cut_is_not_handed_out() {
    let mut sample = sharp();
    let mut builder = HistoryBuilder::new();
    let huge = Value::from("x".repeat(3 << 20));
    builder.invoke(Time(5), Process(0), None, "write", None, huge).unwrap();
    builder.complete(Time(9), Process(0), None, Outcome::Ok(Value::Nil)).unwrap();
    sample.history = builder.finish();
    let Some(mut it) = open(&sample) else { return };
    it.page.wait_for("document.querySelector('button[name=slice-view]').disabled");
    let why = it.page.eval("document.querySelector('.downloads').innerText");
    assert!(why.as_str().unwrap().contains("too long for this page"), "{why}");
    it.quiet();
}

#[test]
fn of_a_long_run_it_says_what_is_missing_and_hands_out_only_what_is_whole() {
    let sample = sample::big(200_000);
    let Some(mut it) = open(&sample) else { return };
    let state = it.state();
    assert_eq!(state["total"], sample.history.len());
    assert_eq!(state["shown"], 200_000);
    let rule = it.page.eval("document.querySelector('#explorer .warning').innerText");
    assert!(rule.as_str().unwrap().contains("operations are in this page"), "{rule}");
    it.page.wait_for("document.querySelector('button[name=slice-view]').disabled");
    let why = it.page.eval("document.querySelector('.downloads').innerText");
    assert!(why.as_str().unwrap().contains("leaves out some of its operations"), "{why}");
    let read = sample.history.op(first_anomaly(&sample).ops[0]).unwrap();
    it.page.eval(&format!("danso.timeline.show({0} - 1e8, {0} + 1e8)", read.inv_time().0));
    let handed = it.hand_out("slice-view");
    let part = jsonl::read(handed.as_bytes(), Tail::Strict).unwrap().history;
    let first = sample.history.op(part.row(0).id()).unwrap().row();
    let wanted: Vec<Op<'_>> =
        (first..first + part.len()).map(|row| sample.history.row(row)).collect();
    assert!(part.op(read.id()).is_some());
    is_part(&part, &sample.history, &wanted);
    it.quiet();
}

#[test]
fn dragging_and_the_wheel_move_it() {
    let Some(mut it) = open(&sample::invalid()) else { return };
    it.page.eval("document.getElementById('timeline').scrollIntoView()");
    let mut place = |selector: &str| {
        let place = it.page.eval(&format!(
            "(() => {{ const box = document.querySelector('{selector}').getBoundingClientRect(); \
             return [box.left, box.top, box.width, box.height]; }})()"
        ));
        [0, 1, 2, 3].map(|i| place[i].as_f64().unwrap())
    };
    let [left, top, width, height] = place("canvas.rows");
    let [strip_left, strip_top, strip_width, _] = place("canvas.overview");
    let middle = (left + width / 2.0, top + height / 4.0);
    let span = |state: &Json| state["to"].as_f64().unwrap() - state["from"].as_f64().unwrap();
    let whole = it.state();

    // Who only scrolls by is not held up.
    it.page.wheel(middle, 0.0, -1.0);
    assert_eq!(span(&it.state()), span(&whole));
    it.page.eval("document.querySelector('canvas.rows').focus({ preventScroll: true })");
    it.page.wheel(middle, 0.0, -120.0);
    it.page.wheel(middle, 0.0, -120.0);
    it.wait(&format!("s => s.to - s.from < {}", span(&whole) * 0.5));
    let zoomed = it.state();
    it.page.drag(middle, (middle.0 - 100.0, middle.1));
    it.wait(&format!("s => s.from > {}", zoomed["from"]));
    assert!((span(&it.state()) / span(&zoomed) - 1.0).abs() < 1e-6, "dragging does not zoom");

    // A click into the strip brings the window there.
    it.page.click_at(strip_left + strip_width * 0.98, strip_top + 20.0);
    let end = whole["to"].as_f64().unwrap();
    it.wait(&format!("s => s.to > {}", 0.95 * end));

    // Two fingers going apart.
    let before = it.state();
    it.page.eval(&format!(
        "(() => {{ const canvas = document.querySelector('canvas.rows'); \
         canvas.setPointerCapture = () => {{}}; \
         const send = (kind, id, x) => canvas.dispatchEvent(new PointerEvent(kind, \
             {{ pointerId: id, pointerType: 'touch', clientX: x, clientY: {y}, bubbles: true }})); \
         send('pointerdown', 71, {x} - 40); send('pointerdown', 72, {x} + 40); \
         send('pointermove', 71, {x} - 160); send('pointermove', 72, {x} + 160); \
         send('pointerup', 71, {x} - 160); send('pointerup', 72, {x} + 160); }})()",
        x = middle.0,
        y = middle.1,
    ));
    let after = it.state();
    assert!(span(&after) < span(&before) * 0.5, "from {before} to {after}");
    it.quiet();
}

#[test]
fn an_address_leads_to_an_operation() {
    let sample = sample::invalid();
    let Some(mut it) = open(&sample) else { return };
    let id = sample.history.row(77).id().0;
    it.page.eval(&format!("location.hash = '#op-{id}'"));
    it.wait(&format!("s => s.selected === {id}"));
    it.page.eval("location.hash = '#op-4000000000'");
    it.page.wait_for(
        "document.querySelector('.hint').textContent.includes('not among those in this page')",
    );
    assert_eq!(it.selected(), Some(id.into()));
    it.quiet();
}

#[test]
fn nothing_a_target_said_acts() {
    let sharp = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'\
                 </script>\u{0}\u{7f}\u{85}\u{ad}\u{202e}\u{2066}\u{feff}\u{1fffe}\u{e0041}";
    let Some(mut it) = open(&poisoned(sharp)) else { return };
    let title = it.page.eval("document.title");
    it.page.click(".in-view summary");
    it.page.eval("document.querySelector('canvas.rows').focus()");
    for by in ["process", "key", "node"] {
        it.page.eval(&format!(
            "var rows = document.querySelector('select[name=rows]'); rows.value = '{by}'; \
             rows.dispatchEvent(new Event('change'))"
        ));
        it.page.press("0");
        for _ in 0..5 {
            it.page.press("]");
        }
        it.page.press("n");
        it.page.eval(
            "(async () => { const canvas = document.querySelector('canvas.rows'); \
             canvas.scrollIntoView(); const box = canvas.getBoundingClientRect(); \
             for (let x = 0; x < box.width; x += 20) for (let y = 2; y < box.height; y += 9) \
             canvas.dispatchEvent(new PointerEvent('pointermove', { clientX: box.x + x, clientY: box.y + y })); })()",
        );
    }
    it.page.click("#explorer input[name=text]");
    it.page.type_text("<script>");
    it.wait("s => s.matching > 0");
    let hidden = r"/[\p{Cc}\p{Cf}\p{Noncharacter_Code_Point}]/u";
    let said = format!(
        "document.getElementById('explorer').textContent.replace(/[\\n ]/g, '').match({hidden})"
    );
    assert_eq!(it.page.eval(&said), Json::Null);
    assert_eq!(it.page.eval("document.querySelectorAll('img').length"), 0);
    assert_eq!(it.page.eval("document.scripts.length"), 2);
    assert_eq!(it.page.eval("document.title"), title);
    it.quiet();
}

#[test]
fn a_history_without_times_goes_by_the_order_of_its_events() {
    let mut builder = HistoryBuilder::new();
    builder.untimed();
    for i in 0..50u32 {
        builder.invoke(Time::ZERO, Process(i % 5), None, "read", None, Value::Nil).unwrap();
        builder.complete(Time::ZERO, Process(i % 5), None, Outcome::Ok(1.into())).unwrap();
    }
    let mut sample = sample::empty();
    sample.history = builder.finish();
    let Some(mut it) = open(&sample) else { return };
    it.page.eval("danso.timeline.show(10, 20)");
    let visible = it.state()["visible"].as_u64().unwrap();
    assert!((4..9).contains(&visible), "{visible}");
    it.quiet();
}

#[test]
fn of_very_many_rows_only_those_in_sight_are_drawn() {
    const OPS: u32 = 30_000;
    let mut builder = HistoryBuilder::new();
    for i in 0..OPS {
        let (process, now) = (Process(i), 1_000_000 * u64::from(i));
        let key = Some(Value::from(format!("k{i}")));
        builder.invoke(Time(now), process, None, "write", key, i64::from(i).into()).unwrap();
        builder.complete(Time(now + 500), process, None, Outcome::Info("late".into())).unwrap();
    }
    let mut sample = sample::empty();
    sample.history = builder.finish();
    let last = sample.history.row(OPS as usize - 1).id();
    let anomaly = Anomaly {
        name: "lost".into(),
        key: None,
        ops: vec![last],
        because: "It is lost.".to_owned(),
        explain: Vec::new(),
        figure: None,
    };
    sample.results.findings = vec![Finding::invalid("x", vec![anomaly])];
    let Some(mut it) = open(&sample) else { return };
    for by in ["key", "process"] {
        it.page.eval(&format!(
            "var rows = document.querySelector('select[name=rows]'); rows.value = '{by}'; \
             rows.dispatchEvent(new Event('change'))"
        ));
        it.wait(&format!("s => s.rows.by === '{by}' && s.rows.all === {OPS}"));
        let height = it.page.eval("document.querySelector('canvas.rows').height").as_u64().unwrap();
        assert!(height < 2_000, "a canvas of {height} pixels");
        it.page.eval("document.querySelector('canvas.rows').focus()");
        it.page.press("n");
        it.wait(&format!("s => s.selected === {} && s.visible < 1000", last.0));
        it.page.press("Escape");
        it.page.press("0");
    }
    it.quiet();
}
