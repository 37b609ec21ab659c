//! `earmark duplicates`: what is found, what is not, and what others can pipe.

use std::path::Path;

use serde_json::Value;

use crate::sandbox::{Sandbox, audio_fixture, file_name, sample, sample_arg};

/// A WAV file of 16-bit mono samples.
fn wav(samples: &[f64], rate: u32) -> Vec<u8> {
    let data: Vec<u8> = samples
        .iter()
        .flat_map(|s| ((s * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16).to_le_bytes())
        .collect();
    let mut bytes = Vec::new();
    bytes.extend(b"RIFF");
    bytes.extend((36 + data.len() as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(rate.to_le_bytes());
    bytes.extend((2 * rate).to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes
}

/// The samples of a WAV file of 16-bit mono samples with a plain header, and its rate.
fn samples(path: &Path) -> (Vec<f64>, u32) {
    let bytes = std::fs::read(path).unwrap();
    let data = bytes.windows(4).position(|w| w == b"data").unwrap() + 8;
    let rate = u32::from_le_bytes(bytes[24..28].try_into().unwrap());
    assert_eq!(u16::from_le_bytes(bytes[22..24].try_into().unwrap()), 1, "mono");
    let sample = |pair: &[u8]| f64::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0;
    (bytes[data..].chunks_exact(2).map(sample).collect(), rate)
}

/// Every other sample, behind a low-pass: a sinc of 63 taps under a Hann window.
fn at_half_the_rate(samples: &[f64]) -> Vec<f64> {
    use std::f64::consts::PI;
    let tap = |n: i32| {
        let x = 0.9 * PI * f64::from(n) / 2.0;
        let sinc = if n == 0 { 1.0 } else { x.sin() / x };
        0.45 * sinc * (0.5 + 0.5 * (PI * f64::from(n) / 32.0).cos())
    };
    let taps: Vec<f64> = (-31..=31).map(tap).collect();
    let at = |place: usize| {
        let sample = |n: usize| (place + n).checked_sub(31).and_then(|at| samples.get(at)).copied();
        taps.iter().enumerate().map(|(n, tap)| tap * sample(n).unwrap_or(0.0)).sum()
    };
    (0..samples.len()).step_by(2).map(at).collect()
}

/// A library with a sound in several forms, and others.
fn library() -> Sandbox {
    let sandbox = Sandbox::new();
    let original = sandbox.add_sample("animals/dog-barking.wav");
    let (sound, rate) = samples(&original);
    let silence = vec![0.0; rate as usize];
    let half = at_half_the_rate(&sound);
    sandbox.write("sounds/copies/dog.wav", std::fs::read(&original).unwrap());
    sandbox.write("sounds/quiet.wav", wav(&sound.iter().map(|s| s * 0.4).collect::<Vec<_>>(), rate));
    sandbox.write("sounds/cut.wav", wav(&sound[sound.len() / 5..], rate));
    sandbox.write("sounds/padded.wav", wav(&[silence, sound].concat(), rate));
    sandbox.write("sounds/half-rate.wav", wav(&half, rate / 2));
    for other in [
        "household/clock-ticking.wav",
        "household/knocking.flac",
        "alarms/siren-wail.mp3",
        "weather/rain.flac",
    ] {
        sandbox.add_sample(other);
    }
    sandbox.ok(["index", "sounds"]);
    sandbox
}

fn relations(group: &Value) -> Vec<(String, String)> {
    let of = |clip: &Value| (file_name(&clip["clip"]["path"]), clip["relation"].as_str().unwrap().to_owned());
    group["clips"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn one_sound_in_many_forms_is_one_group_and_others_are_in_none() {
    let sandbox = library();
    let answer = sandbox.json(["duplicates", "--json"]);
    let groups = answer["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{answer:#}");
    assert_eq!(
        file_name(&groups[0]["keep"]["path"]),
        "quiet.wav",
        "the shortest path of those that are whole"
    );
    let mut found = relations(&groups[0]);
    found.sort();
    let expected = [
        ("cut.wav", "trim"),
        ("dog-barking.wav", "gain"),
        ("dog.wav", "gain"),
        ("half-rate.wav", "gain"),
        ("padded.wav", "padding"),
    ];
    let expected = expected.map(|(name, relation)| (name.to_owned(), relation.to_owned()));
    assert_eq!(found, expected);
    assert_eq!(answer["clips"], 10);
}

#[test]
fn the_clips_that_are_left_say_how_they_differ() {
    let sandbox = library();
    let relations = |path: &str| {
        let answer = sandbox.json(["duplicates", "--json", "--path", path]);
        let groups = answer["groups"].as_array().unwrap().clone();
        let keep = file_name(&groups[0]["keep"]["path"]);
        (keep, relations(&groups[0]), groups[0]["clips"][0].clone())
    };
    let (keep, found, clip) = relations("**/{quiet,dog-barking}.wav");
    assert_eq!((keep.as_str(), found[0].1.as_str()), ("quiet.wav", "gain"));
    assert!((clip["gain_db"].as_f64().unwrap() - 7.96).abs() < 0.1, "{clip}");
    let (keep, found, clip) = relations("**/{cut,dog-barking}.wav");
    assert_eq!((keep.as_str(), found[0].1.as_str()), ("dog-barking.wav", "trim"));
    assert!(clip["offset_s"].as_f64().unwrap() > 0.5, "{clip}");
    let (keep, found, _) = relations("**/{half-rate,dog-barking}.wav");
    assert_eq!((keep.as_str(), found[0].1.as_str()), ("dog-barking.wav", "encoding"));
    let (keep, found, _) = relations("**/{dog,dog-barking}.wav");
    assert_eq!((keep.as_str(), found[0].1.as_str()), ("dog.wav", "copy"));
}

#[test]
fn keep_decides_which_clip_comes_first() {
    let sandbox = library();
    let kept = |keep: &str| {
        let args = ["duplicates", "--json", "--keep", keep, "--path", "**/{half-rate,dog-barking,cut}.wav"];
        file_name(&sandbox.json(args)["groups"][0]["keep"]["path"])
    };
    assert_eq!(kept("rate"), "cut.wav");
    assert_eq!(kept("rate,length"), "dog-barking.wav");
    assert_eq!(kept("size"), "dog-barking.wav");
    let error = sandbox.fails(2, ["duplicates", "--keep", "beauty"]);
    assert!(error.contains("length") && error.contains("format"), "{error}");
}

#[test]
fn the_superfluous_clips_can_be_piped_and_a_table_read() {
    let sandbox = library();
    let paths = sandbox.ok(["duplicates", "--paths0", "--path", "**/{half-rate,dog-barking}.wav"]);
    assert_eq!(paths, format!("{}\0", sandbox.path("sounds/half-rate.wav").display()));
    let run = sandbox.run(["duplicates", "--path", "**/{half-rate,dog-barking}.wav"]);
    assert!(run.stdout.starts_with("keep ") && run.stdout.contains("\n  encoding  1.00 "), "{run:#?}");
    assert_eq!(run.stderr, "1 group with 1 clip to spare, of 2 clips\n");
    let csv = sandbox.ok(["duplicates", "--csv"]);
    assert_eq!(csv.lines().count(), 7, "{csv}");
    let run = sandbox.run(["duplicates", "--path", "*.flac"]);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", "no duplicates among 2 clips\n"));
}

#[test]
fn a_file_that_is_gone_is_neither_kept_nor_piped() {
    let sandbox = library();
    std::fs::remove_file(sandbox.path("sounds/dog-barking.wav")).unwrap();
    let only = ["--path", "**/{dog,dog-barking}.wav"];
    let answer = sandbox.json([&["duplicates", "--json"][..], &only].concat());
    assert_eq!(file_name(&answer["groups"][0]["keep"]["path"]), "dog.wav");
    assert_eq!(answer["groups"][0]["clips"][0]["relation"], "unverified");
    assert_eq!(sandbox.ok([&["duplicates", "--paths0"][..], &only].concat()), "");
}

#[test]
fn without_the_files_copies_are_found_and_cuts_are_not() {
    let sandbox = library();
    let answer = sandbox.json(["duplicates", "--no-verify", "--json"]);
    let found: Vec<_> = answer["groups"].as_array().unwrap().iter().flat_map(relations).collect();
    assert!(found.contains(&("dog-barking.wav".to_owned(), "copy".to_owned())), "{found:?}");
    assert!(!found.iter().any(|(name, _)| name == "cut.wav" || name == "padded.wav"), "{found:?}");
}

#[test]
fn other_encodings_of_one_recording_are_one_group() {
    let sandbox = Sandbox::new();
    let names = ["flac_s16.flac", "mp3_vbr.mp3", "opus.opus", "vorbis.ogg", "wav_s16.wav"];
    let there: Vec<&str> = names.into_iter().filter(|name| audio_fixture(name).exists()).collect();
    assert!(there.len() >= 3, "{there:?}");
    let files: Vec<String> =
        there.iter().map(|name| audio_fixture(name).to_str().unwrap().to_owned()).collect();
    sandbox.ok(["index".to_owned()].into_iter().chain(files));
    let answer = sandbox.json(["duplicates", "--json"]);
    assert_eq!(answer["groups"].as_array().unwrap().len(), 1, "{answer:#}");
    assert_eq!(answer["groups"][0]["clips"].as_array().unwrap().len(), there.len() - 1, "{answer:#}");
}

#[test]
fn the_sample_sounds_have_no_duplicates() {
    let sandbox = Sandbox::new();
    sandbox.ok(["index", &sample_arg("")]);
    let answer = sandbox.json(["duplicates", "--json"]);
    assert_eq!(answer["groups"].as_array().unwrap().len(), 0, "{answer:#}");
    assert!(sample("").is_dir());
}
