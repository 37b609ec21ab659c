//! Sounds for tests.

use earmark_index::{Clip, ClipMeta};

use super::frames::RATE;
use crate::random::Random;

/// Bursts of noise, two a second, another sound for each seed. At [`RATE`].
pub(super) fn bursts(seed: u64, seconds: f64) -> Vec<f32> {
    let mut random = Random::new(seed);
    let period = RATE as usize / 2;
    let noise = |random: &mut Random| random.below(2001) as f32 / 1000.0 - 1.0;
    let mut loudness = 0.0;
    let samples = (seconds * f64::from(RATE)) as usize;
    let mut decay = 0.0;
    (0..samples)
        .map(|n| {
            if n % period == 0 {
                loudness = 0.3 + random.below(700) as f32 / 1000.0;
                decay = 1.0 + random.below(300) as f32 / 100.0;
            }
            let age = (n % period) as f32 / period as f32;
            0.5 * loudness * (-decay * age).exp() * noise(&mut random)
        })
        .collect()
}

/// Digital silence at [`RATE`].
pub(super) fn silence(seconds: f64) -> Vec<f32> {
    vec![0.0; (seconds * f64::from(RATE)) as usize]
}

/// A clip that is in no index.
pub(super) fn clip(path: &str, format: &str, sample_rate: u32, duration_s: f64) -> Clip {
    let meta = ClipMeta {
        path: path.to_owned(),
        content_hash: *blake3::hash(path.as_bytes()).as_bytes(),
        mtime_ns: 0,
        size: 1000,
        duration_s,
        sample_rate,
        channels: 1,
        format: format.to_owned(),
        decoder: None,
        tags: Vec::new(),
        indexed_unix_s: 0,
    };
    Clip { id: 1, meta, segments: 1 }
}
