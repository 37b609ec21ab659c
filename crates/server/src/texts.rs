//! Descriptions into vectors: those that come at the same time go through the encoder together, and the latest are kept.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use earmark_encoder::{Embedding, EncodedText};
use earmark_engine::search::combine;
use earmark_engine::{Engine, EngineError, KnownText};
use quick_cache::sync::Cache;
use tokio::sync::oneshot;

use crate::error::{ApiError, ApiResult};

/// Texts encoded in one go at most.
pub(crate) const BATCH: usize = 32;

/// A text as the model has it, and how many tokens it took.
struct Encoded {
    text: EncodedText,
    tokens: usize,
}

/// A description as the model has it, in all its templates.
pub(crate) struct Described {
    pub(crate) vector: Embedding,
    pub(crate) tokens: usize,
    /// What there is to tell of it.
    pub(crate) known: Option<KnownText>,
}

type Answer = ApiResult<Arc<Encoded>>;

struct Question {
    text: String,
    answer: oneshot::Sender<Answer>,
}

/// The text encoder's desk.
pub(crate) struct Texts {
    questions: SyncSender<Question>,
    cache: Arc<Cache<String, Arc<Encoded>>>,
}

impl Texts {
    /// Starts the thread that encodes; it ends when this is dropped.
    pub(crate) fn start(engine: Arc<Engine>, queue: usize, cached: usize) -> std::io::Result<Self> {
        let (questions, desk) = sync_channel(queue.max(1));
        let cache = Arc::new(Cache::new(cached.max(1)));
        let keep = Arc::clone(&cache);
        std::thread::Builder::new().name("texts".to_owned()).spawn(move || work(&engine, &desk, &keep))?;
        Ok(Self { questions, cache })
    }

    /// A description in each of `templates`, whose vectors are averaged, or in the model's own prompt where there
    /// are none.
    pub(crate) async fn describe(
        &self,
        engine: &Engine,
        text: &str,
        templates: &[String],
    ) -> ApiResult<Described> {
        let (mut encoded, mut tokens) = (Vec::new(), 0);
        for prompt in engine.prompts(text.trim(), templates)? {
            let one = self.embed(&prompt).await?;
            tokens += one.tokens;
            encoded.push(one.text.clone());
        }
        let known = KnownText::of(text, &encoded);
        let vector = match encoded.as_slice() {
            [only] => only.vector.clone(),
            several => {
                let parts: Vec<_> = several.iter().map(|one| (one.vector.clone(), 1.0)).collect();
                combine(engine, &parts)?
            }
        };
        Ok(Described { vector, tokens, known })
    }

    /// A text as it is.
    async fn embed(&self, text: &str) -> Answer {
        if let Some(known) = self.cache.get(text) {
            return Ok(known);
        }
        let (answer, receiver) = oneshot::channel();
        let question = Question { text: text.to_owned(), answer };
        match self.questions.try_send(question) {
            Ok(()) => receiver.await.map_err(|_| ApiError::internal("the text encoder's thread is gone"))?,
            Err(TrySendError::Full(_)) => {
                Err(ApiError::busy("too many texts are waiting; try again soon", 1))
            }
            Err(TrySendError::Disconnected(_)) => {
                Err(ApiError::internal("the text encoder's thread is gone"))
            }
        }
    }
}

fn work(engine: &Engine, desk: &Receiver<Question>, cache: &Cache<String, Arc<Encoded>>) {
    while let Ok(first) = desk.recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = desk.try_recv()
        {
            batch.push(next);
        }
        // Nobody waits any more for those whose client is gone.
        batch.retain(|question| !question.answer.is_closed());
        let texts: Vec<&str> = batch.iter().map(|q| q.text.as_str()).collect();
        // A panic in the encoder must not end this thread, which all texts need.
        let encode = std::panic::AssertUnwindSafe(|| embed(engine, &texts));
        let broken = |_| texts.iter().map(|_| Err(ApiError::internal("the text encoder panicked"))).collect();
        let vectors: Vec<Answer> = std::panic::catch_unwind(encode).unwrap_or_else(broken);
        for (question, answer) in batch.into_iter().zip(vectors) {
            if let Ok(vector) = &answer {
                cache.insert(question.text, Arc::clone(vector));
            }
            let _ = question.answer.send(answer);
        }
    }
}

fn embed(engine: &Engine, texts: &[&str]) -> Vec<Answer> {
    match engine.encode_texts(texts) {
        Ok(encoded) => encoded.into_iter().zip(texts).map(|(one, text)| counted(engine, text, one)).collect(),
        // One text that is refused must not take the others with it.
        Err(_) => texts.iter().map(|text| embed_one(engine, text)).collect(),
    }
}

fn embed_one(engine: &Engine, text: &str) -> Answer {
    let encoded = engine.encode_texts(&[text])?.pop();
    let none = || EngineError::Query("the text gave no vector".to_owned());
    counted(engine, text, encoded.ok_or_else(none)?)
}

fn counted(engine: &Engine, text: &str, encoded: EncodedText) -> Answer {
    Ok(Arc::new(Encoded { text: encoded, tokens: engine.count_tokens(text)? }))
}
