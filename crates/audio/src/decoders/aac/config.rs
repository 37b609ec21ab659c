//! What kind of AAC a stream is: the AudioSpecificConfig of MP4 and Matroska, and the header of ADTS.
//!
//! Sections are those of ISO/IEC 14496-3:2009.

use symphonia::core::errors::{Error, Result, decode_error, unsupported_error};
use symphonia::core::io::{BitReaderLtr, ReadBitsLtr};

/// Sample rates by index (table 1.18).
pub(crate) const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

/// The last of them: neither decoder has its tables.
pub(super) const UNDECODED_RATE: u32 = RATES[12];

/// The start of an AudioSpecificConfig (section 1.6.2.1): what the core of a stream is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Config {
    pub(super) object: u32,
    /// Of the core: half of what comes out, if there is spectral band replication.
    pub(super) rate: u32,
    /// The channel configuration (table 1.19); 0 if a program config element describes the channels.
    pub(super) layout: u32,
}

impl Config {
    /// AAC Low Complexity, by far the most common kind.
    pub(super) const LOW_COMPLEXITY: u32 = 2;

    /// Parses as much as is needed to say what the stream is.
    ///
    /// # Errors
    /// `Unsupported`, with the name of the codec, for kinds that no decoder here decodes; `DecodeError` or
    /// `IoError` for what is no AudioSpecificConfig.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self> {
        let mut bits = BitReaderLtr::new(bytes);
        let mut object = read_object(&mut bits)?;
        let rate = read_rate(&mut bits)?;
        let layout = bits.read_bits_leq32(4)?;
        // Spectral band replication and parametric stereo wrap the kind of the core.
        if matches!(object, 5 | 29) {
            read_rate(&mut bits)?;
            object = read_object(&mut bits)?;
        }
        match object {
            1 | Self::LOW_COMPLEXITY | 3 | 4 | 23 => Ok(Self { object, rate, layout }),
            6 => unsupported_error("AAC Scalable"),
            17 | 19 | 20 => unsupported_error("error-resilient AAC (ER AAC)"),
            22 => unsupported_error("ER BSAC"),
            36 => unsupported_error("MPEG-4 ALS"),
            39 => unsupported_error("AAC-ELD (Enhanced Low Delay)"),
            42 => unsupported_error("xHE-AAC (USAC)"),
            _ => unsupported_error("an MPEG-4 audio object type other than AAC"),
        }
    }

    /// How many channels the layout has, if it says so.
    pub(super) fn channels(&self) -> Option<u16> {
        match self.layout {
            layout @ 1..=6 => u16::try_from(layout).ok(),
            7 | 12 | 14 => Some(8),
            11 => Some(7),
            _ => None,
        }
    }

    /// Why a stream of a known kind cannot be decoded all the same.
    pub(super) fn refusal(&self) -> Error {
        Error::Unsupported(match self.object {
            1 => "AAC Main profile in this form",
            3 => "AAC SSR profile",
            4 => "AAC LTP profile in this form",
            23 => "AAC-LD (Low Delay) in this form",
            _ if self.channels().is_none() => "AAC with an unusual channel layout",
            _ => "AAC in this form",
        })
    }
}

/// The AudioSpecificConfig of low-complexity AAC, for containers that have none and give no more than this.
pub(super) fn low_complexity(rate: u32, channels: usize) -> Option<[u8; 2]> {
    let index = RATES.iter().position(|known| *known == rate)?;
    let layout = match channels {
        1..=6 => channels,
        8 => 7,
        _ => return None,
    };
    Some(pack(Config::LOW_COMPLEXITY as u8, index as u8, layout as u8))
}

/// The AudioSpecificConfig of HE-AAC around the low-complexity core `core`: version 2, with parametric
/// stereo, if one channel becomes two. `None` if a rate or the layout has no number.
pub(super) fn high_efficiency(core: Config, output_rate: u32, output_channels: usize) -> Option<Box<[u8]>> {
    let index_of = |rate| RATES.iter().position(|known| *known == rate).map(|index| index as u32);
    let (core_index, output_index) = (index_of(core.rate)?, index_of(output_rate)?);
    core.channels()?;
    let wrapper = if (core.layout, output_channels) == (1, 2) { 29 } else { 5 };
    let mut bits = BitWriter::default();
    for (value, width) in [(wrapper, 5), (core_index, 4), (core.layout, 4), (output_index, 4)] {
        bits.write(value, width);
    }
    bits.write(Config::LOW_COMPLEXITY, 5);
    bits.write(0, 3);
    Some(bits.bytes())
}

/// The AudioSpecificConfig that an ADTS frame stands for; `None` if `frame` is none.
///
/// Symphonia's demuxer passes on neither the profile nor layouts that it does not know.
pub(crate) fn of_adts(frame: &[u8]) -> Option<Box<[u8]>> {
    let header = frame.first_chunk::<7>()?;
    let config = pack((header[2] >> 6) + 1, header[2] >> 2 & 15, (header[2] & 1) << 2 | header[3] >> 6);
    if config[1] >> 3 & 15 > 0 {
        return Some(Box::from(config));
    }
    // A checksum of two bytes may follow the header.
    let payload = frame.get(if header[1] & 1 == 0 { 9 } else { 7 }..)?;
    Some(with_program(config, payload).unwrap_or(Box::from(config)))
}

