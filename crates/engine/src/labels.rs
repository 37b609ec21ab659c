//! Label sets: what people type or keep in files, and their embeddings.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use earmark_encoder::Embedding;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::mean::mean;
use crate::readout::Readout;
use crate::{Engine, EngineError, KnownText};

/// A label and the texts that stand for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// What is shown.
    pub name: String,
    /// What is encoded; the label itself where nothing else was given.
    pub prompts: Vec<String>,
}

/// Labels, at least one, all different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelSet(Vec<Label>);

/// A label set in a model's space.
#[derive(Debug, Clone)]
pub struct EncodedLabels {
    /// Names, in the order given.
    pub names: Vec<String>,
    /// One unit vector a label: the mean over its prompts and the templates.
    pub vectors: Vec<Embedding>,
    /// How cosines with them are read: as the model says, or as was fitted.
    pub readout: Readout,
    /// How well the model knows each prompt. Empty for models that cannot tell, and for fitted labels, whose
    /// words are not asked.
    pub texts: Vec<KnownText>,
}

impl LabelSet {
    /// Checks labels: at least one, none empty, none twice (ignoring case).
    ///
    /// # Errors
    /// [`EngineError::Labels`] that names the offending label.
    pub fn new(labels: Vec<Label>) -> Result<Self, EngineError> {
        if labels.is_empty() {
            return Err(EngineError::Labels(
                "the list is empty; give at least one, as in \"dog, siren\"".to_owned(),
            ));
        }
        let mut seen: HashMap<String, &str> = HashMap::new();
        for label in &labels {
            if label.name.trim().is_empty() || label.prompts.iter().any(|p| p.trim().is_empty()) {
                return Err(EngineError::Labels(
                    "one is empty; look for a stray comma or a blank field".to_owned(),
                ));
            }
            if let Some(first) = seen.insert(label.name.to_lowercase(), &label.name) {
                return Err(EngineError::Labels(format!(
                    "`{}` is there twice (as `{first}` before)",
                    label.name
                )));
            }
        }
        Ok(Self(labels))
    }

    /// Labels from one line, separated by commas.
    ///
    /// # Errors
    /// As [`LabelSet::new`].
    pub fn from_list(list: &str) -> Result<Self, EngineError> {
        if list.trim().is_empty() {
            return Self::new(Vec::new());
        }
        Self::new(list.split(',').map(|name| plain(name.trim())).collect())
    }

    /// Labels from a file, by its extension:
    ///
    /// - `.json`: `["dog", "rain"]`, or `{"dog": ["a dog barking", "howling"], "rain": "rain on a roof"}`
    /// - `.csv`: a header with a column `label`, and perhaps `prompt`; several rows of one label give it several prompts
    /// - otherwise text: one label a line, perhaps with prompts as in `dog: a dog barking; howling`; `#` after a
    ///   blank, or first in a line, starts a comment
    ///
    /// # Errors
    /// [`EngineError::Path`] when it cannot be read, [`EngineError::Labels`] when it cannot be understood.
    pub fn from_file(path: &Path) -> Result<Self, EngineError> {
        let text = std::fs::read_to_string(path).map_err(|e| EngineError::io(path, &e))?;
        // Editors on Windows put a byte-order mark first.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        let parsed = match extension.as_str() {
            "json" => parse_json(text),
            "csv" => parse_csv(text),
            _ => Ok(parse_text(text)),
        };
        parsed.and_then(Self::new).map_err(|e| match e {
            EngineError::Labels(reason) => EngineError::Labels(format!("{}: {reason}", path.display())),
            other => other,
        })
    }

    /// The labels.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.0
    }

    /// Encodes every prompt in every template (the model's own where none is given) and averages them by label.
    ///
    /// # Errors
    /// A template without `{}`; those of the text encoder.
    pub fn encode(&self, engine: &Engine, templates: &[String]) -> Result<EncodedLabels, EngineError> {
        let model = &engine.model().manifest().id;
        let (mut vectors, mut known) = (Vec::new(), Vec::new());
        for label in &self.0 {
            let prompts = label.prompts.iter().map(|prompt| engine.prompts(prompt, templates));
            let texts: Vec<String> = prompts.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
            let encoded = engine.encode_texts(&texts.iter().map(String::as_str).collect::<Vec<_>>())?;
            let of_prompts = encoded.chunks(templates.len().max(1)).zip(&label.prompts);
            known.extend(of_prompts.filter_map(|(encoded, prompt)| KnownText::of(prompt, encoded)));
            let encoded: Vec<Embedding> = encoded.into_iter().map(|one| one.vector).collect();
            vectors.push(mean(&encoded, model, &format!("the label `{}`", label.name))?);
        }
        let names: Vec<String> = self.0.iter().map(|l| l.name.clone()).collect();
        let readout = Readout::of_model(&engine.model().manifest().scores, names.len());
        Ok(EncodedLabels { names, vectors, readout, texts: known })
    }
}

fn plain(name: &str) -> Label {
    Label { name: name.to_owned(), prompts: vec![name.to_owned()] }
}

fn with_prompts(name: &str, prompts: Vec<String>) -> Label {
    if prompts.is_empty() { plain(name) } else { Label { name: name.to_owned(), prompts } }
}

fn parse_text(text: &str) -> Vec<Label> {
    text.lines()
        .map(|line| without_comment(line).trim())
        .filter(|line| !line.is_empty())
        .map(|line| match line.split_once(':') {
            Some((name, prompts)) => {
                let prompts =
                    prompts.split(';').map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).collect();
                with_prompts(name.trim(), prompts)
            }
            None => plain(line),
        })
        .collect()
}

