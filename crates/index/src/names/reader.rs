//! Which clips have which words of a query.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Serialize;
use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::query::{BooleanQuery, FuzzyTermQuery, PhraseQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Value as _};
use tantivy::{
    DocId, Index, IndexReader, ReloadPolicy, Score, Searcher, SegmentOrdinal, SegmentReader, TantivyDocument,
    TantivyError, Term,
};

use super::directory::ReadOnly;
use super::folder;
use super::query::{NameQuery, QueryWord};
use super::schema::Fields;
use super::words::{Word, joined};
use crate::codec::Stamp;
use crate::types::{ClipId, ClipText};

/// Reads of the list of files, when files that it names are gone: a writer has merged them meanwhile.
const RETRIES: usize = 20;

/// A folder that most clips lie in, such as the library's own, says nothing about a clip.
const COMMON_SHARE: f32 = 0.5;

/// So many clips at least before a word counts as common.
const FEWEST_CLIPS: usize = 16;

/// Where a word was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NameField {
    /// In the file's name.
    Name,
    /// In a tag.
    Tag,
    /// In what the file says about itself.
    Metadata,
    /// In the name of a folder.
    Folder,
}

impl NameField {
    /// The best first.
    pub const ALL: [Self; 4] = [Self::Name, Self::Tag, Self::Metadata, Self::Folder];

    /// How much a word counts here. A folder is named for all that is in it.
    fn weight(self) -> f32 {
        match self {
            Self::Name | Self::Tag => 1.0,
            Self::Metadata => 0.9,
            Self::Folder => 0.7,
        }
    }
}

/// The beginning of a longer word counts for so much of the word itself.
const PREFIX_WEIGHT: f32 = 0.6;

/// A word of a query that a clip has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchedWord {
    /// Its place in [`NameQuery::words`].
    pub word: usize,
    /// The best of the places where it stands.
    pub field: NameField,
    /// Only a longer word begins with it.
    pub is_prefix: bool,
}

impl MatchedWord {
    fn weight(self) -> f32 {
        self.field.weight() * if self.is_prefix { PREFIX_WEIGHT } else { 1.0 }
    }

    /// One byte, greater than 0, that is greater for a better match.
    fn code(field: NameField, is_prefix: bool) -> u8 {
        // By weight: whole words in all fields, then prefixes in all.
        let place = NameField::ALL.iter().rev().position(|one| *one == field).unwrap_or(0) as u8;
        1 + place + if is_prefix { 0 } else { NameField::ALL.len() as u8 }
    }

    fn of_code(word: usize, code: u8) -> Option<Self> {
        let place = usize::from(code.checked_sub(1)?);
        let n = NameField::ALL.len();
        let field = *NameField::ALL.iter().rev().nth(place % n)?;
        Some(Self { word, field, is_prefix: place < n })
    }
}

/// A clip with words of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct NameMatch {
    /// The clip.
    pub clip: ClipId,
    /// How much of the query it has, 0 to 1: the share of the words, each counting by how rare it is, and for
    /// less where it was not found in the file's name or as a whole.
    pub coverage: f32,
    /// The words that it has, in the query's order.
    pub words: Vec<MatchedWord>,
}

/// What was found, and what is out of the question.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NameMatches {
    /// The best first; clips alike by id.
    pub matches: Vec<NameMatch>,
    /// Clips that the filter lets through.
    pub clips_admitted: usize,
    /// Clips with a word that was to be left out.
    pub(crate) excluded: HashSet<ClipId>,
    /// Clips with all phrases, if there are phrases.
    pub(crate) required: Option<HashSet<ClipId>>,
}

impl NameMatches {
    /// Whether a clip has the phrases of the query, and none of the words to be left out.
    #[must_use]
    pub fn admits(&self, clip: ClipId) -> bool {
        !self.excluded.contains(&clip) && self.required.as_ref().is_none_or(|all| all.contains(&clip))
    }
}

/// The text side, opened for reading: a state that does not change.
pub(crate) struct Names {
    fields: Fields,
    searcher: Searcher,
    stamp: Option<Stamp>,
}

