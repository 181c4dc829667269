//! [`Pump`]: carries one direction of a connection over its link, and does to it what the link's
//! policy says. A stream has no packets: what is late, narrow or reset is a chunk, which is what
//! one look at a socket finds, and bytes never overtake one another. What is held back is bytes,
//! ends and resets alike; nothing is closed because of a cut.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::alarm::Alarm;
use super::gate::{Gates, Passage, Waited};
use super::http::{Dialogue, Piece};
use super::queue::{Item, News, Queue};
use crate::network::{Http, Policy};

/// Bytes in one chunk.
const CHUNK: usize = 64 << 10;
/// A narrow link passes as much at once as it can in this time, but not less than so many bytes.
const SLICE: Duration = Duration::from_millis(10);
const SLIVER: usize = 512;

/// One direction of a connection.
pub(super) struct Pump<'a> {
    gates: &'a Gates,
    dialogue: &'a Mutex<Dialogue>,
    /// Whether this is the direction of the one who was called.
    answers: bool,
    link: usize,
    reverse: usize,
    queue: Queue,
}

/// The end of a whole connection.
#[derive(Debug)]
pub(super) enum Over {
    /// By a reset of both ends.
    Reset,
    /// By a close that the reader of this direction has already seen.
    Ended,
}

impl<'a> Pump<'a> {
    /// Both directions of a connection, on which `dialogue` is held.
    pub(super) fn pair(
        gates: &'a Gates,
        (forth, back): (usize, usize),
        dialogue: &'a Mutex<Dialogue>,
    ) -> (Pump<'a>, Pump<'a>) {
        let one = |link, reverse, answers| Pump {
            gates,
            dialogue,
            answers,
            link,
            reverse,
            queue: Queue::default(),
        };
        (one(forth, back, false), one(back, forth, true))
    }

    /// Carries until the direction ends.
    ///
    /// # Errors
    /// If with it the whole connection is over.
    pub(super) async fn run(self, from: ReadHalf<'_>, to: WriteHalf<'_>) -> Result<(), Over> {
        tokio::try_join!(self.fill(from), self.drain(to)).map(drop)
    }

