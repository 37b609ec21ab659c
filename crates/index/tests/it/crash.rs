//! kill -9 at random moments, and death at every step of a commit: what was acknowledged is there, whole and
//! once.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use earmark_index::{Change, Filter, IndexReader, IndexWriter, OpenOptions, SearchMode, Snapshot, Writer};

use crate::common::{Rng, expect_clean, identity, put, search};

const DIM: usize = 64;

/// For a longer run, set `EARMARK_CRASH_ROUNDS`, as `cargo xtask soak` does.
const ROUNDS: u64 = 50;

fn open(dir: &Path) -> Writer {
    Writer::create_or_open(dir, &identity(DIM), &OpenOptions::default()).unwrap()
}

/// Not a test: the process to kill. Says `ack PATH SEGMENTS` for each clip of a batch once the batch is
/// acknowledged, where 0 segments stand for a removed clip.
#[test]
#[ignore = "run by the test below"]
fn child() {
    let Ok(dir) = std::env::var("EARMARK_CRASH_DIR") else { return };
    let round: u64 = std::env::var("EARMARK_CRASH_ROUND").unwrap().parse().unwrap();
    let mut rng = Rng(round);
    let mut index = open(Path::new(&dir));
    println!("open");
    loop {
        let mut lines = String::new();
        let mut changes = Vec::new();
        for _ in 0..1 + rng.next() % 8 {
            let path = format!("/{}.wav", rng.next() % 200);
            let old = index.snapshot().unwrap().clip_by_path(&path).unwrap();
            match old.filter(|_| rng.next().is_multiple_of(4) && !lines.contains(&format!("{path} "))) {
                Some(old) => {
                    changes.push(Change::Remove(old.id));
                    lines += &format!("ack {path} 0\n");
                }
                // Now and then a long recording, of several of sled's log segments.
                None if !lines.contains(&format!("{path} ")) => {
                    let segments = if rng.next().is_multiple_of(40) { 3000 } else { 1 + rng.next() % 30 };
                    let mut change = put(&path, &mut rng, DIM, segments as usize);
                    // With tags, so that removals write more than what they remove.
                    if let Change::Put { meta, .. } = &mut change {
                        meta.tags = vec![path.clone()];
                        meta.content_hash = [(rng.next() % 50) as u8; 32];
                    }
                    changes.push(change);
                    lines += &format!("ack {path} {segments}\n");
                }
                None => {}
            }
        }
        index.apply(changes).unwrap();
        print!("{lines}");
        std::io::stdout().flush().unwrap();
        if rng.next().is_multiple_of(10) {
            index.rebuild().unwrap();
            search(&index, &rng.clustered(DIM, 20), SearchMode::Exact);
        }
        if rng.next().is_multiple_of(6) {
            index.tidy().unwrap();
            index = open(Path::new(&dir));
        }
    }
}

/// What is acknowledged, and the index that it is in.
struct Trial {
    dir: tempfile::TempDir,
    /// Segments by path; 0 for a clip that was removed.
    known: HashMap<String, usize>,
    acknowledged: usize,
    /// Rounds in which the child died.
    deaths: usize,
}

impl Trial {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), known: HashMap::new(), acknowledged: 0, deaths: 0 }
    }

    /// Runs the child until it dies: at a step of a commit, or killed after a while.
    fn round(&mut self, round: u64, die_at: Option<&str>, kill_after: Duration) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["crash::child", "--exact", "--ignored", "--nocapture"])
            .env("EARMARK_CRASH_DIR", self.dir.path())
            .env("EARMARK_CRASH_ROUND", round.to_string())
            .env("EARMARK_DIE_AT", die_at.unwrap_or_default())
            // Even a small store is written anew when it is mostly dead.
            .env("EARMARK_SMALL_STORE", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let killer = std::thread::spawn(move || {
            let start = Instant::now();
            while start.elapsed() < kill_after {
                if child.try_wait().unwrap().is_some() {
                    return true;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            child.kill().unwrap();
            child.wait().unwrap();
            false
        });
        let mut line = String::new();
        // A line that was cut off is no acknowledgement.
        while output.read_line(&mut line).is_ok() && line.ends_with('\n') {
            let mut words = line.split_whitespace();
            if let (Some("ack"), Some(path), Some(segments)) = (words.next(), words.next(), words.next()) {
                self.known.insert(path.to_string(), segments.parse().unwrap());
                self.acknowledged += 1;
            }
            line.clear();
        }
        self.deaths += usize::from(killer.join().unwrap());
        self.check(&format!("round {round}, {die_at:?}"));
    }

    fn check(&mut self, how: &str) {
        let dir = self.dir.path();
        // What a reader sees before anybody mends anything is sound, and some committed state.
        if dir.join("published/list").exists() {
            let snapshot = Snapshot::load_published(dir).unwrap();
            let audit = snapshot.audit().unwrap();
            assert!(audit.is_clean(), "{how}: {audit:?}");
        }
        let index = open(dir);
        let events = index.take_events();
        assert_eq!(events, [], "{how}");
        expect_clean(&index);
        let clips = index.snapshot().unwrap().clips(&Filter::default()).unwrap();
        let mut stored: HashMap<String, usize> = HashMap::new();
        for clip in clips {
            assert!(stored.insert(clip.meta.path, clip.segments as usize).is_none(), "{how}: doubled");
        }
        // One batch may be on disk though its acknowledgement was not read: at most eight clips may differ.
        let mut differing = 0;
        for number in 0..200 {
            let path = format!("/{number}.wav");
            let there = stored.get(&path).copied().unwrap_or(0);
            if there != self.known.get(&path).copied().unwrap_or(0) {
                differing += 1;
                self.known.insert(path, there);
            }
        }
        assert!(differing <= 8, "{how}: {differing} clips are not as acknowledged");
    }
}

#[test]
fn acknowledged_batches_survive_kill_9() {
    let mut trial = Trial::new();
    let mut rng = Rng(7);
    let asked = std::env::var("EARMARK_CRASH_ROUNDS").ok().map(|rounds| rounds.parse().unwrap());
    let deadline = Instant::now() + Duration::from_secs(40);
    for round in 0..asked.unwrap_or(ROUNDS) {
        trial.round(round, None, Duration::from_millis(5 + rng.next() % 200));
        if (round + 1) % 100 == 0 {
            println!("{} kills, {} acknowledged changes", round + 1, trial.acknowledged);
        }
        if asked.is_none() && Instant::now() > deadline {
            println!("stopped after {round} rounds: the machine is slow");
            break;
        }
    }
    assert!(trial.acknowledged > 0);
    println!("{} acknowledged changes, {} clips at the end", trial.acknowledged, trial.known.len());
}

#[test]
fn acknowledged_batches_survive_death_at_every_step_of_a_commit_and_of_tidying() {
    let mut trial = Trial::new();
    let mut rng = Rng(11);
    let commit = ["store", "witness", "segment", "merge", "tombstones", "files", "list", "sweep"];
    let tidy = ["copied", "replaced", "removed"];
    let steps = commit.iter().chain(&tidy);
    for (round, step) in steps.clone().chain(steps).enumerate() {
        let deaths = trial.deaths;
        let die_at = format!("{step}:{}", 1 + rng.next() % 3);
        trial.round(1000 + round as u64, Some(&die_at), Duration::from_secs(60));
        assert_eq!(trial.deaths, deaths + 1, "it never came to {die_at}");
    }
}
