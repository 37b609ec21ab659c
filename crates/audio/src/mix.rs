//! Taking samples from decoded buffers: mixed down to mono, or all channels as they are.

use symphonia::core::audio::{Audio, GenericAudioBufferRef};
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_ALAC;

use crate::trim::Frames;

/// The mean of the channels has so little of their power that they cancel each other out. Of channels that
/// have nothing to do with each other, it has all of it (scaled by their number); of equal ones, more.
const CANCELS: f32 = 0.02;

/// So much that they do not any more.
const HOLDS: f32 = 0.2;

/// Mixes buffers of any sample format to mono, keeping its scratch space between calls.
#[derive(Default)]
pub(crate) struct MonoMixer {
    planes: Vec<Vec<f32>>,
    /// The channel that is used because their mean is nearly nothing.
    alone: Option<usize>,
    /// Samples for which one was.
    antiphase: u64,
}

impl MonoMixer {
    /// Appends to `out` the mean of the channels of `buf` times `gain`, as `f32`; where they cancel each other
    /// out, the loudest of them.
    ///
    /// Integer formats are scaled by their full range; floats are taken as they are, so they may exceed
    /// 1 and may be non-finite.
    pub(crate) fn append(&mut self, buf: &GenericAudioBufferRef<'_>, gain: f32, out: &mut Vec<f32>) {
        let start = out.len();
        if let GenericAudioBufferRef::F32(float) = buf {
            let planes: Vec<&[f32]> =
                (0..float.num_planes()).filter_map(|index| float.plane(index)).collect();
            mix(&planes, &mut self.alone, &mut self.antiphase, out);
        } else {
            buf.copy_to_vecs_planar(&mut self.planes);
            let planes: Vec<&[f32]> = self.planes.iter().take(buf.num_planes()).map(Vec::as_slice).collect();
            mix(&planes, &mut self.alone, &mut self.antiphase, out);
        }
        if gain != 1.0 {
            out[start..].iter_mut().for_each(|sample| *sample *= gain);
        }
    }

    /// Samples so far for which one channel was used alone.
    pub(crate) fn antiphase(&self) -> u64 {
        self.antiphase
    }
}

/// The samples of all channels of `buf` times `gain`, as `channels` channels: what is missing is silent, what
/// is too much is left out.
pub(crate) fn frames(buf: &GenericAudioBufferRef<'_>, gain: f32, channels: usize) -> Frames {
    let (mut all, has) = (Vec::new(), buf.num_planes());
    buf.copy_to_vec_interleaved::<f64>(&mut all);
    let mut samples = all;
    if has != channels && has > 0 {
        let width = |frame: &[f64]| {
            (0..channels).map(|index| frame.get(index).copied().unwrap_or(0.0)).collect::<Vec<_>>()
        };
        samples = samples.chunks_exact(has).flat_map(width).collect();
    }
    if gain != 1.0 {
        samples.iter_mut().for_each(|sample| *sample *= f64::from(gain));
    }
    Frames { channels: channels.max(1), samples }
}

/// What a decoder's samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SampleKind {
    /// Integers of so many bits, 1 to 32.
    Int(u32),
    /// Floats of 32 or 64 bits.
    Float(u32),
}

impl SampleKind {
    /// That of the samples in `buf`, by a decoder with these parameters.
    pub(crate) fn of(buf: &GenericAudioBufferRef<'_>, params: &AudioCodecParameters) -> Self {
        match buf {
            GenericAudioBufferRef::U8(_) | GenericAudioBufferRef::S8(_) => Self::Int(8),
            GenericAudioBufferRef::U16(_) | GenericAudioBufferRef::S16(_) => Self::Int(16),
            GenericAudioBufferRef::U24(_) | GenericAudioBufferRef::S24(_) => Self::Int(24),
            // Decoders of FLAC and ALAC shift narrower samples to the upper bits.
            GenericAudioBufferRef::U32(_) | GenericAudioBufferRef::S32(_) => {
                let cookie = params.extra_data.as_deref().filter(|_| params.codec == CODEC_ID_ALAC);
                let bits = cookie.and_then(alac_bits).or(params.bits_per_sample);
                Self::Int(bits.unwrap_or(32).clamp(1, 32))
            }
            GenericAudioBufferRef::F32(_) => Self::Float(32),
            GenericAudioBufferRef::F64(_) => Self::Float(64),
        }
    }
}

