//! [`Row`]: the fields of one event as they stand in a file, whatever the format.

use crate::history::token::{Token, Tokens, recycle};

/// What an event can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Format,
    Index,
    Time,
    Process,
    Type,
    F,
    Key,
    Value,
    Error,
    Node,
    Fault,
    Nodes,
}

const FIELDS: usize = Field::Nodes as usize + 1;

impl Field {
    pub(super) fn of(name: &[u8]) -> Option<Field> {
        Some(match name {
            b"index" => Field::Index,
            b"time" => Field::Time,
            b"process" => Field::Process,
            b"type" => Field::Type,
            b"f" => Field::F,
            b"value" => Field::Value,
            b"key" => Field::Key,
            b"node" => Field::Node,
            b"error" => Field::Error,
            b"fault" => Field::Fault,
            b"nodes" => Field::Nodes,
            b"format" => Field::Format,
            _ => return None,
        })
    }

    pub(super) fn name(self) -> &'static str {
        let quoted = self.quoted();
        &quoted[1..quoted.len() - 2]
    }

    /// Its name as JSON has it, with the colon.
    #[inline]
    pub(super) fn quoted(self) -> &'static str {
        match self {
            Field::Format => "\"format\":",
            Field::Index => "\"index\":",
            Field::Time => "\"time\":",
            Field::Process => "\"process\":",
            Field::Type => "\"type\":",
            Field::F => "\"f\":",
            Field::Key => "\"key\":",
            Field::Value => "\"value\":",
            Field::Error => "\"error\":",
            Field::Node => "\"node\":",
            Field::Fault => "\"fault\":",
            Field::Nodes => "\"nodes\":",
        }
    }
}

/// One event, not yet understood.
#[derive(Debug, Default)]
pub(super) struct Row<'a> {
    /// All values, one after the other. A field is added by pushing its value and then
    /// [`Row::set`].
    pub(super) tokens: Vec<Token<'a>>,
    /// Where each field's value is; empty if the event does not have it.
    spans: [(u32, u32); FIELDS],
    /// Which field the row before had at which place: most likely this one has it too.
    pub(super) habit: [Option<Field>; FIELDS],
}

impl<'a> Row<'a> {
    pub(super) fn clear(&mut self) {
        self.tokens.clear();
        self.spans = [(0, 0); FIELDS];
    }

    /// The tokens from `start` on are the value of `field`. False if it has one already.
    pub(super) fn set(&mut self, field: Field, start: usize) -> bool {
        let span = &mut self.spans[field as usize];
        let fresh = span.1 == 0;
        *span = (start as u32, self.tokens.len() as u32);
        fresh
    }

    /// The value of `field`; `None` if there is none or it is nil.
    pub(super) fn get(&self, field: Field) -> Option<Tokens<'_, 'a>> {
        let (start, end) = self.spans[field as usize];
        let tokens = Tokens(&self.tokens[start as usize..end as usize]);
        (!tokens.is_nil()).then_some(tokens)
    }

    /// The value of `field`, nil if there is none.
    pub(super) fn value(&self, field: Field) -> Tokens<'_, 'a> {
        self.get(field).unwrap_or(Tokens::NIL)
    }

    /// Takes the value of one field for that of another.
    pub(super) fn copy(&mut self, from: Field, to: Field) {
        self.spans[to as usize] = self.spans[from as usize];
    }

    /// An empty row for other bytes.
    pub(super) fn recycle<'b>(self) -> Row<'b> {
        Row { tokens: recycle(self.tokens), spans: [(0, 0); FIELDS], habit: self.habit }
    }
}
