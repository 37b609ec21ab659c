//! A model made ready.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use earmark_audio::{ReadOptions, Remarks};
use earmark_encoder::{
    AudioOutput, Embedding, EncodedText, Model, PIPELINE_VERSION, Runtime, TextEncoder, in_template,
};
use earmark_index::Identity;

use crate::EngineError;
use crate::encoders::Encoders;
use crate::mean::mean_of_spans;
use crate::pipeline::{Encoded, Keep, PipelineOptions, Source, Span, check_range, encode_all};
use crate::segment::segments_of;

/// How an engine works.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// Worker threads; 0 for one a core.
    pub threads: usize,
    /// How many segments the audio graph takes at once; 0 for one. More use a GPU better. On a processor they
    /// gain nothing, and a vector then depends in its seventh digit on what it was encoded with.
    pub batch: usize,
    /// How sound files are read.
    pub read: ReadOptions,
    /// Is told, once, where audio does not run on the device that was wanted first, and why.
    pub notice: Option<fn(&str)>,
}

impl EngineOptions {
    /// Options of the pipeline that encodes whole sounds this way.
    pub(crate) fn pipeline(&self, keep: Keep) -> PipelineOptions {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        PipelineOptions {
            threads: if self.threads == 0 { cores() } else { self.threads },
            batch: self.batch,
            keep,
            hop_samples: None,
            compare: None,
            range: None,
            read: self.read.clone(),
        }
    }
}

/// A model made ready: embeds text and audio. Share it between threads by reference.
pub struct Engine {
    encoders: Arc<Encoders>,
    options: EngineOptions,
    text: Arc<Mutex<Option<Arc<TextEncoder>>>>,
}

impl Engine {
    /// Makes `model` ready. Its graphs are opened when first needed.
    #[must_use]
    pub fn new(model: Model, runtime: Runtime, options: EngineOptions) -> Self {
        let encoders = Encoders::new(model, runtime, AudioOutput::Embedding, options.notice);
        Self { encoders: Arc::new(encoders), options, text: Arc::default() }
    }

    /// An engine that works otherwise with the same model, and shares its graphs.
    #[must_use]
    pub fn beside(&self, options: EngineOptions) -> Self {
        Self { encoders: Arc::clone(&self.encoders), options, text: Arc::clone(&self.text) }
    }

