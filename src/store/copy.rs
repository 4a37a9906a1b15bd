//! Copying a store from one database to another: a deployment outgrows SQLite.

use std::collections::BTreeMap;

use super::batch::Batch;
use super::cell::{Cell, count, int, text};
use super::connection::{Connection, For};
use super::history::{self, LEAP};
use super::place::Place;
use super::{Store, StoreError, load};
use crate::world::{Change, Row, World};

/// The store was not copied; the target is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("there is no {0}")]
    NoSource(Place),
    #[error("{0} already holds a store that was used: name an empty database")]
    NotEmpty(Place),
    #[error("what was read back from {0} is not what was written: {1}")]
    Differs(Place, String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for CopyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What was copied.
#[derive(Clone, Debug)]
pub struct Copied {
    pub generation: u64,
    /// How many rows each table has; empty tables are left out.
    pub rows: BTreeMap<&'static str, u64>,
}

/// Copies everything from one place to another, which must be empty, in one transaction. Nobody may write to the source
/// meanwhile or afterwards.
///
/// The copy begins a new epoch: whoever goes back to the source by mistake is noticed.
///
/// # Errors
/// The target is not empty, a row cannot be read, or something differs in the end.
pub async fn copy(from: &Place, to: &Place) -> Result<Copied, CopyError> {
    if matches!(from, Place::Sqlite(path) if !path.exists()) {
        return Err(CopyError::NoSource(from.clone()));
    }
    let mut source = Store::open(from).await?;
    let mut target = Store::open(to).await?;
    source.connection.begin(For::Reading).await?;
    target.connection.begin(For::Writing).await?;
    let copied = within(&mut source.connection, &mut target.connection, to).await;
    source.connection.rollback().await?;
    match copied {
        Ok(copied) => {
            target.connection.commit().await?;
            Ok(copied)
        }
        Err(error) => {
            // The first error says more than one of the way back.
            let _ = target.connection.rollback().await;
            Err(error)
        }
    }
}

/// Tables that no World has rows of, and their columns.
const BESIDE: &[(&str, &[&str])] = &[
    ("host_reports", &["host", "seen", "report", "version"]),
    ("consoles", &["instance", "at", "output", "version"]),
    ("epochs", &["epoch", "number", "begun"]),
];

async fn within(source: &mut Connection, target: &mut Connection, to: &Place) -> Result<Copied, CopyError> {
    if !is_empty(target).await? {
        return Err(CopyError::NotEmpty(to.clone()));
    }
    let mark = history::meta(source).await?.mark;
    let generation = mark.generation + LEAP;
    let world = load::everything(source, generation).await?;
    Batch::of(&rows(&world)).write(target, generation).await?;
    for (table, columns) in BESIDE {
        target.run(&format!("DELETE FROM {table}"), &[]).await?;
        transfer(source, target, table, columns).await?;
    }
    let version = source.row("SELECT version FROM reports_version", &[]).await?.number("version")?;
    target.run("UPDATE reports_version SET version = $1", &[&count(version)]).await?;
    let (epoch, tag) = (text(history::random_tag()), text(history::random_tag()));
    let last = target.row("SELECT max(number) AS last FROM epochs", &[]).await?.int("last")?;
    let number = int(last.unwrap_or_default() + 1);
    target.run("INSERT INTO epochs (epoch, number) VALUES ($1, $2)", &[&epoch, &number]).await?;
    target.run("DELETE FROM commits", &[]).await?;
    let generation_cell = count(generation);
    let sql = "INSERT INTO commits (generation, tag, kinds) VALUES ($1, $2, '*')";
    target.run(sql, &[&generation_cell, &tag]).await?;
    let key_check = Cell::Text(source.row("SELECT key_check FROM meta", &[]).await?.text("key_check")?);
    let sql = "UPDATE meta SET generation = $1, tag = $2, epoch = $3, key_check = $4";
    target.run(sql, &[&generation_cell, &tag, &epoch, &key_check]).await?;
    compare(source, target, &world, to).await.map(|rows| Copied { generation, rows })
}

/// Reads the copy and compares it with what was to be copied.
async fn compare(
    source: &mut Connection,
    target: &mut Connection,
    world: &World,
    to: &Place,
) -> Result<BTreeMap<&'static str, u64>, CopyError> {
    if load::everything(target, world.generation).await? != *world {
        return Err(CopyError::Differs(to.clone(), "some rows".into()));
    }
    let mut rows = BTreeMap::new();
    let beside = BESIDE.iter().map(|(table, _)| *table).filter(|table| *table != "epochs");
    for table in super::tables::names().into_iter().chain(beside) {
        let sql = format!("SELECT count(*) AS rows FROM {table}");
        let there = target.row(&sql, &[]).await?.number("rows")?;
        let here = source.row(&sql, &[]).await?.number("rows")?;
        if here != there {
            return Err(CopyError::Differs(to.clone(), format!("{table} has {there} rows, not {here}")));
        }
        if here > 0 {
            rows.insert(table, here);
        }
    }
    Ok(rows)
}

