//! Values of statements. Each says its type, so that the server need not be asked for it first: a statement takes one
//! round trip, and no memory of the server's between statements.

use std::error::Error;

use bytes::BytesMut;
use pgvector::HalfVector;
use tokio_postgres::types::{IsNull, ToSql, Type};

/// A value, with its type in SQL.
pub(crate) trait Value: Send + Sync {
    fn sql_type(&self) -> Type;

    fn to_sql(&self) -> &(dyn ToSql + Sync);
}

macro_rules! values {
    ($($rust:ty => $sql:ident,)*) => {
        $(impl Value for $rust {
            fn sql_type(&self) -> Type {
                Type::$sql
            }

            fn to_sql(&self) -> &(dyn ToSql + Sync) {
                self
            }
        })*
    };
}

values! {
    bool => BOOL,
    i32 => INT4,
    i64 => INT8,
    Option<i64> => INT8,
    f64 => FLOAT8,
    &str => TEXT,
    String => TEXT,
    Option<String> => TEXT,
    &[u8] => BYTEA,
    Vec<u8> => BYTEA,
    serde_json::Value => JSONB,
    Vec<bool> => BOOL_ARRAY,
    Vec<i64> => INT8_ARRAY,
    Vec<f64> => FLOAT8_ARRAY,
    Vec<String> => TEXT_ARRAY,
    &[String] => TEXT_ARRAY,
    // pgvector's types have no fixed numbers: the server finds out from where the value stands.
    Half => UNKNOWN,
}

/// A half-precision vector.
#[derive(Debug, Clone)]
pub(crate) struct Half(HalfVector);

impl Half {
    pub(crate) fn of(vector: &[f32]) -> Self {
        Self(HalfVector::from_f32_slice(vector))
    }

    /// Appends it in the form that the server takes.
    pub(crate) fn put(&self, bytes: &mut BytesMut) -> Result<(), Box<dyn Error + Sync + Send>> {
        ToSql::to_sql(&self.0, &Type::UNKNOWN, bytes).map(drop)
    }
}

impl ToSql for Half {
    fn to_sql(&self, _: &Type, bytes: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.put(bytes).map(|()| IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

/// Values of a statement, in the order of their numbers.
#[derive(Default)]
pub(crate) struct Values(Vec<Box<dyn Value>>);

impl Values {
    /// Adds a value; gives how a statement names it.
    pub(crate) fn add(&mut self, value: impl Value + 'static) -> String {
        self.0.push(Box::new(value));
        format!("${}", self.0.len())
    }

    /// The values, as a statement takes them.
    pub(crate) fn all(&self) -> Vec<&dyn Value> {
        self.0.iter().map(|value| &**value).collect()
    }
}
