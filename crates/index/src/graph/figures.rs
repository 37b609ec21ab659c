//! What was measured of a graph, and its bytes.

use super::LEAST_RECALL;
use crate::query::QueryKind;

/// What one number of candidates finds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Candidates that the search kept (`ef`), or lists that it looked through.
    pub ef: u32,
    /// Share of the ten best rows that it found, 0 to 1.
    pub recall: f32,
    /// Mean time of a search on one thread, milliseconds.
    pub ms: f32,
}

/// What was measured with one kind of query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KindFigures {
    /// How many queries were asked.
    pub queries: u32,
    /// Mean time of comparing with every row, on all cores, milliseconds.
    pub scan_ms: f32,
    /// By growing `ef`.
    pub measured: Vec<Measured>,
}

impl KindFigures {
    /// The fewest candidates that find enough.
    #[must_use]
    pub fn sufficient(&self) -> Option<Measured> {
        self.measured.iter().copied().find(|m| m.recall >= LEAST_RECALL)
    }

    /// The fewest candidates that find enough, or else those that find most.
    #[must_use]
    pub fn best(&self) -> Option<Measured> {
        let most = || self.measured.iter().copied().max_by(|a, b| a.recall.total_cmp(&b.recall));
        self.sufficient().or_else(most)
    }
}

/// How a search saves comparing with every segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Method {
    /// It walks an HNSW graph.
    #[default]
    Hnsw,
    /// It looks through those lists of segments whose centroids are nearest.
    InvertedLists,
}

impl Method {
    /// Its name, as it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hnsw => "hnsw",
            Self::InvertedLists => "lists",
        }
    }
}

/// What was measured of a graph when it was built.
#[derive(Clone, Default, PartialEq)]
pub struct Figures {
    /// What kind of index it is. Not among the bytes of [`Self::encode`]: in a folder, all are graphs.
    pub method: Method,
    /// When that was, seconds since 1970.
    pub built_unix_s: i64,
    /// How long building took, seconds.
    pub seconds: f32,
    /// With texts; no queries where no texts were given.
    pub text: KindFigures,
    /// With stored vectors that noise was added to.
    pub sound: KindFigures,
    /// The texts that were asked for, `[queries, dim]`, so that they can be asked for again.
    pub(crate) texts: Vec<f32>,
}

// Without the texts' vectors, which are tens of thousands of numbers.
impl std::fmt::Debug for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, built_unix_s, seconds, text, sound, texts: _ } = self;
        f.debug_struct("Figures")
            .field("method", method)
            .field("built_unix_s", built_unix_s)
            .field("seconds", seconds)
            .field("text", text)
            .field("sound", sound)
            .finish_non_exhaustive()
    }
}

impl Figures {
    /// Of one kind of query.
    #[must_use]
    pub fn of(&self, kind: QueryKind) -> &KindFigures {
        match kind {
            QueryKind::Text => &self.text,
            QueryKind::Sound => &self.sound,
        }
    }

    /// What was measured of a graph that was finished now. `texts`: those that were asked for, `[queries, dim]`.
    #[must_use]
    pub fn new(seconds: f32, text: KindFigures, sound: KindFigures, texts: Vec<f32>) -> Self {
        Self { method: Method::Hnsw, built_unix_s: crate::clock::unix_now_s(), seconds, text, sound, texts }
    }

    /// The same graph, measured again.
    #[must_use]
    pub fn measured_again(self, text: KindFigures, sound: KindFigures) -> Self {
        Self { text, sound, ..self }
    }

    /// The texts that were asked for, `[queries, dim]`.
    #[must_use]
    pub fn texts(&self) -> &[f32] {
        &self.texts
    }

    /// The bytes that `FORMAT.md` describes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.built_unix_s.to_le_bytes().to_vec();
        out.extend_from_slice(&self.seconds.to_le_bytes());
        for kind in [&self.text, &self.sound] {
            out.extend_from_slice(&kind.queries.to_le_bytes());
            out.extend_from_slice(&kind.scan_ms.to_le_bytes());
            out.extend_from_slice(&(kind.measured.len() as u32).to_le_bytes());
            for m in &kind.measured {
                out.extend_from_slice(&m.ef.to_le_bytes());
                out.extend_from_slice(&m.recall.to_le_bytes());
                out.extend_from_slice(&m.ms.to_le_bytes());
            }
        }
        self.texts.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes()));
        out
    }

    /// None if that is not what [`Self::encode`] wrote for vectors of `dim` elements.
    #[must_use]
    pub fn decode(bytes: &[u8], dim: usize) -> Option<Self> {
        let (start, mut rest) = bytes.split_at_checked(12)?;
        let built_unix_s = i64::from_le_bytes(start[..8].try_into().ok()?);
        let seconds = f32::from_le_bytes(start[8..].try_into().ok()?);
        let mut word = || {
            let (word, after) = rest.split_first_chunk::<4>()?;
            rest = after;
            Some(*word)
        };
        let mut kind = || {
            let queries = u32::from_le_bytes(word()?);
            let scan_ms = f32::from_le_bytes(word()?);
            let count = u32::from_le_bytes(word()?);
            let measured = (0..count).map(|_| {
                let ef = u32::from_le_bytes(word()?);
                Some(Measured { ef, recall: f32::from_le_bytes(word()?), ms: f32::from_le_bytes(word()?) })
            });
            Some(KindFigures { queries, scan_ms, measured: measured.collect::<Option<_>>()? })
        };
        let (text, sound) = (kind()?, kind()?);
        let (texts, none) = rest.as_chunks::<4>();
        let texts: Vec<f32> = texts.iter().map(|x| f32::from_le_bytes(*x)).collect();
        let is_whole = none.is_empty() && texts.len() == text.queries as usize * dim;
        is_whole.then_some(Self { method: Method::Hnsw, built_unix_s, seconds, text, sound, texts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_back_as_they_were_or_not_at_all() {
        let measured = vec![
            Measured { ef: 16, recall: 0.9, ms: 0.1 },
            Measured { ef: 64, recall: 0.991, ms: 0.2 },
            Measured { ef: 128, recall: 0.9985, ms: 0.4 },
        ];
        let text = KindFigures { queries: 2, scan_ms: 5.0, measured: measured[..1].to_vec() };
        let sound = KindFigures { queries: 100, scan_ms: 4.0, measured };
        let figures = Figures {
            method: Method::Hnsw,
            built_unix_s: -5,
            seconds: 2.5,
            text,
            sound,
            texts: vec![0.5; 6],
        };
        let bytes = figures.encode();
        assert_eq!(Figures::decode(&bytes, 3), Some(figures.clone()));
        assert_eq!(Figures::decode(&bytes, 4), None);
        assert!((0..bytes.len()).all(|to| Figures::decode(&bytes[..to], 3).is_none()));
        assert_eq!(figures.sound.sufficient().map(|m| m.ef), Some(128));
        assert_eq!(figures.text.sufficient(), None);
        assert_eq!(figures.text.best().map(|m| m.ef), Some(16));
    }
}
