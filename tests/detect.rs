//! A model with two window lengths, on sounds that are made here: tests/fixtures/models/tiny-detect hears
//! which of five bands is loud.

use std::f64::consts::TAU;
use std::path::Path;

use earmark_audio::{FeatureWindow, WindowStream};
use earmark_encoder::{AudioEncoder, AudioOutput, Model, ModelFiles, Runtime};
use earmark_engine::events::{EventOptions, detect, listen};
use earmark_engine::labels::{EncodedLabels, LabelSet};
use earmark_engine::{Encoded, Engine, EngineOptions, Keep, PipelineOptions, Source};
use serde_json::Value;

use crate::sandbox::{Sandbox, repo};

/// Hz; the model's own, so that nothing is resampled.
const RATE: u32 = 8000;

/// A tone in a sound: start and end in seconds, frequency in Hz.
type Tone = (f64, f64, f64);

const HUM: f64 = 200.0;
const HORN: f64 = 500.0;
const BEEP: f64 = 1000.0;
const WHISTLE: f64 = 1900.0;

/// A WAV file of `seconds` of quiet noise with `tones` in it.
fn wav(seconds: f64, tones: &[Tone]) -> Vec<u8> {
    let mut state = 1_u32;
    let samples: Vec<u8> = (0..(seconds * f64::from(RATE)) as usize)
        .flat_map(|i| {
            let t = i as f64 / f64::from(RATE);
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(state >> 8) / f64::from(1 << 24) - 0.5;
            let sounding = tones.iter().filter(|tone| tone.0 <= t && t < tone.1);
            let tone: f64 = sounding.map(|tone| (TAU * tone.2 * t).sin()).sum();
            ((32_767.0 * (0.004 * noise + 0.3 * tone)) as i16).to_le_bytes()
        })
        .collect();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + samples.len() as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(RATE.to_le_bytes());
    bytes.extend((2 * RATE).to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend((samples.len() as u32).to_le_bytes());
    bytes.extend(samples);
    bytes
}

fn source(seconds: f64, tones: &[Tone]) -> Source {
    Source::Bytes { name: "made.wav".to_owned(), bytes: wav(seconds, tones) }
}

fn folder() -> std::path::PathBuf {
    repo().join("tests/fixtures/models/tiny-detect")
}

fn open(folder: &Path) -> Model {
    Model::open(ModelFiles::Folder(folder.to_path_buf())).unwrap()
}

fn engine(threads: usize) -> Engine {
    let options = EngineOptions { threads, ..Default::default() };
    Engine::new(open(&folder()), Runtime::load(None).unwrap(), options)
}

fn encode(engine: &Engine, keep: Keep, source: Source) -> Encoded {
    engine.encode_one(source, &engine.pipeline_options(keep)).unwrap()
}

fn times(spans: &[earmark_engine::Span]) -> Vec<(f64, f64)> {
    spans.iter().map(|span| (span.start_s, span.end_s)).collect()
}

fn cut(mut stream: WindowStream, tones: &[Tone]) -> Vec<FeatureWindow> {
    let samples: Vec<f32> = wav(12.0, tones)[44..]
        .chunks_exact(2)
        .map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0)
        .collect();
    let mut windows = Vec::new();
    stream.push(&samples, &mut |window| windows.push(window));
    stream.finish(&mut |window| windows.push(window));
    windows
}

/// Rows of windows that are encoded in one call.
fn rows(encoder: &AudioEncoder, stream: &WindowStream, windows: &[FeatureWindow]) -> Vec<f32> {
    let features: Vec<f32> = windows.iter().flat_map(|w| w.features.iter().copied()).collect();
    let mut rows = Vec::new();
    encoder.encode_shaped(stream.shape(), &features, &mut rows).unwrap();
    rows
}