/// The line up to a `#` that is first in it or follows a blank, so that `C# chord` stays whole.
fn without_comment(line: &str) -> &str {
    let starts = |(i, _): &(usize, &str)| line[..*i].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices('#').find(starts).map_or(line, |(i, _)| &line[..i])
}

fn parse_csv(text: &str) -> Result<Vec<Label>, EngineError> {
    let bad = |reason: String| EngineError::Labels(reason);
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let headers = reader.headers().map_err(|e| bad(e.to_string()))?.clone();
    let column = |name: &str| headers.iter().position(|h| h.eq_ignore_ascii_case(name));
    let Some(label_column) = column("label") else {
        let found = headers.iter().collect::<Vec<_>>().join(", ");
        return Err(bad(format!("expected a header with a column `label`, got: {found}")));
    };
    let prompt_column = column("prompt");
    let mut order: Vec<String> = Vec::new();
    let mut prompts: HashMap<String, Vec<String>> = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(|e| bad(e.to_string()))?;
        let name = record.get(label_column).unwrap_or_default().to_owned();
        let prompt = prompt_column.and_then(|c| record.get(c)).filter(|p| !p.is_empty());
        match (prompts.get_mut(&name), prompt) {
            (Some(known), Some(prompt)) => known.push(prompt.to_owned()),
            // A second row that adds no prompt is a duplicate, which `LabelSet::new` reports.
            (Some(_), None) => order.push(name),
            (None, prompt) => {
                prompts.insert(name.clone(), prompt.map(str::to_owned).into_iter().collect());
                order.push(name);
            }
        }
    }
    Ok(order.iter().map(|name| with_prompts(name, prompts.remove(name).unwrap_or_default())).collect())
}

fn parse_json(text: &str) -> Result<Vec<Label>, EngineError> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Prompts {
        One(String),
        Many(Vec<String>),
    }
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum File {
        List(Vec<String>),
        Map(Pairs<Prompts>),
    }
    match serde_json::from_str(text) {
        Ok(File::List(names)) => Ok(names.iter().map(|n| plain(n.trim())).collect()),
        Ok(File::Map(Pairs(pairs))) => Ok(pairs
            .into_iter()
            .map(|(name, prompts)| match prompts {
                Prompts::One(prompt) => with_prompts(name.trim(), vec![prompt]),
                Prompts::Many(prompts) => with_prompts(name.trim(), prompts),
            })
            .collect()),
        Err(e) => Err(EngineError::Labels(format!(
            "expected JSON such as [\"dog\", \"rain\"] or {{\"dog\": [\"a dog barking\"]}}: {e}"
        ))),
    }
}

/// The pairs of a JSON object in the order they stand, keys that come twice included.
struct Pairs<V>(Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<V> {
            type Value = Pairs<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(set: &LabelSet) -> Vec<&str> {
        set.labels().iter().map(|l| l.name.as_str()).collect()
    }

    fn file(name: &str, content: &str) -> Result<LabelSet, EngineError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        LabelSet::from_file(&path)
    }

    #[test]
    fn lists_are_split_at_commas() {
        assert_eq!(names(&LabelSet::from_list("dog, car horn ,rain").unwrap()), ["dog", "car horn", "rain"]);
    }

    #[test]
    fn empty_blank_and_double_labels_are_refused_by_name() {
        for (list, named) in [("", "empty"), ("  ", "empty"), ("dog,,cat", "empty"), ("dog, Dog", "`Dog`")] {
            let e = LabelSet::from_list(list).unwrap_err().to_string();
            assert!(e.contains(named), "{list:?}: {e}");
        }
    }

    #[test]
    fn text_files_may_give_prompts_and_comments() {
        let set = file("l.txt", "# mine\ndog: a dog barking; howling\n\nrain # wet\n").unwrap();
        assert_eq!(names(&set), ["dog", "rain"]);
        assert_eq!(set.labels()[0].prompts, ["a dog barking", "howling"]);
        assert_eq!(names(&file("l.txt", "\u{feff}C# chord\r\n#none\r\n").unwrap()), ["C# chord"]);
        assert_eq!(names(&file("l.json", "\u{feff}[\"dog\"]").unwrap()), ["dog"]);
    }

    #[test]
    fn csv_rows_of_one_label_are_its_prompts() {
        let set = file("l.csv", "label,prompt\ndog,a dog barking\nrain,\ndog,howling\n").unwrap();
        assert_eq!(names(&set), ["dog", "rain"]);
        assert_eq!(set.labels()[0].prompts, ["a dog barking", "howling"]);
        assert_eq!(set.labels()[1].prompts, ["rain"]);
        let e = file("l.csv", "name\ndog\n").unwrap_err().to_string();
        assert!(e.contains("`label`") && e.contains("l.csv"), "{e}");
        assert!(file("l.csv", "label\ndog\ndog\n").unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn json_may_be_a_list_or_a_map() {
        assert_eq!(names(&file("l.json", r#"["dog","rain"]"#).unwrap()), ["dog", "rain"]);
        let set = file("l.json", r#"{"dog":["woof","howl"],"rain":"drops"}"#).unwrap();
        assert_eq!(set.labels()[0].prompts, ["woof", "howl"]);
        assert_eq!(set.labels()[1].prompts, ["drops"]);
        assert_eq!(names(&file("l.json", r#"{"rain":"drops","dog":"woof"}"#).unwrap()), ["rain", "dog"]);
        let twice = file("l.json", r#"{"dog":"woof","dog":"howl"}"#).unwrap_err().to_string();
        assert!(twice.contains("`dog` is there twice"), "{twice}");
        assert!(file("l.json", "{3}").unwrap_err().to_string().contains("l.json"));
    }
}
