//! The Opus identification header.

use symphonia::core::errors::{Result, decode_error, unsupported_error};

/// The fields of the Opus identification header that decoding needs.
#[derive(Debug, PartialEq)]
pub(super) struct OpusHead {
    pub(super) channels: usize,
    /// Samples at 48 kHz to drop from the start of the decoded stream.
    pub(super) pre_skip: usize,
    /// Linear factor for the decoded samples.
    pub(super) gain: f32,
    /// Streams, coupled streams and the channel map; `None` for mapping family 0.
    pub(super) mapping: Option<(usize, usize, Vec<u8>)>,
}

impl OpusHead {
    /// Parses "OpusHead" (RFC 7845 section 5.1). Version 0 means that the bytes come from an MP4 "dOps"
    /// box, whose integers are big-endian, with symphonia's magic in front.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let Some(([magic @ .., version, channels, skip0, skip1], rest)) = bytes.split_first_chunk::<12>()
        else {
            return decode_error("opus: identification header too short");
        };
        let Some(([_rate @ .., gain0, gain1, family], table)) = rest.split_first_chunk::<7>() else {
            return decode_error("opus: identification header too short");
        };
        if *magic != *b"OpusHead" {
            return decode_error("opus: identification header lacks its signature");
        }
        // The upper four bits are the major version; only 0 exists (RFC 7845 section 5.1).
        if version >> 4 != 0 {
            return unsupported_error("opus: unknown major version");
        }
        let (skip, gain) = ([*skip0, *skip1], [*gain0, *gain1]);
        let (pre_skip, gain_q8) = if *version == 0 {
            (u16::from_be_bytes(skip), i16::from_be_bytes(gain))
        } else {
            (u16::from_le_bytes(skip), i16::from_le_bytes(gain))
        };
        let channels = usize::from(*channels);
        let mapping = match (*family, channels) {
            (_, 0) => return decode_error("opus: no channels"),
            (0, 1 | 2) => None,
            (0, _) => return decode_error("opus: mapping family 0 holds one or two channels"),
            (1 | 255, _) => {
                let [streams, coupled, map @ ..] = table else {
                    return decode_error("opus: channel mapping table missing");
                };
                let Some(map) = map.get(..channels) else {
                    return decode_error("opus: channel mapping table too short");
                };
                let (streams, coupled) = (usize::from(*streams), usize::from(*coupled));
                if streams == 0 || coupled > streams || streams + coupled > 255 {
                    return decode_error("opus: impossible number of streams");
                }
                if map.iter().any(|slot| *slot != 255 && usize::from(*slot) >= streams + coupled) {
                    return decode_error("opus: channel mapped to a stream that does not exist");
                }
                Some((streams, coupled, map.to_vec()))
            }
            _ => return unsupported_error("opus: channel mapping family other than 0, 1 and 255"),
        };
        // Output gain is 20 log10(factor) in Q7.8 (RFC 7845 section 5.1).
        let gain = 10f32.powf(f32::from(gain_q8) / (20.0 * 256.0));
        Ok(Self { channels, pre_skip: usize::from(pre_skip), gain, mapping })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// version, channels, pre-skip, rate, gain, family, then the mapping table.
    fn head(version: u8, channels: u8, skip: [u8; 2], gain: [u8; 2], tail: &[u8]) -> Vec<u8> {
        let mut bytes = b"OpusHead".to_vec();
        bytes.extend([version, channels]);
        bytes.extend(skip);
        bytes.extend([0x80, 0xbb, 0, 0]);
        bytes.extend(gain);
        bytes.extend(tail);
        bytes
    }

    #[test]
    fn the_header_is_little_endian_in_ogg_and_big_endian_in_mp4() {
        let ogg = OpusHead::parse(&head(1, 2, [0x38, 0x01], [0, 1], &[0])).unwrap();
        let mp4 = OpusHead::parse(&head(0, 2, [0x01, 0x38], [1, 0], &[0])).unwrap();
        assert_eq!(ogg, mp4);
        assert_eq!((ogg.channels, ogg.pre_skip), (2, 312));
        // Gain 256 in Q7.8 is 1 dB.
        assert!((20.0 * ogg.gain.log10() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn surround_carries_its_mapping_table() {
        let bytes = head(1, 6, [0, 0], [0, 0], &[1, 4, 2, 0, 4, 1, 2, 3, 5]);
        let parsed = OpusHead::parse(&bytes).unwrap();
        assert_eq!(parsed.mapping, Some((4, 2, vec![0, 4, 1, 2, 3, 5])));
        assert!(OpusHead::parse(&bytes[..bytes.len() - 1]).is_err());
        for table in [[0, 0, 0], [1, 2, 0], [200, 100, 0], [1, 0, 1]] {
            let tail: Vec<u8> = [1].into_iter().chain(table).collect();
            assert!(OpusHead::parse(&head(1, 1, [0, 0], [0, 0], &tail)).is_err(), "{table:?}");
        }
    }

    #[test]
    fn bad_headers_are_refused() {
        let good = head(1, 2, [0, 0], [0, 0], &[0]);
        for len in 0..good.len() {
            assert!(OpusHead::parse(&good[..len]).is_err(), "{len} bytes");
        }
        assert!(OpusHead::parse(&head(1, 0, [0, 0], [0, 0], &[0])).is_err());
        assert!(OpusHead::parse(&head(1, 3, [0, 0], [0, 0], &[0])).is_err());
        assert!(OpusHead::parse(&head(16, 2, [0, 0], [0, 0], &[0])).is_err());
        assert!(OpusHead::parse(&head(1, 2, [0, 0], [0, 0], &[2])).is_err());
    }
}
