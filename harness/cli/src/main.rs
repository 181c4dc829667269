//! The `danso` binary: [`danso::main`].

fn main() -> std::process::ExitCode {
    danso::main()
}
