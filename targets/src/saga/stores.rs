//! What the three services keep account of: stock, money, parcels.

use std::collections::BTreeMap;

use danso_vocab::Value;

use super::settings::Settings;
use super::words::{Order, Step, int};

/// The item nobody has.
const NO_ITEM: &str = "unicorn";
/// The address nobody ships to.
const NO_ADDRESS: &str = "nowhere";

/// The account of one service.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    /// What there was and what is left: by item, by customer.
    initial: BTreeMap<String, i64>,
    free: BTreeMap<String, i64>,
    /// What was taken: reserved, charged, shipped.
    taken: BTreeMap<String, i64>,
    /// What was given back, where that is kept apart: refunded.
    returned: BTreeMap<String, i64>,
    /// What everybody begins with.
    endowment: i64,
}

impl Store {
    /// The store of a step's service.
    pub(super) fn new(step: Step, settings: &Settings) -> Store {
        let endowment = match step {
            Step::Reserve => settings.stock,
            Step::Charge => settings.credit,
            Step::Arrange => 0,
        };
        Store { endowment, ..Store::default() }
    }

    /// What an order moves: whose, and how much.
    fn moves(step: Step, order: &Order) -> (&str, i64) {
        match step {
            Step::Reserve => (&order.item, order.quantity),
            Step::Charge => (&order.customer, order.amount),
            Step::Arrange => ("", 1),
        }
    }

    /// Whether the step can be done.
    pub(super) fn can(&self, step: Step, order: &Order) -> bool {
        let (whose, much) = Store::moves(step, order);
        match step {
            Step::Reserve if order.item == NO_ITEM => false,
            Step::Reserve | Step::Charge => {
                much > 0 && self.free.get(whose).copied().unwrap_or(self.endowment) >= much
            }
            Step::Arrange => order.address != NO_ADDRESS,
        }
    }

    /// Does it.
    pub(super) fn apply(&mut self, step: Step, order: &Order) {
        let (whose, much) = Store::moves(step, order);
        if step != Step::Arrange {
            self.initial.entry(whose.to_owned()).or_insert(self.endowment);
            *self.free.entry(whose.to_owned()).or_insert(self.endowment) -= much;
        }
        *self.taken.entry(whose.to_owned()).or_default() += much;
    }

    /// Undoes it.
    pub(super) fn compensate(&mut self, step: Step, order: &Order) {
        let (whose, much) = Store::moves(step, order);
        match step {
            Step::Reserve => {
                *self.free.entry(whose.to_owned()).or_default() += much;
                *self.taken.entry(whose.to_owned()).or_default() -= much;
            }
            // Money that moves back is a movement of its own: the books show both.
            Step::Charge => {
                *self.free.entry(whose.to_owned()).or_default() += much;
                *self.returned.entry(whose.to_owned()).or_default() += much;
            }
            Step::Arrange => *self.taken.entry(whose.to_owned()).or_default() -= much,
        }
    }

    /// As the API shows it, with the number of journal entries it includes.
    pub(super) fn value(&self, step: Step, journal: usize) -> Value {
        let map = |m: &BTreeMap<String, i64>| {
            Value::Map(m.iter().map(|(k, v)| (k.clone(), (*v).into())).collect())
        };
        let journal = int(journal as u64);
        let (initial, free, taken) = (map(&self.initial), map(&self.free), map(&self.taken));
        match step {
            Step::Reserve => Value::of([
                ("initial", initial),
                ("stock", free),
                ("reserved", taken),
                ("journal", journal),
            ]),
            Step::Charge => Value::of([
                ("initial", initial),
                ("accounts", free),
                ("charged", taken),
                ("refunded", map(&self.returned)),
                ("journal", journal),
            ]),
            Step::Arrange => Value::of([
                ("shipments", self.taken.get("").copied().unwrap_or(0).into()),
                ("journal", journal),
            ]),
        }
    }
}
