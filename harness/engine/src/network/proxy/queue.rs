//! [`Queue`]: what one direction of a connection has read and not yet written. Bounded: who
//! reads waits when it is full.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Bytes that wait because the link is closed or narrow: not much more than a socket holds.
const SHORT: usize = 256 << 10;
/// Bytes that are on their way over a link with a delay: a long pipe holds more.
const LONG: usize = 8 << 20;
/// What an item costs beyond its bytes.
const ITEM: usize = 64;

/// Something on its way.
#[derive(Debug)]
pub(super) struct Item {
    /// What.
    pub(super) news: News,
    /// When it was read.
    pub(super) came: Instant,
    /// How much later it is to arrive.
    pub(super) late: Duration,
}

/// What can be on its way.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Bytes.
    Bytes(Vec<u8>),
    /// A proper close: the other direction may go on.
    Closed,
    /// The end of the whole connection, after what was sent before it.
    Over,
    /// A reset: the connection is over.
    Reset,
}

/// A queue between two halves of one task.
#[derive(Debug, Default)]
pub(super) struct Queue {
    inside: Mutex<Inside>,
    came: Notify,
    went: Notify,
}

#[derive(Debug, Default)]
struct Inside {
    items: VecDeque<Item>,
    bytes: usize,
}

impl Item {
    fn cost(&self) -> usize {
        match &self.news {
            News::Bytes(bytes) => bytes.len() + ITEM,
            News::Closed | News::Over | News::Reset => ITEM,
        }
    }
}

impl Queue {
    /// Appends, when there is room.
    pub(super) async fn push(&self, item: Item) {
        let room = if item.late.is_zero() { SHORT } else { LONG };
        loop {
            {
                let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
                if inside.bytes < room {
                    inside.bytes += item.cost();
                    inside.items.push_back(item);
                    break;
                }
            }
            self.went.notified().await;
        }
        self.came.notify_one();
    }

    /// The next, when there is one.
    pub(super) async fn pop(&self) -> Item {
        loop {
            {
                let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(item) = inside.items.pop_front() {
                    inside.bytes -= item.cost();
                    self.went.notify_one();
                    return item;
                }
            }
            self.came.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(length: usize) -> Item {
        let news = News::Bytes(vec![0; length]);
        Item { news, came: Instant::now(), late: Duration::ZERO }
    }

    #[tokio::test]
    async fn who_reads_waits_when_it_is_full() {
        let queue = std::sync::Arc::new(Queue::default());
        queue.push(item(SHORT)).await;
        let waiter = tokio::spawn({
            let queue = queue.clone();
            async move { queue.push(item(1)).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        assert_eq!(queue.pop().await.news, News::Bytes(vec![0; SHORT]));
        waiter.await.unwrap();
        assert_eq!(queue.pop().await.news, News::Bytes(vec![0]));
    }
}
