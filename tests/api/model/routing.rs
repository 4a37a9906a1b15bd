//! Route tables, by EC2's reference: CreateRouteTable, DeleteRouteTable, AssociateRouteTable, DisassociateRouteTable,
//! ReplaceRouteTableAssociation. `routes` has what is in them.

use super::call::{Call, Code, Faults, VALUE};
use super::routes;
use super::tree::{Tree, leaf, list, node, tag_set};
use super::vpcs::OPERATORS;
use super::world::*;

#[derive(Clone, Debug)]
pub struct RouteTable {
    pub who: usize,
    pub id: String,
    pub vpc: String,
}

#[derive(Clone, Debug)]
pub struct TableAssociation {
    pub id: String,
    pub table: String,
    pub vpc: String,
    /// `None` makes it the VPC's main table.
    pub subnet: Option<String>,
}

const NO_ASSOCIATION: Code = "InvalidAssociationID.NotFound";

impl World {
    pub fn own_table(&self, who: usize, id: Option<&str>) -> Result<&RouteTable, Code> {
        let own = |one: &&RouteTable| one.who == who && Some(&*one.id) == id;
        self.tables.iter().find(own).ok_or("InvalidRouteTableID.NotFound")
    }

    /// Whether the operator has the table's VPC.
    pub fn is_operators(&self, table: &RouteTable) -> bool {
        self.vpc(&table.vpc).is_some_and(|vpc| vpc.is_default)
    }

    pub fn forget_table(&mut self, id: &str) {
        self.routes.retain(|route| route.table != id);
        self.table_associations.retain(|one| one.table != id);
        self.tables.retain(|one| one.id != id);
        self.untag(id);
    }

    fn own_association(&self, call: &Call) -> Result<&TableAssociation, Code> {
        let id = call.params.one("AssociationId");
        let own = |one: &&TableAssociation| {
            Some(&*one.id) == id && self.vpc(&one.vpc).is_some_and(|vpc| vpc.who == call.who)
        };
        self.table_associations.iter().find(own).ok_or(NO_ASSOCIATION)
    }
}

fn answer(world: &World, call: &Call, id: &str) -> Vec<Tree> {
    let row = world.tables.iter().find(|one| one.id == id).unwrap();
    let mut answer = vec![node("routeTable", shape(world, row))];
    answer.extend(call.params.one("ClientToken").map(|token| leaf("clientToken", token)));
    answer
}

pub fn create(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let made = world.replayed(call)?;
    if let Some(id) = made.filter(|id| world.tables.iter().any(|one| one.id == *id)) {
        return Ok(answer(world, call, &id));
    }
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(&call.params, &["route-table"], "route-table"));
    let vpc = faults.note(world.own_vpc(call.who, call.params.one("VpcId"))).map(|vpc| vpc.id.clone());
    faults.done()?;
    let id = world.new_id(reply.at("routeTable/routeTableId"), "rtb");
    world.tag(call.who, &id, &tags.unwrap());
    world.remember(call, &id);
    world.tables.push(RouteTable { who: call.who, id: id.clone(), vpc: vpc.unwrap() });
    Ok(answer(world, call, &id))
}

/// "You must disassociate the route table from any subnets before you can delete it. You can't delete the main route
/// table."
pub fn delete(world: &mut World, call: &Call) -> Outcome {
    let id = world.own_table(call.who, call.params.one("RouteTableId"))?.id.clone();
    if world.table_associations.iter().any(|one| one.table == id) {
        return Err("DependencyViolation".into());
    }
    world.forget_table(&id);
    Ok(vec![leaf("return", true)])
}

fn associated() -> Tree {
    node("associationState", vec![leaf("state", "associated")])
}

pub fn associate(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let mut faults = Faults::default();
    let table = faults.note(world.own_table(call.who, call.params.one("RouteTableId"))).cloned();
    let subnet = faults.note(world.own_subnet(call.who, call.params.one("SubnetId"))).cloned();
    if let (Some(table), Some(subnet)) = (&table, &subnet) {
        faults.add_if(world.is_operators(table), OPERATORS);
        faults.add_if(table.vpc != subnet.vpc, VALUE);
        let there = world.table_associations.iter().any(|one| one.subnet.as_ref() == Some(&subnet.id));
        faults.add_if(there, "Resource.AlreadyAssociated");
    }
    faults.done()?;
    let id = world.new_id(reply.at("associationId"), "rtbassoc");
    let (table, subnet) = (table.unwrap(), Some(subnet.unwrap().id));
    let row = TableAssociation { id: id.clone(), table: table.id, vpc: table.vpc, subnet };
    world.table_associations.push(row);
    Ok(vec![leaf("associationId", id), associated()])
}

pub fn disassociate(world: &mut World, call: &Call) -> Outcome {
    let row = world.own_association(call)?.clone();
    if row.subnet.is_none() {
        return Err(VALUE.into());
    }
    world.table_associations.retain(|one| one.id != row.id);
    Ok(vec![leaf("return", true)])
}

/// "You can also use this operation to change which table is the main route table in the VPC. Specify the main route
/// table's association ID and the route table ID of the new main route table"; "the operation returns a new association
/// ID".
pub fn replace(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let mut faults = Faults::default();
    let old = faults.note(world.own_association(call)).cloned();
    let table = faults.note(world.own_table(call.who, call.params.one("RouteTableId"))).cloned();
    if let (Some(table), Some(old)) = (&table, &old) {
        faults.add_if(world.is_operators(table), OPERATORS);
        faults.add_if(table.vpc != old.vpc, VALUE);
    }
    faults.done()?;
    let id = world.new_id(reply.at("newAssociationId"), "rtbassoc");
    let old = old.unwrap();
    let row = world.table_associations.iter_mut().find(|one| one.id == old.id).unwrap();
    (row.id, row.table) = (id.clone(), table.unwrap().id);
    Ok(vec![leaf("newAssociationId", id), associated()])
}

/// A table as DescribeRouteTables tells it.
pub fn shape(world: &World, row: &RouteTable) -> Vec<Tree> {
    let association = |one: &TableAssociation| {
        let mut tree = vec![
            leaf("routeTableAssociationId", &one.id),
            leaf("routeTableId", &one.table),
            leaf("main", one.subnet.is_none()),
            associated(),
        ];
        tree.extend(one.subnet.iter().map(|id| leaf("subnetId", id)));
        tree
    };
    let associations = world.table_associations.iter().filter(|one| one.table == row.id);
    vec![
        leaf("routeTableId", &row.id),
        leaf("vpcId", &row.vpc),
        leaf("ownerId", &world.accounts[row.who].id),
        list("routeSet", routes::shapes(world, row)),
        list("associationSet", associations.map(association).collect()),
        list("propagatingVgwSet", Vec::new()),
        tag_set("tagSet", &world.tags_of(&row.id)),
    ]
}
