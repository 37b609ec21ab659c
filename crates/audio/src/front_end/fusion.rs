//! Feature fusion of LAION CLAP, see [`FusionSpec`](crate::FusionSpec).

/// Shrunk, front, middle, back.
pub(super) const CHANNELS: usize = 4;

/// `[frames, bands]` with at least `chunk_frames` frames to `[4, chunk_frames, bands]`.
pub(super) fn fuse(rows: &[f32], chunk_frames: usize, bands: usize) -> Vec<f32> {
    let chunk = chunk_frames * bands;
    let spare_frames = (rows.len() / bands).saturating_sub(chunk_frames);
    let mut out = Vec::with_capacity(CHANNELS * chunk);
    shrink(rows, chunk_frames, bands, &mut out);
    for start in [0, spare_frames / 2, spare_frames] {
        out.extend_from_slice(&rows[start * bands..start * bands + chunk]);
    }
    out
}

/// Appends `rows` brought to `chunk_frames` frames by linear interpolation over time, as
/// `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)` does without antialiasing: output
/// frame `t` is at `(t + 0.5) * frames / chunk_frames - 0.5` of the input, but not before its first frame.
///
/// Places are in single precision, as torch has them: where sound stops at once, the rounding of a place moves the
/// value between -100 dB and the sound by some hundredths.
fn shrink(rows: &[f32], chunk_frames: usize, bands: usize, out: &mut Vec<f32>) {
    let frames = rows.len() / bands;
    let scale = frames as f32 / chunk_frames as f32;
    for t in 0..chunk_frames {
        let at = ((t as f32 + 0.5) * scale - 0.5).max(0.0);
        let left = (at as usize).min(frames - 1);
        let right = (left + 1).min(frames - 1);
        let weight = (at - left as f32).clamp(0.0, 1.0);
        let (left, right) = (&rows[left * bands..][..bands], &rows[right * bands..][..bands]);
        out.extend(left.iter().zip(right).map(|(a, b)| a * (1.0 - weight) + b * weight));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_frames_as_a_chunk_are_four_equal_channels() {
        let rows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(fuse(&rows, 3, 2), rows.repeat(4));
    }

    #[test]
    fn more_are_shrunk_and_cut_at_start_middle_and_end() {
        let rows = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        // torch.nn.functional.interpolate(torch.arange(6.)[None, None, :, None], size=[3, 1], mode="bilinear")
        let shrunk = [0.5, 2.5, 4.5];
        let expected = [shrunk, [0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [3.0, 4.0, 5.0]].concat();
        assert_eq!(fuse(&rows, 3, 1), expected);
    }
}
