//! Rules of groups for random worlds, and the prefix lists that some of them name.

use std::net::Ipv4Addr;

use fogbank::types::*;
use fogbank::world::*;

use crate::ipv6::interesting6;
use crate::worlds::{CLIENT, Maker, interesting, owner, traffic};

/// Lists that rules name; a few name one more, which there is not.
pub const LISTS: usize = 3;

impl Maker<'_> {
    pub fn lists(&mut self) {
        for n in 0..LISTS {
            self.list(n as u64 + 1, &[]);
        }
    }

    /// A list of IPv4 at some version, with some of `more`: blocks that are worth a try.
    pub fn list(&mut self, n: u64, more: &[Cidr4]) {
        let interesting = interesting(&self.world);
        let odd = Cidr::V6("::/0".parse().unwrap());
        self.versions(
            PrefixListId::from_random(n),
            false,
            odd,
            more.iter().map(|block| Cidr::V4(*block)).collect(),
            |maker| {
                let length = *maker.dice.pick(&[32, 32, 31, 30, 28, 26, 24, 16, 8, 1, 0]);
                Cidr::V4(Cidr4::new(*maker.dice.pick(&interesting), length).unwrap())
            },
        );
    }

    /// One of IPv6.
    pub fn list6(&mut self, id: PrefixListId, more: &[Cidr6]) {
        let interesting = interesting6(&self.world);
        let odd = Cidr::V4("0.0.0.0/0".parse().unwrap());
        self.versions(id, true, odd, more.iter().map(|block| Cidr::V6(*block)).collect(), |maker| {
            let length = *maker.dice.pick(&[128, 128, 127, 124, 64, 63, 56, 48, 32, 1, 0]);
            Cidr::V6(Cidr6::new(*maker.dice.pick(&interesting), length).unwrap())
        });
    }

    /// What earlier versions had in them means nothing. Seldom one has what none of its family can.
    fn versions(
        &mut self,
        id: PrefixListId,
        is_ipv6: bool,
        odd: Cidr,
        more: Vec<Cidr>,
        any: impl Fn(&mut Self) -> Cidr,
    ) {
        let version =
            self.world.prefix_lists.get(&id).map_or(1 + self.dice.below(2) as u64, |row| row.version + 1);
        for number in [version - 1, version] {
            let mut blocks: Vec<Cidr> = (0..self.dice.below(5)).map(|_| any(self)).collect();
            blocks.extend(more.iter().filter(|_| self.dice.once_in(2)).copied());
            if self.dice.once_in(8) {
                blocks.push(odd);
            }
            blocks.sort();
            blocks.dedup();
            let entries = blocks.into_iter().map(|block| PrefixListEntry { block, description: None });
            self.put(PrefixListVersion { list: id, number, entries: entries.collect() });
        }
        self.put(PrefixList {
            id,
            owner: owner(0),
            name: "l".into(),
            is_ipv6,
            max_entries: 20,
            version,
            state: PrefixListState::Created,
            created: Micros(0),
        });
    }

    /// A route to a list, in a few tables: beside blocks in it that have routes of their own, and within the VPC's own.
    pub fn route_to_list(&mut self, vpc: &Vpc, n: u64, table: RouteTableId, to: NextHop) {
        let near = Cidr4::new(vpc.cidr.network(), 26).unwrap();
        let link = Cidr4::new(Ipv4Addr::new(169, 254, 0, 0), 16).unwrap();
        let out = Cidr4::new(CLIENT, 24).unwrap();
        let wide = Cidr4::new(CLIENT, 0).unwrap();
        self.list(n, &[near, vpc.cidr, link, out, wide, Cidr4::new(CLIENT, 32).unwrap()]);
        let (owner, destination) = (vpc.owner.clone(), Destination::PrefixList(PrefixListId::from_random(n)));
        self.put(Route { table, owner, destination, to, created: Micros(0) });
    }

    pub fn rules(&mut self, groups: &[(usize, GroupId)]) {
        let interesting = interesting(&self.world);
        for n in 0..self.dice.below(24) {
            self.rule(n, &interesting, groups);
        }
        // As EC2 makes each group, in most.
        for (n, (account, group)) in groups.iter().enumerate() {
            if !self.dice.once_in(4) {
                let target = RuleTarget::Cidr4("0.0.0.0/0".parse().unwrap());
                let (id, owner) = (RuleId::from_random(100 + n as u64), owner(*account));
                let (group, direction, traffic) = (*group, Direction::Egress, Traffic::All);
                self.put(Rule {
                    id,
                    owner,
                    group,
                    direction,
                    traffic,
                    target,
                    description: None,
                    created: Micros(0),
                });
            }
        }
    }

    pub fn rule(&mut self, n: usize, interesting: &[Ipv4Addr], groups: &[(usize, GroupId)]) {
        let (account, group) = *self.dice.pick(groups);
        let direction = if self.dice.once_in(3) { Direction::Egress } else { Direction::Ingress };
        let target = self.target(interesting, groups);
        let traffic = traffic(self.dice);
        let (id, owner) = (RuleId::from_random(n as u64 + 1), owner(account));
        self.put(Rule {
            id,
            owner,
            group,
            direction,
            traffic,
            target,
            description: None,
            created: Micros(0),
        });
    }

    fn target(&mut self, interesting: &[Ipv4Addr], groups: &[(usize, GroupId)]) -> RuleTarget {
        match self.dice.below(9) {
            8 => RuleTarget::PrefixList(PrefixListId::from_random(1 + self.dice.below(LISTS + 1) as u64)),
            0 => RuleTarget::Cidr4("0.0.0.0/0".parse().unwrap()),
            1 | 2 => {
                let (account, group) = *self.dice.pick(groups);
                RuleTarget::Group { group, account: owner(account).account }
            }
            3 if self.dice.once_in(3) => RuleTarget::Cidr6("::/0".parse().unwrap()),
            _ => {
                let length = *self.dice.pick(&[32, 32, 31, 30, 28, 25, 24, 16, 8, 1]);
                RuleTarget::Cidr4(Cidr4::new(*self.dice.pick(interesting), length).unwrap())
            }
        }
    }
}
