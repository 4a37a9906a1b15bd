//! The tree of metadata, as cloud-init crawls it: every name that a folder lists can be fetched.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::agent::serve::Place;
use crate::plan::{PortSection, dns};

/// The versions that clients ask for; all answer the same.
const VERSIONS: [&str; 21] = [
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "2011-01-01",
    "2011-05-01",
    "2012-01-12",
    "2014-02-25",
    "2014-11-05",
    "2015-10-20",
    "2016-04-19",
    "2016-06-30",
    "2016-09-02",
    "2018-09-24",
    "2021-03-23",
    "latest",
];

/// What a path leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub bytes: Vec<u8>,
    pub is_user_data: bool,
}

/// A folder's entries; a leaf has none.
#[derive(Clone, Debug)]
enum Node {
    Leaf(String),
    Folder(Folder),
    /// Lists `0=NAME` and holds `0/openssh-key`.
    Keys(String, Folder),
}

#[derive(Clone, Debug, Default)]
struct Folder(BTreeMap<String, Node>);

impl Folder {
    fn leaf(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), Node::Leaf(value.into()));
        self
    }

    /// Only where there is a value: what an instance lacks is not listed and not found.
    fn some(self, name: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.leaf(name, value),
            None => self,
        }
    }

    fn folder(mut self, name: &str, folder: Self) -> Self {
        self.0.insert(name.to_owned(), Node::Folder(folder));
        self
    }

    fn list(&self) -> String {
        let line = |(name, node): (&String, &Node)| match node {
            Node::Leaf(_) => name.clone(),
            Node::Folder(_) | Node::Keys(..) => format!("{name}/"),
        };
        self.0.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn find(&self, path: &[&str]) -> Option<String> {
        let Some((first, rest)) = path.split_first() else { return Some(self.list()) };
        match self.0.get(*first)? {
            Node::Leaf(text) => rest.is_empty().then(|| text.clone()),
            Node::Keys(name, _) if rest.is_empty() => Some(format!("0={name}")),
            Node::Folder(folder) | Node::Keys(_, folder) => folder.find(rest),
        }
    }
}

/// What lies at a path, given without its slashes.
pub fn find(path: &[&str], place: &Place) -> Option<Found> {
    let text = |text: String| Some(Found { bytes: text.into_bytes(), is_user_data: false });
    let Some((version, rest)) = path.split_first() else { return text(VERSIONS.join("\n")) };
    if !VERSIONS.contains(version) {
        return None;
    }
    if let Some((first, rest)) = rest.split_first()
        && *first == "user-data"
    {
        let bytes = place.instance.user_data.as_ref().filter(|_| rest.is_empty())?.to_vec();
        return Some(Found { bytes, is_user_data: true });
    }
    text(root(place).find(rest)?)
}

fn root(place: &Place) -> Folder {
    let identity = Folder::default().leaf("document", document(place));
    let root = Folder::default()
        .folder("dynamic", Folder::default().folder("instance-identity", identity))
        .folder("meta-data", meta_data(place));
    // Listed here, served as bytes above.
    root.some("user-data", place.instance.user_data.as_ref().map(|_| ""))
}

fn meta_data(place: &Place) -> Folder {
    let (instance, port) = (&place.instance, primary(place));
    let name = dns::private_name(port.private_ip, domain(place, port));
    let mapping = Folder::default().leaf("ami", "/dev/xvda").leaf("root", "/dev/xvda");
    let mut data = Folder::default()
        .leaf("ami-id", instance.image.to_string())
        .leaf("ami-launch-index", instance.launch_index.to_string())
        .leaf("ami-manifest-path", "(unknown)")
        .folder("block-device-mapping", mapping)
        .leaf("hostname", name.as_str())
        .leaf("instance-action", "none")
        .leaf("instance-id", instance.id.to_string())
        .leaf("instance-life-cycle", "on-demand")
        .leaf("instance-type", &*instance.instance_type)
        .some("ipv6", port.ipv6.first().map(ToString::to_string))
        .leaf("local-hostname", name)
        .leaf("local-ipv4", port.private_ip.to_string())
        .some("ipv6", port.ipv6.first().map(ToString::to_string))
        .leaf("mac", port.mac.to_string())
        .folder("network", Folder::default().folder("interfaces", interfaces(place)))
        .folder("placement", placement(place))
        .leaf("profile", "default-hvm")
        .some("public-hostname", port.public_ip.and_then(|ip| public_name(place, port, ip)))
        .some("public-ipv4", port.public_ip.map(|ip| ip.to_string()))
        .leaf("reservation-id", instance.reservation.to_string())
        .leaf("security-groups", lines(port.group_names.iter()))
        .folder("services", Folder::default().leaf("domain", "amazonaws.com").leaf("partition", "aws"));
    if let Some(key) = &instance.public_key {
        let name = instance.key_name.as_deref().unwrap_or("key").to_owned();
        let key = Folder::default().folder("0", Folder::default().leaf("openssh-key", format!("{key}\n")));
        data.0.insert("public-keys".to_owned(), Node::Keys(name, key));
    }
    let tags = instance.tags.iter().filter(|(key, _)| can_be_fetched(key));
    let tags = tags.fold(Folder::default(), |tags, (key, value)| tags.leaf(key, &**value));
    if !tags.0.is_empty() {
        data = data.folder("tags", Folder::default().folder("instance", tags));
    }
    data
}