#[test]
fn a_row_is_the_same_bits_in_any_company_and_at_both_lengths_of_window() {
    let runtime = Runtime::load(None).unwrap();
    let model = open(&folder());
    let encoder = model.audio_encoder(&runtime, AudioOutput::Embedding).unwrap();
    let tones = [(0.0, 1.0, HUM), (3.0, 3.2, WHISTLE), (6.0, 11.0, BEEP)];
    let (short, long) = (model.detection_stream(None).unwrap().unwrap(), model.window_stream(None).unwrap());
    let (short_windows, long_windows) = (cut(short.clone(), &tones), cut(long.clone(), &tones));
    assert_eq!((short_windows.len(), long_windows.len()), (23, 3));
    let together = rows(&encoder, &short, &short_windows);
    let long_first = rows(&encoder, &long, &long_windows);
    let alone: Vec<f32> =
        short_windows.iter().flat_map(|w| rows(&encoder, &short, std::slice::from_ref(w))).collect();
    assert_eq!(together, alone);
    let in_pairs: Vec<f32> = short_windows.chunks(2).flat_map(|w| rows(&encoder, &short, w)).collect();
    assert_eq!(together, in_pairs);
    assert_eq!(long_first, rows(&encoder, &long, &long_windows));

    // The graph quantises on the fly: without `batch = false` the company would matter.
    let sandbox = Sandbox::new();
    sandbox.copy_fixtures("tiny-detect", "batched");
    let manifest = std::fs::read_to_string(folder().join("manifest.toml")).unwrap();
    assert!(manifest.contains("batch = false"));
    sandbox.write("batched/manifest.toml", manifest.replace("batch = false", "batch = true"));
    let batched = open(&sandbox.path("batched"));
    assert_ne!(model.vector_hash(), batched.vector_hash());
    let encoder = batched.audio_encoder(&runtime, AudioOutput::Embedding).unwrap();
    assert_ne!(rows(&encoder, &short, &short_windows), together);
}

#[test]
fn segments_of_five_seconds_end_with_the_sound_and_a_short_one_is_repeated() {
    let engine = engine(2);
    let tones = [(0.0, 12.0, HUM)];
    let long = encode(&engine, Keep::Segments, source(12.0, &tones));
    assert_eq!(times(&long.spans), [(0.0, 5.0), (5.0, 10.0), (7.0, 12.0)]);
    let short = encode(&engine, Keep::Segments, source(3.0, &tones));
    assert_eq!(times(&short.spans), [(0.0, 3.0)]);
    assert!(short.contexts.is_empty() && long.contexts.is_empty());
    // Three seconds with a tone in the first are like six of which two have one, cut to five.
    let mut repeated = wav(5.0, &[]);
    let once = wav(3.0, &[(0.0, 1.0, BEEP)]);
    for at in 0..repeated.len() - 44 {
        repeated[44 + at] = once[44 + at % (once.len() - 44)];
    }
    let name = "twice.wav".to_owned();
    let vector = |source| encode(&engine, Keep::Segments, source).spans.remove(0).vector;
    assert_eq!(vector(source(3.0, &[(0.0, 1.0, BEEP)])), vector(Source::Bytes { name, bytes: repeated }));
}

#[test]
fn detection_cuts_both_lengths_from_one_decode() {
    let engine = engine(2);
    let encoded = encode(&engine, Keep::Detection, source(8.2, &[(2.0, 4.0, HORN)]));
    let near = times(&encoded.spans);
    assert_eq!((near.len(), near[0], near[1]), (16, (0.0, 1.0), (0.5, 1.5)));
    assert!((near[15].0 - 7.2).abs() < 1e-9 && (near[15].1 - 8.2).abs() < 1e-9, "{near:?}");
    assert_eq!(times(&encoded.contexts)[..2], [(0.0, 5.0), (2.5, 7.5)]);
    assert!((encoded.contexts[2].start_s - 3.2).abs() < 1e-9, "{:?}", times(&encoded.contexts));
    // The whole sound repeated, where it is shorter than a context.
    let short = encode(&engine, Keep::Detection, source(0.6, &[(0.0, 0.6, HORN)]));
    assert_eq!((times(&short.spans), times(&short.contexts)), (vec![(0.0, 0.6)], vec![(0.0, 0.6)]));

    // A stretch of a file, and another hop.
    let options = PipelineOptions {
        range: Some((2.0, 8.0)),
        hop_samples: Some(8000),
        ..engine.pipeline_options(Keep::Detection)
    };
    let part = engine.encode_one(source(8.2, &[(2.0, 4.0, HORN)]), &options).unwrap();
    assert_eq!(times(&part.spans)[..2], [(2.0, 3.0), (3.0, 4.0)]);
    assert_eq!(times(&part.contexts), [(2.0, 7.0), (3.0, 8.0)]);
}

fn labels(engine: &Engine) -> EncodedLabels {
    let set = LabelSet::from_list("low hum, fog horn, telephone beep, whistle").unwrap();
    set.encode(engine, &[]).unwrap()
}

