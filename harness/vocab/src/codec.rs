//! Stored formats. They live here and not in derives on core types, so that a type can change
//! without its files changing. Every stored file opens with its format version.

pub mod certificate;
mod edn;
mod figure;
pub mod history;
pub mod json;
pub mod jsonl;
pub mod plan;
pub mod results;
pub mod traffic;

/// The version of every format in this module.
pub const FORMAT: u32 = 1;

/// Why stored bytes could not be read.
#[derive(Debug, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ReadError {
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong there and what to do.
    pub message: String,
}

impl ReadError {
    fn json(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let end = text.rfind(" at line ").unwrap_or(text.len());
        ReadError {
            line: error.line().max(1),
            column: error.column().max(1),
            message: text[..end].to_owned(),
        }
    }

    fn whole(message: String) -> Self {
        ReadError { line: 1, column: 1, message }
    }
}

/// Refuses a format this danso does not know.
fn check_format(format: u32) -> Result<(), ReadError> {
    if format == FORMAT {
        Ok(())
    } else {
        Err(ReadError::whole(format!(
            "format {format} is not known here (this danso reads format {FORMAT}): use the danso that wrote it"
        )))
    }
}
