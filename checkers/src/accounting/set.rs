//! [`Set`]: do the final reads of a set have everything that was acknowledged?
//!
//! **Final reads.** An acknowledged read that began after the last acknowledged add had ended
//! must show all of them. Of each node the last such read counts, so that a replica that caught up
//! late is not held against the system; where the history names no nodes, of each process. *All*
//! final reads are judged, and compared: what one replica lacks is lost there, and a divergence.
//! If no read began that late, the last read is judged by what had been acknowledged before it
//! began, and what was acknowledged later makes the verdict `unknown`.
//!
//! **Unknown adds.** An element whose add is `info` may be there or not (*recovered* if it is),
//! and may still arrive while final reads are made. It is a divergence only if some read that
//! shows it had ended before a final read that lacks it began, and another final read has it.

mod finals;
#[cfg(test)]
pub(super) mod tests;

use danso_vocab::{Anomaly, Checker, Finding, History, Limits, Op, Value};

use super::elements::{Bits, Elements, Strange, shown};
use crate::ledger::Ledger;
use crate::objects::{Object, Objects, SPELL, listed};
pub(super) use finals::Finals;

/// `add value` and `read -> [value …]`, as Jepsen's `set`, with several final reads. Anomalies:
/// `lost-element`, `unexpected-element`, `aborted-read`, `divergence`. O(operations + elements
/// read); 30 to 50 bytes an element and a bit for each final read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Set;

pub(super) const ALPHABET: &[&str] = &["add", "read"];

/// Operations that take elements out: then a missing one may be no loss.
const TAKES: &[&str] = &["remove", "delete", "del", "discard", "clear", "pop"];

impl Checker for Set {
    fn name(&self) -> &'static str {
        "set"
    }

    fn decides(&self) -> &'static str {
        "every final read of a set has all acknowledged elements and nothing that nobody added"
    }

    fn anomalies(&self) -> &'static [&'static str] {
        &["lost-element", "unexpected-element", "aborted-read", "divergence"]
    }

    fn check(&self, history: &History, limits: &Limits) -> Finding {
        check(self.name(), history, limits, |object, elements, finals, _, ledger| {
            finals.unread(history, object, elements, ledger);
        })
    }
}

/// Judges every object by its final reads, and by whatever else `more` does with it: it hears which
/// elements were reported as lost.
pub(super) fn check<'h>(
    name: &'static str,
    history: &'h History,
    limits: &Limits,
    mut more: impl FnMut(&Object, &mut Elements<'h>, &Finals<'h>, &Bits, &mut Ledger),
) -> Finding {
    if let Some(f) = history.fs().find(|f| TAKES.contains(f)) {
        return Finding::unknown(
            name,
            format!(
                "elements are taken out again by {f}, so a missing one may be no loss; --model lin-set knows such sets"
            ),
        );
    }
    let objects = match Objects::of(history, ALPHABET) {
        Ok(objects) => objects,
        Err(reason) => return Finding::unknown(name, reason),
    };
    let mut ledger = Ledger::default();
    if objects.all.is_empty() {
        ledger.doubt(|| "there is no add and no read".to_owned());
    }
    for object in &objects.all {
        let Some((mut elements, finals)) = look(history, object, limits, &mut ledger) else {
            ledger.doubt(|| "stopped before every read was looked at".to_owned());
            break;
        };
        let lost = finals.judge(history, object, &elements, limits, &mut ledger);
        more(object, &mut elements, &finals, &lost, &mut ledger);
    }
    let left_out = objects.left_out();
    let keys = objects.all.len();
    let mut finding = ledger.finding(name, |ledger| {
        let on = if keys > 1 { format!(" of {keys} sets") } else { String::new() };
        format!(
            "each of {} final reads{on} has all {} acknowledged elements",
            ledger.figure("final-reads"),
            ledger.figure("acknowledged")
        )
    });
    finding.reason += &left_out;
    finding
}

/// Looks at every read of one object; `None` if it was stopped.
fn look<'h>(
    history: &'h History,
    object: &Object,
    limits: &Limits,
    ledger: &mut Ledger,
) -> Option<(Elements<'h>, Finals<'h>)> {
    let mut elements = Elements::of(history, object);
    let reads = object.rows.iter().map(|row| history.row(*row as usize));
    let reads = || reads.clone().filter(|op| op.f() == "read");
    let mut finals = Finals::choose(reads(), elements.last);
    let mut looked = 0;
    for read in reads().filter(|op| op.is_ok()) {
        ledger.count("reads", 1);
        let Some(list) = shown(read) else {
            ledger.doubt(|| format!("read {read} shows no list of elements"));
            finals.drop(read);
            continue;
        };
        for value in list {
            looked += 1;
            if looked % SPELL == 0 && limits.stop.is_tripped() {
                return None;
            }
            let (number, strange) = elements.see(read, value);
            finals.show(read, number);
            if let Some(strange) = strange {
                report(history, object, read, value, strange, ledger);
            }
        }
    }
    ledger.count("attempted", elements.attempted as u64);
    ledger.count("acknowledged", elements.acknowledged as u64);
    Some((elements, finals))
}

/// Reports an element that a read cannot show.
fn report(
    history: &History,
    object: &Object,
    read: Op<'_>,
    value: &Value,
    strange: Strange,
    ledger: &mut Ledger,
) {
    let of = object.of(history);
    let (name, add, because) = match strange {
        Strange::Unexpected => {
            let because = format!(
                "{}'s read{of} ({}) shows {value}, which nobody ever added",
                read.process(),
                read.id()
            );
            ("unexpected-element", None, because)
        }
        Strange::Early(row) => {
            let add = history.row(row as usize);
            let because = format!(
                "{}'s read{of} ({}) shows {value}, although it had ended before anybody began to add that ({})",
                read.process(),
                read.id(),
                add.id()
            );
            ("unexpected-element", Some(add), because)
        }
        Strange::Aborted(row) => {
            let add = history.row(row as usize);
            let because = format!(
                "{}'s read{of} ({}) shows {value}, although {}'s add of it ({}) failed: {}",
                read.process(),
                read.id(),
                add.process(),
                add.id(),
                add.reason().unwrap_or("it did not happen")
            );
            ("aborted-read", Some(add), because)
        }
    };
    ledger.anomaly(name, || Anomaly {
        name: name.into(),
        key: object.named(history),
        ops: std::iter::once(read.id()).chain(add.map(Op::id)).collect(),
        because,
        explain: Vec::new(),
        figure: None,
    });
}

/// Elements in words, of many as many as fit.
pub(super) fn words(elements: &Elements<'_>, numbers: &[u32]) -> String {
    let values: Vec<Value> = numbers
        .iter()
        .filter_map(|number| elements.shown(elements.get(*number)))
        .map(|add| add.arg().into_owned())
        .collect();
    listed(&mut values.iter().collect::<Vec<_>>())
}
