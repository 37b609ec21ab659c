//! Packets of Opus in an Ogg file made around them.
//!
//! The input is a byte with the number of channels (lower half) and of coupled streams (upper half), 0 channels
//! for mono and 9 and more for mapping family 255; then packets, each with its length (u16, little-endian) before it.

use crate::{ogg, sound};

/// Makes the file and decodes it.
pub fn packets(data: &[u8]) {
    let Some((first, mut rest)) = data.split_first() else { return };
    let mut file = Vec::new();
    page(&mut file, 0, 2, 0, &head(*first));
    page(&mut file, 1, 0, 0, b"OpusTags\0\0\0\0\0\0\0\0");
    let (mut number, mut granule) = (2, 0_u64);
    while let Some((len, after)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_le_bytes(*len)) % 1275;
        let packet = &after[..len.min(after.len())];
        rest = &after[packet.len()..];
        granule += 960;
        let is_last = rest.len() < 2;
        page(&mut file, number, if is_last { 4 } else { 0 }, granule, packet);
        number += 1;
    }
    sound::decode(&file);
}

fn head(first: u8) -> Vec<u8> {
    let channels = (first & 15).max(1);
    let coupled = (first >> 4).min(channels / 2);
    let family = match channels {
        1..=2 => 0,
        3..=8 => 1,
        _ => 255,
    };
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    head.extend([0x38, 1, 0x80, 0xbb, 0, 0, 0, 0, family]);
    if family > 0 {
        head.extend([channels - coupled, coupled]);
        head.extend(0..channels);
    }
    head
}

/// Appends a page with one packet.
fn page(file: &mut Vec<u8>, number: u32, flags: u8, granule: u64, packet: &[u8]) {
    let start = file.len();
    file.extend(b"OggS\0");
    file.push(flags);
    file.extend(granule.to_le_bytes());
    file.extend(7_u32.to_le_bytes());
    file.extend(number.to_le_bytes());
    file.extend([0; 4]);
    let (full, rest) = (packet.len() / 255, packet.len() % 255);
    file.push(full as u8 + 1);
    file.extend(std::iter::repeat_n(255, full));
    file.push(rest as u8);
    file.extend(packet);
    ogg::set_checksum(&mut file[start..]);
}
