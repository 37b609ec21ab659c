//! What the Vorbis setup header says about who can decode the stream, and how much memory it takes.
//!
//! Sections are those of the Vorbis I specification.

use symphonia::core::errors::{Error, Result, decode_error, unsupported_error};
use symphonia::core::io::{BitReaderRtl, ReadBitsRtl};

/// Entries of all codebooks together. Encoders write some ten thousand.
const MAX_ENTRIES: u64 = 1 << 20;

/// Numbers in the vectors of all codebooks together: 32 MiB. Encoders write some hundred thousand.
const MAX_VECTOR_VALUES: u64 = 1 << 23;

/// The parts of a setup header that decide which decoder is right.
#[derive(Debug, PartialEq)]
pub(super) struct Setup {
    residues: Vec<ResidueKind>,
    mappings: Vec<Mapping>,
}

/// One residue configuration (section 8.6.1).
#[derive(Clone, Copy, Debug, PartialEq)]
struct ResidueKind {
    format: u32,
    passes: u32,
}

/// One mapping (section 4.2.4): how channels share residues.
#[derive(Debug, PartialEq)]
struct Mapping {
    /// Magnitude and angle channel of each coupling step.
    couplings: Vec<(u32, u32)>,
    /// The submap of each channel.
    submap_of: Vec<u32>,
    /// The residue of each submap.
    residue_of: Vec<u32>,
}

impl Setup {
    /// Parses a setup header (section 4.2.4) without building its codebooks.
    ///
    /// # Errors
    /// `DecodeError` if it breaks the specification, `LimitError` if its codebooks are absurdly large,
    /// `IoError` if it ends early.
    pub(super) fn parse(packet: &[u8], channels: u32) -> Result<Self> {
        let Some(body) = packet.strip_prefix(b"\x05vorbis") else {
            return decode_error("vorbis: no setup header");
        };
        let bits = &mut Bits(BitReaderRtl::new(body));
        let codebooks = bits.read(8)? + 1;
        let (mut entries, mut values) = (0, 0);
        for _ in 0..codebooks {
            skip_codebook(bits, &mut entries, &mut values)?;
        }
        // Time-domain transforms: placeholders.
        let transforms = bits.read(6)? + 1;
        for _ in 0..transforms {
            bits.read(16)?;
        }
        let floors = bits.read(6)? + 1;
        for _ in 0..floors {
            skip_floor(bits)?;
        }
        let residues = bits.read(6)? + 1;
        let residues: Vec<_> = (0..residues).map(|_| read_residue(bits)).collect::<Result<_>>()?;
        let mappings = bits.read(6)? + 1;
        let mappings = (0..mappings).map(|_| read_mapping(bits, channels)).collect::<Result<_>>()?;
        Ok(Self { residues, mappings })
    }

    /// Whether symphonia 0.6.1 decodes the stream as the specification says. It has two faults:
    ///
    /// - In residues of format 0 and 1 (section 8.6.2), the last codeword of a channel may classify more
    ///   partitions than the channel has. The excess is to be dropped; symphonia writes it over the first
    ///   classes of the next channel, which then reads the wrong codebooks from the second pass on.
    /// - Coupling is to be undone from the last step to the first (section 4.3.5); symphonia goes from
    ///   the first to the last. That matters where a channel takes part in two steps.
    pub(super) fn suits_symphonia(&self) -> bool {
        self.mappings.iter().all(|mapping| {
            let mut coupled = Vec::new();
            for (magnitude, angle) in &mapping.couplings {
                if coupled.contains(magnitude) || coupled.contains(angle) {
                    return false;
                }
                coupled.extend([*magnitude, *angle]);
            }
            mapping.residue_of.iter().zip(0..).all(|(residue, submap)| {
                let channels = mapping.submap_of.iter().filter(|of| **of == submap).count();
                let interleaved = self.residues.get(*residue as usize).is_some_and(|r| r.format == 2);
                channels < 2 || interleaved
            })
        })
    }

    /// The most passes a residue takes, up to 8.
    pub(super) fn most_passes(&self) -> u32 {
        self.residues.iter().map(|residue| residue.passes).max().unwrap_or(0)
    }
}

