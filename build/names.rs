//! Names: `SecurityGroupId` on the wire, `security_group_id` in Rust.

/// `AllocateAddress` to `allocate_address`; a run of capitals is one word.
pub fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        let after_small = i > 0 && !chars[i - 1].is_uppercase();
        let before_small = chars.get(i + 1).is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && i > 0 && (after_small || before_small) {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// `security_group_id` to `SecurityGroupId`.
pub fn upper_camel(name: &str) -> String {
    name.split('_').map(capital).collect()
}

/// `security_group_id` to `securityGroupId`.
pub fn lower_camel(name: &str) -> String {
    let camel = upper_camel(name);
    camel[..1].to_lowercase() + &camel[1..]
}

fn capital(word: &str) -> String {
    if word.is_empty() { String::new() } else { word[..1].to_uppercase() + &word[1..] }
}

/// `InvalidAllocationID.NotFound` to `InvalidAllocationIDNotFound`.
pub fn fault_variant(code: &str) -> String {
    code.split(['.', '_', '-']).map(capital).collect()
}
