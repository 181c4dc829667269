//! [`Finals`]: the final reads of a set, and what they lack.

use std::collections::BTreeMap;

use danso_vocab::{Anomaly, History, Limits, Op, OpId};

use super::super::elements::{Bits, Elements, Speaker};
use super::words;
use crate::ledger::Ledger;
use crate::objects::{Object, when};

/// Losses are shown with so many of their adds.
const ADDS: usize = 3;

/// A final read.
struct Final<'h> {
    read: Op<'h>,
    shows: Bits,
    /// How many different elements it shows.
    size: usize,
}

impl Final<'_> {
    fn speaker(&self) -> Speaker {
        Speaker::of(self.read)
    }
}

/// The final reads of one object, by invocation.
pub(in crate::accounting) struct Finals<'h> {
    all: Vec<Final<'h>>,
    /// What at least one of them shows.
    any: Bits,
    /// They began after the last acknowledged add had ended.
    quiet: bool,
    /// Nodes that were asked after the last acknowledged add, and never answered.
    silent: Vec<(Speaker, OpId)>,
}

impl<'h> Finals<'h> {
    /// Chooses them among the reads of an object, of whatever outcome. `last` is the last end of
    /// an acknowledged add.
    pub(super) fn choose(
        reads: impl Iterator<Item = Op<'h>> + Clone,
        last: Option<u32>,
    ) -> Finals<'h> {
        let is_quiet = |read: &Op<'_>| last.is_none_or(|last| last < read.inv_rank());
        let mut chosen = BTreeMap::<Speaker, Op<'h>>::new();
        let mut silent = BTreeMap::<Speaker, OpId>::new();
        for read in reads.clone().filter(is_quiet) {
            let speaker = Speaker::of(read);
            if read.is_ok() {
                let known = chosen.entry(speaker).or_insert(read);
                if known.inv_rank() < read.inv_rank() {
                    *known = read;
                }
            } else if matches!(speaker, Speaker::Node(_)) {
                silent.insert(speaker, read.id());
            }
        }
        silent.retain(|speaker, _| !chosen.contains_key(speaker));
        let quiet = !chosen.is_empty();
        let mut reads: Vec<Op<'h>> = if quiet {
            chosen.into_values().collect()
        } else {
            reads
                .filter(|read| read.is_ok())
                .max_by_key(|read| read.inv_rank())
                .into_iter()
                .collect()
        };
        reads.sort_by_key(|read| read.row());
        let all = reads.into_iter().map(|read| Final { read, shows: Bits::default(), size: 0 });
        Finals {
            all: all.collect(),
            any: Bits::default(),
            quiet,
            silent: silent.into_iter().collect(),
        }
    }

    /// A read that shows no list is none of them.
    pub(super) fn drop(&mut self, read: Op<'_>) {
        self.all.retain(|last| last.read.row() != read.row());
    }

    /// A read, perhaps one of them, shows an element.
    pub(super) fn show(&mut self, read: Op<'_>, number: u32) {
        let place = self.all.binary_search_by_key(&read.row(), |last| last.read.row());
        if let Ok(place) = place {
            let last = &mut self.all[place];
            last.size += usize::from(last.shows.insert(number));
            self.any.insert(number);
        }
    }

    /// What they lack; which elements were reported as lost.
    pub(super) fn judge(
        &self,
        history: &History,
        object: &Object,
        elements: &Elements<'_>,
        limits: &Limits,
        ledger: &mut Ledger,
    ) -> Bits {
        let mut reported = Bits::default();
        let of = object.of(history);
        ledger.count("final-reads", self.all.len() as u64);
        let recovered =
            elements.iter().filter(|(number, e)| e.is_unknown() && self.any.has(*number));
        ledger.count("recovered", recovered.count() as u64);
        if self.all.is_empty() {
            ledger.doubt(|| format!("no read{of} succeeded, so nobody knows what is left"));
        } else if elements.acknowledged == 0 {
            ledger.doubt(|| format!("no add{of} was acknowledged, so nothing could be lost"));
        }
        for (speaker, read) in &self.silent {
            ledger.doubt(|| {
                format!(
                    "no final read of {speaker}{of} succeeded ({read} is the last that was tried)"
                )
            });
        }
        for last in &self.all {
            if limits.stop.is_tripped() {
                ledger.doubt(|| "stopped before every final read was judged".to_owned());
                return reported;
            }
            for number in self.losses(history, object, elements, last, ledger) {
                reported.insert(number);
            }
            self.divergence(history, object, elements, last, ledger);
        }
        reported
    }

    /// Doubts whether what was acknowledged after the last read had begun is there.
    pub(super) fn unread(
        &self,
        history: &History,
        object: &Object,
        elements: &Elements<'_>,
        ledger: &mut Ledger,
    ) {
        let Some(last) = self.all.last().filter(|_| !self.quiet) else { return };
        let later = |rank: u32| rank != History::NEVER && rank > last.read.inv_rank();
        let unread: Vec<u32> = elements
            .iter()
            .filter(|(number, e)| later(e.acknowledged) && !last.shows.has(*number))
            .map(|(number, _)| number)
            .collect();
        if !unread.is_empty() {
            ledger.doubt(|| {
                format!(
                    "the last read{} ({}) began before {} elements were acknowledged, and nobody read them afterwards: {}",
                    object.of(history),
                    last.read.id(),
                    unread.len(),
                    words(elements, &unread)
                )
            });
        }
    }

    /// Reports the acknowledged elements that a final read lacks, and answers them.
    fn losses(
        &self,
        history: &History,
        object: &Object,
        elements: &Elements<'_>,
        last: &Final<'_>,
        ledger: &mut Ledger,
    ) -> Vec<u32> {
        let due = |acknowledged: u32| acknowledged < last.read.inv_rank();
        let lost: Vec<u32> = elements
            .iter()
            .filter(|(number, e)| due(e.acknowledged) && !last.shows.has(*number))
            .map(|(number, _)| number)
            .collect();
        let adds = || lost.iter().filter_map(|n| elements.shown(elements.get(*n)));
        let Some(first) = adds().next() else { return lost };
        ledger.count("lost", lost.len() as u64);
        ledger.anomaly("lost-element", || {
            let acknowledged = when(history, "at", first.res_time().unwrap_or_default());
            let others = match lost.len() {
                1 => String::new(),
                n => format!(
                    "; it lacks {n} of {} acknowledged elements: {}",
                    elements.acknowledged,
                    words(elements, &lost)
                ),
            };
            let also: Vec<String> = (self.all.iter())
                .filter(|other| lost.iter().any(|number| other.shows.has(*number)))
                .map(|other| format!("{}'s final read ({}) has some of them", other.speaker(), other.read.id()))
                .collect();
            Anomaly {
                name: "lost-element".into(),
                key: object.named(history),
                ops: std::iter::once(last.read.id()).chain(adds().take(ADDS).map(Op::id)).collect(),
                because: format!(
                    "{}'s add of {} ({}) was acknowledged{acknowledged}, but the final read{} of {} ({}){} does not show it{others}",
                    first.process(),
                    first.arg(),
                    first.id(),
                    object.of(history),
                    last.speaker(),
                    last.read.id(),
                    when(history, "begun at", last.read.inv_time()),
                ),
                explain: also, figure: None }
        });
        lost
    }

    /// What `last` lacks and another final read has, although it was there before `last` began.
    fn divergence(
        &self,
        history: &History,
        object: &Object,
        elements: &Elements<'_>,
        last: &Final<'_>,
        ledger: &mut Ledger,
    ) {
        let lacks: Vec<u32> = elements
            .iter()
            .filter(|(number, e)| e.known() < last.read.inv_rank() && !last.shows.has(*number))
            .map(|(number, _)| number)
            .filter(|number| self.any.has(*number))
            .collect();
        let Some(first) = lacks.first() else { return };
        let Some(other) = self.all.iter().find(|other| other.shows.has(*first)) else { return };
        ledger.anomaly("divergence", || Anomaly {
            name: "divergence".into(),
            key: object.named(history),
            ops: vec![last.read.id(), other.read.id()],
            because: format!(
                "the final reads{} differ: {} ({}, {} elements) lacks {} that {} ({}, {} elements) or another has: {}",
                object.of(history),
                last.speaker(),
                last.read.id(),
                last.size,
                lacks.len(),
                other.speaker(),
                other.read.id(),
                other.size,
                words(elements, &lacks)
            ),
            explain: Vec::new(), figure: None });
    }
}
