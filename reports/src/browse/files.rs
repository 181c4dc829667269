//! What is in a folder, and the end of a log.

use maud::{Markup, html};

use super::{address, page, size};
use crate::inert;

/// A file or folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path, seen from the folder whose list this is.
    pub name: String,
    /// Its size; `None` for a folder.
    pub bytes: Option<u64>,
}

/// A folder's page.
#[derive(Clone, Debug)]
pub struct Folder<'a> {
    /// Its path, seen from the folder that is served; empty for that itself.
    pub path: &'a str,
    /// What is in it, in order.
    pub files: &'a [File],
    /// How many more there are.
    pub more: usize,
}

/// The end of a text.
#[derive(Clone, Debug)]
pub struct Tail<'a> {
    /// Its path, seen from the folder that is served.
    pub path: &'a str,
    /// The last of it.
    pub text: &'a str,
    /// How long it is in all.
    pub bytes: u64,
}

/// Bytes of a log that are shown.
const SHOWN: usize = 64 << 10;

/// The page of a folder.
pub fn folder(about: &Folder<'_>) -> String {
    let body = html! {
        (trail(about.path))
        section aria-label="Files" {
            @if about.files.is_empty() { p .none { "This folder is empty." } }
            @else { (table(about.path, about.files, "/files/")) }
            @if about.more > 0 { p .none { (about.more) " more are not listed." } }
        }
    };
    page(if about.path.is_empty() { "files" } else { about.path }, None, body)
}

/// The page of a log's end.
pub fn tail(about: &Tail<'_>) -> String {
    let body = html! {
        (trail(about.path))
        section aria-label="The end of the file" {
            p .none { (size(about.bytes)) " · " a href=(address("/files/", about.path)) download="" { "download all of it" } }
            pre .tail.whole tabindex="0" { (inert::block(about.text, SHOWN)) }
        }
    };
    page(about.path, None, body)
}

/// Links to all folders above.
fn trail(path: &str) -> Markup {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    html! {
        h1 .trail {
            a href="/files/" { "files" }
            @for (i, part) in parts.iter().enumerate() {
                " / "
                @if i + 1 == parts.len() { (inert::clip(part, 120)) }
                @else { a href=(address("/files/", &parts[..=i].join("/"))) { (inert::clip(part, 120)) } }
            }
        }
    }
}

/// A list of what lies below `path`.
pub(super) fn table(path: &str, files: &[File], prefix: &str) -> Markup {
    let address = |name: &str| {
        if path.is_empty() {
            address(prefix, name)
        } else {
            address(prefix, &format!("{path}/{name}"))
        }
    };
    html! {
        div .scroller tabindex="0" role="region" aria-label="Files" {
            table {
                thead { tr { th { "Name" } th .num { "Size" } } }
                tbody {
                    @for file in files {
                        tr {
                            td .prose { a href=(address(&file.name)) { (inert::clip(&file.name, 200)) @if file.bytes.is_none() { "/" } } }
                            td .num { @match file.bytes { Some(bytes) => (size(bytes)), None => "folder" } }
                        }
                    }
                }
            }
        }
    }
}
