//! A strict reader of the pages we write: what a browser would make of them, minus forgiveness.

/// An opening tag with its attributes.
#[derive(Debug)]
pub(crate) struct Tag {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
}

/// The tags of a page and the text between them.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) tags: Vec<Tag>,
    pub(crate) text: String,
    pub(crate) scripts: Vec<String>,
}

impl Page {
    pub(crate) fn tag(&self, name: &str) -> impl Iterator<Item = &Tag> {
        self.tags.iter().filter(move |tag| tag.name == name)
    }
}

const VOID: [&str; 2] = ["meta", "link"];

/// Reads a page; panics if it is not well formed.
pub(crate) fn read(html: &str) -> Page {
    let mut page = Page::default();
    let mut open: Vec<String> = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("a doctype");
    while let Some(at) = rest.find('<') {
        push_text(&rest[..at], &mut page.text);
        rest = &rest[at + 1..];
        let (tag, after) = rest.split_once('>').expect("a closed tag");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "tags nest");
            continue;
        }
        let (tag, closed) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let tag = attributes(tag);
        if let "style" | "script" = tag.name.as_str() {
            // Raw text: the browser looks for nothing but the end.
            let end = format!("</{}>", tag.name);
            let (raw, after) = rest.split_once(&end).expect("a closed element");
            assert!(!raw.contains("<!--") && !raw.contains("<script"), "raw text that goes on");
            if tag.name == "script" {
                page.scripts.push(raw.to_owned());
            }
            rest = after;
        } else if !closed && !VOID.contains(&tag.name.as_str()) {
            open.push(tag.name.clone());
        }
        page.tags.push(tag);
    }
    push_text(rest, &mut page.text);
    assert!(open.is_empty(), "left open: {open:?}");
    page
}

fn push_text(raw: &str, text: &mut String) {
    assert!(!raw.contains('>'), "a bare > in {raw:?}");
    text.push_str(&unescape(raw));
}

fn attributes(tag: &str) -> Tag {
    let (name, mut rest) = tag.split_once([' ', '\n']).unwrap_or((tag, ""));
    assert!(name.bytes().all(|b| b.is_ascii_alphanumeric()), "tag name {name:?}");
    let mut attributes = Vec::new();
    while !rest.trim().is_empty() {
        rest = rest.trim_start();
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (attribute, after) = rest.split_at(end);
        assert!(
            attribute.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'),
            "attribute {attribute:?} in {tag:?}"
        );
        let mut value = "";
        rest = after;
        if let Some(quoted) = after.strip_prefix("=\"") {
            (value, rest) = quoted.split_once('"').expect("a closed attribute");
        } else {
            assert!(!after.starts_with('='), "an unquoted attribute in {tag:?}");
        }
        attributes.push((attribute.to_owned(), unescape(value)));
    }
    Tag { name: name.to_owned(), attributes }
}

fn unescape(raw: &str) -> String {
    let mut out = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let (entity, after) = rest[at + 1..].split_once(';').expect("a closed entity");
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            other => panic!("entity {other:?}"),
        });
        rest = after;
    }
    out.push_str(rest);
    out
}
