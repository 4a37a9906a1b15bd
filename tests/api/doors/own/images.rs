//! Images of an account's own.

use super::Maker;

impl Maker<'_> {
    pub fn images(&mut self) {
        for thing in ["own-image", "spare-image"] {
            let name = format!("{} {thing}", self.own.who);
            let given = [("Action", "RegisterImage"), ("Name", &*name), ("ImageLocation", "stock")];
            self.make(thing, "imageId", &given);
        }
    }
}
