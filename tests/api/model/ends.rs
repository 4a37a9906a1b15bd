//! Calls about addresses and about paths between interfaces.

use super::call::Call;
use super::steps::Chooser;
use super::world::*;

impl Chooser<'_> {
    pub fn allocate(&mut self, mut call: Call) -> Call {
        let own = self.world.pools[1].clone();
        match self.dice.below(10) {
            0..=2 => {}
            3..=6 => call.params.set("PublicIpv4Pool", &own.name),
            7 | 8 => {
                let past = u32::try_from(self.dice.below(6)).unwrap();
                call.params.set("Address", ip_text(own.range.0 + past));
            }
            _ => call.params.set("PublicIpv4Pool", "no-such-pool"),
        }
        if self.dice.once_in(12) && !call.params.has("PublicIpv4Pool") {
            call.params.set("PublicIpv4Pool", &own.name);
        }
        if self.dice.once_in(3) {
            call.params.set("Domain", self.dice.pick(&["vpc", "vpc", "vpc", "standard", ""]));
        }
        self.with_tags(call, "elastic-ip")
    }

    /// AllocationId or PublicIp; sometimes both or none.
    pub fn address(&mut self, mut call: Call) -> Call {
        let style = self.dice.below(20);
        if style != 0 && style < 12 || style == 1 {
            let id = self.id("eipalloc");
            call.params.set("AllocationId", id);
        }
        if style == 1 || style >= 12 {
            let ip = self.public();
            call.params.set("PublicIp", ip);
        }
        call
    }

    fn public(&mut self) -> String {
        let own: Vec<_> =
            self.world.addresses.iter().filter(|one| one.who == self.who).map(|one| &one.ip).collect();
        let all: Vec<_> = self.world.addresses.iter().map(|one| &one.ip).collect();
        let from = if self.dice.once_in(10) { all } else { own };
        if from.is_empty() { "192.0.2.1".into() } else { (*self.dice.pick(&from)).clone() }
    }

    pub fn associate(&mut self, call: Call) -> Call {
        let mut call = self.address(call);
        let style = self.dice.below(20);
        if style != 0 && style < 13 {
            let id = self.id("i");
            call.params.set("InstanceId", id);
        }
        if style == 1 || style >= 13 {
            let id = self.id("eni");
            call.params.set("NetworkInterfaceId", id);
        }
        // Mostly a secondary one of the interface that is meant.
        let meant = call.params.one("NetworkInterfaceId").map(str::to_owned);
        let meant = self.world.interfaces.iter().find(|one| Some(&one.id) == meant.as_ref());
        let further = meant.map_or_else(Vec::new, |one| one.more.clone());
        if !further.is_empty() && self.dice.once_in(2) {
            call.params.set("PrivateIpAddress", self.dice.pick(&further));
        } else if self.dice.once_in(8) {
            let own: Vec<_> = self.world.interfaces.iter().flat_map(Interface::ips).cloned().collect();
            let ip = if own.is_empty() { "10.0.0.9".to_owned() } else { self.dice.pick(&own).clone() };
            call.params.set("PrivateIpAddress", ip);
        }
        if self.dice.once_in(2) {
            call.params.set("AllowReassociation", self.dice.pick(&["true", "true", "false", "1", "0"]));
        }
        call
    }

    pub fn disassociate(&mut self, mut call: Call) -> Call {
        let style = self.dice.below(20);
        if style != 0 && style < 13 {
            let id = self.id("eipassoc");
            call.params.set("AssociationId", id);
        }
        if style == 1 || style >= 13 {
            let ip = self.public();
            call.params.set("PublicIp", ip);
        }
        call
    }

    pub fn path(&mut self, call: Call) -> Call {
        let source = self.end();
        let mut call = call.with("Source", source).with("Protocol", self.dice.pick(&["tcp", "udp"]));
        if !self.dice.once_in(4) {
            let end = self.end();
            call.params.set("Destination", end);
        }
        if self.dice.once_in(3) {
            call.params.set("DestinationIp", self.dice.pick(&["10.0.0.5", "198.51.100.7"]));
        }
        if self.dice.once_in(6) {
            call.params.set("SourceIp", "10.0.0.4");
        }
        if !self.dice.once_in(3) {
            call.params.set("DestinationPort", self.dice.pick(&["0", "80", "65535"]));
        }
        let call = self.with_tags(call, "network-insights-path");
        self.token(call)
    }

    fn end(&mut self) -> String {
        let kind = *self.dice.pick(&["i", "eni"]);
        let id = self.id(kind);
        let name = if kind == "i" { "instance" } else { "network-interface" };
        match self.dice.below(12) {
            0 => self.id("sg"),
            1 => self.world.arn(self.who, name, &id),
            _ => id,
        }
    }
}