/// More labels than the model has components are compared afterwards.
#[test]
fn many_labels_are_found_where_few_are() {
    let engine = engine(2);
    let few = labels(&engine);
    let names: Vec<String> = few.names.iter().cloned().chain((0..8).map(|i| format!("thing {i}"))).collect();
    let many = LabelSet::from_list(&names.join(",")).unwrap().encode(&engine, &[]).unwrap();
    let settings = EventOptions::default().settle(engine.model().manifest()).unwrap();
    let heard = |labels: &EncodedLabels| {
        let sound = source(20.0, &[(3.0, 5.0, BEEP), (9.0, 15.0, HUM)]);
        listen(&engine, sound, &[labels], &settings).unwrap().track(&engine, 0, labels).unwrap()
    };
    assert_eq!(heard(&few).rows, heard(&many).rows[..4]);
}

/// Events as label, onset and offset.
fn find(engine: &Engine, source: Source, options: &EventOptions) -> Vec<(usize, f64, f64)> {
    let settings = options.settle(engine.model().manifest()).unwrap();
    let events = detect(engine, source, &labels(engine), &settings).unwrap().events;
    events.iter().map(|e| (e.label, e.onset_s, e.offset_s)).collect()
}

#[test]
fn events_come_out_where_they_are_on_any_number_of_threads() {
    let tones = [
        (10.0, 12.0, HORN),
        (20.3, 21.1, BEEP),
        (40.0, 46.0, WHISTLE),
        (47.5, 49.0, WHISTLE),
        (70.0, 71.5, HORN),
        (70.0, 71.5, WHISTLE),
    ];
    let found = find(&engine(1), source(90.0, &tones), &EventOptions::default());
    let expected = [(1, 10.0, 12.0), (2, 20.3, 21.1), (3, 40.0, 49.0), (1, 70.0, 71.5), (3, 70.0, 71.5)];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((label, onset, offset), (is, from, to)) in found.iter().zip(expected) {
        // Half a hop, and what is left of the reach.
        assert!(*label == is && (onset - from).abs() <= 0.45 && (offset - to).abs() <= 0.45, "{found:?}");
    }
    assert_eq!(found, find(&engine(2), source(90.0, &tones), &EventOptions::default()));

    // Without the gap joined, the whistle is two.
    let apart = EventOptions { merge_gap_s: Some(0.5), ..Default::default() };
    let found = find(&engine(2), source(90.0, &tones), &apart);
    assert_eq!(found.iter().filter(|event| event.0 == 3).count(), 3, "{found:?}");
}

#[test]
fn what_lasts_is_heard_and_a_short_sound_too() {
    let engine = engine(2);
    let found =
        find(&engine, source(30.0, &[(0.0, 30.0, HUM), (12.0, 14.0, BEEP)]), &EventOptions::default());
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0], (0, 0.0, 30.0), "it hums throughout");
    for seconds in [0.3, 1.0, 3.0, 5.0] {
        let found = find(&engine, source(seconds, &[(0.0, seconds, BEEP)]), &EventOptions::default());
        assert_eq!(found, [(2, 0.0, seconds)]);
    }
}

#[test]
fn an_evaluation_finds_what_the_program_finds() {
    let sandbox = Sandbox::new();
    sandbox.add_tiny("tiny-detect");
    sandbox.write("set/scene.wav", wav(60.0, &[(6.0, 8.0, BEEP), (15.0, 18.0, WHISTLE), (40.0, 41.0, HORN)]));
    // The horn is called a hum, so it is missed.
    let table = "file,onset,offset,label\nscene.wav,6.3,8.0,telephone beep\nscene.wav,15.9,18.0,whistle\n\
                 scene.wav,40,41,low hum\n";
    sandbox.write("set/events.csv", table);
    let eval = ["eval", "set/events.csv", "--model", "tiny-detect"];
    let report = sandbox.json(eval.into_iter().chain(["--json"]));
    let (results, protocol) = (&report["results"], &report["protocol"]);
    let near = |key: &str, value: f64| {
        assert!((results[key].as_f64().unwrap() - value).abs() < 1e-6, "{key}: {results}");
    };
    near("overlap_f1", 2.0 * 2.0 / (3.0 + 2.0));
    near("onset_f1", 2.0 * 1.0 / (3.0 + 2.0));
    near("false_alarms_per_hour", 0.0);
    let crop = protocol["crop"].as_str().unwrap();
    let windows =
        "windows of 1.000 s every 0.500 s over the whole file, within windows of 5.000 s every 2.500 s";
    assert!(crop.starts_with(windows), "{crop}");
    let text = sandbox.ok(eval);
    assert!(text.contains("overlap F1") && text.contains("false alarms an hour"), "{text}");
}

