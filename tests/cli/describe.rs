//! `earmark describe`: a sentence and facts about a recording.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::sandbox::{Sandbox, sample, sample_arg};

fn described(sandbox: &Sandbox, sound: &str) -> Value {
    let mut all = sandbox.json(["describe", &sample_arg(sound), "--json"]);
    all["results"][0].take()
}

fn events(description: &Value, class: &str) -> Vec<(f64, f64)> {
    let all = description["events"].as_array().unwrap().iter();
    let times = |e: &Value| (e["onset_s"].as_f64().unwrap(), e["offset_s"].as_f64().unwrap());
    all.filter(|event| event["class"] == class).map(times).collect()
}

/// A 16-bit WAV of one channel.
fn wav(samples: &[i16]) -> Vec<u8> {
    let size = 2 * samples.len() as u32;
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + size).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(16_000_u32.to_le_bytes());
    bytes.extend(32_000_u32.to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend(size.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes
}

#[test]
fn a_dog_barks_while_it_rains() {
    let found = described(&Sandbox::new(), "events/dog-in-rain.wav");
    let sentence = found["sentence"].as_str().unwrap();
    assert_eq!(sentence, "A dog barks at 0:02 while it rains throughout.");
    let barks = events(&found, "Bark");
    assert!(
        barks.len() == 1 && (barks[0].0 - 2.3).abs() < 0.5 && (barks[0].1 - 2.8).abs() < 0.5,
        "{found:#}"
    );
    assert!(events(&found, "Animal").is_empty() && events(&found, "Dog").is_empty(), "{found:#}");
    assert_eq!(found["speech_share"], 0.0);
}

#[test]
fn an_evening_is_told_in_order() {
    let found = described(&Sandbox::new(), "events/evening-at-home.ogg");
    let sentence = found["sentence"].as_str().unwrap();
    let places: Vec<usize> = ["telephone", "bell ", "siren", "speaks"]
        .iter()
        .map(|word| sentence.find(word).unwrap_or_else(|| panic!("no {word}: {sentence}")))
        .collect();
    assert!(places.is_sorted(), "{sentence}");
    let speech = found["speech_share"].as_f64().unwrap();
    assert!((speech - 3.05 / found["duration_s"].as_f64().unwrap()).abs() < 0.06, "{found:#}");
}

#[test]
fn speech_and_music_have_their_shares() {
    let sandbox = Sandbox::new();
    let share = |sound: &str, what: &str| described(&sandbox, sound)[what].as_f64().unwrap();
    assert!(share("voice/woman-english.flac", "speech_share") > 0.8);
    assert!(share("voice/woman-english.flac", "music_share") < 0.2);
    assert!(share("music/violin.m4a", "music_share") > 0.8);
    assert!(share("music/violin.m4a", "speech_share") < 0.05);
}

#[test]
fn levels_silence_and_clipping_are_measured() {
    let sandbox = Sandbox::new();
    let tone = |peak: f64, count: usize| -> Vec<i16> {
        let step = 440.0 * std::f64::consts::TAU / 16_000.0;
        (0..count)
            .map(|i| ((i as f64 * step).sin() * peak).round().clamp(-32_767.0, 32_767.0) as i16)
            .collect()
    };
    sandbox.write("silence.wav", wav(&[0; 80_000]));
    sandbox.write("half.wav", wav(&[tone(16_384.0, 48_000), vec![0; 48_000]].concat()));
    sandbox.write("clipped.wav", wav(&tone(100_000.0, 80_000)));
    sandbox.write("short.wav", wav(&tone(16_384.0, 1600)));
    let one = |file: &str| sandbox.json(["describe", file, "--json"])["results"][0].take();

    let silence = one("silence.wav");
    assert_eq!(silence["sentence"], "There is nothing but digital silence.");
    assert_eq!(
        (&silence["level"]["peak_dbfs"], &silence["silence"]["share"]),
        (&Value::Null, &Value::from(1.0))
    );
    assert_eq!(silence["events"], Value::Array(Vec::new()));

    let half = one("half.wav");
    let near = |value: &Value, expected: f64| (value.as_f64().unwrap() - expected).abs() < 0.02;
    assert!(near(&half["level"]["peak_dbfs"], -6.02) && near(&half["level"]["rms_dbfs"], -12.04), "{half:#}");
    assert_eq!(half["silence"]["stretches"][0]["start_s"], 3.0);
    assert!(half["sentence"].as_str().unwrap().contains("silence from 0:03 on"), "{half:#}");

    let clipped = one("clipped.wav");
    assert!(clipped["level"]["clipped_share"].as_f64().unwrap() > 0.5);
    assert!(clipped["sentence"].as_str().unwrap().ends_with("; the recording is clipped."), "{clipped:#}");

    let short = one("short.wav");
    assert_eq!(short["duration_s"], 0.1);
    assert!(!short["sentence"].as_str().unwrap().contains("0:00"), "{short:#}");
}

#[test]
fn the_sentence_comes_first_and_then_the_facts() {
    let sandbox = Sandbox::new();
    let (dog, bell) = (sample_arg("events/dog-in-rain.wav"), sample_arg("music/church-bell.flac"));
    let one = sandbox.ok(["describe", &dog]);
    assert!(one.starts_with("A dog barks at 0:02 while it rains throughout.\n  length   "), "{one}");
    for fact in ["peak -", "RMS -", "LUFS", "  silence  ", "  speech   0 %", "  Bark\n"] {
        assert!(one.contains(fact), "no `{fact}`: {one}");
    }
    let both = sandbox.ok(["describe", &dog, &bell]);
    assert!(both.contains("dog-in-rain.wav:\nA dog barks") && both.contains("church-bell.flac:\n"), "{both}");
    let lines = sandbox.ok(["describe", &dog, &bell, "--jsonl"]);
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{lines}");
    assert_eq!(lines.lines().count(), 2);
}

#[test]
fn an_account_does_not_depend_on_threads_or_on_where_the_bytes_come_from() {
    let sandbox = Sandbox::new();
    let evening = sample_arg("events/evening-at-home.ogg");
    let one = sandbox.ok(["describe", &evening, "--json", "--threads", "1"]);
    assert_eq!(one, sandbox.ok(["describe", &evening, "--json", "--threads", "4"]));

    let mut child = sandbox
        .command(["describe", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = std::fs::read(sample("events/evening-at-home.ogg")).unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    let (mut piped, mut named): (Value, Value) =
        (serde_json::from_slice(&output.stdout).unwrap(), serde_json::from_str(&one).unwrap());
    assert_eq!(piped["results"][0]["source"].take(), "standard input");
    named["results"][0]["source"].take();
    assert_eq!(piped, named);
}

#[test]
fn other_taggers_describe_too_and_bad_files_are_named() {
    let sandbox = Sandbox::new();
    let drums = sample_arg("music/drum-beat.mp3");
    let found = sandbox.json(["describe", &drums, "--model", "musicnn", "--json"]);
    assert_eq!(
        (&found["model"], &found["results"][0]["speech_share"]),
        (&Value::from("musicnn"), &Value::Null)
    );
    assert!(!found["results"][0]["sentence"].as_str().unwrap().contains('“'), "{found:#}");

    sandbox.write("noise.txt.wav", b"no sound");
    let run = sandbox.run(["describe", "noise.txt.wav", &drums, "--jsonl"]);
    assert_eq!((run.code, run.stdout.lines().count()), (Some(3), 2), "{run:?}");
    assert!(run.stderr.contains("failed: noise.txt.wav"), "{run:?}");
}
