//! Label sets that are saved under a name: one small JSON file beside the index, replaced whole.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{ApiError, ApiResult, Kind};

/// The file's name.
const FILE: &str = "label-sets.json";

/// A label: a word that is also its prompt, or a name with prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Label)]
pub(crate) enum LabelDto {
    /// The label is what is encoded.
    Word(String),
    /// What is shown, and what is encoded for it.
    Prompts(PromptsDto),
}

/// A label with texts that stand for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LabelWithPrompts)]
pub(crate) struct PromptsDto {
    pub(crate) name: String,
    /// At least one.
    #[schema(min_items = 1)]
    pub(crate) prompts: Vec<String>,
}

/// Labels and the sentences they are put into.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LabelSetContent)]
pub(crate) struct LabelSetContent {
    #[schema(min_items = 1)]
    pub(crate) labels: Vec<LabelDto>,
    /// Sentences with `{}` where the label goes; the model's own where none is given.
    #[serde(default)]
    pub(crate) templates: Vec<String>,
}

/// All saved sets.
pub(crate) struct LabelSets {
    file: PathBuf,
    most: usize,
    sets: RwLock<BTreeMap<String, LabelSetContent>>,
}

impl LabelSets {
    pub(crate) fn open(folder: &Path, most: usize) -> Result<Self, String> {
        let file = folder.join(FILE);
        let sets = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| format!("{}: {e}", file.display()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(e) => return Err(format!("{}: {e}", file.display())),
        };
        Ok(Self { file, most, sets: RwLock::new(sets) })
    }

    pub(crate) fn all(&self) -> Vec<(String, LabelSetContent)> {
        self.read().iter().map(|(name, set)| (name.clone(), set.clone())).collect()
    }

    pub(crate) fn get(&self, name: &str) -> ApiResult<LabelSetContent> {
        self.read().get(name).cloned().ok_or_else(|| ApiError::not_found("label set", name))
    }

    /// Saves a set; true if there was none of that name.
    pub(crate) fn put(&self, name: &str, set: LabelSetContent) -> ApiResult<bool> {
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = sets.clone();
        let is_new = changed.insert(name.to_owned(), set).is_none();
        if is_new && changed.len() > self.most {
            let detail = format!("there are {} label sets already; delete one first", self.most);
            return Err(ApiError::new(Kind::Conflict, detail));
        }
        self.save(&changed)?;
        *sets = changed;
        Ok(is_new)
    }

    pub(crate) fn delete(&self, name: &str) -> ApiResult<()> {
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        let mut changed = sets.clone();
        changed.remove(name).ok_or_else(|| ApiError::not_found("label set", name))?;
        self.save(&changed)?;
        *sets = changed;
        Ok(())
    }

    fn save(&self, sets: &BTreeMap<String, LabelSetContent>) -> ApiResult<()> {
        let write = || -> std::io::Result<()> {
            let folder = self.file.parent().unwrap_or(Path::new("."));
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&serde_json::to_vec_pretty(sets)?)?;
            file.as_file().sync_all()?;
            file.persist(&self.file)?;
            Ok(())
        };
        write().map_err(|e| ApiError::internal(format!("{}: {e}", self.file.display())))
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, LabelSetContent>> {
        self.sets.read().unwrap_or_else(PoisonError::into_inner)
    }
}