/// A store that nobody has used: migrated, and perhaps opened once.
async fn is_empty(target: &mut Connection) -> Result<bool, CopyError> {
    let meta = history::meta(target).await?.mark;
    Ok(meta.generation == 0 && load::everything(target, 0).await? == World::default())
}

/// Copies rows as they are, a few at a time.
async fn transfer(
    source: &mut Connection,
    target: &mut Connection,
    table: &str,
    columns: &[&str],
) -> Result<(), sqlx::Error> {
    let key = columns[0];
    let list = columns.join(", ");
    let places = super::table::placeholders(0, columns.len());
    let sql = format!("INSERT INTO {table} ({list}) VALUES {places}");
    for row in source.rows(&format!("SELECT {list} FROM {table} ORDER BY {key}"), &[]).await? {
        let cell =
            |column: &&str| row.text(column).map(Cell::Text).or_else(|_| row.int(column).map(Cell::Int));
        let cells = columns.iter().map(cell).collect::<Result<Vec<_>, _>>()?;
        target.run(&sql, &cells.iter().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// Every row of a World.
fn rows(world: &World) -> Vec<Change> {
    macro_rules! all {
        ($($table:ident: $row:ident),*) => {{
            // Whoever gives a World another table is told here that its rows are to be copied, too.
            let World { generation: _, begun: _, index: _, deployment, $($table),* } = world;
            let mut all: Vec<Change> =
                deployment.iter().cloned().map(Row::Deployment).map(Change::Put).collect();
            $(all.extend($table.values().cloned().map(Row::$row).map(Change::Put));)*
            all
        }};
    }
    all!(
        accounts: Account, access_keys: AccessKey, pools: Pool, ipv6_pools: Ipv6Pool, networks: Network, hosts: Host, images: Image,
        vpcs: Vpc, subnets: Subnet, dhcp_options: DhcpOptions, internet_gateways: InternetGateway,
        egress_gateways: EgressGateway, nat_gateways: NatGateway, peerings: Peering, route_tables: RouteTable,
        route_table_associations: RouteTableAssociation, routes: Route, ipv6_routes: Ipv6Route,
        prefix_lists: PrefixList, prefix_list_versions: PrefixListVersion,
        subnet_cidr_reservations: SubnetCidrReservation, network_acls: NetworkAcl,
        acl_entries: AclEntry, acl_associations: AclAssociation,
        groups: Group, rules: Rule, key_pairs: KeyPair,
        insights_paths: InsightsPath, insights_analyses: InsightsAnalysis,
        launch_templates: LaunchTemplate, launch_template_versions: LaunchTemplateVersion, instances: Instance,
        enis: Eni, addresses: Address, address_transfers: AddressTransfer, tags: Tag, claims: Claim, freed: Freed,
        freed_ipv6: FreedIpv6, tokens: Token
    )
}
