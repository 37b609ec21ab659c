//! The elementary streams inside an Opus packet, and the channels they make.
//!
//! A packet of a stream with more than two channels holds one Opus packet per elementary stream, all but
//! the last in "self-delimiting" framing (RFC 6716 appendix B): the usual framing with one more length
//! in it. [`split`] takes that length out again.

use opus_decoder::{OpusDecoder, OpusError};
use symphonia::core::errors::{Error, Result, decode_error};

use super::{MAX_FRAMES_PER_PACKET, SAMPLE_RATE};

/// The channel map's entry for a channel that is silent (RFC 7845 section 5.1.1).
const SILENT: u8 = 255;

/// Decoders of all elementary streams, coupled (stereo) ones first.
pub(super) struct Streams {
    decoders: Vec<OpusDecoder>,
    coupled: usize,
    /// For each channel, which decoded channel it is; `SILENT` for none.
    map: Vec<u8>,
    /// Interleaved output of one stream.
    decoded: Vec<f32>,
    /// A packet put back into the usual framing.
    packet: Vec<u8>,
}

impl Streams {
    /// `channels` output channels from `streams` elementary streams, the first `coupled` of them stereo.
    pub(super) fn new(channels: usize, streams: usize, coupled: usize, map: &[u8]) -> Result<Self> {
        if streams == 0 || coupled > streams || streams + coupled > 255 || map.len() != channels {
            return decode_error("opus: impossible number of streams");
        }
        if map.iter().any(|slot| *slot != SILENT && usize::from(*slot) >= streams + coupled) {
            return decode_error("opus: channel mapped to a stream that does not exist");
        }
        let decoders = (0..streams)
            .map(|index| OpusDecoder::new(SAMPLE_RATE, if index < coupled { 2 } else { 1 }))
            .collect::<std::result::Result<_, _>>()
            .map_err(to_error)?;
        Ok(Self {
            decoders,
            coupled,
            map: map.to_vec(),
            decoded: vec![0.0; 2 * MAX_FRAMES_PER_PACKET],
            packet: Vec::new(),
        })
    }

    /// Decodes `packet` into interleaved `out` (at least [`MAX_FRAMES_PER_PACKET`] times the channels);
    /// returns the number of frames.
    pub(super) fn decode(&mut self, packet: &[u8], out: &mut [f32]) -> Result<usize> {
        let (mut rest, channels) = (packet, self.map.len());
        let mut frames = 0;
        for index in 0..self.decoders.len() {
            let own = if index + 1 < self.decoders.len() {
                let Some(tail) = split(rest, &mut self.packet) else {
                    return decode_error("opus: packet does not hold all its streams");
                };
                rest = tail;
                self.packet.as_slice()
            } else {
                rest
            };
            // An empty packet would ask the decoder to conceal a loss.
            if own.is_empty() {
                return decode_error("opus: empty packet");
            }
            let decoder = &mut self.decoders[index];
            let decoded = decoder.decode_float(own, &mut self.decoded, false).map_err(to_error)?;
            if index > 0 && decoded != frames {
                return decode_error("opus: streams of different lengths");
            }
            frames = decoded;
            let (first_slot, width) =
                if index < self.coupled { (2 * index, 2) } else { (index + self.coupled, 1) };
            for (channel, slot) in self.map.iter().enumerate() {
                let slot = usize::from(*slot);
                if (first_slot..first_slot + width).contains(&slot) {
                    let from = self.decoded.iter().skip(slot - first_slot).step_by(width);
                    let to = out.iter_mut().skip(channel).step_by(channels);
                    to.zip(from).take(frames).for_each(|(to, from)| *to = *from);
                }
            }
        }
        for channel in (0..channels).filter(|c| self.map[*c] == SILENT) {
            out.iter_mut().skip(channel).step_by(channels).take(frames).for_each(|s| *s = 0.0);
        }
        Ok(frames)
    }

    pub(super) fn reset(&mut self) {
        self.decoders.iter_mut().for_each(OpusDecoder::reset);
    }
}

