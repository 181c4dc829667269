//! Proofs of verdicts, for [`verify`](crate::verify) to check.
//!
//! A linearization is what the search found. A refutation is shrunk: whatever the verifier lets
//! us take away, and the search refutes what is left without it, is taken away (`draft.rs`). Where
//! a few operations are known to be refuted, the rest is taken away without search (`seed.rs`).
//! Nothing here need be trusted: the proof is verified before it is returned.

mod draft;
mod seed;

use std::collections::BTreeSet;

use danso_vocab::certificate::{Certifier, Claim, Core, Proof, Refused, Step};
use danso_vocab::{History, Limits, Model, OpId, Parts, Value};

use super::machine::Machine;
use super::object::Object;
use super::reduce::reduce;
use super::search::{Budget, Outcome, search};
use super::timeline::{End, Timeline};
use super::violation::explain;
use super::violation::prober::Prober;
use super::{Linearizable, split};
use crate::verify::{Part, verify};
use draft::Draft;
use seed::core_around;

/// Operations beyond which a register's are not tried one by one: each try looks at all of them.
const MANY: usize = 1_000;

/// Operations up to which a core need not be smaller.
const CLEAR: usize = 8;

impl<M: Model> Certifier for Linearizable<M> {
    fn model(&self) -> &'static str {
        self.model.name()
    }

    fn prove(&self, history: &History, limits: &Limits) -> Result<Proof, String> {
        if history.ops().all(|op| !op.is_ok()) {
            return Err("no operation succeeded, so there is nothing to prove".to_owned());
        }
        let (mut orders, mut undecided) = (Vec::new(), None);
        for rows in split(history)? {
            match self.prove_object(history, &rows, limits) {
                Ok(Proof::Invalid(core)) => return Ok(Proof::Invalid(core)),
                Ok(Proof::Valid(order)) => orders.extend(order),
                // Another object may be refuted.
                Err(why) => _ = undecided.get_or_insert(why),
            }
        }
        match undecided {
            Some(why) => Err(why),
            None => self.checked(history, Proof::Valid(orders)),
        }
    }

    fn verify(&self, history: &History, proof: &Proof) -> Result<Claim, Refused> {
        verify(&self.model, history, proof)
    }
}

impl<M: Model> Linearizable<M> {
    fn checked(&self, history: &History, proof: Proof) -> Result<Proof, String> {
        match verify(&self.model, history, &proof) {
            Ok(_) => Ok(proof),
            Err(Refused::TooLarge(why)) => Err(why),
            Err(Refused::Wrong(why)) => Err(format!("a proof was found that does not hold: {why}")),
        }
    }

    /// A core that is refuted and has these operations, which are refuted by themselves.
    fn around(&self, history: &History, seed: &[OpId]) -> Option<Core> {
        let core = core_around(&self.model, history, seed).ok()?;
        match self.checked(history, Proof::Invalid(core)) {
            Ok(Proof::Invalid(core)) => Some(core),
            _ => None,
        }
    }

    /// A proof about the object made of these rows.
    fn prove_object(
        &self,
        history: &History,
        rows: &[u32],
        limits: &Limits,
    ) -> Result<Proof, String> {
        let object = Object::new(history, rows, &self.model)
            .map_err(|op| format!("the model `{}` does not know {op}", self.model.name()))?;
        let mut machine = Machine::new(&self.model, &object.classes);
        let items = reduce(&object, &object.items, self.reductions);
        let line = Timeline::new(&object, &items, self.reductions.pools);
        let budget =
            Budget { states: limits.states, memory: limits.memory, stop: limits.stop.clone() };
        let searched = search(&object, &line, &mut machine, self.reductions, &budget);
        match searched.outcome {
            Outcome::Linearizable(order) if order.is_empty() => Ok(Proof::Valid(Vec::new())),
            Outcome::Linearizable(order) => {
                let id = |item: &u32| history.row(items[*item as usize].row as usize).id();
                Ok(Proof::Valid(vec![order.iter().map(id).collect()]))
            }
            Outcome::Refuted => {
                let guess = match line.event_at(searched.furthest) {
                    Some(End::Response(item)) => Some(items[item as usize]),
                    _ => None,
                };
                let shown = explain(&object, &mut machine, &budget, &searched, guess, &|_| None);
                let around = shown.and_then(|shown| self.around(history, &shown.anomaly.ops));
                if let Some(core) = around.as_ref().filter(|core| core.ops.len() <= CLEAR) {
                    return Ok(Proof::Invalid(core.clone()));
                }
                let mut prober = Prober::new(&object, &mut machine, &budget, searched.visited);
                let prefix = prober.shortest_bad_prefix(guess.map_or(0, |stuck| stuck.res));
                let core = Draft::new(&self.model, &mut prober, prefix)?.shrink();
                let proof = self.checked(history, Proof::Invalid(core));
                proof.or_else(|why| around.map(Proof::Invalid).ok_or(why))
            }
            Outcome::OutOf(_) => Err("the search for a proof was given up".to_owned()),
        }
    }
}

/// Takes one operation of a register away, if that is allowed, and says how.
fn way<M: Model>(left: &mut Part<'_, '_, M>, op: OpId) -> Option<Step> {
    let end = left.ops.iter().find(|held| held.op.id() == op)?.end;
    let after = left.ops.iter().filter(|held| held.must() && held.inv > end);
    let hidden = after.min_by_key(|held| held.end);
    let hidden = hidden.map(|held| Step::Hidden { op, by: held.op.id() });
    [Some(Step::Unseen(op)), hidden].into_iter().flatten().find(|step| left.take(*step).is_ok())
}

/// The parts that `last` touches, with all that are tied to them; none if not everything is of
/// certain parts.
fn tied<M: Model>(model: &M, left: &Part<'_, '_, M>, last: OpId) -> Vec<Value> {
    let mut parts_of = Vec::with_capacity(left.ops.len());
    for held in &left.ops {
        let Parts::Of(parts) = held.parts(model) else { return Vec::new() };
        parts_of.push((held.op.id(), parts));
    }
    let last = parts_of.iter().find(|(op, _)| *op == last);
    let mut chosen: BTreeSet<&Value> =
        last.into_iter().flat_map(|(_, parts)| parts).copied().collect();
    loop {
        let before = chosen.len();
        for (_, parts) in &parts_of {
            if parts.iter().any(|part| chosen.contains(part)) {
                chosen.extend(parts);
            }
        }
        if chosen.len() == before {
            return chosen.into_iter().cloned().collect();
        }
    }
}
