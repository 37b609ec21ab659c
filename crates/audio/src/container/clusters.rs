//! Damage in the clusters of a Matroska file (RFC 9559), and how its demuxer gets over it.
//!
//! symphonia stops at the first element that it cannot read, or skips as many bytes as the damage says. So
//! this looks at the headers of all elements, and where one makes no sense, looks for the next block or
//! cluster that does. What lies between is declared void. All places stay what they are, and blocks carry
//! their time.

use std::io::{Read, Seek};

use super::bytes::{Bytes, Window};
use super::mkv::vint;
use super::view::Part;

pub(super) const CLUSTER: u32 = 0x1f43_b675;
const VOID: u32 = 0xec;
const CRC_32: u32 = 0xbf;
const TIMESTAMP: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;
const BLOCK_GROUP: u32 = 0xa0;
const BLOCK: u32 = 0xa1;

/// What a segment holds: seek head, info, tracks, clusters, cues, attachments, chapters, tags.
const IN_SEGMENT: [u32; 10] = [
    0x114d_9b74,
    0x1549_a966,
    0x1654_ae6b,
    CLUSTER,
    0x1c53_bb6b,
    0x1941_a469,
    0x1043_a770,
    0x1254_c367,
    VOID,
    CRC_32,
];

/// What a cluster holds, with what older files have: position, previous size, silent tracks, encrypted block.
const IN_CLUSTER: [u32; 9] = [TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP, 0xa7, 0xab, 0x5854, 0xaf, VOID, CRC_32];

/// What a block group holds: duration, references, priority, additions, codec state, padding, slices.
const IN_GROUP: [u32; 13] =
    [BLOCK, 0x9b, 0xfb, 0xfd, 0xfa, 0xa2, 0x75a1, 0xa4, 0x75a2, 0x8e, 0xc8, VOID, CRC_32];

/// Damaged places that are mended; what comes behind that many is not worth it.
const MAX_DAMAGE: usize = 1000;

/// How far behind damage a block of the same cluster is looked for.
const NEAR_BYTES: u64 = 1 << 20;

/// Elements that must follow each other before they are believed behind damage.
const CHAIN: usize = 3;

/// Places behind damage that look like the start of a block: of coded sound, one byte in 128 does.
const MAX_TRIED: u64 = 10_000_000;

/// Elements of a block group: some references, at most.
const MAX_IN_GROUP: usize = 64;

/// Bytes read at a time. Between the headers of large blocks, most are skipped.
const WINDOW: usize = 1 << 12;

/// Longest header of an element.
const HEADER: usize = 12;

/// An element's header.
#[derive(Clone, Copy)]
struct Element {
    id: u32,
    at: u64,
    /// Bytes of the id and of the size.
    id_len: usize,
    size_len: usize,
    /// `None` for an unknown size.
    size: Option<u64>,
}

impl Element {
    fn start(&self) -> u64 {
        self.at + (self.id_len + self.size_len) as u64
    }

    /// Where it ends, if that is known and not behind `limit`.
    fn end(&self, limit: u64) -> Option<u64> {
        self.start().checked_add(self.size?).filter(|end| *end <= limit)
    }
}

/// Where reading can go on.
enum Resume {
    Block(u64),
    Cluster(u64),
}

struct Walk<'a, 'b, M: ?Sized> {
    bytes: &'a mut Bytes<'b, M>,
    window: Window,
    tracks: &'a [u64],
    /// Where the segment ends.
    end: u64,
    /// Places where a block was looked for.
    tried: u64,
    /// What is written over, by place.
    patches: Vec<(u64, Vec<u8>)>,
}

/// The file with damage declared void, of whose segment the elements from `from` to `end` are looked at;
/// `None` if there is no damage. `tracks` are the numbers of all tracks.
pub(super) fn mend<M: Read + Seek + ?Sized>(
    bytes: &mut Bytes<'_, M>,
    from: u64,
    end: u64,
    tracks: &[u64],
) -> Option<Vec<Part>> {
    let len = bytes.len();
    let mut walk = Walk { bytes, window: Window::new(WINDOW), tracks, end, tried: 0, patches: Vec::new() };
    walk.segment(from);
    let mut patches = walk.patches;
    if patches.is_empty() {
        return None;
    }
    patches.sort_by_key(|(at, _)| *at);
    let mut parts = Vec::with_capacity(2 * patches.len() + 1);
    let mut from = 0;
    for (at, own) in patches {
        parts.push(Part::File { start: from, end: at });
        from = at + own.len() as u64;
        parts.push(Part::Own(own));
    }
    parts.push(Part::File { start: from, end: len });
    Some(parts)
}