/// Whether a tag can be fetched by the name that it would be listed by: the characters that EC2 allows in the
/// keys of tags in metadata, and no `N=…`, by which crawlers know the list of keys.
fn can_be_fetched(key: &str) -> bool {
    let plain = key.chars().all(|letter| letter.is_ascii_alphanumeric() || "+-=.,_:@".contains(letter));
    let numbered = key.split_once('=').is_some_and(|(number, _)| number.parse::<i64>().is_ok());
    plain && !numbered && !["", ".", "..", "_index"].contains(&key)
}

fn placement(place: &Place) -> Folder {
    let instance = &place.instance;
    Folder::default().leaf("availability-zone", &*instance.zone).leaf("region", instance.region.to_string())
}

/// eth0 of the instance, whichever port was asked at.
fn primary(place: &Place) -> &PortSection {
    if place.port.device_index == 0 {
        return &place.port;
    }
    let all = place.state.ports.values().filter(|port| port.instance == place.port.instance);
    all.min_by_key(|port| port.device_index).unwrap_or(&place.port)
}

fn interfaces(place: &Place) -> Folder {
    let all = place.state.ports.values().filter(|port| port.instance == place.port.instance);
    let macs =
        all.fold(Folder::default(), |macs, port| macs.folder(&port.mac.to_string(), interface(place, port)));
    Folder::default().folder("macs", macs)
}

fn interface(place: &Place, port: &PortSection) -> Folder {
    let name = dns::private_name(port.private_ip, domain(place, port));
    let folder = Folder::default()
        .leaf("device-number", port.device_index.to_string())
        .leaf("interface-id", port.eni.to_string())
        .some("ipv6s", port.ipv6.first().map(|_| lines(port.ipv6.iter())))
        .leaf("local-hostname", name)
        .leaf("local-ipv4s", lines(port.private_ips()))
        .leaf("mac", port.mac.to_string())
        .leaf("owner-id", port.account.to_string())
        .leaf("security-group-ids", lines(port.groups.iter()))
        .leaf("security-groups", lines(port.group_names.iter()))
        .leaf("subnet-id", port.subnet.to_string())
        .leaf("subnet-ipv4-cidr-block", port.subnet_cidr.to_string())
        .some("subnet-ipv6-cidr-blocks", port.subnet_cidr6.map(|block| block.to_string()))
        .leaf("vpc-id", port.vpc.to_string())
        .leaf("vpc-ipv4-cidr-block", port.vpc_cidr.to_string())
        .leaf("vpc-ipv4-cidr-blocks", port.vpc_cidr.to_string());
    let folder = ipv6(place, port, folder);
    // Those of its further addresses are known where they are answered for.
    let further = place.state.addresses.values().filter(|one| one.eni == port.eni);
    let further = further.filter(|one| port.secondary_ips.contains(&one.private_ip));
    let first = port.public_ip.map(|public| (public, port.private_ip));
    let led: Vec<_> = first.into_iter().chain(further.map(|one| (one.public_ip, one.private_ip))).collect();
    let Some((public, _)) = led.first() else { return folder };
    let associations = led
        .iter()
        .fold(Folder::default(), |all, (public, private)| all.leaf(&public.to_string(), private.to_string()));
    folder
        .some("public-hostname", public_name(place, port, *public))
        .leaf("public-ipv4s", lines(led.iter().map(|(public, _)| public)))
        .folder("ipv4-associations", associations)
}

/// What an interface without an IPv6 address lacks.
fn ipv6(place: &Place, port: &PortSection, folder: Folder) -> Folder {
    if port.ipv6.is_empty() {
        return folder;
    }
    let vpc = place.state.vpcs.get(&port.vpc);
    folder
        .leaf("ipv6s", lines(port.ipv6.iter()))
        .some("subnet-ipv6-cidr-blocks", port.subnet_cidr6.map(|cidr| cidr.to_string()))
        .some("vpc-ipv6-cidr-blocks", vpc.map(|vpc| lines(vpc.cidrs6.iter())))
}

