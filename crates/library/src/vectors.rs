//! Vectors of texts, of sounds, and of the whole index.

use earmark_audio::Remarks;
use earmark_encoder::Embedding;
use earmark_engine::Source;

use crate::error::Result;
use crate::filter::Filter;
use crate::library::Library;
use crate::texts::DescribedText;
use crate::words::{Stretch, bounded};

/// The vectors of an index's segments, with where each is from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vectors {
    /// Length of a vector.
    pub dim: usize,
    /// The clip of each row.
    pub clip_ids: Vec<u64>,
    /// `[rows, 2]`: start and end of each row, seconds.
    pub times: Vec<[f64; 2]>,
    /// `[rows, dim]`, row by row, each of unit length.
    pub values: Vec<f32>,
}

impl Library {
    /// Texts as search queries in the model's space, each in `templates`, whose vectors are averaged, or in
    /// the model's own prompt if there are none.
    ///
    /// # Errors
    /// [`crate::Error::Field`] named `input` or `templates`; errors of the text encoder.
    pub fn embed_texts(&self, texts: &[String], templates: &[String]) -> Result<Vec<DescribedText>> {
        self.check_templates(templates)?;
        texts.iter().try_for_each(|text| self.check_text("input", text))?;
        let engine = self.engine()?;
        texts.iter().map(|text| self.texts().describe(&engine, text, templates)).collect()
    }

    /// A sound, or a stretch of it, in the model's space: the vector that its clip in the index has.
    ///
    /// # Errors
    /// Errors of decoding and encoding it.
    pub fn embed_sound(&self, source: Source, stretch: Option<Stretch>) -> Result<(Embedding, Remarks)> {
        Ok(self.engine()?.embed_sound(source, stretch.map(Stretch::bounds))?)
    }

    /// The vectors of all segments of the clips that a filter lets through, by clip id and time.
    ///
    /// # Errors
    /// [`crate::Error::Field`] for a bad filter.
    pub fn vectors(&self, filter: &Filter) -> Result<Vectors> {
        let index = self.index()?;
        let mut vectors = Vectors { dim: index.header().identity.dim, ..Vectors::default() };
        index.for_each_segment(&filter.check()?, &mut |segment| {
            vectors.clip_ids.push(segment.clip.id);
            vectors.times.push([segment.start_s, segment.end_s]);
            vectors.values.extend_from_slice(segment.vector);
            true
        })?;
        Ok(vectors)
    }

    /// Texts of one request for embeddings.
    ///
    /// # Errors
    /// [`crate::Error::Field`] named `input`.
    pub fn check_inputs(&self, inputs: &[String], most: usize) -> Result<()> {
        bounded("input", inputs.len(), 1, most)?;
        inputs.iter().try_for_each(|text| self.check_text("input", text))
    }
}
