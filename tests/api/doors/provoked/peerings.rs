//! The faults of VPC peering connections.

use super::super::case;
use super::Doors;

fn of(id: &str) -> Vec<(&str, &str)> {
    vec![("VpcPeeringConnectionId", id)]
}

impl Doors {
    pub fn in_the_way_of_peerings(&mut self) {
        let names = ["peering", "asked-peering", "request", "vpc", "plain-vpc", "friends-vpc", "friend"];
        let [peering, asked, request, flat, plain, theirs, friend] = names.map(|thing| self.his(thing));
        let [accept, reject, delete] =
            ["Accept", "Reject", "Delete"].map(|verb| format!("{verb}VpcPeeringConnection"));
        let (create, modify) = ("CreateVpcPeeringConnection", "ModifyVpcPeeringConnectionOptions");
        let (denied, state) = ("OperationNotPermitted", "InvalidStateTransition");
        let names = ("AccepterPeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc", "true");
        self.all_refused(&[
            (create, denied, vec![("VpcId", &flat), ("PeerVpcId", &plain)]),
            (
                create,
                "VpcPeeringConnectionAlreadyExists",
                vec![("VpcId", &plain), ("PeerVpcId", &theirs), ("PeerOwnerId", &friend)],
            ),
        ]);
        let failed = case(create, &self.cloud.his).unwrap().base;
        let failed = self.cloud.call(&self.cloud.his, &failed);
        let failed = failed.text("vpcPeeringConnectionId").unwrap().to_owned();
        for (name, code, id) in [
            (&accept, denied, &request),
            (&accept, state, &peering),
            (&reject, denied, &request),
            (&reject, state, &peering),
            (&delete, denied, &asked),
            (&delete, state, &failed),
        ] {
            let given = super::pairs(&[&[("Action", &**name)], &of(id)[..]].concat());
            self.refused(&self.action(name), &given, code);
        }
        let mut options = [of(&asked), of(&peering)];
        options.iter_mut().for_each(|given| given.push(names));
        let [asking, active] = options;
        self.all_refused(&[
            (modify, denied, asking),
            (modify, "InvalidVpcPeeringConnectionState.DnsHostnamesDisabled", active),
        ]);
    }
}
