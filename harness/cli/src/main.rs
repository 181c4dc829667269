//! danso.
fn main() {}