/// Cosines of labels by name.
fn cosines(answer: &Value) -> Vec<(String, f64)> {
    let mut scores: Vec<(String, f64)> = answer["scores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["label"].as_str().unwrap().to_owned(), s["cosine"].as_f64().unwrap()))
        .collect();
    scores.sort_by(|a, b| a.0.cmp(&b.0));
    scores
}

#[test]
fn a_file_and_its_clip_in_the_index_are_classified_alike() {
    let sandbox = Sandbox::new();
    sandbox.add_tiny("tiny-detect");
    let tones = [(0.0, 4.0, HUM), (4.5, 9.0, BEEP), (10.5, 12.0, WHISTLE)];
    sandbox.write("sounds/made.wav", wav(12.0, &tones));
    sandbox.ok(["index", "sounds", "--model", "tiny-detect"]);
    let labels = ["--labels", "low hum, telephone beep, whistle", "--json", "--model", "tiny-detect"];
    for pooling in ["mean", "max", "attention"] {
        let ask = |what: &str| {
            let mut args = vec!["classify", what, "--pooling", pooling];
            args.extend(labels);
            cosines(&sandbox.json(args)["results"][0])
        };
        for (file, clip) in ask("sounds/made.wav").iter().zip(ask("--indexed")) {
            assert!(file.0 == clip.0 && (file.1 - clip.1).abs() < 1e-4, "{pooling}: {file:?} and {clip:?}");
        }
    }
    let hits = sandbox.json(["search", "whistle", "--model", "tiny-detect", "--json"]);
    let hit = &hits["hits"][0];
    assert_eq!((hit["start_s"].as_f64(), hit["end_s"].as_f64()), (Some(7.0), Some(12.0)), "{hits}");
}

#[test]
fn the_program_finds_events_at_two_scales_with_words_and_with_a_fitted_set() {
    let sandbox = Sandbox::new();
    sandbox.add_tiny("tiny-detect");
    let tones = [(6.0, 8.0, BEEP), (15.0, 18.0, WHISTLE)];
    sandbox.write("scene.wav", wav(30.0, &tones));
    let near = |document: &Value, label: &str, from: f64, to: f64| {
        let events: Vec<&Value> =
            document["events"].as_array().unwrap().iter().filter(|e| e["label"] == label).collect();
        let [event] = events[..] else { panic!("one {label}, not {document}") };
        let (onset, offset) = (event["onset_s"].as_f64().unwrap(), event["offset_s"].as_f64().unwrap());
        assert!((onset - from).abs() <= 0.5 && (offset - to).abs() <= 0.5, "{label}: {document}");
    };
    let ask = ["events", "scene.wav", "--model", "tiny-detect", "--json"];
    let document = sandbox.json(ask.into_iter().chain(["--labels", "telephone beep, whistle"]));
    near(&document, "telephone beep", 6.0, 8.0);
    near(&document, "whistle", 15.0, 18.0);
    let none = sandbox.json(ask.into_iter().chain(["--labels", "fog horn"]));
    assert_eq!(none["events"].as_array().unwrap().len(), 0, "{none}");

    for i in 0..6 {
        let seconds = 1.0 + 0.5 * f64::from(i);
        let cents = 1.0 + 0.01 * f64::from(i);
        sandbox.write(&format!("set/beep/{i}.wav"), wav(seconds, &[(0.1, seconds - 0.2, BEEP * cents)]));
        sandbox
            .write(&format!("set/whistle/{i}.wav"), wav(seconds, &[(0.1, seconds - 0.2, WHISTLE * cents)]));
    }
    sandbox.ok(["fit", "set", "--save", "tones", "--model", "tiny-detect"]);
    let document = sandbox.json(ask.into_iter().chain(["--label-set", "tones"]));
    near(&document, "beep", 6.0, 8.0);
    near(&document, "whistle", 15.0, 18.0);

    let shown = sandbox.ok(["models", "show", "tiny-detect"]);
    assert!(
        shown.contains("windows of 1.00 s every 0.50 s within windows of 5.00 s every 2.50 s"),
        "{shown}"
    );
    let check = sandbox.ok(["models", "check", "tiny-detect"]);
    assert!(check.contains("detection windows"), "{check}");
}
