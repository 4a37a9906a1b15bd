//! Reachability Analyzer, by EC2's reference: paths and analyses. What an analysis finds is `tests/proof`'s and
//! `tests/clients/test_trace.py`'s matter; here it has to stay as it was.

use super::call::{Call, Code, Faults, MISSING, VALUE};
use super::tree::{Tree, leaf, node, tag_set};
use super::world::*;

/// What the model takes from an analysis as it is.
const FOUND: &[&str] = &[
    "status",
    "statusMessage",
    "warningMessage",
    "networkPathFound",
    "forwardPathComponentSet",
    "explanationSet",
];

/// An end of a path: an instance or an interface of the caller's, by its id or ARN.
fn end(world: &World, who: usize, text: &str) -> Result<String, Code> {
    let id = text.rsplit('/').next().unwrap();
    let own = |found: bool, code| if found { Ok(id.to_owned()) } else { Err(code) };
    if id.starts_with("i-") {
        let there = world.instances.iter().any(|one| one.who == who && one.id == id);
        own(there, "InvalidInstanceID.NotFound")
    } else if id.starts_with("eni-") {
        let there = world.interfaces.iter().any(|one| one.who == who && one.id == id);
        own(there, "InvalidNetworkInterfaceID.NotFound")
    } else {
        Err(VALUE)
    }
}

pub fn create_path(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let made = world.replayed(call)?;
    if let Some(path) = made.and_then(|id| world.paths.iter().find(|path| path.id == id)) {
        return Ok(vec![node("networkInsightsPath", path_shape(world, path))]);
    }
    const KIND: &str = "network-insights-path";
    let params = &call.params;
    let text = |name: &str| params.one(name).map(str::to_owned);
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(params, &[KIND], KIND));
    let source = faults.note(end(world, call.who, params.one("Source").unwrap()));
    let destination = params.one("Destination").map(|text| end(world, call.who, text));
    let destination = destination.and_then(|end| faults.note(end));
    faults.add_if(!params.has("Destination") && !params.has("DestinationIp"), MISSING);
    faults.done()?;
    let path = Path {
        who: call.who,
        id: world.new_id(reply.at("networkInsightsPath/networkInsightsPathId"), "nip"),
        source: source.unwrap(),
        destination,
        source_ip: text("SourceIp"),
        destination_ip: text("DestinationIp"),
        protocol: text("Protocol").unwrap(),
        port: params.number("DestinationPort"),
    };
    world.tag(call.who, &path.id, &tags.unwrap());
    world.remember(call, &path.id);
    let answer = path_shape(world, &path);
    world.paths.push(path);
    Ok(vec![node("networkInsightsPath", answer)])
}

fn find_path<'w>(world: &'w World, call: &Call) -> Result<&'w Path, Code> {
    let id = call.params.one("NetworkInsightsPathId");
    let own = |path: &&Path| path.who == call.who && id == Some(&path.id);
    world.paths.iter().find(own).ok_or("InvalidNetworkInsightsPathId.NotFound")
}

pub fn delete_path(world: &mut World, call: &Call) -> Outcome {
    let id = find_path(world, call)?.id.clone();
    if world.analyses.iter().any(|analysis| analysis.path == id) {
        return Err("AnalysisExistsForNetworkInsightsPath".into());
    }
    world.paths.retain(|path| path.id != id);
    world.untag(&id);
    Ok(vec![leaf("networkInsightsPathId", id)])
}

/// The end that is not there any more.
fn missing(world: &World, path: &Path) -> Option<String> {
    let there = |id: &String| match id.starts_with("i-") {
        true => world.interface_of(id).is_some(),
        false => world.interfaces.iter().any(|one| one.id == *id),
    };
    let destination = path.destination.as_ref().filter(|_| path.destination_ip.is_none());
    [Some(&path.source), destination].into_iter().flatten().find(|id| !there(id)).cloned()
}

