//! Rebuilds when the real systems in the box change: `include_dir!` cannot tell.

fn main() {
    println!("cargo::rerun-if-changed=../../targets/external");
}
