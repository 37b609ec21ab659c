//! Vorbis comments: of FLAC files, and of Vorbis, Opus, Speex and FLAC in Ogg.

use std::io::{Cursor, Read, Seek};

use super::chunks;
use super::chunks::part;
use super::texts::{MAX_RAW, Texts, loose};
use crate::container::bytes::Bytes;

/// Bytes read of an Ogg file's comments. Pictures among them count.
const MAX_PACKET: usize = 1 << 20;

/// Longest key of a comment that is looked at.
const MAX_KEY: usize = 64;

/// Adds the texts of a FLAC file that starts at `start`.
pub(super) fn read_flac<M: Read + Seek>(bytes: &mut Bytes<'_, M>, start: u64, texts: &mut Texts) {
    let mut at = start + 4;
    while texts.step() {
        let Some([kind, high, mid, low]) = bytes.array::<4>(at) else { return };
        let (content, end) = (at + 4, at + 4 + u64::from(u32::from_be_bytes([0, high, mid, low])));
        match kind & 0x7f {
            4 => read_comments(bytes, content, end, texts),
            // Chunks of the WAV file that this one was made from.
            2 if bytes.array(content) == Some(*b"riff") => chunks::read_kept(bytes, content + 4, end, texts),
            _ => {}
        }
        if kind & 0x80 != 0 {
            return;
        }
        at = end;
    }
}

/// Adds the texts of an Ogg file that starts at `start`: of its first stream of sound.
pub(super) fn read_ogg<M: Read + Seek>(bytes: &mut Bytes<'_, M>, start: u64, texts: &mut Texts) {
    let Some((packet, skip)) = comment_packet(bytes, start, texts) else { return };
    let len = packet.len() as u64;
    if let Ok(mut packet) = Bytes::new(&mut Cursor::new(packet)) {
        read_comments(&mut packet, skip, len, texts);
    }
}

/// The second packet of the first stream of sound, and where in it the comments start.
fn comment_packet<M: Read + Seek>(
    bytes: &mut Bytes<'_, M>,
    start: u64,
    texts: &mut Texts,
) -> Option<(Vec<u8>, u64)> {
    let mut at = start;
    let mut stream = None;
    let mut packet = Vec::new();
    while texts.step() {
        let header: [u8; 27] = bytes.array(at)?;
        if !header.starts_with(b"OggS") {
            return None;
        }
        let serial = [header[14], header[15], header[16], header[17]];
        let lacing = bytes.vec(at + 27, header[26].into());
        let body = at + 27 + lacing.len() as u64;
        at = body + lacing.iter().map(|len| u64::from(*len)).sum::<u64>();
        match stream {
            None => stream = comments_at(&bytes.vec(body, 8)).map(|skip| (serial, skip)),
            Some((of, skip)) if of == serial => {
                let ends = lacing.iter().position(|len| *len < 255);
                let laces = &lacing[..ends.map_or(lacing.len(), |last| last + 1)];
                let len: usize = laces.iter().map(|len| usize::from(*len)).sum();
                packet.extend(bytes.vec(body, len));
                if ends.is_some() || packet.len() >= MAX_PACKET {
                    return Some((packet, skip));
                }
            }
            Some(_) => {}
        }
    }
    None
}

/// Where in the second packet the comments are, by how the first packet of the stream starts.
fn comments_at(first_packet: &[u8]) -> Option<u64> {
    match first_packet {
        b"OpusHead" => Some(8),
        b"Speex   " => Some(0),
        [1, b'v', b'o', b'r', b'b', b'i', b's', ..] => Some(7),
        [0x7f, b'F', b'L', b'A', b'C', ..] => Some(4),
        _ => None,
    }
}

/// The vendor's name, the number of comments, and these, each with its length before it.
fn read_comments<M: Read + Seek>(bytes: &mut Bytes<'_, M>, start: u64, end: u64, texts: &mut Texts) {
    let Some(vendor_len) = bytes.u32_le(start) else { return };
    let mut at = start + 4 + u64::from(vendor_len);
    let count = bytes.u32_le(at).unwrap_or(0);
    at += 4;
    for _ in 0..count {
        if !texts.step() {
            return;
        }
        let Some(len) = bytes.u32_le(at).filter(|_| at < end) else { return };
        let next = at + 4 + u64::from(len);
        let comment = part(bytes, at + 4, next.min(end), MAX_KEY + 1 + MAX_RAW);
        let key_len = comment.iter().take(MAX_KEY + 1).position(|byte| *byte == b'=');
        if let Some(key_len) = key_len {
            texts.add_field(&loose(&comment[..key_len]), &loose(&comment[key_len + 1..]));
        }
        at = next;
    }
}
