//! The class `Library`.

use std::ffi::OsString;
use std::path::PathBuf;

use earmark_library::{
    Access, Error, Filter, Library as Inner, LibraryOptions, Location, Place, Samples, Settings,
};
use numpy::ndarray::Array2;
use numpy::{IntoPyArray as _, PyArray1, PyArray2, PyReadonlyArray2};
use pyo3::prelude::*;
use serde::Deserialize;

use crate::ask::{ask, json};
use crate::errors::{Failure, read};
use crate::job;

/// How a library is opened.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    path: PathBuf,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    onnxruntime: Option<PathBuf>,
    #[serde(default)]
    device: Option<String>,
    #[serde(default)]
    threads: usize,
    #[serde(default)]
    ffmpeg: Option<String>,
    #[serde(default)]
    graph_cache: Option<String>,
}

/// Clip ids `[rows]`, times `[rows, 2]` and vectors `[rows, dim]`.
type Vectors<'py> = (Bound<'py, PyArray1<u64>>, Bound<'py, PyArray2<f64>>, Bound<'py, PyArray2<f32>>);

/// A library of sounds. Several threads may use it.
#[pyclass(frozen, module = "earmark._native")]
pub(crate) struct Library {
    inner: Inner,
}

#[pymethods]
impl Library {
    /// Opens a library; `options` is JSON.
    #[new]
    fn new(py: Python<'_>, options: &str) -> PyResult<Self> {
        without_gil(py, || {
            let options: Options = read(options)?;
            let location = match options.path.to_str() {
                Some(text) => Location::parse(text).map_err(|reason| Error::field_is("path", reason))?,
                None => Location::Folder(options.path),
            };
            let place = Place { model: options.model, ..Place::at(location) };
            let mut settings = Settings {
                onnxruntime: options.onnxruntime,
                graph_cache: options.graph_cache.map(OsString::from),
                threads: options.threads,
                ffmpeg: options.ffmpeg.map(OsString::from),
                notice: Some(log),
                ..Settings::default()
            };
            if let Some(device) = options.device {
                settings.device = device.parse().map_err(|e: String| Error::field_is("device", e))?;
            }
            let options = LibraryOptions { access: Access::Live, settings, ..LibraryOptions::default() };
            Ok(Self { inner: Inner::open(place, options)? })
        })
    }

    /// Where the index is, without a password.
    fn location(&self) -> String {
        self.inner.place().location.to_string()
    }

    /// Answers the request of a method, both in JSON.
    fn ask(&self, py: Python<'_>, method: &str, request: &str) -> PyResult<String> {
        without_gil(py, || ask(&self.inner, method, request))
    }

    /// Indexes files, and calls `progress` with JSON.
    #[pyo3(signature = (request, progress=None))]
    fn index(&self, py: Python<'_>, request: &str, progress: Option<Py<PyAny>>) -> PyResult<String> {
        without_gil(py, || json(&job::index(&self.inner, &read(request)?, progress.as_ref())?))
    }

    /// Finds duplicates, and calls `progress` with JSON.
    #[pyo3(signature = (request, progress=None))]
    fn duplicates(&self, py: Python<'_>, request: &str, progress: Option<Py<PyAny>>) -> PyResult<String> {
        without_gil(py, || json(&job::duplicates(&self.inner, &read(request)?, progress.as_ref())?))
    }

    /// The vectors of the clips that a filter lets through. The arrays take over Rust's memory.
    fn vectors<'py>(&self, py: Python<'py>, filter: &str) -> PyResult<Vectors<'py>> {
        let (ids, times, matrix) = without_gil(py, || {
            let vectors = self.inner.vectors(&read::<Filter>(filter)?)?;
            let rows = vectors.clip_ids.len();
            let times = table(rows, 2, vectors.times.into_flattened())?;
            let matrix = table(rows, vectors.dim, vectors.values)?;
            Ok((vectors.clip_ids, times, matrix))
        })?;
        Ok((ids.into_pyarray(py), times.into_pyarray(py), matrix.into_pyarray(py)))
    }

    /// The vector of samples `[channels, frames]`.
    fn embed_audio<'py>(
        &self,
        py: Python<'py>,
        samples: PyReadonlyArray2<'py, f32>,
        rate: u32,
    ) -> PyResult<Bound<'py, PyArray1<f32>>> {
        let channels = samples.as_array().nrows();
        // Copied with the GIL, since other threads may write to the array without it.
        let source = match samples.as_slice() {
            Ok(values) => Samples { values, channels, rate }.to_source(&self.inner.settings().audio),
            Err(_) => Err(Error::field_is("samples", "expected a C-contiguous array")),
        };
        let source = source.map_err(|e| Failure::from(e).raise(py))?;
        let vector = without_gil(py, || Ok(self.inner.embed_sound(source, None)?.0.into_vec()))?;
        Ok(vector.into_pyarray(py))
    }

    /// The vectors of texts, `[texts, dim]`.
    fn embed_text<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<String>,
        templates: Vec<String>,
    ) -> PyResult<Bound<'py, PyArray2<f32>>> {
        let matrix = without_gil(py, || {
            let described = self.inner.embed_texts(&texts, &templates)?;
            let dim = self.inner.engine()?.identity().dim;
            let values = described.iter().flat_map(|text| text.vector.as_slice()).copied().collect();
            table(described.len(), dim, values)
        })?;
        Ok(matrix.into_pyarray(py))
    }

    /// What happened to the index since the last call and is worth telling.
    fn take_events(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.inner.take_events().iter().map(ToString::to_string).collect())
    }
}

/// Does work without the GIL; an error becomes an exception.
fn without_gil<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Failure> + Send) -> PyResult<T> {
    py.detach(work).map_err(|failure| failure.raise(py))
}

/// Values row by row as a table.
fn table<T>(rows: usize, columns: usize, values: Vec<T>) -> Result<Array2<T>, Failure> {
    Array2::from_shape_vec((rows, columns), values)
        .map_err(|e| Error::field_is("answer", e.to_string()).into())
}

/// Says something through Python's `logging`.
fn log(text: &str) {
    Python::attach(|py| {
        let logged = py
            .import("logging")
            .and_then(|logging| logging.call_method1("getLogger", ("earmark",)))
            .and_then(|logger| logger.call_method1("warning", ("%s", text)));
        if let Err(e) = logged {
            e.print(py);
        }
    });
}
