//! What there is to make calls about, and what is to be made first.

use super::call::Call;
use super::gateways;
use super::steps::Chooser;
use super::world::*;

impl Chooser<'_> {
    /// The plainest call for what the others are about, where there is nothing of it.
    pub fn lacking(&mut self) -> Option<Call> {
        if self.theme.networks && self.vpcs().is_empty() && self.dice.once_in(2) {
            return Some(
                Call::new(self.who, "CreateVpc").with("CidrBlock", format!("10.{}.0.0/16", self.who)),
            );
        }
        if let Some(vpc) = self.vpcs().first().filter(|_| self.theme.networks && self.subnets().is_empty()) {
            let make = Call::new(self.who, "CreateSubnet").with("VpcId", &vpc.id);
            return Some(make.with("CidrBlock", super::blocks::Block { bits: 28, ..vpc.blocks[0].1 }));
        }
        if self.theme.networks && self.dice.once_in(4) {
            let has = |vpc: &super::vpcs::Vpc| {
                self.world.gateways.iter().any(|one| one.vpc.as_ref() == Some(&vpc.id))
            };
            let without = self.vpcs().into_iter().find(|vpc| !has(vpc)).map(|vpc| vpc.id);
            let free = |one: &&gateways::Gateway| one.who == self.who && one.vpc.is_none();
            let free = self.world.gateways.iter().find(free).map(|one| one.id.clone());
            return match (without, free) {
                (Some(vpc), Some(id)) => {
                    let call = Call::new(self.who, "AttachInternetGateway").with("VpcId", vpc);
                    Some(call.with("InternetGatewayId", id))
                }
                (Some(_), None) if self.own(self.who, "igw").len() < 5 => {
                    Some(Call::new(self.who, "CreateInternetGateway"))
                }
                _ => None,
            };
        }
        let further = self.theme.networks && self.dice.once_in(6);
        if let Some(call) = further.then(|| self.further_address()).flatten() {
            return Some(call);
        }
        let elsewhere = self.theme.networks && !self.dice.once_in(4);
        let call = |action| Call::new(self.who, action);
        let own = |prefix: &str| self.own(self.who, prefix);
        let alive = |one: &&Instance| {
            one.who == self.who && !matches!(one.state, State::ShuttingDown | State::Terminated)
        };
        let Some(instance) = self.world.instances.iter().find(alive).map(|one| one.id.clone()) else {
            let run = call("RunInstances")
                .with("ImageId", &self.world.image)
                .with("MinCount", 1)
                .with("MaxCount", 2);
            return self.dice.once_in(if self.theme.networks { 4 } else { 2 }).then_some(run);
        };
        if elsewhere {
            return None;
        }
        let next = match (own("eipalloc").is_empty(), own("nip").first(), own("nia").is_empty()) {
            (true, _, _) => call("AllocateAddress"),
            (false, None, _) => {
                let path = call("CreateNetworkInsightsPath").with("Source", instance);
                path.with("Protocol", "tcp").with("DestinationIp", "198.51.100.7")
            }
            (false, Some(path), true) => {
                call("StartNetworkInsightsAnalysis").with("NetworkInsightsPathId", path)
            }
            (false, Some(_), false) => return None,
        };
        self.dice.once_in(4).then_some(next)
    }

    /// What random calls seldom come to: an elastic address that leads to a secondary private one, and moves with it.
    fn further_address(&mut self) -> Option<Call> {
        let call = |action| Call::new(self.who, action);
        let (world, who) = (self.world, self.who);
        let own = || world.interfaces.iter().filter(|one| one.who == who && world.nat_of(&one.id).is_none());
        let led = |one: &Interface, ip: &String| world.address_at(&one.id, ip).is_some();
        for one in own() {
            let beside = own().find(|other| other.id != one.id && other.subnet == one.subnet);
            if let Some((ip, to)) = one.more.iter().find(|ip| led(one, ip)).zip(beside) {
                let call = call("AssignPrivateIpAddresses").with("NetworkInterfaceId", &to.id);
                return Some(call.with("PrivateIpAddress.1", ip).with("AllowReassignment", "true"));
            }
        }
        let out = |one: &&Interface| {
            let vpc = &world.subnet(&one.subnet).vpc;
            world.gateways.iter().any(|gateway| gateway.vpc.as_ref() == Some(vpc))
        };
        let free = world.addresses.iter().find(|one| one.who == who && one.association.is_none());
        let one = own().filter(|one| one.attachment.is_none()).find(out);
        let one = one.or_else(|| own().find(out))?;
        match (free, one.more.first()) {
            (None, _) => Some(call("AllocateAddress")),
            (Some(_), None) => {
                let call = call("AssignPrivateIpAddresses").with("NetworkInterfaceId", &one.id);
                Some(call.with("SecondaryPrivateIpAddressCount", 1))
            }
            (Some(free), Some(ip)) => {
                let call = call("AssociateAddress").with("AllocationId", &free.id);
                Some(call.with("NetworkInterfaceId", &one.id).with("PrivateIpAddress", ip))
            }
        }
    }

    /// Ids of that kind that an account has.
    pub fn own(&self, who: usize, prefix: &str) -> Vec<String> {
        let of_kind = |id: &String| id.rsplit_once('-').is_some_and(|(kind, _)| kind == prefix);
        let ours = |vpc: &str| self.world.vpc(vpc).is_some_and(|vpc| vpc.who == who);
        match prefix {
            "eni-attach" => {
                let own = self.world.interfaces.iter().filter(|one| one.who == who);
                own.filter_map(|one| one.attachment.as_ref()).map(|to| to.id.clone()).collect()
            }
            "rtbassoc" => {
                let own = self.world.table_associations.iter().filter(|one| ours(&one.vpc));
                own.map(|one| one.id.clone()).collect()
            }
            "aclassoc" => {
                let rows = self.world.acl_associations.iter();
                let own = rows.filter(|one| self.world.subnet(&one.subnet).who == who);
                own.map(|one| one.id.clone()).collect()
            }
            "vpc-cidr-assoc" => {
                let own = self.world.vpcs.iter().filter(|vpc| vpc.who == who).flat_map(|vpc| &vpc.blocks);
                own.map(|(id, _)| id.clone()).collect()
            }
            "eipassoc" => {
                let own = self.world.addresses.iter().filter(|address| address.who == who);
                own.filter_map(|address| address.association.as_ref()).map(|(id, ..)| id.clone()).collect()
            }
            _ => self.world.resources(who).into_iter().filter(of_kind).collect(),
        }
    }

    /// An id: mostly of the account's own, else of the other account's, gone, or never made.
    pub fn id(&mut self, prefix: &str) -> String {
        let other = (self.who + 1) % self.world.accounts.len();
        let (mut own, others) = (self.own(self.who, prefix), self.own(other, prefix));
        if prefix == "i" && !self.dice.once_in(6) {
            let ended = |id: &String| {
                self.world.instances.iter().any(|one| one.id == *id && one.state == State::Terminated)
            };
            own.retain(|id| !ended(id));
        }
        let gone = self.world.seen.iter().filter(|id| {
            id.rsplit_once('-').is_some_and(|(kind, _)| kind == prefix)
                && !own.contains(id)
                && !others.contains(id)
        });
        let gone: Vec<String> = gone.cloned().collect();
        let from = match self.dice.below(20) {
            0 => &others,
            1 => &gone,
            _ => &own,
        };
        if from.is_empty() || self.dice.once_in(40) {
            let digits = self.dice.pick(&["0123456789abcdef0", "0badcafe", "00000000000000000"]);
            return format!("{prefix}-{digits}");
        }
        self.dice.pick(from).clone()
    }
}
