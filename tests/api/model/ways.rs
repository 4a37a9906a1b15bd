//! Calls about what leads out of VPCs: NAT gateways and peering connections; and about prefix
//! lists.

use super::call::Call;
use super::families::Family;
use super::peers::{Peering, Stage, overlap};
use super::steps::Chooser;

pub const NATS: Family = Family {
    actions: &[("CreateNatGateway", 7), ("DeleteNatGateway", 4)],
    choose: nats,
    has_what_it_takes: |chooser, action| match action {
        "CreateNatGateway" => {
            let free = |one: &super::world::Address| one.who == chooser.who && one.association.is_none();
            !chooser.subnets().is_empty() && chooser.world.addresses.iter().any(free)
        }
        _ => chooser.world.nats.iter().any(|one| one.who == chooser.who && !one.deleted),
    },
};

fn nats(chooser: &mut Chooser<'_>, call: Call) -> Call {
    if call.action == "DeleteNatGateway" {
        let own = chooser.world.nats.iter().filter(|one| one.who == chooser.who && !one.deleted);
        let own = own.map(|one| one.id.clone()).collect();
        let id = chooser.mostly(own, "nat");
        return call.with("NatGatewayId", id);
    }
    // Mostly where a gateway leads out.
    let out = |vpc: &String| chooser.world.gateways.iter().any(|one| one.vpc.as_ref() == Some(vpc));
    let good = chooser.subnets().into_iter().filter(|one| out(&one.vpc)).map(|one| one.id).collect();
    let subnet = if chooser.dice.once_in(5) { chooser.subnet() } else { chooser.mostly(good, "subnet") };
    let mut call = call.with("SubnetId", &subnet);
    if !chooser.dice.once_in(15) {
        let own = chooser.world.addresses.iter().filter(|one| one.who == chooser.who);
        let free = own.filter(|one| one.association.is_none()).map(|one| one.id.clone()).collect();
        let id = chooser.mostly(free, "eipalloc");
        call.params.set("AllocationId", id);
    }
    if chooser.dice.once_in(5) {
        let ip = chooser.address_in(&subnet);
        call.params.set("PrivateIpAddress", ip);
    }
    if chooser.dice.once_in(6) {
        // The model knows of no private ones: what asks for one names an address, which none has.
        let kinds = ["public", "public", "private"];
        let named = call.params.one("AllocationId").is_some();
        call.params.set("ConnectivityType", chooser.dice.pick(if named { &kinds[..] } else { &kinds[..2] }));
    }
    let call = chooser.with_tags(call, "natgateway");
    chooser.token(call)
}

pub const PEERS: Family = Family {
    actions: &[
        ("CreateVpcPeeringConnection", 7),
        ("AcceptVpcPeeringConnection", 7),
        ("RejectVpcPeeringConnection", 6),
        ("DeleteVpcPeeringConnection", 4),
        ("ModifyVpcPeeringConnectionOptions", 3),
    ],
    choose: peers,
    has_what_it_takes: |chooser, action| match action {
        "CreateVpcPeeringConnection" => !chooser.vpcs().is_empty(),
        "AcceptVpcPeeringConnection" => !asked(chooser).is_empty(),
        "RejectVpcPeeringConnection" => !asked(chooser).is_empty() && chooser.world.peerings.len() > 1,
        _ => !chooser.world.peerings_of(chooser.who).is_empty(),
    },
};

/// What the account may answer.
fn asked(chooser: &Chooser<'_>) -> Vec<String> {
    let account = &chooser.world.accounts[chooser.who].id;
    let is_its = |one: &&Peering| one.stage == Stage::Pending && one.ends[1].owner == *account;
    chooser.world.peerings.iter().filter(is_its).map(|one| one.id.clone()).collect()
}

fn peers(chooser: &mut Chooser<'_>, call: Call) -> Call {
    match call.action {
        "CreateVpcPeeringConnection" => {
            let vpc = chooser.vpc();
            let all: Vec<_> = chooser.world.vpcs.iter().filter(|one| one.id != vpc).cloned().collect();
            let own = chooser.world.vpc(&vpc).cloned();
            let apart = |one: &super::vpcs::Vpc| own.as_ref().is_none_or(|own| !overlap(own, one));
            let others = |one: &&super::vpcs::Vpc| {
                !one.is_default && apart(one) && (one.who != chooser.who || chooser.who == 0)
            };
            let good: Vec<_> = all.iter().filter(others).cloned().collect();
            let from = if good.is_empty() || chooser.dice.once_in(5) { &all } else { &good };
            let peer = chooser.dice.pick(from).clone();
            let mut call = call.with("VpcId", vpc).with("PeerVpcId", peer.id);
            let owner = match chooser.dice.below(10) {
                0 => "000000000007".to_owned(),
                1 => chooser.world.accounts[1 - peer.who].id.clone(),
                _ => chooser.world.accounts[peer.who].id.clone(),
            };
            if peer.who != chooser.who || chooser.dice.once_in(3) {
                call.params.set("PeerOwnerId", owner);
            }
            chooser.with_tags(call, "vpc-peering-connection")
        }
        "AcceptVpcPeeringConnection" | "RejectVpcPeeringConnection" => {
            let asked = asked(chooser);
            let id = chooser.mostly(asked, "pcx");
            call.with("VpcPeeringConnectionId", id)
        }
        "DeleteVpcPeeringConnection" => {
            let live = chooser.world.peerings_of(chooser.who).into_iter();
            let live = live.filter(|one| matches!(one.stage, Stage::Pending | Stage::Active));
            let live = live.map(|one| one.id.clone()).collect();
            let id = chooser.mostly(live, "pcx");
            call.with("VpcPeeringConnectionId", id)
        }
        _ => {
            let active = chooser.world.peerings_of(chooser.who).into_iter();
            let active = active.filter(|one| one.stage == Stage::Active).map(|one| one.id.clone()).collect();
            let id = chooser.mostly(active, "pcx");
            let mut call = call.with("VpcPeeringConnectionId", id);
            let account = chooser.world.accounts[chooser.who].id.clone();
            let there = chooser
                .world
                .peerings
                .iter()
                .find(|one| Some(&*one.id) == call.params.one("VpcPeeringConnectionId"));
            let own = there.map_or([true; 2], |one| [0, 1].map(|side| one.ends[side].owner == account));
            for (side, own) in ["Requester", "Accepter"].into_iter().zip(own) {
                if chooser.dice.once_in(if own { 2 } else { 8 }) {
                    let name = format!("{side}PeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc");
                    call.params.set(name, chooser.dice.pick(&["true", "false", "false"]));
                }
            }
            call
        }
    }
}

