//! Sound files: all of them, whatever they are, through the reader and the resampler.

use std::sync::Once;

use earmark_audio::{AudioError, AudioReader, Limits, ReadOptions};

use crate::panics;

/// The rate that most models want.
const RATE: u32 = 48_000;

/// Samples of a block at [`RATE`]: what a packet of a second becomes at most, and the resampler's own blocks.
const MAX_BLOCK: usize = 1 << 23;

/// Bounds that inputs of some kilobytes meet.
fn limits() -> Limits {
    Limits { max_bytes: 1 << 20, max_duration_s: 60.0, max_decode_s: 5.0, ..Limits::default() }
}

/// Decodes a file to its end.
///
/// # Panics
/// Where the output is out of its bounds.
pub fn decode(data: &[u8]) {
    static FIRST: Once = Once::new();
    // earmark sets its hook when it first decodes.
    FIRST.call_once(|| {
        let _ = AudioReader::from_bytes("first", b"RIFF".to_vec(), &ReadOptions::default());
        panics::watch();
    });
    let _ = read(data);
}

fn read(data: &[u8]) -> Result<(), AudioError> {
    let limits = limits();
    let (max_duration_s, min_rate) = (limits.max_duration_s, limits.min_sample_rate);
    let reader = AudioReader::from_bytes("fuzz", data.to_vec(), &limits.into())?;
    assert!(reader.info().sample_rate >= min_rate && reader.info().channels > 0, "{:?}", reader.info());
    let mut reader = reader.resampled(RATE)?;
    let mut block = Vec::new();
    while reader.read_block(&mut block)? {
        assert!(block.len() <= MAX_BLOCK, "a block of {} samples", block.len());
        assert!(block.iter().all(|sample| sample.is_finite()), "a sample that is no number");
    }
    // A block more may have come before the limit was met, and is handed out with the error or not at all.
    assert!(reader.duration_s() <= max_duration_s + 1.0, "{} s", reader.duration_s());
    let _ = format!("{:?}", reader.remarks());
    Ok(())
}
