//! Descriptions into vectors: those asked for at the same time go through the encoder together, and the
//! latest are kept.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use earmark_encoder::{Embedding, EncodedText};
use earmark_engine::search::combine;
use earmark_engine::{Engine, EngineError, KnownText};
use quick_cache::sync::Cache;

use crate::error::{Error, Result};

/// Texts encoded in one go at most.
pub const BATCH: usize = 32;

/// Texts kept encoded.
const KEPT: usize = 4096;

/// Texts that may wait.
const WAITING: usize = 1024;

/// A text as the model has it, and how many tokens it took.
struct Encoded {
    text: EncodedText,
    tokens: usize,
}

/// A description that sounds are searched for with, as the model has it, in all its templates.
pub struct DescribedText {
    /// The direction of the sum of its queries.
    pub vector: Embedding,
    /// Tokens of all its prompts.
    pub tokens: usize,
    /// How well the model knows it, if it can tell.
    pub known: Option<KnownText>,
}

/// Where the answer to a question is put.
type Slot = Arc<Mutex<Option<Result<Arc<Encoded>>>>>;

struct Question {
    text: String,
    answer: Slot,
}

#[derive(Default)]
struct State {
    waiting: Vec<Question>,
    /// Somebody is encoding.
    is_busy: bool,
}

/// Encodes texts for all threads. Whoever comes while another thread encodes waits, and the next one encodes
/// for all that wait.
pub struct Texts {
    cache: Cache<String, Arc<Encoded>>,
    state: Mutex<State>,
    changed: Condvar,
}

impl Default for Texts {
    fn default() -> Self {
        Self { cache: Cache::new(KEPT), state: Mutex::default(), changed: Condvar::new() }
    }
}

impl Texts {
    /// A description in each of `templates`, whose vectors are averaged, or in the model's own prompt if
    /// there are none.
    ///
    /// # Errors
    /// [`EngineError::Template`]; [`Error::Busy`]; errors of the text encoder.
    pub fn describe(&self, engine: &Engine, text: &str, templates: &[String]) -> Result<DescribedText> {
        let (mut encoded, mut tokens) = (Vec::new(), 0);
        for prompt in engine.prompts(text.trim(), templates)? {
            let one = self.encode(engine, &prompt)?;
            tokens += one.tokens;
            encoded.push(one.text.clone());
        }
        let known = KnownText::of(text, &encoded);
        let vector = match encoded.as_slice() {
            [only] => only.query.clone(),
            several => {
                let parts: Vec<_> = several.iter().map(|one| (one.query.clone(), 1.0)).collect();
                combine(engine, &parts)?
            }
        };
        Ok(DescribedText { vector, tokens, known })
    }

    /// A text as it is.
    fn encode(&self, engine: &Engine, text: &str) -> Result<Arc<Encoded>> {
        if let Some(known) = self.cache.get(text) {
            return Ok(known);
        }
        let answer = Slot::default();
        let mut state = lock(&self.state);
        if state.waiting.len() >= WAITING {
            return Err(Error::Busy("too many texts are waiting; try again soon"));
        }
        state.waiting.push(Question { text: text.to_owned(), answer: Arc::clone(&answer) });
        loop {
            if let Some(answered) = lock(&answer).take() {
                return answered;
            }
            if state.is_busy {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.is_busy = true;
            let first = state.waiting.len().min(BATCH);
            let batch: Vec<Question> = state.waiting.drain(..first).collect();
            drop(state);
            self.answer(engine, batch);
            state = lock(&self.state);
            state.is_busy = false;
            self.changed.notify_all();
        }
    }

    fn answer(&self, engine: &Engine, batch: Vec<Question>) {
        let texts: Vec<&str> = batch.iter().map(|question| question.text.as_str()).collect();
        // A panic in the encoder must not leave the others waiting.
        let panicked = |_| {
            let error =
                || EngineError::Panic { file: "a text".to_owned(), what: "in the text encoder".to_owned() };
            texts.iter().map(|_| Err(error().into())).collect()
        };
        let answers: Vec<Result<Arc<Encoded>>> =
            catch_unwind(AssertUnwindSafe(|| encode_all(engine, &texts))).unwrap_or_else(panicked);
        for (question, answer) in batch.into_iter().zip(answers) {
            if let Ok(encoded) = &answer {
                self.cache.insert(question.text, Arc::clone(encoded));
            }
            *lock(&question.answer) = Some(answer);
        }
    }
}

fn encode_all(engine: &Engine, texts: &[&str]) -> Vec<Result<Arc<Encoded>>> {
    let counted = |text: &str, encoded: EncodedText| {
        Ok(Arc::new(Encoded { text: encoded, tokens: engine.count_tokens(text)? }))
    };
    match engine.encode_texts(texts) {
        Ok(encoded) => encoded.into_iter().zip(texts).map(|(one, text)| counted(text, one)).collect(),
        Err(e) if texts.len() == 1 => vec![Err(e.into())],
        // One text that is refused must not take the others with it.
        Err(_) => texts.iter().flat_map(|text| encode_all(engine, &[text])).collect(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
