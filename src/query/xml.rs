//! Writes XML. Names are ours; every value is escaped on its way in.

use std::fmt::{self, Display, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::escape::partial_escape;

/// A document under construction.
pub struct Xml {
    text: String,
    /// The API's version that the client speaks, a date.
    version: String,
}

/// Escapes what is formatted into it.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // XML 1.0 has no way to write most control characters, not even escaped (section 2.2).
        if text.chars().all(is_xml_char) {
            self.0.push_str(&partial_escape(text));
        } else {
            let clean: String = text.chars().map(|c| if is_xml_char(c) { c } else { '\u{fffd}' }).collect();
            self.0.push_str(&partial_escape(clean.as_str()));
        }
        Ok(())
    }
}

const fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

impl Xml {
    pub(super) fn new(version: &str) -> Self {
        let mut text = String::with_capacity(1024);
        text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        Self { text, version: version.into() }
    }

    /// Whether the client's version has what came with this one. EC2 tells older ones nothing of it, and clients of
    /// that time count on it: boto 2 ends its VPC at the first `</item>` that it does not know.
    pub(super) fn is_since(&self, version: &str) -> bool {
        // Dates sort as texts.
        *self.version >= *version
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    pub(super) fn root(&mut self, name: &str, namespace: &str, inner: impl FnOnce(&mut Self)) {
        let _ = write!(self.text, "<{name} xmlns=\"{namespace}\">");
        inner(self);
        let _ = write!(self.text, "</{name}>");
    }

    pub(super) fn element(&mut self, name: &str, inner: impl FnOnce(&mut Self)) {
        self.open(name);
        inner(self);
        self.close(name);
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.display(name, &value);
    }

    pub(super) fn display(&mut self, name: &str, value: &impl Display) {
        self.open(name);
        // Writing to a String does not fail.
        let _ = write!(Escaped(&mut self.text), "{value}");
        self.close(name);
    }

    pub(super) fn blob(&mut self, name: &str, value: &[u8]) {
        self.open(name);
        STANDARD.encode_string(value, &mut self.text);
        self.close(name);
    }

    fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }
}
