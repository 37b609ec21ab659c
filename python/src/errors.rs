//! Rust errors as the exceptions of `earmark._errors`.

use earmark_library::Error;
use pyo3::prelude::*;
use serde::de::DeserializeOwned;

/// Why a method did not return: an exception that was raised, such as `KeyboardInterrupt`, or an error.
pub(crate) enum Failure {
    Raised(PyErr),
    Error(Error),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Self {
        Self::Error(e)
    }
}

impl From<PyErr> for Failure {
    fn from(e: PyErr) -> Self {
        Self::Raised(e)
    }
}

impl Failure {
    /// The exception, made by `earmark._errors.make(kind, field, message)`.
    pub(crate) fn raise(self, py: Python<'_>) -> PyErr {
        let e = match self {
            Self::Raised(e) => return e,
            Self::Error(e) => e,
        };
        let made = py
            .import("earmark._errors")
            .and_then(|errors| errors.call_method1("make", (e.kind().name(), e.field(), e.to_string())));
        made.map_or_else(|e| e, PyErr::from_value)
    }
}

/// Reads a request; an error names the field by its path.
pub(crate) fn read<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let request = serde_path_to_error::deserialize(&mut reader).map_err(|e| {
        let path = e.path().to_string();
        let field = if path == "." { "request".to_owned() } else { path };
        Error::field_is(field, e.into_inner().to_string())
    })?;
    reader.end().map_err(|e| Error::field_is("request", e.to_string()))?;
    Ok(request)
}
