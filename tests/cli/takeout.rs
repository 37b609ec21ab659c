//! Hits of a search, played, copied and cut.

use std::fs;
use std::path::Path;

use crate::cli::beside::serve;
use crate::cli::recovery::signal;
use crate::sandbox::{Run, Sandbox, sample};

const DOG: &str = "animals/dog-barking.wav";
const BELL: &str = "music/church-bell.flac";

fn library() -> Sandbox {
    Sandbox::indexed(&[DOG, BELL, "weather/rain.flac"])
}

/// Names of the files in a folder of the sandbox, sorted.
fn names(sandbox: &Sandbox, dir: &str) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path(dir)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn read(sandbox: &Sandbox, name: &str) -> Vec<u8> {
    fs::read(sandbox.path(name)).unwrap()
}

/// The samples of a WAV file without other chunks behind them.
fn samples(file: &[u8]) -> &[u8] {
    let at = file.windows(4).position(|name| name == b"data").unwrap();
    let len = u32::from_le_bytes(file[at + 4..at + 8].try_into().unwrap()) as usize;
    &file[at + 8..at + 8 + len]
}

#[test]
fn files_are_copied_once_and_nothing_is_overwritten() {
    let sandbox = library();
    let other = sandbox.write("picks/new/dog-barking.wav", "another file");
    let copy = ["search", "dog barking", "-k", "1", "--copy-to", "picks/new"];
    let printed = sandbox.ok(copy);
    assert!(
        printed.ends_with("copied sounds/dog-barking.wav to picks/new/dog-barking (2).wav\n"),
        "{printed}"
    );
    assert_eq!(fs::read_to_string(other).unwrap(), "another file");
    assert_eq!(read(&sandbox, "picks/new/dog-barking (2).wav"), fs::read(sample(DOG)).unwrap());

    let again = sandbox.ok(copy);
    assert!(again.ends_with("already there: picks/new/dog-barking (2).wav\n"), "{again}");
    // Several stretches of one file are one copy.
    let all = ["search", "bell", "--segments", "--min-score=-1", "-k", "20", "--copy-to", "all"];
    assert!(sandbox.ok(all).matches("copied").count() == 3);
    assert_eq!(names(&sandbox, "all"), ["church-bell.flac", "dog-barking.wav", "rain.flac"]);
    assert_eq!(names(&sandbox, "picks/new"), ["dog-barking (2).wav", "dog-barking.wav"]);
}

#[test]
fn stretches_are_cut_bit_for_bit_with_a_margin() {
    let sandbox = library();
    let hit = sandbox.json(["search", "dog barking", "-k", "1", "--json"])["hits"][0].clone();
    let (start, end) = (hit["start_s"].as_f64().unwrap(), hit["end_s"].as_f64().unwrap());
    let length = hit["clip"]["duration_s"].as_f64().unwrap();
    for margin in [0.0, 0.25, 9.0] {
        let dir = format!("cut-{margin}");
        let args = ["search", "dog barking", "-k", "1", "--cut-to", &dir, "--margin", &margin.to_string()];
        let printed = sandbox.ok(args);
        let (from, to) = ((start - margin).max(0.0), (end + margin).min(length));
        let name = format!("dog-barking {from:.1}-{to:.1}.wav");
        assert_eq!(names(&sandbox, &dir), [name.as_str()], "{printed}");
        assert!(printed.ends_with(&format!("to {dir}/{name}\n")), "{printed}");
        let source = fs::read(sample(DOG)).unwrap();
        let rate = f64::from(u32::from_le_bytes(source[24..28].try_into().unwrap()));
        let block = usize::from(u16::from_le_bytes(source[32..34].try_into().unwrap()));
        let at = |seconds: f64| (seconds * rate).round() as usize * block;
        let expected = &samples(&source)[at(from)..at(to)];
        let cut = read(&sandbox, &format!("{dir}/{name}"));
        assert!(samples(&cut) == expected, "margin {margin}");
        assert_eq!(&cut[20..36], &source[20..36], "the format is not that of the source");
        assert!(sandbox.ok(args).contains("already there"));
    }
    let error = sandbox.fails(2, ["search", "dog", "--margin", "1"]);
    assert!(error.contains("--cut-to"), "{error}");
    let error = sandbox.fails(2, ["search", "dog", "--cut-to", "cut", "--margin", "wide"]);
    assert!(error.contains("--margin") && error.contains("expected a time"), "{error}");
}

