//! Histories of containers that work: queues, stacks, priority queues, bags, sets.

use std::collections::{BTreeSet, VecDeque};

use danso_vocab::{Call, Event, History, HistoryBuilder, Outcome, Process, Rng, Time, Value};

/// Which container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `enqueue`, `dequeue`.
    FifoQueue,
    /// `push`, `pop`.
    Stack,
    /// `insert`, `poll`, the least first.
    PriorityQueue,
    /// `add`, `remove` of any.
    Bag,
    /// `add`, `remove`, `contains`, of a thousand elements.
    LinSet,
}

/// A history of so many operations by so many processes at a time, some percent of them of
/// unknown outcome (every other one of these takes effect). `peeks` percent only look. If it is
/// `wrong`, one removal near 90 % of it takes the wrong element of a queue or a stack.
pub(crate) fn history(
    kind: Kind,
    ops: usize,
    processes: usize,
    unknown: u64,
    peeks: u64,
    wrong: bool,
    seed: u64,
) -> History {
    let mut wrong = wrong;
    let mut rng = Rng::new(seed);
    let mut builder = HistoryBuilder::new();
    let range = (ops + 1).next_power_of_two() as i64;
    let mut container = Container { kind, line: VecDeque::new(), tree: BTreeSet::new(), range };
    let mut ids: Vec<u32> = (0..processes as u32).collect();
    // By process: what it called, then what that answered.
    let mut open: Vec<Option<(Call, Option<Value>)>> = vec![None; processes];
    let (mut begun, mut running, mut time, mut next) = (0, 0, 0, processes as u32);
    while begun < ops || running > 0 {
        let p = rng.below(processes as u64) as usize;
        let process = Process(ids[p]);
        let now = open[p].take();
        time += 1;
        open[p] = match now {
            None if begun == ops => None,
            None => {
                begun += 1;
                running += 1;
                let call = container.draw(&mut rng, begun as i64, peeks);
                let event = Event::Invoke { process, node: None, call: call.clone() };
                builder.push(Time(time), event).expect("processes take turns");
                Some((call, None))
            }
            Some((call, None)) => {
                let outcome = if rng.chance(unknown, 100) {
                    rng.chance(1, 2).then(|| container.act(&call));
                    Outcome::Info("timeout".into())
                } else {
                    let many = container.line.len().max(container.tree.len());
                    let lies = wrong && begun * 10 > ops * 9 && call.arg.is_nil() && many > 60;
                    wrong &= !lies;
                    let ret = if lies { container.lie() } else { container.act(&call) };
                    open[p] = Some((call, Some(ret)));
                    continue;
                };
                builder.complete(Time(time), process, None, outcome).expect("it is open");
                (ids[p], next) = (next, next + 1);
                running -= 1;
                None
            }
            Some((_, Some(ret))) => {
                let outcome = Outcome::Ok(ret);
                builder.complete(Time(time), process, None, outcome).expect("it is open");
                running -= 1;
                None
            }
        };
    }
    builder.finish()
}

struct Container {
    kind: Kind,
    line: VecDeque<i64>,
    tree: BTreeSet<i64>,
    /// Elements of a priority queue are below this power of two.
    range: i64,
}

impl Container {
    fn draw(&self, rng: &mut Rng, fresh: i64, peeks: u64) -> Call {
        let (puts, takes, looks) = match self.kind {
            Kind::FifoQueue => ("enqueue", "dequeue", "peek"),
            Kind::Stack => ("push", "pop", "peek"),
            Kind::PriorityQueue => ("insert", "poll", "peek"),
            Kind::Bag => ("add", "remove", "remove"),
            Kind::LinSet => ("add", "remove", "contains"),
        };
        let look = rng.chance(peeks, 100);
        let put = rng.chance(1, 2);
        let f = if look {
            looks
        } else if put {
            puts
        } else {
            takes
        };
        match self.kind {
            Kind::LinSet => Call::new(f, rng.below(1_000) as i64),
            // Scattered, but no two the same: a large odd factor modulo a power of two.
            Kind::PriorityQueue if f == puts => Call::new(f, fresh * 0x9e37_79b1 % self.range),
            _ if f == puts => Call::new(f, fresh),
            _ => Call::new(f, ()),
        }
    }

    /// Takes an element whose turn is long after.
    fn lie(&mut self) -> Value {
        let taken = match self.kind {
            Kind::FifoQueue => self.line.remove(50),
            Kind::Stack => self.line.remove(self.line.len() - 50),
            _ => self.tree.iter().nth(50).copied(),
        };
        if let Some(v) = taken {
            self.tree.remove(&v);
        }
        taken.map_or(Value::Nil, Value::Int)
    }

    fn act(&mut self, call: &Call) -> Value {
        let answer = |v: Option<i64>| v.map_or(Value::Nil, Value::Int);
        match (self.kind, &*call.f, call.arg.int()) {
            (Kind::LinSet, "contains", Some(v)) => self.tree.contains(&v).into(),
            (Kind::LinSet, "add", Some(v)) => self.tree.insert(v).into(),
            (Kind::LinSet, _, Some(v)) => self.tree.remove(&v).into(),
            (Kind::PriorityQueue, _, Some(v)) => {
                self.tree.insert(v);
                Value::Nil
            }
            (_, _, Some(v)) => {
                self.line.push_back(v);
                Value::Nil
            }
            (Kind::PriorityQueue, "peek", _) => answer(self.tree.first().copied()),
            (Kind::PriorityQueue, ..) => answer(self.tree.pop_first()),
            (Kind::Stack, "peek", _) => answer(self.line.back().copied()),
            (Kind::Stack, ..) => answer(self.line.pop_back()),
            (_, "peek", _) => answer(self.line.front().copied()),
            _ => answer(self.line.pop_front()),
        }
    }
}
