//! A whole cluster inside network namespaces of one machine.
