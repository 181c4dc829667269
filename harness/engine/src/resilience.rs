//! What clients do when a node does not answer: retries with exponential back-off and jitter, a
//! circuit breaker and a bulkhead for each node, around any [`Client`].
//!
//! The patterns are as client libraries have them (Nygard, *Release It!*, chapter 5: timeouts,
//! circuit breaker, bulkheads). To the history a call with all its attempts is one operation, and
//! it ends like its last attempt; but if an earlier attempt may have had an effect, it is never
//! `fail`. So a system that does a retried call twice is found out by its history.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use danso_vocab::plan::Resilience;
use danso_vocab::{Call, NodeId, Outcome, Rng};
use tokio::time::{Instant, sleep, timeout};

use crate::target::Client;

/// Refusals that say nothing of the call itself: another attempt may do better.
const PASSING: [&str; 10] = [
    "no-connection",
    "no-response",
    "connection-lost",
    "timeout",
    "overloaded",
    "no-leader",
    "not-leader",
    "not-serving",
    "stopping",
    "unavailable",
];

/// How all clients of a run behave, and what they know of each node together.
#[derive(Debug)]
pub(crate) struct Manners {
    rules: Resilience,
    nodes: Vec<Mutex<Circuit>>,
    attempts: AtomicU64,
    retries: AtomicU64,
    broken: AtomicU64,
    full: AtomicU64,
}

/// What is known of a node.
#[derive(Debug, Default)]
struct Circuit {
    /// Calls in vain in a row.
    failures: u32,
    /// Nobody asks it before this.
    open_until: Option<Instant>,
    /// Somebody tries whether it answers again.
    trying: bool,
    under_way: u32,
}

/// Why a call is not even tried.
enum Refused {
    Broken,
    Full,
}

/// A call under way. Dropped before it is told how it ended, it was in vain.
struct Passage<'a> {
    manners: &'a Manners,
    node: NodeId,
    good: bool,
}

impl Manners {
    pub(crate) fn new(rules: Resilience, nodes: u16) -> Manners {
        Manners {
            rules,
            nodes: (0..nodes).map(|_| Mutex::default()).collect(),
            attempts: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            full: AtomicU64::new(0),
        }
    }

    /// Calls, as often as the rules allow.
    pub(crate) async fn call(
        &self,
        client: &mut dyn Client,
        node: NodeId,
        call: &Call,
        rng: &mut Rng,
    ) -> Outcome {
        let mut certain = true;
        let mut pause = self.rules.backoff;
        for tried in 0.. {
            let outcome = self.attempt(client, node, call).await;
            let again = match &outcome {
                Outcome::Ok(_) => false,
                Outcome::Fail(reason) => PASSING.contains(&&**reason),
                Outcome::Info(_) => {
                    certain = false;
                    true
                }
            };
            if !again || tried >= self.rules.retries {
                return match outcome {
                    Outcome::Fail(reason) if !certain => Outcome::Info(reason),
                    outcome => outcome,
                };
            }
            self.retries.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(%node, %call, tried, "trying again");
            // Drawn from its upper half: clients that failed together do not come back together,
            // and none comes back at once.
            let ns = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
            sleep(Duration::from_nanos(rng.between(ns / 2, ns))).await;
            pause = (pause * 2).min(self.rules.most);
        }
        unreachable!("the loop ends by returning")
    }

    async fn attempt(&self, client: &mut dyn Client, node: NodeId, call: &Call) -> Outcome {
        let mut passage = match self.enter(node) {
            Ok(passage) => passage,
            Err(Refused::Broken) => {
                self.broken.fetch_add(1, Ordering::Relaxed);
                return Outcome::Fail("circuit-open".into());
            }
            Err(Refused::Full) => {
                self.full.fetch_add(1, Ordering::Relaxed);
                return Outcome::Fail("bulkhead-full".into());
            }
        };
        self.attempts.fetch_add(1, Ordering::Relaxed);
        let outcome = match self.rules.attempt {
            None => client.invoke(call).await,
            Some(patience) => {
                let answer = timeout(patience, client.invoke(call)).await;
                answer.unwrap_or(Outcome::Info("attempt-timeout".into()))
            }
        };
        passage.good = match &outcome {
            Outcome::Ok(_) => true,
            Outcome::Fail(reason) => !PASSING.contains(&&**reason),
            Outcome::Info(_) => false,
        };
        outcome
    }

    fn circuit(&self, node: NodeId) -> MutexGuard<'_, Circuit> {
        let nodes = self.nodes.len();
        self.nodes[node.index() % nodes].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, node: NodeId) -> Result<Passage<'_>, Refused> {
        let mut circuit = self.circuit(node);
        if let Some(until) = circuit.open_until {
            if circuit.trying || Instant::now() < until {
                return Err(Refused::Broken);
            }
            circuit.trying = true;
        }
        if self.rules.bulkhead > 0 && circuit.under_way >= self.rules.bulkhead {
            circuit.trying = false;
            return Err(Refused::Full);
        }
        circuit.under_way += 1;
        Ok(Passage { manners: self, node, good: false })
    }

    /// What clients did beside calling, in a line; `None` if they were not asked to.
    pub(crate) fn told(&self) -> Option<String> {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (self.rules != Resilience::default()).then(|| {
            format!(
                "{} attempts, {} of them retries; {} calls refused by an open breaker, {} by a full bulkhead",
                read(&self.attempts),
                read(&self.retries),
                read(&self.broken),
                read(&self.full)
            )
        })
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        let rules = &self.manners.rules;
        let mut circuit = self.manners.circuit(self.node);
        circuit.under_way -= 1;
        circuit.trying = false;
        if self.good {
            circuit.failures = 0;
            circuit.open_until = None;
            return;
        }
        circuit.failures = circuit.failures.saturating_add(1);
        if rules.breaker > 0 && circuit.failures >= rules.breaker {
            circuit.open_until = Some(Instant::now() + rules.open);
        }
    }
}

