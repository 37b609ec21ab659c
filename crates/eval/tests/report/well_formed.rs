//! Whether a page is well-formed XML: a small reader, enough for what we write.

/// A start tag.
#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
}

/// All elements of a page in order, or what is wrong with it: unclosed or crossed tags, bare `<` and `&`, unquoted or
/// doubled attributes.
pub(crate) fn elements(page: &str) -> Result<Vec<Element>, String> {
    let mut rest = page.strip_prefix("<!doctype html>").ok_or("no doctype")?;
    let (mut open, mut all): (Vec<String>, Vec<Element>) = (Vec::new(), Vec::new());
    loop {
        let at = rest.find('<').unwrap_or(rest.len());
        references(&rest[..at])?;
        if at == rest.len() {
            break;
        }
        rest = &rest[at + 1..];
        let end = tag_end(rest).ok_or_else(|| format!("a tag is not closed: {}", start(rest)))?;
        let tag = &rest[..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop().as_deref() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
            continue;
        }
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let element = element(tag)?;
        if !empty {
            open.push(element.name.clone());
        }
        all.push(element);
    }
    if open.is_empty() { Ok(all) } else { Err(format!("open at the end: {open:?}")) }
}

/// Where a tag ends: the first `>` outside of quotes.
fn tag_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == '>' && !quoted).then_some(at)
    })
}

fn element(tag: &str) -> Result<Element, String> {
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(format!("no name of an element: {}", start(tag)));
    }
    let mut attributes: Vec<(String, String)> = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(Element { name: name.to_owned(), attributes });
        }
        let (attribute, after) =
            rest.split_once("=\"").ok_or_else(|| format!("no value in <{}>", start(tag)))?;
        let (value, after) =
            after.split_once('"').ok_or_else(|| format!("no end of a value in <{}>", start(tag)))?;
        if !attribute.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') || value.contains('<') {
            return Err(format!("no attribute: {}", start(rest)));
        }
        if attributes.iter().any(|(known, _)| known == attribute) {
            return Err(format!("{attribute} twice in <{}>", start(tag)));
        }
        references(value)?;
        attributes.push((attribute.to_owned(), value.to_owned()));
        rest = after;
    }
}

/// An ampersand begins one of the references that XML knows.
fn references(text: &str) -> Result<(), String> {
    if let Some(c) = text.chars().find(|&c| c.is_control() && c != '\n') {
        return Err(format!("control character {c:?}"));
    }
    for after in text.split('&').skip(1) {
        let name = after.split_once(';').map(|(name, _)| name);
        if !matches!(name, Some("amp" | "lt" | "gt" | "quot" | "#39")) {
            return Err(format!("a bare &: &{}", start(after)));
        }
    }
    Ok(())
}

fn start(text: &str) -> String {
    text.chars().take(60).collect()
}

#[test]
fn broken_pages_are_found() {
    let all = |body: &str| elements(&format!("<!doctype html><p>{body}</p>"));
    assert_eq!(all(r#"<a b="&lt;>">x</a><br />"#).unwrap().len(), 3);
    for broken in
        ["<b>", "</b>", "<b></i></b>", "a & b", "a < b", "<a b=c></a>", r#"<a b="1" b="2"></a>"#, "\u{7}"]
    {
        assert!(all(broken).is_err(), "{broken}");
    }
}