pub const LISTS: Family = Family {
    actions: &[
        ("CreateManagedPrefixList", 5),
        ("ModifyManagedPrefixList", 8),
        ("DeleteManagedPrefixList", 3),
        ("RestoreManagedPrefixListVersion", 4),
    ],
    choose: lists,
    has_what_it_takes: |chooser, action| {
        action == "CreateManagedPrefixList" || !chooser.own(chooser.who, "pl").is_empty()
    },
};

const FOUR: &[&str] = &["10.0.0.0/8", "192.0.2.77/24", "198.51.100.0/24", "203.0.113.9/32", "0.0.0.0/0"];
const SIX: &[&str] = &["2001:db8::/32", "2001:DB8:1::/48", "::/0"];

fn lists(chooser: &mut Chooser<'_>, mut call: Call) -> Call {
    if call.action == "CreateManagedPrefixList" {
        let six = chooser.dice.once_in(4);
        call.params.set("PrefixListName", chooser.dice.pick(&["offices", "offices", "com.amazonaws.x"]));
        call.params.set("MaxEntries", chooser.dice.pick(&[1, 2, 3, 10, 40, 1000]));
        call.params.set("AddressFamily", if six { "IPv6" } else { "IPv4" });
        let count = chooser.dice.below(4);
        blocks(chooser, &mut call, "Entry", count, if six { SIX } else { FOUR });
        let call = chooser.with_tags(call, "prefix-list");
        return chooser.token(call);
    }
    let id = chooser.id("pl");
    call.params.set("PrefixListId", &id);
    let row = chooser.world.lists.iter().find(|one| one.id == id).cloned();
    let now = row.as_ref().map_or(1, |row| row.versions.len());
    let current = if chooser.dice.once_in(8) { chooser.dice.below(3) } else { now };
    match call.action {
        "RestoreManagedPrefixListVersion" => {
            let odd = chooser.dice.once_in(4);
            let before = if odd { chooser.dice.below(now + 2) } else { 1 + chooser.dice.below(now) };
            call.with("PreviousVersion", before).with("CurrentVersion", current)
        }
        "ModifyManagedPrefixList" => {
            if chooser.dice.once_in(2) {
                call.params.set("CurrentVersion", current);
            }
            let six = row.as_ref().is_some_and(|row| row.six) != chooser.dice.once_in(15);
            let style = chooser.dice.below(12);
            if style < 5 {
                let count = 1 + chooser.dice.below(2);
                blocks(chooser, &mut call, "AddEntry", count, if six { SIX } else { FOUR });
            }
            let there = row.map_or_else(Vec::new, |row| row.versions.last().unwrap().clone());
            if (4..8).contains(&style) && !there.is_empty() {
                let (block, _) = chooser.dice.pick(&there).clone();
                call.params.set("RemoveEntry.1.Cidr", block);
            } else if style == 8 {
                blocks(chooser, &mut call, "RemoveEntry", 1, FOUR);
            }
            if style == 9 || style == 10 || chooser.dice.once_in(10) {
                call.params.set("MaxEntries", chooser.dice.pick(&[1, 2, 5, 45, 1000]));
            }
            if style == 10 || chooser.dice.once_in(10) {
                call.params.set("PrefixListName", "branches");
            }
            call
        }
        _ => call,
    }
}

fn blocks(chooser: &mut Chooser<'_>, call: &mut Call, name: &str, count: usize, from: &[&str]) {
    for index in chooser.indexes(count) {
        let block = if chooser.dice.once_in(20) { "10.0.0.0" } else { *chooser.dice.pick(from) };
        if !chooser.dice.once_in(40) {
            call.params.set(format!("{name}.{index}.Cidr"), block);
        }
        if name != "RemoveEntry" && chooser.dice.once_in(3) {
            call.params.set(format!("{name}.{index}.Description"), "an office");
        }
    }
}
