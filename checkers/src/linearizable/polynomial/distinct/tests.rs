//! Against the oracle.

use danso_vocab::{Call, Rng, Value};

use super::super::testing::{Trial, every};
use super::Distinct;
use crate::linearizable::tests::simulate::{self, Shape};
use crate::models::UniqueIds;

fn trial() -> Trial<'static, UniqueIds> {
    Trial {
        model: UniqueIds,
        procedure: &Distinct,
        units: |core| core.iter().map(|op| vec![op.row() as u32]).collect(),
    }
}

#[test]
fn agrees_with_the_oracle() {
    let tally = trial().fuzz("distinct", 4_000, |rng: &mut Rng| {
        let shape = Shape {
            behaviour: |state, _| {
                state[0] += 1;
                Some(state[0].into())
            },
            init: vec![100],
            draw: |_, _, _| Call::new("generate", ()),
            domain: 9,
            unique: true,
            processes: rng.between(2, 6) as usize,
            ops: rng.between(2, 10) as usize,
            crash: *rng.pick(&[0, 30]).unwrap(),
            keys: 0,
            touch: 20,
            lies: rng.below(3),
        };
        simulate::history(rng, &shape)
    });
    tally.shows_both();
    assert_eq!(tally.unfit, 0);
}

#[test]
fn every_small_history() {
    let mut tally = super::super::testing::Tally::default();
    let mut kinds: Vec<_> = ["a", "b", "c"].map(|id| Some(Value::from(id))).into();
    kinds.push(None);
    let kinds: Vec<_> = kinds.into_iter().map(|id| (Call::new("generate", ()), id)).collect();
    every(3, &kinds, |history| trial().one(history, &mut tally));
    tally.shows_both();
    assert_eq!(tally.unfit, 0);
}
