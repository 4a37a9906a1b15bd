//! Mistakes of old clients that mean more than they say.

use crate::auth::Pair;

const CIDR: &str = "IpPermissions.1.IpRanges.1.CidrIp";

/// euca2ools 3 adds "from everywhere" to a rule that is to let in one group only.
///
/// `euca-authorize -o GROUP -u ACCOUNT` and `euca-revoke` fill in 0.0.0.0/0 whenever no CIDR was
/// given, although its own options exclude each other. EC2 honours group and CIDR together and other
/// clients rely on that, so only this client is known better: the group alone is meant. Leaving a
/// CIDR out can only narrow what a forged User-Agent asks for.
pub(super) fn correct(user_agent: Option<&str>, pairs: &mut Vec<Pair>) {
    let theirs = user_agent.is_some_and(|agent| agent.starts_with("euca2ools/3."));
    let has = |wanted: &[&str], value: fn(&str) -> bool| {
        pairs.iter().any(|(name, given)| wanted.contains(&name.as_str()) && value(given))
    };
    let rule = has(&["Action"], |action| {
        action.starts_with("AuthorizeSecurityGroup") || action.starts_with("RevokeSecurityGroup")
    });
    let names = ["IpPermissions.1.Groups.1.GroupName", "IpPermissions.1.Groups.1.GroupId"];
    let everywhere = has(&[CIDR], |cidr| cidr == "0.0.0.0/0");
    if theirs && rule && everywhere && has(&names, |name| !name.is_empty()) {
        pairs.retain(|(name, _)| name != CIDR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corrected(agent: &str, pairs: &[(&str, &str)]) -> bool {
        let mut pairs: Vec<Pair> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let before = pairs.len();
        correct(Some(agent), &mut pairs);
        assert_eq!(pairs.iter().any(|(name, _)| name == CIDR), pairs.len() == before);
        pairs.len() < before
    }

    #[test]
    fn only_this_client_and_only_group_with_everywhere() {
        let agent = "euca2ools/3.4.1 (CPython 2.7.5; Linux) requestbuilder/0.7.1";
        let action = ("Action", "AuthorizeSecurityGroupIngress");
        let group = ("IpPermissions.1.Groups.1.GroupName", "web");
        let everywhere = (CIDR, "0.0.0.0/0");
        assert!(corrected(agent, &[action, group, everywhere]));
        let revoke = ("Action", "RevokeSecurityGroupEgress");
        assert!(corrected(agent, &[revoke, ("IpPermissions.1.Groups.1.GroupId", "sg-1"), everywhere]));
        assert!(!corrected("aws-cli/2.1", &[action, group, everywhere]));
        assert!(!corrected("euca2ools/2.1", &[action, group, everywhere]));
        assert!(!corrected(agent, &[action, everywhere]));
        assert!(!corrected(agent, &[action, group, (CIDR, "192.0.2.0/24")]));
        assert!(!corrected(agent, &[action, ("IpPermissions.1.Groups.1.UserId", "1"), everywhere]));
        assert!(!corrected(agent, &[("Action", "RunInstances"), group, everywhere]));
    }
}
