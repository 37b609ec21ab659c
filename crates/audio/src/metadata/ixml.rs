//! The texts of an iXML chunk.
//!
//! iXML in the wild has bare `&`, elements that are never closed and padding of zeros, and a parser of XML
//! stops at the first of them. All that matters here is which text stands behind which tag, so this is a
//! scanner, not a parser: nesting does not count, except that Steinberg's programs write pairs of `<NAME>`
//! and `<VALUE>`.

use super::texts::{Texts, loose, utf16};

/// Adds the texts of `xml`.
pub(super) fn read(xml: &[u8], texts: &mut Texts) {
    let xml = match xml {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => utf16(xml, false),
        _ => loose(xml),
    };
    let mut name = "";
    let mut rest = xml.as_str();
    while let Some((tag, text)) = next_text(&mut rest) {
        let decoded = decode(text);
        match tag {
            "NAME" => name = text,
            "VALUE" => texts.add_field(std::mem::take(&mut name), &decoded),
            "USER" => texts.add("note", &decoded),
            _ => texts.add_field(tag, &decoded),
        }
    }
}

/// The next tag that has a text directly behind it, and that text; moves `rest` behind both.
fn next_text<'a>(rest: &mut &'a str) -> Option<(&'a str, &'a str)> {
    loop {
        let (_, markup) = rest.split_once('<')?;
        if let Some(comment) = markup.strip_prefix("!--") {
            *rest = comment.split_once("-->")?.1;
            continue;
        }
        let (tag, behind) = markup.split_once('>')?;
        let text = match behind.strip_prefix("<![CDATA[") {
            Some(data) => {
                let (text, behind) = data.split_once("]]>")?;
                *rest = behind;
                text
            }
            None => {
                let (text, behind) = behind.split_at(behind.find('<').unwrap_or(behind.len()));
                *rest = behind;
                text
            }
        };
        let is_start = !tag.starts_with(['/', '!', '?']) && !tag.ends_with('/');
        if is_start && !text.trim().is_empty() {
            let tag = tag.split(char::is_whitespace).next().unwrap_or_default();
            return Some((tag.rsplit(':').next().unwrap_or_default(), text));
        }
    }
}

/// `text` with its entities replaced; those that are unknown stay.
fn decode(text: &str) -> String {
    let mut decoded = String::new();
    let mut rest = text;
    while let Some((before, entity)) = rest.split_once('&') {
        decoded.push_str(before);
        let known = entity.split_once(';').and_then(|(name, behind)| Some((character(name)?, behind)));
        let (c, behind) = known.unwrap_or(('&', entity));
        decoded.push(c);
        rest = behind;
    }
    decoded.push_str(rest);
    decoded
}

fn character(entity: &str) -> Option<char> {
    let code = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match entity.strip_prefix('#')? {
            number if number.starts_with(['x', 'X']) => code(&number[1..], 16),
            number => code(number, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(xml: &[u8]) -> Vec<(&'static str, String)> {
        let mut texts = Texts::default();
        read(xml, &mut texts);
        texts.into_vec().into_iter().map(|text| (text.name, text.text)).collect()
    }

    #[test]
    fn texts_are_found_whatever_they_are_nested_in() {
        let xml = b"<?xml version=\"1.0\"?><!-- <NOTE>no</NOTE> --><BWFXML><PROJECT>Dory</PROJECT>\
            <SCENE>12A</SCENE><TRACK_LIST><TRACK><NAME>Boom</NAME></TRACK></TRACK_LIST>\
            <ASWG><catId>DOORWood</catId><fxName>Slam &amp; creak &#x41;&#66; &bogus; R&D</fxName>\
            <creatorId/></ASWG><USER><DESIGNER>Ann</DESIGNER><NOTES><![CDATA[a < b]]></NOTES></USER>\
            <STEINBERG><ATTR_LIST><ATTR><TYPE>string</TYPE><NAME>MediaLibrary</NAME><VALUE>Doors 2</VALUE>\
            </ATTR></ATTR_LIST></STEINBERG></BWFXML>\0\0\0";
        let expected = [
            ("album", "Dory"),
            ("scene", "12A"),
            ("category", "doors wood"),
            ("title", "Slam & creak AB &bogus; R&D"),
            ("artist", "Ann"),
            ("note", "a < b"),
            ("album", "Doors 2"),
        ];
        assert_eq!(texts(xml), expected.map(|(name, text)| (name, text.to_owned())));
    }

    #[test]
    fn broken_xml_gives_what_can_be_read() {
        assert_eq!(texts(b"<NOTE>never closed<SCENE>3</SCENE>").len(), 2);
        assert_eq!(texts(b"<USER>only words</USER>"), [("note", "only words".to_owned())]);
        assert_eq!(texts(b"<SCENE>3</SCENE><NOTE>cut o"), [("scene", "3".into()), ("note", "cut o".into())]);
        assert_eq!(texts(b"<NOTE").len(), 0);
        assert_eq!(texts(b"<!-- <NOTE>x</NOTE>").len(), 0);
        assert_eq!(texts(b"&#xffffffff;<NOTE>&#xd800;&#;&;</NOTE>"), [("note", "&#xd800;&#;&;".into())]);
        let nested = [b"<A>".repeat(50_000), b"<NOTE>deep</NOTE>".to_vec()].concat();
        assert_eq!(texts(&nested), [("note", "deep".to_owned())]);
    }
}
