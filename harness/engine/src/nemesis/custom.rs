//! `custom`: a fault of the user's own, by commands that inject it, heal it and check that it is
//! there. For systems danso does not start and faults it does not know.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use danso_vocab::{Fault, NodeId, Rng, Value};

use super::args::{Args, time};
use super::select::select;
use super::{Effect, Ground, Nemesis, Wound};
use crate::cluster::Cluster;
use crate::means::Need;
use crate::shell;
use crate::target::Fut;

/// How long a command may take, unless told otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// See the [module](self).
pub(super) struct Custom;

impl Nemesis for Custom {
    fn kind(&self) -> &'static str {
        "custom"
    }

    fn about(&self) -> &'static str {
        "runs the user's own commands to inject and to heal"
    }

    fn args(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("nodes", "a node selector (default: one); the commands find them in $DANSO_NODES"),
            ("inject", "the shell command that does it"),
            ("heal", "the shell command that undoes it; must do no harm if run twice"),
            ("check", "a shell command that succeeds while it is in force (default: none)"),
            ("patience", "how long each may take (default: 10s)"),
        ]
    }

    fn needs(&self, _: &BTreeMap<String, Value>) -> Vec<Need> {
        Vec::new()
    }

    /// Nobody but the user knows.
    fn fair(&self) -> bool {
        false
    }

    fn excuses(&self) -> bool {
        true
    }

    fn draw(
        &self,
        args: &BTreeMap<String, Value>,
        ground: &Ground<'_>,
        rng: &mut Rng,
    ) -> Result<Fault, String> {
        let nodes = select(args.get("nodes"), "one", ground.nodes, rng)?;
        let mut drawn = BTreeMap::new();
        for name in ["inject", "heal", "check"] {
            match Args(args).get(name) {
                Some(Value::Str(command)) => {
                    drop(drawn.insert(name.to_owned(), command.as_str().into()))
                }
                None if name == "check" => {}
                None => return Err(format!("{name} is missing: the shell command to run")),
                Some(other) => return Err(format!("{name} = {other} is no shell command")),
            }
        }
        let patience = Args(args).duration("patience")?.unwrap_or(PATIENCE);
        drawn.insert("patience".to_owned(), time(patience));
        Ok(Fault { kind: self.kind().into(), nodes, args: Value::Map(drawn) })
    }

    fn inject<'a>(
        &'a self,
        _: &'a Arc<Cluster>,
        fault: &'a Fault,
        nodes: Vec<NodeId>,
    ) -> Fut<'a, Result<Box<dyn Wound>, String>> {
        Box::pin(async move {
            let args = fault.args.map().cloned().unwrap_or_default();
            let command = |name| args.get(name).and_then(Value::str).map(str::to_owned);
            let shell = Shell {
                nodes: nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(" "),
                patience: Args(&args).duration("patience")?.unwrap_or(PATIENCE),
            };
            let heal = command("heal").ok_or("heal is missing")?;
            let said = shell.run("inject", &command("inject").ok_or("inject is missing")?).await;
            let said = match said {
                Ok(said) => said,
                Err(error) => {
                    // Half of it may have been done.
                    let healed = shell.run("heal", &heal).await;
                    return Err(match healed {
                        Ok(_) => error,
                        Err(worse) => format!("{error}; and {worse}"),
                    });
                }
            };
            let seen = match command("check") {
                Some(check) => Some(shell.run("check", &check).await),
                None => None,
            };
            Ok(Box::new(Done { nodes, shell, heal, said, seen }) as Box<dyn Wound>)
        })
    }
}

/// Runs commands for one injection.
struct Shell {
    nodes: String,
    patience: Duration,
}

impl Shell {
    /// What the command printed.
    ///
    /// # Errors
    /// If it fails or takes too long: it is killed then.
    async fn run(&self, name: &str, command: &str) -> Result<String, String> {
        let env = [("DANSO_NODES".to_owned(), self.nodes.clone())];
        let done = shell::run(command, &env, None, self.patience).await;
        done.map_err(|error| format!("{name}: {error}"))
    }
}

/// A fault the commands say is in force.
struct Done {
    nodes: Vec<NodeId>,
    shell: Shell,
    heal: String,
    said: String,
    /// What the check said, if there is one.
    seen: Option<Result<String, String>>,
}

impl Wound for Done {
    fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    fn detail(&self) -> Value {
        Value::of([("said", self.said.as_str().into())])
    }

    fn heal<'a>(self: Box<Self>, _: &'a Arc<Cluster>) -> Fut<'a, Result<Effect, String>> {
        Box::pin(async move {
            self.shell.run("heal", &self.heal).await?;
            Ok(match self.seen {
                Some(Ok(seen)) if seen.is_empty() => {
                    Effect { bit: true, words: "the check succeeded".to_owned() }
                }
                Some(Ok(seen)) => Effect { bit: true, words: seen },
                Some(Err(error)) => Effect { bit: false, words: error },
                None => Effect {
                    bit: true,
                    words: "the command succeeded; there is no check of its effect".to_owned(),
                },
            })
        })
    }
}
