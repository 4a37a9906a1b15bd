//! What an account has with a third one, which neither of the two others knows of.

use super::Own;
use crate::server::{Credentials, Server};

/// The account that both have peering connections with.
pub struct Friend {
    by: Credentials,
    account: String,
    vpcs: Vec<String>,
}

impl Friend {
    pub fn make(server: &Server) -> Self {
        let by = server.account("friend");
        let told = |given: &[(&str, &str)], element| {
            let reply = server.call(&by, given);
            reply.text(element).unwrap_or_else(|| panic!("{given:?}: {}", reply.body)).to_owned()
        };
        let account = told(&[("Action", "GetCallerIdentity"), ("Version", "2011-06-15")], "Account");
        let make = |n| {
            let cidr = format!("172.2{n}.0.0/16");
            told(&[("Action", "CreateVpc"), ("CidrBlock", &cidr)], "vpcId")
        };
        let vpcs = (0..4).map(make).collect();
        Self { by, account, vpcs }
    }

    /// An active connection, one to accept, one to reject, and one that waits for the friend.
    pub fn meet(&self, server: &Server, own: &mut Own) {
        let identity = server.call(&own.by, &[("Action", "GetCallerIdentity"), ("Version", "2011-06-15")]);
        let account = identity.text("Account").unwrap().to_owned();
        let (vpc, plain) = (own.get("own-vpc").to_owned(), own.get("plain-vpc").to_owned());
        let ask = |by: &Credentials, from: &str, to: &str, of: &str| {
            let given = [
                ("Action", "CreateVpcPeeringConnection"),
                ("VpcId", from),
                ("PeerVpcId", to),
                ("PeerOwnerId", of),
            ];
            let reply = server.call(by, &given);
            let id = reply.text("vpcPeeringConnectionId");
            id.unwrap_or_else(|| panic!("{given:?}: {}", reply.body)).to_owned()
        };
        let peering = ask(&self.by, &self.vpcs[0], &vpc, &account);
        let accept = [("Action", "AcceptVpcPeeringConnection"), ("VpcPeeringConnectionId", &*peering)];
        assert_eq!(server.call(&own.by, &accept).status, 200);
        own.things.insert("peering", peering);
        own.things.insert("asked-peering", ask(&self.by, &self.vpcs[1], &plain, &account));
        own.things.insert("unwanted-peering", ask(&self.by, &self.vpcs[2], &plain, &account));
        own.things.insert("request", ask(&own.by, &plain, &self.vpcs[3], &self.account));
        own.things.insert("friends-vpc", self.vpcs[3].clone());
        own.things.insert("friend", self.account.clone());
    }
}
