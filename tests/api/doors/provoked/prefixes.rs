//! The faults of prefix lists, and of reservations in subnets.

use super::{Doors, crowd, pairs};

impl Doors {
    pub fn in_the_way_of_prefixes(&mut self) {
        let names =
            ["prefix-list", "other-prefix-list", "group", "list-rule", "table", "gateway", "own-subnet"];
        let [list, other, group, rule, table, gateway, subnet] = names.map(|thing| self.his(thing));
        let (name, id) = ("ModifyManagedPrefixList", ("PrefixListId", &*list));
        let (new, gone) = (("AddEntry.1.Cidr", "198.51.100.7/32"), ("RemoveEntry.1.Cidr", "198.51.100.8/32"));
        let make = [("PrefixListName", "full"), ("AddressFamily", "IPv4"), ("MaxEntries", "1")];
        let two = [("Entry.1.Cidr", "192.0.2.0/24"), ("Entry.2.Cidr", "203.0.113.0/24")];
        self.all_refused(&[
            (name, "PrefixListVersionMismatch", vec![id, new, ("CurrentVersion", "99")]),
            (name, "InvalidPrefixListModification", vec![id, gone]),
            (name, "PrefixListMaxEntriesExceeded", vec![id, ("MaxEntries", "1")]),
            (name, "RulesPerSecurityGroupLimitExceeded", vec![id, ("MaxEntries", "1000")]),
            ("CreateManagedPrefixList", "PrefixListMaxEntriesExceeded", [&make[..], &two].concat()),
            ("DeleteManagedPrefixList", "DependencyViolation", vec![id]),
            (
                "RestoreManagedPrefixListVersion",
                "PrefixListVersionMismatch",
                vec![id, ("PreviousVersion", "1"), ("CurrentVersion", "99")],
            ),
        ]);
        let done = |doors: &Self, given: &[(&str, &str)]| {
            doors.cloud.done(&doors.cloud.his, given).text("prefixListId").unwrap_or_default().to_owned()
        };
        // Its first version had two entries.
        let id = ("PrefixListId", &*other);
        let both = [("RemoveEntry.1.Cidr", "192.0.2.0/24"), ("RemoveEntry.2.Cidr", "203.0.113.0/24")];
        done(self, &[&[("Action", name), id], &both[..]].concat());
        done(self, &[("Action", name), id, ("MaxEntries", "1")]);
        let back = vec![id, ("PreviousVersion", "1"), ("CurrentVersion", "2")];
        self.all_refused(&[("RestoreManagedPrefixListVersion", "PrefixListMaxEntriesExceeded", back)]);
        let route =
            [("RouteTableId", &*table), ("GatewayId", &*gateway), ("DestinationPrefixListId", &*other)];
        done(self, &[&[("Action", "CreateRoute")], &route[..]].concat());
        self.all_refused(&[(name, "RouteLimitExceeded", vec![id, ("MaxEntries", "60")])]);
        done(self, &[&[("Action", "DeleteRoute")], &[route[0], route[2]][..]].concat());
        let wide = [("PrefixListName", "wide"), ("AddressFamily", "IPv4"), ("MaxEntries", "1000")];
        let wide = done(self, &[&[("Action", "CreateManagedPrefixList")], &wide[..]].concat());
        self.all_refused(&[(
            "ModifySecurityGroupRules",
            "RulesPerSecurityGroupLimitExceeded",
            vec![
                ("GroupId", &group),
                ("SecurityGroupRule.1.SecurityGroupRuleId", &rule),
                ("SecurityGroupRule.1.SecurityGroupRule.IpProtocol", "tcp"),
                ("SecurityGroupRule.1.SecurityGroupRule.FromPort", "25"),
                ("SecurityGroupRule.1.SecurityGroupRule.ToPort", "25"),
                ("SecurityGroupRule.1.SecurityGroupRule.PrefixListId", &wide),
            ],
        )]);
        let once = [&[("Action", "CreateManagedPrefixList"), ("ClientToken", "token of a list")], &make[..]]
            .concat();
        done(self, &once);
        let differs = [&once[..], &[("Entry.1.Cidr", "192.0.2.0/24")]].concat();
        let action = self.action("CreateManagedPrefixList");
        self.refused(&action, &pairs(&differs), "IdempotentParameterMismatch");
        self.of_reservations(&subnet);
    }

    fn of_reservations(&mut self, subnet: &str) {
        let (flat, name, kind) =
            (self.his("subnet"), "CreateSubnetCidrReservation", ("ReservationType", "prefix"));
        let at = |subnet, cidr| vec![("SubnetId", subnet), ("Cidr", cidr), kind];
        self.all_refused(&[
            (name, "InvalidSubnet.Range", at(subnet, "10.99.0.0/28")),
            (name, "InvalidSubnet.Conflict", at(subnet, "10.0.0.192/28")),
            (name, "OperationNotPermitted", at(&flat, "10.0.0.192/28")),
        ]);
    }

    /// As many of each as there may be.
    pub fn crowds_of_prefixes(&mut self) {
        let subnet = self.his("far-subnet");
        let list = pairs(&[
            ("Action", "CreateManagedPrefixList"),
            ("PrefixListName", "one of many"),
            ("AddressFamily", "IPv6"),
            ("MaxEntries", "1"),
        ]);
        let reservation = |n: usize| {
            let cidr = format!("10.2.0.{n}/32");
            pairs(&[
                ("Action", "CreateSubnetCidrReservation"),
                ("SubnetId", &subnet),
                ("Cidr", &cidr),
                ("ReservationType", "explicit"),
            ])
        };
        crowd(&self.cloud, &self.cloud.his, 100, &|_| list.clone());
        self.refused(&self.action("CreateManagedPrefixList"), &list, "PrefixListLimitExceeded");
        crowd(&self.cloud, &self.cloud.his, 100, &reservation);
        self.refused(&self.action("CreateSubnetCidrReservation"), &reservation(100), "ResourceLimitExceeded");
    }
}
