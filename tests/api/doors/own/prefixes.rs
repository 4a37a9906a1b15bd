//! An account's prefix lists, with rules that name one, and reservations in a subnet.

use super::Maker;

impl Maker<'_> {
    pub fn prefixes(&mut self) {
        for thing in ["prefix-list", "other-prefix-list", "spare-prefix-list"] {
            let name = format!("{} {thing}", self.own.who);
            let given = [
                ("Action", "CreateManagedPrefixList"),
                ("PrefixListName", &*name),
                ("AddressFamily", "IPv4"),
                ("MaxEntries", "5"),
                ("Entry.1.Cidr", "192.0.2.0/24"),
                ("Entry.2.Cidr", "203.0.113.0/24"),
            ];
            self.make(thing, "prefixListId", &given);
        }
        let (group, list) = (self.own.get("group").to_owned(), self.own.get("prefix-list").to_owned());
        for (thing, direction) in [("list-rule", "Ingress"), ("egress-list-rule", "Egress")] {
            let action = format!("AuthorizeSecurityGroup{direction}");
            let given = [
                ("Action", &*action),
                ("GroupId", &group),
                ("IpPermissions.1.IpProtocol", "tcp"),
                ("IpPermissions.1.FromPort", "25"),
                ("IpPermissions.1.ToPort", "25"),
                ("IpPermissions.1.PrefixListIds.1.PrefixListId", &list),
            ];
            self.make(thing, "securityGroupRuleId", &given);
        }
        let subnet = self.own.get("own-subnet").to_owned();
        for (thing, cidr) in [("reservation", "10.0.0.192/28"), ("spare-reservation", "10.0.0.208/28")] {
            let given = [
                ("Action", "CreateSubnetCidrReservation"),
                ("SubnetId", &*subnet),
                ("Cidr", cidr),
                ("ReservationType", "explicit"),
            ];
            self.make(thing, "subnetCidrReservationId", &given);
        }
    }
}
