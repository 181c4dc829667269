//! Chaos testing and consistency checking: launch a distributed system, drive it, break it, and
//! decide from what its clients saw whether it kept its promises.
//!
//! [`Test`] is the way in: from a `#[test]`, against a bundled system, one described in a test
//! file, or your own. `danso::prelude` has what workloads, models, clients and targets are
//! written with. The binary `danso` is this library with a command line, and the only place that
//! knows everything, prints, exits and reads the environment.

mod alive;
mod args;
mod boxed;
mod certificate;
mod check;
mod child;
mod commands;
mod display;
mod draw;
mod exit;
mod github;
mod judge;
mod launch;
mod load;
mod log;
mod parts;
mod repeat;
mod serve;
mod shrink;
mod spec;
mod suite;
mod testing;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, MaelstromCommand};

pub use danso_checkers as checkers;
pub use danso_engine::target;
pub use danso_vocab as vocab;
pub use danso_workloads as workloads;
pub use testing::{Error, Load, Report, Subject, Test};

/// What workloads, models, clients and targets are written with.
pub mod prelude {
    pub use danso_checkers::linearizable;
    pub use danso_engine::network::Party;
    pub use danso_engine::target::{Client, Fut, Member, NodeCommand, Target};
    pub use danso_vocab::{
        Call, Checker, Generator, Model, NodeId, OpSpec, Outcome, ParamError, ParamSpec, Params,
        Process, Ret, Rng, Seat, Step, Value, Verdict, Workload,
    };
    pub use danso_workloads::generators::{Combine, calls, draw, mix, per_key};

    pub use crate::{Report, Test};
}

/// The command line: what the binary `danso` is. To be called first thing in `main`.
// Not `#[tokio::main]`: a rootless network needs a process that is still single-threaded.
pub fn main() -> ExitCode {
    if let Some(exit) = danso_engine::internal::serve() {
        return exit;
    }
    exit::in_order_when_printing_fails();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::of_clap(&error),
    };
    let result = match cli.command {
        Command::Run(args) => commands::run::run(&args),
        Command::Check(args) => commands::check::check(&args),
        Command::Verify(args) => commands::verify::verify(&args),
        Command::Report(args) => commands::report::report(&args),
        Command::Serve(args) => commands::serve::serve(&args),
        Command::Suite(args) => commands::suite::suite(&args),
        Command::Replay(args) => commands::replay::replay(&args),
        Command::Shrink(args) => commands::shrink::shrink(&args),
        Command::Plan(args) => commands::plan::plan(&args),
        Command::List { what } => commands::list::list(what),
        Command::Doctor(args) => commands::doctor::doctor(&args),
        Command::Bench(args) => commands::bench::bench(&args),
        Command::Maelstrom { command: MaelstromCommand::Test(args) } => {
            commands::maelstrom::test(&args)
        }
        Command::New { what, name } => commands::new::new(what, &name),
        Command::Node { target, args } => commands::node::node(&target, args),
    };
    match result {
        Ok(exit) => exit.code(),
        Err(error) => {
            display::error(&error);
            exit::of_error(&error).code()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn the_worst_exit_wins() {
        use Exit::{Internal, Invalid, Unknown, Usage, Valid};
        assert_eq!([Valid, Unknown].into_iter().max(), Some(Unknown));
        assert_eq!([Unknown, Invalid].into_iter().max(), Some(Invalid));
        assert_eq!([Invalid, Usage, Valid].into_iter().max(), Some(Usage));
        assert_eq!([Internal, Usage].into_iter().max(), Some(Internal));
    }
}