impl<M: Read + Seek + ?Sized> Walk<'_, '_, M> {
    fn element(&mut self, at: u64) -> Option<Element> {
        let head = self.window.peek(self.bytes, at, HEADER);
        let (id, id_len) = vint(head, 4, true)?;
        let (size, size_len) = vint(&head[id_len..], 8, false)?;
        let is_unknown = size == (1 << (7 * size_len)) - 1;
        Some(Element { id: id as u32, at, id_len, size_len, size: (!is_unknown).then_some(size) })
    }

    fn is_one_of(&mut self, at: u64, ids: &[u32]) -> bool {
        self.element(at).is_some_and(|element| ids.contains(&element.id))
    }

    /// Goes from element to element.
    fn segment(&mut self, mut at: u64) {
        while at + 2 <= self.end && self.patches.len() < MAX_DAMAGE {
            let element = self.element(at);
            let cluster = element.filter(|element| element.id == CLUSTER);
            let next = match cluster {
                Some(cluster) => self.cluster(cluster),
                None => element.and_then(|element| self.end_in_segment(element)),
            };
            at = match next {
                Some(next) => next,
                None if cluster.is_some() => return,
                None => {
                    let Some(next) = self.next_cluster(at + 2) else { return };
                    self.void(at, next);
                    next
                }
            };
        }
    }

    /// Where an element of the segment ends, if it is a known one or followed by one.
    fn end_in_segment(&mut self, element: Element) -> Option<u64> {
        let end = element.end(self.end)?;
        let is_known = IN_SEGMENT.contains(&element.id);
        (is_known || end == self.end || self.is_one_of(end, &IN_SEGMENT)).then_some(end)
    }

    /// Goes through a cluster; gives where the segment goes on, unless it does not.
    fn cluster(&mut self, cluster: Element) -> Option<u64> {
        let mut limit = cluster.end(self.end);
        let mut at = cluster.start();
        // The element before.
        let mut last = at;
        while at < limit.unwrap_or(self.end) && self.patches.len() < MAX_DAMAGE {
            let end = limit.unwrap_or(self.end);
            if limit.is_none() && self.is_one_of(at, &IN_SEGMENT[..8]) {
                return Some(at);
            }
            if self.is_cluster(at) {
                self.resize(cluster, Some(at));
                return Some(at);
            }
            if let Some(next) = self.child(at, end) {
                (last, at) = (at, next);
                continue;
            }
            if limit.is_some() && self.is_chain(at, self.end) {
                // The cluster is longer than it says.
                self.resize(cluster, None);
                limit = None;
                continue;
            }
            // The size of the element before may be damaged, too, and lead far behind the damage.
            let (from, resume) = match self.resume(last + 2, end) {
                Some(Resume::Block(next)) if last + 2 <= next && next < at => {
                    (last, Some(Resume::Block(next)))
                }
                Some(Resume::Cluster(next)) if next < at => (last, Some(Resume::Cluster(next))),
                Some(Resume::Block(next)) if next < at + 2 => (at, self.resume(at + 2, end)),
                resume => (at, resume),
            };
            match resume {
                Some(Resume::Block(next)) => {
                    self.void(from, next);
                    (last, at) = (next, next);
                }
                // The damage goes on behind the cluster.
                Some(Resume::Cluster(next)) if next >= end => {
                    self.void(from, end);
                    return Some(end);
                }
                Some(Resume::Cluster(next)) => {
                    // The size of this one is damaged.
                    if limit.is_some() {
                        self.resize(cluster, Some(next));
                    }
                    self.void(from, next);
                    return Some(next);
                }
                // The end of a file that was cut off is left as it is.
                None if limit.is_none() => return None,
                None => {
                    self.void(from, end);
                    return Some(end);
                }
            }
        }
        Some(limit.unwrap_or(self.end))
    }