pub fn start(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let made = world.replayed(call)?;
    if let Some(analysis) = made.and_then(|id| world.analyses.iter().find(|one| one.id == id)) {
        return Ok(vec![node("networkInsightsAnalysis", analysis_shape(world, analysis))]);
    }
    const KIND: &str = "network-insights-analysis";
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(&call.params, &[KIND], KIND));
    let path = faults.note(find_path(world, call)).cloned();
    faults.done()?;
    let path = path.unwrap();
    let none = Tree::default();
    let told = reply.get("networkInsightsAnalysis").unwrap_or(&none);
    let found: Vec<Tree> = told.inner.iter().filter(|one| FOUND.contains(&&*one.name)).cloned().collect();
    let found = match missing(world, &path) {
        Some(id) => vec![
            leaf("status", "failed"),
            leaf("statusMessage", format!("The request failed due to missing component {id}")),
        ],
        // Without an end that is missing it has an answer, and its reasons.
        None if told.at("status") == "succeeded" && decided(told) => found,
        None => vec![leaf("status", "succeeded, with an answer")],
    };
    let id = world.new_id(told.at("networkInsightsAnalysisId"), "nia");
    let analysis = Analysis { who: call.who, id, path: path.id, found };
    world.tag(call.who, &analysis.id, &tags.unwrap());
    world.remember(call, &analysis.id);
    let answer = analysis_shape(world, &analysis);
    world.analyses.push(analysis);
    Ok(vec![node("networkInsightsAnalysis", answer)])
}

fn decided(told: &Tree) -> bool {
    let (steps, reasons) = (told.items("forwardPathComponentSet"), told.items("explanationSet"));
    match told.at("networkPathFound") {
        "true" => !steps.is_empty() && reasons.is_empty(),
        "false" => steps.is_empty() && !reasons.is_empty(),
        _ => false,
    }
}

pub fn delete(world: &mut World, call: &Call) -> Outcome {
    let id = call.params.one("NetworkInsightsAnalysisId").unwrap();
    let own = |one: &Analysis| one.who == call.who && one.id == id;
    let at = world.analyses.iter().position(own).ok_or("InvalidNetworkInsightsAnalysisId.NotFound")?;
    let gone = world.analyses.remove(at);
    world.untag(&gone.id);
    Ok(vec![leaf("networkInsightsAnalysisId", gone.id)])
}

pub fn path_shape(world: &World, path: &Path) -> Vec<Tree> {
    let arn = |id: &str| {
        let kind = if id.starts_with("i-") { "instance" } else { "network-interface" };
        world.arn(path.who, kind, id)
    };
    let mut tree = vec![
        leaf("networkInsightsPathId", &path.id),
        leaf("networkInsightsPathArn", world.arn(path.who, "network-insights-path", &path.id)),
        leaf("createdDate", format!("~time {}", path.id)),
        leaf("source", &path.source),
        leaf("sourceArn", arn(&path.source)),
        leaf("protocol", &path.protocol),
        tag_set("tagSet", &world.tags_of(&path.id)),
    ];
    tree.extend(path.destination.iter().map(|id| leaf("destination", id)));
    tree.extend(path.destination.iter().map(|id| leaf("destinationArn", arn(id))));
    tree.extend(path.source_ip.iter().map(|ip| leaf("sourceIp", ip)));
    tree.extend(path.destination_ip.iter().map(|ip| leaf("destinationIp", ip)));
    tree.extend(path.port.map(|port| leaf("destinationPort", port)));
    tree
}

pub fn analysis_shape(world: &World, one: &Analysis) -> Vec<Tree> {
    let mut tree = vec![
        leaf("networkInsightsAnalysisId", &one.id),
        leaf("networkInsightsAnalysisArn", world.arn(one.who, "network-insights-analysis", &one.id)),
        leaf("networkInsightsPathId", &one.path),
        leaf("startDate", format!("~time {}", one.id)),
        tag_set("tagSet", &world.tags_of(&one.id)),
    ];
    tree.extend(one.found.clone());
    tree
}
