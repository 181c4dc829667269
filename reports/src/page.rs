//! The page: one file with everything in it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::section::{SECTIONS, banner};
use crate::{Record, inert};

const STYLE: &str = include_str!("page/style.css");

/// Nothing is loaded and nothing runs, whatever a target managed to send.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                      base-uri 'none'; form-action 'none'";

/// The report as one self-contained page. It needs no network and no script.
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
                meta http-equiv="Content-Security-Policy" content=(POLICY);
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
                    ". This file needs no network and runs no script."
                }
            }
        }
    };
    page.into_string()
}
