//! Files that are damaged, strange or in other codecs: what every command says of them, and what ffmpeg does.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::sandbox::{Sandbox, repo};

fn faulty(name: &str) -> Vec<u8> {
    std::fs::read(repo().join("tests/fixtures/faults").join(name)).unwrap()
}

/// The dog with noise over some of its bytes.
fn damaged_dog() -> Vec<u8> {
    let mut bytes = faulty("dog.ogg");
    let (from, to) = (bytes.len() * 6 / 10, bytes.len() * 7 / 10);
    bytes[from..to].iter_mut().enumerate().for_each(|(n, byte)| *byte = (n * 73 + 11) as u8);
    bytes
}

#[test]
fn every_command_says_what_is_missing_from_a_file() {
    let sandbox = Sandbox::new();
    sandbox.write("sounds/dog.ogg", damaged_dog());
    sandbox.write("sounds/late.mka", faulty("late.mka"));
    let index = sandbox.run(["index", "sounds"]);
    assert_eq!(index.code, Some(0), "{index:?}");
    for said in ["dog.ogg: damaged from 0.", "late.mka: its sound starts at 1.00 s"] {
        assert!(index.stderr.contains(said), "{index:?}");
    }
    for args in [
        vec!["classify", "sounds/dog.ogg", "--labels", "dog, rain"],
        vec!["events", "sounds/dog.ogg", "--labels", "dog, rain"],
        vec!["tag", "sounds/dog.ogg"],
        vec!["search", "--like", "sounds/dog.ogg"],
    ] {
        let run = sandbox.run(&args);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(run.stderr.contains("dog.ogg: damaged from 0."), "{args:?}: {run:?}");
    }
    let info = sandbox.json(["info", "sounds/dog.ogg", "--json"]);
    assert!(info["remarks"][0].as_str().unwrap().starts_with("damaged from"), "{info}");
    let events = sandbox.json(["events", "sounds/late.mka", "--labels", "dog", "--json"]);
    assert!(events["remarks"][0].as_str().unwrap().contains("starts at 1.00 s"), "{events}");
    let onset_s = events["events"][0]["onset_s"].as_f64().unwrap();
    assert!((0.8..1.5).contains(&onset_s), "{events}");
    let classified = sandbox.json(["classify", "sounds/dog.ogg", "--labels", "dog, rain", "--json"]);
    assert_eq!(classified["results"][0]["remarks"].as_array().unwrap().len(), 1, "{classified}");
    // What is sound is not remarked upon.
    sandbox.write("good.ogg", faulty("dog.ogg"));
    assert!(sandbox.json(["info", "good.ogg", "--json"])["remarks"].as_array().unwrap().is_empty());
}

/// A program that answers like ffmpeg, and does `does` to decode.
fn fake_ffmpeg(sandbox: &Sandbox, does: &str) -> PathBuf {
    let script = format!(
        "#!/bin/sh\nPATH=/usr/bin:/bin\nif [ \"$1\" = -version ]; then echo 'ffmpeg version 9.9 Copyright'; exit; fi\n{does}\n"
    );
    let path = sandbox.write("ffmpeg", script);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    path
}

/// The dog as ffmpeg writes it: an AU stream of floats.
fn dog_as_au() -> Vec<u8> {
    let wav = std::fs::read(repo().join("index-data/sounds/animals/dog-barking.wav")).unwrap();
    let mut au = b".snd".to_vec();
    au.extend([32_u32, u32::MAX, 6, 16_000, 1].map(u32::to_be_bytes).concat());
    au.extend([0; 8]);
    for sample in wav[44..].chunks_exact(2) {
        let sample = f32::from(i16::from_le_bytes([sample[0], sample[1]])) / 32_768.0;
        au.extend(sample.to_be_bytes());
    }
    au
}

const WAVPACK: &[u8] = b"wvpk\0 this is not really one, but only ffmpeg knows that";

#[test]
fn without_ffmpeg_the_message_names_the_codec_and_the_remedy() {
    let sandbox = Sandbox::new();
    sandbox.write("sounds/a.wv", WAVPACK);
    for command in [vec!["info", "sounds/a.wv"], vec!["classify", "sounds/a.wv", "--labels", "a, b"]] {
        let run = sandbox.run(&command);
        assert!(run.stderr.contains("a.wv: no decoder for WavPack; ffmpeg would decode it"), "{run:?}");
    }
    let index = sandbox.run(["index", "sounds"]);
    assert!(index.stderr.contains("no decoder for WavPack"), "{index:?}");
    let run = sandbox.run(["info", "sounds/a.wv", "--ffmpeg", "/nowhere/ffmpeg"]);
    assert!(run.code == Some(1) && run.stderr.contains("--ffmpeg: /nowhere/ffmpeg"), "{run:?}");
}

