//! The page: one file with everything in it.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::section::{SECTIONS, banner};
use crate::{Record, explorer, inert};

const STYLE: &str = concat!(include_str!("page/style.css"), include_str!("page/explorer.css"));

/// The page's own script, in one scope; nothing else runs on it.
const SCRIPT: &str = concat!(
    "\"use strict\";(()=>{\n",
    include_str!("page/data.js"),
    include_str!("page/text.js"),
    include_str!("page/rows.js"),
    include_str!("page/paint.js"),
    include_str!("page/head.js"),
    include_str!("page/overview.js"),
    include_str!("page/dom.js"),
    include_str!("page/filter.js"),
    include_str!("page/slice.js"),
    include_str!("page/details.js"),
    include_str!("page/input.js"),
    include_str!("page/controls.js"),
    include_str!("page/timeline.js"),
    include_str!("page/main.js"),
    include_str!("page/copy.js"),
    "})();\n"
);

/// Nothing is loaded and nothing runs but our own script, whatever a target managed to send.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; \
         img-src data:; base-uri 'none'; form-action 'none'"
    )
});

/// The report as one self-contained page. It needs no network, and reads without its script.
pub fn html(record: &Record<'_>) -> String {
    let sections: Vec<_> =
        SECTIONS.iter().filter_map(|section| Some((section, (section.render)(record)?))).collect();
    let state = banner::State::of(record.results);
    let title = format!("{} · {} · danso", state.word(), inert::brief(record.title, 80));
    let page: Markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(*POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content=(concat!("danso ", env!("CARGO_PKG_VERSION")));
                title { (title) }
                link rel="icon" href=(state.favicon());
                style { (PreEscaped(STYLE)) }
            }
            body {
                a .skip href="#main" { "Skip to the findings" }
                (banner::render(record))
                nav aria-label="Sections" {
                    @for (section, _) in &sections {
                        a href={ "#" (section.id) } { (section.title) }
                    }
                }
                main #main {
                    @for (section, content) in &sections {
                        section id=(section.id) aria-labelledby={ (section.id) "-title" } {
                            h2 id={ (section.id) "-title" } { (section.title) }
                            (content)
                        }
                    }
                }
                footer {
                    "Written by danso " (env!("CARGO_PKG_VERSION"))
                    ". This file needs no network and loads nothing."
                }
                @if let Some(data) = explorer::data(record) {
                    (data)
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        }
    };
    page.into_string()
}