fn domain<'p>(place: &'p Place, port: &PortSection) -> &'p str {
    place.state.networks.get(&port.network).map_or("", |network| &network.domain)
}

/// "This category is only returned if the enableDnsHostnames attribute is set to true" (EC2 User Guide, instance metadata
/// categories).
fn public_name(place: &Place, port: &PortSection, address: Ipv4Addr) -> Option<String> {
    let named = place.state.vpcs.get(&port.vpc).is_none_or(|vpc| vpc.dns_support && vpc.dns_hostnames);
    named.then(|| dns::public_name(address, &place.instance.region, &place.network.domain))
}

fn lines<T: ToString>(items: impl Iterator<Item = T>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join("\n")
}

/// The identity document; its fields and their order are EC2's.
fn document(place: &Place) -> String {
    let (instance, port) = (&place.instance, primary(place));
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let document = serde_json::json!({
        "accountId": instance.account.to_string(),
        "architecture": architecture,
        "availabilityZone": &*instance.zone,
        "billingProducts": null,
        "devpayProductCodes": null,
        "marketplaceProductCodes": null,
        "imageId": instance.image.to_string(),
        "instanceId": instance.id.to_string(),
        "instanceType": &*instance.instance_type,
        "kernelId": null,
        "pendingTime": instance.launched.to_string(),
        "privateIp": port.private_ip.to_string(),
        "ramdiskId": null,
        "region": instance.region.to_string(),
        "version": "2017-09-30",
    });
    format!("{document:#}")
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::plan::{HostState, InstanceSection, NetworkSection};
    use crate::types::*;
    use std::sync::Arc;

    pub fn place() -> Place {
        let port = Arc::new(PortSection {
            eni: EniId::from_random(1),
            instance: InstanceId::from_random(1),
            device_index: 0,
            network: "flat".into(),
            mac: MacAddr([2, 0, 0, 0, 0, 9]),
            private_ip: Ipv4Addr::new(10, 0, 0, 9),
            secondary_ips: [].into(),
            ipv6: Arc::new([]),
            groups: [GroupId::from_random(1), GroupId::from_random(2)].into(),
            source_dest_check: true,
            public_ip: Some(Ipv4Addr::new(203, 0, 113, 7)),
            subnet: SubnetId::from_random(1),
            subnet_cidr: "10.0.0.0/20".parse().unwrap(),
            subnet_cidr6: None,
            vpc: VpcId::from_random(1),
            vpc_cidr: "10.0.0.0/20".parse().unwrap(),
            group_names: ["default".into(), "web".into()].into(),
            account: AccountId::from_random(1),
        });
        let network = Arc::new(NetworkSection {
            vpc: None,
            range: "10.0.0.0/24".parse().unwrap(),
            reserved: [].into(),
            exit: crate::plan::Exit::Here,
            cidr6: None,
            name: "flat".into(),
            cidr: "10.0.0.0/20".parse().unwrap(),
            gateway: Ipv4Addr::new(10, 0, 0, 1),
            domain: "ec2.internal".into(),
        });
        let instance = Arc::new(InstanceSection {
            id: port.instance,
            run: true,
            boot: 1,
            image: ImageId::from_random(1),
            image_location: "stock".into(),
            user_data: Some(b"\x00\xff".to_vec().into()),
            key_name: Some("mine".into()),
            public_key: Some("ssh-ed25519 AAAA".into()),
            reservation: ReservationId::from_random(1),
            launch_index: 0,
            instance_type: "t3.micro".into(),
            zone: "us-east-1a".into(),
            region: "us-east-1".into(),
            account: port.account,
            launched: Micros(0),
            tokens_required: false,
            hop_limit: 1,
            metadata_enabled: true,
            interfaces: Vec::new(),
            tags: vec![("Name".into(), "web".into())],
        });
        let mut state = HostState::default();
        state.ports.insert(port.eni, port.clone());
        state.networks.insert("flat".into(), network.clone());
        Place { state: state.into(), port, network, instance }
    }

    fn text(place: &Place, path: &str) -> Option<String> {
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        find(&parts, place).map(|found| String::from_utf8_lossy(&found.bytes).into_owned())
    }

    /// A crawler as cloud-init's: a listed name that cannot be fetched would lose it everything.
    fn crawl(place: &Place, folder: &str) -> usize {
        let listing = text(place, folder).unwrap_or_else(|| panic!("{folder} is listed and not found"));
        let mut seen = 0;
        for name in listing.lines() {
            let inside_keys = folder.ends_with("public-keys/");
            let name = if inside_keys { name.split('=').next().unwrap_or(name) } else { name };
            let path = format!("{folder}{name}");
            seen += match name.strip_suffix('/') {
                Some(_) => crawl(place, &path),
                None if inside_keys => crawl(place, &format!("{path}/")),
                None => {
                    text(place, &path).map(|_| 1).unwrap_or_else(|| panic!("{path} is listed and not found"))
                }
            };
        }
        seen
    }

    #[test]
    fn everything_that_is_listed_is_there() {
        let place = place();
        for version in text(&place, "/").unwrap().lines() {
            assert!(crawl(&place, &format!("/{version}/")) > 30, "{version}");
        }
    }

    #[test]
    fn an_instance_without_elastic_address_and_key_does_not_list_them() {
        let mut place = place();
        place.port = PortSection { public_ip: None, ..(*place.port).clone() }.into();
        place.instance =
            InstanceSection { public_key: None, user_data: None, ..(*place.instance).clone() }.into();
        for gone in ["meta-data/public-ipv4", "meta-data/public-keys", "user-data"] {
            assert_eq!(text(&place, &format!("/latest/{gone}")), None, "{gone}");
        }
        assert!(!text(&place, "/latest/meta-data").unwrap().contains("public-"));
    }

    #[test]
    fn an_instance_is_told_of_by_its_first_interface_at_whichever_it_asks() {
        let mut place = place();
        let second = PortSection {
            eni: EniId::from_random(2),
            device_index: 1,
            mac: MacAddr([2, 0, 0, 0, 0, 10]),
            private_ip: Ipv4Addr::new(10, 0, 0, 10),
            secondary_ips: [Ipv4Addr::new(10, 0, 0, 11)].into(),
            ipv6: ["2001:db8:f0:1::10".parse().unwrap()].into(),
            subnet_cidr6: "2001:db8:f0:1::/64".parse().ok(),
            public_ip: None,
            ..(*place.port).clone()
        };
        let mut state = (*place.state).clone();
        let public_ip = Ipv4Addr::new(203, 0, 113, 8);
        let (private_ip, eni) = (second.secondary_ips[0], second.eni);
        let section = crate::plan::AddressSection { public_ip, private_ip, eni, transit: None };
        state.addresses.insert(public_ip, Arc::new(section));
        state.ports.insert(second.eni, Arc::new(second.clone()));
        (place.state, place.port) = (state.into(), second.into());
        let told = |path: &str| text(&place, &format!("/latest/meta-data/{path}")).unwrap();
        assert_eq!((told("local-ipv4"), told("public-ipv4")), ("10.0.0.9".into(), "203.0.113.7".into()));
        assert_eq!(told("network/interfaces/macs").lines().count(), 2);
        let of_second = |path: &str| told(&format!("network/interfaces/macs/02:00:00:00:00:0a/{path}"));
        assert_eq!(of_second("local-ipv4s"), "10.0.0.10\n10.0.0.11");
        assert_eq!(of_second("ipv4-associations/203.0.113.8"), "10.0.0.11");
        let six = ["ipv6s", "subnet-ipv6-cidr-blocks"].map(of_second);
        assert_eq!(six, ["2001:db8:f0:1::10", "2001:db8:f0:1::/64"]);
        crawl(&place, "/latest/meta-data/");
    }

    #[test]
    fn tags_that_could_not_be_fetched_are_not_listed() {
        let mut place = place();
        let keys = ["Name", "a/b", "two words", "0=x", "..", "line\nbreak", "k:8@s=1"];
        let tags = keys.iter().map(|key| ((*key).into(), "v".into())).collect();
        place.instance = InstanceSection { tags, ..(*place.instance).clone() }.into();
        let listed = text(&place, "/latest/meta-data/tags/instance").unwrap();
        assert_eq!(listed.lines().collect::<Vec<_>>(), ["Name", "k:8@s=1"]);
        crawl(&place, "/latest/meta-data/");
    }

    #[test]
    fn repeated_slashes_and_unknown_paths() {
        let place = place();
        assert_eq!(text(&place, "/latest//meta-data///local-ipv4/"), Some("10.0.0.9".into()));
        assert_eq!(text(&place, "/latest/meta-data/public-keys/"), Some("0=mine".into()));
        for unknown in ["/2030-01-01/meta-data", "/latest/meta-data/nothing", "/latest/meta-data/mac/x"] {
            assert_eq!(text(&place, unknown), None, "{unknown}");
        }
    }

    #[test]
    fn user_data_is_bytes() {
        let found = find(&["latest", "user-data"], &place()).unwrap();
        assert_eq!((found.bytes.as_slice(), found.is_user_data), (&b"\x00\xff"[..], true));
    }
}
