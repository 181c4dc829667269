//! Where it ran.

use maud::{Markup, html};

use crate::section::pairs;
use crate::{Record, inert};

pub(crate) fn render(record: &Record<'_>) -> Option<Markup> {
    let environment = &record.results.environment;
    if environment.is_empty() {
        record.plan?;
        return Some(html! { p .none { "The environment was not recorded." } });
    }
    let rows: Vec<_> = environment
        .iter()
        .map(|(name, value)| (inert::clip(name, 60), inert::clip(value, 400)))
        .collect();
    Some(pairs(&rows))
}
