//! The little that is needed of URLs: an origin, a path, and where a redirect leads.

use ureq::http::Uri;

/// Scheme, host and port of a URL: who is spoken to. Only the endpoint's own origin may see the token.
pub(crate) fn origin(url: &Uri) -> Option<(String, String, u16)> {
    let scheme = url.scheme_str()?.to_ascii_lowercase();
    let port = match (url.port_u16(), scheme.as_str()) {
        (Some(port), "http" | "https") => port,
        (None, "https") => 443,
        (None, "http") => 80,
        _ => return None,
    };
    Some((scheme, url.host()?.to_ascii_lowercase(), port))
}

/// Where `location`, the header of a redirect from `base`, leads (RFC 3986, section 5.2, without dot segments, which no
/// server sends). `None` where it is no HTTP URL.
pub(crate) fn join(base: &Uri, location: &str) -> Option<Uri> {
    let scheme = base.scheme_str()?;
    let authority = base.authority()?;
    let location = location.split('#').next().unwrap_or_default();
    let text = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.split(['/', '?']).next().is_some_and(|first| first.contains(':')) {
        location.to_owned()
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    text.parse().ok().filter(|url| origin(url).is_some())
}

/// A path with everything percent-encoded that is neither unreserved (RFC 3986, section 2.3) nor in `keep`.
pub(crate) fn encode(path: &str, keep: &str) -> String {
    path.bytes().fold(String::new(), |mut out, byte| {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || keep.contains(c) {
            out.push(c);
        } else {
            out += &format!("%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_where_it_says() {
        let base: Uri = "https://hub.test/org/name/resolve/main/a.onnx".parse().unwrap();
        for (location, expected) in [
            ("https://cdn.test/x?sig=1#part", Some("https://cdn.test/x?sig=1")),
            ("//cdn.test/x", Some("https://cdn.test/x")),
            ("/new/name?a=b:c", Some("https://hub.test/new/name?a=b:c")),
            ("b.onnx", Some("https://hub.test/org/name/resolve/main/b.onnx")),
            ("ftp://cdn.test/x", None),
            ("file:///etc/passwd", None),
            ("not a url", None),
        ] {
            assert_eq!(join(&base, location).map(|u| u.to_string()).as_deref(), expected, "{location}");
        }
    }

    #[test]
    fn an_origin_has_the_port_that_is_not_written() {
        let of = |url: &str| origin(&url.parse().unwrap());
        assert_eq!(of("https://Hub.test/a"), of("https://hub.test:443/b"));
        assert_ne!(of("https://hub.test/a"), of("http://hub.test/a"));
        assert_ne!(of("http://hub.test/a"), of("http://hub.test:81/a"));
    }

    #[test]
    fn paths_are_encoded_and_slashes_kept() {
        assert_eq!(encode("onnx/a b#ü.onnx", "/"), "onnx/a%20b%23%C3%BC.onnx");
        assert_eq!(encode("refs/pr/1", ""), "refs%2Fpr%2F1");
    }
}
