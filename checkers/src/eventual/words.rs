//! States in words.

use super::Object;
use super::elements::Elements;
use super::key::Read;

/// So many elements are named.
const NAMED: usize = 5;

/// How states of an object are told.
pub(super) struct Words<'e> {
    pub(super) object: Object,
    pub(super) elements: &'e Elements,
}

impl Words<'_> {
    /// What a read showed: `7`, `{3 5}`, `212 elements`.
    pub(super) fn state(&self, read: &Read<'_>) -> String {
        match self.object {
            Object::GCounter | Object::PnCounter => read.state.to_string(),
            Object::Register | Object::LastWriteRegister => {
                let ret = read.op.ret().unwrap_or_default();
                let held = ret.get("seen").and_then(|_| ret.get("value")).unwrap_or(&ret);
                held.to_string()
            }
            Object::GSet | Object::OrSet => match self.elements.members(read.state) {
                many if many.len() > NAMED => format!("{} elements", many.len()),
                few => format!("{{{}}}", self.named(few)),
            },
        }
    }

    /// What one read showed and the other did not, if that takes words: `: only the former shows
    /// 3 5 and 7 more`.
    pub(super) fn difference(&self, one: &Read<'_>, other: &Read<'_>) -> String {
        if !matches!(self.object, Object::GSet | Object::OrSet) {
            return String::new();
        }
        let only = |a: &Read<'_>, b: &Read<'_>, which: &str| {
            let (a, b) = (self.elements.members(a.state), self.elements.members(b.state));
            let only: Vec<u32> =
                a.iter().filter(|e| b.binary_search(e).is_err()).copied().collect();
            (!only.is_empty()).then(|| format!("only the {which} shows {}", self.named(&only)))
        };
        let both: Vec<String> = [only(one, other, "former"), only(other, one, "latter")]
            .into_iter()
            .flatten()
            .collect();
        format!(": {}", both.join(", "))
    }

    fn named(&self, elements: &[u32]) -> String {
        let named = elements.iter().take(NAMED).map(|e| self.elements.value(*e).to_string());
        let named = named.collect::<Vec<_>>().join(" ");
        match elements.len().saturating_sub(NAMED) {
            0 => named,
            more => format!("{named} and {more} more"),
        }
    }
}
