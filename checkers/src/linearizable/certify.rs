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
use danso_vocab::{Anomaly, History, Limits, Model, OpId, Parts, Value};

use super::judge::Ruling;
use super::machine::Machine;
use super::object::{Item, Object};
use super::violation::prober::Prober;
use super::{Linearizable, split};
use crate::verify::{Part, verify};
use draft::Draft;
use seed::core_around;

/// Operations beyond which a register's are not tried one by one: each try looks at all of them.
const MANY: usize = 1_000;

/// Operations up to which a core need not be smaller.
const CLEAR: usize = 8;

/// Operations of a core up to which each is tried once more, with the verifier.
const FEW: usize = 24;

impl<M: Model> Certifier for Linearizable<M> {
    fn model(&self) -> &'static str {
        self.model.name()
    }

    fn prove(&self, history: &History, limits: &Limits) -> Result<Proof, String> {
        let objects = split(history, &self.model)?;
        if objects.rows.is_empty() {
            return Err("there is no operation, so there is nothing to prove".to_owned());
        }
        let judge = self.judge(limits, 1, true);
        let (mut orders, mut undecided) = (Vec::new(), None);
        for rows in objects.rows {
            let mut ruling = judge.object(history, &rows).ruling;
            if let Ruling::Linearizable(None) = ruling {
                // Some procedures know that there is a linearization, but not which.
                ruling = judge.by_search(history, &rows).ruling;
            }
            match ruling {
                Ruling::Linearizable(Some(order)) if order.is_empty() => {}
                Ruling::Linearizable(Some(order)) => {
                    orders.push(order.iter().map(|row| history.row(*row as usize).id()).collect());
                }
                Ruling::Linearizable(None) => {
                    undecided.get_or_insert("no linearization could be put down".to_owned());
                }
                // Another object may be refuted.
                Ruling::Undecided(why) => _ = undecided.get_or_insert(why),
                Ruling::Violated { anomaly, .. } => {
                    match self.refuted(history, &rows, &anomaly, limits) {
                        Ok(core) => return Ok(Proof::Invalid(core)),
                        Err(why) => _ = undecided.get_or_insert(why),
                    }
                }
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

    fn checked_core(&self, history: &History, core: Core) -> Result<Core, String> {
        self.checked(history, Proof::Invalid(core.clone())).map(|_| core)
    }

    /// A core of the object made of these rows, which this anomaly refutes.
    fn refuted(
        &self,
        history: &History,
        rows: &[u32],
        anomaly: &Anomaly,
        limits: &Limits,
    ) -> Result<Core, String> {
        let around = core_around(&self.model, history, &anomaly.ops).ok();
        let around = around.and_then(|core| self.checked_core(history, core).ok());
        if let Some(core) = around.as_ref().filter(|core| core.ops.len() <= CLEAR) {
            return Ok(self.minimal(history, core.clone()));
        }
        let shrunk = self.shrunk(history, rows, anomaly, limits);
        let shrunk = shrunk.and_then(|core| self.checked_core(history, core));
        let core = shrunk.or_else(|why| around.ok_or(why))?;
        Ok(self.minimal(history, core))
    }

    /// Takes single operations away as long as what is left is still a proof.
    fn minimal(&self, history: &History, mut core: Core) -> Core {
        let proves = |less: &Core| {
            let proof = Proof::Invalid(less.clone());
            verify(&self.model, history, &proof).is_ok()
        };
        while core.ops.len() <= FEW {
            let less = smaller(&core).find(proves);
            let Some(less) = less else { break };
            core = less;
        }
        core
    }

    /// The same, as small as the search can make it.
    fn shrunk(
        &self,
        history: &History,
        rows: &[u32],
        anomaly: &Anomaly,
        limits: &Limits,
    ) -> Result<Core, String> {
        let object = Object::new(history, rows, &self.model)
            .map_err(|op| format!("the model `{}` does not know {op}", self.model.name()))?;
        let mut machine = Machine::new(&self.model, &object.classes);
        let budget = self.judge(limits, 1, true).budget();
        // Everything it takes to refute it has happened once these have ended.
        let named = |item: &&Item| item.must() && anomaly.ops.contains(&object.op(item).id());
        let guess = object.items.iter().filter(named).map(|item| item.res).max().unwrap_or(0);
        let mut prober = Prober::new(&object, &mut machine, &budget, 0);
        let prefix = prober.shortest_bad_prefix(guess);
        Ok(Draft::new(&self.model, &mut prober, prefix)?.shrink())
    }
}

/// The cores with one operation less, the last one first.
pub(super) fn smaller(core: &Core) -> impl Iterator<Item = Core> {
    core.ops.iter().rev().flat_map(|op| {
        let ops = core.ops.iter().copied().filter(|other| other != op).collect();
        let without = Core { ops, ..core.clone() };
        let mut unseen = without.clone();
        unseen.steps.push(Step::Unseen(*op));
        [without, unseen]
    })
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
