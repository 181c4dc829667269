//! [`Watch`]: checks the history while it is being recorded, on a thread of its own.
//!
//! The run never waits for it: events go through a bounded queue, and should that be full, live
//! checking is over and the check after the run decides, as it does anyway.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use danso_engine::progress::Interrupt;
use danso_engine::recorder::Observer;
use danso_vocab::{Checker, Event, Limits, LiveViolation, Stop, Time};

use crate::check::Budget;

/// Events that may wait to be checked.
const QUEUE: usize = 1 << 16;

/// Memory for live checking, beside the cluster that is running.
const MEMORY: u64 = 512 << 20;

/// How long it may go on after the run with what is still waiting.
const PATIENCE: Duration = Duration::from_secs(5);

/// The index of no event.
const NONE: u32 = u32::MAX;

/// An event, or the end.
type Told = Option<(u32, Time, Event)>;

/// A thread that checks what is recorded.
pub(crate) struct Watch {
    sender: mpsc::SyncSender<Told>,
    /// The first event that did not fit into the queue.
    lost: Arc<AtomicU32>,
    enough: Interrupt,
    stop: Stop,
    thread: JoinHandle<String>,
}

impl Watch {
    /// Starts watching. `None` if none of the checkers can.
    ///
    /// # Errors
    /// If there is no thread to be had.
    pub(crate) fn start(
        checkers: Vec<Box<dyn Checker>>,
        budget: &Budget,
    ) -> anyhow::Result<Option<Watch>> {
        let stop = Stop::new();
        let limits = budget.limits(stop.clone());
        let limits = Limits { memory: limits.memory.min(MEMORY), ..limits };
        if checkers.iter().all(|checker| checker.live(&limits).is_none()) {
            return Ok(None);
        }
        let (sender, told) = mpsc::sync_channel(QUEUE);
        let enough = Interrupt::default();
        let raise = enough.clone();
        let watch = move || watch(&checkers, &limits, &told, &raise);
        let thread = std::thread::Builder::new().name("live check".to_owned()).spawn(watch);
        let thread = thread.context("no thread for --check-live")?;
        let lost = Arc::new(AtomicU32::new(NONE));
        Ok(Some(Watch { sender, lost, enough, stop, thread }))
    }

    /// Raised at the first violation.
    pub(crate) fn enough(&self) -> Interrupt {
        self.enough.clone()
    }

    /// Takes events to the thread.
    pub(crate) fn observer(&self) -> Observer {
        let (sender, lost) = (self.sender.clone(), self.lost.clone());
        Box::new(move |index, time, event| {
            match sender.try_send(Some((index, time, event.clone()))) {
                Ok(()) => ControlFlow::Continue(()),
                Err(mpsc::TrySendError::Full(_)) => {
                    lost.store(index, Ordering::Relaxed);
                    ControlFlow::Break(())
                }
                Err(mpsc::TrySendError::Disconnected(_)) => ControlFlow::Break(()),
            }
        })
    }

    /// Ends it. What it found out, in one sentence; what is left to check by now is not checked.
    pub(crate) fn finish(self) -> String {
        let lost = self.lost.load(Ordering::Relaxed);
        // A thread that is done does not listen any more.
        let _ = self.sender.try_send(None);
        drop(self.sender);
        let since = Instant::now();
        while !self.thread.is_finished() && since.elapsed() < PATIENCE {
            std::thread::sleep(PATIENCE / 1_000);
        }
        self.stop.trip();
        let said = self.thread.join();
        let said = said.unwrap_or_else(|_| "failed by itself; please report this".to_owned());
        match lost {
            NONE => said,
            index => format!("{said}; it could not keep up and stopped at event #{index}"),
        }
    }
}

