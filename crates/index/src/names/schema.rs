//! What of a clip is indexed, and where.

use std::path::Path;

use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{TextAnalyzer, TokenizerManager};
use tantivy::{Index, TantivyDocument, Term};

use super::reader::NameField;
use super::words::{NameTokenizer, tokens};
use crate::types::{ClipId, ClipText};

const TOKENIZER: &str = "names";

/// The fields of a document, one document a clip.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub(super) schema: Schema,
    /// The clip's id.
    pub(super) clip: Field,
    /// The file's name, without its extension.
    pub(super) file: Field,
    /// The names of its folders.
    pub(super) folder: Field,
    pub(super) tags: Field,
    /// What the file says about itself.
    pub(super) texts: Field,
    /// The same, to be read: the texts of a clip are in the store, which readers do not open.
    pub(super) stored: Field,
}

impl Fields {
    pub(super) fn new() -> Self {
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(TOKENIZER)
            .set_fieldnorms(false)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions);
        let words = TextOptions::default().set_indexing_options(indexing);
        let mut schema = Schema::builder();
        let clip = schema.add_u64_field("clip", INDEXED | FAST);
        let file = schema.add_text_field("file", words.clone());
        let folder = schema.add_text_field("folder", words.clone());
        let tags = schema.add_text_field("tags", words.clone());
        let texts = schema.add_text_field("texts", words);
        let stored = schema.add_bytes_field("stored", STORED);
        Self { schema: schema.build(), clip, file, folder, tags, texts, stored }
    }

    pub(super) fn tokenizers() -> TokenizerManager {
        // tantivy asks for its default one, too.
        let manager = TokenizerManager::default();
        manager.register(TOKENIZER, TextAnalyzer::from(NameTokenizer));
        manager
    }

    /// An index in memory.
    pub(super) fn index_in_memory(&self) -> Index {
        let mut index = Index::create_in_ram(self.schema.clone());
        index.set_tokenizers(Self::tokenizers());
        index
    }

    pub(super) fn term(&self, id: ClipId) -> Term {
        Term::from_field_u64(self.clip, id)
    }

    /// The document of a clip. `path` is in its stored form.
    pub(super) fn document(
        &self,
        id: ClipId,
        path: &str,
        tags: &[String],
        texts: &[ClipText],
    ) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_u64(self.clip, id);
        let (folders, file) = name_parts(path);
        document.add_text(self.file, file);
        document.add_text(self.folder, folders);
        tags.iter().for_each(|tag| document.add_text(self.tags, tag));
        texts.iter().for_each(|text| document.add_text(self.texts, &text.text));
        if !texts.is_empty()
            && let Ok(bytes) = postcard::to_stdvec(texts)
        {
            document.add_bytes(self.stored, &bytes);
        }
        document
    }
}

/// The names of the folders on a path, and the name of the file without its extension.
fn name_parts(path: &str) -> (&str, &str) {
    let (folders, file) = path.rsplit_once(['/', std::path::MAIN_SEPARATOR]).unwrap_or(("", path));
    (folders, Path::new(file).file_stem().and_then(|stem| stem.to_str()).unwrap_or(file))
}

/// What of a clip can be searched, for an index other than the local one: the tokens of each of its fields, with
/// their positions. A phrase does not go from one tag or text into the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameTokens(pub [Vec<(usize, String)>; NameField::ALL.len()]);

/// Positions that are left free between two texts of a field.
const BETWEEN_TEXTS: usize = 2;

impl NameTokens {
    /// The tokens of a clip, by the place of their field in [`NameField::ALL`]. `path` is in its stored form.
    #[must_use]
    pub fn of(path: &str, clip_tags: &[String], texts: &[ClipText]) -> Self {
        let (folders, file) = name_parts(path);
        let all = |texts: &mut dyn Iterator<Item = &str>| {
            let mut field: Vec<(usize, String)> = Vec::new();
            for text in texts {
                let first = field.last().map_or(0, |(last, _)| last + BETWEEN_TEXTS);
                field.extend(tokens(text).map(|(position, token)| (first + position, token)));
            }
            field
        };
        Self(NameField::ALL.map(|field| match field {
            NameField::Name => all(&mut std::iter::once(file)),
            NameField::Tag => all(&mut clip_tags.iter().map(String::as_str)),
            NameField::Metadata => all(&mut texts.iter().map(|text| text.text.as_str())),
            NameField::Folder => all(&mut std::iter::once(folders)),
        }))
    }
}