#[test]
fn a_file_that_is_gone_is_reported_and_the_others_are_taken() {
    let sandbox = library();
    fs::remove_file(sandbox.path("sounds/dog-barking.wav")).unwrap();
    for flags in [["--copy-to", "out"], ["--cut-to", "out"]] {
        let run = sandbox.run(["search", "dog", "--min-score=-1"].iter().chain(&flags));
        assert_eq!(run.code, Some(3), "{run:#?}");
        let failed = run.stderr.lines().filter(|line| line.starts_with("failed: ")).collect::<Vec<_>>();
        assert!(
            failed.len() == 1 && failed[0].contains("dog-barking.wav: the file is not there"),
            "{run:#?}"
        );
    }
    assert_eq!(names(&sandbox, "out").len(), 4);
    sandbox.write("file", "");
    for flag in ["--copy-to", "--cut-to"] {
        let error = sandbox.fails(2, ["search", "bell", flag, "file"]);
        assert!(error.contains(&format!("{flag} file: expected a folder")), "{error}");
    }
}

#[test]
fn other_formats_stay_as_they_are() {
    let sandbox = library();
    for format in ["--json", "--csv", "--paths0", "--m3u"] {
        let plain = sandbox.ok(["search", "bell", format]);
        let run = sandbox.run(["search", "bell", format, "--copy-to", format.trim_start_matches('-')]);
        assert_eq!((run.code, &run.stdout), (Some(0), &plain), "{run:#?}");
        assert!(run.stderr.contains("copied"), "{run:#?}");
    }
}

#[test]
fn a_playlist_has_the_start_and_the_stop_of_each_hit() {
    let sandbox = library();
    let playlist = sandbox.ok(["search", "church bell", "-k", "1", "--m3u"]);
    let hit = sandbox.json(["search", "church bell", "-k", "1", "--json"])["hits"][0].clone();
    let (start, end) = (hit["start_s"].as_f64().unwrap(), hit["end_s"].as_f64().unwrap());
    let expected = [
        "#EXTM3U".to_owned(),
        format!("#EXTINF:{},church-bell.flac", (end - start).round()),
        format!("#EXTVLCOPT:start-time={start:.1}"),
        format!("#EXTVLCOPT:stop-time={end:.1}"),
        hit["clip"]["path"].as_str().unwrap().to_owned(),
    ];
    assert_eq!(playlist.lines().collect::<Vec<_>>(), expected);
}

/// Searches for a bell and plays what is found, with `player` as EARMARK_PLAYER.
#[cfg(unix)]
fn play(sandbox: &Sandbox, player: &str) -> Run {
    let mut command = sandbox.command(["search", "bell", "--min-score=-1", "-k", "2", "--play"]);
    command.env("EARMARK_PLAYER", player).output().unwrap().into()
}

/// A script in the sandbox, as a command line.
#[cfg(unix)]
fn script(sandbox: &Sandbox, text: &str) -> String {
    format!("sh '{}'", sandbox.write("player.sh", text).display())
}

