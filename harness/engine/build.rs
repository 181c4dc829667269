//! Builds the library that is preloaded into nodes where they may not be traced, with the
//! compiler cargo uses, to be carried inside the danso binary.

use std::env;
use std::path::Path;
use std::process::Command;

const SOURCE: &str = "src/clock/preload/library.rs";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=src/clock/line.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let var = |name: &str| env::var(name).unwrap_or_default();
    let library = Path::new(&var("OUT_DIR")).join("clock.so");
    let known = var("CARGO_CFG_TARGET_ARCH") == "x86_64" && var("CARGO_CFG_TARGET_OS") == "linux";
    if !(known && build(&library)) {
        // Preloading is a fallback: without the library danso says so when it is needed.
        if let Err(error) = std::fs::write(&library, []) {
            println!("cargo::error={}: {error}", library.display());
        }
    }
}

/// Returns whether it has been built.
fn build(library: &Path) -> bool {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into()));
    rustc
        .args(["--edition=2024", "--crate-name=danso_clock", "--crate-type=cdylib"])
        .args(["-Copt-level=2", "-Cpanic=abort", "-Cdebuginfo=0", "-Cstrip=symbols"])
        // A shared library on any C library, musl's too.
        .args(["-Ctarget-feature=-crt-static", "-Crelocation-model=pic"])
        .args(["-Clink-arg=-nostartfiles", "-Clink-arg=-nostdlib"]);
    if let Ok(target) = env::var("TARGET") {
        rustc.args(["--target", &target]);
    }
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    match rustc.arg("-o").arg(library).arg(SOURCE).output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr);
            let first = words.lines().find(|l| l.starts_with("error")).unwrap_or("no reason given");
            println!("cargo::warning=clocks cannot be preloaded: {first}");
            false
        }
        Err(error) => {
            println!("cargo::warning=clocks cannot be preloaded: rustc: {error}");
            false
        }
    }
}
