//! `check --certificate`: the verdict with its proof, as a file.

use std::path::Path;

use danso_checkers::models;
use danso_vocab::certificate::{Certifier, Fingerprint};
use danso_vocab::{Certificate, Limits, Results, Value, codec};

use crate::check::{Budget, within};
use crate::exit::{Exit, usage};
use crate::load::{self, Loaded};
use crate::parts::exam;

/// Writes a certificate of the verdict on linearizability, whole or not at all. Where none can be
/// made, says why, on standard error, and answers unknown: a verdict somebody wants to be sure of
/// must not pass without.
///
/// # Errors
/// If the checkers that were used have no proofs, or the file cannot be written.
pub(crate) fn write(
    file: &Path,
    loaded: &Loaded,
    model: Option<&str>,
    initial: &Value,
    results: &Results,
    budget: &Budget,
) -> anyhow::Result<Exit> {
    let name = match (model, &loaded.plan) {
        (Some(name), _) => name,
        (None, Some(plan)) => {
            let (workload, params) = exam(plan)?;
            let checkers = (workload.checkers)(&params);
            let mut certifiers = checkers.iter().filter_map(|checker| checker.certifier());
            certifiers.next().map(Certifier::model).unwrap_or_default()
        }
        (None, None) => "",
    };
    let model = models::find(name);
    let checker = model.map(|model| (model.checker)(initial.clone()));
    let certifier = checker.as_ref().and_then(|checker| checker.certifier());
    let (Some(model), Some(checker), Some(certifier)) = (model, &checker, certifier) else {
        return Err(usage("--certificate: only linearizability of a model has certificates"));
    };
    let prove = |limits: &Limits| {
        let prove = || certifier.prove(&loaded.history, limits);
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(prove))
            .unwrap_or_else(|_| Err("making one failed; please report this".to_owned()))
    };
    let proof = match within(budget, prove) {
        Ok(proof) => proof,
        Err(why) => {
            eprintln!("note: no certificate was written: {why}");
            return Ok(Exit::Unknown);
        }
    };
    let found = results.findings.iter().find(|finding| finding.checker == checker.name());
    if let Some(finding) = found.filter(|finding| finding.verdict != proof.verdict()) {
        anyhow::bail!(
            "the verdict is {}, but there is a proof of {}: this is a defect of danso, please report it",
            finding.verdict,
            proof.verdict()
        );
    }
    let certificate = Certificate {
        model: model.name.to_owned(),
        initial: initial.clone(),
        history: Fingerprint::of(&loaded.history),
        proof,
    };
    load::write_whole(file, &codec::certificate::write(&certificate))
        .map_err(|e| usage(format!("--certificate: {e:#}")))?;
    eprintln!("certificate: {} ({})", file.display(), certificate.proof.verdict());
    Ok(Exit::Valid)
}
