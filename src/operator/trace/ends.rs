//! Who is meant by the two ends of a trace, and under which address.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use crate::types::{EniId, InstanceId, VpcId};
use crate::verdict::{Facts, Origin};
use crate::world::{Eni, World};

/// Who is meant, and without a port; an address of IPv6 with one stands in brackets (RFC 3986, 3.2.2).
pub fn cut(text: &str) -> Result<(&str, Option<u16>), String> {
    let port = |port: &str| port.parse().map_err(|_| format!("{port:?} is no port"));
    if text.parse::<Ipv6Addr>().is_ok() {
        return Ok((text, None));
    }
    if let Some((to, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        return match rest.strip_prefix(':') {
            Some(number) => Ok((to, Some(port(number)?))),
            None if rest.is_empty() => Ok((to, None)),
            None => Err(format!("{rest:?} is no port")),
        };
    }
    match text.rsplit_once(':') {
        Some((to, number)) => Ok((to, Some(port(number)?))),
        None => Ok((text, None)),
    }
}

pub struct Ends<'a> {
    pub world: &'a World,
    pub facts: &'a Facts,
    /// Which of its addresses an instance has.
    pub ipv6: bool,
}

impl Ends<'_> {
    pub fn origin(&self, text: &str) -> Result<(Origin, IpAddr), String> {
        if let Some(eni) = self.interface(text)? {
            return Ok((Origin::Interface(eni.id), self.first(&eni)?));
        }
        if self.world.hosts.contains_key(text) {
            return Ok((Origin::Host(text.into()), self.of_host(text)?));
        }
        let ip = self.address(text, "--from")?;
        if let Some((eni, own)) = self.having(ip)? {
            return Ok((Origin::Interface(eni.id), own));
        }
        let on = |ip| self.world.flat_networks().any(|network| network.cidr.contains(ip));
        let flat = matches!(ip, IpAddr::V4(ip) if on(ip));
        Ok((if flat { Origin::Flat } else { Origin::Outside }, ip))
    }

    /// From outside, and from other VPCs, an instance is its elastic address. With IPv6 it is the same everywhere.
    pub fn destination(&self, text: &str, origin: &Origin) -> Result<IpAddr, String> {
        if let Some(eni) = self.interface(text)? {
            let elastic =
                self.world.addresses.values().find(|row| row.association.is_some_and(|at| at.eni == eni.id));
            let apart = *origin == Origin::Outside || self.space_of(origin) != self.space(&eni);
            let outside = elastic.filter(|_| apart && !self.ipv6).map(|row| row.public_ip.into());
            return outside.map_or_else(|| self.first(&eni), Ok);
        }
        if self.world.hosts.contains_key(text) {
            return self.of_host(text);
        }
        self.address(text, "--to")
    }

    fn first(&self, eni: &Eni) -> Result<IpAddr, String> {
        if !self.ipv6 {
            return Ok(eni.private_ip.into());
        }
        let first = eni.ipv6.first().copied().map(IpAddr::V6);
        first.ok_or_else(|| format!("network interface {} has no IPv6 address", eni.id))
    }

    /// The isolated VPC that an interface is in; `None`: on the flat networks.
    fn space(&self, eni: &Eni) -> Option<VpcId> {
        self.world.vpcs.get(&eni.vpc).filter(|vpc| vpc.vni.is_some()).map(|vpc| vpc.id)
    }

    fn space_of(&self, origin: &Origin) -> Option<VpcId> {
        match origin {
            Origin::Interface(id) => self.space(self.world.enis.get(id)?),
            Origin::Outside | Origin::Flat | Origin::Host(_) => None,
        }
    }

    /// An instance's first interface, or an interface, by its id.
    fn interface(&self, text: &str) -> Result<Option<Arc<Eni>>, String> {
        if let Ok(id) = text.parse::<InstanceId>() {
            let first = self.world.interfaces_of(id).into_iter().next();
            return first
                .map(Some)
                .ok_or_else(|| format!("{id}: there is no such instance, or it has ended"));
        }
        if let Ok(id) = text.parse::<EniId>() {
            let row = self.world.enis.get(&id).cloned();
            return row.map(Some).ok_or_else(|| format!("{id}: there is no such network interface"));
        }
        Ok(None)
    }

    /// Whose address it is, private, of IPv6 or elastic, and which one of its own. VPCs may have the same private ones.
    fn having(&self, ip: IpAddr) -> Result<Option<(&Arc<Eni>, IpAddr)>, String> {
        let elastic = self.world.addresses.values().find(|row| row.public_ip == ip);
        let led = elastic.and_then(|row| row.association);
        if let Some((to, eni)) = led.and_then(|to| Some((to, self.world.enis.get(&to.eni)?))) {
            return Ok(Some((eni, to.private_ip.into())));
        }
        let has = |eni: &&Arc<Eni>| match ip {
            IpAddr::V4(ip) => eni.private_ips().any(|private| private == ip),
            IpAddr::V6(ip) => eni.ipv6.contains(&ip),
        };
        let found: Vec<_> = self.world.enis.values().filter(has).collect();
        match &found[..] {
            [] => Ok(None),
            [eni] => Ok(Some((eni, ip))),
            several => {
                let ids: Vec<_> = several.iter().map(|eni| eni.id.to_string()).collect();
                Err(format!("{ip} is an address in several VPCs: name one of {}", ids.join(", ")))
            }
        }
    }

    fn of_host(&self, name: &str) -> Result<IpAddr, String> {
        if self.ipv6 {
            return Err(format!("which IPv6 addresses host {name} has is not known: give one of them"));
        }
        let own = self.facts.hosts.get(name).and_then(|host| host.snat);
        own.map(IpAddr::V4).ok_or_else(|| format!("host {name} has not said which public address it has"))
    }

    fn address(&self, text: &str, option: &str) -> Result<IpAddr, String> {
        let address: IpAddr = text.parse().map_err(|_| {
            format!(
                "{option} {text:?} is nobody: give an instance (i-…), a network interface (eni-…), an address or a host's name"
            )
        })?;
        if address.is_ipv6() == self.ipv6 {
            return Ok(address);
        }
        Err(format!("{option} {text} is an address of IPv4, and the other end is asked about by IPv6"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_told_from_an_address_of_ipv6() {
        for (text, to, port) in [
            ("2001:db8::1", "2001:db8::1", None),
            ("[2001:db8::1]", "2001:db8::1", None),
            ("[2001:db8::1]:443", "2001:db8::1", Some(443)),
            ("203.0.113.7:80", "203.0.113.7", Some(80)),
            ("i-0123456789abcdef0", "i-0123456789abcdef0", None),
        ] {
            assert_eq!(cut(text), Ok((to, port)));
        }
        for text in ["[2001:db8::1]443", "[2001:db8::1]:", "host:port"] {
            assert!(cut(text).is_err(), "{text}");
        }
    }
}
