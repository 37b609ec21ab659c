//! Ogg files, with page checksums made right: a page with a wrong one is not read.

use crate::sound;

/// Length of a page's header before its table of segments.
const HEADER: usize = 27;

/// Decodes a file as it is, and with its checksums mended.
pub fn pages(data: &[u8]) {
    sound::decode(data);
    let mended = mended(data);
    if mended != data {
        sound::decode(&mended);
    }
}

fn mended(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    let mut at = 0;
    while let Some(found) = data[at..].windows(4).position(|window| window == b"OggS") {
        at += found;
        let len = page_len(&data[at..]).unwrap_or(usize::MAX);
        let Some(page) = data.get_mut(at..at.saturating_add(len)) else {
            at += 4;
            continue;
        };
        set_checksum(page);
        at += len;
    }
    data
}

fn page_len(page: &[u8]) -> Option<usize> {
    let segments = usize::from(*page.get(HEADER - 1)?);
    let table = page.get(HEADER..HEADER + segments)?;
    Some(HEADER + segments + table.iter().map(|len| usize::from(*len)).sum::<usize>())
}

/// Writes the checksum of a whole page (RFC 3533: CRC-32 with polynomial 0x04c11db7, nothing reflected).
pub(crate) fn set_checksum(page: &mut [u8]) {
    page[22..26].fill(0);
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte) << 24, |crc, _| crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 })
    };
    let crc = page.iter().fold(0, step);
    page[22..26].copy_from_slice(&crc.to_le_bytes());
}
