//! What actions tell of one thing at a time.

use super::call::Call;
use super::tree::Tree;
use super::world::World;
use super::{lists, vpcs};

/// Calls with what each has to answer.
pub fn all(world: &World, who: usize) -> Vec<(Call, Vec<Tree>)> {
    let mut all = Vec::new();
    for vpc in world.vpcs.iter().filter(|one| one.who == who) {
        for name in ["enableDnsSupport", "enableDnsHostnames"] {
            let call = Call::new(who, "DescribeVpcAttribute").with("VpcId", &vpc.id).with("Attribute", name);
            all.push((call, vpcs::attribute(vpc, name)));
        }
    }
    for row in world.lists.iter().filter(|one| one.who == who) {
        let ask = || Call::new(who, "GetManagedPrefixListEntries").with("PrefixListId", &row.id);
        all.push((ask(), vec![lists::entries(row.versions.last().unwrap())]));
        // And what it was made with.
        all.push((ask().with("TargetVersion", 1), vec![lists::entries(&row.versions[0])]));
    }
    all
}