#[cfg(unix)]
#[test]
fn a_player_gets_each_stretch_in_turn() {
    let sandbox = library();
    let log = script(&sandbox, "for a; do printf '%s|' \"$a\"; done >> log; echo >> log; echo chatter\n");
    let run = play(&sandbox, &format!("{log} {{file}} {{start}} {{duration}}"));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let hits = sandbox.json(["search", "bell", "--min-score=-1", "-k", "2", "--json"]);
    let expected: Vec<String> = hits["hits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| {
            let (start, end) = (hit["start_s"].as_f64().unwrap(), hit["end_s"].as_f64().unwrap());
            format!("{}|{start:.3}|{:.3}|", hit["clip"]["path"].as_str().unwrap(), end - start)
        })
        .collect();
    let log = fs::read_to_string(sandbox.path("log")).unwrap();
    assert_eq!(log.lines().collect::<Vec<_>>(), expected);
    assert!(run.stdout.contains("playing 1  ") && run.stdout.contains("playing 2  "), "{run:#?}");
    assert!(!run.stdout.contains("chatter") && run.stderr.contains("chatter"), "{run:#?}");
}

#[cfg(unix)]
#[test]
fn a_player_that_cannot_seek_gets_the_stretch_alone() {
    let sandbox = library();
    let copy = script(&sandbox, "cp \"$1\" played.wav; echo \"$1\" > name\n");
    assert_eq!(play(&sandbox, &copy).code, Some(0));
    assert!(read(&sandbox, "played.wav").starts_with(b"RIFF"));
    let name = fs::read_to_string(sandbox.path("name")).unwrap();
    assert!(!Path::new(name.trim()).exists(), "{name} was left behind");
}

#[cfg(unix)]
#[test]
fn a_player_that_fails_or_is_missing_is_named() {
    let sandbox = library();
    let failed = play(&sandbox, "false");
    assert_eq!(failed.code, Some(3), "{failed:#?}");
    assert_eq!(failed.stderr.matches("false ended with exit status: 1").count(), 2, "{failed:#?}");
    let missing = play(&sandbox, "no-such-player-1");
    assert!(missing.stderr.contains("no-such-player-1 cannot be started"), "{missing:#?}");
    let quote = play(&sandbox, "mpv '{file}");
    assert!(quote.code == Some(2) && quote.stderr.contains("EARMARK_PLAYER"), "{quote:#?}");

    let mut none = sandbox.command(["search", "bell", "--play"]);
    let none: Run = none.env("EARMARK_PLAYER", "").env("PATH", "/nonexistent").output().unwrap().into();
    assert_eq!(none.code, Some(2), "{none:#?}");
    assert!(none.stderr.contains("install ffmpeg") && none.stderr.contains("EARMARK_PLAYER"), "{none:#?}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_playing() {
    let sandbox = library();
    let slow = script(&sandbox, "echo > started; exec sleep 60\n");
    let mut command = sandbox.command(["search", "bell", "--min-score=-1", "--play"]);
    let mut child = command.env("EARMARK_PLAYER", slow).spawn().unwrap();
    let begun = std::time::Instant::now();
    while !sandbox.path("started").exists() {
        assert!(begun.elapsed().as_secs() < 60, "it never began to play");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(begun.elapsed().as_secs() < 50, "it played to the end");
}

#[cfg(unix)]
#[test]
fn files_of_a_server_are_fetched() {
    let sandbox = library();
    let (mut server, address) = serve(&sandbox);
    let url = format!("http://{address}");
    let elsewhere = Sandbox::new();
    let args = ["search", "church bell", "-k", "1", "--server", &url, "--copy-to", "out", "--cut-to", "cut"];
    let printed = elsewhere.ok(args);
    assert!(printed.contains("to out/church-bell.flac"), "{printed}");
    assert_eq!(read(&elsewhere, "out/church-bell.flac"), fs::read(sample(BELL)).unwrap());
    assert_eq!(names(&elsewhere, "cut").len(), 1);

    fs::remove_file(sandbox.path("sounds/church-bell.flac")).unwrap();
    let error = elsewhere.fails(3, args);
    assert!(error.contains("answers 404") && error.contains("the clip's file is gone"), "{error}");
    signal(&server, "-TERM");
    server.wait().unwrap();
}