/// Appends the program config element (section 4.4.1.1) that `block` starts with, which says what the
/// channels are. ADTS has it in its first block, MP4 in the AudioSpecificConfig.
fn with_program(config: [u8; 2], block: &[u8]) -> Option<Box<[u8]>> {
    let (mut from, mut to) = (BitReaderLtr::new(block), BitWriter::default());
    to.write(u32::from(u16::from_be_bytes(config)), 16);
    if from.read_bits_leq32(3).ok()? != 5 {
        return None;
    }
    let mut copy = |width: u32, to: &mut BitWriter| {
        let value = from.read_bits_leq32(width).ok()?;
        to.write(value, width);
        Some(value)
    };
    // Tag, object type, rate.
    copy(4 + 2 + 4, &mut to)?;
    let mut bits_of_elements = 0;
    // Front, side and back elements, low-frequency and data elements, coupling elements.
    for (width, each) in [(4, 5), (4, 5), (4, 5), (2, 4), (3, 4), (4, 5)] {
        bits_of_elements += copy(width, &mut to)? * each;
    }
    // Mixdowns.
    for width in [4, 4, 3] {
        if copy(1, &mut to)? == 1 {
            copy(width, &mut to)?;
        }
    }
    for _ in 0..bits_of_elements {
        copy(1, &mut to)?;
    }
    // The comment is aligned to bytes; here there is none.
    to.align();
    to.write(0, 8);
    Some(to.bytes())
}

/// Writes bits, the most significant first.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    len: u32,
}

impl BitWriter {
    fn write(&mut self, value: u32, width: u32) {
        for bit in (0..width).rev() {
            if self.len.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> bit & 1) as u8) << (7 - self.len % 8);
            }
            self.len += 1;
        }
    }

    fn align(&mut self) {
        self.len = self.len.next_multiple_of(8);
    }

    fn bytes(self) -> Box<[u8]> {
        self.bytes.into_boxed_slice()
    }
}

/// Object type in 5 bits, rate in 4, layout in 4, and 3 flags that are 0.
fn pack(object: u8, rate_index: u8, layout: u8) -> [u8; 2] {
    [object << 3 | rate_index >> 1, rate_index << 7 | layout << 3]
}

fn read_object(bits: &mut BitReaderLtr<'_>) -> Result<u32> {
    Ok(match bits.read_bits_leq32(5)? {
        31 => 32 + bits.read_bits_leq32(6)?,
        object => object,
    })
}

fn read_rate(bits: &mut BitReaderLtr<'_>) -> Result<u32> {
    match bits.read_bits_leq32(4)? {
        15 => Ok(bits.read_bits_leq32(24)?),
        index => match RATES.get(index as usize) {
            Some(rate) => Ok(*rate),
            None => decode_error("aac: a sample rate that does not exist"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_the_core_is_read() {
        let of = |object, rate, layout| Config { object, rate, layout };
        assert_eq!(Config::parse(&[0x12, 0x10]).unwrap(), of(2, 44_100, 2), "LC");
        assert_eq!(Config::parse(&[0x0a, 0x10]).unwrap(), of(1, 44_100, 2), "Main");
        // HE-AAC: type 5 around type 2; 22,050 Hz in the core, 44,100 Hz out.
        assert_eq!(Config::parse(&[0x2b, 0x92, 0x08]).unwrap(), of(2, 22_050, 2), "HE-AAC");
        assert_eq!(Config::parse(&[0x10, 0x30]).unwrap(), of(2, 96_000, 6), "5.1 at 96 kHz");
        assert_eq!(Config::parse(&low_complexity(48_000, 8).unwrap()).unwrap(), of(2, 48_000, 7), "7.1");
    }

    #[test]
    fn implicit_signalling_can_be_made_explicit() {
        let core = Config { object: 2, rate: 22_050, layout: 2 };
        // The bytes that encoders write for HE-AAC at 44,100 Hz.
        assert_eq!(*high_efficiency(core, 44_100, 2).unwrap(), [0x2b, 0x92, 0x08, 0x00]);
        let mono = Config { layout: 1, ..core };
        let two = high_efficiency(mono, 44_100, 2).unwrap();
        assert_eq!((two[0] >> 3, Config::parse(&two).unwrap()), (29, mono));
        assert_eq!(high_efficiency(Config { layout: 0, ..core }, 44_100, 2), None);
    }

    #[test]
    fn what_cannot_be_decoded_is_named() {
        let name = |bytes: &[u8]| Config::parse(bytes).unwrap_err().to_string();
        assert!(name(&[0xf8, 0xe6, 0x20]).contains("AAC-ELD"), "{}", name(&[0xf8, 0xe6, 0x20]));
        assert!(name(&[0xf9, 0x46, 0x40]).contains("xHE-AAC"), "{}", name(&[0xf9, 0x46, 0x40]));
        assert!(Config::parse(&[0x12]).is_err());
        assert!(Config::parse(&[]).is_err());
    }

    #[test]
    fn an_adts_frame_says_what_it_is() {
        // Main profile, 44,100 Hz, stereo, 20 bytes.
        let mut frame = vec![0xff, 0xf1, 0x10, 0x80, 0x02, 0x9f, 0xfc];
        frame.resize(20, 0);
        let found = of_adts(&frame).unwrap();
        assert_eq!(Config::parse(&found).unwrap(), Config { object: 1, rate: 44_100, layout: 2 });
        assert_eq!(of_adts(b"RIFF"), None);
    }
}