impl Names {
    /// Opens what is there.
    ///
    /// # Errors
    /// Returns tantivy's error if there is no text side, or if it is damaged.
    pub(crate) fn open(dir: &Path) -> tantivy::Result<Self> {
        let folder = folder(dir);
        let mut tries = 0;
        loop {
            let opened = ReadOnly::open(&folder).map_err(TantivyError::from).and_then(|files| {
                let mut index = Index::open(files)?;
                index.set_tokenizers(Fields::tokenizers());
                let before = index.load_metas()?.payload;
                let names = Self::of(&index, Fields::new(), before.as_deref().and_then(Stamp::parse))?;
                if index.schema() != names.fields.schema {
                    return Err(TantivyError::SchemaError("the fields are not this version's".to_owned()));
                }
                Ok(names)
            });
            tries += 1;
            match opened {
                Err(_) if tries < RETRIES && folder.join("meta.json").exists() => {
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
                opened => return opened,
            }
        }
    }

    /// The text side of these clips, in memory, as of `stamp`: id, path in its stored form, and tags.
    pub(crate) fn in_memory<'a>(
        stamp: Stamp,
        clips: impl Iterator<Item = (ClipId, &'a str, &'a [String])>,
    ) -> tantivy::Result<Self> {
        let fields = Fields::new();
        let index = fields.index_in_memory();
        let mut writer = index.writer_with_num_threads(1, 15_000_000)?;
        for (id, path, tags) in clips {
            writer.add_document(fields.document(id, path, tags, &[]))?;
        }
        writer.commit()?;
        Self::of(&index, fields, Some(stamp))
    }

    fn of(index: &Index, fields: Fields, stamp: Option<Stamp>) -> tantivy::Result<Self> {
        let reader: IndexReader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        Ok(Self { fields, searcher: reader.searcher(), stamp })
    }

    /// The state of the store that it shows.
    pub(crate) fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    /// All clips with words of the query.
    pub(crate) fn search(&self, query: &NameQuery) -> tantivy::Result<NameMatches> {
        find_names(self, query)
    }

    /// What a clip's file says about itself.
    pub(crate) fn texts(&self, id: ClipId) -> tantivy::Result<Vec<ClipText>> {
        let query = TermQuery::new(self.fields.term(id), IndexRecordOption::Basic);
        let found = self.searcher.search(&query, &tantivy::collector::DocSetCollector)?;
        let Some(address) = found.into_iter().next() else { return Ok(Vec::new()) };
        let document: TantivyDocument = self.searcher.doc(address)?;
        let bytes = document.get_first(self.fields.stored).and_then(|value| value.as_bytes());
        // Nothing but this program writes them, and each file has a checksum.
        Ok(bytes.and_then(|bytes| postcard::from_bytes(bytes).ok()).unwrap_or_default())
    }

    fn field(&self, field: NameField) -> Field {
        match field {
            NameField::Name => self.fields.file,
            NameField::Tag => self.fields.tags,
            NameField::Metadata => self.fields.texts,
            NameField::Folder => self.fields.folder,
        }
    }

    fn query(&self, lookup: &Lookup<'_>) -> Box<dyn Query> {
        let term = |field: NameField, text: &str| Term::from_field_text(self.field(field), text);
        match lookup {
            Lookup::Any(field, tokens) => {
                let one = |text: &&str| -> Box<dyn Query> {
                    Box::new(TermQuery::new(term(*field, text), IndexRecordOption::Basic))
                };
                Box::new(BooleanQuery::union(tokens.iter().map(one).collect()))
            }
            Lookup::Prefix(field, prefix) => {
                Box::new(FuzzyTermQuery::new_prefix(term(*field, prefix), 0, false))
            }
            Lookup::Sequence(field, tokens) => {
                Box::new(PhraseQuery::new(tokens.iter().map(|text| term(*field, text)).collect()))
            }
        }
    }

    fn ids(&self, query: &dyn Query) -> tantivy::Result<Vec<ClipId>> {
        self.searcher.search(query, &ClipIds)
    }
}

