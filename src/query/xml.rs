//! Writes XML. Names are ours; every value is escaped on its way in.

use std::fmt::{self, Display, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::escape::partial_escape;

/// An element's name, as it stands around what is in it.
#[derive(Clone, Copy)]
pub struct Tag {
    pub open: &'static str,
    pub close: &'static str,
}

/// The tag of a name.
macro_rules! tag {
    ($name:literal) => {
        $crate::query::xml::Tag { open: concat!("<", $name, ">"), close: concat!("</", $name, ">") }
    };
}
pub(super) use tag;

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
        // Nearly all of an answer: looked at once, and copied.
        if is_plain(text) {
            self.0.push_str(text);
            return Ok(());
        }
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

/// Whether it is written as it is. There is no way out of the loop, so that it looks at many bytes at a time.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| (b' '..=b'~').contains(&byte) & !matches!(byte, b'<' | b'>' | b'&');
    text.bytes().fold(true, |all, byte| all & plain(byte))
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

    /// An element whose name is known only now.
    pub(super) fn named(&mut self, name: &str, inner: impl FnOnce(&mut Self)) {
        let _ = write!(self.text, "<{name}>");
        inner(self);
        let _ = write!(self.text, "</{name}>");
    }

    pub(super) fn element(&mut self, tag: Tag, inner: impl FnOnce(&mut Self)) {
        self.text.push_str(tag.open);
        inner(self);
        self.text.push_str(tag.close);
    }

    pub(super) fn text(&mut self, tag: Tag, value: &str) {
        self.element(tag, |xml| {
            let _ = Escaped(&mut xml.text).write_str(value);
        });
    }

    pub(super) fn display(&mut self, tag: Tag, value: &impl Display) {
        self.element(tag, |xml| {
            // Writing to a String does not fail.
            let _ = write!(Escaped(&mut xml.text), "{value}");
        });
    }

    pub(super) fn blob(&mut self, tag: Tag, value: &[u8]) {
        self.element(tag, |xml| STANDARD.encode_string(value, &mut xml.text));
    }
}
