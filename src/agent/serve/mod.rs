//! What the host serves to its own instances: DHCP, DNS, metadata.