    /// Opens the text graph, so that the first text does not wait for it; nothing for a model without one.
    ///
    /// # Errors
    /// Those of opening it.
    pub fn open_text(&self) -> Result<(), EngineError> {
        if self.model().manifest().has_text() { self.text().map(drop) } else { Ok(()) }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &Model {
        self.encoders.model()
    }

    /// How sound files are read.
    #[must_use]
    pub fn read_options(&self) -> &ReadOptions {
        &self.options.read
    }

    pub(crate) fn encoders(&self) -> &Encoders {
        &self.encoders
    }

    /// What an index made by this engine says of its vectors.
    #[must_use]
    pub fn identity(&self) -> Identity {
        identity(self.model())
    }

    /// Options for [`Engine::encode`] with this engine's threads and way of reading.
    #[must_use]
    pub fn pipeline_options(&self, keep: Keep) -> PipelineOptions {
        self.options.pipeline(keep)
    }

    /// Closes the text graph, which takes some 100 MB, until it is needed again: before hours of listening.
    pub fn close_text(&self) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The text encoder, opened first if need be.
    fn text(&self) -> Result<Arc<TextEncoder>, EngineError> {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        match &*text {
            Some(encoder) => Ok(Arc::clone(encoder)),
            None => {
                let encoder = Arc::new(self.model().text_encoder(self.encoders.runtime())?);
                Ok(Arc::clone(text.insert(encoder)))
            }
        }
    }

    /// A description in each of `templates`, `{}` standing for it, or in the model's own prompt where there
    /// are none; nothing where there is none, so that it can be refused. `{}` alone leaves it as it is.
    ///
    /// # Errors
    /// [`EngineError::Template`].
    pub fn prompts(&self, text: &str, templates: &[String]) -> Result<Vec<String>, EngineError> {
        if let Some(bad) = templates.iter().find(|template| !template.contains("{}")) {
            return Err(EngineError::Template(bad.clone()));
        }
        if text.trim().is_empty() {
            return Ok(vec![String::new(); templates.len().max(1)]);
        }
        let own = self.model().manifest().text.as_ref().map_or("{}", |side| &side.prompt);
        Ok(match templates {
            [] => vec![in_template(own, text)],
            _ => templates.iter().map(|template| in_template(template, text)).collect(),
        })
    }

    /// Encodes texts as they are; several in one go cost less than one by one.
    ///
    /// # Errors
    /// [`earmark_encoder::EncoderError::EmptyText`], [`earmark_encoder::EncoderError::NoSuchSide`]; those of
    /// the text graph.
    pub fn encode_texts(&self, texts: &[&str]) -> Result<Vec<EncodedText>, EngineError> {
        Ok(self.text()?.encode(texts)?)
    }

    /// How many tokens a text is as it is, with special tokens.
    ///
    /// # Errors
    /// As [`Engine::encode_texts`].
    pub fn count_tokens(&self, text: &str) -> Result<usize, EngineError> {
        Ok(self.text()?.tokens(text)?.len())
    }

    /// Encodes sounds on all cores; results are in the order of `sources`.
    ///
    /// # Errors
    /// Those of opening the model; a sound's own failure is its result.
    pub fn encode(
        &self,
        sources: Vec<Source>,
        options: &PipelineOptions,
    ) -> Result<Vec<Result<Encoded, EngineError>>, EngineError> {
        encode_all(&self.encoders, sources, options)
    }

    /// Encodes one sound, or a stretch of it.
    ///
    /// # Errors
    /// Those of decoding and encoding it.
    pub fn encode_one(&self, source: Source, options: &PipelineOptions) -> Result<Encoded, EngineError> {
        match self.encode(vec![source], options)?.pop() {
            Some(result) => result,
            None => Err(EngineError::Query("the sound gave no result".to_owned())),
        }
    }

    /// The embedding of a whole sound, or of a stretch of it (seconds; the end may be infinite).
    ///
    /// # Errors
    /// Those of decoding and encoding it.
    pub fn embed_file(
        &self,
        path: &Path,
        range: Option<(f64, f64)>,
    ) -> Result<(Embedding, Remarks), EngineError> {
        self.embed_sound(Source::Path(path.to_path_buf()), range)
    }

    /// As [`Engine::embed_file`], for a sound from anywhere.
    ///
    /// # Errors
    /// Those of decoding and encoding it.
    pub fn embed_sound(
        &self,
        source: Source,
        range: Option<(f64, f64)>,
    ) -> Result<(Embedding, Remarks), EngineError> {
        check_range(range)?;
        let options = PipelineOptions { range, ..self.pipeline_options(Keep::Windows) };
        let name = source.name();
        let encoded = self.encode_one(source, &options)?;
        Ok((self.pool(&encoded, &name)?, *encoded.remarks))
    }

    /// Pools the windows of a sound encoded with [`Keep::Windows`] as an index has it: segment by segment,
    /// then the mean of the segments by the seconds that each adds. So a file and its clip in the index have
    /// the same embedding.
    ///
    /// # Errors
    /// An embedding without direction.
    pub fn pool(&self, encoded: &Encoded, name: &str) -> Result<Embedding, EngineError> {
        let pool = |windows: &[Span]| -> Result<Embedding, EngineError> {
            let rows: Vec<f32> = windows.iter().flat_map(|s| s.vector.iter().copied()).collect();
            Ok(self.model().pool(&rows, name)?)
        };
        let segments = segments_of(encoded.spans.len(), self.model().manifest().segment.windows);
        if segments.len() <= 1 {
            return pool(&encoded.spans);
        }
        let segment = |windows: Range<usize>| {
            let windows = &encoded.spans[windows];
            let (start_s, end_s) = (windows[0].start_s, windows[windows.len() - 1].end_s);
            Ok(Span { start_s, end_s, vector: pool(windows)?.into_vec() })
        };
        let segments = segments.into_iter().map(segment).collect::<Result<Vec<_>, EngineError>>()?;
        mean_of_spans(self.model(), &segments, name)
    }
}

/// What an index made with `model` says of its vectors.
#[must_use]
pub fn identity(model: &Model) -> Identity {
    Identity {
        model_id: model.manifest().id.clone(),
        manifest_hash: model.vector_hash().to_owned(),
        pipeline_version: PIPELINE_VERSION,
        dim: model.manifest().dim,
    }
}
