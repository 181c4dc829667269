//! `danso new`: a start that works, to be changed.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::args::Made;
use crate::exit::{Exit, usage};

const TARGET: &str = include_str!("new/target.toml");
const WORKLOAD: &str = include_str!("new/workload.rs");
const STORE: &str = include_str!("../../../../docs/examples/kv.py");

/// Writes the files of a start.
///
/// # Errors
/// If the name is none, or a file of its is there already.
pub(crate) fn new(made: Made, name: &str) -> anyhow::Result<Exit> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(fits) {
        return Err(usage(format!(
            "`{name}` is no name: write letters, digits and dashes, as in my-system"
        )));
    }
    match made {
        Made::Target => {
            let file = format!("{name}.toml");
            write(&file, &TARGET.replace("NAME", name))?;
            println!("{file}: a test that works as it is");
            // The example's store may be there from the last time, or be somebody's own.
            if Path::new("kv.py").exists() {
                println!("kv.py: is there already and was left alone");
            } else {
                write("kv.py", STORE)?;
                println!("kv.py: the store it tests until you put in yours");
            }
            println!("next: danso plan {file}; danso run {file}");
        }
        Made::Workload => {
            let name = name.replace('-', "_");
            let file = format!("{name}.rs");
            let text = WORKLOAD.replace("SUMS", &name.to_uppercase());
            write(&file, &text.replace("\"sums\"", &format!("\"{}\"", name.replace('_', "-"))))?;
            println!("{file}: a workload with its model; docs/writing-workloads.md tells the rest");
        }
    }
    Ok(Exit::Valid)
}

/// Writes a file that is not there.
fn write(path: &str, text: &str) -> anyhow::Result<()> {
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => usage(format!("{path} is there already: choose a name")),
        _ => usage(format!("{path}: {error}")),
    })
}