    /// Reads, and decides what is to happen to what it has read.
    async fn fill(&self, mut from: ReadHalf<'_>) -> Result<(), Over> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = from.read(&mut chunk).await;
            let policy = self.gates.policy(self.link);
            let late = self.gates.delay(self.link, &policy);
            let length = match read {
                Ok(0) => return self.end(News::Closed, late, &policy).await,
                Ok(length) => length,
                Err(_) => return self.end(News::Reset, late, &policy).await,
            };
            if self.gates.resets(self.link, &policy) {
                self.gates.touched(self.link);
                return Err(Over::Reset);
            }
            for piece in self.hear(&chunk[..length], policy.http) {
                (0..piece.wrong).for_each(|_| self.gates.touched(self.link));
                if !piece.bytes.is_empty() {
                    self.push(News::Bytes(piece.bytes), late, piece.late).await;
                }
                if piece.last {
                    self.push(News::Over, late, Duration::ZERO).await;
                    return Ok(());
                }
            }
        }
    }

    /// What becomes of these bytes.
    fn hear(&self, bytes: &[u8], http: Option<Http>) -> Vec<Piece> {
        let mut dialogue = self.dialogue.lock().unwrap_or_else(PoisonError::into_inner);
        if self.answers {
            return dialogue.responses(bytes, http, |share| self.gates.happens(self.link, share));
        }
        dialogue.requests(bytes);
        vec![Piece { bytes: bytes.to_vec(), ..Piece::default() }]
    }

    /// Passes on that `from` has ended.
    async fn end(&self, news: News, late: Duration, policy: &Policy) -> Result<(), Over> {
        if self.answers {
            let rest = self.dialogue.lock().unwrap_or_else(PoisonError::into_inner).rest();
            if !rest.is_empty() {
                self.push(News::Bytes(rest), late, Duration::ZERO).await;
            }
        }
        if !policy.linger.is_zero() {
            self.gates.touched(self.link);
        }
        self.push(news, late, policy.linger).await;
        Ok(())
    }

    /// Queues it, `late` because of the link's delay and `later` for another reason, which has
    /// been counted.
    async fn push(&self, news: News, late: Duration, later: Duration) {
        if !late.is_zero() {
            self.gates.touched(self.link);
        }
        self.queue.push(Item { news, came: Instant::now(), late: late + later }).await;
    }

    /// Writes what has been read, when its time has come.
    async fn drain(&self, mut to: WriteHalf<'_>) -> Result<(), Over> {
        let mut alarm = Alarm::default();
        loop {
            let Item { news, came, late } = self.queue.pop().await;
            self.until(came + late, &mut alarm).await;
            let news = match news {
                News::Bytes(bytes) => {
                    self.write(&bytes, &to, late.is_zero(), &mut alarm).await?;
                    continue;
                }
                end => end,
            };
            if self.gates.wait(&[self.link]).await == Waited::Refused {
                return Err(Over::Reset);
            }
            return match news {
                News::Reset => Err(Over::Reset),
                News::Closed => to.shutdown().await.map_err(|_| Over::Reset),
                News::Over | News::Bytes(_) => {
                    to.shutdown().await.map_err(|_| Over::Reset)?;
                    Err(Over::Ended)
                }
            };
        }
    }

    /// Waits until then, or until the link delays nothing any more.
    async fn until(&self, moment: Instant, alarm: &mut Alarm) {
        if moment <= Instant::now() {
            return;
        }
        let link = self.link;
        self.wait(moment, alarm, |policy| !delays(&policy[link])).await;
    }

    /// Waits until then, or until the policies are such.
    async fn wait(
        &self,
        moment: Instant,
        alarm: &mut Alarm,
        such: impl FnMut(&Vec<Policy>) -> bool,
    ) {
        let mut changes = self.gates.changes();
        tokio::select! {
            () = alarm.until(moment) => {}
            // The sender lives as long as the gates, so this does not fail.
            _ = changes.wait_for(such) => {}
        }
    }

    /// Writes all of `bytes`, none of it while the link is closed.
    async fn write(
        &self,
        bytes: &[u8],
        to: &WriteHalf<'_>,
        mut untouched: bool,
        alarm: &mut Alarm,
    ) -> Result<(), Over> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let mut length = rest.len();
            let rate = self.gates.policy(self.link).bandwidth;
            if let Some(rate) = rate {
                let most = (rate as f64 / 8.0 * SLICE.as_secs_f64()) as usize;
                length = length.min(most.max(SLIVER));
                if std::mem::take(&mut untouched) {
                    self.gates.touched(self.link);
                }
                let link = self.link;
                let moment = self.gates.reserve(link, length, rate);
                self.wait(moment, alarm, |policy| policy[link].bandwidth != Some(rate)).await;
            }
            if self.push_out(&rest[..length], to).await?.is_err() {
                // The reader is gone; that news come back over the other link.
                self.gates.wait(&[self.reverse]).await;
                return Err(Over::Reset);
            }
            rest = &rest[length..];
        }
        Ok(())
    }

    /// Writes all of `bytes` as soon as the link is open. The outer error is the policy's, the
    /// inner one the socket's.
    async fn push_out(&self, mut bytes: &[u8], to: &WriteHalf<'_>) -> Result<io::Result<()>, Over> {
        while !bytes.is_empty() {
            if let Err(error) = to.writable().await {
                return Ok(Err(error));
            }
            match self.gates.pass(self.link, || to.try_write(bytes)) {
                Passage::Taken(Ok(count)) => bytes = &bytes[count..],
                Passage::Taken(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                Passage::Taken(Err(error)) => return Ok(Err(error)),
                Passage::Held | Passage::Refused => {
                    if self.gates.wait(&[self.link]).await == Waited::Refused {
                        return Err(Over::Reset);
                    }
                }
            }
        }
        Ok(Ok(()))
    }
}

/// Whether anything on this link arrives late.
fn delays(policy: &Policy) -> bool {
    let Policy { delay, linger, http, .. } = policy;
    !(delay.mean.is_zero() && delay.jitter.is_zero() && linger.is_zero() && http.is_none())
}
