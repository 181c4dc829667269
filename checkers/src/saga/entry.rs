//! One entry of a journal, as services and deciders write it.

use std::collections::BTreeMap;

use danso_vocab::Value;

/// What an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Apply,
    Compensate,
    Null,
    Idle,
    Begin,
    /// A decision, to commit if the flag says so.
    Decide(bool),
    /// The decider heard of an effect, a compensation if the flag says so.
    Done(bool),
    /// The end, committed if the flag says so.
    End(bool),
}

/// An entry, read.
pub(super) struct Entry<'h> {
    pub(super) saga: &'h str,
    pub(super) kind: Kind,
    pub(super) step: Option<&'h str>,
    pub(super) key: Option<&'h str>,
    pub(super) after: u32,
    /// All of it.
    pub(super) fields: &'h BTreeMap<String, Value>,
}

impl<'h> Entry<'h> {
    /// Reads one. The error says what is wrong with it, without the place.
    pub(super) fn of(value: &'h Value) -> Result<Entry<'h>, String> {
        let fields = value.map().ok_or_else(|| format!("{value} is no map"))?;
        let (mut saga, mut kind, mut step, mut key, mut after) = (None, None, None, None, 0);
        let (mut outcome, mut action) = (None, None);
        for (name, value) in fields {
            match name.as_str() {
                "saga" => saga = value.str(),
                "kind" => kind = value.str(),
                "step" => step = value.str(),
                "key" => key = value.str(),
                "outcome" => outcome = value.str(),
                "action" => action = value.str(),
                "after" => {
                    let fits = value.int().and_then(|i| u32::try_from(i).ok());
                    after =
                        fits.ok_or_else(|| format!("after is {value}, which is no position"))?;
                }
                _ => {}
            }
        }
        let saga = saga.ok_or_else(|| format!("{value} names no saga"))?;
        let kind = match (kind.unwrap_or("none"), outcome, action) {
            ("apply", ..) => Kind::Apply,
            ("compensate", ..) => Kind::Compensate,
            ("null-compensation", ..) => Kind::Null,
            ("refuse" | "blocked" | "repeated", ..) => Kind::Idle,
            ("begin", ..) => Kind::Begin,
            ("decide", Some("commit"), _) => Kind::Decide(true),
            ("decide", Some("abort"), _) => Kind::Decide(false),
            ("done", _, Some("apply")) => Kind::Done(false),
            ("done", _, Some("compensate")) => Kind::Done(true),
            ("end", Some("committed"), _) => Kind::End(true),
            ("end", Some("aborted"), _) => Kind::End(false),
            (kind, ..) => {
                return Err(format!(
                    "{value}: its kind {kind} is none of apply, compensate, null-compensation, \
                     refuse, blocked, repeated, begin, decide (outcome commit or abort), done \
                     (action apply or compensate), end (outcome committed or aborted)"
                ));
            }
        };
        Ok(Entry { saga, kind, step, key, after, fields })
    }
}
