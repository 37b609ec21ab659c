//! The ONNX Runtime shared library: found, loaded and started once a process.
//!
//! The library is looked for eagerly and by absolute path, since the loader's own failure would come late and
//! as a panic.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;

use crate::device::candidates;
use crate::{Device, DeviceChoice, EncoderError, GraphCache};

/// The version that `cargo xtask setup` fetches and that results are tested with.
const PINNED_VERSION: &str = "1.32.0";

/// A started ONNX Runtime. Cheap to clone; needed to open any encoder.
#[derive(Debug, Clone)]
pub struct Runtime {
    pub(crate) environment: Environment,
    library: PathBuf,
    /// What may run audio graphs, in order.
    devices: Vec<Device>,
    /// Why the first device is not what was wanted, if it is not.
    shortfall: Option<String>,
    graphs: Option<Arc<GraphCache>>,
}

impl Runtime {
    /// Finds the library and starts it. Looked for, in this order: `explicit`, the environment variable
    /// `ORT_DYLIB_PATH`, beside the program, `../lib` and `../lib/earmark` from there, an `.onnxruntime`
    /// folder in a folder above the program (a checkout after `cargo xtask setup`), the system's library
    /// folders.
    ///
    /// # Errors
    /// [`EncoderError::RuntimeMissing`] with all places looked in, or [`EncoderError::RuntimeUnusable`].
    pub fn load(explicit: Option<&Path>) -> Result<Self, EncoderError> {
        static STARTED: Mutex<Option<Runtime>> = Mutex::new(None);
        let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = started.as_ref() {
            return Ok(runtime.clone());
        }
        let library = find(explicit)?;
        let unusable = |reason: String| EncoderError::RuntimeUnusable { path: library.clone(), reason };
        let environment = ort::init_from(&library)
            .map_err(|e| unusable(e.to_string()))?
            .with_name("earmark")
            .with_telemetry(false)
            .build()
            .map_err(|e| unusable(e.to_string()))?;
        environment.set_log_level(ort::logging::LogLevel::Error);
        let devices = vec![Device::Cpu];
        Ok(started.insert(Self { environment, library, devices, shortfall: None, graphs: None }).clone())
    }

    /// The same, with audio graphs on the device that is wanted.
    ///
    /// # Errors
    /// [`EncoderError::DeviceNotOffered`] when this ONNX Runtime was not built for it.
    pub fn on(self, choice: DeviceChoice) -> Result<Self, EncoderError> {
        match candidates(choice) {
            Ok(devices) => {
                let none = choice == DeviceChoice::Auto && devices == [Device::Cpu];
                let shortfall = none.then(|| format!("{} offers no other device", self.library.display()));
                Ok(Self { devices, shortfall, ..self })
            }
            Err((device, offered)) => {
                Err(EncoderError::DeviceNotOffered { device, offered, library: self.library })
            }
        }
    }

    /// The same, with optimised graphs kept in `cache`; `None` keeps none.
    #[must_use]
    pub fn with_graphs(self, cache: Option<GraphCache>) -> Self {
        Self { graphs: cache.map(Arc::new), ..self }
    }

    /// Where optimised graphs are kept.
    #[must_use]
    pub fn graphs(&self) -> Option<&GraphCache> {
        self.graphs.as_deref()
    }

    /// What may run audio graphs, in order.
    pub(crate) fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// Why the first device is not what was wanted, if it is not.
    pub(crate) fn shortfall(&self) -> Option<&str> {
        self.shortfall.as_deref()
    }

    /// What says which build of ONNX Runtime it is.
    pub(crate) fn build(&self) -> &'static str {
        ort::info()
    }

    /// The library in use.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.library
    }
}

/// File names of the library on this platform, the pinned version first.
fn file_names() -> Vec<String> {
    if cfg!(windows) {
        vec!["onnxruntime.dll".to_owned()]
    } else if cfg!(target_os = "macos") {
        vec![format!("libonnxruntime.{PINNED_VERSION}.dylib"), "libonnxruntime.dylib".to_owned()]
    } else {
        vec![
            format!("libonnxruntime.so.{PINNED_VERSION}"),
            "libonnxruntime.so".to_owned(),
            "libonnxruntime.so.1".to_owned(),
        ]
    }
}

fn find(explicit: Option<&Path>) -> Result<PathBuf, EncoderError> {
    let from_environment = std::env::var_os("ORT_DYLIB_PATH").filter(|v| !v.is_empty()).map(PathBuf::from);
    if let Some(named) = explicit.map(Path::to_path_buf).or(from_environment) {
        // A library that was named is used or refused, never silently replaced by another.
        let path = std::path::absolute(&named).unwrap_or(named);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(EncoderError::RuntimeUnusable { path, reason: "there is no such file".to_owned() })
        };
    }
    let folders = search_folders();
    let names = file_names();
    folders
        .iter()
        .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
        .find(|path| path.is_file())
        .ok_or_else(|| EncoderError::RuntimeMissing { file_name: names[0].clone(), looked_in: folders })
}

fn search_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let exe = std::env::current_exe().and_then(std::fs::canonicalize).ok();
    if let Some(beside) = exe.as_deref().and_then(Path::parent) {
        folders.push(beside.to_path_buf());
        if let Some(above) = beside.parent() {
            folders.extend([above.join("lib"), above.join("lib/earmark")]);
        }
        // target/release/earmark and target/debug/deps/test-… are two and three folders below the checkout.
        folders.extend(beside.ancestors().skip(1).take(3).map(|folder| folder.join(".onnxruntime")));
    }
    // A build folder outside the checkout (CARGO_TARGET_DIR) leaves only this trace of where the checkout is;
    // cargo sets the variable for the programs it runs.
    if let Some(package) = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from) {
        folders.extend(package.ancestors().take(3).map(|folder| folder.join(".onnxruntime")));
    }
    if cfg!(unix) {
        let system = [
            "/usr/local/lib",
            "/usr/lib",
            "/usr/lib64",
            "/usr/lib/x86_64-linux-gnu",
            "/usr/lib/aarch64-linux-gnu",
            "/opt/homebrew/lib",
        ];
        folders.extend(system.iter().map(PathBuf::from));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_library_that_is_not_there_is_refused_by_name() {
        let e = find(Some(Path::new("/nowhere/libonnxruntime.so"))).unwrap_err().to_string();
        assert!(e.contains("/nowhere/libonnxruntime.so") && e.contains("no such file"), "{e}");
    }
}
