//! Values as PostgreSQL has them: [`Parameter`] to it, [`Cell`] from it.

use std::error::Error;

use danso_vocab::Value;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, Kind, ToSql, Type, to_sql_checked};

use crate::template::plain;

/// A value to be bound. It goes as text, which the server reads as whatever type it wants.
#[derive(Debug)]
pub(super) struct Parameter<'a>(pub(super) &'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        if self.0.is_nil() {
            return Ok(IsNull::Yes);
        }
        out.extend_from_slice(plain(self.0).as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// Whether columns of this type have values of ours.
pub(super) fn read(kind: &Type) -> bool {
    match kind.kind() {
        Kind::Array(of) => read(of),
        _ => {
            let known = [
                Type::BOOL,
                Type::INT2,
                Type::INT4,
                Type::INT8,
                Type::TEXT,
                Type::VARCHAR,
                Type::BPCHAR,
                Type::NAME,
                Type::JSON,
                Type::UNKNOWN,
                Type::VOID,
            ];
            known.contains(kind)
        }
    }
}

/// A value that was read.
pub(super) struct Cell(pub(super) Value);

impl<'a> FromSql<'a> for Cell {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Cell, Box<dyn Error + Sync + Send>> {
        if matches!(kind.kind(), Kind::Array(_)) {
            let cells = Vec::<Cell>::from_sql(kind, raw)?;
            return Ok(Cell(Value::List(cells.into_iter().map(|cell| cell.0).collect())));
        }
        Ok(Cell(match *kind {
            Type::BOOL => Value::Bool(bool::from_sql(kind, raw)?),
            Type::INT2 => Value::Int(i16::from_sql(kind, raw)?.into()),
            Type::INT4 => Value::Int(i32::from_sql(kind, raw)?.into()),
            Type::INT8 => Value::Int(i64::from_sql(kind, raw)?),
            Type::VOID => Value::Nil,
            _ => Value::Str(String::from_utf8(raw.to_vec())?),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Cell, Box<dyn Error + Sync + Send>> {
        Ok(Cell(Value::Nil))
    }

    fn accepts(kind: &Type) -> bool {
        read(kind)
    }
}