/// The bits of a sample by ALAC's magic cookie, which may be wrapped in atoms (`frma`, `alac`).
fn alac_bits(cookie: &[u8]) -> Option<u32> {
    const ATOM: usize = 12;
    let inside = [b"frma", b"alac"].into_iter().fold(cookie, |cookie, name| match cookie.get(4..8) {
        Some(found) if found == name => cookie.get(ATOM..).unwrap_or_default(),
        _ => cookie,
    });
    inside.get(5).map(|bits| u32::from(*bits))
}

fn mix(planes: &[&[f32]], alone: &mut Option<usize>, antiphase: &mut u64, out: &mut Vec<f32>) {
    let start = out.len();
    append_mean(planes, out);
    if planes.len() < 2 {
        return;
    }
    let power = |samples: &[f32]| samples.iter().map(|sample| sample * sample).sum::<f32>();
    let powers: Vec<f32> = planes.iter().map(|plane| power(plane)).collect();
    let all: f32 = powers.iter().sum();
    // Silence and non-finite samples change nothing.
    if all > 0.0 && all.is_finite() {
        let count = planes.len() as f32;
        let share = power(&out[start..]) * count * count / all;
        if share < CANCELS && alone.is_none() {
            // Of equals, the first: `max_by` gives the last.
            *alone = (0..planes.len()).rev().max_by(|a, b| powers[*a].total_cmp(&powers[*b]));
        } else if share > HOLDS {
            *alone = None;
        }
    }
    if let Some(plane) = alone.and_then(|channel| planes.get(channel)) {
        *antiphase += plane.len() as u64;
        out.truncate(start);
        out.extend_from_slice(plane);
    }
}

fn append_mean(planes: &[&[f32]], out: &mut Vec<f32>) {
    let Some((first, rest)) = planes.split_first() else { return };
    let start = out.len();
    out.extend_from_slice(first);
    if rest.is_empty() {
        return;
    }
    let mono = &mut out[start..];
    for plane in rest {
        for (sum, sample) in mono.iter_mut().zip(*plane) {
            *sum += sample;
        }
    }
    let scale = 1.0 / planes.len() as f32;
    for sample in mono {
        *sample *= scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mono_is_the_mean_of_the_channels() {
        let mut out = vec![9.0];
        append_mean(&[&[1.0, -1.0], &[0.0, 0.5], &[0.5, 0.5]], &mut out);
        assert_eq!(out, [9.0, 0.5, 0.0]);
        append_mean(&[], &mut out);
        assert_eq!(out.len(), 3);
    }

    #[test]
    fn channels_that_cancel_give_way_to_the_loudest_until_they_do_not() {
        let (mut alone, mut antiphase) = (None, 0);
        let mut mixed = |planes: &[&[f32]]| {
            let mut out = Vec::new();
            mix(planes, &mut alone, &mut antiphase, &mut out);
            (out, antiphase)
        };
        assert_eq!(mixed(&[&[0.5, -0.5], &[0.5, -0.5]]), (vec![0.5, -0.5], 0));
        assert_eq!(mixed(&[&[0.5, -0.5], &[-0.6, 0.6]]), (vec![-0.6, 0.6], 2));
        // Silence is no reason to change.
        assert_eq!(mixed(&[&[0.0, 0.0], &[0.0, 0.0]]), (vec![0.0, 0.0], 4));
        // Half of the power of one channel is no cancellation, nor is one channel of many.
        assert_eq!(mixed(&[&[0.5, 0.25], &[0.0, 0.0]]), (vec![0.25, 0.125], 4));
        let (silent, one) = ([0.0; 2], [0.64, 0.32]);
        let mut many = vec![&silent[..]; 31];
        many.push(&one);
        assert_eq!(mixed(&many), (vec![0.02, 0.01], 4));
    }
}