#[cfg(test)]
mod tests {
    use danso_vocab::Value;

    use super::*;
    use crate::target::Fut;

    /// Answers from a list, then `ok`, and counts.
    struct Script(Vec<Outcome>, usize);

    impl Client for Script {
        fn invoke<'a>(&'a mut self, _: &'a Call) -> Fut<'a, Outcome> {
            self.1 += 1;
            let next = if self.0.is_empty() { Outcome::Ok(Value::Nil) } else { self.0.remove(0) };
            Box::pin(async move {
                if next == Outcome::Info("hangs".into()) {
                    std::future::pending::<()>().await;
                }
                next
            })
        }
    }

    const NODE: NodeId = NodeId(2);

    fn manners(rules: Resilience) -> Manners {
        Manners::new(rules, 3)
    }

    fn fail(reason: &'static str) -> Outcome {
        Outcome::Fail(reason.into())
    }

    fn info(reason: &'static str) -> Outcome {
        Outcome::Info(reason.into())
    }

    async fn call(manners: &Manners, client: &mut Script) -> Outcome {
        let call = Call::new("write", 1);
        manners.call(client, NODE, &call, &mut Rng::new(3)).await
    }

    #[tokio::test(start_paused = true)]
    async fn without_rules_a_call_is_one_attempt() {
        let manners = manners(Resilience::default());
        let mut client = Script(vec![info("no-response")], 0);
        assert_eq!(call(&manners, &mut client).await, info("no-response"));
        assert_eq!((client.1, manners.told()), (1, None));
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_tried_again_and_what_was_refused_is_not() {
        let manners = manners(Resilience { retries: 3, ..Resilience::default() });
        let mut client = Script(vec![fail("no-connection"), info("no-response")], 0);
        let since = Instant::now();
        assert_eq!(call(&manners, &mut client).await, Outcome::Ok(Value::Nil));
        // 50 ms and 100 ms, each from half to whole.
        let took = since.elapsed();
        assert!((75..=160).contains(&took.as_millis()), "{took:?}");
        let mut client = Script(vec![fail("mismatch")], 0);
        assert_eq!((call(&manners, &mut client).await, client.1), (fail("mismatch"), 1));
        assert!(manners.told().unwrap().starts_with("4 attempts, 2 of them retries"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_after_an_uncertain_attempt_is_uncertain() {
        let manners = manners(Resilience { retries: 1, ..Resilience::default() });
        let mut client = Script(vec![info("no-response"), fail("mismatch")], 0);
        assert_eq!(call(&manners, &mut client).await, info("mismatch"));
        let mut client = Script(vec![fail("no-leader"), fail("no-leader")], 0);
        assert_eq!(call(&manners, &mut client).await, fail("no-leader"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_has_its_own_patience() {
        let attempt = Some(Duration::from_millis(20));
        let manners = manners(Resilience { retries: 1, attempt, ..Resilience::default() });
        let mut client = Script(vec![info("hangs")], 0);
        assert_eq!((call(&manners, &mut client).await, client.1), (Outcome::Ok(Value::Nil), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_breaker_opens_lets_one_try_and_closes() {
        let manners = manners(Resilience { breaker: 2, ..Resilience::default() });
        let mut client = Script(vec![info("x"), info("x"), info("x")], 0);
        for want in [info("x"), info("x"), fail("circuit-open")] {
            assert_eq!(call(&manners, &mut client).await, want);
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(call(&manners, &mut client).await, info("x"));
        assert_eq!(call(&manners, &mut client).await, fail("circuit-open"));
        sleep(Duration::from_secs(1)).await;
        let trying = manners.enter(NODE);
        assert!(matches!(manners.enter(NODE), Err(Refused::Broken)), "one tries, others wait");
        drop(trying);
        sleep(Duration::from_secs(1)).await;
        assert_eq!(call(&manners, &mut client).await, Outcome::Ok(Value::Nil));
        assert_eq!(call(&manners, &mut client).await, Outcome::Ok(Value::Nil));
        assert_eq!(client.1, 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bulkhead_is_full_for_its_node_only() {
        let manners = manners(Resilience { bulkhead: 1, ..Resilience::default() });
        let under_way = manners.enter(NODE);
        let mut client = Script(vec![], 0);
        assert_eq!(call(&manners, &mut client).await, fail("bulkhead-full"));
        assert!(manners.enter(NodeId(3)).is_ok());
        drop(under_way);
        assert_eq!(call(&manners, &mut client).await, Outcome::Ok(Value::Nil));
    }
}
