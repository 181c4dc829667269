//! One partition: its messages, and how far each group of consumers has come.
//!
//! A group is at `next`: everything from there on it has never been handed. What it was handed is
//! leased until its consumer is done or its time is up; then it is `returned`, to be handed out
//! before anything new, or dead. So first deliveries are in order, and nothing is handed to two
//! consumers at a time.

use std::collections::{BTreeMap, VecDeque};

use danso_vocab::Value;
use serde::{Deserialize, Serialize};

use super::settings::{Bug, Rules};
use crate::kit::json;

/// A message as it is handed out or listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    #[serde(with = "json")]
    pub(crate) value: Value,
    pub(crate) offset: u64,
    /// How often it was handed out, this time included.
    pub(crate) attempt: u32,
}

/// What a drain takes and lists at most, so that answers have an end.
const DRAIN: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Held(#[serde(with = "json")] Value);

/// A partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Partition {
    /// The offset of the first of `messages`.
    first: u64,
    messages: VecDeque<Held>,
    groups: BTreeMap<String, Group>,
}

/// How far a group has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Group {
    /// The first offset never handed out.
    next: u64,
    /// What is to be handed out again, and how often it was.
    returned: BTreeMap<u64, u32>,
    /// What is handed out, by delivery.
    leases: BTreeMap<u64, Lease>,
    dead: Vec<Message>,
    /// Deliveries so far.
    deliveries: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    offset: u64,
    attempt: u32,
    until: u64,
}

/// What became of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// The consumer is done with the message.
    Ack,
    /// It wants it to be handed out again.
    Nack,
}

impl Partition {
    /// Puts a message in; `None` if there is no room.
    pub(crate) fn send(&mut self, rules: &Rules, value: Value) -> Option<u64> {
        let dead: usize = self.groups.values().map(|group| group.dead.len()).sum();
        if self.messages.len() + dead >= rules.max_length {
            return None;
        }
        self.messages.push_back(Held(value));
        Some(self.end() - 1)
    }

    /// The offset of the next message to be put in.
    fn end(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    /// The message at an offset, as it is handed out for the `attempt`th time.
    fn message(&self, rules: &Rules, offset: u64, attempt: u32) -> Message {
        let held = offset.checked_sub(self.first).and_then(|i| self.messages.get(i as usize));
        let value = if rules.bug == Some(Bug::Phantom) && attempt > 1 {
            Value::from(format!("message {offset}"))
        } else {
            held.map_or(Value::Nil, |held| held.0.clone())
        };
        Message { value, offset, attempt }
    }

    /// The group of this name with the leases whose time is up at `now` ended. It begins with the
    /// oldest message there is.
    fn group(&mut self, rules: &Rules, now: u64, name: &str) -> &mut Group {
        if !self.groups.contains_key(name) {
            let group = Group { next: self.first, ..Group::default() };
            self.groups.insert(name.to_owned(), group);
        }
        let expired = self.groups.get(name).map_or_else(Vec::new, |group| group.expired(now));
        if rules.bug != Some(Bug::RedeliverNever) {
            for delivery in expired {
                self.give_back(rules, name, delivery);
            }
        }
        self.groups.entry(name.to_owned()).or_default()
    }

    /// Ends a lease: the message is to be handed out again, or dead.
    fn give_back(&mut self, rules: &Rules, name: &str, delivery: u64) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let Some(lease) = group.leases.remove(&delivery) else { return };
        if lease.attempt < rules.max_attempts {
            group.returned.insert(lease.offset, lease.attempt);
            return;
        }
        let message = self.message(rules, lease.offset, lease.attempt);
        if let Some(group) = self.groups.get_mut(name) {
            group.dead.push(message);
        }
    }

    /// What the group is to be handed next.
    fn pick(&mut self, rules: &Rules, name: &str) -> Option<Message> {
        let end = self.end();
        let group = self.groups.get_mut(name)?;
        if rules.bug == Some(Bug::Reorder) && end > group.next + 3 {
            // The newest first; the others keep their order.
            group.returned.extend((group.next..end - 1).map(|offset| (offset, 0)));
            group.next = end;
            return Some(self.message(rules, end - 1, 1));
        }
        let (offset, attempts) = match group.returned.pop_first() {
            Some(returned) => returned,
            None if group.next < end => {
                group.next += 1;
                (group.next - 1, 0)
            }
            None => return None,
        };
        Some(self.message(rules, offset, attempts + 1))
    }

