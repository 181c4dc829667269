//! [`Parts`]: what is run, as code: target, workload and clients by name, or brought along by a
//! program that uses danso as a library.

use std::sync::Arc;

use danso_engine::run::Generators;
use danso_engine::target::{Connect, Target};
use danso_vocab::{ParamError, Params, Plan, Workload};

use crate::check::Budget;
use crate::draw;
use crate::exit::usage;
use crate::watch::Watch;

/// What a user brings along instead of a name.
#[derive(Clone, Default)]
pub(crate) struct Own {
    pub(crate) target: Option<Arc<dyn Target>>,
    pub(crate) workload: Option<&'static Workload>,
    pub(crate) connect: Option<Connect>,
}

/// What a plan's history is judged by. Needs nothing of the machine that made it.
///
/// # Errors
/// If its workload is unknown here.
pub(crate) fn exam(plan: &Plan) -> anyhow::Result<(&'static Workload, Params)> {
    let workload = draw::workload(&plan.workload.name).map_err(usage)?;
    Ok((workload, Params::stored(plan.workload.params.clone())))
}

/// What a plan's names stand for.
pub(crate) struct Parts {
    pub(crate) target: Arc<dyn Target>,
    pub(crate) workload: &'static Workload,
    pub(crate) params: Params,
    /// Who makes clients, if not the target.
    pub(crate) connect: Option<Connect>,
}

impl Parts {
    /// Looks a plan's names up.
    ///
    /// # Errors
    /// If one is unknown here, or its settings make no sense.
    pub(crate) fn of(plan: &Plan) -> anyhow::Result<Parts> {
        Parts::with(plan, &Own::default())
    }

    /// Looks up those of a plan's names that the user brought nothing for.
    ///
    /// # Errors
    /// As [`Parts::of`].
    pub(crate) fn with(plan: &Plan, own: &Own) -> anyhow::Result<Parts> {
        let target = match &own.target {
            Some(target) => target.clone(),
            None => draw::recipe(&plan.target).map_err(usage)?,
        };
        let (workload, params) = match own.workload {
            Some(workload) => (workload, Params::stored(plan.workload.params.clone())),
            None => exam(plan)?,
        };
        let nodes = plan.target.nodes();
        let seat = danso_vocab::Seat { worker: 0, workers: plan.load.workers(), nodes };
        let sane = |e: ParamError| usage(format!("{}: {e}", workload.name));
        (workload.generator)(&params, seat).map_err(sane)?;
        (workload.closing)(&params, seat).map_err(sane)?;
        Ok(Parts { target, workload, params, connect: own.connect.clone() })
    }

    /// Watches the history with the workload's checkers.
    ///
    /// # Errors
    /// If none of them can.
    pub(crate) fn watch(&self, budget: &Budget) -> anyhow::Result<Watch> {
        let checkers = (self.workload.checkers)(&self.params);
        let watch = Watch::start(checkers, budget)?;
        watch.ok_or_else(|| {
            let name = self.workload.name;
            usage(format!("--check-live: no checker of the workload `{name}` can check live"))
        })
    }

    pub(crate) fn generators(&self, closing: bool) -> Generators {
        let make = if closing { self.workload.closing } else { self.workload.generator };
        let params = self.params.clone();
        Box::new(move |seat| make(&params, seat).expect("settings were tried when planning"))
    }
}