fn to_error(error: OpusError) -> Error {
    Error::DecodeError(match error {
        OpusError::InvalidPacket => "opus: invalid packet",
        OpusError::InvalidArgument(_) => "opus: invalid argument",
        OpusError::BufferTooSmall => "opus: packet longer than 120 ms",
        OpusError::InternalError => "opus: inconsistent decoder state",
    })
}

/// Takes a self-delimited packet off the front of `data`, writes it in the usual framing to `packet` and
/// returns what follows it; `None` if `data` is too short (RFC 6716 section 3.2 and appendix B).
fn split<'a>(data: &'a [u8], packet: &mut Vec<u8>) -> Option<&'a [u8]> {
    packet.clear();
    let (toc, mut rest) = data.split_first()?;
    packet.push(*toc);
    // How many bytes of frames and padding follow the lengths.
    let payload = match toc & 0x3 {
        0 => take_length(&mut rest)?,
        1 => 2 * take_length(&mut rest)?,
        2 => {
            let before = rest;
            let first = take_length(&mut rest)?;
            packet.extend_from_slice(&before[..before.len() - rest.len()]);
            first + take_length(&mut rest)?
        }
        _ => {
            let before = rest;
            let (count_byte, tail) = rest.split_first()?;
            rest = tail;
            let count = usize::from(count_byte & 0x3f);
            let (is_vbr, is_padded) = (count_byte & 0x80 != 0, count_byte & 0x40 != 0);
            let mut payload = 0;
            if is_padded {
                // 255 stands for 254 bytes of padding and one more length byte.
                while let Some((255, tail)) = rest.split_first() {
                    payload += 254;
                    rest = tail;
                }
                let (last, tail) = rest.split_first()?;
                payload += usize::from(*last);
                rest = tail;
            }
            if is_vbr {
                for _ in 1..count {
                    payload += take_length(&mut rest)?;
                }
            }
            packet.extend_from_slice(&before[..before.len() - rest.len()]);
            let last = take_length(&mut rest)?;
            payload + if is_vbr { last } else { count * last }
        }
    };
    let (payload, rest) = rest.split_at_checked(payload)?;
    packet.extend_from_slice(payload);
    Some(rest)
}

/// Takes a frame length of one or two bytes off the front (RFC 6716 section 3.2.1).
fn take_length(data: &mut &[u8]) -> Option<usize> {
    let (first, rest) = data.split_first()?;
    if *first < 252 {
        *data = rest;
        return Some(usize::from(*first));
    }
    let (second, rest) = rest.split_first()?;
    *data = rest;
    Some(usize::from(*first) + 4 * usize::from(*second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data: &[u8], usual: &[u8], rest: &[u8]) {
        let mut packet = Vec::new();
        assert_eq!(split(data, &mut packet), Some(rest));
        assert_eq!(packet, usual);
        for len in 0..data.len() - rest.len() {
            assert_eq!(split(&data[..len], &mut packet), None, "{len} bytes");
        }
    }

    #[test]
    fn self_delimited_packets_become_usual_ones() {
        // One frame of two bytes.
        check(&[0x00, 2, 10, 11, 99], &[0x00, 10, 11], &[99]);
        // Two frames of one byte each.
        check(&[0x01, 1, 10, 11, 99], &[0x01, 10, 11], &[99]);
        // Frames of one and two bytes: the first length stays.
        check(&[0x02, 1, 2, 10, 11, 12], &[0x02, 1, 10, 11, 12], &[]);
        // Three frames of one byte each, constant size.
        check(&[0x03, 3, 1, 10, 11, 12, 99], &[0x03, 3, 10, 11, 12], &[99]);
        // Three frames of 1, 0 and 2 bytes and two bytes of padding, variable size.
        let data = [0x03, 0xc3, 2, 1, 0, 2, 10, 11, 12, 0, 0, 99];
        check(&data, &[0x03, 0xc3, 2, 1, 0, 10, 11, 12, 0, 0], &[99]);
    }

    #[test]
    fn lengths_of_two_bytes() {
        let mut data: &[u8] = &[252, 1, 7];
        assert_eq!(take_length(&mut data), Some(256));
        assert_eq!(data, [7]);
    }
}
