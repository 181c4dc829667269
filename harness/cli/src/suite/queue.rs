//! [`Queue`]: which test comes next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use danso_reports::suite::{Suite, Try};

use super::budget::{Arm, Policy};
use super::cases::{Case, drawn_seed, stem};

/// What a run takes beside its load: starting, healing, closing operations, checking.
const BESIDE: Duration = Duration::from_secs(8);

/// The tests of a suite, and the order they are run in.
pub(super) struct Queue {
    cases: Vec<Case>,
    order: Order,
}

enum Order {
    /// That of the file, each once.
    File(VecDeque<usize>),
    /// What teaches most, until the time is spent.
    Budget(Budget),
}

struct Budget {
    policy: Policy,
    arms: Vec<Seeds>,
    /// The suite's.
    seed: u64,
}

/// The seeds of a combination.
struct Seeds {
    /// Its number in the suite.
    arm: usize,
    /// Cases of the file that were not run yet.
    waiting: VecDeque<usize>,
    used: BTreeSet<u64>,
    /// How many were drawn beyond those of the file.
    drawn: u32,
}

impl Queue {
    /// Each case of the file once.
    pub(super) fn in_order(cases: Vec<Case>) -> Queue {
        let runnable = (0..cases.len()).filter(|i| cases[*i].skipped.is_none()).collect();
        Queue { cases, order: Order::File(runnable) }
    }

    /// As the time is spent best, knowing what an earlier suite has run.
    pub(super) fn by_budget(cases: Vec<Case>, seed: u64, previous: Option<&Suite>) -> Queue {
        let mut arms = Vec::<Arm>::new();
        let mut seeds = Vec::<Seeds>::new();
        let mut of_arm = BTreeMap::<usize, usize>::new();
        for (i, case) in cases.iter().enumerate().filter(|(_, case)| case.skipped.is_none()) {
            let at = *of_arm.entry(case.arm).or_insert_with(|| {
                arms.push(arm(case, previous));
                seeds.push(Seeds {
                    arm: case.arm,
                    waiting: VecDeque::new(),
                    used: BTreeSet::new(),
                    drawn: 0,
                });
                arms.len() - 1
            });
            seeds[at].waiting.push_back(i);
            seeds[at].used.insert(case.seed);
        }
        let budget = Budget { policy: Policy::new(arms), arms: seeds, seed };
        Queue { cases, order: Order::Budget(budget) }
    }

    pub(super) fn case(&self, i: usize) -> &Case {
        &self.cases[i]
    }

    /// The number of the next test, which may be a new one, and why it was chosen.
    pub(super) fn next(&mut self, left: Duration) -> Option<(usize, Option<String>)> {
        let budget = match &mut self.order {
            Order::File(waiting) => return waiting.pop_front().map(|i| (i, None)),
            Order::Budget(budget) => budget,
        };
        let (arm, why) = budget.policy.next(left)?;
        let seeds = &mut budget.arms[arm];
        let i = match seeds.waiting.pop_front() {
            Some(i) => i,
            None => {
                let seed = loop {
                    let seed = drawn_seed(budget.seed, seeds.drawn);
                    seeds.drawn += 1;
                    if seeds.used.insert(seed) {
                        break seed;
                    }
                };
                let of = self.cases.iter().find(|case| case.arm == seeds.arm)?;
                let fresh = of.with_seed(seed);
                self.cases.push(fresh);
                self.cases.len() - 1
            }
        };
        Some((i, Some(why)))
    }

    /// Takes in what a run came to.
    pub(super) fn learn(&mut self, i: usize, tried: &Try) {
        let arm = self.cases[i].arm;
        if let Order::Budget(budget) = &mut self.order
            && let Some(at) = budget.arms.iter().position(|seeds| seeds.arm == arm)
        {
            budget.policy.learn(at, tried);
        }
    }
}

fn arm(case: &Case, previous: Option<&Suite>) -> Arm {
    let of_it = |test: &&danso_reports::suite::Test| {
        stem(&test.name, test.seed) == stem(&case.name, case.seed)
    };
    let earlier = previous.into_iter().flat_map(|suite| &suite.tests).filter(of_it);
    let tries: Vec<_> = earlier.flat_map(|test| &test.tries).collect();
    let took: Duration = tries.iter().map(|t| t.took).sum();
    let estimate = match u32::try_from(tries.len()) {
        Ok(n @ 1..) => took / n,
        _ => case.load + BESIDE,
    };
    Arm::new(&case.target, &case.kinds, estimate, !tries.is_empty())
}
