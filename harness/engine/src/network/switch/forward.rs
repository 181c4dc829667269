//! The forwarding thread: reads packets at one port, has done to them what the link's policy
//! says, and writes them to another. One thread serves all ports: on few processors that is
//! faster than one each.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use danso_vocab::Rng;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::unistd::read;

use super::failure::{Failure, Step};
use super::gate::{Gate, Port};
use super::journey::{Exit, Journey};
use super::lanes::Lanes;
use super::packet::LONGEST;
use super::table::{Changes, Mode, Table, View};
use super::tap::Tap;
use super::{Wire, address, now, segment};
use crate::network::NetworkError;

/// Packets read from one port before the others get their turn.
const TURN: usize = 64;
/// Errors in a row after which a port is given up.
const MOST_ERRORS: u32 = 1000;
/// The events that are no port's: end; look at the table; look at the timers.
const STOP: u64 = u64::MAX;
const NEWS: u64 = u64::MAX - 1;
const ALARM: u64 = u64::MAX - 2;

/// Ends the thread when dropped, without waiting for it: closing its ports takes tens of
/// milliseconds each.
pub(super) struct Forwarder {
    stop: Arc<EventFd>,
    news: Arc<EventFd>,
}

impl Forwarder {
    /// Has the thread look at the table now, and not when the next packet comes.
    ///
    /// # Errors
    /// If there is no thread any more.
    pub(super) fn nudge(&self) -> Result<(), NetworkError> {
        let gone = |why: &str| NetworkError(format!("the packet switch has failed: {why}"));
        // The thread holds the other one.
        if Arc::strong_count(&self.stop) < 2 {
            return Err(gone("its thread has ended; danso's log says why"));
        }
        self.news.write(1).map(drop).map_err(|error| gone(error.desc()))
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        if let Err(error) = self.stop.write(1) {
            tracing::warn!(%error, "the switch cannot be told to end");
        }
    }
}

/// Starts forwarding between `ports`, whose links `table` numbers row by row.
pub(super) fn start(
    wire: Wire,
    ports: Arc<Vec<Port>>,
    table: Arc<Table>,
    rng: Rng,
    tap: Option<Tap>,
) -> Result<Forwarder, Failure> {
    let ordinary = |e| Step::Ordinary.failed(e);
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(ordinary)?;
    let event = |number| -> Result<Arc<EventFd>, Failure> {
        let fd = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK);
        let fd = Arc::new(fd.map_err(ordinary)?);
        epoll.add(&*fd, EpollEvent::new(EpollFlags::EPOLLIN, number)).map_err(ordinary)?;
        Ok(fd)
    };
    let (stop, news) = (event(STOP)?, event(NEWS)?);
    // And not the time limit of a wait, which the kernel may stretch by a thousandth.
    let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
    let alarm = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags).map_err(ordinary)?;
    epoll.add(&alarm, EpollEvent::new(EpollFlags::EPOLLIN, ALARM)).map_err(ordinary)?;
    let mut hosts = [None; 256];
    for (number, port) in ports.iter().enumerate() {
        let event = EpollEvent::new(EpollFlags::EPOLLIN, number as u64);
        epoll.add(&port.fd, event).map_err(ordinary)?;
        hosts[usize::from(port.host)] = Some(number);
    }
    let links = ports.len() * ports.len();
    let worker = Worker {
        _stop: Arc::clone(&stop),
        news: Arc::clone(&news),
        epoll,
        alarm,
        alarmed: None,
        hosts,
        errors: vec![0; ports.len()],
        round: 1,
        turns: vec![0; ports.len()],
        view: View::new(links),
        lanes: Lanes::new(links, wire.offset(), rng),
        offset: wire.offset(),
        gate: Gate { offset: wire.offset(), ports, table, waiting: 0, tap },
        scratch: Vec::new(),
    };
    thread::Builder::new()
        .name("danso-switch".to_owned())
        .spawn(move || worker.run())
        .map_err(|e| Step::Ordinary.failed_io(&e))?;
    Ok(Forwarder { stop, news })
}

struct Worker {
    /// Kept open: the other half may be dropped first.
    _stop: Arc<EventFd>,
    news: Arc<EventFd>,
    epoll: Epoll,
    /// Goes off when the next timer is due, and when that is.
    alarm: TimerFd,
    alarmed: Option<u64>,
    hosts: [Option<usize>; 256],
    /// Of each port, in a row.
    errors: Vec<u32>,
    /// How often the thread has woken up, and when in that count each port last had its turn.
    round: u64,
    turns: Vec<u64>,
    view: View,
    lanes: Lanes,
    /// Where the IP packet starts in a frame.
    offset: usize,
    gate: Gate,
    /// Where segments are made.
    scratch: Vec<u8>,
}

impl Worker {
    fn run(mut self) {
        let mut events = [EpollEvent::empty(); 64];
        let mut buffer = vec![0u8; LONGEST];
        loop {
            let count = match self.wait(&mut events) {
                Ok(count) => count,
                Err(Errno::EINTR) => continue,
                Err(error) => {
                    tracing::error!(%error, "the switch ends");
                    return self.end();
                }
            };
            self.round += 1;
            for event in &events[..count] {
                match event.data() {
                    STOP => return self.end(),
                    NEWS => {
                        // Only says that there is something; what, the table knows.
                        let _ = self.news.read();
                    }
                    ALARM => {
                        // Silences it; whether anything is due, the timers know.
                        let _ = self.alarm.wait();
                        self.alarmed = None;
                    }
                    port => self.turn(port as usize, &mut buffer),
                }
            }
            self.renew();
            self.drain();
            if let Some(tap) = &mut self.gate.tap {
                tap.flush();
            }
        }
    }

