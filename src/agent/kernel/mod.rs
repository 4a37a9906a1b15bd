//! The only place that reads or writes the kernel: links, addresses, routes, neighbours, nft, conntrack.
