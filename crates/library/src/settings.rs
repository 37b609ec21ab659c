//! How models are run and files are read.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use earmark_audio::{Ffmpeg, Limits as AudioLimits, ReadOptions};
use earmark_encoder::{DeviceChoice, GraphCache, Runtime};
use earmark_engine::EngineOptions;

use crate::error::{Error, Result};
use crate::home;

/// How models are run and files are read. The default suits most: all cores, the processor, an ffmpeg from
/// `PATH` for what is not decoded here.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The ONNX Runtime library; searched for if `None`.
    pub onnxruntime: Option<PathBuf>,
    /// What runs audio graphs.
    pub device: DeviceChoice,
    /// Where optimised graphs are kept; empty for nowhere, `None` for the user's cache folder.
    pub graph_cache: Option<OsString>,
    /// Worker threads; 0 for one a core.
    pub threads: usize,
    /// Segments that the audio graph takes at once; 0 for one.
    pub batch: usize,
    /// The ffmpeg that decodes what earmark does not; empty for none, `None` for the first in `PATH`.
    pub ffmpeg: Option<OsString>,
    /// Bounds on what is read of one file.
    pub audio: AudioLimits,
    /// Receives, once, why audio does not run on the device that was asked for.
    pub notice: Option<fn(&str)>,
}

impl Settings {
    /// ONNX Runtime with the device and the cache of optimised graphs.
    ///
    /// # Errors
    /// [`earmark_encoder::EncoderError`] if the library or the device is not there.
    pub fn runtime(&self) -> Result<Runtime> {
        let runtime = Runtime::load(self.onnxruntime.as_deref())?;
        Ok(runtime.on(self.device)?.with_graphs(self.graph_cache()))
    }

    /// Where optimised graphs are kept.
    #[must_use]
    pub fn graph_cache(&self) -> Option<GraphCache> {
        match &self.graph_cache {
            Some(folder) if folder.is_empty() => None,
            Some(folder) => Some(GraphCache::at(PathBuf::from(folder))),
            None => home::graph_cache(),
        }
    }

    /// How an engine works.
    ///
    /// # Errors
    /// As [`Self::read_options`].
    pub fn engine_options(&self) -> Result<EngineOptions> {
        let (threads, batch, notice) = (self.threads, self.batch, self.notice);
        Ok(EngineOptions { threads, batch, read: self.read_options()?, notice })
    }

    /// How sound files are read.
    ///
    /// # Errors
    /// [`Error::Field`] named `ffmpeg` if that program cannot be used.
    pub fn read_options(&self) -> Result<ReadOptions> {
        let ffmpeg = match &self.ffmpeg {
            Some(program) if program.is_empty() => None,
            Some(program) => {
                let program = Path::new(program);
                let failed = |e| Error::field_is("ffmpeg", format!("{}: {e}", program.display()));
                Some(Ffmpeg::at(program).map_err(failed)?)
            }
            None => std::env::var_os("PATH").and_then(|path| Ffmpeg::find(&path)),
        };
        Ok(ReadOptions { ffmpeg, limits: self.audio.clone() })
    }
}