    /// Hands the next message out, leased under the number that comes with it.
    pub(crate) fn receive(
        &mut self,
        rules: &Rules,
        now: u64,
        name: &str,
    ) -> Option<(Message, u64)> {
        self.group(rules, now, name);
        let message = self.pick(rules, name)?;
        let group = self.groups.get_mut(name)?;
        group.deliveries += 1;
        let delivery = group.deliveries;
        let until = now + rules.visibility;
        let lease = Lease { offset: message.offset, attempt: message.attempt, until };
        group.leases.insert(delivery, lease);
        Some((message, delivery))
    }

    /// Hands the next message out for good.
    pub(crate) fn take(&mut self, rules: &Rules, now: u64, name: &str) -> Option<Message> {
        self.group(rules, now, name);
        let message = self.pick(rules, name);
        self.drop_done();
        message
    }

    /// A consumer says what became of its message; false if its lease is over.
    pub(crate) fn settle(
        &mut self,
        rules: &Rules,
        now: u64,
        name: &str,
        delivery: u64,
        verdict: Verdict,
    ) -> bool {
        let group = self.group(rules, now, name);
        if !group.leases.contains_key(&delivery) {
            return false;
        }
        match verdict {
            Verdict::Nack => self.give_back(rules, name, delivery),
            // Whose time is up later is handed out again, whatever was said of it.
            Verdict::Ack if rules.bug == Some(Bug::DoubleDeliver) => {}
            Verdict::Ack => {
                group.leases.remove(&delivery);
            }
        }
        self.drop_done();
        true
    }

    /// Takes all that is ready, for good, and lists what is not.
    pub(crate) fn drain(
        &mut self,
        rules: &Rules,
        now: u64,
        name: &str,
    ) -> (Vec<Message>, Vec<Message>) {
        self.group(rules, now, name);
        let mut taken = Vec::new();
        while taken.len() < DRAIN
            && let Some(message) = self.pick(rules, name)
        {
            taken.push(message);
        }
        let mut left = Vec::new();
        if let Some(group) = self.groups.get(name) {
            let leased = group.leases.values().map(|lease| (lease.offset, lease.attempt));
            let ready = group.returned.iter().map(|(offset, attempts)| (*offset, *attempts));
            let new = (group.next..self.end()).map(|offset| (offset, 0));
            let all = leased.chain(ready).chain(new).take(DRAIN);
            left.extend(all.map(|(offset, attempt)| self.message(rules, offset, attempt)));
        }
        self.drop_done();
        (taken, left)
    }

    /// What was given up.
    pub(crate) fn dead(&self, name: &str) -> &[Message] {
        self.groups.get(name).map_or(&[], |group| &group.dead)
    }

    /// Drops messages that all groups are done with.
    fn drop_done(&mut self) {
        let end = self.end();
        let done = self.groups.values().map(Group::done).min().unwrap_or(self.first).min(end);
        while self.first < done {
            self.messages.pop_front();
            self.first += 1;
        }
    }

    /// For people: how long it is and how far the groups have come.
    pub(crate) fn describe(&self) -> Value {
        let int = |i: u64| Value::Int(i64::try_from(i).unwrap_or(i64::MAX));
        let group = |group: &Group| {
            let ready = self.end() - group.next + group.returned.len() as u64;
            Value::of([
                ("ready", int(ready)),
                ("leased", int(group.leases.len() as u64)),
                ("dead", int(group.dead.len() as u64)),
                ("deliveries", int(group.deliveries)),
            ])
        };
        let groups = self.groups.iter().map(|(name, g)| (name.clone(), group(g))).collect();
        Value::of([
            ("first", int(self.first)),
            ("end", int(self.end())),
            ("groups", Value::Map(groups)),
        ])
    }
}

impl Group {
    /// The deliveries whose time is up.
    fn expired(&self, now: u64) -> Vec<u64> {
        let late = self.leases.iter().filter(|(_, lease)| lease.until <= now);
        late.map(|(delivery, _)| *delivery).collect()
    }

