//! Names of addresses and their way to other accounts, by EC2's reference: ModifyAddressAttribute,
//! ResetAddressAttribute, EnableAddressTransfer, DisableAddressTransfer, AcceptAddressTransfer.

use super::call::{Call, Code, Faults, VALUE};
use super::steps::Chooser;
use super::tree::{Tree, leaf, node};
use super::world::*;

/// An offer.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Whose address it was when it was offered.
    pub who: usize,
    pub id: String,
    pub ip: String,
    pub to: usize,
    pub accepted: bool,
    /// Which of the history's offers: its times are known by that.
    pub number: usize,
}

const NAMES: &[&str] =
    &["mail.example.com", "mail.example.com.", "MX.Example.org", "a.b", "x-1.ec2.internal.example"];
const BAD_NAMES: &[&str] = &[
    "localhost",
    "a..b",
    "-a.b",
    "under_score.example",
    "mail.ec2.internal",
    "EC2.internal.",
    "*.example.com",
    "a b.c",
];

fn find(world: &World, call: &Call) -> Result<usize, Code> {
    let id = call.params.one("AllocationId");
    let own = |address: &Address| address.who == call.who && Some(&*address.id) == id;
    world.addresses.iter().position(own).ok_or("InvalidAllocationID.NotFound")
}

/// As zones write it: in lower case, with its last dot.
fn record(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_lowercase())
}

pub fn name(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let at = faults.note(find(world, call));
    let name = call.params.one("DomainName").unwrap_or_default();
    faults.add_if(!NAMES.contains(&name), VALUE);
    faults.done()?;
    let address = &mut world.addresses[at.unwrap()];
    let mut answer = attribute(address);
    let new = record(name);
    answer.push(node("ptrRecordUpdate", vec![leaf("value", &new), leaf("status", "PENDING")]));
    address.name = Some(new);
    Ok(vec![node("address", answer)])
}

pub fn reset(world: &mut World, call: &Call) -> Outcome {
    let at = find(world, call)?;
    let mut answer = attribute(&world.addresses[at]);
    if world.addresses[at].name.take().is_some() {
        answer.push(node("ptrRecordUpdate", vec![leaf("status", "PENDING")]));
    }
    Ok(vec![node("address", answer)])
}

/// An address as DescribeAddressesAttribute tells it.
pub fn attribute(address: &Address) -> Vec<Tree> {
    let mut tree = vec![leaf("publicIp", &address.ip), leaf("allocationId", &address.id)];
    tree.extend(address.name.as_ref().map(|name| leaf("ptrRecord", name)));
    tree
}

impl World {
    /// The offer of an address that nobody has taken.
    fn offer_of(&self, address: &Address) -> Option<usize> {
        let is_it = |one: &Transfer| one.who == address.who && one.id == address.id && !one.accepted;
        self.transfers.iter().position(is_it)
    }

    /// Ends it, if there is one.
    pub fn withdraw(&mut self, address: &Address) {
        if let Some(at) = self.offer_of(address) {
            self.transfers.remove(at);
        }
    }
}

pub fn enable(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let at = faults.note(find(world, call));
    let digits: String =
        call.params.one("TransferAccountId").unwrap_or_default().chars().filter(|c| *c != '-').collect();
    let to = world.accounts.iter().position(|account| account.id == digits);
    faults.add_if(to.is_none_or(|to| to == call.who), VALUE);
    let address = at.map(|at| world.addresses[at].clone());
    let offered = address.as_ref().is_some_and(|address| world.offer_of(address).is_some());
    faults.add_if(offered, "IncorrectState");
    faults.done()?;
    let (Address { who, id, ip, .. }, to) = (address.unwrap(), to.unwrap());
    // What was given away and came back is offered anew.
    world.transfers.retain(|one| one.who != who || one.id != id);
    world.offers += 1;
    let transfer = Transfer { who, id, ip, to, accepted: false, number: world.offers };
    let answer = shape(world, &transfer);
    world.transfers.push(transfer);
    Ok(vec![node("addressTransfer", answer)])
}

