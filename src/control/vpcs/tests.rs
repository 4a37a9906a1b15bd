//! VPCs and subnets from their making to their end.
