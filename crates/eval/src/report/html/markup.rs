//! Text, addresses and small parts of a page.

use crate::report::text::{percent, printable};

/// Text that is only text, in an element or in a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not characters, to a parser.
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The address of a file, percent-encoded (RFC 3986, RFC 8089); a relative path stays relative to the page. `None`
/// for a name that was not Unicode: what is left of it does not lead to the file.
pub(super) fn file_url(path: &str) -> Option<String> {
    if path.contains('\u{fffd}') {
        return None;
    }
    // Windows: `\\?\C:\sounds` is `C:\sounds`, and its drive is the first part of the path.
    let path = match path.strip_prefix(r"\\?\UNC\") {
        Some(share) => format!(r"\\{share}"),
        None => path.strip_prefix(r"\\?\").unwrap_or(path).to_owned(),
    };
    let drive = path.len() > 2 && path.as_bytes()[0].is_ascii_alphabetic() && path[1..].starts_with(":\\");
    let (start, path) = match path {
        p if drive => ("file:///", p.replace('\\', "/")),
        p if p.starts_with(r"\\") => ("file:", p.replace('\\', "/")),
        p if p.starts_with('/') => ("file://", p),
        p => ("./", p),
    };
    let mut url = start.to_owned();
    for (i, byte) in path.bytes().enumerate() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                url.push(byte as char)
            }
            b':' if drive && i == 1 => url.push(':'),
            byte => url.push_str(&format!("%{byte:02X}")),
        }
    }
    Some(url)
}

/// A player of a file, or why there is none.
pub(super) fn player(path: &str) -> String {
    match file_url(path) {
        Some(url) => format!(
            r#"<audio controls="" preload="none" src="{}" aria-label="{}"></audio>"#,
            escape(&url),
            escape(path)
        ),
        None => r#"<p class="note">Its name is not Unicode, so a page cannot play it.</p>"#.to_owned(),
    }
}

/// A cell with a share, and what to sort it by.
pub(super) fn share_cell(share: Option<f64>) -> String {
    match share {
        Some(v) => format!(
            r#"<td class="number bar" data-v="{v:.6}" style="--v:{:.1}%">{}</td>"#,
            100.0 * v.clamp(0.0, 1.0),
            percent(v)
        ),
        None => r#"<td class="number">–</td>"#.to_owned(),
    }
}

/// A table; `heads` are names of columns, and whether they are of numbers. With a label it is a region that scrolls
/// in itself.
pub(super) fn table(heads: &[(&str, bool)], rows: &str, label: Option<&str>) -> String {
    let head = |&(name, number): &(&str, bool)| {
        let class = if number { " class=\"number\"" } else { "" };
        format!("<th{class}>{name}</th>")
    };
    let heads: String = heads.iter().map(head).collect();
    let scroll = match label {
        Some(label) => format!("class=\"scroll tall\" tabindex=\"0\" role=\"region\" aria-label=\"{label}\""),
        None => "class=\"scroll\"".to_owned(),
    };
    format!("<div {scroll}><table><thead><tr>{heads}</tr></thead><tbody>\n{rows}</tbody></table></div>\n")
}

/// A section with a heading; `id` is also where the list of contents leads.
pub(super) fn section(id: &str, title: &str, body: &str) -> String {
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-h\">\n<h2 id=\"{id}-h\">{title}</h2>\n{body}</section>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_addresses() {
        let url = |path| file_url(path).unwrap();
        assert_eq!(url("/a b/50% <\"#?>é.wav"), "file:///a%20b/50%25%20%3C%22%23%3F%3E%C3%A9.wav");
        assert_eq!(url(r"C:\my sounds\a.wav"), "file:///C:/my%20sounds/a.wav");
        assert_eq!(url(r"\\?\C:\a.wav"), "file:///C:/a.wav");
        assert_eq!(url(r"\\?\UNC\server\share\a.wav"), "file://server/share/a.wav");
        assert_eq!(url(r"\\server\share\a.wav"), "file://server/share/a.wav");
        assert_eq!(url("javascript:alert(1)"), "./javascript%3Aalert%281%29");
        assert_eq!(url("a\\b.wav"), "./a%5Cb.wav");
        assert_eq!(file_url("/a\u{fffd}.wav"), None);
    }

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escape("<a href='x'>&\"\u{1b}\u{202e}"),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;\\u{1b}\\u{202e}"
        );
    }
}