    /// Whoever waits for the files need not wait for the ports to be closed.
    fn end(mut self) {
        if let Some(mut tap) = self.gate.tap.take() {
            tap.flush();
        }
    }

    /// Waits for events; that a timer is due is one.
    fn wait(&mut self, events: &mut [EpollEvent]) -> Result<usize, Errno> {
        let next = self.lanes.next();
        if next != self.alarmed {
            match next {
                Some(due) => {
                    let due = TimeSpec::from_duration(Duration::from_nanos(due.max(1)));
                    self.alarm
                        .set(Expiration::OneShot(due), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
                }
                None => self.alarm.unset()?,
            }
            self.alarmed = next;
        }
        self.epoll.wait(events, EpollTimeout::NONE)
    }

    /// Forwards what has come in at this port, up to a limit. Where packets come one by one, as
    /// questions and answers do, it is cheaper to wait for the next than to find that there is
    /// none yet.
    fn turn(&mut self, from: usize, buffer: &mut [u8]) {
        let busy = self.turns[from] + 1 == self.round;
        self.turns[from] = self.round;
        for _ in 0..if busy { TURN } else { 1 } {
            match read(&self.gate.ports[from].fd, buffer) {
                Ok(length) => {
                    self.errors[from] = 0;
                    self.forward(from, &buffer[..length]);
                }
                Err(Errno::EAGAIN) => return,
                Err(Errno::EINTR) => {}
                // One packet, or the interface for a moment; but not for ever.
                Err(error) => {
                    self.errors[from] += 1;
                    self.gate.table.lost.fetch_add(1, Ordering::Relaxed);
                    if self.errors[from] >= MOST_ERRORS {
                        tracing::error!(port = self.gate.ports[from].host, %error, "a port is gone");
                        let _ = self.epoll.delete(&self.gate.ports[from].fd);
                        return;
                    }
                }
            }
            if self.lanes.next().is_some() {
                self.drain();
            }
        }
    }

    fn forward(&mut self, from: usize, frame: &[u8]) {
        let mut now = None;
        if let Some(tap) = &mut self.gate.tap {
            tap.frame(from, *now.insert(super::now()), frame);
        }
        let to = frame.get(self.gate.offset..).and_then(address::host);
        let Some(to) = to.and_then(|host| self.hosts[usize::from(host)]) else {
            self.gate.table.strays.fetch_add(1, Ordering::Relaxed);
            return;
        };
        self.renew();
        let clean = self.view.mode(from * self.gate.ports.len() + to) == Mode::Clean;
        let now = now.unwrap_or_else(|| if clean { 0 } else { super::now() });
        self.send(from, to, now, frame, Journey { since: now, ..Journey::default() });
    }

    /// Sends a frame on its way over a link.
    fn send(&mut self, from: usize, to: usize, now: u64, frame: &[u8], journey: Journey) {
        let link = from * self.gate.ports.len() + to;
        match self.view.mode(link) {
            Mode::Clean => self.gate.door(from, to).deliver(frame, journey),
            Mode::Closed(block) => {
                let lane = self.lanes.at(link);
                lane.block(block, frame, journey, &mut self.gate.door(from, to));
            }
            Mode::Shaped => {
                let (policy, lane) = (self.view.policy(link), self.lanes.at(link));
                let mut door = self.gate.door(from, to);
                segment::each(frame, self.offset, &mut self.scratch, |packet| {
                    lane.pass(policy, now, packet, journey, &mut door);
                });
                self.lanes.arm(link, policy);
            }
        }
    }

    /// Takes over what has changed in the table: all of it, before the next packet.
    fn renew(&mut self) {
        // Step by step: a cut kills what is under way, however short it is.
        for changes in self.gate.table.news(&mut self.view) {
            self.change(changes);
        }
    }

    fn change(&mut self, changes: Changes) {
        let mut changed: Vec<usize> = changes
            .into_iter()
            .filter_map(|(link, policy)| self.view.apply(link, policy).then_some(link))
            .collect();
        changed.sort_unstable();
        changed.dedup();
        let now = now();
        for link in changed {
            let Some(lane) = self.lanes.get(link) else { continue };
            let policy = *self.view.policy(link);
            let (from, to) = (link / self.gate.ports.len(), link % self.gate.ports.len());
            let held = lane.change(&policy, now, &mut self.gate.door(from, to));
            for held in held {
                self.send(from, to, now, &held.frame, held.journey);
            }
            self.lanes.arm(link, &policy);
        }
    }

    /// Lets out what is due on all links.
    fn drain(&mut self) {
        let now = now();
        while let Some(link) = self.lanes.due(now) {
            let Some(lane) = self.lanes.get(link) else { continue };
            let policy = self.view.policy(link);
            let (from, to) = (link / self.gate.ports.len(), link % self.gate.ports.len());
            lane.drain(policy, now, &mut self.gate.door(from, to));
            self.lanes.arm(link, policy);
        }
    }
}
