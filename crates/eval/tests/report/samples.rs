//! Reports of made-up runs.

use earmark_eval::metrics::{self, Caption, Event, Recording};
use earmark_eval::report::{
    ClipResult, EvalReport, FileUsed, Interval, PromptResult, Protocol, Results, Skipped,
};

/// Numbers in `0..1` that look random and are always the same.
fn noise(i: usize, j: usize) -> f64 {
    let mixed = (i as u64 * 1_000_003 + j as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

const NAMES: [&str; 10] = [
    "dog barking",
    "rain",
    "crying baby",
    "door wood creaks",
    "clock ticking",
    "helicopter",
    "chainsaw",
    "rooster",
    "crackling fire",
    "sneezing",
];

fn names(count: usize) -> Vec<String> {
    (0..count)
        .map(|i| match i / NAMES.len() {
            0 => NAMES[i].to_owned(),
            round => format!("{} {round}", NAMES[i % NAMES.len()]),
        })
        .collect()
}

fn clips(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("/sounds/esc50/audio/1-{:05}-A-{}.wav", 977 * i % 99_991, i % 50)).collect()
}

fn report(results: Results, clips: usize) -> EvalReport {
    EvalReport {
        protocol: Protocol {
            earmark: "0.1.0".to_owned(),
            dataset: "ESC-50".to_owned(),
            layout: "esc50".to_owned(),
            task: "one label a clip".to_owned(),
            audio: None,
            mapping: None,
            names: Some(FileUsed { path: "/sounds/names.tsv".to_owned(), hash: "89ab".to_owned() }),
            split: Some("folds 1 to 5".to_owned()),
            model: "mini".to_owned(),
            manifest_hash: "0123abcd4567ef89".to_owned(),
            prompts: vec!["the sound of {}".to_owned(), "a recording of {}".to_owned()],
            pooling: "attention over windows".to_owned(),
            crop: "whole clips, windows of 0.975 s every 0.49 s".to_owned(),
            precision: "float32".to_owned(),
            clips,
            from_index: clips / 3,
            clips_in_dataset: clips + 1,
            seed: None,
            folds: Some(5),
            fold_choice: None,
            group_by: None,
            untaught: 0,
            fitted: None,
            label_set: None,
        },
        results,
        prompts: Vec::new(),
        skipped: vec![Skipped {
            path: "/sounds/genres/jazz/jazz.00054.wav".to_owned(),
            reason: "malformed: no RIFF header in the first 12 bytes; get the file again".to_owned(),
        }],
        beside: vec![Skipped {
            path: "/sounds/genres/README & notes.wav".to_owned(),
            reason: "in no class's folder; move it into one".to_owned(),
        }],
    }
}

/// Right in most clips; neighbouring classes are confused.
pub(crate) fn classification(classes: usize, clips_count: usize) -> EvalReport {
    let truth: Vec<usize> = (0..clips_count).map(|i| i % classes).collect();
    let probabilities: Vec<Vec<f32>> = truth
        .iter()
        .enumerate()
        .map(|(clip, &own)| {
            let hard = 2.5 * noise(own, 3);
            let score = |class: usize| {
                let near = class.abs_diff(own);
                let bonus = if near == 0 {
                    4.6 - hard
                } else if near <= 2 {
                    1.6 * noise(own, class)
                } else {
                    0.0
                };
                (bonus + 3.0 * noise(clip, class)).exp()
            };
            let scores: Vec<f64> = (0..classes).map(score).collect();
            let sum = 1.05 * scores.iter().sum::<f64>();
            scores.iter().map(|s| (s / sum) as f32).collect()
        })
        .collect();
    let folds: Vec<usize> = (0..clips_count).map(|i| i % 5).collect();
    let names = names(classes);
    let mut r =
        metrics::classification(&names, &clips(clips_count), &probabilities, &truth, Some(&folds)).unwrap();
    // One in five is not accepted.
    let accepted: Vec<bool> = (0..clips_count).map(|i| i % 5 > 0).collect();
    r.answers = Some(metrics::answers(&probabilities, &truth, &accepted).unwrap());
    let prompts = [("the sound of {}", 0.72), ("{}", 0.70), ("a recording of {} | this is {}", 0.66)];
    EvalReport {
        prompts: prompts
            .map(|(templates, value)| PromptResult {
                templates: templates.split(" | ").map(str::to_owned).collect(),
                metric: "top-1".to_owned(),
                value: Interval { value, low: value - 0.02, high: value + 0.02 },
            })
            .to_vec(),
        ..report(Results::Classification(r), clips_count)
    }
}

pub(crate) fn multi_label() -> EvalReport {
    let (classes, count) = (12, 150);
    let truth: Vec<Vec<usize>> =
        (0..count).map(|i| (0..classes - 1).filter(|&c| noise(i, c) < 0.2).collect()).collect();
    let probability = |i: usize, c: usize| {
        let bonus = if truth[i].contains(&c) { 2.2 } else { 0.0 };
        (1.0 / (1.0 + (3.0 - bonus - 3.0 * noise(i + 31, c + 7)).exp())) as f32
    };
    let probabilities: Vec<Vec<f32>> =
        (0..count).map(|i| (0..classes).map(|c| probability(i, c)).collect()).collect();
    let r = metrics::multi_label(&names(classes), &clips(count), &probabilities, &truth, 0.5).unwrap();
    report(Results::MultiLabel(r), count)
}

pub(crate) fn retrieval() -> EvalReport {
    let count = 60;
    let captions: Vec<Caption> = (0..count * 5)
        .map(|i| Caption {
            text: format!("A {} is heard near the house, take {i}", NAMES[i % 10]),
            clip: i / 5,
        })
        .collect();
    let scores: Vec<Vec<f32>> = captions
        .iter()
        .enumerate()
        .map(|(i, c)| {
            (0..count)
                .map(|j| (noise(i, j) * 0.5 + if c.clip == j { 0.4 * noise(i, 5) } else { 0.0 }) as f32)
                .collect()
        })
        .collect();
    let r = metrics::retrieval(&clips(count), &captions, &scores).unwrap();
    report(Results::Retrieval(r), count)
}

pub(crate) fn events() -> EvalReport {
    let recordings: Vec<Recording> = (0..8)
        .map(|r| {
            let truth: Vec<Event> = (0..6)
                .map(|e| {
                    let onset_s = 10.0 * noise(r, e);
                    Event { class: (r + e) % 5, onset_s, offset_s: onset_s + 0.3 + 2.0 * noise(e, r) }
                })
                .collect();
            let shifted = |(i, e): (usize, &Event)| {
                let class = if noise(r, i + 50) < 0.2 { (e.class + 1) % 5 } else { e.class };
                let shift = 0.5 * noise(i, r + 9) - 0.2;
                Event { class, onset_s: (e.onset_s + shift).max(0.0), offset_s: e.offset_s + shift }
            };
            Recording {
                name: format!("/sounds/street/recording-{r}.flac"),
                duration_s: 12.5,
                found: truth.iter().enumerate().skip(r % 3).map(shifted).collect(),
                expected: truth,
            }
        })
        .collect();
    let r = metrics::events(&names(6), &recordings).unwrap();
    report(Results::Events(r), recordings.len())
}

/// Names that try to be more than text, everywhere.
pub(crate) fn hostile() -> EvalReport {
    let evil = "<script>alert(1)</script>\"'&amp;\u{1b}[2J\u{0}\n\u{202e}";
    let mut report = classification(3, 9);
    let p = &mut report.protocol;
    for text in
        [&mut p.dataset, &mut p.layout, &mut p.model, &mut p.manifest_hash, &mut p.pooling, &mut p.crop]
    {
        *text = evil.to_owned();
    }
    p.prompts = vec![evil.to_owned()];
    p.names = Some(FileUsed { path: evil.to_owned(), hash: evil.to_owned() });
    (p.split, p.fitted) = (Some(evil.to_owned()), Some(evil.to_owned()));
    if let Results::Classification(r) = &mut report.results {
        r.classes.iter_mut().for_each(|c| {
            c.name.push_str(evil);
            c.text = Some(evil.to_owned());
        });
        r.confusion[0][1] += 1;
        let clip = |path: &str| ClipResult {
            path: path.to_owned(),
            expected: evil.to_owned(),
            predicted: evil.to_owned(),
            probability: 0.5,
            expected_probability: 0.25,
        };
        r.worst =
            vec![clip("/sounds/a\" onplay=\"x&y<#?>%.wav"), clip("/sounds/\u{fffd}\u{fffd}.wav"), clip(evil)];
    }
    report.prompts[0].templates = vec![evil.to_owned()];
    report.prompts[0].metric = evil.to_owned();
    report.skipped[0].path = evil.to_owned();
    report.skipped[0].reason = evil.to_owned();
    report
}
