//! danso's helper processes for the engine's own tests; users have them inside the one `danso`.

fn main() -> std::process::ExitCode {
    danso_engine::internal::serve().unwrap_or(std::process::ExitCode::from(254))
}