    /// All before this offset it is done with.
    fn done(&self) -> u64 {
        let leased = self.leases.values().map(|lease| lease.offset).min();
        let returned = self.returned.keys().next().copied();
        [leased, returned].into_iter().flatten().fold(self.next, u64::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { bug: None, visibility: 100, max_attempts: 3, max_length: 50 };

    fn with(bug: Bug) -> Rules {
        Rules { bug: Some(bug), ..RULES }
    }

    fn filled(rules: &Rules, count: i64) -> Partition {
        let mut partition = Partition::default();
        for value in 0..count {
            assert_eq!(partition.send(rules, value.into()), Some(value as u64));
        }
        partition
    }

    /// The value and attempt of what is received, and the delivery.
    fn receive(partition: &mut Partition, rules: &Rules, now: u64) -> Option<(Value, u32, u64)> {
        let (message, delivery) = partition.receive(rules, now, "g")?;
        Some((message.value, message.attempt, delivery))
    }

    #[test]
    fn messages_come_in_order_and_again_until_acknowledged() {
        let mut p = filled(&RULES, 3);
        assert_eq!(receive(&mut p, &RULES, 0), Some((0.into(), 1, 1)));
        assert_eq!(receive(&mut p, &RULES, 0), Some((1.into(), 1, 2)));
        assert!(p.settle(&RULES, 50, "g", 2, Verdict::Ack));
        // The first one's time is up: it comes before anything new.
        assert_eq!(receive(&mut p, &RULES, 100), Some((0.into(), 2, 3)));
        assert!(!p.settle(&RULES, 101, "g", 1, Verdict::Ack), "its lease is over");
        assert!(p.settle(&RULES, 102, "g", 3, Verdict::Nack));
        assert_eq!(receive(&mut p, &RULES, 103), Some((0.into(), 3, 4)));
        assert_eq!(receive(&mut p, &RULES, 103), Some((2.into(), 1, 5)));
        assert!(p.settle(&RULES, 104, "g", 5, Verdict::Ack));
        // The third attempt was the last.
        assert_eq!(receive(&mut p, &RULES, 203), None);
        let dead: Vec<&Value> = p.dead("g").iter().map(|m| &m.value).collect();
        assert_eq!(dead, [&Value::Int(0)]);
        p.drop_done();
        assert!(p.messages.is_empty());
    }

    #[test]
    fn every_group_gets_everything() {
        let mut p = filled(&RULES, 3);
        let take = |p: &mut Partition, group: &str| p.take(&RULES, 0, group).map(|m| m.offset);
        assert_eq!((take(&mut p, "a"), p.first), (Some(0), 1));
        // One that comes late begins with what is left.
        assert_eq!(take(&mut p, "b"), Some(1));
        assert_eq!(p.first, 1, "the other group has not come so far");
        assert_eq!((take(&mut p, "a"), p.first), (Some(1), 2));
        assert_eq!((take(&mut p, "b"), take(&mut p, "a")), (Some(2), Some(2)));
        assert_eq!((p.first, take(&mut p, "b"), take(&mut p, "c")), (3, None, None));
    }

    #[test]
    fn a_drain_takes_what_is_ready_and_lists_what_is_not() {
        let mut p = filled(&RULES, 3);
        receive(&mut p, &RULES, 0);
        let (taken, left) = p.drain(&RULES, 10, "g");
        assert_eq!(taken.iter().map(|m| m.offset).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(left.iter().map(|m| m.offset).collect::<Vec<_>>(), [0]);
        let (taken, left) = p.drain(&RULES, 100, "g");
        assert_eq!((taken[0].offset, taken[0].attempt, left.len()), (0, 2, 0));
        assert!(p.messages.is_empty());
    }

    #[test]
    fn there_is_a_limit() {
        let rules = Rules { max_length: 2, ..RULES };
        let mut p = filled(&rules, 2);
        assert_eq!(p.send(&rules, 9.into()), None);
        p.take(&rules, 0, "g");
        assert_eq!(p.send(&rules, 9.into()), Some(2));
    }

    #[test]
    fn each_bug_does_what_it_says() {
        let rules = with(Bug::DoubleDeliver);
        let mut p = filled(&rules, 1);
        receive(&mut p, &rules, 0);
        assert!(p.settle(&rules, 1, "g", 1, Verdict::Ack));
        assert_eq!(receive(&mut p, &rules, 100), Some((0.into(), 2, 2)));

        let rules = with(Bug::Reorder);
        let mut p = filled(&rules, 5);
        let order: Vec<Value> =
            std::iter::from_fn(|| receive(&mut p, &rules, 0)).map(|(value, ..)| value).collect();
        assert_eq!(order, [4, 0, 1, 2, 3].map(Value::Int));

        let rules = with(Bug::Phantom);
        let mut p = filled(&rules, 1);
        assert_eq!(receive(&mut p, &rules, 0), Some((0.into(), 1, 1)));
        assert_eq!(receive(&mut p, &rules, 100), Some(("message 0".into(), 2, 2)));

        let rules = with(Bug::RedeliverNever);
        let mut p = filled(&rules, 1);
        receive(&mut p, &rules, 0);
        assert_eq!(receive(&mut p, &rules, 1_000_000), None);
        assert_eq!(p.drain(&rules, 1_000_000, "g").1.len(), 1);
    }

    #[test]
    fn snapshots_round_trip() {
        let mut p = filled(&RULES, 4);
        receive(&mut p, &RULES, 0);
        receive(&mut p, &RULES, 0);
        p.settle(&RULES, 1, "g", 2, Verdict::Nack);
        let json = serde_json::to_string(&p).unwrap();
        assert_eq!(serde_json::from_str::<Partition>(&json).unwrap(), p);
    }
}