pub fn disable(world: &mut World, call: &Call) -> Outcome {
    let at = find(world, call)?;
    let offer = world.offer_of(&world.addresses[at]).ok_or("IncorrectState")?;
    let gone = world.transfers.remove(offer);
    let answer = vec![
        leaf("publicIp", &gone.ip),
        leaf("allocationId", &gone.id),
        leaf("addressTransferStatus", "disabled"),
    ];
    Ok(vec![node("addressTransfer", answer)])
}

pub fn accept(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(&call.params, &["elastic-ip"], "elastic-ip"));
    let ip = call.params.one("Address").unwrap_or_default();
    let at = world.addresses.iter().position(|address| address.ip == ip);
    let offer = at.and_then(|at| world.offer_of(&world.addresses[at]));
    let offer = offer.filter(|offer| world.transfers[*offer].to == call.who);
    let (Some(at), Some(offer)) = (at, offer) else {
        faults.add("InvalidAddress.NotFound");
        return Err(faults);
    };
    let address = world.addresses[at].clone();
    faults.add_if(address.association.is_some(), "InvalidTransfer.AddressAssociated");
    faults.add_if(address.name.is_some(), "InvalidTransfer.AddressCustomPtrSet");
    faults.done()?;
    world.transfers[offer].accepted = true;
    world.addresses[at].who = call.who;
    // "Any tags that are associated with an Elastic IP address being transferred are reset."
    world.untag(&address.id);
    world.tag(call.who, &address.id, &tags.unwrap());
    let answer = shape(world, &world.transfers[offer]);
    Ok(vec![node("addressTransfer", answer)])
}

/// An offer as DescribeAddressTransfers tells it.
pub fn shape(world: &World, one: &Transfer) -> Vec<Tree> {
    let mut tree = vec![
        leaf("publicIp", &one.ip),
        leaf("allocationId", &one.id),
        leaf("transferAccountId", &world.accounts[one.to].id),
        leaf("transferOfferExpirationTimestamp", format!("~week offer {}", one.number)),
        leaf("addressTransferStatus", if one.accepted { "accepted" } else { "pending" }),
    ];
    if one.accepted {
        tree.push(leaf("transferOfferAcceptedTimestamp", format!("~time taken {}", one.number)));
    }
    tree
}

impl Chooser<'_> {
    fn pending(&self, of: impl Fn(&Transfer) -> bool) -> Vec<Transfer> {
        self.world.transfers.iter().filter(|one| !one.accepted && of(one)).cloned().collect()
    }

    /// Whether there is anything that the action is about.
    pub fn has_transfer(&self, action: &str) -> bool {
        let who = self.who;
        match action {
            "DisableAddressTransfer" => !self.pending(|one| one.who == who).is_empty(),
            _ => !self.pending(|one| one.to == who).is_empty(),
        }
    }

    /// A call about a name or an offer.
    pub fn handing(&mut self, call: Call) -> Call {
        let who = self.who;
        if call.action == "AcceptAddressTransfer" {
            let offers = self.pending(|one| one.to == who);
            let ip = match offers.is_empty() || self.dice.once_in(8) {
                false => self.dice.pick(&offers).ip.clone(),
                true => self.world.addresses.first().map_or("198.18.0.9".into(), |one| one.ip.clone()),
            };
            let call = call.with("Address", ip);
            return self.with_tags(call, "elastic-ip");
        }
        let offers = self.pending(|one| one.who == who);
        let id = match call.action == "DisableAddressTransfer" && !offers.is_empty() && !self.dice.once_in(5)
        {
            true => self.dice.pick(&offers).id.clone(),
            false => self.id("eipalloc"),
        };
        let call = call.with("AllocationId", id);
        match call.action {
            "ModifyAddressAttribute" => {
                let names = if self.dice.once_in(5) { BAD_NAMES } else { NAMES };
                call.with("DomainName", self.dice.pick(names))
            }
            "ResetAddressAttribute" => call.with("Attribute", "domain-name"),
            "EnableAddressTransfer" => {
                let to = if self.dice.once_in(10) { who } else { 1 - who };
                let id = self.world.accounts[to].id.clone();
                call.with("TransferAccountId", if self.dice.once_in(15) { "000000000007".into() } else { id })
            }
            _ => call,
        }
    }
}
