//! Mixing decoded channels down to mono.

use symphonia::core::audio::{Audio, GenericAudioBufferRef};

/// Mixes buffers of any sample format to mono, keeping its scratch space between calls.
#[derive(Default)]
pub(crate) struct MonoMixer {
    planes: Vec<Vec<f32>>,
}

impl MonoMixer {
    /// Appends the mean of the channels of `buf`, as `f32` in [-1, 1], to `out`.
    ///
    /// Integer formats are scaled by their full range; floats are taken as they are, so they may exceed
    /// 1 and may be non-finite.
    pub(crate) fn append(&mut self, buf: &GenericAudioBufferRef<'_>, out: &mut Vec<f32>) {
        if let GenericAudioBufferRef::F32(float) = buf {
            let planes: Vec<&[f32]> =
                (0..float.num_planes()).filter_map(|index| float.plane(index)).collect();
            return append_mean(&planes, out);
        }
        buf.copy_to_vecs_planar(&mut self.planes);
        let planes: Vec<&[f32]> = self.planes.iter().take(buf.num_planes()).map(Vec::as_slice).collect();
        append_mean(&planes, out);
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
}
