//! Who judged, and what they did for it.

use danso_vocab::Verdict;
use maud::{Markup, html};

use crate::label::number;
use crate::section::scroller;
use crate::{Record, inert};

pub(crate) fn render(record: &Record<'_>) -> Option<Markup> {
    let findings = &record.results.findings;
    if findings.is_empty() {
        return Some(html! { p .none { "No checker looked at this history." } });
    }
    Some(scroller(
        "Checkers",
        &html! {
            table {
                thead { tr { th { "checker" } th { "verdict" } th { "reason" } th { "work done" } } }
                tbody {
                    @for finding in findings {
                        tr {
                            th scope="row" { (inert::clip(&finding.checker, 80)) }
                            td { (badge(finding.verdict)) }
                            td .prose { (inert::clip(&finding.reason, 600)) }
                            td .stats {
                                @for (name, value) in &finding.stats {
                                    span { (inert::clip(name, 60)) " " b { (number(*value)) } }
                                }
                            }
                        }
                    }
                }
            }
        },
    ))
}

/// A verdict in a line: sign and word.
pub(crate) fn badge(verdict: Verdict) -> Markup {
    let sign = match verdict {
        Verdict::Valid => "✓",
        Verdict::Unknown => "?",
        Verdict::Invalid => "✗",
    };
    html! { span .badge.(verdict.word()) { span aria-hidden="true" { (sign) " " } (verdict.word()) } }
}