/// Reads bits as Vorbis packs them: the least significant first (section 2.1.4).
struct Bits<'a>(BitReaderRtl<'a>);

impl Bits<'_> {
    fn read(&mut self, width: u32) -> Result<u32> {
        Ok(self.0.read_bits_leq32(width)?)
    }

    fn flag(&mut self) -> Result<bool> {
        Ok(self.0.read_bool()?)
    }

    fn skip(&mut self, bits: u64) -> Result<()> {
        let bits = u32::try_from(bits).map_err(|_| Error::DecodeError("vorbis: setup header too short"))?;
        Ok(self.0.ignore_bits(bits)?)
    }
}

/// Bits that hold the numbers up to `x` (section 9.2.1).
fn ilog(x: u32) -> u32 {
    u32::BITS - x.leading_zeros()
}

/// Section 3.2.1. Adds to the counts of entries and vector values.
fn skip_codebook(bits: &mut Bits<'_>, total_entries: &mut u64, total_values: &mut u64) -> Result<()> {
    if bits.read(24)? != 0x56_4342 {
        return decode_error("vorbis: codebook without its pattern");
    }
    let (dimensions, entries) = (bits.read(16)?, bits.read(24)?);
    *total_entries += u64::from(entries);
    if *total_entries > MAX_ENTRIES {
        return Err(Error::LimitError("vorbis: codebooks with too many entries"));
    }
    let ordered = bits.flag()?;
    if ordered {
        bits.read(5)?;
        let mut entry = 0;
        while entry < entries {
            entry += bits.read(ilog(entries - entry))?;
        }
        if entry > entries {
            return decode_error("vorbis: codebook with too many codewords");
        }
    } else if bits.flag()? {
        for _ in 0..entries {
            if bits.flag()? {
                bits.read(5)?;
            }
        }
    } else {
        bits.skip(5 * u64::from(entries))?;
    }
    let lookup = bits.read(4)?;
    if lookup == 0 {
        return Ok(());
    }
    *total_values += u64::from(entries) * u64::from(dimensions);
    if *total_values > MAX_VECTOR_VALUES {
        return Err(Error::LimitError("vorbis: codebooks with too many values"));
    }
    bits.skip(64)?;
    let width = u64::from(bits.read(4)? + 1);
    bits.read(1)?;
    let multiplicands = match lookup {
        1 => lookup1_values(entries, dimensions),
        2 => u64::from(entries) * u64::from(dimensions),
        _ => return decode_error("vorbis: codebook of an unknown lookup type"),
    };
    bits.skip(multiplicands * width)
}

/// The greatest number whose power `dimensions` is at most `entries` (section 9.2.3).
fn lookup1_values(entries: u32, dimensions: u32) -> u64 {
    let fits = |n: &u32| n.checked_pow(dimensions).is_some_and(|power| power <= entries);
    if dimensions == 0 { 0 } else { (1..=entries).take_while(fits).count() as u64 }
}

/// Sections 6.2.1 and 7.2.2.
fn skip_floor(bits: &mut Bits<'_>) -> Result<()> {
    match bits.read(16)? {
        0 => {
            bits.skip(8 + 16 + 16 + 6 + 8)?;
            let books = bits.read(4)? + 1;
            bits.skip(8 * u64::from(books))
        }
        1 => {
            let partitions = bits.read(5)?;
            let class_of: Vec<_> = (0..partitions).map(|_| bits.read(4)).collect::<Result<_>>()?;
            let classes = class_of.iter().max().map_or(0, |class| class + 1);
            let mut dimensions = Vec::new();
            for _ in 0..classes {
                dimensions.push(u64::from(bits.read(3)? + 1));
                let subclasses = bits.read(2)?;
                if subclasses > 0 {
                    bits.read(8)?;
                }
                bits.skip(8 << subclasses)?;
            }
            bits.read(2)?;
            let width = u64::from(bits.read(4)?);
            let points = class_of.iter().filter_map(|class| dimensions.get(*class as usize)).sum::<u64>();
            bits.skip(points * width)
        }
        _ => decode_error("vorbis: floor of an unknown type"),
    }
}