#[cfg(unix)]
#[test]
fn ffmpeg_decodes_what_earmark_does_not_and_the_record_says_so() {
    let sandbox = Sandbox::new();
    sandbox.write("sounds/a.wv", WAVPACK);
    sandbox.write("sounds/b.wav", std::fs::read(repo().join("index-data/sounds/weather/rain.flac")).unwrap());
    sandbox.write("dog.au", dog_as_au());
    let ffmpeg = fake_ffmpeg(&sandbox, &format!("exec cat '{}'", sandbox.path("dog.au").display()));
    let ffmpeg = ffmpeg.to_str().unwrap();
    let info = sandbox.json(["info", "sounds/a.wv", "--json", "--ffmpeg", ffmpeg]);
    assert_eq!(
        (info["format"].as_str(), info["codec"].as_str(), info["decoder"].as_str()),
        (Some("wv"), Some("WavPack"), Some("ffmpeg 9.9")),
        "{info}"
    );
    sandbox.ok(["index", "sounds", "--ffmpeg", ffmpeg]);
    let hits = sandbox.json(["search", "dog", "-k", "1", "--json"]);
    assert!(hits["hits"][0]["clip"]["path"].as_str().unwrap().ends_with("a.wv"), "{hits}");
    let list = sandbox.json(["list", "--json"]);
    let decoder = |name: &str| {
        let rows = list["items"].as_array().unwrap();
        let row = rows.iter().find(|row| row["path"].as_str().unwrap().ends_with(name)).unwrap();
        row.get("decoder").map(|decoder| decoder.as_str().unwrap().to_owned())
    };
    assert_eq!((decoder("a.wv").as_deref(), decoder("b.wav")), (Some("ffmpeg 9.9"), None), "{list}");
    assert!(sandbox.ok(["list"]).contains("wv (ffmpeg 9.9)"));
    // The record outlives an export, and `--no-ffmpeg` is obeyed.
    sandbox.ok(["export", "out"]);
    let run = sandbox.command(["import", "out"]).env("EARMARK_DB", sandbox.path("other")).output().unwrap();
    assert!(run.status.success(), "{run:?}");
    let run = sandbox.command(["list"]).env("EARMARK_DB", sandbox.path("other")).output().unwrap();
    assert!(String::from_utf8_lossy(&run.stdout).contains("wv (ffmpeg 9.9)"), "{run:?}");
    let run = sandbox.run(["info", "sounds/a.wv", "--no-ffmpeg"]);
    assert!(run.code == Some(1) && run.stderr.contains("turned off"), "{run:?}");
}

#[cfg(unix)]
#[test]
fn an_ffmpeg_that_fails_hangs_or_never_ends_is_bounded() {
    let sandbox = Sandbox::new();
    sandbox.write("a.wv", WAVPACK);
    sandbox.write("head", &dog_as_au()[..32]);
    let head = sandbox.path("head");
    let info = |does: &str| {
        let ffmpeg = fake_ffmpeg(&sandbox, does);
        let mut command = sandbox.command(["info", "a.wv", "--ffmpeg", ffmpeg.to_str().unwrap()]);
        let run = command.env("EARMARK_FFMPEG_PATIENCE_MS", "300").output().unwrap();
        (run.status.code(), String::from_utf8_lossy(&run.stderr).into_owned())
    };
    for (does, said) in [
        ("echo 'a.wv: Invalid data found' >&2; exit 1".to_owned(), "Invalid data found"),
        ("exit 1".to_owned(), "no reason given"),
        ("exit 0".to_owned(), "no sound"),
        ("echo hello".to_owned(), "no sound"),
        ("exec sleep 100".to_owned(), "wrote nothing"),
        (format!("cat '{}'; exec sleep 100", head.display()), "wrote nothing"),
        (format!("cat '{}'; exec cat /dev/zero", head.display()), "over the limit"),
        ("head -c 100000 /dev/zero >&2; exit 1".to_owned(), "what ffmpeg refuses"),
    ] {
        let begun = Instant::now();
        let (code, stderr) = info(&does);
        assert_eq!(code, Some(1), "{does}: {stderr}");
        assert!(stderr.contains(said), "{does}: {stderr}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{does}: {:?}", begun.elapsed());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn ffmpeg_ends_with_earmark() {
    let sandbox = Sandbox::new();
    sandbox.write("a.wv", WAVPACK);
    sandbox.write("head", &dog_as_au()[..32]);
    let (head, pid) = (sandbox.path("head"), sandbox.path("pid"));
    let does = format!("echo $$ > '{}'; cat '{}'; exec cat /dev/zero", pid.display(), head.display());
    let ffmpeg = fake_ffmpeg(&sandbox, &does);
    let mut command = sandbox.command(["events", "a.wv", "--labels", "dog", "--ffmpeg"]);
    let mut child = command.arg(ffmpeg).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let patience = Instant::now();
    let number = loop {
        assert!(patience.elapsed() < Duration::from_secs(30), "it was never started");
        match std::fs::read_to_string(&pid).ok().and_then(|text| text.trim().parse::<u32>().ok()) {
            Some(number) => break number,
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let is_running = || {
        let status = std::fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
    };
    while is_running() {
        assert!(patience.elapsed() < Duration::from_secs(40), "it outlived earmark");
        std::thread::sleep(Duration::from_millis(10));
    }
}
