//! Values as columns hold them, and rows as they come back.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;
use std::str::FromStr;
use std::sync::Arc;

use super::connection::DbRow;
use crate::types::Micros;

/// One column's value.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Cell {
    Text(Option<String>),
    Int(Option<i64>),
    Bool(Option<bool>),
}

pub(super) fn text(value: impl Display) -> Cell {
    Cell::Text(Some(value.to_string()))
}

pub(super) fn text_or_null(value: Option<impl Display>) -> Cell {
    Cell::Text(value.map(|value| value.to_string()))
}

/// A generation.
pub(super) const fn count(value: u64) -> Cell {
    Cell::Int(Some(value.cast_signed()))
}

pub(super) const fn int(value: i64) -> Cell {
    Cell::Int(Some(value))
}

pub(super) const fn bool(value: bool) -> Cell {
    Cell::Bool(Some(value))
}

/// A stored row that cannot be what it should be.
#[derive(Debug, thiserror::Error)]
#[error("table {table}, row {row}, column {column}: {problem}")]
pub struct ReadError {
    pub table: &'static str,
    /// The row's first column, which is its key or the start of it.
    pub row: String,
    pub column: &'static str,
    pub problem: String,
}

/// A row that is being read; every error names it.
pub(super) struct Reader<'a> {
    pub table: &'static str,
    pub row: &'a DbRow,
    pub shared: &'a Shared,
}

/// What rows that are read together have in common is there once, as it is where they were made: the name of a region, a zone or
/// a host, user data.
#[derive(Default)]
pub(super) struct Shared {
    texts: RefCell<HashSet<Arc<str>>>,
    bytes: RefCell<HashSet<Arc<[u8]>>>,
}

/// One for all that are equal.
fn one<T: ?Sized + Eq + Hash>(known: &RefCell<HashSet<Arc<T>>>, value: &T) -> Arc<T>
where
    Arc<T>: for<'a> From<&'a T>,
{
    if let Some(known) = known.borrow().get(value) {
        return known.clone();
    }
    let new: Arc<T> = value.into();
    known.borrow_mut().insert(new.clone());
    new
}

impl Reader<'_> {
    pub fn bad(&self, column: &'static str, problem: impl Display) -> ReadError {
        let row = self.row.name().unwrap_or_else(|| "?".into());
        ReadError { table: self.table, row, column, problem: problem.to_string() }
    }

    pub fn maybe<T>(&self, column: &'static str) -> Result<Option<T>, ReadError>
    where
        T: FromStr,
        T::Err: Display,
    {
        let text = self.row.text(column).map_err(|error| self.bad(column, error))?;
        text.map(|text| text.parse().map_err(|error: T::Err| self.bad(column, format!("{text:?}: {error}"))))
            .transpose()
    }

    pub fn get<T>(&self, column: &'static str) -> Result<T, ReadError>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.maybe(column)?.ok_or_else(|| self.bad(column, "is null"))
    }

    /// A shared string.
    pub fn str(&self, column: &'static str) -> Result<Arc<str>, ReadError> {
        self.get::<String>(column).map(|text| self.text(&text))
    }

    pub fn maybe_str(&self, column: &'static str) -> Result<Option<Arc<str>>, ReadError> {
        self.maybe::<String>(column).map(|text| text.map(|text| self.text(&text)))
    }

    /// A shared string of one's own.
    pub fn text(&self, text: &str) -> Arc<str> {
        one(&self.shared.texts, text)
    }

    /// Shared bytes.
    pub fn bytes(&self, bytes: &[u8]) -> Arc<[u8]> {
        one(&self.shared.bytes, bytes)
    }

    pub fn maybe_int(&self, column: &'static str) -> Result<Option<i64>, ReadError> {
        self.row.int(column).map_err(|error| self.bad(column, error))
    }

    pub fn int(&self, column: &'static str) -> Result<i64, ReadError> {
        self.maybe_int(column)?.ok_or_else(|| self.bad(column, "is null"))
    }

    /// An integer of a narrower type.
    pub fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, ReadError> {
        let value = self.int(column)?;
        T::try_from(value).map_err(|_| self.bad(column, format!("{value} is out of range")))
    }

    pub fn micros(&self, column: &'static str) -> Result<Micros, ReadError> {
        self.int(column).map(Micros)
    }

    pub fn maybe_bool(&self, column: &'static str) -> Result<Option<bool>, ReadError> {
        self.row.bool(column).map_err(|error| self.bad(column, error))
    }

    pub fn bool(&self, column: &'static str) -> Result<bool, ReadError> {
        self.maybe_bool(column)?.ok_or_else(|| self.bad(column, "is null"))
    }

    pub fn owner(&self) -> Result<crate::types::Owner, ReadError> {
        let region = crate::types::Region(self.str("region")?);
        Ok(crate::types::Owner { account: self.get("account")?, region })
    }

    pub fn range(&self) -> Result<crate::types::Range4, ReadError> {
        crate::types::Range4::new(self.get("first")?, self.get("last")?)
            .ok_or_else(|| self.bad("last", "is below first"))
    }
}
