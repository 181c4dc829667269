//! Processes that take turns on an object that works, or nearly.

use danso_vocab::{Call, Event, History, Outcome, Process, Rng, Time, Value};

/// How many, and what goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Operations.
    pub(crate) ops: usize,
    /// Processes at a time.
    pub(crate) processes: usize,
    /// Percent of operations whose outcome stays unknown.
    pub(crate) unknown: u64,
    /// One operation late in the history answers what another answered half-way.
    pub(crate) wrong: bool,
}

/// A history of an object. `draw` makes the next call, and `act` applies it: the result,
/// `None` if it fails without effect.
pub(crate) fn turns<S>(
    size: Size,
    mut object: S,
    draw: impl Fn(&mut S, &mut Rng) -> Call,
    act: impl Fn(&mut S, &Call) -> Option<Value>,
) -> History {
    let mut rng = Rng::new(7);
    let mut ids: Vec<u32> = (0..size.processes as u32).collect();
    let mut open: Vec<Option<(Call, Option<Outcome>)>> = vec![None; size.processes];
    let (mut begun, mut events) = (0, Vec::with_capacity(2 * size.ops));
    let (mut wrong, mut stale) = (size.wrong, None::<(Call, Value)>);
    while begun < size.ops || open.iter().any(Option::is_some) {
        let p = rng.below(size.processes as u64) as usize;
        let process = Process(ids[p]);
        open[p] = match open[p].take() {
            None if begun == size.ops => None,
            None => {
                begun += 1;
                let call = draw(&mut object, &mut rng);
                events.push(Event::Invoke { process, node: None, call: call.clone() });
                Some((call, None))
            }
            Some((call, None)) if rng.chance(size.unknown, 100) => {
                // Half of them happen.
                if rng.chance(1, 2) {
                    act(&mut object, &call);
                }
                ids[p] += size.processes as u32;
                events.push(Event::Complete { process, outcome: Outcome::Info("timeout".into()) });
                None
            }
            Some((call, None)) => {
                let outcome = match act(&mut object, &call) {
                    Some(ret) if wrong && !ret.is_nil() && begun * 2 > size.ops => {
                        let (from, old) = stale.get_or_insert((call.clone(), ret.clone()));
                        let lies = begun * 10 > size.ops * 9 && from.f == call.f && ret != *old;
                        wrong = !lies;
                        Outcome::Ok(if lies { old.clone() } else { ret })
                    }
                    Some(ret) => Outcome::Ok(ret),
                    None => Outcome::Fail("refused".into()),
                };
                Some((call, Some(outcome)))
            }
            Some((_, Some(outcome))) => {
                events.push(Event::Complete { process, outcome });
                None
            }
        };
    }
    History::of((1..).map(Time).zip(events)).expect("processes take turns")
}
