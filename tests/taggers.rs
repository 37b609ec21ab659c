//! The bundled taggers against their reference implementations: on the project's own sounds always, on real clips where
//! they are at hand. `models/yamnet/README.md` and `models/musicnn/README.md` say how the references were run.

use std::path::PathBuf;

use earmark_encoder::{Catalogue, Runtime};
use earmark_engine::tag::{Tagger, Tags};
use earmark_engine::{EngineOptions, Source};

use crate::sandbox::{Sandbox, repo, sample_arg};

/// Least share of clips whose best class is the reference's. The others are near ties: closer than twice the tolerance.
const LEAST_SAME_BEST: f64 = 0.99;

/// What a reference implementation says of a clip.
struct Reference {
    /// `dev-sounds/…`, `sonic-pi/…`, or a path in the checkout.
    file: String,
    /// Windows that its scores are the mean of.
    windows: usize,
    /// Its six best classes with their scores, best first.
    best: Vec<(String, f32)>,
}

impl Reference {
    /// Where the clip is; `None` where real clips are not at hand.
    fn path(&self) -> Option<PathBuf> {
        if let Some(name) = self.file.strip_prefix("dev-sounds/") {
            return Some(repo().join("../shared/dev-sounds").join(name)).filter(|path| path.exists());
        }
        if let Some(name) = self.file.strip_prefix("sonic-pi/") {
            return Some(PathBuf::from("/usr/share/sonic-pi/samples").join(name))
                .filter(|path| path.exists());
        }
        Some(repo().join(&self.file))
    }
}

fn references(model: &str) -> Vec<Reference> {
    let path = repo().join("tests/fixtures").join(model).join("reference.tsv");
    let text = std::fs::read_to_string(path).unwrap();
    let parse = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let best = fields[2..].chunks_exact(2).map(|pair| (pair[0].to_owned(), pair[1].parse().unwrap()));
        Reference { file: fields[0].to_owned(), windows: fields[1].parse().unwrap(), best: best.collect() }
    };
    text.lines().filter(|line| !line.starts_with('#')).map(parse).collect()
}

/// Mean score of each class over the first `windows` windows.
fn mean_scores(tags: &Tags, windows: usize) -> Vec<f32> {
    let mut mean = vec![0.0; tags.scores.len()];
    for score in tags.windows[..windows].iter().flat_map(|window| &window.scores) {
        mean[score.class] += score.score / windows as f32;
    }
    mean
}

/// Compares every clip that is there; a score may differ by `tolerance`. musicnn drops what is left of a clip after its
/// last whole window, where earmark adds one more window: it is left out here (`tail_is_extra`).
fn assert_agrees(model: &str, tolerance: f32, tail_is_extra: bool) {
    let catalogue = Catalogue::default();
    let runtime = Runtime::load(None).unwrap();
    let tagger = Tagger::new(catalogue.open(model).unwrap(), runtime, EngineOptions::default()).unwrap();
    let all = references(model);
    let (there, missing): (Vec<_>, Vec<_>) = all.iter().partition(|reference| reference.path().is_some());
    if !missing.is_empty() {
        let count = missing.len();
        eprintln!(
            "skipped: {count} clips of ../shared/dev-sounds and Debian's sonic-pi-samples are not there"
        );
    }
    assert!(there.len() >= 50, "only {} clips", there.len());
    let sources = there.iter().filter_map(|reference| reference.path()).map(Source::Path).collect();
    let (mut same_best, mut shared, mut worst) = (0, 0, 0.0_f32);
    for (reference, tags) in there.iter().zip(tagger.tag(sources).unwrap()) {
        let (file, tags) = (&reference.file, tags.unwrap());
        let extra = tags.windows.len() - reference.windows;
        assert!(extra == 0 || (extra == 1 && tail_is_extra), "{file}: {} windows", tags.windows.len());
        let ours = mean_scores(&tags, reference.windows);
        let class = |name: &str| tagger.classes().iter().position(|c| c == name).unwrap();
        for (name, score) in &reference.best {
            let difference = (ours[class(name)] - score).abs();
            assert!(difference <= tolerance, "{file}: {name} is {} and not {score}", ours[class(name)]);
            worst = worst.max(difference);
        }
        let mut ranked: Vec<usize> = (0..ours.len()).collect();
        ranked.sort_by(|&a, &b| ours[b].total_cmp(&ours[a]));
        let five: Vec<usize> = reference.best[..5].iter().map(|(name, _)| class(name)).collect();
        for &unshared in ranked[..5].iter().filter(|c| !five.contains(c)) {
            let fifth = reference.best[4].1;
            let name = &tagger.classes()[unshared];
            assert!(ours[unshared] <= fifth + tolerance, "{file}: {name} is among the best five");
        }
        shared += ranked[..5].iter().filter(|c| five.contains(c)).count();
        same_best += usize::from(ranked[0] == five[0]);
    }
    let clips = there.len();
    eprintln!(
        "{model}: {clips} clips, same best class {same_best}, shared of five {:.3}, largest difference {worst:.4}",
        shared as f64 / clips as f64
    );
    assert!(
        same_best as f64 >= LEAST_SAME_BEST * clips as f64,
        "the same best class for {same_best} of {clips}"
    );
}

#[test]
fn yamnet_scores_as_its_reference() {
    assert_agrees("yamnet", 0.006, false);
}

#[test]
fn musicnn_scores_as_its_reference() {
    assert_agrees("musicnn", 0.002, true);
}

#[test]
fn the_program_tags_with_each() {
    let sandbox = Sandbox::new();
    let best = |model: &str, sound: &str| {
        let answers = sandbox.json(["tag", &sample_arg(sound), "--model", model, "--json"]);
        answers["results"][0]["tags"][0]["class"].as_str().unwrap().to_owned()
    };
    assert_eq!(best("ced-tiny", "household/applause.mp3"), "Applause");
    assert_eq!(best("yamnet", "household/applause.mp3"), "Applause");
    assert_eq!(best("musicnn", "music/flute.opus"), "flute");
}

#[test]
fn taggers_take_free_text_through_the_names_of_their_classes() {
    let sandbox = Sandbox::new();
    let best = |model: &str, sound: &str, labels: &str| {
        let arguments = ["classify", &sample_arg(sound), "--labels", labels, "--model", model, "--json"];
        sandbox.json(arguments)["results"][0]["scores"][0]["label"].as_str().unwrap().to_owned()
    };
    assert_eq!(best("ced-tiny", "weather/rain.flac", "heavy rain,a cat,a violin"), "heavy rain");
    assert_eq!(best("yamnet", "weather/rain.flac", "heavy rain,a cat,a violin"), "heavy rain");
    assert_eq!(best("musicnn", "music/drum-beat.mp3", "beating drums,harpsichord,a choir"), "beating drums");
}
