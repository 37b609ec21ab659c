//! kill -9 at random moments: what was acknowledged is there, whole and once.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use earmark_index::{Change, Index, IndexEvent, OpenOptions, SearchMode};

use crate::common::{Rng, identity, put, search};

const DIM: usize = 64;

/// For a longer run, set `EARMARK_CRASH_ROUNDS`.
const ROUNDS: u64 = 12;

fn open(dir: &Path) -> Index {
    Index::create_or_open(dir, &identity(DIM), &OpenOptions::default()).unwrap()
}

/// Not a test: the process to kill. Says `ack PATH SEGMENTS` for each clip of a batch once the batch is
/// acknowledged, where 0 segments stand for a removed clip.
#[test]
#[ignore = "run by the test below"]
fn child() {
    let Ok(dir) = std::env::var("EARMARK_CRASH_DIR") else { return };
    let round: u64 = std::env::var("EARMARK_CRASH_ROUND").unwrap().parse().unwrap();
    let mut rng = Rng(round);
    let index = open(Path::new(&dir));
    println!("open");
    loop {
        let mut lines = String::new();
        let mut changes = Vec::new();
        for _ in 0..1 + rng.next() % 8 {
            let path = format!("/{}.wav", rng.next() % 200);
            let old = index.clip_by_path(&path).unwrap();
            match old.filter(|_| rng.next().is_multiple_of(4) && !lines.contains(&format!("{path} "))) {
                Some(old) => {
                    changes.push(Change::Remove(old.id));
                    lines += &format!("ack {path} 0\n");
                }
                // Now and then a long recording, of several of sled's log segments.
                None if !lines.contains(&format!("{path} ")) => {
                    let segments = if rng.next().is_multiple_of(40) { 3000 } else { 1 + rng.next() % 30 };
                    changes.push(put(&path, &mut rng, DIM, segments as usize));
                    lines += &format!("ack {path} {segments}\n");
                }
                None => {}
            }
        }
        index.apply(changes).unwrap();
        print!("{lines}");
        std::io::stdout().flush().unwrap();
        if rng.next().is_multiple_of(10) {
            index.refresh_graph().unwrap();
            search(&index, &rng.clustered(DIM, 20), SearchMode::Exact);
        }
    }
}

#[test]
fn acknowledged_batches_survive_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = Rng(7);
    // What is acknowledged, by path.
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut acknowledged = 0;
    let asked = std::env::var("EARMARK_CRASH_ROUNDS").ok().map(|rounds| rounds.parse().unwrap());
    let deadline = Instant::now() + Duration::from_secs(15);
    for round in 0..asked.unwrap_or(ROUNDS) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::child", "--exact", "--ignored", "--nocapture"])
            .env("EARMARK_CRASH_DIR", dir.path())
            .env("EARMARK_CRASH_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20 + rng.next() % 350));
            child.kill().unwrap();
            child.wait().unwrap();
            rng
        });
        let mut line = String::new();
        // A line that was cut off is no acknowledgement.
        while output.read_line(&mut line).is_ok() && line.ends_with('\n') {
            let mut words = line.split_whitespace();
            if let (Some("ack"), Some(path), Some(segments)) = (words.next(), words.next(), words.next()) {
                known.insert(path.to_string(), segments.parse().unwrap());
                acknowledged += 1;
            }
            line.clear();
        }
        rng = killer.join().unwrap();

        let index = open(dir.path());
        let audit = index.audit().unwrap();
        assert!(audit.is_clean(), "round {round}: {audit:?}");
        let events = index.take_events();
        assert!(!events.iter().any(|e| matches!(e, IndexEvent::BatchesLost { .. })), "{events:?}");
        let mut stored: HashMap<String, usize> = HashMap::new();
        for clip in index.clips().unwrap().map(Result::unwrap) {
            let segments = index.segments(clip.id).unwrap().len();
            assert!(stored.insert(clip.meta.path, segments).is_none(), "doubled");
        }
        // One batch may be on disk though its acknowledgement was not read: at most eight clips may differ.
        let mut differing = 0;
        for number in 0..200 {
            let path = format!("/{number}.wav");
            let there = stored.get(&path).copied().unwrap_or(0);
            if there != known.get(&path).copied().unwrap_or(0) {
                differing += 1;
                known.insert(path, there);
            }
        }
        assert!(differing <= 8, "round {round}: {differing} clips are not as acknowledged");
        if asked.is_none() && Instant::now() > deadline {
            println!("stopped after {round} rounds: the machine is slow");
            break;
        }
    }
    assert!(acknowledged > 0);
    println!("{acknowledged} acknowledged changes, {} clips at the end", known.len());
}
