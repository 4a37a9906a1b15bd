//! The EC2 Query wire: forms to typed actions, typed answers to XML.