/// Section 8.6.1.
fn read_residue(bits: &mut Bits<'_>) -> Result<ResidueKind> {
    let format = bits.read(16)?;
    if format > 2 {
        return decode_error("vorbis: residue of an unknown format");
    }
    bits.skip(24 + 24 + 24)?;
    let classes = bits.read(6)? + 1;
    bits.read(8)?;
    let mut cascades = Vec::new();
    for _ in 0..classes {
        let low = bits.read(3)?;
        let high = if bits.flag()? { bits.read(5)? } else { 0 };
        cascades.push(high << 3 | low);
    }
    let books: u32 = cascades.iter().map(|cascade| cascade.count_ones()).sum();
    bits.skip(8 * u64::from(books))?;
    let passes = cascades.iter().map(|cascade| ilog(*cascade)).max().unwrap_or(0);
    Ok(ResidueKind { format, passes })
}

/// Section 4.2.4, "Mappings".
fn read_mapping(bits: &mut Bits<'_>, channels: u32) -> Result<Mapping> {
    if bits.read(16)? != 0 {
        return decode_error("vorbis: mapping of an unknown type");
    }
    let submaps = if bits.flag()? { bits.read(4)? + 1 } else { 1 };
    let steps = if bits.flag()? { bits.read(8)? + 1 } else { 0 };
    let width = ilog(channels.saturating_sub(1));
    let mut couplings = Vec::new();
    for _ in 0..steps {
        couplings.push((bits.read(width)?, bits.read(width)?));
    }
    if bits.read(2)? != 0 {
        return unsupported_error("vorbis: reserved bits of a mapping are set");
    }
    let mut submap_of = vec![0; channels as usize];
    if submaps > 1 {
        for submap in &mut submap_of {
            *submap = bits.read(4)?;
        }
    }
    let mut residue_of = Vec::new();
    for _ in 0..submaps {
        bits.skip(8 + 8)?;
        residue_of.push(bits.read(8)?);
    }
    Ok(Mapping { couplings, submap_of, residue_of })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(format: u32, submap_of: &[u32], couplings: &[(u32, u32)]) -> Setup {
        let mapping =
            Mapping { couplings: couplings.to_vec(), submap_of: submap_of.to_vec(), residue_of: vec![0, 0] };
        Setup { residues: vec![ResidueKind { format, passes: 3 }], mappings: vec![mapping] }
    }

    #[test]
    fn symphonia_is_trusted_with_what_it_decodes_right() {
        assert!(setup(1, &[0], &[]).suits_symphonia(), "mono");
        assert!(setup(2, &[0, 0], &[(0, 1)]).suits_symphonia(), "stereo");
        assert!(setup(2, &[0, 0, 0, 0], &[(0, 1), (2, 3)]).suits_symphonia(), "two pairs");
        assert!(setup(1, &[0, 1], &[]).suits_symphonia(), "a submap for each channel");
        assert!(!setup(1, &[0, 0], &[]).suits_symphonia(), "channels that share a residue of format 1");
        assert!(!setup(0, &[0, 0], &[]).suits_symphonia(), "channels that share a residue of format 0");
        assert!(!setup(2, &[0, 0, 0], &[(0, 1), (0, 2)]).suits_symphonia(), "a channel coupled twice");
    }

    #[test]
    fn lookup1_values_is_the_integer_root() {
        for (entries, dimensions, root) in
            [(0, 1, 0), (1, 1, 1), (81, 4, 3), (80, 4, 2), (7, 32, 1), (9, 0, 0)]
        {
            assert_eq!(lookup1_values(entries, dimensions), root, "{entries}, {dimensions}");
        }
    }

    #[test]
    fn absurd_codebooks_are_refused_before_memory_is_taken() {
        // One codebook of 65,535 dimensions and 2^24 - 1 entries.
        let mut bytes = b"\x05vorbis\0BCV".to_vec();
        bytes.extend([0xff; 5]);
        bytes.extend([0; 100]);
        assert!(matches!(Setup::parse(&bytes, 2), Err(Error::LimitError(_))));
        for len in 0..20 {
            assert!(Setup::parse(&bytes[..len.min(bytes.len())], 2).is_err(), "{len} bytes");
        }
    }
}
