//! Files for tests, byte by byte.

/// A RIFF chunk with its padding.
pub(super) fn chunk(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    padded([&id[..], &u32_of(content.len()).to_le_bytes(), content].concat())
}

/// The same with the length of AIFF and RIFX.
pub(super) fn chunk_be(id: &[u8; 4], content: &[u8]) -> Vec<u8> {
    padded([&id[..], &u32_of(content.len()).to_be_bytes(), content].concat())
}

fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

fn u32_of(len: usize) -> u32 {
    u32::try_from(len).unwrap()
}

pub(super) fn wav(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let content: Vec<u8> = chunks.iter().flat_map(|(id, content)| chunk(id, content)).collect();
    [b"RIFF", &u32_of(content.len() + 4).to_le_bytes()[..], b"WAVE", &content].concat()
}

/// The content of a `LIST` chunk.
pub(super) fn list(kind: &[u8; 4], entries: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let entries = entries.iter().flat_map(|(id, content)| chunk(id, content));
    kind.iter().copied().chain(entries).collect()
}

/// The content of a `bext` chunk of version 1.
pub(super) fn bext(description: &str, originator: &str) -> Vec<u8> {
    let mut bext = vec![0; 602];
    bext[..description.len()].copy_from_slice(description.as_bytes());
    bext[256..256 + originator.len()].copy_from_slice(originator.as_bytes());
    bext
}

pub(super) fn synchsafe(len: usize) -> [u8; 4] {
    let bits = |shift: usize| u8::try_from(len >> shift & 0x7f).unwrap();
    [bits(21), bits(14), bits(7), bits(0)]
}

/// A tag of version 2.3 or 2.4, with some padding.
pub(super) fn id3v2(version: u8, frames: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut content = Vec::new();
    for (id, text) in frames {
        let len = if version == 4 { synchsafe(text.len()) } else { u32_of(text.len()).to_be_bytes() };
        content.extend([&id[..], &len, &[0, 0], text].concat());
    }
    content.extend([0; 10]);
    [&[b'I', b'D', b'3', version, 0, 0][..], &synchsafe(content.len()), &content].concat()
}

pub(super) fn id3v1(title: &str, artist: &str, album: &str, genre: u8) -> Vec<u8> {
    let mut tag = vec![0; 128];
    tag[..3].copy_from_slice(b"TAG");
    for (at, text) in [(3, title), (33, artist), (63, album)] {
        tag[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    tag[127] = genre;
    tag
}

/// An APE tag of version 2, without a header.
pub(super) fn ape(items: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tag = Vec::new();
    for (key, value) in items {
        tag.extend([&u32_of(value.len()).to_le_bytes()[..], &[0; 4], key.as_bytes(), &[0], value].concat());
    }
    let size = u32_of(tag.len() + 32).to_le_bytes();
    tag.extend(
        [b"APETAGEX", &2000u32.to_le_bytes()[..], &size, &u32_of(items.len()).to_le_bytes(), &[0; 12]]
            .concat(),
    );
    tag
}

pub(super) fn vorbis_comments(comments: &[&str]) -> Vec<u8> {
    let mut bytes = b"\x04\0\0\0test".to_vec();
    bytes.extend(u32_of(comments.len()).to_le_bytes());
    for comment in comments {
        bytes.extend(u32_of(comment.len()).to_le_bytes());
        bytes.extend(comment.as_bytes());
    }
    bytes
}

/// A FLAC file of these blocks, without sound.
pub(super) fn flac(blocks: &[(u8, &[u8])]) -> Vec<u8> {
    let mut file = b"fLaC".to_vec();
    for (number, (kind, content)) in blocks.iter().enumerate() {
        let last = if number + 1 == blocks.len() { 0x80 } else { 0 };
        file.push(kind | last);
        file.extend(&u32_of(content.len()).to_be_bytes()[1..]);
        file.extend(*content);
    }
    file
}

/// An Ogg file of two packets, without sound; the second on pages of at most `laces` segments.
pub(super) fn ogg(first: &[u8], second: &[u8], laces: usize) -> Vec<u8> {
    let mut file = page(first, &[u8::try_from(first.len()).unwrap()]);
    let mut lacing = vec![255; second.len() / 255];
    lacing.push(u8::try_from(second.len() % 255).unwrap());
    let mut rest = second;
    for lacing in lacing.chunks(laces) {
        let (body, behind) = rest.split_at(lacing.iter().map(|len| usize::from(*len)).sum());
        file.extend(page(body, lacing));
        rest = behind;
    }
    file
}

fn page(body: &[u8], lacing: &[u8]) -> Vec<u8> {
    let mut header = [0; 27];
    header[..4].copy_from_slice(b"OggS");
    header[26] = u8::try_from(lacing.len()).unwrap();
    [&header[..], lacing, body].concat()
}

/// An atom of MP4.
pub(super) fn atom(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&u32_of(content.len() + 8).to_be_bytes()[..], kind, content].concat()
}
