//! The `danso` binary: the only place that knows everything, prints, exits and reads the
//! environment.

mod args;
mod boxed;
mod certificate;
mod check;
mod commands;
mod display;
mod draw;
mod exit;
mod judge;
mod load;
mod spec;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

// Not `#[tokio::main]`: a rootless network needs a process that is still single-threaded.
fn main() -> ExitCode {
    if let Some(exit) = danso_engine::internal::serve() {
        return exit;
    }
    exit::quietly_without_reader();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::of_clap(&error),
    };
    let result = match cli.command {
        Command::Run(args) => commands::run::run(&args),
        Command::Check(args) => commands::check::check(&args),
        Command::Verify(args) => commands::verify::verify(&args),
        Command::Report(args) => commands::report::report(&args),
        Command::Plan(args) => commands::plan::plan(&args),
        Command::List { what } => commands::list::list(what),
        Command::Doctor(args) => commands::doctor::doctor(&args),
        Command::Bench(args) => commands::bench::bench(&args),
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