    /// Where the element of a cluster ends that starts at `at`, if it makes sense.
    fn child(&mut self, at: u64, limit: u64) -> Option<u64> {
        // A foreign element is taken for damage, which costs nothing: it is void either way.
        let element = self.element(at).filter(|element| IN_CLUSTER.contains(&element.id))?;
        let end = element.end(limit)?;
        let makes_sense = match element.id {
            SIMPLE_BLOCK => self.is_block(element),
            BLOCK_GROUP => self.is_group(element, end),
            TIMESTAMP => end - element.start() <= 8,
            _ => true,
        };
        makes_sense.then_some(end)
    }

    /// Whether a block starts with the number of a track, a time, and flags of which none is reserved.
    fn is_block(&mut self, element: Element) -> bool {
        let head = self.window.peek(self.bytes, element.start(), 12);
        let Some((track, len)) = vint(head, 8, false) else { return false };
        let (Some(flags), Some(size)) = (head.get(len + 2), element.size) else { return false };
        let laced = match flags & 6 {
            0 => true,
            // As many frames of the same size as the next byte says, less one.
            4 => head
                .get(len + 3)
                .is_some_and(|more| size.saturating_sub(len as u64 + 4).is_multiple_of(u64::from(*more) + 1)),
            _ => size > len as u64 + 4,
        };
        laced && flags & 0x70 == 0 && size >= len as u64 + 3 && self.tracks.contains(&track)
    }

    fn is_group(&mut self, group: Element, end: u64) -> bool {
        let mut at = group.start();
        let mut has_block = false;
        for _ in 0..MAX_IN_GROUP {
            if at == end {
                break;
            }
            let Some(element) = self.element(at).filter(|element| IN_GROUP.contains(&element.id)) else {
                return false;
            };
            let Some(next) = element.end(end) else { return false };
            if element.id == BLOCK {
                has_block = self.is_block(element);
            }
            at = next;
        }
        has_block && at == end
    }

    /// The first block from `from` on in the cluster that ends at `end`, or the first cluster.
    fn resume(&mut self, from: u64, end: u64) -> Option<Resume> {
        let near = end.min(from.saturating_add(NEAR_BYTES));
        for at in from..near {
            let first = self.window.peek(self.bytes, at, 1).first().copied();
            self.tried += u64::from(matches!(first, Some(0xa0 | 0xa3)));
            if self.tried > MAX_TRIED {
                return None;
            }
            match first {
                Some(0xa0 | 0xa3) if self.is_chain(at, end) => return Some(Resume::Block(at)),
                Some(0x1f) if self.is_cluster(at) => return Some(Resume::Cluster(at)),
                _ => {}
            }
        }
        self.next_cluster(near).map(Resume::Cluster)
    }

    fn is_chain(&mut self, mut at: u64, end: u64) -> bool {
        for _ in 0..CHAIN {
            match self.child(at, end) {
                Some(next) => at = next,
                None => return false,
            }
            if at == end {
                break;
            }
        }
        true
    }

    fn is_cluster(&mut self, at: u64) -> bool {
        let Some(cluster) = self.element(at).filter(|element| element.id == CLUSTER) else { return false };
        self.child(cluster.start(), self.end).is_some()
    }

    fn next_cluster(&mut self, mut from: u64) -> Option<u64> {
        while from + 4 <= self.end {
            let near = self.window.peek(self.bytes, from, WINDOW);
            let found = near.windows(4).position(|four| four == CLUSTER.to_be_bytes());
            let Some(found) = found else {
                from += near.len().saturating_sub(3).max(1) as u64;
                continue;
            };
            let at = from + found as u64;
            if self.is_cluster(at) {
                return Some(at);
            }
            from = at + 1;
        }
        None
    }

    /// Declares the bytes from `from` to `to` void, which are at least two.
    fn void(&mut self, from: u64, to: u64) {
        let len = to.saturating_sub(from);
        let head = match len {
            0..2 => return,
            2..=128 => vec![VOID as u8, 0x80 | (len - 2) as u8],
            _ => [&[VOID as u8][..], &(1 << 56 | (len - 9)).to_be_bytes()].concat(),
        };
        self.patches.push((from, head));
    }

    /// Lets a cluster end at `end`, or leaves open where it ends.
    fn resize(&mut self, cluster: Element, end: Option<u64>) {
        let (len, marker) = (cluster.size_len, 1 << (7 * cluster.size_len));
        let size = marker | end.map_or(marker - 1, |end| end - cluster.start());
        self.patches.push((cluster.at + cluster.id_len as u64, size.to_be_bytes()[8 - len..].to_vec()));
    }
}
