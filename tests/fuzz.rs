//! The fuzz targets' bodies as property tests, so that they run with every other test.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

#[path = "../fuzz/src/lib.rs"]
mod bodies;

/// Pieces that get further into the parsers than noise does.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "AWS4-HMAC-SHA256 ",
        "Credential=",
        "AKIDEXAMPLE/20261123/us-east-1/ec2/aws4_request",
        ", SignedHeaders=",
        "host;x-amz-date",
        ",Signature=",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "\n20261123T083000Z\n",
        "\n",
        "UNSIGNED-PAYLOAD",
        "&X-Amz-Credential=AKIDEXAMPLE%2F20261123%2Fus-east-1%2Fec2%2Faws4_request",
        "&X-Amz-Date=20261123T083000Z",
        "&X-Amz-Expires=60",
        "&X-Amz-SignedHeaders=host",
        "&X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "&AWSAccessKeyId=AKIDEXAMPLE",
        "&SignatureMethod=HmacSHA1",
        "&Signature=MDEyMzQ1Njc4OWFiY2RlZjAxMjM%3D",
        "&Timestamp=2026-11-23T08:30:00Z",
        "&Expires=2026-11-23T08:30:00Z",
        "&Action=DescribeAddresses",
        "&Version=2016-11-15",
        "&Filter.1.Name=tag:a",
        "&Filter.1.Value.1=b",
        "%",
        "+",
        "=",
        "&",
    ]);
    let known = known.prop_map(|text| text.as_bytes().to_vec());
    let noise = prop::collection::vec(any::<u8>(), 0..12);
    prop::collection::vec(prop_oneof![4 => known, 1 => noise], 0..16).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn form(data in pieces()) {
        bodies::form(&data);
    }

    #[test]
    fn sigv4_header(data in pieces()) {
        bodies::sigv4_header(&data);
    }

    #[test]
    fn presigned(data in pieces()) {
        bodies::presigned(&data);
    }

    #[test]
    fn sigv2(data in pieces()) {
        bodies::sigv2(&data);
    }

    #[test]
    fn round_trip(data in pieces()) {
        bodies::round_trip(&data);
    }
}
