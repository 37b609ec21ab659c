//! `--play`: the matching stretches, one after the other.

use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use earmark_audio::ReadOptions;
use earmark_library::Hit;
use tempfile::Builder;

use super::player::{Player, Stretch};
use super::{Takeout, cut};
use crate::output;
use crate::units::clock;

/// Time between looks at whether the player has ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Time that a player has to end by itself after Ctrl-C, which it gets as well.
const GRACE: Duration = Duration::from_secs(1);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    Interrupted,
}

pub(super) fn run(takeout: &mut Takeout<'_>, hits: &[Hit], read: &ReadOptions) -> Result<Ended> {
    let player = Player::find()?;
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).context("cannot listen for Ctrl-C")?;
    for (i, hit) in hits.iter().enumerate() {
        let Some(source) = takeout.file(&hit.clip) else { continue };
        let stretch = format!("{} - {}", clock(hit.start_s), clock(hit.end_s));
        takeout.say(&format!("playing {}  {stretch}  {}", i + 1, output::short(&hit.clip.path)))?;
        match play(&player, &source, hit, read, &stop) {
            Ok(Ended::Done) => {}
            Ok(Ended::Interrupted) => return Ok(Ended::Interrupted),
            Err(e) => takeout.failed(&hit.clip.path, &output::chain(&e)),
        }
    }
    Ok(Ended::Done)
}

fn play(player: &Player, source: &Path, hit: &Hit, read: &ReadOptions, stop: &AtomicBool) -> Result<Ended> {
    let stretch = Stretch { start_s: hit.start_s, duration_s: hit.end_s - hit.start_s };
    if player.seeks() {
        return wait(player, player.start(source, stretch)?, stop);
    }
    let file = Builder::new().prefix("earmark-").suffix(".wav").tempfile();
    let file = file.context("no temporary file can be made")?;
    let (file, _) = cut::write(source, hit.start_s..hit.end_s, read, file)?;
    // Closed: on some systems an open file cannot be read by others.
    let file = file.into_temp_path();
    wait(player, player.start(&file, stretch)?, stop)
}

fn wait(player: &Player, mut child: Child, stop: &AtomicBool) -> Result<Ended> {
    let mut stopped_at = None;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if stop.load(Ordering::Relaxed) {
            let since = *stopped_at.get_or_insert_with(Instant::now);
            if since.elapsed() > GRACE {
                // It may just have ended.
                let _ = child.kill();
            }
        }
        thread::sleep(LOOK_EVERY);
    };
    if stop.load(Ordering::Relaxed) {
        return Ok(Ended::Interrupted);
    }
    anyhow::ensure!(status.success(), "{} ended with {status}", player.name());
    Ok(Ended::Done)
}
