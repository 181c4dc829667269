//! [`Later`]: operations that wait their time, without a thread each, so that a slow disk is
//! slow for many at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::progress::lock;

type Job = Box<dyn FnOnce() + Send>;

struct Waiting {
    due: Instant,
    /// Keeps the order of what is due at once.
    turn: u64,
    job: Job,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        (self.due, self.turn) == (other.due, other.turn)
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.turn).cmp(&(other.due, other.turn))
    }
}

#[derive(Default)]
struct Queue {
    waiting: BinaryHeap<Reverse<Waiting>>,
    turn: u64,
    /// Nothing waits any more: everything is due at once.
    hurry: bool,
}

/// A queue of operations and the thread that carries them out.
#[derive(Clone)]
pub(super) struct Later(Arc<(Mutex<Queue>, Condvar)>);

impl Later {
    /// Starts the thread, which lives as long as the process.
    pub(super) fn new() -> io::Result<Later> {
        let later = Later(Arc::default());
        let shared = later.0.clone();
        std::thread::Builder::new().name("later".to_owned()).spawn(move || work(&shared))?;
        Ok(later)
    }

    /// Carries `job` out after `delay`.
    pub(super) fn after(&self, delay: Duration, job: Job) {
        let (queue, bell) = &*self.0;
        let mut queue = lock(queue);
        queue.turn += 1;
        let waiting = Waiting { due: Instant::now() + delay, turn: queue.turn, job };
        queue.waiting.push(Reverse(waiting));
        bell.notify_one();
    }

    /// While on, nothing waits: a node that is being killed ends only when its disk has
    /// answered.
    pub(super) fn hurry(&self, on: bool) {
        let (queue, bell) = &*self.0;
        lock(queue).hurry = on;
        bell.notify_one();
    }
}

fn work((queue, bell): &(Mutex<Queue>, Condvar)) {
    let mut held = lock(queue);
    loop {
        let now = Instant::now();
        let hurry = held.hurry;
        let wait = held.waiting.peek().map(|Reverse(w)| w.due.saturating_duration_since(now));
        held = match wait {
            Some(wait) if wait.is_zero() || hurry => {
                if let Some(Reverse(waiting)) = held.waiting.pop() {
                    drop(held);
                    (waiting.job)();
                    held = lock(queue);
                }
                held
            }
            Some(wait) => bell.wait_timeout(held, wait).unwrap_or_else(|e| e.into_inner()).0,
            None => bell.wait(held).unwrap_or_else(|e| e.into_inner()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_run_in_order_of_their_time_and_at_once_in_a_hurry() {
        let later = Later::new().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        for (millis, word) in [(60_000, "never"), (200, "second"), (1, "first")] {
            let tell = tell.clone();
            later.after(Duration::from_millis(millis), Box::new(move || tell.send(word).unwrap()));
        }
        assert_eq!(told.recv().unwrap(), "first");
        assert_eq!(told.recv().unwrap(), "second");
        later.hurry(true);
        assert_eq!(told.recv().unwrap(), "never");
    }
}
