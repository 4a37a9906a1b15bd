//! From a question to an answer, where it is ours to give. Pure.

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, PTR, SOA};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

use super::names::{Known, look_up};
use crate::plan::HostState;

/// How long an answer may be kept, in seconds: instances come and go.
const TTL: u32 = 60;

/// What a UDP answer may measure on any path (DNS flag day 2020).
const PAYLOAD: u16 = 1232;

/// What to do about a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    Here(Vec<u8>),
    /// The host's resolvers know.
    Elsewhere,
    /// It was no question.
    Nothing,
}

/// Answers one message.
pub fn answer(bytes: &[u8], state: &HostState) -> Answer {
    let Ok(question) = Message::from_vec(bytes) else { return malformed(bytes) };
    if question.message_type() != MessageType::Query {
        return Answer::Nothing;
    }
    if question.op_code() != OpCode::Query {
        return here(reply(&question, ResponseCode::NotImp));
    }
    if question.extensions().as_ref().is_some_and(|edns| edns.version() != 0) {
        return here(reply(&question, ResponseCode::BADVERS));
    }
    let [query] = question.queries() else { return here(reply(&question, ResponseCode::FormErr)) };
    if query.query_class() != DNSClass::IN {
        return here(reply(&question, ResponseCode::Refused));
    }
    let name = query.name().to_lowercase().to_ascii();
    match look_up(name.trim_end_matches('.'), state) {
        Known::Foreign => Answer::Elsewhere,
        known => here(own(&question, query, known)),
    }
}

fn own(question: &Message, query: &Query, known: Known) -> Message {
    use RecordType::{ANY, PTR as PTR_TYPE};
    let mut reply = reply(question, ResponseCode::NoError);
    reply.set_authoritative(true);
    let asked = query.query_type();
    let data = match &known {
        Known::Address(address) if matches!(asked, RecordType::A | ANY) => Some(RData::A(A(*address))),
        Known::Name(name) if matches!(asked, PTR_TYPE | ANY) => {
            Name::from_ascii(format!("{name}.")).ok().map(|name| RData::PTR(PTR(name)))
        }
        _ => None,
    };
    match data {
        Some(data) => drop(reply.add_answer(Record::from_rdata(query.name().clone(), TTL, data))),
        None => {
            if let Known::Absent(domain) = &known {
                reply.set_response_code(ResponseCode::NXDomain);
                add_soa(&mut reply, domain);
            } else if let Known::Bare(domain) = &known {
                add_soa(&mut reply, domain);
            }
        }
    }
    reply
}

/// Tells how long "there is none" may be kept (RFC 2308).
fn add_soa(reply: &mut Message, domain: &str) {
    let Ok(zone) = Name::from_ascii(format!("{domain}.")) else { return };
    let soa = SOA::new(zone.clone(), zone.clone(), 1, 3600, 600, 86_400, TTL);
    reply.add_name_server(Record::from_rdata(zone, TTL, RData::SOA(soa)));
}

fn reply(question: &Message, code: ResponseCode) -> Message {
    let mut reply = Message::new();
    reply
        .set_id(question.id())
        .set_message_type(MessageType::Response)
        .set_op_code(question.op_code())
        .set_recursion_desired(question.recursion_desired())
        .set_recursion_available(true)
        .set_response_code(code)
        .add_queries(question.queries().iter().take(1).cloned());
    if question.extensions().as_ref().is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(PAYLOAD).set_version(0);
        reply.set_edns(edns);
    }
    reply
}

fn here(reply: Message) -> Answer {
    reply.to_vec().map_or(Answer::Nothing, Answer::Here)
}

/// A header alone can be told that the rest was not understood.
fn malformed(bytes: &[u8]) -> Answer {
    match bytes {
        // Twelve bytes of header, of which the third's first bit says "answer" (RFC 1035, 4.1.1).
        [a, b, flags, ..] if bytes.len() >= 12 && flags & 0x80 == 0 => {
            let id = u16::from_be_bytes([*a, *b]);
            here(Message::error_msg(id, OpCode::Query, ResponseCode::FormErr))
        }
        _ => Answer::Nothing,
    }
}

/// What is said when no resolver answered.
pub fn server_failure(bytes: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(bytes).ok()?;
    reply(&question, ResponseCode::ServFail).to_vec().ok()
}

#[cfg(test)]
mod tests {
    use super::super::names::tests::state;
    use super::*;
    use proptest::prelude::*;

    fn question(name: &str, kind: RecordType) -> Message {
        let mut message = Message::new();
        message.set_id(7).set_recursion_desired(true);
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        message
    }

    fn ask(message: &Message) -> Option<Message> {
        match answer(&message.to_vec().unwrap(), &state()) {
            Answer::Here(bytes) => Some(Message::from_vec(&bytes).unwrap()),
            Answer::Elsewhere | Answer::Nothing => None,
        }
    }

    #[test]
    fn a_name_has_its_address_in_any_case() {
        let reply = ask(&question("IP-10-0-0-9.EC2.internal.", RecordType::A)).unwrap();
        assert_eq!((reply.id(), reply.response_code()), (7, ResponseCode::NoError));
        assert_eq!(reply.answers()[0].data(), &RData::A(A::new(10, 0, 0, 9)));
        assert!(reply.authoritative() && reply.recursion_available());
    }

    #[test]
    fn another_type_is_no_data_and_another_name_no_domain() {
        let other = ask(&question("ip-10-0-0-9.ec2.internal.", RecordType::AAAA)).unwrap();
        assert_eq!((other.response_code(), other.answers().len()), (ResponseCode::NoError, 0));
        let absent = ask(&question("nobody.ec2.internal.", RecordType::A)).unwrap();
        assert_eq!(absent.response_code(), ResponseCode::NXDomain);
        assert_eq!(absent.name_servers().len(), 1, "an SOA, so that the answer can be kept");
    }

    #[test]
    fn other_names_are_for_others() {
        let bytes = question("example.org.", RecordType::A).to_vec().unwrap();
        assert_eq!(answer(&bytes, &state()), Answer::Elsewhere);
    }

    #[test]
    fn what_is_no_question_is_not_answered_and_what_cannot_be_done_is_said() {
        let mut response = question("example.org.", RecordType::A);
        response.set_message_type(MessageType::Response);
        assert_eq!(answer(&response.to_vec().unwrap(), &state()), Answer::Nothing);
        let mut update = question("ec2.internal.", RecordType::A);
        update.set_op_code(OpCode::Update);
        assert_eq!(ask(&update).unwrap().response_code(), ResponseCode::NotImp);
        let mut two = question("a.ec2.internal.", RecordType::A);
        two.add_query(Query::query(Name::from_ascii("b.ec2.internal.").unwrap(), RecordType::A));
        assert_eq!(ask(&two).unwrap().response_code(), ResponseCode::FormErr);
        let mut chaos = question("version.bind.", RecordType::TXT);
        chaos.queries_mut()[0].set_query_class(DNSClass::CH);
        assert_eq!(ask(&chaos).unwrap().response_code(), ResponseCode::Refused);
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = answer(&bytes, &state());
            let _ = server_failure(&bytes);
        }

        #[test]
        fn any_change_of_a_real_question_is_borne(at in 0_usize..60, byte: u8) {
            let mut bytes = question("ip-10-0-0-9.ec2.internal.", RecordType::A).to_vec().unwrap();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let _ = answer(&bytes, &state());
        }
    }
}