impl WordIndex for Names {
    type Error = TantivyError;

    fn look_up(&self, lookups: &[Lookup<'_>]) -> tantivy::Result<FoundClips> {
        let ids = lookups.iter().map(|lookup| self.ids(&*self.query(lookup))).collect::<Result<_, _>>()?;
        Ok(FoundClips { clips: self.searcher.num_docs() as usize, ids })
    }
}

/// Clips by the tokens in their names: what [`find_names`] asks, once for a query. The tokens of a clip are those
/// of [`super::NameTokens`].
pub trait WordIndex {
    /// What can go wrong.
    type Error;

    /// The clips that each lookup finds.
    fn look_up(&self, lookups: &[Lookup<'_>]) -> Result<FoundClips, Self::Error>;
}

/// Tokens in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// One of these.
    Any(NameField, Vec<&'a str>),
    /// One that begins so.
    Prefix(NameField, &'a str),
    /// These, two or more, one after the other.
    Sequence(NameField, Vec<&'a str>),
}

/// What a [`WordIndex`] has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundClips {
    /// Clips in the index.
    pub clips: usize,
    /// The clips of each lookup.
    pub ids: Vec<Vec<ClipId>>,
}

/// What the clips of a lookup have.
enum Finds {
    /// A word of the query.
    Word { number: usize, field: NameField, is_prefix: bool },
    /// This word and the next, written as one.
    Pair { number: usize, field: NameField },
    /// A phrase of the query.
    Phrase(usize),
    /// What is to be left out.
    Excluded,
}

/// All clips with words of the query, the best first.
///
/// # Errors
/// Errors of the index.
pub fn find_names<W: WordIndex>(index: &W, query: &NameQuery) -> Result<NameMatches, W::Error> {
    let joined: Vec<String> =
        query.words.windows(2).map(|pair| joined(&pair[0].word, &pair[1].word)).collect();
    let mut wanted = Vec::new();
    let mut lookups = Vec::new();
    for field in NameField::ALL {
        for (number, QueryWord { word, is_prefix: has_prefix }) in query.words.iter().enumerate() {
            wanted.push(Finds::Word { number, field, is_prefix: false });
            lookups.push(Lookup::Any(field, whole(word)));
            if *has_prefix {
                wanted.push(Finds::Word { number, field, is_prefix: true });
                lookups.push(Lookup::Prefix(field, &word.written));
            }
        }
        for (number, joined) in joined.iter().enumerate() {
            wanted.push(Finds::Pair { number, field });
            lookups.push(Lookup::Any(field, vec![joined]));
        }
        for (number, words) in query.phrases.iter().enumerate() {
            wanted.push(Finds::Phrase(number));
            lookups.push(phrase(field, words));
        }
        for words in &query.excluded {
            wanted.push(Finds::Excluded);
            lookups.push(phrase(field, words));
        }
    }
    let FoundClips { clips, ids } = index.look_up(&lookups)?;
    let is_common = |n: usize| clips >= FEWEST_CLIPS && n as f32 > clips as f32 * COMMON_SHARE;
    let mut found = Found::new(query.words.len());
    let mut excluded = HashSet::new();
    let mut phrases: Vec<HashSet<ClipId>> = vec![HashSet::new(); query.phrases.len()];
    for (wanted, ids) in wanted.into_iter().zip(ids) {
        match wanted {
            Finds::Word { field: NameField::Folder, .. } if is_common(ids.len()) => {}
            Finds::Word { number, field, is_prefix } => found.note(&ids, number, field, is_prefix),
            Finds::Pair { number, field } => {
                found.note(&ids, number, field, false);
                found.note(&ids, number + 1, field, false);
            }
            Finds::Phrase(number) => phrases[number].extend(ids),
            Finds::Excluded => excluded.extend(ids),
        }
    }
    let required = phrases.into_iter().reduce(|all, one| all.intersection(&one).copied().collect());
    let mut all = NameMatches { excluded, required, ..NameMatches::default() };
    let matches = found.matches(clips).into_iter();
    all.matches = matches.filter(|one| all.admits(one.clip)).collect();
    all.matches.sort_by(|a, b| b.coverage.total_cmp(&a.coverage).then(a.clip.cmp(&b.clip)));
    Ok(all)
}

/// These words in this order.
fn phrase(field: NameField, words: &[Word]) -> Lookup<'_> {
    match words {
        [word] => Lookup::Any(field, whole(word)),
        _ => Lookup::Sequence(field, words.iter().map(|word| word.stem.as_str()).collect()),
    }
}

/// A word as a whole: by its stem, or as it is written, as two words of a name are that stand for one.
fn whole(word: &Word) -> Vec<&str> {
    let mut tokens = vec![word.stem.as_str()];
    if word.written != word.stem {
        tokens.push(&word.written);
    }
    tokens
}

/// The best match of each word for each clip.
struct Found {
    width: usize,
    /// Where a clip's codes begin in `codes`.
    places: HashMap<ClipId, usize>,
    /// A [`MatchedWord::code`] for each word of each clip; 0 for none.
    codes: Vec<u8>,
    /// Clips with each word as a whole, and in any way.
    counts: Vec<(usize, usize)>,
}

impl Found {
    fn new(width: usize) -> Self {
        Self { width, places: HashMap::new(), codes: Vec::new(), counts: vec![(0, 0); width] }
    }

    fn note(&mut self, ids: &[ClipId], word: usize, field: NameField, is_prefix: bool) {
        let code = MatchedWord::code(field, is_prefix);
        for id in ids {
            let place = *self.places.entry(*id).or_insert(self.codes.len());
            if place == self.codes.len() {
                self.codes.resize(place + self.width, 0);
            }
            let slot = &mut self.codes[place + word];
            let whole_before = *slot > NameField::ALL.len() as u8;
            if *slot == 0 {
                self.counts[word].1 += 1;
            }
            if !is_prefix && !whole_before {
                self.counts[word].0 += 1;
            }
            *slot = code.max(*slot);
        }
    }

    /// All clips, of an index of `clips` clips.
    fn matches(&self, clips: usize) -> Vec<NameMatch> {
        // As in BM25, but above 0 for words that all have. What no name has is as rare as can be.
        let rarity = |(whole, any): &(usize, usize)| {
            let having = if *whole > 0 { *whole } else { *any };
            (1.0 + clips as f32 / (having as f32 + 0.5)).ln()
        };
        let rarities: Vec<f32> = self.counts.iter().map(rarity).collect();
        let sum: f32 = rarities.iter().sum();
        let of_place = |(clip, place): (&ClipId, &usize)| {
            let codes = &self.codes[*place..*place + self.width];
            let words: Vec<MatchedWord> = codes
                .iter()
                .enumerate()
                .filter_map(|(word, code)| MatchedWord::of_code(word, *code))
                .collect();
            let had: f32 = words.iter().map(|found| rarities[found.word] * found.weight()).sum();
            NameMatch { clip: *clip, coverage: had / sum, words }
        };
        self.places.iter().map(of_place).collect()
    }
}

/// Collects the ids of the clips that match.
struct ClipIds;

struct ClipIdsOfSegment {
    column: Column<u64>,
    ids: Vec<ClipId>,
}

impl Collector for ClipIds {
    type Fruit = Vec<ClipId>;
    type Child = ClipIdsOfSegment;

    fn for_segment(&self, _: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<Self::Child> {
        Ok(ClipIdsOfSegment { column: segment.fast_fields().u64("clip")?, ids: Vec::new() })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, fruits: Vec<Vec<ClipId>>) -> tantivy::Result<Vec<ClipId>> {
        Ok(fruits.concat())
    }
}

impl SegmentCollector for ClipIdsOfSegment {
    type Fruit = Vec<ClipId>;

    fn collect(&mut self, doc: DocId, _: Score) {
        self.ids.extend(self.column.first(doc));
    }

    fn harvest(self) -> Vec<ClipId> {
        self.ids
    }
}