/// Checks what it is told until the end or the first violation.
fn watch(
    checkers: &[Box<dyn Checker>],
    limits: &Limits,
    told: &mpsc::Receiver<Told>,
    enough: &Interrupt,
) -> String {
    let mut live: Vec<_> = checkers.iter().filter_map(|checker| checker.live(limits)).collect();
    let mut events = 0_u64;
    while let Ok(Some((index, time, event))) = told.recv() {
        events += u64::from(!matches!(event, Event::Note(_)));
        let seen = live.iter_mut().find_map(|live| live.event(index, time, &event));
        if let Some(violation) = seen {
            return stopped(&violation, enough);
        }
    }
    if let Some(violation) = live.iter_mut().find_map(|live| live.finish()) {
        return stopped(&violation, enough);
    }
    let left_out: Vec<String> = live.iter().flat_map(|live| live.left_out()).collect();
    let mut said = format!("no violation in {events} events");
    if !left_out.is_empty() {
        said += &format!("; left to the check after the run: {}", left_out.join("; "));
    }
    said
}

fn stopped(violation: &LiveViolation, enough: &Interrupt) -> String {
    let on = violation.key.as_ref().map_or(String::new(), |key| format!("key {key}: "));
    let reason = format!("stopped after {:.1} s: {on}{}", violation.time.secs(), violation.because);
    enough.raise(&reason);
    eprintln!("{reason}");
    reason
}

#[cfg(test)]
mod tests {
    use danso_checkers::linearizable;
    use danso_checkers::models::CasRegister;
    use danso_vocab::{Call, Outcome, Process, Value};

    use super::*;
    use crate::args::LimitArgs;

    fn start() -> Watch {
        let budget = Budget::of(&LimitArgs::default()).unwrap();
        let checkers: Vec<Box<dyn danso_vocab::Checker>> =
            vec![linearizable(CasRegister::new(Value::Nil))];
        Watch::start(checkers, &budget).unwrap().unwrap()
    }

    /// Reads of nil, each a process of its own, and one of 1.
    fn reads(observer: &mut Observer, count: u32, wrong: Option<u32>) {
        for i in 0..count {
            let (process, call) = (Process(i), Call::new("read", ()).on("k"));
            let value = if wrong == Some(i) { Value::Int(1) } else { Value::Nil };
            let invoke = Event::Invoke { process, node: None, call };
            let complete = Event::Complete { process, outcome: Outcome::Ok(value) };
            for (index, event) in [(2 * i, invoke), (2 * i + 1, complete)] {
                let _ = observer(index, Time((index + 1).into()), &event);
            }
        }
    }

    #[test]
    fn a_violation_is_enough() {
        let watch = start();
        let enough = watch.enough();
        reads(&mut watch.observer(), 100, Some(40));
        let said = watch.finish();
        assert!(said.starts_with("stopped after 0.0 s: key k: operation #80 p40 read"), "{said}");
        assert_eq!(enough.raised(), Some(said));
    }

    #[test]
    fn no_violation_is_told_with_the_number_of_events() {
        let watch = start();
        let enough = watch.enough();
        reads(&mut watch.observer(), 100, None);
        assert_eq!(watch.finish(), "no violation in 200 events");
        assert_eq!(enough.raised(), None);
    }

    #[test]
    fn a_full_queue_ends_it_and_never_waits() {
        let (sender, told) = mpsc::sync_channel(3);
        let thread = std::thread::spawn(|| "no violation in 3 events".to_owned());
        let lost = Arc::new(AtomicU32::new(NONE));
        let (enough, stop) = (Interrupt::default(), Stop::new());
        let watch = Watch { sender, lost, enough, stop, thread };
        let mut observer = watch.observer();
        let note = |observer: &mut Observer, index| {
            observer(index, Time(index.into()), &Event::Note(danso_vocab::Note::new("x", ())))
        };
        assert!((0..3).all(|index| note(&mut observer, index).is_continue()));
        assert!(note(&mut observer, 3).is_break());
        drop(told);
        let said = watch.finish();
        assert!(said.ends_with("it could not keep up and stopped at event #3"), "{said}");
    }
}
