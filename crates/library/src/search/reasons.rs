//! Why a clip is a hit: the words of the query in its name, tags and metadata, and what it sounds like.

use earmark_engine::Engine;
use earmark_engine::search::explain;
use earmark_engine::search::rank::RankedHit;
use earmark_index::{ClipText, MatchedWord, NameField};

use super::answer::{Reason, SOUND, Share};
use super::{By, Query};

/// Sound classes named for a hit.
const SHARES: usize = 6;

/// A sound class is a reason if it makes up so much of the score.
const LEAST_SHARE: f32 = 0.13;

/// The sound classes that the query and a hit with this stored vector share; `None` for a model whose axes have no
/// names.
pub(super) fn shares(
    engine: &Engine,
    query: &Query,
    ranked: &RankedHit,
    vector: &[f32],
) -> Option<Vec<Share>> {
    let shares = explain(engine, &query.vector, &ranked.hit, vector, SHARES)?;
    let share = |s: earmark_engine::search::Share| Share { class: s.axis, share: s.contribution };
    Some(shares.into_iter().map(share).collect())
}

/// Whether words of the query are in what the hit's file says about itself.
pub(super) fn is_in_texts(ranked: &RankedHit) -> bool {
    ranked.named.iter().flat_map(|named| &named.words).any(|found| found.field == NameField::Metadata)
}

/// The reasons for a hit: its words, by where they stand, and the sound class that counts most. `texts`: what its file
/// says about itself, if [`is_in_texts`].
pub(super) fn reasons(
    engine: &Engine,
    by: By,
    query: &Query,
    ranked: &RankedHit,
    texts: &[ClipText],
    shares: Option<&[Share]>,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if let Some(named) = &ranked.named {
        let words: Vec<&str> = query.names.words().collect();
        for (field, name) in
            [(NameField::Name, "name"), (NameField::Tag, "tag"), (NameField::Folder, "folder")]
        {
            reasons.extend(reason(name, &words, named.words.iter().filter(|found| found.field == field)));
        }
        let in_texts: Vec<&MatchedWord> =
            named.words.iter().filter(|found| found.field == NameField::Metadata).collect();
        if !in_texts.is_empty() {
            // Which of the texts has most of the words.
            let having =
                |text: &str| in_texts.iter().filter(|found| query.names.is_in(found.word, text)).count();
            let best = texts.iter().max_by_key(|text| having(&text.text));
            let name = best.map_or("metadata", |text| text.name.as_str());
            reasons.extend(reason(name, &words, in_texts.into_iter()));
        }
    }
    let is_reason =
        |share: &&Share| share.share >= LEAST_SHARE * ranked.hit.score && is_class(engine, &share.class);
    let sound = shares.into_iter().flatten().find(is_reason);
    if let (true, Some(share)) = (by != By::Name && ranked.hit.score > 0.0, sound) {
        reasons.push(Reason { by: SOUND.to_owned(), text: share.class.clone() });
    }
    reasons
}

/// Whether an axis of this name stands for a class of sounds: several axes of one name, as `timbre`, do not.
fn is_class(engine: &Engine, name: &str) -> bool {
    let axes = engine.model().axes().into_iter().flatten();
    axes.filter(|axis| axis.as_str() == name).nth(1).is_none()
}

fn reason<'a>(by: &str, words: &[&str], found: impl Iterator<Item = &'a MatchedWord>) -> Option<Reason> {
    let text: Vec<&str> = found.filter_map(|one| words.get(one.word).copied()).collect();
    (!text.is_empty()).then(|| Reason { by: by.to_owned(), text: text.join(" ") })
}
