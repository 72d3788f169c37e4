//! Query strings and forms, read and written by hand.

/// The value of `key` in a list of pairs.
pub fn field<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
}

/// `a=b&c=d` as pairs, percent-decoded.
pub fn parse(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(key), decode(value))
        })
        .collect()
}

/// The query of a URL as pairs.
pub fn query(url: &str) -> Vec<(String, String)> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    parse(query.split('#').next().unwrap_or(""))
}

/// The query of `url` with `key` given another value, or taken out.
pub fn with(url: &str, key: &str, value: Option<&str>) -> String {
    let base = url.split('?').next().unwrap_or(url);
    let mut pairs = query(url);
    pairs.retain(|(k, _)| k != key);
    if let Some(value) = value {
        pairs.push((key.into(), value.into()));
    }
    let query: Vec<_> = pairs.iter().map(|(k, v)| format!("{}={}", encode(k), encode(v))).collect();
    format!("{base}?{}", query.join("&"))
}

/// Percent-encoding of everything that is not unreserved.
pub fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(byte as char),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let hex: Vec<u8> = bytes.by_ref().take(2).collect();
                let hex = String::from_utf8_lossy(&hex).into_owned();
                out.push(u8::from_str_radix(&hex, 16).unwrap_or(b'?'));
            }
            other => out.push(other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The members of a JSON object as a form.
pub fn as_form(json: &str) -> String {
    let members: serde_json::Map<String, serde_json::Value> = serde_json::from_str(json).unwrap();
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs: Vec<_> =
        members.iter().map(|(name, value)| format!("{}={}", encode(name), encode(&text(value)))).collect();
    pairs.join("&")
}
