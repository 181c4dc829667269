//! `danso verify`: whether a certificate proves what it says.

use std::path::Path;

use danso_checkers::models::{MODELS, find};
use danso_vocab::certificate::{Claim, Fingerprint, Proof, Refused};
use danso_vocab::{Certificate, History, Verdict, codec};

use crate::args::VerifyArgs;
use crate::exit::{Exit, usage};
use crate::load;
use crate::spec::no_such;

/// Operations of a core that are printed.
const SHOWN: usize = 20;

/// Checks a certificate against a history. A proof of `invalid` that holds is a success.
pub(crate) fn verify(args: &VerifyArgs) -> anyhow::Result<Exit> {
    let certificate = read(&args.certificate)?;
    let loaded = load::load_as(&args.history, &args.read)?;
    match check(&certificate, &loaded.history, args)? {
        Ok(claim) => {
            println!("verified: {}", words(&certificate, &claim));
            if let Proof::Invalid(core) = &certificate.proof {
                let ops = core.ops.iter().filter_map(|id| loaded.history.op(*id));
                ops.take(SHOWN).for_each(|op| println!("  {op}"));
                if core.ops.len() > SHOWN {
                    println!("  and {} more", core.ops.len() - SHOWN);
                }
            }
            Ok(Exit::Valid)
        }
        Err(refused) => {
            println!("not verified: {refused}");
            Ok(match refused {
                Refused::Wrong(_) => Exit::Invalid,
                Refused::TooLarge(_) => Exit::Unknown,
            })
        }
    }
}

fn read(path: &Path) -> anyhow::Result<Certificate> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|e| usage(format!("{name}: {e}")))?;
    codec::certificate::read(&bytes).map_err(|e| {
        usage(format!("{name}:{}:{}: {}; is this a certificate?", e.line, e.column, e.message))
    })
}

/// What the certificate proves about this history, if it is about what was asked for.
fn check(
    certificate: &Certificate,
    history: &History,
    args: &VerifyArgs,
) -> anyhow::Result<Result<Claim, Refused>> {
    let named = |name: &str| {
        let names: Vec<_> = MODELS.iter().map(|m| m.name).collect();
        find(name).ok_or_else(|| usage(no_such("model", name, &names)))
    };
    let wrong = |why: String| Ok(Err(Refused::Wrong(why)));
    let model = named(&certificate.model)?;
    if let Some(wanted) = &args.model
        && named(wanted)?.name != model.name
    {
        return wrong(format!("it is about the model {}, not {wanted}", model.name));
    }
    if let Some(wanted) = &args.initial {
        let value = super::check::initial(wanted)?;
        if value != certificate.initial {
            return wrong(format!("its object begins with {}, not {value}", certificate.initial));
        }
    }
    let found = Fingerprint::of(history);
    if found != certificate.history {
        let wanted = certificate.history;
        return wrong(format!("it is about another history ({wanted}; this one has {found})"));
    }
    let checker = (model.checker)(certificate.initial.clone());
    let certifier = checker.certifier();
    let certifier =
        certifier.ok_or_else(|| usage(format!("the model {} has no certificates", model.name)))?;
    Ok(certifier.verify(history, &certificate.proof))
}

/// A verified claim in words: `valid (52 operations on 3 keys)`.
pub(crate) fn words(certificate: &Certificate, claim: &Claim) -> String {
    let (ops, model) = (claim.ops, &certificate.model);
    let plural = if ops == 1 { "operation" } else { "operations" };
    match claim.verdict {
        Verdict::Valid if claim.objects > 1 => {
            format!("valid ({ops} {plural} on {} keys are linearizable, {model})", claim.objects)
        }
        Verdict::Valid => format!("valid ({ops} {plural} are linearizable, {model})"),
        verdict => format!("{verdict} (no order of {ops} {plural} satisfies {model})"),
    }
}
